package store

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// watchRetryDelay is the pause before a lost watch is tried again. Until it is back, every Table.Get reads the store.
const watchRetryDelay = 200 * time.Millisecond

// noRecords is a prefix that no key has. A range over it tells the store's revision and nothing else.
const noRecords = "\xff"

// Cached is a Store that keeps the Tables on it fresh.
//
// What a Table shows: every change committed through the same Cached, once that Commit has returned (also with an
// error); and changes of other nodes as soon as this node's watch brings them, at most WatchBound after their commit.
// While there is no watch, Tables read through to the store.
type Cached struct {
	Store

	// epoch is odd while a watch brings all changes since the moment it became odd, and even while none does. A
	// cached record is valid only in the epoch it was loaded in, so that losing the watch forgets everything at once.
	epoch atomic.Uint64

	mu     sync.RWMutex
	tables []cacheTable

	stop context.CancelFunc
	done chan struct{}
}

// cacheTable is what Cached needs of a Table[T].
type cacheTable interface {
	// forget makes sure that no Get that begins after it returns sees a cached record of key older than revision, and
	// that no load that began before it leaves one.
	forget(key string, revision int64)
	// clear frees the memory of records of earlier epochs.
	clear()
}

// NewCached returns s with tables kept fresh by a watch, which runs until Close. Closing it closes s.
func NewCached(s Store) *Cached {
	ctx, stop := context.WithCancel(context.Background())
	c := &Cached{Store: s, stop: stop, done: make(chan struct{})}
	go c.run(ctx)
	return c
}

// Commit is the store's Commit, and brings the Tables up to date before it returns.
func (c *Cached) Commit(ctx context.Context, t Txn) (int64, error) {
	revision, err := c.Store.Commit(ctx, t)
	before := revision
	if err != nil {
		// The writes may have happened. And after a conflict the caller reads again, which must not show it the same
		// outdated record that its check was made of: that could go on until the watch catches up.
		before = math.MaxInt64
		for _, check := range t.Checks {
			c.forget(check.Key, before)
		}
	}
	for _, p := range t.Puts {
		c.forget(p.Key, before)
	}
	for _, key := range t.Deletes {
		c.forget(key, before)
	}
	return revision, err
}

// Close ends the watch, waits for it and closes the store.
func (c *Cached) Close() error {
	c.stop()
	<-c.done
	return c.Store.Close()
}

func (c *Cached) forget(key string, revision int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.tables {
		t.forget(key, revision)
	}
}

func (c *Cached) add(t cacheTable) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables = append(c.tables, t)
}

// run keeps a watch going until ctx ends or the store is closed.
func (c *Cached) run(ctx context.Context) {
	defer close(c.done)
	for {
		err := c.follow(ctx)
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchRetryDelay):
		}
	}
}

// follow lets the tables keep records for as long as one watch lasts, and returns why it ended.
func (c *Cached) follow(ctx context.Context) error {
	present, err := c.Store.Range(ctx, noRecords, "", 1)
	if err != nil {
		return err
	}
	// A load that sees this epoch begins now or later, so it reads the present or newer, and whatever changes after
	// the present comes through the watch.
	c.epoch.Add(1)
	defer c.clear()
	defer c.epoch.Add(1)
	return c.Store.Watch(ctx, "", present.Revision, func(changes []Change) error {
		for _, change := range changes {
			c.forget(change.Key, change.Revision)
		}
		return nil
	})
}

func (c *Cached) clear() {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.tables {
		t.clear()
	}
}

// live reports whether records of the epoch may be kept.
func live(epoch uint64) bool { return epoch%2 == 1 }
