// Package scenarios has the well-known ways of arranging keys, people and policies, each as a session of the AWS CLI with
// a development server: a file says what it is for, sets it up, and shows what is allowed, what is denied, and which
// policy denies it. The files are made to be read, and to be taken as a beginning. The commands that are not the AWS CLI's
// or testscript's are in test/internal/script.
package scenarios

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trent-kms/trent/test/internal/harness"
	"github.com/trent-kms/trent/test/internal/script"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestScenarios(t *testing.T) {
	programs := script.Programs(t)
	testscript.Run(t, testscript.Params{
		Dir: ".", RequireUniqueNames: true, Cmds: script.Commands(),
		Setup: func(e *testscript.Env) error { return script.Prepare(e, programs) },
	})
}

// TestEveryScenarioTellsItsStory looks at the files themselves: each begins with what it is about, and shows both what is
// allowed and what is denied. A call that is to fail says at once how, since any other failure would pass for it.
func TestEveryScenarioTellsItsStory(t *testing.T) {
	files, err := filepath.Glob("*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	story := regexp.MustCompile(`\A# [^\n]+\n#\n(# [^\n]+\n){3,}`)
	allowed := regexp.MustCompile(`(?m)^kms \S`)
	failing := regexp.MustCompile(`(?m)^! (kms|iam|sts|organizations) .*\n(\S+)`)
	denials := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		commands, _, _ := strings.Cut(string(text), "\n-- ")
		if !story.MatchString(commands) {
			t.Errorf("%s does not begin with a title and a story", name)
		}
		calls := failing.FindAllStringSubmatch(commands, -1)
		for _, call := range calls {
			if call[2] != "denied" && call[2] != "error" && call[2] != "stderr" {
				t.Errorf("%s: it does not say how this fails: %s", name, call[0])
			}
		}
		if n := len(allowed.FindAllString(commands, -1)); n < 3 || len(calls) < 3 {
			t.Errorf("%s: only %d calls are allowed and %d denied", name, n, len(calls))
		}
		denials += len(calls)
	}
	if len(files) < 13 || denials < 90 {
		t.Errorf("only %d scenarios with %d denials", len(files), denials)
	}
}
