package kms_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/uuid"
)

// What was used while a flush was writing is for the next flush, and known all the time.
func TestUseDuringAFlush(t *testing.T) {
	n := newNodes(t, 1)[0]
	u := n.as(alice)
	id := u.createKey()
	first, second := u.use(id), ""
	n.gate.before = func(store.Txn) error {
		if second == "" {
			second = u.use(id)
		}
		return nil
	}
	n.flush()
	if stored, known := n.stored()[u.usagePath(id)].RequestID, u.lastRequest(id); stored != first || known != second {
		t.Errorf("stored %s and known %s, want %s and %s", stored, known, first, second)
	}
	n.flush()
	if stored := n.stored()[u.usagePath(id)].RequestID; stored != second || n.service.UsageNotes() != 0 {
		t.Errorf("stored %s, want %s; %d notes are left", stored, second, n.service.UsageNotes())
	}
}

// A flush that fails loses nothing, whether or not the store has done what it said it had not.
func TestFlushThatFails(t *testing.T) {
	for _, applied := range []bool{false, true} {
		n := newNodes(t, 1)[0]
		u := n.as(alice)
		id := u.createKey()
		used := u.use(id)
		n.gate.before = func(txn store.Txn) error {
			if applied {
				commit(t, n.store, txn)
			}
			return errDown
		}
		for range 2 {
			if err := n.service.FlushUsage(t.Context()); !applied && !errors.Is(err, errDown) {
				t.Errorf("applied %t: got %v, want %v", applied, err, errDown)
			}
			if got := u.lastRequest(id); got != used {
				t.Errorf("applied %t: got %s, want %s", applied, got, used)
			}
		}
		n.gate.before = nil
		n.flush()
		if got := n.stored()[u.usagePath(id)].RequestID; got != used || n.service.UsageNotes() != 0 {
			t.Errorf("applied %t: stored %s, want %s; %d notes are left", applied, got, used, n.service.UsageNotes())
		}
	}
}

// A key whose records change all the time does not keep the others from being written.
func TestFlushMeetsConflicts(t *testing.T) {
	n := newNodes(t, 1)[0]
	u := n.as(alice)
	var keys []string
	for range kms.UsageBatch {
		keys = append(keys, u.createKey())
		u.use(keys[len(keys)-1])
	}
	busy := u.usagePath(keys[7])
	n.gate.before = func(txn store.Txn) error {
		if slices.ContainsFunc(txn.Puts, func(p store.Put) bool { return p.Key == busy }) {
			return store.ErrConflict
		}
		return nil
	}
	if err := n.service.FlushUsage(t.Context()); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), keys[7]) {
		t.Errorf("got %v, want a conflict about key %s", err, keys[7])
	}
	if stored := n.stored(); len(stored) != len(keys)-1 || stored[busy] != nil || n.service.UsageNotes() != 1 {
		t.Errorf("%d records of %d keys, %d notes", len(stored), len(keys), n.service.UsageNotes())
	}
	conflicts := 5
	n.gate.before = func(store.Txn) error {
		if conflicts--; conflicts >= 0 {
			return store.ErrConflict
		}
		return nil
	}
	n.flush()
	if n.stored()[busy] == nil {
		t.Error("after the conflicts: not written")
	}
}

// The sweep takes the last usage away with the key, and a flush that was on its way does not bring it back.
func TestFlushLeavesNothingOfADestroyedKey(t *testing.T) {
	for _, row := range []struct {
		name   string
		before bool // the sweep comes before the flush, not while it writes
		stored bool // there is a record already
	}{{"destroyed before", true, false}, {"destroyed before, stored", true, true}, {"destroyed meanwhile", false, false}, {"destroyed meanwhile, stored", false, true}} {
		nodes := newNodes(t, 2)
		n, sweeper := nodes[0], nodes[1]
		u := n.as(alice)
		id, other := u.createKey(), u.createKey()
		u.use(id)
		if row.stored {
			n.flush()
			u.use(id)
		}
		u.use(other)
		u.schedule(id)
		sweep := sync.OnceFunc(func() {
			sweeper.clock.Advance(8 * day)
			if err := sweeper.service.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
		})
		if row.before {
			sweep()
		}
		n.gate.before = func(store.Txn) error { sweep(); return nil }
		n.flush()
		if all := n.stored(); all[u.usagePath(id)] != nil || all[u.usagePath(other)] == nil || n.service.UsageNotes() != 0 {
			t.Errorf("%s: records %v, %d notes", row.name, all, n.service.UsageNotes())
		}
		if got := u.keyState(id); got != "" {
			t.Errorf("%s: the key is %s", row.name, got)
		}
	}
}

