package kms

import (
	"fmt"
	"testing"

	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
)

// Records that are deleted by time and not destroyed yet must not make one call read them all.
func TestListingLooksAtABoundedNumberOfRecords(t *testing.T) {
	st := store.NewCached(memory.New())
	t.Cleanup(func() { st.Close() })
	const records, every = 2500, 1100 // of which each 1,100th is an entry
	for i := 0; i < records; i += 50 {
		var txn store.Txn
		for n := i; n < i+50; n++ {
			txn.Puts = append(txn.Puts, store.Put{Key: fmt.Sprintf("kms/key/a/r/%04d", n)})
		}
		if _, err := st.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
	}
	s := &Service{store: st}
	c := &service.Call{Operation: "ListKeys"}
	var found []string
	var marker *string
	for calls := 1; ; calls++ {
		p, err := newPager(c, marker, new(int32(1)), 100, 1000, "")
		if err != nil {
			t.Fatal(err)
		}
		looked := 0
		next, truncated, err := p.scan(t.Context(), s, "kms/key/a/r/", func(r store.Record) (bool, error) {
			looked++
			var n int
			if _, err := fmt.Sscanf(r.Key, "kms/key/a/r/%d", &n); err != nil {
				return false, err
			}
			if n%every != 0 {
				return false, nil
			}
			found = append(found, r.Key)
			return true, nil
		})
		if err != nil || looked > maxLooked {
			t.Fatalf("looked at %d records, %v", looked, err)
		}
		if marker = next; !*truncated {
			break
		}
		if marker == nil || calls > 10 {
			t.Fatalf("call %d: no way on", calls)
		}
	}
	if want := "[kms/key/a/r/0000 kms/key/a/r/1100 kms/key/a/r/2200]"; fmt.Sprint(found) != want {
		t.Errorf("found %v, want %s", found, want)
	}
}
