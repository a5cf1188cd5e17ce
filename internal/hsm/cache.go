package hsm

import (
	"bytes"
	"errors"
	"strings"

	"github.com/maypok86/otter/v2"

	"github.com/trent-kms/trent/internal/hsm/keypair"
	"github.com/trent-kms/trent/internal/hsm/seal"
	"github.com/trent-kms/trent/internal/material"
)

// unwrapped is key material in the clear, ready for use. Of its last three members, it has the one of its kind.
type unwrapped struct {
	from   Key              // the stored form that it was unwrapped from
	prefix [prefixSize]byte // of every ciphertext that a symmetric key makes
	key    *seal.Key        // symmetric encryption
	pair   *keypair.Private
	mac    material.Bytes
}

// weight is how much room unwrapped material takes in the cache, a symmetric key being 1. The figures are measured, and
// rounded up (TestCacheWeights).
func (u *unwrapped) weight() uint32 {
	switch {
	case u.pair == nil:
		return 1
	case strings.HasPrefix(u.from.Spec, "ML_DSA"):
		return 144
	case strings.HasPrefix(u.from.Spec, "ML_KEM"):
		return 24
	case strings.HasPrefix(u.from.Spec, "RSA"):
		return 9
	}
	return 3
}

// keyCache is a bounded cache of unwrapped keys. Entries are found by the salt of the wrapped blob, which is random, and
// count only if the whole Key is the same, byte for byte: the store is not trusted, and a blob copied to another record
// must not find what its rightful owner has unwrapped. Evicted material is left to the garbage collector, because a
// concurrent request may still use it.
type keyCache struct {
	entries *otter.Cache[[seal.SaltSize]byte, *unwrapped]
}

func newKeyCache(maximum int) (*keyCache, error) {
	c, err := otter.New(&otter.Options[[seal.SaltSize]byte, *unwrapped]{
		MaximumWeight: uint64(maximum), Weigher: func(_ [seal.SaltSize]byte, u *unwrapped) uint32 { return u.weight() },
	})
	if err != nil {
		return nil, err
	}
	return &keyCache{c}, nil
}

// unwrap returns the material of k from the cache, or opens it. It fails with ErrInput or ErrWrapped.
func (h *HSM) unwrap(k Key) (*unwrapped, error) {
	salt, ok := envelopeSalt(k.Wrapped)
	if ok {
		if u, ok := h.cache.entries.GetIfPresent(salt); ok && u.from.Binding == k.Binding && bytes.Equal(u.from.Wrapped, k.Wrapped) {
			return u, nil
		}
	}
	u, err := h.open(k)
	if err != nil {
		return nil, err
	}
	h.cache.entries.Set(salt, u)
	return u, nil
}

// Forget drops what is unwrapped of k, which has been destroyed. A request that is using it finishes.
func (h *HSM) Forget(k Key) {
	if salt, ok := envelopeSalt(k.Wrapped); ok {
		h.cache.entries.Invalidate(salt)
	}
}

// open unwraps k.
func (h *HSM) open(k Key) (*unwrapped, error) {
	id, err := k.identity()
	if err != nil {
		return nil, err
	}
	kind := k.kind()
	secret, err := h.domain.unwrap(kind, k.bound(), k.Wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	u := &unwrapped{from: k.clone()}
	switch kind {
	case kindKeyPair:
		if u.pair, err = keypair.ParseSecret(keypair.Spec(k.Spec), secret); errors.Is(err, ErrNotApproved) {
			return nil, err
		} else if err != nil {
			return nil, ErrWrapped
		}
	case kindMAC:
		u.mac = material.Take(bytes.Clone(secret))
	default:
		if len(secret) != seal.KeySize {
			return nil, ErrWrapped
		}
		u.key, u.prefix = seal.NewKey((*[seal.KeySize]byte)(secret)), newPrefix(id)
	}
	return u, nil
}

// clone returns a copy of what opens k that keeps nothing of the caller's memory alive, which may be a whole record or page.
func (k Key) clone() Key {
	return Key{
		Binding: Binding{
			Account:    strings.Clone(k.Account),
			Scope:      strings.Clone(k.Scope),
			KeyID:      strings.Clone(k.KeyID),
			MaterialID: strings.Clone(k.MaterialID),
			Spec:       strings.Clone(k.Spec),
			Usage:      strings.Clone(k.Usage),
		},
		Wrapped: bytes.Clone(k.Wrapped),
	}
}
