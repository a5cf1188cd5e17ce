package hsm

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestGenerateKeyMakesUsableMaterial(t *testing.T) {
	h := newTestHSM(t)
	for _, b := range []Binding{testBinding(), {Account: testAccount, Scope: "*", KeyID: testMRK}} {
		k := generate(t, h, b)
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(k.MaterialID) {
			t.Errorf("material id %q", k.MaterialID)
		}
		want := b
		want.MaterialID = k.MaterialID
		if k.Binding != want {
			t.Errorf("got binding %+v, want %+v", k.Binding, want)
		}
		if got, err := h.Decrypt(t.Context(), k, nil, encrypt(t, h, k, nil, "secret")); err != nil || string(got) != "secret" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestGenerateKeyMakesOtherMaterialEachTime(t *testing.T) {
	h := newTestHSM(t)
	ids := map[string]bool{}
	for range 100 {
		ids[generate(t, h, testBinding()).MaterialID] = true
	}
	if len(ids) != 100 {
		t.Errorf("%d ids of 100 keys", len(ids))
	}
}

func TestGenerateKeyRefusesMalformedBindings(t *testing.T) {
	h := newTestHSM(t)
	refuse := func(name string, b Binding) {
		t.Helper()
		if k, err := h.GenerateKey(t.Context(), b); !errors.Is(err, ErrInput) || k.Wrapped != nil {
			t.Errorf("%s: got %+v, %v; want ErrInput", name, k, err)
		}
	}
	for name, b := range brokenBindings() {
		if !strings.Contains(name, "material") {
			b.MaterialID = ""
			refuse(name, b)
		}
	}
	given := testBinding()
	given.MaterialID = strings.Repeat("0a", 32)
	refuse("material id given", given)
	noScope := testBinding()
	noScope.Scope = ""
	refuse("no scope", noScope)
}

func TestMaterialIDDependsOnMaterialAndKeyIDAlone(t *testing.T) {
	id := func(keyID string, material byte) string {
		kid, ok := parseKeyID(keyID)
		if !ok {
			t.Fatal(keyID)
		}
		return materialID(kid, &[32]byte{material})
	}
	if first, second := id(testUUID, 1), id(testUUID, 1); first != second {
		t.Error("equal material of one key has two ids")
	}
	if id(testUUID, 1) == id(testUUID, 2) {
		t.Error("other material has the same id")
	}
	if id(testUUID, 1) == id(testMRK, 1) {
		t.Error("equal material shows in the ids of two keys")
	}
}

func TestMaterialIsNotInWhatIsStored(t *testing.T) {
	h := newTestHSM(t)
	material := [32]byte([]byte("0123456789abcdefghijklmnopqrstuv"))
	k, err := h.wrapMaterial(testBinding(), material[:])
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(k.Wrapped, material[:4]) || bytes.Contains(unhex(t, k.MaterialID), material[:4]) {
		t.Error("stored in the clear")
	}
}

func TestDataKeysDecryptToTheirPlaintext(t *testing.T) {
	h, k := newTestKey(t)
	context := map[string]string{"tenant": "blue"}
	for _, size := range []int{1, 16, 32, MaxRandom} {
		plaintext, ciphertext, err := h.GenerateDataKey(t.Context(), k, context, size)
		if err != nil || len(plaintext) != size {
			t.Fatalf("%d bytes: got %d, %v", size, len(plaintext), err)
		}
		if got, err := h.Decrypt(t.Context(), k, context, ciphertext); err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%d bytes: got %x, %v; want %x", size, got, err, plaintext)
		}
		ciphertext, err = h.GenerateDataKeyWithoutPlaintext(t.Context(), k, context, size)
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Decrypt(t.Context(), k, context, ciphertext)
		if err != nil || len(got) != size || bytes.Equal(got, make([]byte, size)) && size > 1 {
			t.Errorf("%d bytes without plaintext: got %x, %v", size, got, err)
		}
	}
}

func TestSizesOfRandomHaveLimits(t *testing.T) {
	h, k := newTestKey(t)
	for _, size := range []int{-1, 0, MaxRandom + 1} {
		if got, err := h.Random(t.Context(), size); !errors.Is(err, ErrInput) || got != nil {
			t.Errorf("Random(%d): got %x, %v; want ErrInput", size, got, err)
		}
		if p, c, err := h.GenerateDataKey(t.Context(), k, nil, size); !errors.Is(err, ErrInput) || p != nil || c != nil {
			t.Errorf("GenerateDataKey(%d): got %x, %x, %v; want ErrInput", size, p, c, err)
		}
		if c, err := h.GenerateDataKeyWithoutPlaintext(t.Context(), k, nil, size); !errors.Is(err, ErrInput) || c != nil {
			t.Errorf("GenerateDataKeyWithoutPlaintext(%d): got %x, %v; want ErrInput", size, c, err)
		}
	}
	for _, size := range []int{1, MaxRandom} {
		if got, err := h.Random(t.Context(), size); err != nil || len(got) != size {
			t.Errorf("Random(%d): got %d bytes, %v", size, len(got), err)
		}
	}
	a, _ := h.Random(t.Context(), 32)
	b, _ := h.Random(t.Context(), 32)
	if bytes.Equal(a, b) {
		t.Error("Random repeats itself")
	}
}

func TestDataKeyOfADamagedKeyGivesNothing(t *testing.T) {
	h, k := newTestKey(t)
	k.Wrapped[len(k.Wrapped)-1] ^= 1
	if p, c, err := h.GenerateDataKey(t.Context(), k, nil, 32); !errors.Is(err, ErrWrapped) || p != nil || c != nil {
		t.Errorf("got %x, %x, %v; want ErrWrapped", p, c, err)
	}
	if c, err := h.GenerateDataKeyWithoutPlaintext(t.Context(), k, nil, 32); !errors.Is(err, ErrWrapped) || c != nil {
		t.Errorf("got %x, %v; want ErrWrapped", c, err)
	}
}
