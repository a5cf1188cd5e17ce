// Package kms is the key management service: KMS keys, their aliases, tags and policies, and what is done with them.
// table.go lists the operations; each family of operations has a file.
package kms

import (
	"context"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/store"
)

// Config is what a Service works with. All fields but the sizes are needed.
type Config struct {
	Store *store.Cached
	HSM   *hsm.HSM
	Clock *clock.Clock
	// Audit writes the records of what the service does by itself.
	Audit func(context.Context, *audit.Event) error
	Log   *slog.Logger
	// Principals says which users and roles exist.
	Principals Principals
	// Regions are the Regions that keys can be replicated to; nil: any.
	Regions []string
	// Transition is how long a new replica is Creating, and both keys of UpdatePrimaryRegion are Updating. Everything has
	// happened before: the wait is for tests of clients that must wait at AWS.
	Transition time.Duration
	// DestroyAfter is how long a key that is past its date is kept, invisible, before it is destroyed. 0: at once.
	DestroyAfter time.Duration
	// Custom lets callers of CreateKey choose the key id and the key material (custom.go). For development servers only.
	Custom bool
	// CacheBytes bounds the key records that are held decoded in memory (store.TableConfig says how they are counted);
	// 0 means 64 MiB. That holds 60,000 keys without tags in 45 MiB of heap; measured, a full cache takes between 0.7
	// (such keys) and 1.5 times this (50 tags on each). Aliases have 16 MiB besides, grants 8 MiB, and the search among
	// grants 64 MiB.
	CacheBytes int
}

// Service implements the operations. Safe for concurrent use.
type Service struct {
	store   *store.Cached
	keys    *store.Table[Key]
	aliases *store.Table[Alias]
	grants  *store.Table[Grant]
	indexes *grantIndexes
	usage   *usageNotes
	hsm     *hsm.HSM
	clock   *clock.Clock
	audit   func(context.Context, *audit.Event) error
	log     *slog.Logger

	regions    []string
	transition time.Duration
	rotating   [64]sync.Mutex // one for the rotations of a key that are due, by a hash of its id
	hashing    maphash.Seed

	destroyAfter time.Duration
	custom       bool

	principals Principals
	defaults   sync.Map // account → *policy.Policy: the default policies, compiled
}

// New returns a Service over what the store holds.
func New(c Config) *Service {
	size := c.CacheBytes
	if size == 0 {
		size = 64 << 20
	}
	s := &Service{
		store: c.Store, hsm: c.HSM, clock: c.Clock, audit: c.Audit, log: c.Log, destroyAfter: c.DestroyAfter,
		hashing: maphash.MakeSeed(), regions: c.Regions, transition: c.Transition, custom: c.Custom, usage: newUsageNotes(maxNotes),
		indexes:    newGrantIndexes(),
		principals: c.Principals,
		aliases: store.NewTable(c.Store, "kms/alias/", store.TableConfig[Alias]{
			Encode: encodeRecord[Alias], Decode: decodeAlias, CacheBytes: 16 << 20,
		}),
		grants: store.NewTable(c.Store, grantRoot, store.TableConfig[Grant]{
			Encode: encodeGrant, Decode: decodeGrant, CacheBytes: 8 << 20,
		}),
	}
	s.keys = store.NewTable(c.Store, "kms/key/", store.TableConfig[Key]{
		Encode: encodeRecord[Key], Decode: s.decodeKey, CacheBytes: size,
	})
	return s
}

// commitTimeout bounds a commit. A commit goes on when its caller hangs up: half of its time is spent before the point
// of no return, and an abandoned request must not leave that point in doubt more often than a broken disk does.
const commitTimeout = 30 * time.Second

func (s *Service) commit(ctx context.Context, t store.Txn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	_, err := s.store.Commit(ctx, t)
	return err
}

// save commits a changed key, and t with it, if the key's record is still the one that the target was resolved to.
func (s *Service) save(ctx context.Context, target *keyTarget, changed *Key, t store.Txn) error {
	if err := s.put(&t, target.key, changed, target.revision); err != nil {
		return err
	}
	return s.commit(ctx, t)
}

// put adds a key's record to a transaction, in the place of the old one, which must still have this revision; nil and 0
// for a new key. Its index records change with it.
func (s *Service) put(t *store.Txn, old, k *Key, revision int64) error {
	p, err := s.keys.Put(k.path(), k)
	t.Checks = append(t.Checks, store.Check{Key: k.path(), Revision: revision})
	t.Puts = append(t.Puts, p)
	var before []string
	if old != nil {
		before = old.indexes()
	}
	after := k.indexes()
	for _, path := range before {
		if !slices.Contains(after, path) {
			t.Deletes = append(t.Deletes, path)
		}
	}
	for _, path := range after {
		if !slices.Contains(before, path) {
			t.Puts = append(t.Puts, store.Put{Key: path})
		}
	}
	return err
}
