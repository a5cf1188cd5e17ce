package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
)

// text is a record's decoded form.
type text struct{ s string }

// config is for a table that keeps about as many small records.
func config(records int) store.TableConfig[text] {
	return store.TableConfig[text]{
		Encode: func(v *text) ([]byte, error) { return []byte(v.s), nil },
		Decode: func(b []byte) (*text, error) {
			if string(b) == "broken" {
				return nil, errors.New("cannot be read")
			}
			return &text{string(b)}, nil
		},
		CacheBytes: records * (store.EntryOverhead + 10),
	}
}

// spy is a store whose calls a test counts, delays and changes.
type spy struct {
	store.Store
	reads    atomic.Int64
	afterGet func(key string)                                      // runs when a Get has its answer and has not returned it
	commit   func(context.Context, store.Txn) (int64, error)       // instead of Commit
	watch    func(ctx context.Context, deliver func() error) error // instead of Watch
}

func (s *spy) Get(ctx context.Context, key string) (store.Record, error) {
	s.reads.Add(1)
	r, err := s.Store.Get(ctx, key)
	if s.afterGet != nil {
		s.afterGet(key)
	}
	return r, err
}

func (s *spy) Commit(ctx context.Context, t store.Txn) (int64, error) {
	if s.commit != nil {
		return s.commit(ctx, t)
	}
	return s.Store.Commit(ctx, t)
}

func (s *spy) Watch(ctx context.Context, prefix string, from int64, f func([]store.Change) error) error {
	watch := func() error { return s.Store.Watch(ctx, prefix, from, f) }
	if s.watch != nil {
		return s.watch(ctx, watch)
	}
	return watch()
}

// node is a Cached with a table over a store that others may write too.
type node struct {
	t      *testing.T
	spy    *spy
	cached *store.Cached
	table  *store.Table[text]
}

func newNode(t *testing.T, s store.Store) *node {
	n := &node{t: t, spy: &spy{Store: s}}
	n.cached = store.NewCached(n.spy)
	n.table = store.NewTable(n.cached, "t/", config(100))
	t.Cleanup(func() { n.cached.Close() })
	return n
}

// set writes through s, which is this node's Cached or, for another node's writes, the store.
func set(t testing.TB, s store.Store, key, value string) int64 {
	t.Helper()
	revision, err := s.Commit(context.Background(), store.Txn{Puts: []store.Put{{Key: key, Value: []byte(value)}}})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// want checks what the table shows and how often it asks the store for it.
func (n *node) want(value string, reads int64) {
	n.t.Helper()
	before := n.spy.reads.Load()
	v, revision, err := n.table.Get(n.t.Context(), "t/a")
	if err != nil || v == nil || v.s != value || revision == 0 {
		n.t.Errorf("got %+v at %d and error %v, want %q", v, revision, err, value)
	}
	if got := n.spy.reads.Load() - before; got != reads {
		n.t.Errorf("%q took %d reads of the store, want %d", value, got, reads)
	}
}

func (n *node) wantAbsent(reads int64) {
	n.t.Helper()
	before := n.spy.reads.Load()
	if v, revision, err := n.table.Get(n.t.Context(), "t/a"); v != nil || revision != 0 || err != nil {
		n.t.Errorf("got %+v at %d and error %v, want nothing", v, revision, err)
	}
	if got := n.spy.reads.Load() - before; got != reads {
		n.t.Errorf("absence took %d reads of the store, want %d", got, reads)
	}
}

// bubble runs a test in which synctest.Wait means: the watch has started, or has delivered everything.
func bubble(t *testing.T, test func(t *testing.T, n *node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, memory.New())
		synctest.Wait()
		test(t, n)
	})
}

func TestTableReadsTheStoreOnceForEachChange(t *testing.T) {
	bubble(t, func(t *testing.T, n *node) {
		n.wantAbsent(1)
		set(t, n.cached, "t/a", "1")
		n.want("1", 1)
		synctest.Wait() // the watch brings this node's own change: what is cached is as new and stays
		n.want("1", 0)
		set(t, n.cached, "t/a", "2")
		n.want("2", 1)
		n.want("2", 0)
		if _, err := n.cached.Commit(t.Context(), store.Txn{Deletes: []string{"t/a"}}); err != nil {
			t.Fatal(err)
		}
		n.wantAbsent(1)
		n.wantAbsent(1) // absence is not remembered
	})
}

