package keypair

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// eachSignature calls f for each spec, signing algorithm and message type that fit together.
func eachSignature(t *testing.T, f func(t *testing.T, k *Private, a Algorithm, mt MessageType, m []byte)) {
	t.Helper()
	n := 0
	for _, s := range usable() {
		for _, a := range abilities()[s].signing {
			for mt, length := range lengths(a) {
				n++
				t.Run(string(s)+"/"+string(a)+"/"+string(mt), func(t *testing.T) { f(t, key(t, s), a, mt, message(length)) })
			}
		}
	}
	if n < 44 {
		t.Fatalf("only %d cases", n)
	}
}

func TestSignatureVerifies(t *testing.T) {
	eachSignature(t, func(t *testing.T, k *Private, a Algorithm, mt MessageType, m []byte) {
		signature, err := k.Sign(a, mt, m)
		if err != nil {
			t.Fatal(err)
		}
		public, err := ParsePublic(k.Spec(), k.Public().SPKI())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*Public{k.Public(), public} {
			if err := p.Verify(a, mt, m, signature); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestChangedSignatureDoesNotVerify(t *testing.T) {
	eachSignature(t, func(t *testing.T, k *Private, a Algorithm, mt MessageType, m []byte) {
		signature := must(k.Sign(a, mt, m))
		verify := func(what string, p *Public, m, signature []byte) {
			t.Helper()
			if err := p.Verify(a, mt, m, signature); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		for i := 0; i < len(signature); i += 1 + len(signature)/40 {
			bad := bytes.Clone(signature)
			bad[i] ^= 1 << (i % 8)
			verify("a bit changed", k.Public(), m, bad)
		}
		other := bytes.Clone(m)
		other[len(other)-1] ^= 1
		verify("another message", k.Public(), other, signature)
		verify("another key", otherKey(t, k.Spec()).Public(), m, signature)
		verify("a byte short", k.Public(), m, signature[:len(signature)-1])
		verify("a byte more", k.Public(), m, append(bytes.Clone(signature), 0))
		verify("a zero before", k.Public(), m, append([]byte{0}, signature...))
		verify("empty", k.Public(), m, nil)
		verify("zeros", k.Public(), m, make([]byte, len(signature)))
		verify("huge", k.Public(), m, make([]byte, 1<<16))
	})
}

func TestDigestIsNotHashedAgain(t *testing.T) {
	n := 0
	eachSignature(t, func(t *testing.T, k *Private, a Algorithm, mt MessageType, _ []byte) {
		h, ok := hashOf(a)
		if !ok || mt != Raw {
			return
		}
		n++
		m := []byte("the message")
		d := h.New()
		d.Write(m)
		digest := d.Sum(nil)
		if err := k.Public().Verify(a, Digest, digest, must(k.Sign(a, Raw, m))); err != nil {
			t.Errorf("RAW signed, DIGEST verified: %v", err)
		}
		if err := k.Public().Verify(a, Raw, m, must(k.Sign(a, Digest, digest))); err != nil {
			t.Errorf("DIGEST signed, RAW verified: %v", err)
		}
		if err := k.Public().Verify(a, Raw, digest, must(k.Sign(a, Digest, digest))); !errors.Is(err, ErrSignature) {
			t.Errorf("a digest taken for the message: %v", err)
		}
	})
	if n < 21 {
		t.Fatalf("only %d cases", n)
	}
}

// TestSigningRefusesWhatDoesNotFit tries every spec, algorithm and message type, and digests a byte too short or long.
func TestSigningRefusesWhatDoesNotFit(t *testing.T) {
	n := 0
	refused := func(k *Private, a Algorithm, mt MessageType, m []byte) {
		t.Helper()
		n++
		if _, err := k.Sign(a, mt, m); !errors.Is(err, ErrInput) {
			t.Errorf("%s %s %s %d bytes: Sign gave %v", k.Spec(), a, mt, len(m), err)
		}
		if err := k.Public().Verify(a, mt, m, make([]byte, 64)); !errors.Is(err, ErrInput) {
			t.Errorf("%s %s %s %d bytes: Verify gave %v", k.Spec(), a, mt, len(m), err)
		}
	}
	for _, s := range usable() {
		k := key(t, s)
		for _, a := range algorithms() {
			fits := slices.Contains(abilities()[s].signing, a)
			for _, mt := range messageTypes() {
				length, ok := lengths(a)[mt]
				switch {
				case !fits || !ok:
					for _, l := range []int{0, 20, 32, 48, 64} {
						refused(k, a, mt, message(l))
					}
				case length >= 0:
					for _, l := range []int{0, 20, length - 1, length + 1, 2 * length} {
						refused(k, a, mt, message(l))
					}
				}
			}
		}
	}
	if n < 3900 {
		t.Fatalf("only %d cases", n)
	}
}

// TestSignatureLengths are those of the AWS documentation (bytes).
func TestSignatureLengths(t *testing.T) {
	limits := map[Spec][2]int{
		RSA2048: {256, 256}, RSA3072: {384, 384}, RSA4096: {512, 512},
		P256: {8, 72}, P384: {8, 104}, P521: {8, 139}, P256K1: {8, 72}, Ed25519: {64, 64}, SM2: {8, 72},
		MLDSA44: {2420, 2420}, MLDSA65: {3309, 3309}, MLDSA87: {4627, 4627},
	}
	eachSignature(t, func(t *testing.T, k *Private, a Algorithm, mt MessageType, m []byte) {
		limit := limits[k.Spec()]
		if n := len(must(k.Sign(a, mt, m))); n < limit[0] || n > limit[1] {
			t.Errorf("%d bytes", n)
		}
	})
}

// TestDERSignatureIsStrict takes valid signatures apart and writes the same numbers in other ways.
func TestDERSignatureIsStrict(t *testing.T) {
	for _, s := range []Spec{P256, P384, P521, P256K1, SM2} {
		if !slices.Contains(usable(), s) {
			continue
		}
		t.Run(string(s), func(t *testing.T) {
			k, a := key(t, s), abilities()[s].signing[0]
			m := message(-1)
			r, sn := splitSignature(t, must(k.Sign(a, Raw, m)))
			if err := k.Public().Verify(a, Raw, m, joinSignature(r, sn)); err != nil {
				t.Fatal(err)
			}
			good := joinSignature(r, sn)
			for name, bad := range map[string][]byte{
				"r padded":        joinSignature(append([]byte{0}, r...), sn),
				"s padded":        joinSignature(r, append([]byte{0}, sn...)),
				"r zero":          joinSignature([]byte{0}, sn),
				"s zero":          joinSignature(r, []byte{0}),
				"r negative":      joinSignature([]byte{0xff}, sn),
				"r and s swapped": joinSignature(sn, r),
				"trailing byte":   append(bytes.Clone(good), 0),
				"byte inside":     der(0x30, append(bytes.Clone(good[len(good)-len(r)-len(sn)-4:]), 0)),
				"third number":    der(0x30, der(2, r), der(2, sn), der(2, []byte{1})),
				"a set":           der(0x31, der(2, r), der(2, sn)),
				"raw":             append(trim(r), trim(sn)...),
				"long length":     append([]byte{0x30, 0x82, 0, good[1]}, good[2:]...),
				"indefinite":      append(append([]byte{0x30, 0x80}, good[2:]...), 0, 0),
				"octet strings":   der(0x30, der(4, r), der(4, sn)),
				"no s":            der(0x30, der(2, r)),
				"empty":           der(0x30),
			} {
				if err := k.Public().Verify(a, Raw, m, bad); !errors.Is(err, ErrSignature) {
					t.Errorf("%s: got %v", name, err)
				}
			}
		})
	}
}
