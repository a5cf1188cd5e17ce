// Package scripts runs the built program as its users do: the command line, and the AWS CLI against a server. A script
// in testdata is a session; commands.go has the commands that scripts know besides those of testscript.
package scripts

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/test/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestScripts(t *testing.T) {
	work := t.TempDir()
	programs := programs(t)
	// The scripts run in parallel when the function given to Run has returned, and have ended when Run returns.
	t.Run("all", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir: "testdata", WorkdirRoot: work, RequireUniqueNames: true, Cmds: commands,
			Setup: func(e *testscript.Env) error { return prepare(e, programs) },
		})
	})
	if !t.Failed() {
		checkCoverage(t, work)
	}
}

// programs is a directory with the programs that scripts call: the built one, and the system's AWS CLI.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, path := range map[string]string{"trent": harness.Binary(), "aws": awsCLI(t)} {
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// awsCLI prefers the system's own over one that somebody has put in front of it. Without one the tests fail.
func awsCLI(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/aws", "/usr/local/bin/aws", "/opt/homebrew/bin/aws"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("there is no AWS CLI: apt-get install awscli")
	return ""
}

// checkCoverage reads the audit logs of all servers that the scripts started: what the AWS CLI called must be there,
// and it must be everything.
func checkCoverage(t *testing.T, work string) {
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
		if succeeded[name] == 0 {
			t.Errorf("no script has called %s with success", name)
		}
	}
	t.Logf("%d calls of the AWS CLI in the audit logs; %d operations; errors: %v", records, len(succeeded), slices.Sorted(maps.Keys(failed)))
	if records < 120 || len(failed) < 16 {
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