func TestTableSeesWhatOtherNodesChange(t *testing.T) {
	bubble(t, func(t *testing.T, n *node) {
		for i := range 5 {
			value := strconv.Itoa(i)
			set(t, n.spy.Store, "t/a", value)
			synctest.Wait()
			n.want(value, 1)
			n.want(value, 0)
		}
		if _, err := n.spy.Store.Commit(t.Context(), store.Txn{Deletes: []string{"t/a"}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n.wantAbsent(1)
	})
}

// A load reads the old value; before it is done the record changes, and the node is told. What the load then has must
// not stay.
func TestLoadThatBeganBeforeAChangeLeavesNothingStale(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, n *node){
		"committed by this node": func(t *testing.T, n *node) { set(t, n.cached, "t/a", "new") },
		"committed by another":   func(t *testing.T, n *node) { set(t, n.spy.Store, "t/a", "new"); synctest.Wait() },
		"committed with an error": func(t *testing.T, n *node) {
			n.spy.commit = func(ctx context.Context, txn store.Txn) (int64, error) {
				_, err := n.spy.Store.Commit(ctx, txn)
				return 0, errors.Join(err, errors.New("the answer is lost"))
			}
			defer func() { n.spy.commit = nil }()
			if _, err := n.cached.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: "t/a", Value: []byte("new")}}}); err == nil {
				t.Error("no error")
			}
		},
		"loaded by another caller meanwhile": func(t *testing.T, n *node) { set(t, n.cached, "t/a", "new"); n.want("new", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *node) {
				set(t, n.cached, "t/a", "old")
				synctest.Wait()
				n.spy.afterGet = func(string) { n.spy.afterGet = nil; change(t, n) }
				if v, _, err := n.table.Get(t.Context(), "t/a"); err != nil || v.s != "old" {
					t.Fatalf("the load itself: got %+v and error %v", v, err) // it began before the change
				}
				if v, _, err := n.table.Get(t.Context(), "t/a"); err != nil || v.s != "new" {
					t.Errorf("after it: got %+v and error %v", v, err)
				}
			})
		})
	}
}

// A fault of a commit has two bits: whether it was applied, and whether the caller sees an error. Whatever they are, the
// table shows what the store has.
func TestTableShowsTheStoreAfterAnyFault(t *testing.T) {
	for _, f := range []struct {
		name    string
		applied bool
		err     error
		want    string
	}{
		{"write lost", false, errors.New("disk"), "old"},
		{"reply lost", true, errors.New("disk"), "new"},
		{"caller gone, write lost", false, context.Canceled, "old"},
		{"caller gone, write done", true, context.Canceled, "new"},
		{"done", true, nil, "new"},
	} {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *node) {
				set(t, n.cached, "t/a", "old")
				n.want("old", 1)
				n.spy.watch = func(ctx context.Context, _ func() error) error { <-ctx.Done(); return ctx.Err() }
				n.spy.commit = func(ctx context.Context, txn store.Txn) (revision int64, err error) {
					if f.applied {
						revision, err = n.spy.Store.Commit(ctx, txn)
					}
					if f.err != nil {
						return 0, errors.Join(err, f.err)
					}
					return revision, err
				}
				_, err := n.cached.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: "t/a", Value: []byte("new")}}})
				if !errors.Is(err, f.err) {
					t.Errorf("got error %v", err)
				}
				n.want(f.want, 1)
			})
		})
	}
}

// After a conflict the caller reads again. The watch has not yet brought the change that it conflicts with.
func TestTableShowsWhatAConflictWasWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		n := &node{t: t, spy: &spy{Store: s}}
		n.spy.watch = func(ctx context.Context, _ func() error) error { <-ctx.Done(); return ctx.Err() } // brings nothing
		n.cached = store.NewCached(n.spy)
		defer n.cached.Close()
		n.table = store.NewTable(n.cached, "t/", config(100))
		old := set(t, s, "t/a", "old")
		synctest.Wait()
		n.want("old", 1)
		n.want("old", 0)
		set(t, s, "t/a", "another node's")
		n.want("old", 0) // within WatchBound

		put, err := n.table.Put("t/b", &text{"mine"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.cached.Commit(t.Context(), store.Txn{Checks: []store.Check{{Key: "t/a", Revision: old}}, Puts: []store.Put{put}})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("got error %v", err)
		}
		n.want("another node's", 1)
	})
}

// Of two loads the older answer may come last. Once a caller has seen the newer record, nobody sees the older.
func TestSlowLoadDoesNotReplaceANewerRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		n := &node{t: t, spy: &spy{Store: s}}
		n.spy.watch = func(ctx context.Context, _ func() error) error { <-ctx.Done(); return ctx.Err() } // brings nothing
		n.cached = store.NewCached(n.spy)
		defer n.cached.Close()
		n.table = store.NewTable(n.cached, "t/", config(100))
		set(t, s, "t/a", "old")
		synctest.Wait()
		n.spy.afterGet = func(string) {
			n.spy.afterGet = nil
			set(t, s, "t/a", "new")
			n.want("new", 1)
		}
		if v, _, err := n.table.Get(t.Context(), "t/a"); err != nil || v.s != "old" {
			t.Fatalf("the slow load: got %+v and error %v", v, err)
		}
		n.want("new", 0)
	})
}

func TestTableReadsThroughWhileTheWatchIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		lose := make(chan struct{})
		up := true
		n := &node{t: t, spy: &spy{Store: s}}
		n.spy.watch = func(ctx context.Context, _ func() error) error {
			if !up {
				return errors.New("no connection")
			}
			select {
			case <-lose:
				return errors.New("cut off")
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		n.cached = store.NewCached(n.spy)
		defer n.cached.Close()
		n.table = store.NewTable(n.cached, "t/", config(100))
		set(t, s, "t/a", "1")
		synctest.Wait()
		n.want("1", 1)
		n.want("1", 0)

		up = false
		lose <- struct{}{}
		synctest.Wait()
		if n.cached.Live() || n.table.CachedRecords() != 0 {
			t.Errorf("live: %v, %d records kept", n.cached.Live(), n.table.CachedRecords())
		}
		for i := range 3 {
			set(t, s, "t/a", fmt.Sprint("unseen ", i))
			n.want(fmt.Sprint("unseen ", i), 1)
		}

		up = true
		waitFor(t, n.cached.Live)
		n.want("unseen 2", 1) // nothing from before the loss comes back
		n.want("unseen 2", 0)
	})
}

// waitFor lets the time of a bubble pass until a condition holds.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for range 100 {
		if condition() {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		<-ctx.Done()
		cancel()
		synctest.Wait()
	}
	t.Fatal("it did not happen")
}

// A load that began under one watch must not be kept under the next: between them anything may have happened.
func TestLoadThatBeganUnderALostWatchIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		lose := make(chan struct{})
		n := &node{t: t, spy: &spy{Store: s}}
		n.spy.watch = func(ctx context.Context, _ func() error) error {
			select {
			case <-lose:
				return errors.New("cut off")
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		n.cached = store.NewCached(n.spy)
		defer n.cached.Close()
		n.table = store.NewTable(n.cached, "t/", config(100))
		set(t, s, "t/a", "old")
		synctest.Wait()
		n.spy.afterGet = func(string) {
			n.spy.afterGet = nil
			lose <- struct{}{}
			synctest.Wait()
			set(t, s, "t/a", "new") // nobody tells this node
			waitFor(t, n.cached.Live)
		}
		n.want("old", 1)
		n.want("new", 1)
	})
}

func TestTableKeepsABoundedNumberOfBytes(t *testing.T) {
	s := memory.New()
	c := store.NewCached(s)
	defer c.Close()
	const records, largest, size = 2000, 10_000, 500_000
	cfg := config(1)
	cfg.CacheBytes = size
	table := store.NewTable(c, "t/", cfg)
	for i := range records { // of very different sizes: 10 MB in all
		set(t, c, fmt.Sprint("t/", i), strings.Repeat("x", i*i*largest/records/records+1))
	}
	for !c.Live() {
		if _, err := c.Range(t.Context(), "", "", 1); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for i := range records {
			if v, _, err := table.Get(t.Context(), fmt.Sprint("t/", i)); err != nil || v == nil {
				t.Fatalf("got %v and error %v", v, err)
			}
		}
	}
	if n := table.CachedBytes(); n < size/2 || n > size {
		t.Errorf("%d bytes are in memory, want up to %d, and not much less", n, size)
	}
	if n := table.CachedRecords(); n < size/(largest+store.EntryOverhead+10) || n > size/store.EntryOverhead {
		t.Errorf("%d records are in memory", n)
	}
	before := table.CachedRecords()
	for i := range records { // a stranger who guesses keys
		if v, _, err := table.Get(t.Context(), fmt.Sprint("t/none/", i)); v != nil || err != nil {
			t.Fatalf("got %v and error %v", v, err)
		}
	}
	if n := table.CachedRecords(); n > before {
		t.Errorf("absent keys took memory: %d records after %d", n, before)
	}
}

func TestARecordLargerThanTheCacheIsServedFromTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, n *node) {
		n.table = store.NewTable(n.cached, "t/", config(2))
		synctest.Wait()
		large := strings.Repeat("x", 2*store.EntryOverhead)
		set(t, n.cached, "t/b", "small")
		for range 2 {
			if v, _, err := n.table.Get(t.Context(), "t/b"); err != nil || v.s != "small" {
				t.Errorf("got %+v and error %v", v, err)
			}
		}
		set(t, n.cached, "t/a", large)
		n.want(large, 1)
		n.want(large, 1)
		if got := n.table.CachedRecords(); got != 1 {
			t.Errorf("%d records are in memory, want the small one", got)
		}
		set(t, n.cached, "t/a", "small too")
		n.want("small too", 1)
		n.want("small too", 0)
		set(t, n.cached, "t/a", large)
		n.want(large, 1)
		n.want(large, 1)
	})
}

