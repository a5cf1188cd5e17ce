package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/trent-kms/trent/internal/store"
)

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func set(t testing.TB, s *Store, key string, value []byte) int64 {
	t.Helper()
	revision, err := s.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: key, Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func wantValue(t testing.TB, s *Store, key, want string, revision int64) {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil || string(r.Value) != want || r.Revision != revision {
		t.Errorf("%s: got %.20q at %d and error %v, want %.20q at %d", key, r.Value, r.Revision, err, want, revision)
	}
}

func TestSecondOpeningIsRefusedWhileTheFirstLasts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := mustOpen(t, path)
	if _, err := Open(t.Context(), Config{Path: path}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second opening: got error %v, want %v", err, store.ErrLocked)
	}
	revision := set(t, s, "a", []byte("still works"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantValue(t, mustOpen(t, path), "a", "still works", revision)
}

func TestFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := mustOpen(t, path)
	for _, when := range []string{"created", "compacted"} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s with mode %v", when, info.Mode())
		}
		if err := s.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that this program must not use is refused with the reason, and no byte of it changes.
func TestFileOfAnotherKindIsRefusedAndLeftAlone(t *testing.T) {
	withMeta := func(change func(tx *bbolt.Tx) error) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			s := mustOpen(t, path)
			set(t, s, "a", []byte("precious"))
			if err := s.db.Update(change); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
		text string
	}{
		{"newer format", withMeta(func(tx *bbolt.Tx) error { return writeNumber(tx, formatKey, 7) }),
			store.ErrNewerFormat, "data format 7, this program knows 1"},
		{"newer format that has renamed the records", withMeta(func(tx *bbolt.Tx) error {
			return errors.Join(writeNumber(tx, formatKey, 2), tx.DeleteBucket(recordsBucket))
		}), store.ErrNewerFormat, "data format 2"},
		{"format 0", withMeta(func(tx *bbolt.Tx) error { return writeNumber(tx, formatKey, 0) }),
			store.ErrCorrupt, "data format 0"},
		{"no format", withMeta(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Delete(formatKey) }),
			store.ErrCorrupt, "no format"},
		{"no revision", withMeta(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Delete(revisionKey) }),
			store.ErrCorrupt, "no revision"},
		{"short revision", withMeta(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(revisionKey, []byte{1}) }),
			store.ErrCorrupt, "no revision"},
		{"negative revision", withMeta(func(tx *bbolt.Tx) error { return writeNumber(tx, revisionKey, -1) }),
			store.ErrCorrupt, "revision -1"},
		{"no records", withMeta(func(tx *bbolt.Tx) error { return tx.DeleteBucket(recordsBucket) }),
			store.ErrCorrupt, "data format 1"},
		{"another program's bbolt file", func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err })
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		}, store.ErrCorrupt, "another program's file"},
		{"no bbolt file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("not a store\n"), 4096), 0o600); err != nil {
				t.Fatal(err)
			}
		}, store.ErrCorrupt, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store")
			c.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), Config{Path: path})
			if !errors.Is(err, c.want) || s != nil {
				t.Fatalf("got error %v, want %v", err, c.want)
			}
			if !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q names neither %q nor the path", err, c.text)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file changed (error %v)", err)
			}
		})
	}
}

func TestCorruptRecordIsAnErrorNotAnAbsence(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"))
	set(t, s, "b", nil)
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(recordsBucket).Put([]byte("a"), []byte("junk")) }); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "a")
	wantCorrupt(t, "Get", err)
	_, err = s.Range(t.Context(), "", "", 10)
	wantCorrupt(t, "Range", err)
	_, err = s.Commit(t.Context(), store.Txn{Checks: []store.Check{{Key: "a"}}, Puts: []store.Put{{Key: "c"}}})
	wantCorrupt(t, "Commit", err)
	set(t, s, "c", nil) // others go on
}

func wantCorrupt(t *testing.T, what string, err error) {
	t.Helper()
	// 'j' is above the known format.
	if !errors.Is(err, store.ErrNewerFormat) && !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("%s: got error %v", what, err)
	}
}

// The path may get a new file between our opening of the old one and our lock on it: see lockFile.
func TestFileThatWasReplacedWhileWaitingForItsLockIsNotUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	old, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := stillAt(path, old); err != nil {
		t.Errorf("before: %v", err)
	}
	if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if err := stillAt(path, old); !errors.Is(err, store.ErrLocked) {
		t.Errorf("after: got error %v, want %v", err, store.ErrLocked)
	}
}
