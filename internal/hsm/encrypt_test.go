package hsm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

func encrypt(t testing.TB, h *HSM, k Key, context map[string]string, plaintext string) []byte {
	t.Helper()
	ciphertext, err := h.Encrypt(t.Context(), k, context, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext
}

func TestDecryptReturnsWhatEncryptTook(t *testing.T) {
	h, k := newTestKey(t)
	for _, size := range []int{0, 1, 15, 16, 17, 32, 1024, MaxPlaintext} {
		plaintext := bytes.Repeat([]byte{0xa5}, size)
		for _, context := range lookalikes() {
			ciphertext, err := h.Encrypt(t.Context(), k, context, plaintext)
			if err != nil {
				t.Fatal(err)
			}
			if len(ciphertext) != size+CiphertextOverhead || len(ciphertext) > 6144 {
				t.Errorf("%d bytes: ciphertext of %d bytes", size, len(ciphertext))
			}
			got, err := h.Decrypt(t.Context(), k, context, ciphertext)
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%d bytes: got %x, %v", size, got, err)
			}
		}
	}
}

func TestDecryptWantsTheSameEncryptionContext(t *testing.T) {
	h, k := newTestKey(t)
	contexts := lookalikes()
	for i, made := range contexts {
		ciphertext := encrypt(t, h, k, made, "secret")
		for j, given := range contexts {
			got, err := h.Decrypt(t.Context(), k, given, ciphertext)
			if i == j && err != nil {
				t.Errorf("%q: %v", made, err)
			}
			if i != j && (!errors.Is(err, ErrCiphertext) || got != nil) {
				t.Errorf("made with %q, given %q: got %q, %v; want ErrCiphertext", made, given, got, err)
			}
		}
	}
}

func TestAbsentAndEmptyContextsAreTheSame(t *testing.T) {
	h, k := newTestKey(t)
	if _, err := h.Decrypt(t.Context(), k, map[string]string{}, encrypt(t, h, k, nil, "secret")); err != nil {
		t.Error(err)
	}
	if _, err := h.Decrypt(t.Context(), k, nil, encrypt(t, h, k, map[string]string{}, "secret")); err != nil {
		t.Error(err)
	}
}

func TestEveryChangedBitIsOneError(t *testing.T) {
	h, k := newTestKey(t)
	context := map[string]string{"tenant": "blue"}
	ciphertext := encrypt(t, h, k, context, "a secret of two blocks of AES, or so")
	ran := 0
	for i := range len(ciphertext) * 8 {
		flipped := slices.Clone(ciphertext)
		flipped[i/8] ^= 1 << (i % 8)
		if got, err := h.Decrypt(t.Context(), k, context, flipped); err != ErrCiphertext || got != nil {
			t.Errorf("bit %d: got %q, %v; want ErrCiphertext itself", i, got, err)
		}
		ran++
	}
	if ran != 8*(CiphertextOverhead+36) {
		t.Fatalf("%d bits tried", ran)
	}
}

func TestEveryChangedLengthIsOneError(t *testing.T) {
	h, k := newTestKey(t)
	ciphertext := encrypt(t, h, k, nil, "secret")
	wrong := [][]byte{nil, {}, append(slices.Clone(ciphertext), 0), append([]byte{ciphertextFormat}, ciphertext...), make([]byte, 1<<20)}
	for n := range ciphertext {
		wrong = append(wrong, ciphertext[:n], ciphertext[n+1:])
	}
	for _, c := range wrong {
		if got, err := h.Decrypt(t.Context(), k, nil, c); err != ErrCiphertext || got != nil {
			t.Errorf("%d bytes: got %q, %v; want ErrCiphertext itself", len(c), got, err)
		}
	}
}

