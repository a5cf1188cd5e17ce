package storetest

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/store"
)

var lifetimeRules = []rule{
	{"after Close everything answers ErrClosed", func(t *testing.T, h Harness) {
		from := set(t, h.Store, "a", "1")
		if err := h.Store.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		for name, call := range map[string]func(context.Context) error{
			"Get":        func(ctx context.Context) error { _, err := h.Store.Get(ctx, "a"); return err },
			"absent Get": func(ctx context.Context) error { _, err := h.Store.Get(ctx, "b"); return err },
			"Range":      func(ctx context.Context) error { _, err := h.Store.Range(ctx, "", "", 1); return err },
			"Commit": func(ctx context.Context) error {
				_, err := h.Store.Commit(ctx, store.Txn{Puts: []store.Put{put("a", "2")}})
				return err
			},
			"empty Commit": func(ctx context.Context) error { _, err := h.Store.Commit(ctx, store.Txn{}); return err },
			"Watch": func(ctx context.Context) error {
				return h.Store.Watch(ctx, "", from, func([]store.Change) error { return nil })
			},
			"Close": func(context.Context) error { return h.Store.Close() },
		} {
			wantErr(t, name, call(t.Context()), store.ErrClosed)
		}
	}},
	{"Close waits for the commits that have begun, and each is answered", func(t *testing.T, h Harness) {
		var wg sync.WaitGroup
		started := make(chan struct{}, 8)
		for i := range 8 {
			wg.Go(func() {
				for n := 0; ; n++ {
					_, err := h.Store.Commit(context.Background(), store.Txn{Puts: []store.Put{put(nthKey("w", i), nthKey("", n))}})
					if n == 0 {
						started <- struct{}{}
					}
					if err != nil {
						return // ErrClosed, or a connection that ended under it
					}
				}
			})
		}
		for range 8 {
			<-started
		}
		if err := h.Store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		wg.Wait()
	}},
	{"what was committed is there after a reopening", func(t *testing.T, h Harness) {
		if h.Reopen == nil {
			return // nothing outlives this store
		}
		a := set(t, h.Store, "a", "1")
		commit(t, h.Store, store.Txn{Puts: []store.Put{put("b", "2")}})
		commit(t, h.Store, store.Txn{Deletes: []string{"b"}})
		last := commit(t, h.Store, store.Txn{Puts: []store.Put{put("c", ""), put("d", "x")}})
		before := page(t, h.Store, "", "", 10)

		again := h.Reopen(t)
		if diff := cmp.Diff(before, page(t, again, "", "", 10)); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
		wantRecord(t, again, "a", "1", a)
		wantRecord(t, again, "b", "", 0)
		if next := set(t, again, "b", "3"); next <= last {
			t.Errorf("the revision after reopening is %d, not above %d", next, last)
		}
		w := watch(t, again, "", page(t, again, "", "", 1).Revision)
		r := set(t, again, "a", "2")
		w.want([]store.Change{{Key: "a", Value: []byte("2"), Revision: r}})
	}},
}
