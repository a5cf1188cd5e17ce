package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/etcd"
	"github.com/trent-kms/trent/internal/store/etcd/etcdtest"
)

const patience = 60 * time.Second

// chaosWriter writes a chain of records, each with one transaction that creates step n and moves its count from n-1 to n.
type chaosWriter struct {
	s        store.Store
	dir      string
	acked    []int64 // revision of each step that was acknowledged, 0 for one that was found done after an error
	revision int64   // of the count
	doubts   int     // errors that left the outcome open
}

// step does the next step. An error leaves open whether it was done; then it reads to know.
func (w *chaosWriter) step(ctx context.Context) error {
	n := len(w.acked)
	count := w.dir + "count"
	revision, err := w.s.Commit(ctx, store.Txn{
		Checks: []store.Check{{Key: w.key(n)}, {Key: count, Revision: w.revision}},
		Puts:   []store.Put{{Key: w.key(n), Value: []byte(w.dir)}, {Key: count, Value: []byte(strconv.Itoa(n))}},
	})
	if err == nil {
		w.acked, w.revision = append(w.acked, revision), revision
		return nil
	}
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("step %d: nobody else writes here: %w", n, err)
	}
	w.doubts++
	return w.look(ctx, n)
}

func (w *chaosWriter) key(n int) string { return fmt.Sprintf("%sstep/%08d", w.dir, n) }

// look reads whether step n was done, as often as it takes.
func (w *chaosWriter) look(ctx context.Context, n int) error {
	for ctx.Err() == nil {
		r, err := w.s.Get(ctx, w.key(n))
		if err != nil {
			continue
		}
		if r.Revision != 0 {
			w.acked, w.revision = append(w.acked, 0), r.Revision
		}
		return nil
	}
	return ctx.Err()
}

// TestKilledLeaderLosesNothingAcknowledged kills the leader twice while writers go on, and starts it again.
func TestKilledLeaderLosesNothingAcknowledged(t *testing.T) {
	c := etcdtest.Start(t)
	s := open(t, etcd.Config{Endpoints: c.Endpoints(), Prefix: "/chaos"})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	const writers = 16
	var (
		all   [writers]*chaosWriter
		done  atomic.Int64
		wg    sync.WaitGroup
		begun = page(t, s).Revision
	)
	writing, stop := context.WithCancel(ctx)
	for i := range writers {
		w := &chaosWriter{s: s, dir: fmt.Sprintf("%02d/", i)}
		all[i] = w
		wg.Go(func() {
			for writing.Err() == nil {
				if err := w.step(ctx); err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
				done.Add(1)
			}
		})
	}
	watched := watchSteps(ctx, s, begun)
	more := func(n int64) { // waits until n more steps are done
		for until := done.Load() + n; done.Load() < until; {
			if _, err := s.Get(ctx, "none"); err != nil && ctx.Err() != nil {
				t.Fatal("the writers are stuck")
			}
		}
	}
	for range 2 {
		more(300)
		leader := c.Leader()
		c.Kill(leader)
		more(300) // the others go on
		c.Restart(leader)
		more(100)
	}
	stop()
	wg.Wait()
	last := set(t, s, "end", "")

	steps, doubts := 0, 0
	for _, w := range all {
		steps += len(w.acked)
		doubts += w.doubts
		w.check(t, open(t, etcd.Config{Endpoints: c.Endpoints(), Prefix: "/chaos"}))
	}
	t.Logf("%d steps done, %d errors in doubt", steps, doubts)
	if got := <-watched; got.err != nil || got.steps != steps || got.last != last {
		t.Errorf("the watch saw %d steps up to revision %d and error %v, want %d up to %d", got.steps, got.last, got.err, steps, last)
	}
}

