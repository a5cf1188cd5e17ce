// Package scripts runs the built program as its users do: the command line, and the AWS CLI against a server. A script
// in testdata is a session; test/internal/script has the commands that scripts know besides those of testscript.
package scripts

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/test/internal/harness"
	"github.com/trent-kms/trent/test/internal/script"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestScripts(t *testing.T) {
	work := t.TempDir()
	programs, known := script.Programs(t), knownToCLI(t)
	// The scripts run in parallel when the function given to Run has returned, and have ended when Run returns.
	t.Run("all", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir: "testdata", WorkdirRoot: work, RequireUniqueNames: true, Cmds: script.Commands(),
			Setup:     func(e *testscript.Env) error { return script.Prepare(e, programs) },
			Condition: func(c string) (bool, error) { return knowsNewer(known, c) },
		})
	})
	if !t.Failed() {
		checkCoverage(t, work, known)
		checkKeys(t, work)
	}
}

// newer are the operations that an AWS CLI of Debian may not know yet. A script asks with [aws:encapsulate] whether this
// one does; then they are called like the others.
var newer = []string{"decapsulate", "derive-shared-secret", "encapsulate", "get-key-last-usage", "list-key-rotations", "rotate-key-on-demand"}

func knowsNewer(known []string, condition string) (bool, error) {
	name, ok := strings.CutPrefix(condition, "aws:")
	if !ok || !slices.Contains(newer, name) {
		return false, fmt.Errorf("unknown condition %q", condition)
	}
	return slices.Contains(known, name), nil
}

// knownToCLI are the operations that the AWS CLI has, as it lists them to whoever asks for one that there is not.
func knownToCLI(t *testing.T) []string {
	t.Helper()
	c := exec.CommandContext(t.Context(), script.AWSCLI(t), "kms", "fly")
	c.Env = append(harness.Environ(), "AWS_PAGER=")
	out, err := c.CombinedOutput()
	known := regexp.MustCompile(`[a-z]+(-[a-z]+)+|(en|de)crypt|sign|verify`).FindAllString(string(out), -1)
	if err == nil || len(known) < 50 {
		t.Fatalf("the AWS CLI does not say what it knows: %v\n%s", err, out)
	}
	return known
}

// cliName is how the AWS CLI writes the name of an operation: CreateKey is create-key.
func cliName(operation string) string {
	return strings.ToLower(regexp.MustCompile(`(.)([A-Z])`).ReplaceAllString(operation, "$1-$2"))
}

// checkCoverage reads the audit logs of all servers that the scripts started: what the AWS CLI called must be there,
// and it must be everything that it knows.
func checkCoverage(t *testing.T, work string, known []string) {
	t.Helper()
	succeeded, failed, records := map[string]int{}, map[string]int{}, 0
	for _, dir := range auditLogs(t, work) {
		err := audit.Read(dir, func(line []byte) error {
			var e struct{ EventName, ErrorCode, UserAgent string }
			if err := json.Unmarshal(line, &e); err != nil {
				return err
			}
			switch {
			case !strings.HasPrefix(e.UserAgent, "aws-cli/"):
				return nil
			case e.ErrorCode != "":
				failed[e.ErrorCode]++
			default:
				succeeded[e.EventName]++
			}
			records++
			return nil
		})
		if err != nil {
			t.Errorf("audit log %s: %v", dir, err)
		}
	}
	for _, name := range append(harness.Built(), "GetCallerIdentity") {
		switch cli := cliName(name); {
		case succeeded[name] > 0 || slices.Contains(newer, cli) && !slices.Contains(known, cli):
		case name != "GetCallerIdentity" && !slices.Contains(known, cli):
			t.Errorf("the AWS CLI does not know %s, and nobody has said so", cli)
		default:
			t.Errorf("no script has called %s with success", name)
		}
	}
	t.Logf("%d calls of the AWS CLI in the audit logs; %d operations; errors: %v", records, len(succeeded), slices.Sorted(maps.Keys(failed)))
	if records < 260 || len(failed) < 24 {
		t.Errorf("only %d calls and %d error codes", records, len(failed))
	}
}

func auditLogs(t *testing.T, work string) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(work, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "audit" {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}
