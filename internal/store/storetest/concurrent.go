package storetest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/trent-kms/trent/internal/store"
)

var concurrentRules = []rule{
	{"counters under compare-and-swap lose no update", testCounters},
	{"a page is of one moment", testTransfers},
	{"of many creators of one key, one wins", testCreators},
}

// increment is one acknowledged step of a counter. began and ended order the calls in real time.
type increment struct {
	began, ended, revision int64
	value                  int
}

// testCounters lets writers fight for counters and checks the history of each: every value once, in the order of the
// revisions, and never a smaller value by a call that began after another had ended.
func testCounters(t *testing.T, h Harness) {
	const writers, counters, each = 8, 2, 25
	var (
		mu      sync.Mutex
		history [counters][]increment
		clock   atomic.Int64
		wg      sync.WaitGroup
	)
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				c := (w + n) % counters
				step, err := incrementOnce(h.Store, nthKey("counter", c), &clock)
				if err != nil {
					t.Errorf("increment: %v", err)
					return
				}
				mu.Lock()
				history[c] = append(history[c], step)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	total := 0
	for c, steps := range history {
		total += len(steps)
		checkHistory(t, steps)
		if got := string(get(t, h.Store, nthKey("counter", c)).Value); got != strconv.Itoa(len(steps)) {
			t.Errorf("counter %d is %s after %d acknowledged increments", c, got, len(steps))
		}
	}
	if total != writers*each {
		t.Errorf("%d increments, want %d", total, writers*each)
	}
}

// incrementOnce reads and swaps until it succeeds.
func incrementOnce(s store.Store, key string, clock *atomic.Int64) (increment, error) {
	for {
		began := clock.Add(1)
		r, err := s.Get(context.Background(), key)
		if err != nil {
			return increment{}, err
		}
		value := 1
		if r.Revision != 0 {
			old, err := strconv.Atoi(string(r.Value))
			if err != nil {
				return increment{}, err
			}
			value += old
		}
		revision, err := s.Commit(context.Background(), store.Txn{
			Checks: []store.Check{{Key: key, Revision: r.Revision}},
			Puts:   []store.Put{put(key, strconv.Itoa(value))},
		})
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		return increment{began, clock.Add(1), revision, value}, err
	}
}

func checkHistory(t *testing.T, steps []increment) {
	t.Helper()
	slices.SortFunc(steps, func(a, b increment) int { return a.value - b.value })
	earliestEnd := int64(1) << 62 // of the steps with greater values
	for i, s := range slices.Backward(steps) {
		if s.value != i+1 {
			t.Fatalf("value %d stands where %d should: an update was lost or made twice", s.value, i+1)
		}
		if i > 0 && steps[i-1].revision >= s.revision {
			t.Errorf("value %d has revision %d, the one before it %d", s.value, s.revision, steps[i-1].revision)
		}
		if s.began > earliestEnd {
			t.Errorf("value %d was written by a call that began after a greater value was acknowledged", s.value)
		}
		earliestEnd = min(earliestEnd, s.ended)
	}
}

// testTransfers moves amounts between two records while readers check that no page shows half a move.
func testTransfers(t *testing.T, h Harness) {
	const sum, moves = 1000, 60
	commit(t, h.Store, store.Txn{Puts: []store.Put{put("account/a", strconv.Itoa(sum)), put("account/b", "0")}})
	var writers, readers sync.WaitGroup
	var reads atomic.Int64
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				if got := total(t, h.Store); got != sum {
					t.Errorf("a page shows a sum of %d", got)
					return
				}
				reads.Add(1)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			for range moves / 4 {
				if err := move(h.Store, w+1); err != nil {
					t.Errorf("move: %v", err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	if reads.Load() < 2 {
		t.Error("nothing was read")
	}
}

func total(t *testing.T, s store.Store) int {
	p, err := s.Range(context.Background(), "account/", "", 10)
	if err != nil {
		t.Errorf("Range: %v", err)
		return 0
	}
	sum := 0
	for _, r := range p.Records {
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			t.Error(err)
		}
		sum += n
	}
	return sum
}

// move takes an amount from one account to the other, until it succeeds.
func move(s store.Store, amount int) error {
	for {
		p, err := s.Range(context.Background(), "account/", "", 2)
		if err != nil {
			return err
		}
		a, b := p.Records[0], p.Records[1]
		x, _ := strconv.Atoi(string(a.Value))
		y, _ := strconv.Atoi(string(b.Value))
		_, err = s.Commit(context.Background(), store.Txn{
			Checks: []store.Check{{Key: a.Key, Revision: a.Revision}, {Key: b.Key, Revision: b.Revision}},
			Puts:   []store.Put{put(a.Key, strconv.Itoa(x-amount)), put(b.Key, strconv.Itoa(y+amount))},
		})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func testCreators(t *testing.T, h Harness) {
	const creators = 16
	for round := range 5 {
		key := nthKey("key", round)
		var wins atomic.Int64
		var wg sync.WaitGroup
		for i := range creators {
			wg.Go(func() {
				_, err := h.Store.Commit(context.Background(), store.Txn{
					Checks: []store.Check{absent(key)},
					Puts:   []store.Put{put(key, nthKey("", i)), put(nthKey(key+"/by", i), "")},
				})
				switch {
				case err == nil:
					wins.Add(1)
				case !errors.Is(err, store.ErrConflict):
					t.Errorf("Commit: %v", err)
				}
			})
		}
		wg.Wait()
		winner := string(get(t, h.Store, key).Value)
		traces := keys(page(t, h.Store, key+"/by", "", creators))
		if wins.Load() != 1 || len(traces) != 1 || traces[0] != key+"/by"+winner {
			t.Errorf("%d winners, winner %s, traces %v", wins.Load(), winner, traces)
		}
	}
}
