package hsm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/hsm/root"
)

// newSmallHSM returns an HSM that keeps few unwrapped keys.
func newSmallHSM(t testing.TB, entries int) *HSM {
	t.Helper()
	r := root.New()
	domain, err := Create(t.Context(), r, testDeployment)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(t.Context(), Config{Root: r, Deployment: testDeployment, Domain: domain, CacheEntries: entries})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestCacheStaysWithinItsBound(t *testing.T) {
	const entries = 50
	h := newSmallHSM(t, entries)
	for i := range 20 * entries {
		if err := use(t, h, generate(t, h, testBinding())); err != nil {
			t.Fatal(i, err)
		}
	}
	h.cache.entries.CleanUp() // eviction is not part of the write that makes it due
	if n := h.cache.entries.EstimatedSize(); n > entries {
		t.Errorf("%d entries, want at most %d", n, entries)
	}
}

func TestEvictedKeysOpenAgain(t *testing.T) {
	h := newSmallHSM(t, 1)
	keys, ciphertexts := make([]Key, 20), make([][]byte, 20)
	for i := range keys {
		keys[i] = generate(t, h, testBinding())
		ciphertexts[i] = encrypt(t, h, keys[i], nil, fmt.Sprint("secret ", i))
	}
	for i, k := range keys {
		if got, err := h.Decrypt(t.Context(), k, nil, ciphertexts[i]); err != nil || string(got) != fmt.Sprint("secret ", i) {
			t.Errorf("key %d: got %q, %v", i, got, err)
		}
	}
}

func TestASecondUseFindsTheUnwrappedKey(t *testing.T) {
	h, k := newTestKey(t)
	first, err := h.unwrap(k)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := h.unwrap(k.clone()); err != nil || second != first {
		t.Errorf("unwrapped again, %v", err)
	}
}

// TestTwoBlobsOfOneSalt: a store that gives a second record the salt of the first gains nothing by it.
func TestTwoBlobsOfOneSalt(t *testing.T) {
	h, k := newTestKey(t)
	if err := use(t, h, k); err != nil {
		t.Fatal(err)
	}
	other := generate(t, h, testBinding())
	copy(other.Wrapped[envelopePrefixSize:], k.Wrapped[envelopePrefixSize:][:16])
	if err := use(t, h, other); err != ErrWrapped {
		t.Errorf("got %v, want ErrWrapped", err)
	}
	if err := use(t, h, k); err != nil {
		t.Error(err)
	}
}

func TestCacheKeepsNothingOfTheCaller(t *testing.T) {
	h, k := newTestKey(t)
	ciphertext := encrypt(t, h, k, nil, "secret")
	again := k.clone()
	clear(k.Wrapped) // the caller's buffer is used for something else
	if got, err := h.Decrypt(t.Context(), again, nil, ciphertext); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := use(t, h, k); err != ErrWrapped {
		t.Errorf("the cleared blob: got %v, want ErrWrapped", err)
	}
}

func TestPlaintextAndCiphertextStayTheCallers(t *testing.T) {
	h, k := newTestKey(t)
	plaintext := []byte("secret")
	ciphertext, err := h.Encrypt(t.Context(), k, nil, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	if string(plaintext) != "secret" {
		t.Errorf("Encrypt changed the plaintext to %q", plaintext)
	}
	before := string(ciphertext)
	if _, err := h.Decrypt(t.Context(), k, nil, ciphertext); err != nil || string(ciphertext) != before {
		t.Errorf("Decrypt changed the ciphertext, %v", err)
	}
}

func TestHSMDoesNotPrintItsKeys(t *testing.T) {
	h := newTestHSM(t)
	material := [32]byte([]byte("0123456789abcdefghijklmnopqrstuv"))
	k, err := h.wrapMaterial(testBinding(), material[:])
	if err != nil {
		t.Fatal(err)
	}
	u, err := h.unwrap(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{h, *h, u, *u, k} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			out := fmt.Sprintf(verb, v)
			for _, leak := range []string{"0123456789ab", "303132333435", "48 49 50 51", "0x30, 0x31, 0x32"} {
				if strings.Contains(out, leak) {
					t.Errorf("%s of %T prints %q", verb, v, out)
				}
			}
		}
	}
}

func TestForget(t *testing.T) {
	h, k := newTestKey(t)
	if _, err := h.Encrypt(t.Context(), k, nil, nil); err != nil {
		t.Fatal(err)
	}
	salt, _ := envelopeSalt(k.Wrapped)
	if _, cached := h.cache.entries.GetIfPresent(salt); !cached {
		t.Fatal("the key is not cached")
	}
	h.Forget(k)
	h.Forget(Key{}) // of nothing
	if _, cached := h.cache.entries.GetIfPresent(salt); cached {
		t.Error("the key is still cached")
	}
	if _, err := h.Encrypt(t.Context(), k, nil, nil); err != nil {
		t.Errorf("a key that was forgotten by mistake: %v", err)
	}
}
