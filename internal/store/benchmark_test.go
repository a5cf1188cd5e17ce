package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/bolt"
)

// BenchmarkTable is the way of every request: a record from the cache, and one that is not in it.
func BenchmarkTable(b *testing.B) {
	s, err := bolt.Open(b.Context(), bolt.Config{Path: filepath.Join(b.TempDir(), "store")})
	if err != nil {
		b.Fatal(err)
	}
	c := store.NewCached(s)
	defer c.Close()
	const records, chunk = 10_000, 50
	keys := make([]string, records)
	for first := 0; first < records; first += chunk {
		var txn store.Txn
		for i := first; i < first+chunk; i++ {
			keys[i] = fmt.Sprintf("account/000000000000/key/%032d", i)
			txn.Puts = append(txn.Puts, store.Put{Key: keys[i], Value: make([]byte, 1024)})
		}
		if _, err := c.Commit(b.Context(), txn); err != nil {
			b.Fatal(err)
		}
	}
	get := func(b *testing.B, t *store.Table[text], key string) {
		if v, _, err := t.Get(context.Background(), key); err != nil || v == nil {
			b.Errorf("got %v and error %v", v, err)
		}
	}
	warm := store.NewTable(c, "account/", config(4*records)) // room for all, and they are larger than config thinks
	for warm.CachedRecords() < records {
		for _, key := range keys {
			get(b, warm, key)
		}
	}
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			get(b, warm, keys[i%records])
			i++
		}
	})
	b.Run("hit/parallel", func(b *testing.B) {
		b.ReportAllocs()
		var start atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for i := int(start.Add(records / 3)); pb.Next(); i++ {
				get(b, warm, keys[i%records])
			}
		})
	})
	cold := store.NewTable(c, "account/", config(1))
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			get(b, cold, keys[i%records])
			i += 7919
		}
	})
}
