package hsm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/trent-kms/trent/internal/hsm/root"
)

// golden is testdata/golden-1.json: a deployment with all its secrets, made on 2026-11-22 with the first formats. Every
// future version opens it. Binary values are in hex.
type golden struct {
	Root        string             `json:"root"`
	Deployment  string             `json:"deployment"`
	Domain      string             `json:"domain"`
	DomainKeys  map[string]string  `json:"domain_keys"` // in the clear, for other implementations of docs/formats.md
	Keys        []goldenKey        `json:"keys"`
	Ciphertexts []goldenCiphertext `json:"ciphertexts"`
	Secrets     []goldenSecret     `json:"secrets"`
}

type goldenKey struct {
	Account    string `json:"account"`
	Scope      string `json:"scope"`
	KeyID      string `json:"key_id"`
	MaterialID string `json:"material_id"`
	Material   string `json:"material"`
	Wrapped    string `json:"wrapped"`
}

type goldenCiphertext struct {
	Key        int               `json:"key"` // index in Keys
	Context    map[string]string `json:"context"`
	Plaintext  string            `json:"plaintext"`
	Ciphertext string            `json:"ciphertext"`
}

type goldenSecret struct {
	Purpose string `json:"purpose"`
	Secret  string `json:"secret"`
	Sealed  string `json:"sealed"`
}

func (k goldenKey) key(t testing.TB) Key {
	return Key{Binding: Binding{Account: k.Account, Scope: k.Scope, KeyID: k.KeyID, MaterialID: k.MaterialID}, Wrapped: unhex(t, k.Wrapped)}
}

func readGolden(t testing.TB) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden-1.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Keys) != 3 || len(g.Ciphertexts) != 13 || len(g.Secrets) != 2 {
		t.Fatalf("%d keys, %d ciphertexts, %d secrets", len(g.Keys), len(g.Ciphertexts), len(g.Secrets))
	}
	return g
}

// open returns the HSM of the golden deployment.
func (g golden) open(t testing.TB) *HSM {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(path, []byte(g.Root), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := root.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(t.Context(), Config{Root: r, Deployment: g.Deployment, Domain: unhex(t, g.Domain)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenCiphertextsDecryptForEver(t *testing.T) {
	g := readGolden(t)
	h := g.open(t)
	for i, c := range g.Ciphertexts {
		k, ciphertext := g.Keys[c.Key].key(t), unhex(t, c.Ciphertext)
		header, err := ParseHeader(ciphertext)
		if want := (Header{k.Account, k.KeyID, k.MaterialID}); err != nil || header != want {
			t.Errorf("%d: header %+v, %v; want %+v", i, header, err, want)
		}
		got, err := h.Decrypt(t.Context(), k, c.Context, ciphertext)
		if want := unhex(t, c.Plaintext); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d: got %x, %v; want %x", i, got, err, want)
		}
	}
}

func TestGoldenSecretsUnsealForEver(t *testing.T) {
	g := readGolden(t)
	h := g.open(t)
	for _, s := range g.Secrets {
		got, err := h.Unseal(t.Context(), s.Purpose, unhex(t, s.Sealed))
		if want := unhex(t, s.Secret); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, %v; want %x", s.Purpose, got, err, want)
		}
	}
}

func TestGoldenMaterialIDsStay(t *testing.T) {
	for _, k := range readGolden(t).Keys {
		id, ok := parseKeyID(k.KeyID)
		if got := materialID(id, (*[32]byte)(unhex(t, k.Material))); !ok || got != k.MaterialID {
			t.Errorf("%s: got %s, want %s", k.KeyID, got, k.MaterialID)
		}
	}
}
