package memory_test

import (
	"testing"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/store/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness { return harness(memory.New()) })
}

// The cache is a layer over a store: the contract must hold through it.
func TestCachedKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		c := store.NewCached(memory.New())
		t.Cleanup(func() { c.Close() })
		return harness(c)
	})
}

func harness(s store.Store) storetest.Harness {
	return storetest.Harness{Store: s, Forget: func(t *testing.T) { storetest.Flood(t, s) }}
}

func BenchmarkMemory(b *testing.B) {
	storetest.Benchmark(b, func(*testing.B) store.Store { return memory.New() })
}
