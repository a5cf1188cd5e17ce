package storetest

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/store"
)

var commitRules = []rule{
	{"a check of revision 0 creates only", func(t *testing.T, h Harness) {
		create := store.Txn{Checks: []store.Check{absent("a")}, Puts: []store.Put{put("a", "1")}}
		first := commit(t, h.Store, create)
		create.Puts[0].Value = []byte("2")
		conflict(t, h.Store, create)
		wantRecord(t, h.Store, "a", "1", first)
	}},
	{"a check of a revision swaps", func(t *testing.T, h Harness) {
		swap := func(revision int64, value string) store.Txn {
			return store.Txn{Checks: []store.Check{{Key: "a", Revision: revision}}, Puts: []store.Put{put("a", value)}}
		}
		conflict(t, h.Store, swap(1, "absent"))
		first := set(t, h.Store, "a", "1")
		second := commit(t, h.Store, swap(first, "2"))
		conflict(t, h.Store, swap(first, "3"))
		conflict(t, h.Store, swap(second+1, "3"))
		wantRecord(t, h.Store, "a", "2", second)
	}},
	{"one failed check of many changes nothing", func(t *testing.T, h Harness) {
		a, b := set(t, h.Store, "a", "1"), set(t, h.Store, "b", "1")
		before := page(t, h.Store, "", "", 1).Revision
		conflict(t, h.Store, store.Txn{
			Checks:  []store.Check{{Key: "a", Revision: a}, absent("b")},
			Puts:    []store.Put{put("a", "2"), put("c", "2")},
			Deletes: []string{"b"},
		})
		wantRecord(t, h.Store, "a", "1", a)
		wantRecord(t, h.Store, "b", "1", b)
		wantRecord(t, h.Store, "c", "", 0)
		if now := page(t, h.Store, "", "", 1).Revision; now != before {
			t.Errorf("a conflict moved the revision from %d to %d", before, now)
		}
	}},
	{"a check may guard keys that are not written", func(t *testing.T, h Harness) {
		guard := set(t, h.Store, "guard", "1")
		txn := store.Txn{Checks: []store.Check{{Key: "guard", Revision: guard}, absent("gone")}, Puts: []store.Put{put("a", "1")}}
		commit(t, h.Store, txn)
		set(t, h.Store, "guard", "2")
		conflict(t, h.Store, txn)
	}},
	{"many records change together at one revision", func(t *testing.T, h Harness) {
		set(t, h.Store, "old/1", "x")
		set(t, h.Store, "old/2", "x")
		revision := commit(t, h.Store, store.Txn{
			Puts:    []store.Put{put("new/1", "1"), put("new/2", "2"), put("new/3", "3")},
			Deletes: []string{"old/1", "old/2"},
		})
		for _, r := range page(t, h.Store, "", "", 10).Records {
			if r.Revision != revision || !strings.HasPrefix(r.Key, "new/") {
				t.Errorf("%+v, want revision %d", r, revision)
			}
		}
	}},
	{"deleting what is absent is no error and no change", func(t *testing.T, h Harness) {
		a := set(t, h.Store, "a", "1")
		if revision := commit(t, h.Store, store.Txn{Deletes: []string{"none"}}); revision != a {
			t.Errorf("it made revision %d after %d", revision, a)
		}
		commit(t, h.Store, store.Txn{Deletes: []string{"a"}})
		commit(t, h.Store, store.Txn{Deletes: []string{"a"}})
		wantRecord(t, h.Store, "a", "", 0)
	}},
	{"a record created again has a new revision", func(t *testing.T, h Harness) {
		seen := map[int64]bool{}
		for range 3 {
			created := commit(t, h.Store, store.Txn{Checks: []store.Check{absent("a")}, Puts: []store.Put{put("a", "same")}})
			if seen[created] {
				t.Fatalf("revision %d came twice", created)
			}
			seen[created] = true
			commit(t, h.Store, store.Txn{Checks: []store.Check{{Key: "a", Revision: created}}, Deletes: []string{"a"}})
			conflict(t, h.Store, store.Txn{Checks: []store.Check{{Key: "a", Revision: created}}, Puts: []store.Put{put("a", "x")}})
		}
	}},
	{"writing the same value makes a new revision", func(t *testing.T, h Harness) {
		first := set(t, h.Store, "a", "1")
		wantRecord(t, h.Store, "a", "1", set(t, h.Store, "a", "1"))
		if get(t, h.Store, "a").Revision == first {
			t.Error("the revision did not change")
		}
	}},
	{"a transaction without writes is only its checks", func(t *testing.T, h Harness) {
		a := set(t, h.Store, "a", "1")
		if revision := commit(t, h.Store, store.Txn{}); revision != a {
			t.Errorf("the empty transaction made revision %d after %d", revision, a)
		}
		if revision := commit(t, h.Store, store.Txn{Checks: []store.Check{{Key: "a", Revision: a}}}); revision != a {
			t.Errorf("the check alone made revision %d after %d", revision, a)
		}
		conflict(t, h.Store, store.Txn{Checks: []store.Check{absent("a")}})
	}},
	{"everything up to the limits is accepted", func(t *testing.T, h Harness) {
		revision := commit(t, h.Store, largest())
		if got := len(scan(t, h.Store, "", 30)); got != store.MaxOps/2 {
			t.Errorf("%d records, want %d", got, store.MaxOps/2)
		}
		for _, r := range page(t, h.Store, "", "", 1).Records {
			if r.Revision != revision || len(r.Key) != store.MaxKeyBytes {
				t.Errorf("key of %d bytes at revision %d", len(r.Key), r.Revision)
			}
		}
		commit(t, h.Store, store.Txn{Puts: []store.Put{{Key: "big", Value: make([]byte, store.MaxValueBytes)}}})
	}},
	{"everything over a limit is refused", func(t *testing.T, h Harness) {
		long := strings.Repeat("k", store.MaxKeyBytes+1)
		many := store.Txn{}
		for i := range store.MaxOps + 1 {
			many.Deletes = append(many.Deletes, nthKey("k", i))
		}
		half := bytes.Repeat([]byte("v"), store.MaxValueBytes/2+1)
		refused(t, h.Store, store.ErrTooLarge, map[string]store.Txn{
			"operations":     many,
			"key of a put":   {Puts: []store.Put{put("a", "1"), put(long, "")}},
			"key of a check": {Checks: []store.Check{absent(long)}, Puts: []store.Put{put("a", "1")}},
			"deleted key":    {Puts: []store.Put{put("a", "1")}, Deletes: []string{long}},
			"values":         {Puts: []store.Put{{Key: "a", Value: half}, {Key: "b", Value: half}}},
		})
	}},
	{"a transaction that breaks the contract is refused", func(t *testing.T, h Harness) {
		txns := map[string]store.Txn{
			"put twice":         {Puts: []store.Put{put("a", "1"), put("a", "2")}},
			"put and deleted":   {Puts: []store.Put{put("a", "1")}, Deletes: []string{"a"}},
			"deleted twice":     {Puts: []store.Put{put("a", "1")}, Deletes: []string{"b", "b"}},
			"negative revision": {Checks: []store.Check{{Key: "a", Revision: -1}}, Puts: []store.Put{put("a", "1")}},
		}
		for _, key := range []string{"", " ", "a b", "a\n", "a\x00", "a\x7f", "é", "\xff"} {
			txns["put "+key] = store.Txn{Puts: []store.Put{put("a", "1"), put(key, "1")}}
			txns["delete "+key] = store.Txn{Puts: []store.Put{put("a", "1")}, Deletes: []string{key}}
			txns["check "+key] = store.Txn{Checks: []store.Check{absent(key)}, Puts: []store.Put{put("a", "1")}}
		}
		refused(t, h.Store, store.ErrInvalid, txns)
	}},
	{"a caller that has gone away changes nothing", func(t *testing.T, h Harness) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := h.Store.Commit(ctx, store.Txn{Puts: []store.Put{put("a", "1")}})
		wantErr(t, "Commit", err, context.Canceled)
		wantRecord(t, h.Store, "a", "", 0)
	}},
}

// largest is a transaction at every limit at once.
func largest() store.Txn {
	var txn store.Txn
	n := store.MaxOps / 2
	for i := range n {
		key := nthKey(strings.Repeat("k", store.MaxKeyBytes-6), i)
		txn.Checks = append(txn.Checks, absent(key))
		txn.Puts = append(txn.Puts, store.Put{Key: key, Value: make([]byte, store.MaxValueBytes/n)})
	}
	return txn
}

func conflict(t testing.TB, s store.Store, txn store.Txn) {
	t.Helper()
	revision, err := s.Commit(context.Background(), txn)
	wantErr(t, "Commit", err, store.ErrConflict)
	if revision != 0 {
		t.Errorf("a conflict returned revision %d", revision)
	}
}

// refused checks that none of the transactions is accepted and that none changes anything.
func refused(t *testing.T, s store.Store, want error, txns map[string]store.Txn) {
	t.Helper()
	before := page(t, s, "", "", 1).Revision
	for name, txn := range txns {
		_, err := s.Commit(t.Context(), txn)
		wantErr(t, name, err, want)
	}
	if p := page(t, s, "", "", 1); len(p.Records) != 0 || p.Revision != before {
		t.Errorf("something changed: %+v", p)
	}
}
