package hsm

import (
	"errors"
	"testing"

	"github.com/trent-kms/trent/internal/hsm/root"
)

func TestResealedDomainKeysOpenUnderTheOtherRoot(t *testing.T) {
	from, to := root.New(), root.New()
	domain, err := Create(t.Context(), from, testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Open(t.Context(), Config{Root: from, Deployment: testDeployment, Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	k := generate(t, first, testBinding())
	ciphertext := encrypt(t, first, k, nil, "secret")

	resealed, err := Reseal(t.Context(), from, to, testDeployment, domain)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(t.Context(), Config{Root: to, Deployment: testDeployment, Domain: resealed})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.Decrypt(t.Context(), k, nil, ciphertext); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Open(t.Context(), Config{Root: from, Deployment: testDeployment, Domain: resealed}); !errors.Is(err, ErrRoot) {
		t.Errorf("under the old root the new blob gives %v", err)
	}
}

func TestResealRefusesWhatOpenRefuses(t *testing.T) {
	from, to := root.New(), root.New()
	domain, err := Create(t.Context(), from, testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	noKeys, err := sealDomain(t.Context(), from, testDeployment, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		from, to   root.Root
		deployment string
		domain     []byte
		want       error
	}{
		"another root":       {to, from, testDeployment, domain, ErrRoot},
		"another deployment": {from, to, "another", domain, ErrWrapped},
		"damaged":            {from, to, testDeployment, domain[:len(domain)-1], ErrWrapped},
		"no domain keys":     {from, to, testDeployment, noKeys, ErrWrapped},
		"no root":            {from, nil, testDeployment, domain, ErrInput},
		"no deployment":      {from, to, "", domain, ErrInput},
	} {
		if got, err := Reseal(t.Context(), tt.from, tt.to, tt.deployment, tt.domain); !errors.Is(err, tt.want) || got != nil {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, tt.want)
		}
	}
}
