package hsm

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"

	"filippo.io/mldsa"

	"github.com/trent-kms/trent/internal/hsm/keypair"
)

// benchKeys calls f for a key of each spec with a usage, in two ways: through the HSM, and with the primitive alone.
func benchKeys(b *testing.B, usage string, f func(h *HSM, p purpose, k Key, u *unwrapped) (through, bare func() error)) {
	h := newTestHSM(b)
	for _, p := range servedPurposes() {
		if p.usage != usage {
			continue
		}
		k := p.key(b, h)
		u, err := h.unwrap(k)
		if err != nil {
			b.Fatal(err)
		}
		through, bare := f(h, p, k, u)
		name := p.spec + "/" + p.algorithm
		for which, f := range map[string]func() error{"hsm": through, "bare": bare} {
			b.Run(strings.TrimSuffix(name, "/")+"/"+which, func(b *testing.B) {
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// library is how a library signs with the key of u, without any of our code: crypto/rsa, crypto/ecdsa, crypto/ed25519 and
// filippo.io/mldsa. For the curves that the standard library does not have it is package keypair.
func library(b *testing.B, p purpose, u *unwrapped, message []byte) func() error {
	b.Helper()
	if parameters, ok := map[string]mldsa.Parameters{"ML_DSA_44": mldsa.MLDSA44(), "ML_DSA_65": mldsa.MLDSA65(), "ML_DSA_87": mldsa.MLDSA87()}[p.spec]; ok {
		key, err := mldsa.NewPrivateKey(parameters, u.pair.Secret())
		if err != nil {
			b.Fatal(err)
		}
		return func() error { _, err := key.Sign(nil, message, crypto.Hash(0)); return err }
	}
	if p.spec == "ECC_SECG_P256K1" || p.spec == "SM2" {
		return func() error {
			_, err := u.pair.Sign(keypair.Algorithm(p.algorithm), keypair.Raw, message)
			return err
		}
	}
	key, err := x509.ParsePKCS8PrivateKey(u.pair.Secret())
	if err != nil {
		b.Fatal(err)
	}
	if p.spec == "ECC_NIST_EDWARDS25519" {
		return func() error { _, err := key.(crypto.Signer).Sign(nil, message, crypto.Hash(0)); return err }
	}
	h := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[p.algorithm[len(p.algorithm)-3:]]
	var options crypto.SignerOpts = h
	if strings.HasPrefix(p.algorithm, "RSASSA_PSS") {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
	}
	return func() error {
		d := h.New()
		d.Write(message)
		_, err := key.(crypto.Signer).Sign(rand.Reader, d.Sum(nil), options)
		return err
	}
}

// BenchmarkSign compares with a library.
func BenchmarkSign(b *testing.B) {
	message := make([]byte, 1024)
	benchKeys(b, signVerify, func(h *HSM, p purpose, k Key, u *unwrapped) (through, bare func() error) {
		return func() error {
			_, err := h.Sign(b.Context(), k, p.algorithm, "RAW", message)
			return err
		}, library(b, p, u, message)
	})
}

// BenchmarkVerify compares with package keypair on the same key, unwrapped.
func BenchmarkVerify(b *testing.B) {
	message := make([]byte, 1024)
	benchKeys(b, signVerify, func(h *HSM, p purpose, k Key, u *unwrapped) (through, bare func() error) {
		signature, err := u.pair.Sign(keypair.Algorithm(p.algorithm), keypair.Raw, message)
		if err != nil {
			b.Fatal(err)
		}
		return func() error { return h.Verify(b.Context(), k, p.algorithm, "RAW", message, signature) },
			func() error {
				return u.pair.Public().Verify(keypair.Algorithm(p.algorithm), keypair.Raw, message, signature)
			}
	})
}

// BenchmarkGenerateMAC compares with crypto/hmac.
func BenchmarkGenerateMAC(b *testing.B) {
	message := make([]byte, 1024)
	benchKeys(b, generateMAC, func(h *HSM, p purpose, k Key, u *unwrapped) (through, bare func() error) {
		return func() error {
				_, err := h.GenerateMAC(b.Context(), k, message)
				return err
			}, func() error {
				m := hmac.New(macHash[p.spec], u.mac.Expose())
				m.Write(message)
				m.Sum(nil)
				return nil
			}
	})
}

// BenchmarkUnwrapMissPerSpec is what the first use of a key costs more than the next.
func BenchmarkUnwrapMissPerSpec(b *testing.B) {
	h := newTestHSM(b)
	for _, p := range servedPurposes() {
		k := p.key(b, h)
		b.Run(p.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := h.open(k); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
