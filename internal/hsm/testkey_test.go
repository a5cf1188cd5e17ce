package hsm

import (
	"testing"

	"github.com/trent-kms/trent/internal/hsm/root"
)

const (
	testDeployment = "c0b7d6f4-6a0b-4a55-9d37-5f1f0c1c8a10/production/111122223333"
	testAccount    = "111122223333"
	testUUID       = "1234abcd-12ab-34cd-56ef-1234567890ab"
	testMRK        = "mrk-1234abcd12ab34cd56ef1234567890ab"
)

// testBinding is a single-Region key's; MaterialID is empty, as GenerateKey wants it.
func testBinding() Binding {
	return Binding{Account: testAccount, Scope: "eu-central-1", KeyID: testUUID}
}

// newTestHSM returns the HSM of a new deployment.
func newTestHSM(t testing.TB) *HSM {
	t.Helper()
	r := root.New()
	domain, err := Create(t.Context(), r, testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(t.Context(), Config{Root: r, Deployment: testDeployment, Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// generate returns new key material for b.
func generate(t testing.TB, h *HSM, b Binding) Key {
	t.Helper()
	k, err := h.GenerateKey(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newTestKey(t testing.TB) (*HSM, Key) {
	t.Helper()
	h := newTestHSM(t)
	return h, generate(t, h, testBinding())
}
