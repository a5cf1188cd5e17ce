package root

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/hsm/seal"
)

const purpose = "test/1"

func sealed(t *testing.T, r Root, secret string) []byte {
	t.Helper()
	blob, err := r.Seal(t.Context(), purpose, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestUnsealReturnsWhatSealTook(t *testing.T) {
	r := New()
	for _, secret := range []string{"", "s", strings.Repeat("s", 10_000)} {
		got, err := r.Unseal(t.Context(), purpose, sealed(t, r, secret))
		if err != nil || string(got) != secret {
			t.Errorf("got %q, %v; want %q", got, err, secret)
		}
	}
}

func TestUnsealTellsWhatIsWrong(t *testing.T) {
	r := New()
	blob := sealed(t, r, "secret")
	change := func(i int, b byte) []byte {
		c := slices.Clone(blob)
		c[i] = b
		return c
	}
	for _, c := range []struct {
		name    string
		root    *Key
		purpose string
		blob    []byte
		want    error
	}{
		{"another purpose", r, "test/2", blob, ErrSealed},
		{"another root", New(), purpose, blob, ErrOther},
		{"nothing", r, purpose, nil, ErrSealed},
		{"format 0", r, purpose, change(0, 0), ErrSealed},
		{"format 2", r, purpose, change(0, 2), ErrUnknownVersion},
		{"format 2, short", r, purpose, []byte{2}, ErrUnknownVersion},
		{"another root's id", r, purpose, change(1, ^blob[1]), ErrOther},
		{"last byte changed", r, purpose, change(len(blob)-1, ^blob[len(blob)-1]), ErrSealed},
		{"byte appended", r, purpose, append(slices.Clone(blob), 0), ErrSealed},
		{"cut", r, purpose, blob[:prefixSize+seal.Overhead-1], ErrSealed},
	} {
		got, err := c.root.Unseal(t.Context(), c.purpose, c.blob)
		if !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: got %q, %v; want %v", c.name, got, err, c.want)
		}
	}
}

func TestUnsealRefusesEveryChangedBit(t *testing.T) {
	r := New()
	blob := sealed(t, r, "secret")
	for i := range len(blob) * 8 {
		flipped := slices.Clone(blob)
		flipped[i/8] ^= 1 << (i % 8)
		if got, err := r.Unseal(t.Context(), purpose, flipped); err == nil || got != nil {
			t.Errorf("bit %d: got %q, %v", i, got, err)
		}
	}
}

func TestErrorsNameBothRootKeysAndVersions(t *testing.T) {
	r, other := New(), New()
	blob := sealed(t, r, "secret")
	_, err := other.Unseal(t.Context(), purpose, blob)
	if err == nil || !strings.Contains(err.Error(), r.ID()) || !strings.Contains(err.Error(), other.ID()) {
		t.Errorf("got %v, want the ids %s and %s", err, r.ID(), other.ID())
	}
	blob[0] = 9
	_, err = r.Unseal(t.Context(), purpose, blob)
	if err == nil || !strings.Contains(err.Error(), "format 9") || !strings.Contains(err.Error(), "format 1") {
		t.Errorf("got %v, want both formats", err)
	}
}

func TestEveryNewRootIsAnother(t *testing.T) {
	a, b := New(), New()
	if a.ID() == b.ID() || len(a.ID()) != 32 {
		t.Errorf("got ids %s and %s", a.ID(), b.ID())
	}
}

func TestRootDoesNotPrintItsKey(t *testing.T) {
	secret := [seal.KeySize]byte(bytes.Repeat([]byte{0xa7}, seal.KeySize))
	k := newKey(&secret)
	for _, v := range []any{k, *k, &File{k}, File{k}, struct{ f *File }{&File{k}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
			out := strings.ToLower(fmt.Sprintf(verb, v))
			for _, leak := range []string{"a7a7", "167 167", "0xa7, 0xa7", "\xa7\xa7"} {
				if strings.Contains(out, leak) {
					t.Errorf("%s of %T prints %q", verb, v, out)
				}
			}
		}
	}
}
