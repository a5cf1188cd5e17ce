package seal

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPassesInFIPSMode runs all tests of this package again where Go refuses whatever its FIPS 140-3 module does not
// approve.
func TestPassesInFIPSMode(t *testing.T) {
	const enforced = "only approved algorithms may be used"
	if fips140.Enforced() {
		t.Log(enforced)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), enforced) {
		t.Fatalf("the mode was not on:\n%s", out)
	}
	if n := strings.Count(string(out), "\n--- PASS"); n < 8 {
		t.Fatalf("only %d tests ran:\n%s", n, out)
	}
}