func TestOneKeyCannotDecryptForAnother(t *testing.T) {
	h := newTestHSM(t)
	base := testBinding()
	otherAccount, otherKey, multiRegion := base, base, base
	otherAccount.Account = "444455556666"
	otherKey.KeyID = "1234abcd-12ab-34cd-56ef-1234567890ac"
	multiRegion.KeyID, multiRegion.Scope = testMRK, "*" // the same 128 bits
	// The same material everywhere, as imported material can be, so that only what names the key differs; and the first
	// key once more with other material, as after a rotation.
	material := [32]byte{1, 2, 3}
	var keys []Key
	for _, b := range []Binding{base, otherAccount, otherKey, multiRegion} {
		k, err := h.wrapMaterial(b, material[:])
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	keys = append(keys, generate(t, h, base))
	for i, made := range keys {
		ciphertext := encrypt(t, h, made, nil, "secret")
		for j, given := range keys {
			got, err := h.Decrypt(t.Context(), given, nil, ciphertext)
			if i == j && err != nil {
				t.Errorf("%+v: %v", made.Binding, err)
			}
			if i != j && (err != ErrCiphertext || got != nil) {
				t.Errorf("made by %+v, given %+v: got %q, %v; want ErrCiphertext", made.Binding, given.Binding, got, err)
			}
		}
		// The forger also rewrites the header to name the other key.
		for j, given := range keys {
			if i == j {
				continue
			}
			id, err := given.identity()
			if err != nil {
				t.Fatal(err)
			}
			forged := slices.Clone(ciphertext)
			copy(forged[1:], id[:])
			if got, err := h.Decrypt(t.Context(), given, nil, forged); err != ErrCiphertext || got != nil {
				t.Errorf("made by %+v, forged for %+v: got %q, %v; want ErrCiphertext", made.Binding, given.Binding, got, err)
			}
		}
	}
}

func TestReplicasOfAMultiRegionKeyDecryptForEachOther(t *testing.T) {
	h := newTestHSM(t)
	primary := generate(t, h, Binding{Account: testAccount, Scope: "*", KeyID: testMRK})
	replica := primary.clone() // its record in another Region has the same binding and blob
	if got, err := h.Decrypt(t.Context(), replica, nil, encrypt(t, h, primary, nil, "secret")); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEqualPlaintextsHaveUnequalCiphertexts(t *testing.T) {
	h, k := newTestKey(t)
	a, b := encrypt(t, h, k, nil, "secret"), encrypt(t, h, k, nil, "secret")
	if !bytes.Equal(a[:prefixSize], b[:prefixSize]) || bytes.Equal(a[prefixSize:][:16], b[prefixSize:][:16]) || bytes.Equal(a[prefixSize+28:], b[prefixSize+28:]) {
		t.Errorf("got %x and %x", a, b)
	}
}

func TestReEncryptChangesKeyAndContext(t *testing.T) {
	h, from := newTestKey(t)
	to := generate(t, h, Binding{Account: "444455556666", Scope: "*", KeyID: testMRK})
	old, new := map[string]string{"tenant": "blue"}, map[string]string{"tenant": "red"}
	ciphertext := encrypt(t, h, from, old, "secret")

	moved, err := h.ReEncrypt(t.Context(), Side{Key: from, Context: old}, ciphertext, Side{Key: to, Context: new})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.Decrypt(t.Context(), to, new, moved); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := h.ReEncrypt(t.Context(), Side{Key: from, Context: new}, ciphertext, Side{Key: to, Context: new}); err != ErrCiphertext || got != nil {
		t.Errorf("wrong source context: got %x, %v; want ErrCiphertext", got, err)
	}
	if got, err := h.ReEncrypt(t.Context(), Side{Key: to, Context: old}, ciphertext, Side{Key: from, Context: new}); err != ErrCiphertext || got != nil {
		t.Errorf("wrong source key: got %x, %v; want ErrCiphertext", got, err)
	}
	damaged := to.clone()
	damaged.Wrapped[40] ^= 1
	if got, err := h.ReEncrypt(t.Context(), Side{Key: from, Context: old}, ciphertext, Side{Key: damaged, Context: new}); !errors.Is(err, ErrWrapped) || got != nil {
		t.Errorf("damaged destination: got %x, %v; want ErrWrapped", got, err)
	}
	if got, err := h.ReEncrypt(t.Context(), Side{Key: damaged, Context: old}, ciphertext, Side{Key: from, Context: new}); !errors.Is(err, ErrWrapped) || got != nil {
		t.Errorf("damaged source: got %x, %v; want ErrWrapped", got, err)
	}
}

func TestPlaintextHasALimit(t *testing.T) {
	h, k := newTestKey(t)
	if got, err := h.Encrypt(t.Context(), k, nil, make([]byte, MaxPlaintext+1)); !errors.Is(err, ErrInput) || got != nil {
		t.Errorf("got %d bytes, %v; want ErrInput", len(got), err)
	}
}

func TestHSMIsSafeForConcurrentUse(t *testing.T) {
	h := newTestHSM(t)
	keys := []Key{generate(t, h, testBinding()), generate(t, h, testBinding()), generate(t, h, Binding{Account: testAccount, Scope: "*", KeyID: testMRK})}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				k, plaintext := keys[(i+j)%len(keys)], fmt.Sprint("secret ", i, j)
				ciphertext, err := h.Encrypt(t.Context(), k, nil, []byte(plaintext))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := h.Decrypt(t.Context(), k, nil, ciphertext); err != nil || string(got) != plaintext {
					t.Errorf("got %q, %v; want %q", got, err, plaintext)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestHotPathAllocatesLittle: what is left is the two cipher objects, the plaintext, the AAD and the context's form.
func TestHotPathAllocatesLittle(t *testing.T) {
	h, k := newTestKey(t)
	context := benchContext()
	ciphertext := encrypt(t, h, k, context, "secret")
	n := testing.AllocsPerRun(200, func() {
		if _, err := h.Decrypt(t.Context(), k, context, ciphertext); err != nil {
			t.Error(err)
		}
	})
	if n > 6 {
		t.Errorf("Decrypt allocates %v times", n)
	}
}

// FuzzDecrypt: nothing but the ciphertext itself decrypts, and no input is anything but ErrCiphertext.
func FuzzDecrypt(f *testing.F) {
	g := readGolden(f)
	h := g.open(f)
	k := g.Keys[0].key(f)
	genuine := map[string]bool{}
	for _, c := range g.Ciphertexts {
		b := unhex(f, c.Ciphertext)
		f.Add(b)
		f.Add(b[:len(b)/2])
		genuine[string(b)] = true
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, CiphertextOverhead))
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		plaintext, err := h.Decrypt(t.Context(), k, nil, ciphertext)
		if err == nil && !genuine[string(ciphertext)] {
			t.Errorf("%x decrypts to %x", ciphertext, plaintext)
		}
		if err != nil && (err != ErrCiphertext || plaintext != nil) {
			t.Errorf("%x: got %x, %v", ciphertext, plaintext, err)
		}
		header, err := ParseHeader(ciphertext)
		if err != nil {
			if err != ErrCiphertext || header != (Header{}) {
				t.Errorf("%x: header %+v, %v", ciphertext, header, err)
			}
			return
		}
		id, err := Binding{Account: header.Account, Scope: "*", KeyID: header.KeyID, MaterialID: header.MaterialID}.identity()
		if err != nil || !bytes.Equal(id[:], ciphertext[1:checksumAt]) {
			t.Errorf("%x: header %+v encodes to %x, %v", ciphertext, header, id, err)
		}
	})
}
