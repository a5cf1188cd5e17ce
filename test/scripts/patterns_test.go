package scripts

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPatternsQuoteWhatTheyHold looks at every pattern of a script that holds a variable: it is written ${NAME@R}. What the
// variable has may be random, and a secret in which two + meet is no pattern, while one with a single + never matches.
func TestPatternsQuoteWhatTheyHold(t *testing.T) {
	own, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	scenarios, err := filepath.Glob("../scenarios/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	matching := regexp.MustCompile(`^!? ?(grep|stdout|stderr) `)
	literal := regexp.MustCompile(`'[^']*'`) // where testscript expands nothing
	bare := regexp.MustCompile(`\$(\w+|\{\w+\})`)
	quoted := 0
	for _, name := range slices.Concat(own, scenarios) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		commands, _, _ := strings.Cut(string(text), "\n-- ")
		for line := range strings.Lines(commands) {
			if !matching.MatchString(line) {
				continue
			}
			expanded := literal.ReplaceAllString(line, "''")
			if bare.MatchString(expanded) {
				t.Errorf("%s: a variable in a pattern is not quoted: %s", name, line)
			}
			quoted += strings.Count(expanded, "@R}")
		}
	}
	if quoted < 75 {
		t.Errorf("only %d variables in patterns", quoted)
	}
}
