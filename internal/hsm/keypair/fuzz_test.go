package keypair

import (
	"bytes"
	"errors"
	"testing"
)

func FuzzParsePKCS8(f *testing.F) {
	for i, s := range usable() {
		if der, err := key(f, s).PKCS8(); err == nil {
			f.Add(i, der)
		}
		f.Add(i, key(f, s).Public().SPKI())
	}
	f.Fuzz(func(t *testing.T, n int, der []byte) {
		s := usable()[uint(n)%uint(len(usable()))]
		k, err := ParsePKCS8(s, der)
		if err != nil {
			if err != ErrKey {
				t.Fatalf("%s: %v", s, err)
			}
			return
		}
		back, err := ParsePKCS8(s, must(k.PKCS8()))
		if err != nil || !bytes.Equal(back.Secret(), k.Secret()) {
			t.Fatalf("%s: the key does not come back: %v", s, err)
		}
		if err := useAll(k); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	for i, s := range usable() {
		f.Add(i, key(f, s).Public().SPKI())
	}
	f.Fuzz(func(t *testing.T, n int, spki []byte) {
		s := usable()[uint(n)%uint(len(usable()))]
		k, err := ParsePublic(s, spki)
		if err != nil {
			if err != ErrPublicKey {
				t.Fatalf("%s: %v", s, err)
			}
			return
		}
		if !bytes.Equal(k.SPKI(), spki) {
			t.Fatalf("%s: two encodings of one key", s)
		}
		for _, a := range abilities()[s].signing {
			for mt, length := range lengths(a) {
				if err := k.Verify(a, mt, message(length), make([]byte, 64)); !errors.Is(err, ErrSignature) {
					t.Fatalf("%s: %v", s, err)
				}
			}
		}
		for _, a := range abilities()[s].encryption {
			if !servedAlgorithm(a) {
				continue
			}
			if _, err := k.Encrypt(a, message(16)); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	for i, s := range usable() {
		for j, a := range abilities()[s].signing {
			f.Add(i, j, must(key(f, s).Sign(a, firstType(a), message(lengths(a)[firstType(a)]))))
		}
	}
	f.Fuzz(func(t *testing.T, n, m int, signature []byte) {
		s := usable()[uint(n)%uint(len(usable()))]
		algorithms := abilities()[s].signing
		if len(algorithms) == 0 {
			return
		}
		a := algorithms[uint(m)%uint(len(algorithms))]
		for mt, length := range lengths(a) {
			// The fuzzer cannot forge, so what verifies is the seed or (ECDSA) the seed with another s.
			if err := key(t, s).Public().Verify(a, mt, message(length), signature); err != nil && err != ErrSignature {
				t.Fatalf("%s: %v", s, err)
			}
		}
	})
}

func firstType(a Algorithm) MessageType {
	if a == Ed25519PHSHA512 {
		return Digest
	}
	return Raw
}

func FuzzDecrypt(f *testing.F) {
	for i, s := range usable() {
		for j, a := range abilities()[s].encryption {
			if servedAlgorithm(a) {
				f.Add(i, j, must(key(f, s).Public().Encrypt(a, message(16))))
			}
		}
	}
	f.Fuzz(func(t *testing.T, n, m int, ciphertext []byte) {
		s := usable()[uint(n)%uint(len(usable()))]
		algorithms := abilities()[s].encryption
		if len(algorithms) == 0 {
			return
		}
		a := algorithms[uint(m)%uint(len(algorithms))]
		if !servedAlgorithm(a) {
			return
		}
		if _, err := key(t, s).Decrypt(a, ciphertext); err != nil && err != ErrCiphertext {
			t.Fatalf("%s: %v", s, err)
		}
	})
}
