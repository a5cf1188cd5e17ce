// Package python runs the tests of kms_test.py and iam_test.py: the built server through boto3.
package python

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trent-kms/trent/test/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// interpreter is the system's own Python, for which Debian has boto3 as a package.
const interpreter = "/usr/bin/python3"

// TestBoto3 runs each file, and counts its tests.
func TestBoto3(t *testing.T) {
	if _, err := os.Stat(interpreter); err != nil {
		t.Fatalf("%v: apt-get install python3-boto3", err)
	}
	for file, least := range map[string]int{"kms_test.py": 19, "iam_test.py": 7} {
		t.Run(file, func(t *testing.T) { runFile(t, file, least) })
	}
}

func runFile(t *testing.T, file string, least int) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, interpreter, "-B", file, "-v")
	c.Env = append(harness.Environ(), "TRENT_TEST_BINARY="+harness.Binary(), "TRENT_TEST_BUILT="+strings.Join(harness.Built(), " "))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ran := regexp.MustCompile(`(?m)^Ran (\d+) tests`).FindSubmatch(out)
	if ran == nil {
		t.Fatalf("no tests were counted:\n%s", out)
	}
	if n, err := strconv.Atoi(string(ran[1])); err != nil || n < least || !regexp.MustCompile(`(?m)^OK$`).Match(out) {
		t.Fatalf("only %d tests ran, or some were left out:\n%s", n, out)
	}
	t.Logf("%s tests", ran[1])
}
