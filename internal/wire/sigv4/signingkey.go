package sigv4

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/material"
)

// minFIPSKey is the shortest HMAC key, in bytes, that FIPS 140-3 mode accepts (SP 800-131A, section 10).
const minFIPSKey = 14

// signingKey is the key that a secret access key yields for one scope.
type signingKey struct {
	scope  scope
	secret material.Bytes // that it was derived from
	macs   sync.Pool      // hash.Hash: HMAC-SHA-256 under the key, so that a cached key costs no key schedule
}

// sign puts the signature of s.text into s.hex.
func (k *signingKey) sign(s *scratch) {
	h := k.macs.Get().(hash.Hash)
	h.Reset()
	h.Write(s.text)
	h.Sum(s.mac[:0])
	hex.Encode(s.hex[:], s.mac[:])
	k.macs.Put(h)
}

// signingKey returns the key for a scope, from the cache if it was derived from this very secret.
func (v *Verifier) signingKey(s scope, secret material.Bytes) (key *signingKey, cached bool, err error) {
	if k := v.keys.get(s); k != nil && k.secret.Equal(secret) {
		return k, true, nil
	}
	k, err := derive(s.clone(), secret)
	return k, false, err
}

// derive computes the signing key: a chain of HMACs over the parts of the scope (AWS IAM User Guide, "Derive a signing
// key").
func derive(s scope, secret material.Bytes) (*signingKey, error) {
	seed := append([]byte("AWS4"), secret.Expose()...)
	defer clear(seed)
	if len(seed) < minFIPSKey && fips140.Enforced() {
		return nil, api.InvalidSignatureException("The secret access key is too short for FIPS 140-3 mode.")
	}
	key := seed
	for _, part := range []string{s.day, s.region, s.service, terminator} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	k := &signingKey{scope: s, secret: secret}
	k.macs.New = func() any { return hmac.New(sha256.New, key) }
	return k, nil
}

// keyCache holds signing keys that have verified a signature, so that only the holders of secrets can fill it. It keeps
// two generations of at most max keys: when the young one is full it becomes the old one. Safe for concurrent use.
type keyCache struct {
	max        int
	mu         sync.RWMutex
	young, old map[scope]*signingKey
}

func newKeyCache(max int) *keyCache {
	return &keyCache{max: max, young: make(map[scope]*signingKey)}
}

// get returns nil when the scope has no key. The key may come from a secret that has changed since.
func (c *keyCache) get(s scope) *signingKey {
	c.mu.RLock()
	k, young := c.young[s]
	if !young {
		k = c.old[s]
	}
	c.mu.RUnlock()
	if k != nil && !young {
		c.put(k)
	}
	return k
}

func (c *keyCache) put(k *signingKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.young[k.scope]; !ok && len(c.young) >= c.max {
		c.old, c.young = c.young, make(map[scope]*signingKey)
	}
	c.young[k.scope] = k
}
