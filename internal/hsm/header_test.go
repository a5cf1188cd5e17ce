package hsm

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
)

func TestHeaderNamesTheKey(t *testing.T) {
	h := newTestHSM(t)
	for _, b := range []Binding{
		testBinding(),
		{Account: "000000000000", Scope: "*", KeyID: testMRK},
		{Account: "999999999999", Scope: "us-east-1", KeyID: "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		{Account: "000000000001", Scope: "us-east-1", KeyID: "00000000-0000-0000-0000-000000000000"},
	} {
		k := generate(t, h, b)
		for _, plaintext := range []string{"", "secret"} {
			got, err := ParseHeader(encrypt(t, h, k, nil, plaintext))
			if want := (Header{k.Account, k.KeyID, k.MaterialID}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	}
}

func TestHeadersThatNoCiphertextHas(t *testing.T) {
	h, k := newTestKey(t)
	good := encrypt(t, h, k, nil, "secret")
	change := func(at int, b ...byte) []byte {
		c := slices.Clone(good)
		copy(c[at:], b)
		return withChecksum(c)
	}
	for name, c := range map[string][]byte{
		"nothing":                      nil,
		"one byte":                     {ciphertextFormat},
		"one byte short of empty":      good[:CiphertextOverhead-1],
		"longer than any":              make([]byte, MaxPlaintext+CiphertextOverhead+1),
		"format 0":                     change(0, 0),
		"format 2":                     change(0, 2),
		"account of thirteen digits":   change(1, 0, 0xe8, 0xd4, 0xa5, 0x10, 0x00), // 10^12
		"account of fifteen digits":    change(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"key id of kind 0":             change(7, 0),
		"key id of kind 3":             change(7, 3),
		"somebody else's, from AWS":    append([]byte{1, 2, 2, 0}, make([]byte, 160)...),
		"somebody else's, text":        []byte("vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==" + string(make([]byte, 60))),
		"account just above the limit": change(1, 0, 0xe8, 0xd4, 0xa5, 0x10, 0x01),
	} {
		if got, err := ParseHeader(c); err != ErrCiphertext || got != (Header{}) {
			t.Errorf("%s: got %+v, %v; want ErrCiphertext", name, got, err)
		}
		if got, err := h.Decrypt(t.Context(), k, nil, c); err != ErrCiphertext || got != nil {
			t.Errorf("%s: Decrypt: got %q, %v; want ErrCiphertext", name, got, err)
		}
	}
}

// withChecksum makes the checksum of a forged header right.
func withChecksum(c []byte) []byte {
	binary.BigEndian.PutUint32(c[checksumAt:], crc32.ChecksumIEEE(c[:checksumAt]))
	return c
}

// Damage in the name of the key is noticed without any key.
func TestEveryChangedBitOfAHeaderIsNoticed(t *testing.T) {
	h, k := newTestKey(t)
	good := encrypt(t, h, k, nil, "secret")
	for bit := range 8 * prefixSize {
		c := slices.Clone(good)
		c[bit/8] ^= 1 << (bit % 8)
		if got, err := ParseHeader(c); err != ErrCiphertext || got != (Header{}) {
			t.Errorf("bit %d: got %+v, %v; want ErrCiphertext", bit, got, err)
		}
	}
}

// TestLastAccount is the other side of the limit that TestHeadersThatNoCiphertextHas tests.
func TestLastAccount(t *testing.T) {
	h, k := newTestKey(t)
	c := encrypt(t, h, k, nil, "secret")
	copy(c[1:], []byte{0, 0xe8, 0xd4, 0xa5, 0x0f, 0xff})
	if got, err := ParseHeader(withChecksum(c)); err != nil || got.Account != "999999999999" {
		t.Errorf("got %+v, %v", got, err)
	}
}
