package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

const testLabel = "test/1"

func testKey() *Key {
	var secret [KeySize]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	return NewKey(&secret)
}

// The answers are OpenSSL 3.0.19's: openssl kdf -keylen 32 -kdfopt mac:HMAC -kdfopt digest:SHA256 -kdfopt mode:COUNTER
// -kdfopt hexkey:000102… -kdfopt salt:<label> -kdfopt hexinfo:<context> KBKDF
func TestDeriveAgreesWithOpenSSL(t *testing.T) {
	k := testKey()
	for _, c := range []struct{ label, context, want string }{
		{"trent/ciphertext/1", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "b4436f8134999bf1660f44395a18203f421281997e3a4098a5354823cf612e7d"},
		{"trent/root-key-id/1", "", "e35d148243493508c9da21186354926c6d5d2fd780f5e48f48a66304fea57ba6"},
	} {
		context, err := hex.DecodeString(c.context)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // the first makes the PRF, the others reuse it
			if got := fmt.Sprintf("%x", k.Derive(c.label, context)); got != c.want {
				t.Errorf("label %s, context %s: got %s, want %s", c.label, c.context, got, c.want)
			}
		}
	}
}

func TestOpenReturnsWhatSealTook(t *testing.T) {
	k := testKey()
	for _, size := range []int{0, 1, 15, 16, 17, 4096, 100_000} {
		plaintext := bytes.Repeat([]byte{0xa5}, size)
		blob := k.Seal(testLabel, []byte("prefix"), []byte("bound"), plaintext)
		if want := len("prefix") + Overhead + size; len(blob) != want {
			t.Errorf("%d bytes: blob of %d bytes, want %d", size, len(blob), want)
		}
		if !bytes.HasPrefix(blob, []byte("prefix")) {
			t.Errorf("%d bytes: the blob does not begin with its prefix", size)
		}
		got, err := k.Open(testLabel, len("prefix"), []byte("bound"), blob)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%d bytes: got %x, %v", size, got, err)
		}
	}
}

func TestOpenRefusesEverythingElse(t *testing.T) {
	k := testKey()
	blob := k.Seal(testLabel, []byte("prefix"), []byte("bound"), []byte("plaintext"))
	refuse := func(name string, k *Key, label string, n int, bound string, blob []byte) {
		t.Helper()
		if got, err := k.Open(label, n, []byte(bound), blob); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: got %q, %v; want ErrOpen", name, got, err)
		}
	}
	refuse("another key", NewKey(new([KeySize]byte)), testLabel, 6, "bound", blob)
	refuse("another label", k, "test/2", 6, "bound", blob)
	refuse("bound to something else", k, testLabel, 6, "bounD", blob)
	refuse("bound to nothing", k, testLabel, 6, "", blob)
	refuse("bound shorter", k, testLabel, 6, "boun", blob)
	refuse("another length of prefix", k, testLabel, 5, "bound", blob)
	refuse("a byte appended", k, testLabel, 6, "bound", append(slices.Clone(blob), 0))
	for n := range blob {
		refuse(fmt.Sprint("cut to ", n), k, testLabel, 6, "bound", blob[:n])
	}
	for i := range len(blob) * 8 {
		flipped := slices.Clone(blob)
		flipped[i/8] ^= 1 << (i % 8)
		refuse(fmt.Sprint("bit ", i), k, testLabel, 6, "bound", flipped)
	}
}

func TestEveryMessageHasItsOwnSaltAndNonce(t *testing.T) {
	k := testKey()
	const n = 1000
	salts, nonces := map[string]bool{}, map[string]bool{}
	for range n {
		blob := k.Seal(testLabel, nil, nil, nil)
		salts[string(blob[:SaltSize])] = true
		nonces[string(blob[SaltSize:][:nonceSize])] = true
	}
	if len(salts) != n || len(nonces) != n {
		t.Errorf("%d salts and %d nonces in %d messages", len(salts), len(nonces), n)
	}
}

func TestNewKeyKeepsACopy(t *testing.T) {
	secret := [KeySize]byte{1}
	k := NewKey(&secret)
	clear(secret[:])
	if k.Derive(testLabel, nil) != NewKey(&[KeySize]byte{1}).Derive(testLabel, nil) {
		t.Error("clearing the caller's secret changed the key")
	}
}

func TestKeyIsSafeForConcurrentUse(t *testing.T) {
	k := testKey()
	want := k.Derive(testLabel, []byte("context"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got := k.Derive(testLabel, []byte("context")); got != want {
					t.Errorf("got %x, want %x", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestKeyDoesNotPrintItsSecret(t *testing.T) {
	secret := [KeySize]byte([]byte("0123456789abcdefghijklmnopqrstuv"))
	k := NewKey(&secret)
	k.Derive(testLabel, nil) // so that there is a PRF to print too
	for _, v := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, out := range []string{fmt.Sprintf(v, k), fmt.Sprintf(v, struct{ k *Key }{k})} {
			for _, leak := range []string{"0123456789", "30313233", "48 49 50", "0x30, 0x31"} {
				if strings.Contains(out, leak) {
					t.Errorf("%s prints %q", v, out)
				}
			}
		}
	}
}
