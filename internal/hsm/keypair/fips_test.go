package keypair

import (
	"crypto/fips140"
	"errors"
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
	if n := strings.Count(string(out), "--- PASS"); n < 150 {
		t.Fatalf("only %d tests ran:\n%s", n, out)
	}
}

func TestWhatIsNotApprovedIsRefused(t *testing.T) {
	if !fips140.Enforced() {
		return
	}
	n := 0
	for _, s := range Specs() {
		if abilities()[s].approved {
			continue
		}
		n++
		_, errGenerate := Generate(s)
		_, errParse := ParsePKCS8(s, nil)
		_, errSecret := ParseSecret(s, make([]byte, 64))
		_, errPublic := ParsePublic(s, nil)
		for _, err := range []error{errGenerate, errParse, errSecret, errPublic} {
			if !errors.Is(err, ErrNotApproved) {
				t.Errorf("%s: got %v", s, err)
			}
		}
	}
	if n != 6 {
		t.Errorf("%d specs", n)
	}
	for _, s := range []Spec{RSA2048, RSA3072, RSA4096} {
		_, err := key(t, s).Public().Encrypt(OAEPSHA1, message(16))
		_, err2 := key(t, s).Decrypt(OAEPSHA1, make([]byte, 256))
		if !errors.Is(err, ErrNotApproved) || !errors.Is(err2, ErrNotApproved) {
			t.Errorf("%s: got %v, %v", s, err, err2)
		}
	}
}
