package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync/atomic"

	"github.com/trent-kms/trent/internal/material"
)

// Key is a 256-bit key from which other keys are derived; it never encrypts anything itself. Safe for concurrent use.
type Key struct {
	secret material.Bytes
	// spare keeps one PRF between uses, because its HMAC states after the key block can be used again (FIPS 198-1 §6).
	// Callers that find the slot empty make their own.
	spare atomic.Pointer[prf]
}

// NewKey returns a Key with a copy of secret, which the caller may clear.
func NewKey(secret *[KeySize]byte) *Key {
	own := *secret
	return &Key{secret: material.Take(own[:])}
}

// Derive returns the 256-bit key that NIST SP 800-108r1 §4.1 (counter mode, HMAC-SHA-256, 32-bit counter before the
// fixed input) derives for label and context. The fixed input is the one the standard describes:
//
//	Label ‖ 0x00 ‖ Context ‖ [L]32, where L = 256
//
// label is a constant of the program without a zero byte, so no two pairs of label and context have one fixed input.
func (k *Key) Derive(label string, context []byte) (key [KeySize]byte) {
	p := k.take()
	p.fixed = append(p.fixed[:0], label...)
	p.fixed = append(p.fixed, 0)
	p.fixed = append(p.fixed, context...)
	p.fixed = binary.BigEndian.AppendUint32(p.fixed, KeySize*8)
	p.expand(key[:])
	k.put(p)
	return key
}

func (k *Key) take() *prf {
	if p := k.spare.Swap(nil); p != nil {
		return p
	}
	return &prf{mac: hmac.New(sha256.New, k.secret.Expose())}
}

func (k *Key) put(p *prf) {
	clear(p.block[:])
	if k.spare.Load() == nil {
		p.mac.Reset()
		k.spare.Store(p)
	}
}

// prf is a keyed HMAC-SHA-256, ready for input, with the buffers of one derivation.
type prf struct {
	mac     hash.Hash
	fixed   []byte // the fixed input
	counter [4]byte
	block   [sha256.Size]byte
}

// expand fills out with K(1) ‖ K(2) ‖ …, where K(i) = HMAC(key, [i]32 ‖ fixed).
func (p *prf) expand(out []byte) {
	for i := uint32(1); ; i++ {
		binary.BigEndian.PutUint32(p.counter[:], i)
		p.mac.Write(p.counter[:])
		p.mac.Write(p.fixed)
		out = out[copy(out, p.mac.Sum(p.block[:0])):]
		if len(out) == 0 {
			return
		}
		p.mac.Reset()
	}
}
