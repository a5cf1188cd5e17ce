package hsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// use reports what the HSM says when k is used.
func use(t testing.TB, h *HSM, k Key) error {
	t.Helper()
	got, err := h.Encrypt(t.Context(), k, nil, nil)
	if err != nil && got != nil {
		t.Errorf("ciphertext %x and error %v", got, err)
	}
	return err
}

func TestMaterialMovedToAnotherRecordDoesNotOpen(t *testing.T) {
	h, k := newTestKey(t)
	other := generate(t, h, testBinding())
	if err := use(t, h, k); err != nil { // now its rightful owner has it in the cache
		t.Fatal(err)
	}
	for name, move := range map[string]func(*Key){
		"account":      func(k *Key) { k.Account = "444455556666" },
		"Region":       func(k *Key) { k.Scope = "us-east-1" },
		"every Region": func(k *Key) { k.Scope = "*" },
		"no Region":    func(k *Key) { k.Scope = "" },
		"key":          func(k *Key) { k.KeyID = "1234abcd-12ab-34cd-56ef-1234567890ac" },
		"kind of key":  func(k *Key) { k.KeyID = testMRK },
		"material":     func(k *Key) { k.MaterialID = other.MaterialID },
		"blob":         func(k *Key) { k.Wrapped = other.Wrapped },
	} {
		moved := k.clone()
		move(&moved)
		for range 2 { // the first refusal must not help the second try
			if err := use(t, h, moved); err != ErrWrapped {
				t.Errorf("other %s: got %v, want ErrWrapped", name, err)
			}
		}
	}
	for name, b := range brokenBindings() {
		if err := use(t, h, Key{Binding: b, Wrapped: k.Wrapped}); !errors.Is(err, ErrInput) {
			t.Errorf("%s: got %v, want ErrInput", name, err)
		}
	}
	if err := use(t, h, k); err != nil {
		t.Errorf("in its place: %v", err)
	}
}

func TestEveryChangedBitOfWrappedMaterialIsNoticed(t *testing.T) {
	h, k := newTestKey(t)
	if err := use(t, h, k); err != nil {
		t.Fatal(err)
	}
	if len(k.Wrapped) != 82 {
		t.Errorf("wrapped material of %d bytes, want 82", len(k.Wrapped))
	}
	for i := range len(k.Wrapped) * 8 {
		flipped := k.clone()
		flipped.Wrapped[i/8] ^= 1 << (i % 8)
		if err := use(t, h, flipped); !errors.Is(err, ErrWrapped) {
			t.Errorf("bit %d: got %v, want ErrWrapped", i, err)
		}
	}
	for n := range k.Wrapped {
		short := k
		short.Wrapped = k.Wrapped[:n]
		if err := use(t, h, short); err != ErrWrapped {
			t.Errorf("cut to %d bytes: got %v, want ErrWrapped", n, err)
		}
	}
	long := k
	long.Wrapped = append(slices.Clone(k.Wrapped), 0)
	if err := use(t, h, long); err != ErrWrapped {
		t.Errorf("byte appended: got %v, want ErrWrapped", err)
	}
}

func TestWrappedErrorsSayWhatOperatorsNeed(t *testing.T) {
	h, k := newTestKey(t)
	k.Wrapped[0] = 3
	err := use(t, h, k)
	if !errors.Is(err, ErrWrapped) || !errors.Is(err, ErrUnknownVersion) || !strings.Contains(err.Error(), "format 3, this program reads format 1") {
		t.Errorf("newer format: got %v", err)
	}
	k.Wrapped[0], k.Wrapped[5] = 1, 9
	err = use(t, h, k)
	if !errors.Is(err, ErrWrapped) || errors.Is(err, ErrUnknownVersion) || !strings.Contains(err.Error(), "no domain key of version 9") {
		t.Errorf("unknown domain key: got %v", err)
	}
}

func TestMaterialOfAnotherDeploymentDoesNotOpen(t *testing.T) {
	_, k := newTestKey(t)
	if err := use(t, newTestHSM(t), k); err != ErrWrapped {
		t.Errorf("got %v, want ErrWrapped", err)
	}
}