// check compares what is stored with what was acknowledged.
func (w *chaosWriter) check(t *testing.T, s store.Store) {
	t.Helper()
	p, err := s.Range(t.Context(), w.dir+"step/", "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Records) != len(w.acked) {
		t.Errorf("%s: %d steps are there, want %d", w.dir, len(p.Records), len(w.acked))
		return
	}
	for n, r := range p.Records {
		if r.Key != w.key(n) || w.acked[n] != 0 && w.acked[n] != r.Revision {
			t.Errorf("%s at %d, want %s at %d", r.Key, r.Revision, w.key(n), w.acked[n])
		}
	}
	count, err := s.Get(t.Context(), w.dir+"count")
	if err != nil || string(count.Value) != strconv.Itoa(len(w.acked)-1) {
		t.Errorf("%s: the count is %s (error %v) after %d steps", w.dir, count.Value, err, len(w.acked))
	}
}

type watchedSteps struct {
	steps int
	last  int64
	err   error
}

// watchSteps counts the steps that a watch sees until the end, each of which must come as one call. Where the watch ends
// because it is cut off, it goes on from there, as a cache would not but may.
func watchSteps(ctx context.Context, s store.Store, from int64) <-chan watchedSteps {
	out := make(chan watchedSteps, 1)
	end := errors.New("end")
	go func() {
		w := watchedSteps{last: from}
		for ctx.Err() == nil {
			err := s.Watch(ctx, "", w.last, func(changes []store.Change) error {
				w.last = changes[0].Revision
				if changes[0].Key == "end" {
					return end
				}
				if len(changes) != 2 {
					return fmt.Errorf("a step came as %d changes", len(changes))
				}
				w.steps++
				return nil
			})
			if errors.Is(err, end) {
				out <- w
				return
			}
		}
		w.err = ctx.Err()
		out <- w
	}()
	return out
}

func page(t *testing.T, s store.Store) store.Page {
	t.Helper()
	p, err := s.Range(t.Context(), "", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func set(t *testing.T, s store.Store, key, value string) int64 {
	t.Helper()
	revision, err := s.Commit(t.Context(), put(key, value))
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// TestNodeThatIsCutOffStopsServingItsCache stops two of three members without ending their connections. The node cannot
// know whether records change elsewhere now, and after store.WatchBound must no longer answer from its cache.
func TestNodeThatIsCutOffStopsServingItsCache(t *testing.T) {
	c := etcdtest.Start(t)
	cfg := etcd.Config{Endpoints: c.Endpoints(), Prefix: "/cache"}
	node, other := store.NewCached(open(t, cfg)), open(t, cfg)
	defer node.Close()
	table := store.NewTable(node, "t/", store.TableConfig[string]{
		Encode:     func(s *string) ([]byte, error) { return []byte(*s), nil },
		Decode:     func(b []byte) (*string, error) { s := string(b); return &s, nil },
		CacheBytes: 1 << 20,
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	shows := func(want string) {
		t.Helper()
		for {
			v, _, err := table.Get(ctx, "t/a")
			if err == nil && v != nil && *v == want {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("the table does not show %q but %v (error %v)", want, v, err)
			}
		}
	}
	cached := func() bool { // the answer comes without a wait for etcd
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_, _, err := table.Get(gone, "t/a")
		return err == nil
	}
	for i := range 5 {
		set(t, other, "t/a", strconv.Itoa(i))
		shows(strconv.Itoa(i))
	}
	for !cached() {
		shows("4")
	}

	cut := time.Now()
	c.Pause(0)
	c.Pause(1)
	for cached() {
		if time.Since(cut) > store.WatchBound+time.Second {
			t.Fatalf("%v after the cut the node still answers from its cache", time.Since(cut))
		}
	}
	t.Logf("the cache was dropped %v after the cut", time.Since(cut))
	c.Resume(0)
	c.Resume(1)
	for { // the outcome of a commit may be in doubt until the members have found each other
		if _, err := other.Commit(ctx, put("t/a", "after")); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	shows("after")
	for !cached() {
		shows("after")
	}
}