// With flushes, sweeps and uses all at once, no record is left of a key that is not there.
func TestFlushRacesWithDestruction(t *testing.T) {
	nodes := newNodes(t, 2)
	n, sweeper := nodes[0], nodes[1]
	u := n.as(alice)
	sweeper.clock.Advance(8 * day) // every key that is scheduled is due there
	together(func(worker int) {
		for range 2 * each {
			switch worker {
			case 0:
				n.flush()
			case 1:
				// A key that changes under the sweep is for the next one.
				if err := sweeper.service.Sweep(t.Context()); err != nil && !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			default:
				id := u.createKey()
				u.use(id)
				u.schedule(id)
			}
		}
	})
	n.flush()
	if err := sweeper.service.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.flush()
	if all := n.stored(); len(all) != 0 || n.service.UsageNotes() != 0 {
		t.Errorf("%d records and %d notes of keys that are gone", len(all), n.service.UsageNotes())
	}
}

// In development a key can have the id of one that was destroyed. It does not inherit its past.
func TestLastUsageIsNotInherited(t *testing.T) {
	n := newNodes(t, 1)[0]
	u := n.as(alice)
	id := u.createKey()
	u.use(id)
	r, err := n.store.Get(t.Context(), u.keyPath(id))
	if err != nil {
		t.Fatal(err)
	}
	created := u.describe(id).CreationDate.Format("2006-01-02")
	younger := strings.Replace(string(r.Value), `"created":"`+created, `"created":"2031-01-01`, 1)
	if younger == string(r.Value) {
		t.Fatal("the record was not changed")
	}
	if _, err := n.cached.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: u.keyPath(id), Value: []byte(younger)}}}); err != nil {
		t.Fatal(err)
	}
	if got := u.lastRequest(id); got != "" {
		t.Errorf("the new key was used by %s", got)
	}
	n.flush()
	if len(n.stored()) != 0 || n.service.UsageNotes() != 0 {
		t.Errorf("stored %v, %d notes", n.stored(), n.service.UsageNotes())
	}
}

// A record that cannot be read, perhaps because it is of the future, is not overwritten, and keeps no other from being
// written.
func TestDamagedRecordOfLastUsage(t *testing.T) {
	for _, damaged := range []string{"", "x", "{}", `{"v":2}`, `{"v":1,"new":1}`} {
		n := newNodes(t, 1)[0]
		u := n.as(alice)
		id, other := u.createKey(), u.createKey()
		path := u.usagePath(id)
		commit(t, n.store, store.Txn{Puts: []store.Put{{Key: path, Value: []byte(damaged)}}})
		u.use(id)
		u.use(other)
		if err := n.service.FlushUsage(t.Context()); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), id) {
			t.Errorf("%q: got %v", damaged, err)
		}
		r, err := n.store.Get(t.Context(), path)
		if err != nil || string(r.Value) != damaged || n.service.UsageNotes() != 1 {
			t.Errorf("%q: the record is %q (%v), %d notes", damaged, r.Value, err, n.service.UsageNotes())
		}
		if r, err := n.store.Get(t.Context(), u.usagePath(other)); err != nil || r.Revision == 0 {
			t.Errorf("%q: the other key's use was not written: %v", damaged, err)
		}
		n.setFaulty(true)
		u.refusedAs(&kmsapi.GetKeyLastUsageRequest{KeyId: &id}, "KMSInternalException")
	}
}