func TestMaterialOfAWrongLengthIsRefused(t *testing.T) {
	h := newTestHSM(t)
	for _, size := range []int{0, 16, 31, 33, 64} {
		b := testBinding()
		b.MaterialID = strings.Repeat("0a", 32)
		k := Key{Binding: b, Wrapped: h.domain.wrap(kindMaterial, b.bound(), make([]byte, size))}
		if err := use(t, h, k); err != ErrWrapped {
			t.Errorf("%d bytes: got %v, want ErrWrapped", size, err)
		}
	}
}

func TestSecretsOpenForTheirPurposeOnly(t *testing.T) {
	h, k := newTestKey(t)
	for _, secret := range []string{"", "s", strings.Repeat("s", 100_000)} {
		blob, err := h.Seal(t.Context(), "access-key/AKIA1", []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.Unseal(t.Context(), "access-key/AKIA1", blob); err != nil || string(got) != secret {
			t.Errorf("got %q, %v; want %q", got, err, secret)
		}
		for _, purpose := range []string{"", "access-key/AKIA2", "access-key/AKIA", "access-key/AKIA1 ", string(k.bound())} {
			if got, err := h.Unseal(t.Context(), purpose, blob); err != ErrWrapped || got != nil {
				t.Errorf("purpose %q: got %q, %v; want ErrWrapped", purpose, got, err)
			}
		}
	}
}

func TestSecretsAndMaterialDoNotOpenAsEachOther(t *testing.T) {
	h, k := newTestKey(t)
	asSecret := k.clone()
	for _, kind := range []kind{kindMaterial, kindSecret} {
		asSecret.Wrapped[1] = byte(kind)
		if got, err := h.Unseal(t.Context(), string(k.bound()), asSecret.Wrapped); err != ErrWrapped || got != nil {
			t.Errorf("material of kind %d opens as a secret: %x, %v", kind, got, err)
		}
	}
	blob, err := h.Seal(t.Context(), string(k.bound()), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []kind{kindMaterial, kindSecret} {
		blob[1] = byte(kind)
		if err := use(t, h, Key{Binding: k.Binding, Wrapped: blob}); err != ErrWrapped {
			t.Errorf("a secret of kind %d opens as material: %v", kind, err)
		}
	}
}

func TestEveryChangedBitOfASecretIsNoticed(t *testing.T) {
	h := newTestHSM(t)
	blob, err := h.Seal(t.Context(), "purpose", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(blob) * 8 {
		flipped := slices.Clone(blob)
		flipped[i/8] ^= 1 << (i % 8)
		if got, err := h.Unseal(t.Context(), "purpose", flipped); !errors.Is(err, ErrWrapped) || got != nil {
			t.Errorf("bit %d: got %q, %v; want ErrWrapped", i, got, err)
		}
	}
	for n := range blob {
		if got, err := h.Unseal(t.Context(), "purpose", blob[:n]); err != ErrWrapped || got != nil {
			t.Errorf("cut to %d bytes: got %q, %v; want ErrWrapped", n, got, err)
		}
	}
}

// FuzzWrapped: nothing but what the HSM made opens, as key material or as a secret.
func FuzzWrapped(f *testing.F) {
	g := readGolden(f)
	h := g.open(f)
	genuine := map[string]bool{}
	for _, k := range g.Keys {
		f.Add(unhex(f, k.Wrapped))
		genuine[k.Wrapped] = true
	}
	for _, s := range g.Secrets {
		f.Add(unhex(f, s.Sealed))
		genuine[s.Sealed] = true
	}
	f.Add([]byte{2})
	f.Add(make([]byte, 82))
	f.Fuzz(func(t *testing.T, blob []byte) {
		k := g.Keys[0].key(t)
		k.Wrapped = blob
		if err := use(t, h, k); err == nil && !genuine[fmt.Sprintf("%x", blob)] || err != nil && !errors.Is(err, ErrWrapped) {
			t.Errorf("%x: as material: %v", blob, err)
		}
		secret, err := h.Unseal(t.Context(), g.Secrets[0].Purpose, blob)
		if err == nil && !genuine[fmt.Sprintf("%x", blob)] || err != nil && (!errors.Is(err, ErrWrapped) || secret != nil) {
			t.Errorf("%x: as a secret: %x, %v", blob, secret, err)
		}
	})
}
