package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/store"
)

var watchRules = []rule{
	{"a watch sees what came after its revision, and then the rest", func(t *testing.T, h Harness) {
		set(t, h.Store, "a", "before")
		from := page(t, h.Store, "", "", 1).Revision
		second := set(t, h.Store, "a", "past")
		w := watch(t, h.Store, "", from)
		w.want([]store.Change{{Key: "a", Value: []byte("past"), Revision: second}})
		third := set(t, h.Store, "b", "live")
		w.want([]store.Change{{Key: "b", Value: []byte("live"), Revision: third}})
	}},
	{"each transaction is one call, in order", func(t *testing.T, h Harness) {
		from := page(t, h.Store, "", "", 1).Revision
		var want [][]store.Change
		for i := range 20 {
			value := nthKey("v", i)
			txn := store.Txn{Puts: []store.Put{put("a", value), put("b", value), put("c", value)}}
			r := commit(t, h.Store, txn)
			want = append(want, []store.Change{
				{Key: "a", Value: []byte(value), Revision: r},
				{Key: "b", Value: []byte(value), Revision: r},
				{Key: "c", Value: []byte(value), Revision: r},
			})
		}
		w := watch(t, h.Store, "", from)
		for _, txn := range want {
			w.want(txn)
		}
	}},
	{"the largest transaction is one call", func(t *testing.T, h Harness) {
		w := watch(t, h.Store, "", page(t, h.Store, "", "", 1).Revision)
		revision := commit(t, h.Store, largest())
		got := w.next()
		if len(got) != store.MaxOps/2 || got[0].Revision != revision {
			t.Errorf("%d changes, want %d at %d", len(got), store.MaxOps/2, revision)
		}
	}},
	{"a deletion has no value, an empty value is not a deletion", func(t *testing.T, h Harness) {
		w := watch(t, h.Store, "", page(t, h.Store, "", "", 1).Revision)
		created := set(t, h.Store, "a", "")
		w.want([]store.Change{{Key: "a", Value: []byte{}, Revision: created}})
		deleted := commit(t, h.Store, store.Txn{Deletes: []string{"a", "absent"}})
		w.want([]store.Change{{Key: "a", Revision: deleted}})
	}},
	{"only keys under the prefix are seen", func(t *testing.T, h Harness) {
		w := watch(t, h.Store, "a/", page(t, h.Store, "", "", 1).Revision)
		set(t, h.Store, "a", "no")
		set(t, h.Store, "b/a/", "no")
		r := commit(t, h.Store, store.Txn{Puts: []store.Put{put("a/1", "yes"), put("a0", "no"), put("a~", "no")}})
		w.want([]store.Change{{Key: "a/1", Value: []byte("yes"), Revision: r}})
	}},
	{"conflicts and transactions without effect are not seen", func(t *testing.T, h Harness) {
		w := watch(t, h.Store, "", page(t, h.Store, "", "", 1).Revision)
		first := set(t, h.Store, "a", "1")
		conflict(t, h.Store, store.Txn{Checks: []store.Check{absent("a")}, Puts: []store.Put{put("a", "2")}})
		commit(t, h.Store, store.Txn{Deletes: []string{"none"}})
		second := set(t, h.Store, "b", "1")
		w.want([]store.Change{{Key: "a", Value: []byte("1"), Revision: first}})
		w.want([]store.Change{{Key: "b", Value: []byte("1"), Revision: second}})
	}},
	{"watches do not share what they are given", func(t *testing.T, h Harness) {
		from := page(t, h.Store, "", "", 1).Revision
		revision := set(t, h.Store, "a", "value")
		for range 2 {
			w := watch(t, h.Store, "", from)
			got := w.next()
			if string(got[0].Value) != "value" {
				t.Fatalf("got %q", got[0].Value)
			}
			clear(got[0].Value)
		}
		wantRecord(t, h.Store, "a", "value", revision)
	}},
	{"a watch from a forgotten revision is told so", func(t *testing.T, h Harness) {
		from := set(t, h.Store, "a", "1")
		set(t, h.Store, "a", "2")
		h.Forget(t)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err := h.Store.Watch(ctx, "", from, func([]store.Change) error { return nil })
		wantErr(t, "Watch", err, store.ErrCompacted)
		w := watch(t, h.Store, "", page(t, h.Store, "", "", 1).Revision)
		r := set(t, h.Store, "a", "3")
		w.want([]store.Change{{Key: "a", Value: []byte("3"), Revision: r}})
	}},
	{"a watch ends with its context", func(t *testing.T, h Harness) {
		w := watch(t, h.Store, "", page(t, h.Store, "", "", 1).Revision)
		set(t, h.Store, "a", "1")
		w.next()
		w.cancel()
		wantErr(t, "Watch", w.end(), context.Canceled)
	}},
	{"a watch ends with the error of its function, and calls it no more", func(t *testing.T, h Harness) {
		from := page(t, h.Store, "", "", 1).Revision
		set(t, h.Store, "a", "1")
		set(t, h.Store, "a", "2")
		enough, calls := errors.New("enough"), 0
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err := h.Store.Watch(ctx, "", from, func([]store.Change) error { calls++; return enough })
		if !errors.Is(err, enough) || calls != 1 {
			t.Errorf("got error %v after %d calls", err, calls)
		}
	}},
	{"a watch ends with the store", func(t *testing.T, h Harness) {
		w := watch(t, h.Store, "", page(t, h.Store, "", "", 1).Revision)
		set(t, h.Store, "a", "1")
		w.next()
		if err := h.Store.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		wantErr(t, "Watch", w.end(), store.ErrClosed)
	}},
	{"a watch is no obstacle to writers", func(t *testing.T, h Harness) {
		from := page(t, h.Store, "", "", 1).Revision
		release := make(chan struct{})
		ended := make(chan error, 1)
		enough := errors.New("enough")
		go func() {
			ended <- h.Store.Watch(t.Context(), "", from, func([]store.Change) error { <-release; return enough })
		}()
		for i := range 50 {
			set(t, h.Store, "a", nthKey("", i))
		}
		close(release)
		wantErr(t, "Watch", <-ended, enough)
	}},
	{"another node's watch sees this node's changes", func(t *testing.T, h Harness) {
		if h.Node == nil {
			return // one process, one store
		}
		other := h.Node(t)
		w := watch(t, other, "", page(t, other, "", "", 1).Revision)
		for i := range 20 {
			r := set(t, h.Store, "a", nthKey("", i))
			w.want([]store.Change{{Key: "a", Value: []byte(nthKey("", i)), Revision: r}})
		}
	}},
}

