package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

// BenchmarkDerive compares a derivation with the PRF that a Key keeps with one that makes its own.
func BenchmarkDerive(b *testing.B) {
	k, salt := NewKey(new([KeySize]byte)), make([]byte, SaltSize)
	b.Run("kept", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Derive("trent/ciphertext/1", salt)
		}
	})
	b.Run("kept/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				k.Derive("trent/ciphertext/1", salt)
			}
		})
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		var key [KeySize]byte
		for b.Loop() {
			p := &prf{mac: hmac.New(sha256.New, k.secret.Expose()), fixed: make([]byte, 39)}
			p.expand(key[:])
		}
	})
}
