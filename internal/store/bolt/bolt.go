// Package bolt is the store of a single server: one bbolt file.
//
// Concurrent commits share one transaction of the file, and so one wait for the disk (see writer.go). Reads see what is
// committed and never wait for a writer. What watches may look back at is kept in memory only, so a watch from before
// the opening is told store.ErrCompacted.
package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/feed"
)

// Config says which file to open and how.
type Config struct {
	// Path is the file. Its directory must exist; the file is created, readable by its owner only.
	Path string
	// NoSync answers commits without waiting for the disk: a power failure may then lose them or the file. A killed
	// process loses nothing. For development.
	NoSync bool
}

// Store is a store.Store in one file.
type Store struct {
	cfg  Config
	feed *feed.Feed

	mu sync.RWMutex // db may be read while it is held; compaction replaces db under it
	db *bbolt.DB

	// The writer goroutine takes jobs until closing is closed, and closes done after its last answer.
	jobs    chan job
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
	failed  error // of the writer goroutine: why it commits no more
}

var _ store.Store = (*Store)(nil)

// Open opens or creates the store. It fails with store.ErrLocked if another process has it open, with
// store.ErrNewerFormat if a newer program wrote it, and with store.ErrCorrupt if the file is no store; the file is then
// as it was. Space that an earlier run left free is given back when that is worth the time (see compact.go).
func Open(ctx context.Context, cfg Config) (*Store, error) {
	db, err := openFile(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", cfg.Path, err)
	}
	s := &Store{
		cfg:     cfg,
		db:      db,
		jobs:    make(chan job, maxBatch),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	revision, err := s.start(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening store %s: %w", cfg.Path, err), s.db.Close())
	}
	s.feed = feed.New(revision)
	go s.write()
	return s, nil
}

// start prepares the open file and returns the revision it is at.
func (s *Store) start(ctx context.Context) (revision int64, err error) {
	if err := removeStale(s.cfg.Path + compactSuffix); err != nil {
		return 0, err
	}
	if worthCompacting(s.db) {
		if err := s.compact(ctx); err != nil {
			return 0, fmt.Errorf("compacting: %w", err)
		}
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		revision, err = readRevision(tx)
		return err
	})
	return revision, err
}

// view runs f in a read transaction.
func (s *Store) view(ctx context.Context, f func(tx *bbolt.Tx) error) error {
	if s.closed() {
		return store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	err := s.db.View(f)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

func (s *Store) closed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Get is store.Store's Get.
func (s *Store) Get(ctx context.Context, key string) (store.Record, error) {
	r := store.Record{Key: key}
	err := s.view(ctx, func(tx *bbolt.Tx) (err error) {
		if b := tx.Bucket(recordsBucket).Get([]byte(key)); b != nil {
			r, err = copyRecord(key, b)
		}
		return err
	})
	return r, err
}

// Range is store.Store's Range.
func (s *Store) Range(ctx context.Context, prefix, after string, limit int) (store.Page, error) {
	var page store.Page
	err := s.view(ctx, func(tx *bbolt.Tx) (err error) {
		if err = store.CheckLimit(limit); err != nil {
			return err
		}
		if page.Revision, err = readRevision(tx); err != nil {
			return err
		}
		page.Records, page.More, err = readPage(tx, prefix, after, limit)
		return err
	})
	if err != nil {
		return store.Page{}, err
	}
	return page, nil
}

func readPage(tx *bbolt.Tx, prefix, after string, limit int) (records []store.Record, more bool, err error) {
	c := tx.Bucket(recordsBucket).Cursor()
	under := []byte(prefix)
	for k, v := c.Seek([]byte(store.FirstKey(prefix, after))); k != nil && bytes.HasPrefix(k, under); k, v = c.Next() {
		if len(records) == limit {
			return records, true, nil
		}
		r, err := copyRecord(string(k), v)
		if err != nil {
			return nil, false, err
		}
		records = append(records, r)
	}
	return records, false, nil
}

// Watch is store.Store's Watch.
func (s *Store) Watch(ctx context.Context, prefix string, from int64, f func([]store.Change) error) error {
	return s.feed.Watch(ctx, prefix, from, f)
}

// Close answers the commits that have begun, ends watches and closes the file.
func (s *Store) Close() error {
	err := store.ErrClosed
	s.once.Do(func() {
		close(s.closing)
		<-s.done
		s.feed.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		err = s.db.Close()
	})
	return err
}
