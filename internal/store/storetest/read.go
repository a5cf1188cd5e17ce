package storetest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/store"
)

var readRules = []rule{
	{"an absent key has revision 0 and no value", func(t *testing.T, h Harness) {
		set(t, h.Store, "a/b", "x")
		for _, key := range []string{"a", "a/", "a/a", "a/b/", "a/bb", "b"} {
			if r := get(t, h.Store, key); r.Revision != 0 || r.Value != nil {
				t.Errorf("absent %q: got %+v", key, r)
			}
		}
	}},
	{"no record has a key that no commit would accept", func(t *testing.T, h Harness) {
		set(t, h.Store, "a", "x")
		for _, key := range []string{"", "a\x00", "a\xff", "é", "a b", strings.Repeat("k", 1<<20)} {
			if r := get(t, h.Store, key); r.Revision != 0 {
				t.Errorf("key %.20q: got %+v", key, r)
			}
		}
	}},
	{"a record has the revision of its last write", func(t *testing.T, h Harness) {
		first := set(t, h.Store, "a", "1")
		other := set(t, h.Store, "b", "1")
		second := set(t, h.Store, "a", "2")
		if first <= 0 || other <= first || second <= other {
			t.Errorf("revisions do not grow from 1: %d, %d, %d", first, other, second)
		}
		wantRecord(t, h.Store, "a", "2", second)
		wantRecord(t, h.Store, "b", "1", other)
	}},
	{"an empty value is not absence", func(t *testing.T, h Harness) {
		revision := commit(t, h.Store, store.Txn{Puts: []store.Put{{Key: "nil"}, {Key: "empty", Value: []byte{}}}})
		wantRecord(t, h.Store, "nil", "", revision)
		wantRecord(t, h.Store, "empty", "", revision)
	}},
	{"a value may hold any bytes", func(t *testing.T, h Harness) {
		var all []byte
		for i := range 256 {
			all = append(all, byte(i))
		}
		revision := set(t, h.Store, "a", string(all))
		wantRecord(t, h.Store, "a", string(all), revision)
	}},
	{"keys come in byte order and a prefix matches bytes", func(t *testing.T, h Harness) {
		fill(t, h.Store, orderedKeys)
		for _, c := range []struct {
			prefix, after string
			want          []string
		}{
			{"", "", orderedKeys},
			{"a", "", []string{"a", "a!", "a-b", "a/", "a/0", "a/b", "a/b/c", "aa", "a~", "a~~"}},
			{"a/", "", []string{"a/", "a/0", "a/b", "a/b/c"}},
			{"a/b", "", []string{"a/b", "a/b/c"}},
			{"a~", "", []string{"a~", "a~~"}},
			{"~", "", []string{"~", "~~"}},
			{"~~", "", []string{"~~"}},
			{"~~~", "", nil},
			{"zz", "", nil},
			{"a\x7f", "", nil},
			{"a\xff", "", nil},
			{"\xff\xff", "", nil},
			{"\x00", "", nil},
			// after is exclusive, need not exist, and need not have the prefix
			{"a/", "a/", []string{"a/0", "a/b", "a/b/c"}},
			{"a/", "a/0", []string{"a/b", "a/b/c"}},
			{"a/", "a/1", []string{"a/b", "a/b/c"}},
			{"a/", "a/b/c", nil},
			{"a/", "a", []string{"a/", "a/0", "a/b", "a/b/c"}},
			{"a/", "A", []string{"a/", "a/0", "a/b", "a/b/c"}},
			{"a/", "b", nil},
			{"a/", "\xff", nil},
			{"a/", "a/\xff\xff", nil},
			{"", "b", []string{"~", "~~"}},
			{"", "~~", nil},
		} {
			if diff := cmp.Diff(c.want, keys(page(t, h.Store, c.prefix, c.after, 100))); diff != "" {
				t.Errorf("Range(%q, %q) (-want +got):\n%s", c.prefix, c.after, diff)
			}
		}
	}},
	{"pages of any size together are the whole range, once", func(t *testing.T, h Harness) {
		fill(t, h.Store, orderedKeys)
		for limit := 1; limit <= len(orderedKeys)+1; limit++ {
			var got []string
			for _, r := range scan(t, h.Store, "", limit) {
				got = append(got, r.Key)
			}
			if diff := cmp.Diff(orderedKeys, got); diff != "" {
				t.Fatalf("limit %d (-want +got):\n%s", limit, diff)
			}
		}
	}},
	{"More says exactly whether records follow", func(t *testing.T, h Harness) {
		fill(t, h.Store, []string{"a/1", "a/2", "a/3", "b/1"})
		for limit, more := range map[int]bool{1: true, 2: true, 3: false, 4: false} {
			if p := page(t, h.Store, "a/", "", limit); p.More != more {
				t.Errorf("limit %d: More is %v", limit, p.More)
			}
		}
		if p := page(t, h.Store, "a/", "a/3", 1); p.More || len(p.Records) != 0 {
			t.Errorf("after the last: %+v", p)
		}
	}},
	{"a page has values, revisions and the store's revision", func(t *testing.T, h Harness) {
		before := page(t, h.Store, "", "", 1).Revision
		if before < 0 {
			t.Errorf("the empty store has revision %d", before)
		}
		a := set(t, h.Store, "a", "1")
		b := set(t, h.Store, "b", "")
		for _, prefix := range []string{"", "b", "none"} {
			if p := page(t, h.Store, prefix, "", 10); p.Revision != b {
				t.Errorf("page of %q is of revision %d, want %d", prefix, p.Revision, b)
			}
		}
		want := []store.Record{{Key: "a", Value: []byte("1"), Revision: a}, {Key: "b", Value: []byte{}, Revision: b}}
		if diff := cmp.Diff(want, page(t, h.Store, "", "", 10).Records); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}},
	{"a page of no records is refused", func(t *testing.T, h Harness) {
		for _, limit := range []int{0, -1} {
			_, err := h.Store.Range(t.Context(), "", "", limit)
			wantErr(t, "Range", err, store.ErrInvalid)
		}
	}},
	{"what is returned is the caller's own", func(t *testing.T, h Harness) {
		value := []byte("value")
		revision := commit(t, h.Store, store.Txn{Puts: []store.Put{{Key: "a", Value: value}}})
		clear(value)
		wantRecord(t, h.Store, "a", "value", revision)
		clear(get(t, h.Store, "a").Value)
		wantRecord(t, h.Store, "a", "value", revision)
		_ = append(get(t, h.Store, "a").Value, "more"...)
		clear(page(t, h.Store, "a", "", 1).Records[0].Value)
		wantRecord(t, h.Store, "a", "value", revision)
	}},
	{"another node reads what was committed on this one, at once", func(t *testing.T, h Harness) {
		if h.Node == nil {
			return // one process, one store
		}
		other := h.Node(t)
		for i := range 50 {
			value := strings.Repeat("x", i)
			wantRecord(t, other, "a", value, set(t, h.Store, "a", value))
			if p := page(t, other, "a", "", 1); string(p.Records[0].Value) != value {
				t.Fatalf("the other node's page has an old value in round %d", i)
			}
		}
	}},
}

// orderedKeys has the neighbours that a wrong comparison or a wrong end of a range mixes up.
var orderedKeys = []string{
	"!", "0", "A", "a", "a!", "a-b", "a/", "a/0", "a/b", "a/b/c", "aa", "a~", "a~~", "b", "~", "~~",
}

func fill(t testing.TB, s store.Store, keys []string) {
	t.Helper()
	var txn store.Txn
	for i := range keys {
		txn.Puts = append(txn.Puts, put(keys[len(keys)-1-i], "value"))
	}
	commit(t, s, txn)
}