// watcher is a running Watch whose calls a test takes one by one.
type watcher struct {
	t      testing.TB
	calls  chan []store.Change
	ended  chan error
	cancel context.CancelFunc
}

func watch(t testing.TB, s store.Store, prefix string, from int64) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{t, make(chan []store.Change), make(chan error, 1), cancel}
	go func() {
		w.ended <- s.Watch(ctx, prefix, from, func(changes []store.Change) error {
			select {
			case w.calls <- changes:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-w.ended:
		case <-time.After(patience):
			t.Error("the watch did not end with its context")
		}
	})
	return w
}

// next returns the next call.
func (w *watcher) next() []store.Change {
	w.t.Helper()
	select {
	case c := <-w.calls:
		return c
	case err := <-w.ended:
		w.ended <- err
		w.t.Fatalf("the watch ended: %v", err)
	case <-time.After(patience):
		w.t.Fatal("the watch saw nothing")
	}
	return nil
}

func (w *watcher) want(want []store.Change) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.next()); diff != "" {
		w.t.Fatalf("watch (-want +got):\n%s", diff)
	}
}

// end returns why the watch ended.
func (w *watcher) end() error {
	w.t.Helper()
	select {
	case err := <-w.ended:
		w.ended <- err
		return err
	case <-time.After(patience):
		w.t.Fatal("the watch did not end")
	}
	return nil
}
