package bolt_test

import (
	"path/filepath"
	"testing"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/bolt"
	"github.com/trent-kms/trent/internal/store/storetest"
)

func TestBoltKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness { return harness(t, plain) })
}

// The cache is a layer over a store: the contract must hold through it, and over a reopening.
func TestCachedBoltKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		return harness(t, func(s store.Store) store.Store { return store.NewCached(s) })
	})
}

func plain(s store.Store) store.Store { return s }

func harness(t *testing.T, layer func(store.Store) store.Store) storetest.Harness {
	path := filepath.Join(t.TempDir(), "store")
	s := layer(open(t, path))
	t.Cleanup(func() { s.Close() })
	return storetest.Harness{
		Store:  s,
		Forget: func(t *testing.T) { storetest.Flood(t, s) },
		Reopen: func(t *testing.T) store.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			again := layer(open(t, path))
			t.Cleanup(func() { again.Close() })
			return again
		},
	}
}

// open opens the store at path; the test closes it.
func open(t testing.TB, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(t.Context(), bolt.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func BenchmarkBolt(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) store.Store { return open(b, filepath.Join(b.TempDir(), "store")) })
}
