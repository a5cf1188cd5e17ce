package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// A bbolt file never shrinks, and each commit writes the list of its free pages anew, 8 bytes each: a file in which most
// pages are free makes every commit slow. Compaction writes the records into a new file without free pages and puts it
// in the place of the old one.
const (
	// compactFreePages is how many free pages make it worthwhile. BenchmarkFreelist measured commits of 0.34 ms with
	// none, 0.57 ms with this many, 1.5 ms with four times and 7.5 ms with sixteen times as many.
	compactFreePages = 16384
	// compactMaxBytes bounds the copying that Open does by itself, and so how long it delays the start. Larger files
	// are compacted when an operator asks for it.
	compactMaxBytes = 32 << 20
)

// compactSuffix names the new file while it is not yet complete.
const compactSuffix = ".compact"

// compactTxBytes is how much a transaction of the new file holds, in memory.
const compactTxBytes = 4 << 20

// worthCompacting reports whether Open should compact.
func worthCompacting(db *bbolt.DB) bool {
	free, used := pages(db)
	return free >= compactFreePages && used*int64(db.Info().PageSize) <= compactMaxBytes
}

// pages counts the pages of the file that are free and that are used.
func pages(db *bbolt.DB) (free, used int64) {
	stats := db.Stats()
	free = int64(stats.FreePageN) + int64(stats.PendingPageN)
	_ = db.View(func(tx *bbolt.Tx) error {
		used = tx.Size()/int64(db.Info().PageSize) - free
		return nil
	})
	return free, used
}

// Compact gives the space of deleted records back to the file system. Commits wait until it is done, about a second for
// each 200 MB of records that the page cache holds, and several times that if it does not; reads go on. After an error or
// a crash the old file is in place and complete, or already the new one.
func (s *Store) Compact(ctx context.Context) error {
	_, err := s.submit(ctx, job{compact: ctx})
	return err
}

// compact runs on the writer goroutine, or before there is one.
func (s *Store) compact(ctx context.Context) error {
	if s.failed != nil {
		return s.failed
	}
	path := s.cfg.Path + compactSuffix
	if err := removeStale(path); err != nil {
		return err
	}
	fresh, err := s.copyTo(ctx, path)
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	// From here on path is complete and durable. The new file is locked, so no other process can get in between.
	if err := os.Rename(path, s.cfg.Path); err != nil {
		return errors.Join(err, fresh.Close(), os.Remove(path))
	}
	s.mu.Lock()
	old := s.db
	s.db = fresh
	s.mu.Unlock()
	if err := syncDir(filepath.Dir(s.cfg.Path)); err != nil {
		// A power failure might bring the old file back, without what would be committed from now on.
		s.fail(err)
		return errors.Join(err, old.Close())
	}
	return old.Close()
}

// removeStale removes what a crash during a compaction left.
func removeStale(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// copyTo writes the records into a new, durable file at path and returns it open.
func (s *Store) copyTo(ctx context.Context, path string) (*bbolt.DB, error) {
	fresh, err := lockFile(path, true) // synced once, at the end
	if err != nil {
		return nil, err
	}
	if err := bbolt.Compact(fresh, s.db, compactTxBytes); err != nil {
		return nil, errors.Join(fmt.Errorf("copying: %w", err), fresh.Close())
	}
	if err := errors.Join(ctx.Err(), fresh.Sync()); err != nil {
		return nil, errors.Join(err, fresh.Close())
	}
	fresh.NoSync = s.cfg.NoSync
	return fresh, nil
}
