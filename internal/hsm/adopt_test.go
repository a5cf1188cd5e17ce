package hsm

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// Material has one length, or a range of lengths, for each spec.
func TestAdoptedMaterialHasARightLength(t *testing.T) {
	h := newTestHSM(t)
	for spec, limits := range map[string][2]int{"": {32, 32}, "HMAC_224": {28, 128}, "HMAC_256": {32, 128}, "HMAC_384": {48, 128}, "HMAC_512": {64, 128}} {
		b := testBinding()
		if spec != "" {
			b.Spec, b.Usage = spec, generateMAC
		}
		for size := range 200 {
			k, err := h.Adopt(t.Context(), b, make([]byte, size))
			if fits := limits[0] <= size && size <= limits[1]; fits != (err == nil) || !fits && (!errors.Is(err, ErrMaterial) || k.Wrapped != nil) {
				t.Errorf("%q, %d bytes: %v", spec, size, err)
			}
		}
	}
}

// What is adopted is the key: it does what the key did elsewhere, and its owner can go on with it there.
func TestAdoptedMaterialIsTheKey(t *testing.T) {
	h, elsewhere := newTestHSM(t), newTestHSM(t)
	for _, p := range servedPurposes() {
		if strings.HasPrefix(p.spec, "ML_") {
			continue // not importable
		}
		first := p.key(t, h)
		u, err := h.unwrap(first)
		if err != nil {
			t.Fatal(p, err)
		}
		material := u.mac.Expose()
		if u.pair != nil {
			if material, err = u.pair.PKCS8(); err != nil {
				t.Fatal(p, err)
			}
		}
		before := bytes.Clone(material)
		second, err := elsewhere.Adopt(t.Context(), p.binding(), material)
		if err != nil {
			t.Fatal(p, err)
		}
		if !bytes.Equal(material, before) {
			t.Errorf("%s: the caller's bytes have changed", p)
		}
		if second.MaterialID != first.MaterialID {
			t.Errorf("%s: the same material of the same key has two ids", p)
		}
		if err := p.work(t, elsewhere, second); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if p.usage != generateMAC {
			continue
		}
		mac, err := h.GenerateMAC(t.Context(), first, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if err := elsewhere.VerifyMAC(t.Context(), second, []byte("x"), mac); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// The id of a pair comes of its public key: the encodings of one private key are one material.
func TestEncodingsOfOneKeyAreOneMaterial(t *testing.T) {
	h := newTestHSM(t)
	b := purpose{"ECC_NIST_P256", signVerify, ""}.binding()
	scalar := unhex(t, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721") // RFC 6979, A.2.5
	point := unhex(t, "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299")
	head := unhex(t, "020100301306072a8648ce3d020106082a8648ce3d030107")
	der := func(tag byte, parts ...[]byte) []byte {
		body := slices.Concat(parts...)
		if len(body) >= 0x80 {
			return append([]byte{tag, 0x81, byte(len(body))}, body...)
		}
		return append([]byte{tag, byte(len(body))}, body...)
	}
	version, octets := []byte{2, 1, 1}, der(4, scalar)
	bare := der(0x30, head, der(4, der(0x30, version, octets)))
	full := der(0x30, head, der(4, der(0x30, version, octets, der(0xa1, der(3, []byte{0}, point)))))
	one, err := h.Adopt(t.Context(), b, bare)
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.Adopt(t.Context(), b, full)
	if err != nil {
		t.Fatal(err)
	}
	if one.MaterialID != two.MaterialID {
		t.Errorf("ids %s and %s", one.MaterialID, two.MaterialID)
	}
	b.KeyID = testMRK
	if three, err := h.Adopt(t.Context(), b, bare); err != nil || three.MaterialID == one.MaterialID {
		t.Errorf("equal material of another key: the same id, %v", err)
	}
}

func TestMaterialThatIsNotAdopted(t *testing.T) {
	h := newTestHSM(t)
	rsa, err := os.ReadFile("keypair/testdata/rsa_2048.der")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range servedPurposes() {
		if p.usage == generateMAC {
			continue
		}
		for name, material := range map[string][]byte{
			"nothing": nil, "garbage": []byte("garbage"), "an RSA key": rsa, "cut": rsa[:len(rsa)-1], "longer": append(bytes.Clone(rsa), 0), "zeros": make([]byte, 5000), "deep": bytes.Repeat([]byte{0x30, 0x80}, 1000),
		} {
			if name == "an RSA key" && p.spec == "RSA_2048" {
				continue
			}
			if k, err := h.Adopt(t.Context(), p.binding(), material); !errors.Is(err, ErrMaterial) || k.Wrapped != nil {
				t.Errorf("%s, %s: %v; want ErrMaterial", p, name, err)
			}
		}
	}
	for name, change := range map[string]func(*Binding){
		"unknown spec": func(b *Binding) { b.Spec = "RSA_1024" }, "no usage": func(b *Binding) { b.Usage = "" }, "no scope": func(b *Binding) { b.Scope = "" }, "no key": func(b *Binding) { b.KeyID = "" }, "no account": func(b *Binding) { b.Account = "" },
	} {
		b := purpose{"RSA_2048", signVerify, ""}.binding()
		change(&b)
		if k, err := h.Adopt(t.Context(), b, rsa); !errors.Is(err, ErrInput) || k.Wrapped != nil {
			t.Errorf("%s: %v; want ErrInput", name, err)
		}
		if _, err := h.GenerateKey(t.Context(), b); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v; want ErrInput", name, err)
		}
	}
}
