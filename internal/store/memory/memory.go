// Package memory is the store of a development server without a data directory, and of tests. It ends with the process.
package memory

import (
	"context"
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/feed"
)

// Store is a store.Store in memory. Stored values are never changed in place.
type Store struct {
	mu       sync.RWMutex
	records  btree.Map[string, store.Record]
	revision int64
	closed   bool
	feed     *feed.Feed
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{feed: feed.New(0)} }

// begin locks for reading if the store is open and ctx has not ended. The caller unlocks unless it returns an error.
func (s *Store) begin(ctx context.Context) error {
	s.mu.RLock()
	err := s.usable(ctx)
	if err != nil {
		s.mu.RUnlock()
	}
	return err
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return store.ErrClosed
	}
	return ctx.Err()
}

// Get is store.Store's Get.
func (s *Store) Get(ctx context.Context, key string) (store.Record, error) {
	if err := s.begin(ctx); err != nil {
		return store.Record{}, err
	}
	defer s.mu.RUnlock()
	r, ok := s.records.Get(key)
	if !ok {
		return store.Record{Key: key}, nil
	}
	return copied(r), nil
}

// Range is store.Store's Range.
func (s *Store) Range(ctx context.Context, prefix, after string, limit int) (store.Page, error) {
	if err := s.begin(ctx); err != nil {
		return store.Page{}, err
	}
	defer s.mu.RUnlock()
	if err := store.CheckLimit(limit); err != nil {
		return store.Page{}, err
	}
	page := store.Page{Revision: s.revision}
	s.records.Ascend(store.FirstKey(prefix, after), func(key string, r store.Record) bool {
		if !strings.HasPrefix(key, prefix) {
			return false
		}
		if len(page.Records) == limit {
			page.More = true
			return false
		}
		page.Records = append(page.Records, copied(r))
		return true
	})
	return page, nil
}

func copied(r store.Record) store.Record {
	r.Value = append(make([]byte, 0, len(r.Value)), r.Value...)
	return r
}

// Commit is store.Store's Commit.
func (s *Store) Commit(ctx context.Context, t store.Txn) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	if err := t.Validate(); err != nil {
		return 0, err
	}
	for _, c := range t.Checks {
		if r, _ := s.records.Get(c.Key); r.Revision != c.Revision {
			return 0, store.ErrConflict
		}
	}
	if changes := s.apply(t, s.revision+1); len(changes) > 0 {
		s.revision++
		s.feed.Append(s.revision, changes)
	}
	return s.revision, nil
}

// apply makes t's changes at a revision and returns them.
func (s *Store) apply(t store.Txn, revision int64) []store.Change {
	changes := make([]store.Change, 0, len(t.Puts)+len(t.Deletes))
	for _, p := range t.Puts {
		r := copied(store.Record{Key: p.Key, Value: p.Value, Revision: revision})
		s.records.Set(p.Key, r)
		changes = append(changes, store.Change(r))
	}
	for _, key := range t.Deletes {
		if _, was := s.records.Delete(key); was {
			changes = append(changes, store.Change{Key: key, Revision: revision})
		}
	}
	return changes
}

// Watch is store.Store's Watch.
func (s *Store) Watch(ctx context.Context, prefix string, from int64, f func([]store.Change) error) error {
	return s.feed.Watch(ctx, prefix, from, f)
}

// Close is store.Store's Close.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.closed = true
	s.feed.Close()
	return nil
}
