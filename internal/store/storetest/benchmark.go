package storetest

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/trent-kms/trent/internal/store"
)

const (
	benchRecords    = 10_000
	benchValueBytes = 1024
)

// Benchmark measures an empty store: commits by 1, 16 and 64 callers at once, reads of one record and of a page of 100.
func Benchmark(b *testing.B, open func(b *testing.B) store.Store) {
	s := open(b)
	for first := 0; first < benchRecords; first += store.MaxOps {
		var txn store.Txn
		for i := range store.MaxOps {
			txn.Puts = append(txn.Puts, store.Put{Key: nthKey("record/", first+i), Value: make([]byte, benchValueBytes)})
		}
		commit(b, s, txn)
	}
	var n atomic.Int64
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("Commit/callers=%d", callers), func(b *testing.B) {
			concurrently(b, callers, func() error {
				key := nthKey("new/", int(n.Add(1)))
				_, err := s.Commit(context.Background(), store.Txn{
					Checks: []store.Check{absent(key)},
					Puts:   []store.Put{{Key: key, Value: make([]byte, benchValueBytes)}, put(key+"/index", "")},
				})
				return err
			})
		})
	}
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("Get/callers=%d", callers), func(b *testing.B) {
			concurrently(b, callers, func() error {
				r, err := s.Get(context.Background(), nthKey("record/", int(n.Add(7919))%benchRecords))
				if err == nil && r.Revision == 0 {
					return fmt.Errorf("no record %s", r.Key)
				}
				return err
			})
		})
	}
	b.Run("Range/records=100", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if p := page(b, s, "record/", nthKey("record/", int(n.Add(7919))%(benchRecords-101)), 100); len(p.Records) != 100 {
				b.Fatalf("%d records", len(p.Records))
			}
		}
	})
}

// concurrently measures call, made by callers goroutines at once.
func concurrently(b *testing.B, callers int, call func() error) {
	b.ReportAllocs()
	if callers == 1 {
		for b.Loop() {
			if err := call(); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
