package hsm

import (
	"bytes"
	"strings"

	"github.com/maypok86/otter/v2"

	"github.com/trent-kms/trent/internal/hsm/seal"
)

// unwrapped is key material in the clear, ready for use.
type unwrapped struct {
	from   Key              // the stored form that it was unwrapped from
	prefix [prefixSize]byte // of every ciphertext that it makes
	key    *seal.Key
}

// keyCache is a bounded cache of unwrapped keys. Entries are found by the salt of the wrapped blob, which is random, and
// count only if the whole Key is the same, byte for byte: the store is not trusted, and a blob copied to another record
// must not find what its rightful owner has unwrapped. Evicted material is left to the garbage collector, because a
// concurrent request may still use it.
type keyCache struct {
	entries *otter.Cache[[seal.SaltSize]byte, *unwrapped]
}

func newKeyCache(maximum int) (*keyCache, error) {
	c, err := otter.New(&otter.Options[[seal.SaltSize]byte, *unwrapped]{MaximumSize: maximum})
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

// open unwraps k.
func (h *HSM) open(k Key) (*unwrapped, error) {
	id, err := k.identity()
	if err != nil {
		return nil, err
	}
	secret, err := h.domain.unwrap(kindMaterial, k.bound(), k.Wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	if len(secret) != seal.KeySize {
		return nil, ErrWrapped
	}
	u := &unwrapped{from: k.clone(), key: seal.NewKey((*[seal.KeySize]byte)(secret))}
	u.prefix = newPrefix(id)
	return u, nil
}

// clone returns a copy that keeps nothing of the caller's memory alive, which may be a whole record or page.
func (k Key) clone() Key {
	return Key{
		Binding: Binding{
			Account:    strings.Clone(k.Account),
			Scope:      strings.Clone(k.Scope),
			KeyID:      strings.Clone(k.KeyID),
			MaterialID: strings.Clone(k.MaterialID),
		},
		Wrapped: bytes.Clone(k.Wrapped),
	}
}