func TestTablesOfOneStoreKeepApart(t *testing.T) {
	bubble(t, func(t *testing.T, n *node) {
		other := store.NewTable(n.cached, "u/", config(10))
		set(t, n.cached, "t/a", "1")
		set(t, n.cached, "u/a", "2")
		n.want("1", 1)
		if v, _, err := other.Get(t.Context(), "u/a"); err != nil || v.s != "2" {
			t.Errorf("got %+v and error %v", v, err)
		}
		synctest.Wait()
		set(t, n.cached, "u/a", "3")
		n.want("1", 0) // not disturbed
		if _, _, err := other.Get(t.Context(), "t/a"); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("a key of another table: got error %v", err)
		}
		if _, err := other.Put("t/a", &text{}); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("a write to another table: got error %v", err)
		}
	})
}

func TestTableGivesAllCallersOneRecord(t *testing.T) {
	bubble(t, func(t *testing.T, n *node) {
		revision := set(t, n.cached, "t/a", "1")
		first, r1, err1 := n.table.Get(t.Context(), "t/a")
		second, r2, err2 := n.table.Get(t.Context(), "t/a")
		if first != second || r1 != revision || r2 != revision || err1 != nil || err2 != nil {
			t.Errorf("got %p at %d and %p at %d, want one at %d (errors %v, %v)", first, r1, second, r2, revision, err1, err2)
		}
	})
}

func TestRecordThatCannotBeDecodedIsAnErrorWithItsKey(t *testing.T) {
	bubble(t, func(t *testing.T, n *node) {
		set(t, n.cached, "t/a", "broken")
		for range 2 {
			v, revision, err := n.table.Get(t.Context(), "t/a")
			if v != nil || revision != 0 || err == nil || err.Error() != "decoding record t/a: cannot be read" {
				t.Errorf("got %v at %d and error %v", v, revision, err)
			}
		}
		set(t, n.cached, "t/a", "repaired")
		n.want("repaired", 1)
	})
}

func TestCloseEndsTheWatchAndTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, n *node) {
		set(t, n.cached, "t/a", "1")
		if err := n.cached.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := n.table.Get(t.Context(), "t/a"); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Get: got error %v", err)
		}
		if _, err := n.spy.Store.Get(t.Context(), "t/a"); !errors.Is(err, store.ErrClosed) {
			t.Errorf("the store: got error %v", err)
		}
	}) // a goroutine that went on would keep the bubble from ending
}

// Whoever has seen a commit return must not read anything older through a table of the same node, whatever other
// readers load meanwhile.
func TestReadsNeverGoBackBehindACommitThatReturned(t *testing.T) {
	s := memory.New()
	a, b := store.NewCached(s), store.NewCached(s) // b's commits reach a by its watch alone
	defer a.Close()
	defer b.Close()
	table := store.NewTable(a, "t/", config(4)) // smaller than the number of keys, so that loads go on
	const keys, commits, readers = 8, 3000, 4
	var (
		latest [keys]atomic.Int64 // revision of the last commit through a that has returned
		hits   atomic.Int64
		done   = make(chan struct{})
		wg     sync.WaitGroup
	)
	for r := range readers {
		wg.Go(func() {
			for i := r; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				k := i % keys
				atLeast := latest[k].Load()
				_, revision, err := table.Get(context.Background(), fmt.Sprint("t/", k))
				if err != nil || revision < atLeast {
					t.Errorf("read revision %d (error %v) after the commit of %d had returned", revision, err, atLeast)
					return
				}
				hits.Add(1)
			}
		})
	}
	for i := range commits {
		k := i % keys
		key := fmt.Sprint("t/", k)
		if i%3 == 0 {
			set(t, b, key, "b")
		}
		latest[k].Store(set(t, a, key, "a"))
		if _, revision, err := table.Get(t.Context(), key); err != nil || revision < latest[k].Load() {
			t.Fatalf("the writer itself read revision %d (error %v) after %d", revision, err, latest[k].Load())
		}
	}
	close(done)
	wg.Wait()
	if hits.Load() < readers {
		t.Errorf("only %d reads", hits.Load())
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	n := newNode(t, memory.New())
	set(t, n.cached, "t/a", "1")
	for n.table.CachedRecords() == 0 { // until the watch has started
		if _, _, err := n.table.Get(t.Context(), "t/a"); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	if allocs := testing.AllocsPerRun(1000, func() {
		if _, _, err := n.table.Get(ctx, "t/a"); err != nil {
			t.Error(err)
		}
	}); allocs != 0 {
		t.Errorf("a hit allocates %v times", allocs)
	}
}
