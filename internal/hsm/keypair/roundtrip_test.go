package keypair

import (
	"bytes"
	"crypto/fips140"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEverySpecIsKnown(t *testing.T) {
	if len(Specs()) != 15 || len(abilities()) != 15 {
		t.Fatalf("%d specs", len(Specs()))
	}
	for _, s := range []Spec{"", "SYMMETRIC_DEFAULT", "HMAC_256", "rsa_2048"} {
		_, errGenerate := Generate(s)
		_, errParse := ParsePKCS8(s, nil)
		_, errSecret := ParseSecret(s, nil)
		_, errPublic := ParsePublic(s, nil)
		for _, err := range []error{errGenerate, errParse, errSecret, errPublic} {
			if !errors.Is(err, ErrInput) {
				t.Errorf("%q: got %v", s, err)
			}
		}
	}
}

func TestSecretRestoresTheKey(t *testing.T) {
	for _, s := range usable() {
		t.Run(string(s), func(t *testing.T) {
			k := key(t, s)
			secret := k.Secret()
			back, err := ParseSecret(s, secret)
			if err != nil {
				t.Fatal(err)
			}
			if back.Spec() != s || back.Public().Spec() != s {
				t.Errorf("spec %s, public %s", back.Spec(), back.Public().Spec())
			}
			if d := cmp.Diff(k.Public().SPKI(), back.Public().SPKI()); d != "" {
				t.Error(d)
			}
			if !bytes.Equal(secret, back.Secret()) {
				t.Error("another secret")
			}
			clear(secret)
			if bytes.Equal(secret, k.Secret()) {
				t.Error("Secret gives its own memory away")
			}
			clear(back.Public().SPKI())
			if !bytes.Equal(back.Public().SPKI(), k.Public().SPKI()) {
				t.Error("SPKI gives its own memory away")
			}
		})
	}
}

func TestSecretOfAnotherFormIsRefused(t *testing.T) {
	n := 0
	for _, s := range usable() {
		secret := key(t, s).Secret()
		bad := map[string][]byte{
			"nothing": nil, "a byte": {0}, "short": secret[:len(secret)-1], "long": append(bytes.Clone(secret), 0),
		}
		for _, other := range usable() {
			// Seeds have no name in them; their length is all there is.
			if other != s && len(key(t, other).Secret()) != len(secret) {
				bad[string(other)] = key(t, other).Secret()
			}
		}
		for name, b := range bad {
			n++
			if k, err := ParseSecret(s, b); !errors.Is(err, ErrKey) {
				t.Errorf("%s: %s gave %v, %v", s, name, k, err)
			}
		}
	}
	if n < 100 {
		t.Fatalf("only %d cases", n)
	}
}

func TestPKCS8CanBeImported(t *testing.T) {
	for _, s := range usable() {
		t.Run(string(s), func(t *testing.T) {
			k := key(t, s)
			der, err := k.PKCS8()
			if strings.HasPrefix(string(s), "ML_DSA") {
				if !errors.Is(err, ErrInput) {
					t.Fatalf("got %v", err)
				}
				der = k.Secret()
			} else if err != nil {
				t.Fatal(err)
			}
			back, err := ParsePKCS8(s, der)
			if !abilities()[s].importable {
				if !errors.Is(err, ErrKey) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(back.Secret(), k.Secret()) || !bytes.Equal(back.Public().SPKI(), k.Public().SPKI()) {
				t.Error("another key came back")
			}
		})
	}
}

func TestEncryption(t *testing.T) {
	limits := map[Spec]map[Algorithm]int{
		RSA2048: {OAEPSHA1: 214, OAEPSHA256: 190},
		RSA3072: {OAEPSHA1: 342, OAEPSHA256: 318},
		RSA4096: {OAEPSHA1: 470, OAEPSHA256: 446},
		SM2:     {SM2PKE: 1024},
	}
	for _, s := range usable() {
		for a, limit := range limits[s] {
			if !servedAlgorithm(a) {
				continue
			}
			t.Run(string(s)+"/"+string(a), func(t *testing.T) {
				k := key(t, s)
				for _, n := range []int{1, 16, limit} {
					ciphertext, err := k.Public().Encrypt(a, message(n))
					if err != nil {
						t.Fatal(err)
					}
					plaintext, err := k.Decrypt(a, ciphertext)
					if err != nil || !bytes.Equal(plaintext, message(n)) {
						t.Fatalf("%x, %v", plaintext, err)
					}
				}
				for _, n := range []int{0, limit + 1, 6144} {
					if _, err := k.Public().Encrypt(a, message(n)); !errors.Is(err, ErrInput) {
						t.Errorf("%d bytes: %v", n, err)
					}
				}
				ciphertext := must(k.Public().Encrypt(a, message(32)))
				refuseCiphertexts(t, k, a, ciphertext)
				if _, err := otherKey(t, s).Decrypt(a, ciphertext); !errors.Is(err, ErrCiphertext) {
					t.Errorf("another key: %v", err)
				}
			})
		}
	}
}

// refuseCiphertexts tries what is not quite a ciphertext that the key opens.
func refuseCiphertexts(t *testing.T, k *Private, a Algorithm, ciphertext []byte) {
	t.Helper()
	bad := map[string][]byte{
		"nothing": nil, "a byte": {0x30}, "short": ciphertext[:len(ciphertext)-1], "long": append(bytes.Clone(ciphertext), 0),
		"zero before": append([]byte{0}, ciphertext...), "zeros": make([]byte, len(ciphertext)),
		"ones": bytes.Repeat([]byte{0xff}, len(ciphertext)), "huge": make([]byte, 6144),
	}
	for i := 0; i < len(ciphertext); i += 1 + len(ciphertext)/50 {
		b := bytes.Clone(ciphertext)
		b[i] ^= 0x10
		bad[fmt.Sprint("bit of byte ", i)] = b
	}
	for name, b := range bad {
		if _, err := k.Decrypt(a, b); err != ErrCiphertext {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestShortSM2Plaintexts: once in 256 times the first key stream for a byte is all zeros.
func TestShortSM2Plaintexts(t *testing.T) {
	if !slices.Contains(usable(), SM2) {
		return
	}
	k := key(t, SM2)
	for range 3000 {
		ciphertext := must(k.Public().Encrypt(SM2PKE, []byte{'x'}))
		if p, err := k.Decrypt(SM2PKE, ciphertext); err != nil || string(p) != "x" {
			t.Fatalf("%q, %v", p, err)
		}
	}
}

func TestOAEPAlgorithmsDoNotMix(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	k := key(t, RSA2048)
	for a, b := range map[Algorithm]Algorithm{OAEPSHA1: OAEPSHA256, OAEPSHA256: OAEPSHA1} {
		if _, err := k.Decrypt(b, must(k.Public().Encrypt(a, message(16)))); !errors.Is(err, ErrCiphertext) {
			t.Errorf("%s opened as %s: %v", a, b, err)
		}
	}
}

func TestEncryptionRefusesWhatDoesNotFit(t *testing.T) {
	n := 0
	for _, s := range usable() {
		k := key(t, s)
		for _, a := range algorithms() {
			if slices.Contains(abilities()[s].encryption, a) {
				continue
			}
			n++
			if _, err := k.Public().Encrypt(a, message(16)); !errors.Is(err, ErrInput) {
				t.Errorf("%s %s: Encrypt gave %v", s, a, err)
			}
			if _, err := k.Decrypt(a, message(256)); !errors.Is(err, ErrInput) {
				t.Errorf("%s %s: Decrypt gave %v", s, a, err)
			}
		}
	}
	if n < 140 {
		t.Fatalf("only %d cases", n)
	}
}

func TestAgreement(t *testing.T) {
	sizes := map[Spec]int{P256: 32, P384: 48, P521: 66, SM2: 32}
	for _, s := range usable() {
		t.Run(string(s), func(t *testing.T) {
			mine, theirs := key(t, s), otherKey(t, s)
			secret, err := mine.Agree(theirs.Public().SPKI())
			if !abilities()[s].agree {
				if !errors.Is(err, ErrInput) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || len(secret) != sizes[s] {
				t.Fatalf("%d bytes, %v", len(secret), err)
			}
			if back := must(theirs.Agree(mine.Public().SPKI())); !bytes.Equal(secret, back) {
				t.Error("the two sides do not agree")
			}
			for _, other := range usable() {
				if other == s {
					continue
				}
				if _, err := mine.Agree(key(t, other).Public().SPKI()); !errors.Is(err, ErrPublicKey) {
					t.Errorf("a key of %s: %v", other, err)
				}
			}
		})
	}
}

func TestEncapsulation(t *testing.T) {
	sizes := map[Spec]int{MLKEM512: 768, MLKEM768: 1088, MLKEM1024: 1568}
	for _, s := range usable() {
		t.Run(string(s), func(t *testing.T) {
			k := key(t, s)
			secret, ciphertext, err := k.Public().Encapsulate()
			if !abilities()[s].kem {
				_, err2 := k.Decapsulate(make([]byte, 768))
				if !errors.Is(err, ErrInput) || !errors.Is(err2, ErrInput) {
					t.Errorf("got %v, %v", err, err2)
				}
				return
			}
			if err != nil || len(secret) != 32 || len(ciphertext) != sizes[s] {
				t.Fatalf("%d, %d bytes, %v", len(secret), len(ciphertext), err)
			}
			if back, err := k.Decapsulate(ciphertext); err != nil || !bytes.Equal(back, secret) {
				t.Fatalf("another secret, %v", err)
			}
			for _, n := range []int{0, 1, len(ciphertext) - 1, len(ciphertext) + 1, 6144} {
				if _, err := k.Decapsulate(make([]byte, n)); err != ErrCiphertext {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
			implicitRejection(t, k, secret, ciphertext)
		})
	}
}

// implicitRejection: a wrong ciphertext gives a secret all the same, always the same one, another for each key.
func implicitRejection(t *testing.T, k *Private, secret, ciphertext []byte) {
	t.Helper()
	bad := bytes.Clone(ciphertext)
	bad[7] ^= 4
	wrong, err := k.Decapsulate(bad)
	if err != nil || len(wrong) != 32 || bytes.Equal(wrong, secret) {
		t.Errorf("%x, %v", wrong, err)
	}
	if again := must(k.Decapsulate(bad)); !bytes.Equal(again, wrong) {
		t.Error("the rejection is not deterministic")
	}
	if other := must(otherKey(t, k.Spec()).Decapsulate(bad)); bytes.Equal(other, wrong) {
		t.Error("the rejection does not depend on the key")
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	for _, s := range usable() {
		k := key(t, s)
		secret := k.Secret()
		tail := secret[len(secret)-16:]
		if strings.HasPrefix(string(s), "ECC") || s == SM2 {
			tail = secret[len(secret)/3:][:8]
		}
		forms := []string{hex.EncodeToString(tail), strings.Trim(fmt.Sprint(tail), "[]"), strings.ToUpper(hex.EncodeToString(tail))}
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%d"} {
			for _, v := range []any{k, *k, &k, []*Private{k}, struct{ k Private }{*k}} {
				out := fmt.Sprintf(verb, v)
				for _, f := range forms {
					if strings.Contains(out, f) {
						t.Errorf("%s: %s shows the secret", s, verb)
					}
				}
				if len(out) > 1<<14 {
					t.Errorf("%s: %s prints %d characters", s, verb, len(out))
				}
			}
		}
	}
}

// TestConcurrentUse is for the race detector: everything that is made at the first use is used at once.
func TestConcurrentUse(t *testing.T) {
	for _, s := range usable() {
		t.Run(string(s), func(t *testing.T) {
			k := must(ParseSecret(s, key(t, s).Secret()))
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if err := useAll(k); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		})
	}
}

func useAll(k *Private) error {
	can := abilities()[k.Spec()]
	for _, a := range can.signing {
		for mt, n := range lengths(a) {
			signature, err := k.Sign(a, mt, message(n))
			if err != nil {
				return err
			}
			if err := k.Public().Verify(a, mt, message(n), signature); err != nil {
				return err
			}
		}
	}
	for _, a := range can.encryption {
		if !servedAlgorithm(a) {
			continue
		}
		ciphertext, err := k.Public().Encrypt(a, message(16))
		if err != nil {
			return err
		}
		if _, err := k.Decrypt(a, ciphertext); err != nil {
			return err
		}
	}
	if can.agree {
		if _, err := k.Agree(k.Public().SPKI()); err != nil {
			return err
		}
	}
	if can.kem {
		_, ciphertext, err := k.Public().Encapsulate()
		if err != nil {
			return err
		}
		if _, err := k.Decapsulate(ciphertext); err != nil {
			return err
		}
	}
	if !bytes.Equal(k.Secret(), k.Secret()) {
		return errors.New("two secrets")
	}
	return nil
}
