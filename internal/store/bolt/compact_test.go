package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/trent-kms/trent/internal/store"
)

// grow makes a store with n records and so many deleted that most of the file is free.
func grow(t testing.TB, s *Store, n int) {
	t.Helper()
	for i := range n {
		set(t, s, fmt.Sprintf("kept/%03d", i), []byte("value"))
	}
	for i := range 12 {
		set(t, s, fmt.Sprintf("big/%d", i), make([]byte, store.MaxValueBytes))
	}
	for i := range 12 {
		if _, err := s.Commit(t.Context(), store.Txn{Deletes: []string{fmt.Sprintf("big/%d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func whole(t testing.TB, s *Store) store.Page {
	t.Helper()
	p, err := s.Range(t.Context(), "", "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompactionShrinksTheFileAndChangesNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := mustOpen(t, path)
	grow(t, s, 50)
	before, bytes := whole(t, s), fileSize(t, path)
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, whole(t, s)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if now := fileSize(t, path); now > bytes/10 {
		t.Errorf("%d bytes are still %d", bytes, now)
	}
	if _, err := Open(t.Context(), Config{Path: path}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second opening after compaction: got error %v, want %v", err, store.ErrLocked)
	}
	revision := set(t, s, "after", []byte("x"))
	if revision != before.Revision+1 {
		t.Errorf("revision %d after %d", revision, before.Revision)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantValue(t, mustOpen(t, path), "after", "x", revision)
}

func TestCommitsReadsAndWatchesGoOnOverCompactions(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"))
	const commits = 100
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range commits {
			set(t, s, "a", []byte(fmt.Sprint(i)))
			if r, err := s.Get(t.Context(), "a"); err != nil || string(r.Value) != fmt.Sprint(i) {
				t.Errorf("read %q and error %v after writing %d", r.Value, err, i)
			}
		}
	})
	wg.Go(func() {
		for range 10 {
			if err := s.Compact(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		seen, all := 0, errors.New("all")
		err := s.Watch(t.Context(), "", 0, func([]store.Change) error {
			if seen++; seen == commits {
				return all
			}
			return nil
		})
		if !errors.Is(err, all) {
			t.Errorf("the watch ended with %v after %d", err, seen)
		}
	})
	wg.Wait()
}

func TestCompactionThatIsCancelledLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := mustOpen(t, path)
	revision := set(t, s, "a", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.copyTo(ctx, path+compactSuffix); !errors.Is(err, context.Canceled) {
		t.Errorf("copying: got error %v", err)
	}
	if err := s.Compact(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("compacting: got error %v", err)
	}
	wantValue(t, s, "a", "x", revision)
	set(t, s, "a", []byte("y"))
}

func TestOpeningRemovesWhatACrashedCompactionLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path+compactSuffix, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
	if _, err := os.Stat(path + compactSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there (error %v)", err)
	}
}

func TestOpeningCompactsASmallStoreWithMuchFreeSpace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := mustOpen(t, path)
	grow(t, s, 1)
	wide := store.Txn{}
	for len(wide.Puts) < 8 {
		wide.Puts = append(wide.Puts, store.Put{Key: fmt.Sprint(len(wide.Puts)), Value: make([]byte, store.MaxValueBytes/8)})
	}
	for i := range 60 { // values that all live at once, 60 MB
		for j := range wide.Puts {
			wide.Puts[j].Key = fmt.Sprintf("wide/%d/%d", i, j)
		}
		if _, err := s.Commit(t.Context(), wide); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 60 {
		txn := store.Txn{}
		for j := range wide.Puts {
			txn.Deletes = append(txn.Deletes, fmt.Sprintf("wide/%d/%d", i, j))
		}
		if _, err := s.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
	}
	free, used := pages(s.db)
	if !worthCompacting(s.db) {
		t.Fatalf("%d free and %d used pages are not worth it", free, used)
	}
	before, bytes := whole(t, s), fileSize(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, path)
	if diff := cmp.Diff(before, whole(t, again)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if now := fileSize(t, path); now > bytes/10 {
		t.Errorf("%d bytes are still %d", bytes, now)
	}
}

// BenchmarkFreelist shows what free pages cost each commit; see compactFreePages.
func BenchmarkFreelist(b *testing.B) {
	for _, free := range []int{0, 1024, 4096, 16384, 65536, 262144} {
		b.Run(fmt.Sprintf("free=%d", free), func(b *testing.B) {
			s := mustOpen(b, filepath.Join(b.TempDir(), "store"))
			set(b, s, "a", nil)
			freePages(b, s, free)
			got, _ := pages(s.db)
			b.ReportMetric(float64(got), "free-pages")
			for b.Loop() {
				set(b, s, "a", nil)
			}
		})
	}
}

// freePages frees n pages that do not touch each other, as records deleted here and there do.
func freePages(b *testing.B, s *Store, n int) {
	s.db.NoSync = true
	defer func() { s.db.NoSync = false }()
	key := func(i int) []byte { return fmt.Appendf(nil, "page/%08d", i) }
	value := make([]byte, 3000) // one to a page
	const chunk = 4096
	change := func(f func(r *bbolt.Bucket, i int) error, step int) {
		for first := 0; first < 2*n; first += chunk {
			err := s.db.Update(func(tx *bbolt.Tx) error {
				r := tx.Bucket(recordsBucket)
				for i := first; i < min(first+chunk, 2*n); i += step {
					if err := f(r, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	change(func(r *bbolt.Bucket, i int) error { return r.Put(key(i), encodeRecord(1, value)) }, 1)
	change(func(r *bbolt.Bucket, i int) error { return r.Delete(key(i)) }, 2)
}
