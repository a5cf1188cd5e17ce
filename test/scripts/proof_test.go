package scripts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/trent-kms/trent/test/internal/harness"
)

// commands of trent that call an operation of its administration.
var commands = map[string]string{
	"AdvanceClock": "trent clock advance", "DeregisterService": "trent service deregister", "ExplainDecision": "trent explain",
	"GetStatus": "trent status", "ListServices": "trent service list", "RegisterService": "trent service register",
	"ReplayPolicy": "trent policy replay", "SimulatePolicy": "trent policy simulate", "WhoCan": "trent policy who-can",
}

// TestProofsAreThere looks at the tests that the model files name, as docs/compatibility.md shows them: for each operation
// that is built there is one, and it calls the operation.
func TestProofsAreThere(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	built := 0
	for _, service := range []string{"iam", "kms", "organizations", "sts", "trent"} {
		var model struct {
			Operations []struct {
				Name, Proof string
				Built       bool
			}
		}
		b, err := os.ReadFile(filepath.Join(root, "internal", "api", "model", service+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &model); err != nil {
			t.Fatal(err)
		}
		for _, o := range model.Operations {
			if !o.Built {
				continue
			}
			built++
			path, ok := strings.CutPrefix(strings.TrimSuffix(o.Proof, "`"), "`")
			if !ok || strings.Contains(path, "`") {
				t.Errorf("%s: %s names no test: %q", service, o.Name, o.Proof)
				continue
			}
			if texts[path] == "" {
				b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
				if err != nil {
					t.Errorf("%s: %s: %v", service, o.Name, err)
					continue
				}
				texts[path] = string(b)
			}
			if !calls(path, service, o.Name).MatchString(texts[path]) {
				t.Errorf("%s: %s does not call %s", service, path, o.Name)
			}
		}
	}
	if built < 200 {
		t.Errorf("only %d operations", built)
	}
}

// calls matches a call of an operation in a test's text: in a script a command, in Go a request, a call of a client, or the
// operation's name in quotes.
func calls(path, service, operation string) *regexp.Regexp {
	if filepath.Ext(path) != ".txtar" {
		return regexp.MustCompile(`(\b|New)` + operation + `(Request\b|Paginator\(|\(|["` + "`])")
	}
	command := service + " " + cliName(operation)
	if service == "trent" {
		command = "exec " + commands[operation]
		if commands[operation] == "" {
			command = "exec curl .*X-Amz-Target: TrentAdmin." + operation
		}
	}
	return regexp.MustCompile(`(?m)^` + command + `([ ']|$)`)
}
