package hsm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
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

// golden2 is testdata/golden-2.json: keys of every other spec and usage in the deployment of golden-1.json, made on
// 2026-11-22 with the first formats of them. Every future version opens it. Binary values are in hex.
type golden2 struct {
	Keys []golden2Key `json:"keys"`
}

type golden2Key struct {
	Account    string `json:"account"`
	Scope      string `json:"scope"`
	KeyID      string `json:"key_id"`
	Spec       string `json:"spec"`
	Usage      string `json:"usage"`
	MaterialID string `json:"material_id"`
	Secret     string `json:"secret"` // what Wrapped holds: PKCS #8, a seed or the bytes of an HMAC key
	Wrapped    string `json:"wrapped"`
	PublicKey  string `json:"public_key,omitempty"` // what Public holds
	Public     string `json:"public,omitempty"`
	// Message and what the key makes of it, for HMAC keys and where signatures are deterministic.
	Message string `json:"message,omitempty"`
	Answer  string `json:"answer,omitempty"`
}

func (k golden2Key) key(t testing.TB) Key {
	return Key{
		Binding: Binding{Account: k.Account, Scope: k.Scope, KeyID: k.KeyID, MaterialID: k.MaterialID, Spec: k.Spec, Usage: k.Usage},
		Wrapped: unhex(t, k.Wrapped), Public: unhex(t, k.Public),
	}
}

// purpose is the key's, with an algorithm.
func (k golden2Key) purpose(t testing.TB) purpose {
	t.Helper()
	i := slices.IndexFunc(purposes(), func(p purpose) bool { return p.spec == k.Spec && p.usage == k.Usage })
	if i < 0 {
		t.Fatalf("no purpose %s/%s", k.Spec, k.Usage)
	}
	return purposes()[i]
}

func readGolden2(t testing.TB) (golden2, *HSM) {
	t.Helper()
	text, err := os.ReadFile("testdata/golden-2.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden2
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Keys) != len(purposes())+1 {
		t.Fatalf("%d keys", len(g.Keys))
	}
	return g, readGolden(t).open(t)
}

func TestGoldenKeysOfEverySpecWorkForEver(t *testing.T) {
	g, h := readGolden2(t)
	for _, k := range g.Keys {
		p := k.purpose(t)
		if got, err := h.PublicKey(t.Context(), k.key(t)); k.Public != "" && (err != nil || !bytes.Equal(got, unhex(t, k.PublicKey))) {
			t.Errorf("%s: public key %x, %v", p, got, err)
		}
		if !p.served() {
			if err := p.work(t, h, k.key(t)); !errors.Is(err, ErrNotApproved) {
				t.Errorf("%s: %v, want ErrNotApproved", p, err)
			}
			continue
		}
		if err := p.work(t, h, k.key(t)); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		u, err := h.unwrap(k.key(t))
		if err != nil {
			t.Fatal(p, err)
		}
		if u.pair == nil {
			code, err := h.GenerateMAC(t.Context(), k.key(t), unhex(t, k.Message))
			if err != nil || !bytes.Equal(code, unhex(t, k.Answer)) || !bytes.Equal(u.mac.Expose(), unhex(t, k.Secret)) {
				t.Errorf("%s: %x, %v", p, code, err)
			}
			continue
		}
		if !bytes.Equal(u.pair.Secret(), unhex(t, k.Secret)) || !bytes.Equal(u.pair.Public().SPKI(), unhex(t, k.PublicKey)) {
			t.Errorf("%s: another key", p)
		}
		if k.Answer != "" {
			if err := h.Verify(t.Context(), k.key(t), p.algorithm, "RAW", unhex(t, k.Message), unhex(t, k.Answer)); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
}

// TestGoldenMaterialIDsOfEverySpecStay derives them as docs/formats.md says.
func TestGoldenMaterialIDsOfEverySpecStay(t *testing.T) {
	g, _ := readGolden2(t)
	for _, k := range g.Keys {
		named := unhex(t, k.PublicKey)
		if len(named) == 0 {
			named = unhex(t, k.Secret)
		}
		id, ok := parseKeyID(k.KeyID)
		sum := sha256.Sum256(named)
		if got := materialID(id, &sum); !ok || got != k.MaterialID {
			t.Errorf("%s/%s: got %s, want %s", k.Spec, k.Usage, got, k.MaterialID)
		}
	}
}