// More keys than there is room for: those who need room write first, memory stays bounded and nothing is lost.
func TestMoreKeysThanNotes(t *testing.T) {
	n := newNodes(t, 1)[0]
	n.service.LimitUsage(8)
	u := n.as(alice)
	var mu sync.Mutex
	want := map[string]string{}
	together(func(int) {
		for range each {
			id := u.createKey()
			used := u.use(id)
			mu.Lock()
			want[id] = used
			mu.Unlock()
			if notes := n.service.UsageNotes(); notes > 8+workers { // counted before they are refused
				t.Errorf("%d notes", notes)
			}
		}
	})
	for id, request := range want {
		if got := u.lastRequest(id); got != request {
			t.Errorf("got %q, want %s", got, request)
		}
	}
	n.flush()
	if len(want) != workers*each || len(n.stored()) != len(want) {
		t.Errorf("%d records of %d keys", len(n.stored()), len(want))
	}
}

// Without room and without a store, keys can still be used, at no more than one attempt to write; what was noted is
// kept, and when the store is back so is everything.
func TestMoreKeysThanNotesAndNoStore(t *testing.T) {
	n := newNodes(t, 1)[0]
	n.service.LimitUsage(8)
	u := n.as(alice)
	var keys []string
	for range 20 {
		keys = append(keys, u.createKey())
	}
	n.gate.before = down
	before := n.gate.commits.Load()
	for _, id := range keys {
		u.use(id)
	}
	if tried, notes := n.gate.commits.Load()-before, n.service.UsageNotes(); tried != 1 || notes != 8 {
		t.Errorf("%d attempts and %d notes, want 1 and 8", tried, notes)
	}
	if err := n.service.FlushUsage(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("got %v", err)
	}
	n.gate.before = nil
	for _, id := range keys {
		used := u.use(id)
		if got := u.lastRequest(id); got != used {
			t.Errorf("got %q, want %s", got, used)
		}
	}
	n.flush()
	if len(n.stored()) != len(keys) {
		t.Errorf("%d records of %d keys", len(n.stored()), len(keys))
	}
}

// plainKeys is a service with records of keys in its store, for what needs no cryptography.
type plainKeys struct {
	*kms.Service
	store *memory.Store
	keys  []*kms.Key
}

func newPlainKeys(t testing.TB, n int) *plainKeys {
	t.Helper()
	p := &plainKeys{store: memory.New()}
	for i := range n {
		id := fmt.Sprintf("%08x-12ab-34cd-56ef-1234567890ab", i)
		value := []byte(`{"v":1,"account":"` + alice + `","region":"` + region + `","id":"` + id + `","created":"2025-01-01T00:00:00Z",` +
			`"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS","state":"Enabled","materials":[{"id":"m","created":"2025-01-01T00:00:00Z"}]}`)
		k, err := kms.DecodeKey(value)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.store.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: "kms/key/" + alice + "/" + region + "/" + id, Value: value}}}); err != nil {
			t.Fatal(err)
		}
		p.keys = append(p.keys, k)
	}
	cached := store.NewCached(p.store)
	t.Cleanup(func() { cached.Close() })
	p.Service = kms.New(kms.Config{Store: cached, Log: slog.New(slog.DiscardHandler)})
	return p
}

func (p *plainKeys) use(k *kms.Key, at time.Time, request string) {
	p.NoteUse(&service.Call{Operation: "Decrypt", Now: at, RequestID: request, Event: new(audit.Event)}, k)
}

// stored counts the records of last usage.
func (p *plainKeys) stored(t testing.TB) int {
	t.Helper()
	page, err := p.store.Range(context.WithoutCancel(t.Context()), "kms/usage/", "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Records)
}

// The bound that is promised holds: within it the store has what was used, at the end everything, and when the memory is
// half full it does not wait.
func TestUsageIsWrittenWithinTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlainKeys(t, 7)
		p.LimitUsage(10)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { p.RunUsage(ctx); close(ended) }()
		start := time.Now()
		p.use(p.keys[0], start, "a")
		synctest.Wait()
		if n := p.stored(t); n != 0 {
			t.Errorf("%d records at once, want 0", n)
		}
		time.Sleep(kms.UsageBound) // of the bubble
		synctest.Wait()
		if n := p.stored(t); n != 1 {
			t.Errorf("after the bound: %d records, want 1", n)
		}
		for _, k := range p.keys[1:6] {
			p.use(k, time.Now(), "b")
		}
		now := time.Now()
		synctest.Wait()
		if n := p.stored(t); n != 6 || !time.Now().Equal(now) {
			t.Errorf("half full: %d records after %s, want 6 at once", n, time.Since(now))
		}
		p.use(p.keys[6], time.Now(), "c")
		stop()
		<-ended
		if n := p.stored(t); n != 7 || p.UsageNotes() != 0 {
			t.Errorf("at the end: %d records and %d notes, want 7 and 0", n, p.UsageNotes())
		}
	})
}

