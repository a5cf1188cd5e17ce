package keypair

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	stdecdsa "crypto/ecdsa"

	"filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"
	"github.com/emmansun/gmsm/sm2"
)

// bare returns the library's own signing call for a key, on a digest where there is one.
func bare(k *Private, a Algorithm, mt MessageType, m []byte) func() ([]byte, error) {
	switch private := k.key().(type) {
	case rsaPrivate:
		scheme, _ := rsaSignature(a)
		if !scheme.pss {
			return func() ([]byte, error) { return rsa.SignPKCS1v15(nil, private.key, scheme.hash, m) }
		}
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return func() ([]byte, error) { return rsa.SignPSS(rand.Reader, private.key, scheme.hash, m, options) }
	case nistPrivate:
		return func() ([]byte, error) { return stdecdsa.SignASN1(rand.Reader, private.key, m) }
	case secpPrivate:
		return func() ([]byte, error) { return ecdsa.Sign(private.key, m).Serialize(), nil }
	case ed25519Private:
		if a == Ed25519SHA512 {
			return func() ([]byte, error) { return ed25519.Sign(private.key, m), nil }
		}
		options := &ed25519.Options{Hash: crypto.SHA512}
		return func() ([]byte, error) { return private.key.Sign(nil, m, options) }
	case mldsaPrivate:
		if mt == Raw {
			return func() ([]byte, error) { return private.key.Sign(nil, m, &mldsa.Options{}) }
		}
		return func() ([]byte, error) { return private.key.Sign(nil, m, mldsacrypto.MLDSAMu) }
	case sm2Private:
		return func() ([]byte, error) { return sm2.SignASN1(rand.Reader, private.key, m, nil) }
	}
	return nil
}

// BenchmarkSign compares Sign with the bare library call on the same digest or message.
func BenchmarkSign(b *testing.B) {
	for _, s := range usable() {
		for _, a := range abilities()[s].signing {
			mt, n := Digest, lengths(a)[Digest]
			if n == 0 {
				mt, n = Raw, 64
			}
			k, m := key(b, s), message(n)
			call := bare(k, a, mt, m)
			b.Run(string(s)+"/"+string(a)+"/ours", func(b *testing.B) {
				for b.Loop() {
					must(k.Sign(a, mt, m))
				}
			})
			b.Run(string(s)+"/"+string(a)+"/bare", func(b *testing.B) {
				for b.Loop() {
					must(call())
				}
			})
		}
	}
}

// BenchmarkSignRaw signs messages of the largest size that KMS takes.
func BenchmarkSignRaw(b *testing.B) {
	k, m := key(b, P256), message(4096)
	private := k.key().(nistPrivate).key
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			must(k.Sign(ECDSASHA256, Raw, m))
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			d := sha256.Sum256(m)
			must(stdecdsa.SignASN1(rand.Reader, private, d[:]))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, s := range usable() {
		for _, a := range abilities()[s].signing {
			for mt, n := range lengths(a) {
				k := key(b, s)
				signature := must(k.Sign(a, mt, message(n)))
				b.Run(string(s)+"/"+string(a)+"/"+string(mt), func(b *testing.B) {
					for b.Loop() {
						if err := k.Public().Verify(a, mt, message(n), signature); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func BenchmarkParseSecret(b *testing.B) {
	for _, s := range usable() {
		secret := key(b, s).Secret()
		b.Run(string(s), func(b *testing.B) {
			for b.Loop() {
				must(ParseSecret(s, secret))
			}
		})
	}
}

func BenchmarkGenerate(b *testing.B) {
	for _, s := range usable() {
		b.Run(string(s), func(b *testing.B) {
			for b.Loop() {
				must(Generate(s))
			}
		})
	}
}

func BenchmarkOthers(b *testing.B) {
	for _, s := range usable() {
		k, can := key(b, s), abilities()[s]
		for _, a := range can.encryption {
			if !servedAlgorithm(a) {
				continue
			}
			ciphertext := must(k.Public().Encrypt(a, message(32)))
			b.Run("Decrypt/"+string(s)+"/"+string(a), func(b *testing.B) {
				for b.Loop() {
					must(k.Decrypt(a, ciphertext))
				}
			})
		}
		if can.agree {
			peer := otherKey(b, s).Public().SPKI()
			b.Run("Agree/"+string(s), func(b *testing.B) {
				for b.Loop() {
					must(k.Agree(peer))
				}
			})
		}
		if can.kem {
			_, ciphertext, _ := k.Public().Encapsulate()
			b.Run("Decapsulate/"+string(s), func(b *testing.B) {
				for b.Loop() {
					must(k.Decapsulate(ciphertext))
				}
			})
		}
	}
}
