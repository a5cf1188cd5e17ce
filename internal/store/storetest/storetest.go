// Package storetest is the contract of store.Store as tests. Every engine and every layer over one passes them.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/store"
)

// Harness is a store under test.
type Harness struct {
	// Store is open and empty. Whoever made it closes it; a test may have closed it before.
	Store store.Store
	// Forget makes the changes up to now unknown to watches, so that one from an older revision is too late.
	Forget func(t *testing.T)
	// Reopen closes the store and returns what opens in its place. nil: the records end with the store.
	Reopen func(t *testing.T) store.Store
	// Node returns a further store on the same records, as another node of a cluster has. nil: there is only one.
	Node func(t *testing.T) store.Store
}

// Run tests the store that open returns; each test opens a new one.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for name, rules := range map[string][]rule{
		"Read": readRules, "Commit": commitRules, "Concurrent": concurrentRules,
		"Watch": watchRules, "Lifetime": lifetimeRules, "Model": modelRules,
	} {
		t.Run(name, func(t *testing.T) {
			if len(rules) == 0 {
				t.Fatal("no rules")
			}
			for _, r := range rules {
				t.Run(r.name, func(t *testing.T) { r.test(t, open(t)) })
			}
		})
	}
}

// rule is one sentence of the contract.
type rule struct {
	name string
	test func(t *testing.T, h Harness)
}

// patience is how long a test waits for what must come before it fails.
const patience = 30 * time.Second

func put(key, value string) store.Put { return store.Put{Key: key, Value: []byte(value)} }

func absent(key string) store.Check { return store.Check{Key: key} }

// commit makes t's changes or fails the test.
func commit(t testing.TB, s store.Store, txn store.Txn) int64 {
	t.Helper()
	revision, err := s.Commit(context.Background(), txn)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return revision
}

// set writes one record.
func set(t testing.TB, s store.Store, key, value string) int64 {
	t.Helper()
	return commit(t, s, store.Txn{Puts: []store.Put{put(key, value)}})
}

// get reads a record or fails the test.
func get(t testing.TB, s store.Store, key string) store.Record {
	t.Helper()
	r, err := s.Get(context.Background(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	if r.Key != key {
		t.Fatalf("Get(%q) returned the record of %q", key, r.Key)
	}
	return r
}

// page reads a page or fails the test.
func page(t testing.TB, s store.Store, prefix, after string, limit int) store.Page {
	t.Helper()
	p, err := s.Range(context.Background(), prefix, after, limit)
	if err != nil {
		t.Fatalf("Range(%q, %q, %d): %v", prefix, after, limit, err)
	}
	return p
}

// keys are the keys of a page.
func keys(p store.Page) []string {
	var out []string
	for _, r := range p.Records {
		out = append(out, r.Key)
	}
	return out
}

// scan reads all records under prefix, a page of limit at a time.
func scan(t testing.TB, s store.Store, prefix string, limit int) []store.Record {
	t.Helper()
	var out []store.Record
	after := ""
	for {
		p := page(t, s, prefix, after, limit)
		out = append(out, p.Records...)
		if !p.More {
			return out
		}
		if len(p.Records) == 0 {
			t.Fatal("an empty page says that more follows")
		}
		after = p.Records[len(p.Records)-1].Key
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// wantRecord checks the stored value; want "" with revision 0 is absence.
func wantRecord(t testing.TB, s store.Store, key, want string, revision int64) {
	t.Helper()
	r := get(t, s, key)
	if string(r.Value) != want || r.Revision != revision {
		t.Errorf("%s: got %q at revision %d, want %q at %d", key, r.Value, r.Revision, want, revision)
	}
}

func nthKey(prefix string, n int) string { return fmt.Sprintf("%s%06d", prefix, n) }

// Flood writes so much that a store with a bounded memory of changes forgets those before it: a Forget for engines that
// have no other.
func Flood(t *testing.T, s store.Store) {
	t.Helper()
	for range 8 {
		set(t, s, "flood", string(make([]byte, store.MaxValueBytes)))
	}
	commit(t, s, store.Txn{Deletes: []string{"flood"}})
}
