package storetest

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/store"
)

var modelRules = []rule{
	{"random operations agree with a map", func(t *testing.T, h Harness) { runModel(t, h, modelSeed(t)) }},
	{"random operations agree with a map, seed 1", func(t *testing.T, h Harness) { runModel(t, h, 1) }},
	{"random operations agree with a map, seed 2", func(t *testing.T, h Harness) { runModel(t, h, 2) }},
}

// modelSeed is TRENT_STORE_SEED, to repeat a failure, or random.
func modelSeed(t *testing.T) uint64 {
	s := os.Getenv("TRENT_STORE_SEED")
	if s == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("TRENT_STORE_SEED: %v", err)
	}
	return seed
}

const (
	modelSteps = 400
	modelKeys  = 40 // few, so that operations meet
)

// model is the store as it should be.
type model struct {
	t        *testing.T
	s        store.Store
	rng      *rand.Rand
	records  map[string]store.Record
	revision int64
	// committed counts transactions with changes, conflicts those refused.
	committed, conflicts int
}

func runModel(t *testing.T, h Harness, seed uint64) {
	t.Logf("seed %d", seed)
	m := &model{t: t, s: h.Store, rng: rand.New(rand.NewPCG(seed, 0)), records: map[string]store.Record{}}
	m.revision = page(t, m.s, "", "", 1).Revision
	seen := watch(t, m.s, "", m.revision)
	replay := map[string]store.Record{}
	for range modelSteps {
		switch m.rng.IntN(10) {
		case 0:
			m.get()
		case 1, 2:
			m.scan()
		default:
			if m.commit() {
				apply(replay, seen.next())
			}
		}
	}
	m.whole()
	if diff := cmp.Diff(m.records, replay); diff != "" {
		t.Errorf("the watched changes make other records (-model +watched):\n%s", diff)
	}
	if h.Reopen != nil {
		m.s = h.Reopen(t)
		m.whole()
	}
	if m.committed < 20 || m.conflicts < 20 {
		t.Errorf("only %d commits and %d conflicts were tried", m.committed, m.conflicts)
	}
}

func apply(records map[string]store.Record, changes []store.Change) {
	for _, c := range changes {
		if c.Value == nil {
			delete(records, c.Key)
		} else {
			records[c.Key] = store.Record(c)
		}
	}
}

// key returns one of modelKeys keys, many of which are prefixes of others.
func (m *model) key() string {
	n := m.rng.IntN(modelKeys)
	return strings.Repeat("a", n%4+1) + []string{"", "/", "~", "/b", "!"}[n/4%5] + strings.Repeat("z", n/20)
}

func (m *model) get() {
	key := m.key()
	want, ok := m.records[key]
	if !ok {
		want = store.Record{Key: key}
	}
	if diff := cmp.Diff(want, get(m.t, m.s, key)); diff != "" {
		m.t.Fatalf("Get(%q) (-want +got):\n%s", key, diff)
	}
}

// scan compares one random page.
func (m *model) scan() {
	prefix, after, limit := m.key(), "", m.rng.IntN(5)+1
	prefix = prefix[:m.rng.IntN(len(prefix)+1)]
	if m.rng.IntN(2) == 0 {
		after = m.key()
	}
	want := store.Page{Revision: m.revision}
	for _, key := range slices.Sorted(maps.Keys(m.records)) {
		if !strings.HasPrefix(key, prefix) || after != "" && key <= after {
			continue
		}
		if want.More = len(want.Records) == limit; want.More {
			break
		}
		want.Records = append(want.Records, m.records[key])
	}
	if diff := cmp.Diff(want, page(m.t, m.s, prefix, after, limit)); diff != "" {
		m.t.Fatalf("Range(%q, %q, %d) (-want +got):\n%s", prefix, after, limit, diff)
	}
}

// commit makes a random transaction and reports whether it changed anything.
func (m *model) commit() bool {
	var txn store.Txn
	holds := true
	for range m.rng.IntN(3) {
		c := store.Check{Key: m.key()}
		c.Revision = m.records[c.Key].Revision
		if m.rng.IntN(5) == 0 {
			c.Revision = m.rng.Int64N(m.revision + 2)
		}
		holds = holds && c.Revision == m.records[c.Key].Revision
		txn.Checks = append(txn.Checks, c)
	}
	written := map[string]bool{}
	for range m.rng.IntN(4) {
		key := m.key()
		if written[key] {
			continue
		}
		written[key] = true
		if m.rng.IntN(3) == 0 {
			txn.Deletes = append(txn.Deletes, key)
		} else {
			txn.Puts = append(txn.Puts, put(key, strings.Repeat("v", m.rng.IntN(30))))
		}
	}
	return m.compare(txn, holds)
}

func (m *model) compare(txn store.Txn, holds bool) bool {
	revision, err := m.s.Commit(context.Background(), txn)
	if !holds {
		m.conflicts++
		wantErr(m.t, "Commit", err, store.ErrConflict)
		return false
	}
	if err != nil {
		m.t.Fatalf("Commit(%+v): %v", txn, err)
	}
	changed := m.apply(txn, revision)
	if changed == (revision == m.revision) || revision < m.revision {
		m.t.Fatalf("revision %d after %d, changed: %v", revision, m.revision, changed)
	}
	if changed {
		m.committed++
		m.revision = revision
	}
	return changed
}

func (m *model) apply(txn store.Txn, revision int64) (changed bool) {
	for _, p := range txn.Puts {
		m.records[p.Key] = store.Record{Key: p.Key, Value: p.Value, Revision: revision}
		changed = true
	}
	for _, key := range txn.Deletes {
		if _, was := m.records[key]; was {
			delete(m.records, key)
			changed = true
		}
	}
	return changed
}

// whole compares all records.
func (m *model) whole() {
	m.t.Helper()
	got := map[string]store.Record{}
	for _, r := range scan(m.t, m.s, "", 7) {
		got[r.Key] = r
	}
	if diff := cmp.Diff(m.records, got); diff != "" {
		m.t.Fatalf("all records (-model +store):\n%s", diff)
	}
}
