package hsm

import (
	"bytes"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/hsm/keypair"
	"github.com/trent-kms/trent/internal/hsm/keywrap"
)

const importRegion = "eu-central-1"

// wrapFor wraps material for a public key of import parameters, as a client does.
func wrapFor(t testing.TB, spec, algorithm string, public, material []byte) []byte {
	t.Helper()
	key, err := keypair.ParsePublic(keypair.Spec(spec), public)
	if err != nil {
		t.Fatal(err)
	}
	hash, keyWrap := strings.CutPrefix(algorithm, "RSA_AES_KEY_WRAP_")
	if !keyWrap {
		return encryptFor(t, key, keypair.Algorithm(algorithm), material)
	}
	kek := make([]byte, 32)
	rand.Read(kek)
	return append(encryptFor(t, key, keypair.Algorithm("RSAES_OAEP_"+hash), kek), wrapUnder(t, kek, material)...)
}

func encryptFor(t testing.TB, key *keypair.Public, algorithm keypair.Algorithm, plaintext []byte) []byte {
	t.Helper()
	out, err := key.Encrypt(algorithm, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wrapUnder(t testing.TB, kek, material []byte) []byte {
	t.Helper()
	out, err := keywrap.Wrap(kek, material)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// importParameters asks for parameters at the time 0, for a day.
func importParameters(t testing.TB, h *HSM, b Binding, algorithm, spec string) (public, token []byte) {
	t.Helper()
	public, token, err := h.ImportParameters(t.Context(), b, importRegion, algorithm, spec, atHour(24))
	if err != nil {
		t.Fatal(err)
	}
	if len(token) > 3000 {
		t.Errorf("%s: a token of %d bytes", spec, len(token))
	}
	return public, token
}

func atHour(n float64) time.Time { return time.Unix(int64(n*3600), 0) }

func TestImportedMaterialIsThatOfTheKey(t *testing.T) {
	h := newTestHSM(t)
	secret := bytes.Repeat([]byte{7}, 32)
	ids := map[string]bool{}
	tried, served := 0, 0
	for _, spec := range []string{"RSA_2048", "RSA_3072", "RSA_4096", "SM2"} {
		for _, algorithm := range []string{
			"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "SM2PKE",
		} {
			if spec > "RSA_2048" && spec < "SM2" && algorithm != "RSA_AES_KEY_WRAP_SHA_256" {
				continue // slow to make, and the length alone is different
			}
			tried++
			public, token, err := h.ImportParameters(t.Context(), testBinding(), importRegion, algorithm, spec, atHour(24))
			fits := (spec == "SM2") == (algorithm == "SM2PKE")
			if fips140.Enforced() && (spec == "SM2" || strings.HasSuffix(algorithm, "SHA_1")) {
				if !errors.Is(err, ErrNotApproved) {
					t.Errorf("%s with %s in FIPS mode: %v", algorithm, spec, err)
				}
				continue
			}
			if !fits {
				if !errors.Is(err, ErrInput) || public != nil || token != nil {
					t.Errorf("%s with %s: %v", algorithm, spec, err)
				}
				continue
			}
			served++
			k, err := h.Import(t.Context(), testBinding(), importRegion, token, wrapFor(t, spec, algorithm, public, secret), atHour(23))
			if err != nil {
				t.Fatalf("%s with %s: %v", algorithm, spec, err)
			}
			ids[k.MaterialID] = true
			if err := use(t, h, k); err != nil {
				t.Errorf("%s with %s: %v", algorithm, spec, err)
			}
		}
	}
	t.Logf("%d pairs of algorithm and wrapping key, %d of them served", tried, served)
	if want := map[bool]int{false: 7, true: 4}[fips140.Enforced()]; tried != 12 || served != want {
		t.Errorf("tried %d, served %d, want 12 and %d", tried, served, want)
	}
	if len(ids) != 1 {
		t.Errorf("equal material has the ids %v", ids)
	}
}

func TestImportParametersRefuseWhatIsNoWrapping(t *testing.T) {
	h := newTestHSM(t)
	for _, c := range [][2]string{
		{"RSAES_OAEP_SHA_256", "ECC_NIST_P256"}, {"RSAES_OAEP_SHA_256", ""}, {"RSAES_PKCS1_V1_5", "RSA_2048"},
		{"RSAES_OAEP_SHA_512", "RSA_2048"}, {"RSA_AES_KEY_WRAP_", "RSA_2048"}, {"", "RSA_2048"},
	} {
		if _, _, err := h.ImportParameters(t.Context(), testBinding(), importRegion, c[0], c[1], atHour(24)); !errors.Is(err, ErrInput) {
			t.Errorf("%s with %s: got %v, want ErrInput", c[0], c[1], err)
		}
	}
	b := testBinding()
	b.KeyID = "no id"
	if _, _, err := h.ImportParameters(t.Context(), b, importRegion, "RSAES_OAEP_SHA_256", "RSA_2048", atHour(24)); !errors.Is(err, ErrInput) {
		t.Errorf("malformed binding: %v", err)
	}
}

func TestImportTokenIsForOneKeyAndADay(t *testing.T) {
	const algorithm, spec = "RSAES_OAEP_SHA_256", "RSA_2048"
	h := newTestHSM(t)
	public, token := importParameters(t, h, testBinding(), algorithm, spec)
	wrapped := wrapFor(t, spec, algorithm, public, make([]byte, 32))
	refused := func(what string, b Binding, region string, token []byte, hour float64, want error) {
		t.Helper()
		if k, err := h.Import(t.Context(), b, region, token, wrapped, atHour(hour)); !errors.Is(err, want) || k.Wrapped != nil {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	for range 2 { // a token may be used more than once
		if _, err := h.Import(t.Context(), testBinding(), importRegion, token, wrapped, atHour(23.999)); err != nil {
			t.Fatal(err)
		}
	}
	refused("on the hour", testBinding(), importRegion, token, 24, ErrTokenExpired)
	refused("later", testBinding(), importRegion, token, 1e5, ErrTokenExpired)
	for what, change := range map[string]func(*Binding){
		"another account":      func(b *Binding) { b.Account = "444455556666" },
		"another scope":        func(b *Binding) { b.Scope = "us-east-1" },
		"every Region":         func(b *Binding) { b.Scope = "*" },
		"another key":          func(b *Binding) { b.KeyID = "1234abcd-12ab-34cd-56ef-1234567890ac" },
		"another kind of key":  func(b *Binding) { b.Spec, b.Usage = "HMAC_256", "GENERATE_VERIFY_MAC" },
		"a multi-Region key":   func(b *Binding) { b.KeyID = testMRK },
		"named other material": func(b *Binding) { b.MaterialID = strings.Repeat("0", 64) },
	} {
		b := testBinding()
		change(&b)
		refused(what, b, importRegion, token, 1, ErrToken)
	}
	refused("a relative's", testBinding(), "us-east-1", token, 1, ErrToken)
	for i := range token {
		changed := bytes.Clone(token)
		changed[i] ^= 1 << (i % 8)
		refused(fmt.Sprintf("byte %d changed", i), testBinding(), importRegion, changed, 1, ErrToken)
	}
	refused("cut", testBinding(), importRegion, token[:len(token)-1], 1, ErrToken)
	refused("empty", testBinding(), importRegion, nil, 1, ErrToken)
	sealed, err := h.Seal(t.Context(), "session", token)
	if err != nil {
		t.Fatal(err)
	}
	refused("another sealed secret", testBinding(), importRegion, sealed, 1, ErrToken)
	if _, err := newTestHSM(t).Import(t.Context(), testBinding(), importRegion, token, wrapped, atHour(1)); !errors.Is(err, ErrToken) {
		t.Errorf("of another deployment: %v", err)
	}
}

func TestWhatDoesNotUnwrapIsOneError(t *testing.T) {
	h := newTestHSM(t)
	const direct, indirect = "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"
	material := make([]byte, 32)
	refused := func(what string, token, wrapped []byte, want error) {
		t.Helper()
		k, err := h.Import(t.Context(), testBinding(), importRegion, token, wrapped, atHour(1))
		if !errors.Is(err, want) || want == ErrCiphertext && err != ErrCiphertext || k.Wrapped != nil {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	public, token := importParameters(t, h, testBinding(), direct, "RSA_2048")
	wrapped := wrapFor(t, "RSA_2048", direct, public, material)
	for i := range wrapped {
		changed := bytes.Clone(wrapped)
		changed[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), token, changed, ErrCiphertext)
	}
	refused("one byte more", token, append(bytes.Clone(wrapped), 0), ErrCiphertext)
	refused("cut", token, wrapped[:255], ErrCiphertext)
	refused("empty", token, nil, ErrCiphertext)
	refused("by another algorithm", token, wrapFor(t, "RSA_2048", indirect, public, material), ErrCiphertext)
	refused("31 bytes", token, wrapFor(t, "RSA_2048", direct, public, material[:31]), ErrMaterial)
	refused("33 bytes", token, wrapFor(t, "RSA_2048", direct, public, make([]byte, 33)), ErrMaterial)

	public, token = importParameters(t, h, testBinding(), indirect, "RSA_2048")
	key, err := keypair.ParsePublic(keypair.RSA2048, public)
	if err != nil {
		t.Fatal(err)
	}
	wrapped = wrapFor(t, "RSA_2048", indirect, public, material)
	for i := range wrapped {
		changed := bytes.Clone(wrapped)
		changed[i] ^= 0x80
		refused(fmt.Sprintf("byte %d changed", i), token, changed, ErrCiphertext)
		refused(fmt.Sprintf("cut to %d bytes", i), token, wrapped[:i], ErrCiphertext)
	}
	for _, size := range []int{1, 16, 24, 31, 33} {
		kek := make([]byte, size)
		rest := wrapped[256:]
		if size == 16 || size == 24 {
			rest = wrapUnder(t, kek, material)
		}
		refused(fmt.Sprintf("an AES key of %d bytes", size), token, append(encryptFor(t, key, direct, kek), rest...), ErrCiphertext)
	}
	refused("by OAEP alone", token, encryptFor(t, key, direct, material), ErrCiphertext)
	refused("33 bytes", token, wrapFor(t, "RSA_2048", indirect, public, make([]byte, 33)), ErrMaterial)
}

// TestImportLeavesItsArgumentsAlone: a request whose record somebody else has changed is tried again with the same bytes.
func TestImportLeavesItsArgumentsAlone(t *testing.T) {
	h := newTestHSM(t)
	public, token := importParameters(t, h, testBinding(), "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048")
	wrapped := wrapFor(t, "RSA_2048", "RSA_AES_KEY_WRAP_SHA_256", public, make([]byte, 32))
	before := [2]string{string(token), string(wrapped)}
	first, err := h.Import(t.Context(), testBinding(), importRegion, token, wrapped, atHour(1))
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.Import(t.Context(), testBinding(), importRegion, token, wrapped, atHour(1))
	if err != nil || again.MaterialID != first.MaterialID || before != [2]string{string(token), string(wrapped)} {
		t.Errorf("the second time: %v, id %s, want %s", err, again.MaterialID, first.MaterialID)
	}
}

// FuzzImport: whatever a caller sends as token and material, it is refused by one of the errors that the API has.
func FuzzImport(f *testing.F) {
	h := newTestHSM(f)
	public, token := importParameters(f, h, testBinding(), "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048")
	wrapped := wrapFor(f, "RSA_2048", "RSA_AES_KEY_WRAP_SHA_256", public, make([]byte, 32))
	f.Add(token, wrapped)
	f.Add(token, wrapped[:256])
	f.Add(token[:20], wrapped)
	f.Fuzz(func(t *testing.T, token, wrapped []byte) {
		k, err := h.Import(t.Context(), testBinding(), importRegion, token, wrapped, atHour(1))
		switch {
		case err == nil && use(t, h, k) == nil:
		case k.Wrapped != nil:
			t.Errorf("material and %v", err)
		case !errors.Is(err, ErrToken) && !errors.Is(err, ErrCiphertext) && !errors.Is(err, ErrMaterial):
			t.Errorf("got %v", err)
		}
	})
}

// BenchmarkImport opens a token and material of 32 bytes. Making the parameters is making an RSA key.
func BenchmarkImport(b *testing.B) {
	h := newTestHSM(b)
	for _, spec := range []string{"RSA_2048", "RSA_4096"} {
		b.Run(spec, func(b *testing.B) {
			public, token := importParameters(b, h, testBinding(), "RSA_AES_KEY_WRAP_SHA_256", spec)
			wrapped := wrapFor(b, spec, "RSA_AES_KEY_WRAP_SHA_256", public, make([]byte, 32))
			for b.Loop() {
				if _, err := h.Import(b.Context(), testBinding(), importRegion, token, wrapped, atHour(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
