// Package kms is the key management service: KMS keys, their aliases, tags and policies, and what is done with them.
// table.go lists the operations; each family of operations has a file.
package kms

import (
	"context"
	"log/slog"
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
	// CachedKeys bounds how many decoded key records are held in memory; 0 means 100,000 (about 100 MB when full).
	CachedKeys int
}

// Service implements the operations. Safe for concurrent use.
type Service struct {
	store   *store.Cached
	keys    *store.Table[Key]
	aliases *store.Table[Alias]
	hsm     *hsm.HSM
	clock   *clock.Clock
	audit   func(context.Context, *audit.Event) error
	log     *slog.Logger
}

// New returns a Service over what the store holds.
func New(c Config) *Service {
	size := c.CachedKeys
	if size == 0 {
		size = 100_000
	}
	return &Service{
		store: c.Store, hsm: c.HSM, clock: c.Clock, audit: c.Audit, log: c.Log,
		keys: store.NewTable(c.Store, "kms/key/", store.TableConfig[Key]{
			Encode: encodeRecord[Key], Decode: decodeKey, CacheSize: size,
		}),
		aliases: store.NewTable(c.Store, "kms/alias/", store.TableConfig[Alias]{
			Encode: encodeRecord[Alias], Decode: decodeAlias, CacheSize: size,
		}),
	}
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
	if err := s.put(&t, changed, target.revision); err != nil {
		return err
	}
	return s.commit(ctx, t)
}

// put adds a key's record to a transaction; revision is what the stored one must still have, 0 for a new key.
func (s *Service) put(t *store.Txn, k *Key, revision int64) error {
	p, err := s.keys.Put(k.path(), k)
	t.Checks = append(t.Checks, store.Check{Key: k.path(), Revision: revision})
	t.Puts = append(t.Puts, p)
	return err
}
