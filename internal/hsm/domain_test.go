package hsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/hsm/root"
)

// rows returns the domain keys of these versions; each is filled with its version.
func rows(versions ...uint32) []byte {
	var out []byte
	for _, v := range versions {
		out = binary.BigEndian.AppendUint32(out, v)
		out = append(out, bytes.Repeat([]byte{byte(v)}, 32)...)
	}
	return out
}

func openRows(t testing.TB, r root.Root, rows []byte) (*HSM, error) {
	t.Helper()
	blob, err := sealDomain(t.Context(), r, testDeployment, slices.Clone(rows))
	if err != nil {
		t.Fatal(err)
	}
	return Open(t.Context(), Config{Root: r, Deployment: testDeployment, Domain: blob})
}

func TestAReopenedDeploymentOpensItsKeys(t *testing.T) {
	r := root.New()
	domain, err := Create(t.Context(), r, testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Open(t.Context(), Config{Root: r, Deployment: testDeployment, Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	k := generate(t, first, testBinding())
	ciphertext := encrypt(t, first, k, nil, "secret")
	second, err := Open(t.Context(), Config{Root: r, Deployment: testDeployment, Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.Decrypt(t.Context(), k, nil, ciphertext); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEveryDeploymentHasItsOwnDomainKey(t *testing.T) {
	r := root.New()
	var keys []Key
	var hsms []*HSM
	for range 2 {
		domain, err := Create(t.Context(), r, testDeployment)
		if err != nil {
			t.Fatal(err)
		}
		h, err := Open(t.Context(), Config{Root: r, Deployment: testDeployment, Domain: domain})
		if err != nil {
			t.Fatal(err)
		}
		hsms, keys = append(hsms, h), append(keys, generate(t, h, testBinding()))
	}
	if err := use(t, hsms[0], keys[1]); err != ErrWrapped {
		t.Errorf("got %v, want ErrWrapped", err)
	}
}

func TestOldDomainKeysOpenAndTheLastOneWraps(t *testing.T) {
	r := root.New()
	before, err := openRows(t, r, rows(1))
	if err != nil {
		t.Fatal(err)
	}
	old := generate(t, before, testBinding())
	after, err := openRows(t, r, rows(1, 2, 4_000_000_000))
	if err != nil {
		t.Fatal(err)
	}
	if err := use(t, after, old); err != nil {
		t.Errorf("old material: %v", err)
	}
	new := generate(t, after, testBinding())
	if err := use(t, after, new); err != nil {
		t.Errorf("new material: %v", err)
	}
	if err := use(t, before, new); !errors.Is(err, ErrWrapped) || !strings.Contains(err.Error(), "4000000000") {
		t.Errorf("a node without the new domain key: got %v, want ErrWrapped", err)
	}
}

func TestOpenTellsAWrongRootFromDamage(t *testing.T) {
	r := root.New()
	domain, err := Create(t.Context(), r, testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Root: root.New(), Deployment: testDeployment, Domain: domain}); !errors.Is(err, ErrRoot) || errors.Is(err, ErrWrapped) {
		t.Errorf("another root: got %v, want ErrRoot", err)
	} else if !strings.Contains(err.Error(), r.ID()) {
		t.Errorf("another root: %v does not name the right one, %s", err, r.ID())
	}
	for i := range len(domain) * 8 {
		flipped := slices.Clone(domain)
		flipped[i/8] ^= 1 << (i % 8)
		h, err := Open(t.Context(), Config{Root: r, Deployment: testDeployment, Domain: flipped})
		if h != nil || !errors.Is(err, ErrWrapped) || errors.Is(err, ErrRoot) {
			t.Errorf("bit %d: got %v, want ErrWrapped", i, err)
		}
		if newer := flipped[0] > domainFormat; errors.Is(err, ErrUnknownVersion) != newer {
			t.Errorf("bit %d: ErrUnknownVersion is %v, want %v: %v", i, !newer, newer, err)
		}
	}
	for n := range domain {
		if _, err := Open(t.Context(), Config{Root: r, Deployment: testDeployment, Domain: domain[:n]}); !errors.Is(err, ErrWrapped) {
			t.Errorf("cut to %d bytes: got %v, want ErrWrapped", n, err)
		}
	}
}

func TestDomainKeysOpenForTheirDeploymentOnly(t *testing.T) {
	r := root.New()
	domain, err := Create(t.Context(), r, testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(testDeployment, "c0b7d6f4", "c0b7d6f5", 1)
	swapped, err := Create(t.Context(), r, other)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"another mode":              {Root: r, Domain: domain, Deployment: strings.Replace(testDeployment, "production", "dev", 1)},
		"another account":           {Root: r, Domain: domain, Deployment: strings.Replace(testDeployment, "/1111", "/2222", 1)},
		"another id":                {Root: r, Domain: domain, Deployment: other},
		"less":                      {Root: r, Domain: domain, Deployment: testDeployment[:len(testDeployment)-1]},
		"more":                      {Root: r, Domain: domain, Deployment: testDeployment + "/"},
		"another's domain keys":     {Root: r, Domain: swapped, Deployment: testDeployment},
		"this one's in the other's": {Root: r, Domain: domain, Deployment: other},
	} {
		h, err := Open(t.Context(), c)
		if h != nil || !errors.Is(err, ErrWrapped) || errors.Is(err, ErrRoot) || errors.Is(err, ErrUnknownVersion) {
			t.Errorf("%s: got %v, want ErrWrapped", name, err)
		} else if !strings.Contains(err.Error(), "the deployment record does not belong to these domain keys") {
			t.Errorf("%s: %q does not say so", name, err)
		}
	}
	c := Config{Root: root.New(), Domain: domain, Deployment: other}
	if _, err := Open(t.Context(), c); !errors.Is(err, ErrRoot) || errors.Is(err, ErrWrapped) {
		t.Errorf("another deployment and another root: got %v, want ErrRoot", err)
	}
}

func TestOpenRefusesDomainKeysThatNobodyWrites(t *testing.T) {
	r := root.New()
	for name, rows := range map[string][]byte{
		"none":       {},
		"version 0":  rows(0),
		"descending": rows(2, 1),
		"twice":      rows(1, 1),
		"half a row": rows(1, 2)[:50],
		"one byte":   {1},
	} {
		if h, err := openRows(t, r, rows); h != nil || !errors.Is(err, ErrWrapped) {
			t.Errorf("%s: got %v, want ErrWrapped", name, err)
		}
	}
}

func TestOpenChecksItsConfig(t *testing.T) {
	r := root.New()
	domain, err := Create(t.Context(), r, testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"no root":          {Deployment: testDeployment, Domain: domain},
		"no deployment":    {Root: r, Domain: domain},
		"no domain keys":   {Root: r, Deployment: testDeployment},
		"a negative cache": {Root: r, Domain: domain, CacheEntries: -1},
	} {
		if h, err := Open(t.Context(), c); h != nil || !errors.Is(err, ErrInput) {
			t.Errorf("%s: got %v, want ErrInput", name, err)
		}
	}
	if domain, err := Create(t.Context(), nil, testDeployment); domain != nil || !errors.Is(err, ErrInput) {
		t.Errorf("Create without a root: got %v, want ErrInput", err)
	}
	if domain, err := Create(t.Context(), r, ""); domain != nil || !errors.Is(err, ErrInput) {
		t.Errorf("Create without a deployment: got %v, want ErrInput", err)
	}
}

// deadRoot is a remote root that does not answer.
type deadRoot struct{ err error }

func (r deadRoot) Seal(context.Context, string, []byte) ([]byte, error)   { return nil, r.err }
func (r deadRoot) Unseal(context.Context, string, []byte) ([]byte, error) { return nil, r.err }

func TestARootThatDoesNotAnswerIsNotDamage(t *testing.T) {
	domain, err := Create(t.Context(), root.New(), testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	dead := deadRoot{errors.New("no answer")}
	if _, err := Open(t.Context(), Config{Root: dead, Deployment: testDeployment, Domain: domain}); !errors.Is(err, dead.err) || errors.Is(err, ErrWrapped) || errors.Is(err, ErrRoot) {
		t.Errorf("Open: got %v, want the root's error", err)
	}
	if domain, err := Create(t.Context(), dead, testDeployment); domain != nil || !errors.Is(err, dead.err) {
		t.Errorf("Create: got %x, %v; want the root's error", domain, err)
	}
}

func TestSealDomainClearsTheKeys(t *testing.T) {
	r := rows(1)
	if _, err := sealDomain(t.Context(), root.New(), testDeployment, r); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r, make([]byte, len(r))) {
		t.Error("the rows are still there")
	}
}
