// Package hsm is the boundary: the only place where key material is in the clear.
//
// The hierarchy is root → domain keys → key material → ciphertexts and data keys. The caller stores what each layer
// hands out, and all of it is opaque and sealed: the domain keys by the root (package root), key material and secrets by
// a domain key. docs/formats.md draws every byte.
//
// An HSM takes and returns plain values only, and one call does all the cryptography of one API operation, so that a
// separate process can serve the same methods with one round trip each.
package hsm

import (
	"context"
	"fmt"

	"github.com/trent-kms/trent/internal/hsm/root"
)

// DefaultCacheEntries is how many unwrapped keys an HSM keeps when Config does not say.
const DefaultCacheEntries = 16384

// Config is what Open needs.
type Config struct {
	// Root is the root key that sealed Domain.
	Root root.Root
	// Deployment is the text that Create was given: whose domain keys they are.
	Deployment string
	// Domain is what Create returned for this deployment. A new deployment has none: Create it and store it first. Open
	// refuses nil, because domain keys that nobody has stored would take everything with them.
	Domain []byte
	// CacheEntries bounds the unwrapped keys that are kept in memory: how many symmetric and HMAC keys, of about 1.3 kB
	// each. Key pairs count for as many as they take room: 3 on a curve, 9 with RSA, 24 with ML-KEM, 144 with ML-DSA. 0
	// means DefaultCacheEntries.
	CacheEntries int
}

// HSM does all work with key material of one deployment. Safe for concurrent use.
type HSM struct {
	domain domainKeys
	cache  *keyCache
	rsa    *rsaPool
}

// Create makes the first domain key of a new deployment and returns it sealed by r. The caller stores it durably before
// anything else: without it nothing that the HSM wraps can be opened.
//
// The domain key is bound to deployment, which says everything about a deployment that nobody may change behind its back
// (id, mode, account), and must not be empty. Open takes the same text, so that a record changed in the store, or one
// with the domain keys of another deployment under the same root, is refused.
func Create(ctx context.Context, r root.Root, deployment string) (domain []byte, err error) {
	if r == nil {
		return nil, fmt.Errorf("%w: no root", ErrInput)
	}
	if deployment == "" {
		return nil, fmt.Errorf("%w: no deployment", ErrInput)
	}
	return sealDomain(ctx, r, deployment, newDomain())
}

// Open returns the HSM of an existing deployment. It fails with ErrRoot if c.Root is not the root that sealed c.Domain,
// ErrWrapped if c.Domain is damaged or belongs to another deployment than c.Deployment, and ErrUnknownVersion if a newer Trent wrote it.
func Open(ctx context.Context, c Config) (*HSM, error) {
	if c.Root == nil {
		return nil, fmt.Errorf("%w: no root", ErrInput)
	}
	if c.Deployment == "" {
		return nil, fmt.Errorf("%w: no deployment", ErrInput)
	}
	if c.Domain == nil {
		return nil, fmt.Errorf("%w: no domain keys; Create makes them", ErrInput)
	}
	if c.CacheEntries < 0 {
		return nil, fmt.Errorf("%w: cache of %d entries", ErrInput, c.CacheEntries)
	}
	if c.CacheEntries == 0 {
		c.CacheEntries = DefaultCacheEntries
	}
	keys, err := openDomain(ctx, c.Root, c.Deployment, c.Domain)
	if err != nil {
		return nil, err
	}
	cache, err := newKeyCache(c.CacheEntries)
	if err != nil {
		return nil, fmt.Errorf("key cache: %w", err)
	}
	return &HSM{domain: keys, cache: cache, rsa: newRSAPool()}, nil
}