// Of two requests at the same time the earlier may end last.
func TestTheLaterUseOnOneNodeWins(t *testing.T) {
	p := newPlainKeys(t, 1)
	now := time.Now()
	p.use(p.keys[0], now, "later")
	p.use(p.keys[0], now.Add(-time.Microsecond), "earlier")
	if err := p.FlushUsage(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := p.store.Range(t.Context(), "kms/usage/", "", 10)
	if err != nil || len(page.Records) != 1 {
		t.Fatal(page, err)
	}
	if u, err := kms.DecodeUsage(page.Records[0].Value); err != nil || u.RequestID != "later" {
		t.Errorf("stored %v (%v)", u, err)
	}
}

// Whatever comes together, what is stored in the end is the latest use of each key.
func TestTheLatestOfConcurrentUsesIsStored(t *testing.T) {
	p := newPlainKeys(t, 3)
	start := time.Now()
	var latest atomic.Int64
	together(func(worker int) {
		for i := range 200 {
			if worker == 0 && i%10 == 0 {
				if err := p.FlushUsage(t.Context()); err != nil {
					t.Error(err)
				}
			}
			at := latest.Add(1)
			p.use(p.keys[at%3], start.Add(time.Duration(at)), fmt.Sprint(at))
		}
	})
	if err := p.FlushUsage(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := p.store.Range(t.Context(), "kms/usage/", "", 10)
	if err != nil || len(page.Records) != 3 {
		t.Fatal(page, err)
	}
	last := latest.Load()
	for i, r := range page.Records { // in the order of the keys
		want := last - (last-int64(i)+3)%3
		if u, err := kms.DecodeUsage(r.Value); err != nil || u.RequestID != fmt.Sprint(want) {
			t.Errorf("%s: %v %v, want use %d", r.Key, u, err, want)
		}
	}
}

func FuzzUsageRecord(f *testing.F) {
	for _, s := range []string{"", "{}", `{"v":1}`, `{"v":2}`, `{"v":1,"operation":"Decrypt","at":"2025-05-21T17:47:45.1Z","request_id":"r","event_id":"e"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if u, err := kms.DecodeUsage(b); (u == nil) == (err == nil) {
			t.Errorf("got %v and %v", u, err)
		}
	})
}

// BenchmarkNoteUse is what the note costs each operation: with the id of the audit record, which it makes instead of the
// audit log, and without.
func BenchmarkNoteUse(b *testing.B) {
	p := newPlainKeys(b, 1024)
	request := uuid.New()
	call := func(id string) *service.Call {
		return &service.Call{Operation: "Decrypt", Now: time.Now(), RequestID: request, Event: &audit.Event{ID: id}}
	}
	for _, id := range []string{"", uuid.New()} {
		name := "with id"
		if id != "" {
			name = "without id"
		}
		b.Run(name, func(b *testing.B) {
			c := call(id)
			b.ReportAllocs()
			for b.Loop() {
				c.Event.ID = id
				p.NoteUse(c, p.keys[0])
			}
		})
	}
	for _, keys := range []int{1, len(p.keys)} {
		b.Run(fmt.Sprintf("parallel, %d keys", keys), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				c, i := call(""), 0
				for pb.Next() {
					c.Event.ID = ""
					p.NoteUse(c, p.keys[i%keys])
					i++
				}
			})
		})
	}
}

// BenchmarkFlushUsage writes the use of 1,000 keys.
func BenchmarkFlushUsage(b *testing.B) {
	p := newPlainKeys(b, 1000)
	at := time.Now()
	for b.Loop() {
		at = at.Add(time.Second)
		for _, k := range p.keys {
			p.use(k, at, "r")
		}
		if err := p.FlushUsage(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
