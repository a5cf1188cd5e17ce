package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/trent-kms/trent/internal/store"
)

// batchOf hands the writer's commit a batch directly, so that a test decides what shares a transaction of the file.
func batchOf(s *Store, txns ...store.Txn) []answer {
	var jobs []job
	for _, t := range txns {
		jobs = append(jobs, job{txn: t})
	}
	return s.commit(jobs)
}

func TestBatchIsAppliedInOrderAndAConflictIsItsCallersAlone(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"))
	create := func(key, value string) store.Txn {
		return store.Txn{Checks: []store.Check{{Key: key}}, Puts: []store.Put{{Key: key, Value: []byte(value)}}}
	}
	got := batchOf(s,
		create("a", "first"),
		create("a", "too late"), // sees the one before it
		create("b", "second"),
		store.Txn{Checks: []store.Check{{Key: "a", Revision: 1}}, Deletes: []string{"a"}}, // revision 1 is the first's
		store.Txn{Deletes: []string{"a"}},                                                 // nothing left
		create("a", "again"),
	)
	want := []answer{{revision: 1}, {err: store.ErrConflict}, {revision: 2}, {revision: 3}, {revision: 3}, {revision: 4}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("transaction %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
	wantValue(t, s, "a", "again", 4)
	wantValue(t, s, "b", "second", 2)
}

func TestConcurrentCommitsShareTransactionsOfTheFile(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"))
	const callers, each = 32, 20
	before := fileTxns(t, s)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				key := fmt.Sprintf("%d/%d", c, n)
				if _, err := s.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: key}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if used := fileTxns(t, s) - before; used > callers*each/2 {
		t.Errorf("%d commits took %d transactions of the file", callers*each, used)
	}
}

func fileTxns(t *testing.T, s *Store) (id int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestConflictsDoNotTouchTheDisk(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"))
	set(t, s, "a", nil)
	before := fileTxns(t, s)
	_, err := s.Commit(t.Context(), store.Txn{Checks: []store.Check{{Key: "a"}}, Puts: []store.Put{{Key: "a"}}})
	if !errors.Is(err, store.ErrConflict) || fileTxns(t, s) != before {
		t.Errorf("got error %v, %d transactions of the file", err, fileTxns(t, s)-before)
	}
}

// After the disk has failed once, no commit may claim to be durable.
func TestNothingIsCommittedAfterTheDiskFailed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := mustOpen(t, path)
	revision := set(t, s, "a", []byte("before"))
	s.db.MaxSize = 1 // every growth of the file fails, as on a full disk
	big := store.Txn{Puts: []store.Put{{Key: "a", Value: make([]byte, store.MaxValueBytes)}}}
	for i, a := range batchOf(s, big, store.Txn{Checks: []store.Check{{Key: "a"}}, Puts: []store.Put{{Key: "b"}}}) {
		if !errors.Is(a.err, berrors.ErrMaxSizeReached) || errors.Is(a.err, store.ErrConflict) || a.revision != 0 {
			t.Errorf("answer %d of the failed batch: %+v", i, a)
		}
	}
	s.db.MaxSize = 0 // the disk is well again, but what it holds is not known
	if _, err := s.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: "b"}}}); !errors.Is(err, berrors.ErrMaxSizeReached) {
		t.Errorf("a commit after the failure: got error %v", err)
	}
	if err := s.Compact(t.Context()); !errors.Is(err, berrors.ErrMaxSizeReached) {
		t.Errorf("a compaction after the failure: got error %v", err)
	}
	wantValue(t, s, "a", "before", revision)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, path)
	wantValue(t, again, "a", "before", revision)
	wantValue(t, again, "b", "", 0)
	set(t, again, "b", nil)
}
