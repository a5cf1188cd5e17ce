package keywrap_test

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/trent-kms/trent/internal/hsm/keywrap"
)

// holds tests one vector both ways. A vector that must fail has no key.
func holds(t *testing.T, name string, kek, key, wrapped []byte) {
	t.Helper()
	got, err := keywrap.Unwrap(kek, wrapped)
	if key == nil {
		if !errors.Is(err, keywrap.ErrUnwrap) || got != nil {
			t.Errorf("%s: unwrapped to %x, %v", name, got, err)
		}
		return
	}
	if err != nil || !bytes.Equal(got, key) {
		t.Errorf("%s: unwrapped to %x, %v, want %x", name, got, err, key)
	}
	if got, err := keywrap.Wrap(kek, key); err != nil || !bytes.Equal(got, wrapped) {
		t.Errorf("%s: wrapped to %x, %v, want %x", name, got, err, wrapped)
	}
}

func TestRFC5649(t *testing.T) {
	kek := unhex(t, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
	holds(t, "20 octets", kek, unhex(t, "c37b7e6492584340bed12207808941155068f738"),
		unhex(t, "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"))
	holds(t, "7 octets", kek, unhex(t, "466f7250617369"), unhex(t, "afbeb0f07dfbf5419200f2ccb50bb24f"))
}

func TestNIST(t *testing.T) {
	for file, failing := range map[string]int{"KWP_AE_256.txt": 0, "KWP_AD_256.txt": 81} {
		ran, failed := 0, 0
		for _, text := range strings.Split(read(t, file), "COUNT = ")[1:] {
			vector := map[string][]byte{}
			for line := range strings.Lines(text) {
				if name, value, ok := strings.Cut(line, " = "); ok && line[0] != '[' {
					vector[name] = unhex(t, strings.TrimSpace(value))
				}
			}
			if vector["P"] == nil {
				failed++
			}
			ran++
			holds(t, file+" "+text, vector["K"], vector["P"], vector["C"])
		}
		if ran != 405 || failed != failing {
			t.Errorf("%s: %d vectors ran, %d of them failing", file, ran, failed)
		}
	}
}

func TestWycheproof(t *testing.T) {
	var file struct {
		TestGroups []struct {
			Tests []struct {
				TcId                          int
				Comment, Key, Msg, Ct, Result string
			}
		}
	}
	text, err := fs.ReadFile(wycheproof.TestVectors, "aes_kwp_test.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for _, g := range file.TestGroups {
		for _, v := range g.Tests {
			ran[v.Result]++
			key := unhex(t, v.Msg)
			if v.Result == "invalid" {
				key = nil
			}
			holds(t, fmt.Sprintf("%d %s", v.TcId, v.Comment), unhex(t, v.Key), key, unhex(t, v.Ct))
		}
	}
	if ran["valid"] != 77 || ran["invalid"] != 177 {
		t.Errorf("ran %v", ran)
	}
}

// TestOpenSSL has the program that users wrap with as a second implementation.
func TestOpenSSL(t *testing.T) {
	kek := bytes.Repeat([]byte{0x1f, 0xa3}, 16)
	for size := 1; size <= 4096; size = max(size+1, size*5/4) {
		key := bytes.Repeat([]byte{byte(size), 0, 0x7e}, size)[:size]
		cmd := exec.CommandContext(t.Context(), "openssl", "enc", "-id-aes256-wrap-pad", "-K", hex.EncodeToString(kek), "-iv", "A65959A6")
		cmd.Stdin = bytes.NewReader(key)
		wrapped, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		holds(t, fmt.Sprintf("%d bytes", size), kek, key, wrapped)
	}
}

// TestEveryCheckCounts seals heads and paddings that are wrong in one thing each.
func TestEveryCheckCounts(t *testing.T) {
	kek := make([]byte, 32)
	block, err := aes.NewCipher(kek)
	if err != nil {
		t.Fatal(err)
	}
	one := func(head uint32, length uint32, body string) []byte { // one AES block: no passes to undo
		out := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, head), length)
		out = append(out, body...)
		block.Encrypt(out, out)
		return out
	}
	const right = 0xa65959a6
	for length := range uint32(20) {
		for zeros := range 9 {
			body := strings.Repeat("k", 8-zeros) + strings.Repeat("\x00", zeros)
			_, err := keywrap.Unwrap(kek, one(right, length, body))
			if want := length >= 1 && length <= 8 && int(8-length) <= zeros; (err == nil) != want {
				t.Errorf("length %d, %d zeros: %v", length, zeros, err)
			}
		}
	}
	for _, length := range []uint32{1 << 31, 1<<31 + 8, 1<<32 - 1, 1<<32 - 8} {
		if _, err := keywrap.Unwrap(kek, one(right, length, "\x00\x00\x00\x00\x00\x00\x00\x00")); err == nil {
			t.Errorf("length %d is accepted", length)
		}
	}
	for bit := range 32 {
		if _, err := keywrap.Unwrap(kek, one(right^1<<bit, 8, "kkkkkkkk")); err == nil {
			t.Errorf("the constant with bit %d changed is accepted", bit)
		}
	}
}

func TestRefuses(t *testing.T) {
	kek := make([]byte, 32)
	wrapped, err := keywrap.Wrap(kek, make([]byte, 40))
	if err != nil {
		t.Fatal(err)
	}
	for n := range wrapped {
		if _, err := keywrap.Unwrap(kek, wrapped[:n]); !errors.Is(err, keywrap.ErrUnwrap) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
		changed := bytes.Clone(wrapped)
		changed[n] ^= 0x10
		if _, err := keywrap.Unwrap(kek, changed); !errors.Is(err, keywrap.ErrUnwrap) {
			t.Errorf("byte %d changed: %v", n, err)
		}
	}
	for _, bad := range [][]byte{nil, kek[:15], kek[:31], make([]byte, 33)} {
		if _, err := keywrap.Unwrap(bad, wrapped); !errors.Is(err, keywrap.ErrUnwrap) {
			t.Errorf("a wrapping key of %d bytes: %v", len(bad), err)
		}
		if _, err := keywrap.Wrap(bad, wrapped); !errors.Is(err, keywrap.ErrWrap) {
			t.Errorf("a wrapping key of %d bytes: %v", len(bad), err)
		}
	}
	if _, err := keywrap.Wrap(kek, nil); !errors.Is(err, keywrap.ErrWrap) {
		t.Errorf("no key: %v", err)
	}
}

// FuzzUnwrap: what unwraps is what wraps into the same bytes, and the input is left alone.
func FuzzUnwrap(f *testing.F) {
	kek := make([]byte, 32)
	for _, size := range []int{1, 8, 9, 32, 138} {
		wrapped, err := keywrap.Wrap(kek, make([]byte, size))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kek, wrapped)
	}
	f.Add(kek[:16], make([]byte, 16))
	f.Fuzz(func(t *testing.T, kek, wrapped []byte) {
		before := bytes.Clone(wrapped)
		key, err := keywrap.Unwrap(kek, wrapped)
		if !bytes.Equal(before, wrapped) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if key != nil || !errors.Is(err, keywrap.ErrUnwrap) {
				t.Fatalf("got %x and %v", key, err)
			}
			return
		}
		if again, err := keywrap.Wrap(kek, key); err != nil || !bytes.Equal(again, wrapped) {
			t.Fatalf("wraps to %x, %v", again, err)
		}
	})
}

// FuzzWrap: what wraps unwraps to the same key.
func FuzzWrap(f *testing.F) {
	f.Add([]byte("k"))
	f.Add(make([]byte, 33))
	f.Fuzz(func(t *testing.T, key []byte) {
		kek := make([]byte, 32)
		wrapped, err := keywrap.Wrap(kek, key)
		if len(key) == 0 {
			return
		}
		if got, unwrapErr := keywrap.Unwrap(kek, wrapped); err != nil || unwrapErr != nil || !bytes.Equal(got, key) {
			t.Fatalf("got %x, %v, %v", got, err, unwrapErr)
		}
	})
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkUnwrap(b *testing.B) {
	kek := make([]byte, 32)
	wrapped, err := keywrap.Wrap(kek, make([]byte, 2375)) // an RSA_4096 key
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(2375)
	for b.Loop() {
		if _, err := keywrap.Unwrap(kek, wrapped); err != nil {
			b.Fatal(err)
		}
	}
}
