package kms

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
)

// The index finds a grant that admits a request exactly when there is one among all of them.
func TestGrantIndexMissesNoGrant(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pairs := func(most int) map[string]string {
		m := map[string]string{}
		for range r.IntN(most + 1) {
			m[string(rune('a'+r.IntN(3)))] = string(rune('0' + r.IntN(2)))
		}
		return m
	}
	list := []kmsapi.GrantOperation{
		kmsapi.GrantOperationEncrypt, kmsapi.GrantOperationDescribeKey, kmsapi.GrantOperationCreateGrant, kmsapi.GrantOperationReEncryptTo,
	}
	found, missed := 0, 0
	for range 20_000 {
		var all []*Grant
		for i := range 1 + r.IntN(4) {
			g := &Grant{ID: fmt.Sprint(i), Operations: slices.Clone(list[:1+r.IntN(len(list))])}
			switch r.IntN(3) {
			case 0:
				g.Constraints.Equals = pairs(3)
			case 1:
				g.Constraints.Subset = pairs(2)
			}
			all = append(all, g)
		}
		context, o := pairs(3), list[r.IntN(len(list))]
		x := &keyTarget{action: "kms:" + string(o), call: &service.Call{Caller: caller.Caller{Type: caller.User}}}
		switch o {
		case kmsapi.GrantOperationEncrypt:
			x.call.Input = &kmsapi.EncryptRequest{EncryptionContext: context}
		case kmsapi.GrantOperationReEncryptTo:
			x.call.Input = &kmsapi.ReEncryptRequest{DestinationEncryptionContext: context}
		case kmsapi.GrantOperationCreateGrant:
			in := &kmsapi.CreateGrantRequest{Operations: list[:1], Constraints: &kmsapi.GrantConstraints{EncryptionContextSubset: context}}
			if r.IntN(2) == 0 {
				in.Constraints = &kmsapi.GrantConstraints{EncryptionContextEquals: context}
			}
			x.call.Input = in
		default:
			x.call.Input, context = &kmsapi.DescribeKeyRequest{}, nil
		}
		want := slices.ContainsFunc(all, func(g *Grant) bool { return slices.Contains(g.Operations, o) && g.admits(x, o) })
		index := newGrantIndex(all)
		got := false
		for id := range index.candidates(o, context) {
			n := slices.IndexFunc(all, func(g *Grant) bool { return g.ID == id })
			got = got || slices.Contains(all[n].Operations, o) && all[n].admits(x, o)
		}
		for _, g := range all {
			if listed := slices.Contains(slices.Collect(index.all(o)), g.ID); listed != slices.Contains(g.Operations, o) {
				t.Fatalf("grant %v is among those for %s: %t", g, o, listed)
			}
		}
		if got != want {
			t.Fatalf("%s with %v: found %v, want %v, among %v", o, maps.Collect(maps.All(context)), got, want, all)
		}
		if got {
			found++
		} else {
			missed++
		}
	}
	if found < 4000 || missed < 2000 {
		t.Errorf("%d found, %d not", found, missed)
	}
}

// An index follows a key's record only through changes that it knows of: not when it has missed some, and not when the store
// was brought back to an earlier state, from which on other things have happened.
func TestGrantIndexFollowsOnlyWhatItKnows(t *testing.T) {
	cached := store.NewCached(memory.New())
	s := New(Config{Store: cached})
	put := func(id string) {
		g := &Grant{Version: 1, Account: "111122223333", Region: "us-east-1", KeyID: "k", ID: id, Grantee: "arn:aws:iam::111122223333:user/bob", Operations: []kmsapi.GrantOperation{"Encrypt"}}
		p, err := s.grants.Put(g.path(), g)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cached.Commit(t.Context(), store.Txn{Puts: []store.Put{p}}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(revision int64, changes ...GrantChange) *keyTarget {
		return &keyTarget{service: s, revision: revision, key: &Key{Account: "111122223333", Region: "us-east-1", ID: "k", GrantChanges: changes}}
	}
	put("a")
	put("b")
	for _, c := range []struct {
		name     string
		from, to *keyTarget
		count    int
		follows  bool
	}{
		{"the same record", at(5, GrantChange{"x", false}), at(5, GrantChange{"x", false}), 0, true},
		{"an older record", at(5, GrantChange{"x", false}), at(4), 0, true},
		{"another change of the key", at(5, GrantChange{"x", false}), at(6, GrantChange{"x", false}), 0, true},
		{"a new grant", at(5, GrantChange{"x", false}), at(6, GrantChange{"x", false}, GrantChange{"a", false}), 1, true},
		{"two, and an end", at(5, GrantChange{"x", true}), at(9, GrantChange{"w", false}, GrantChange{"x", true}, GrantChange{"a", false}, GrantChange{"x", true}, GrantChange{"b", false}), 2, true},
		{"a new grant that has ended since", at(5, GrantChange{"x", false}), at(7, GrantChange{"x", false}, GrantChange{"gone", false}, GrantChange{"gone", true}), 0, true},
		{"too many changes", at(5, GrantChange{"x", false}), at(20, GrantChange{"a", false}, GrantChange{"b", false}), 0, false},
		{"few grants, of which nothing is noted", at(5), at(6), 0, false},
		{"many grants for the first time", at(5), at(6, GrantChange{"a", false}), 0, false},
		{"brought back before the end of a grant", at(5, GrantChange{"x", true}), at(6, GrantChange{"x", false}), 0, false},
	} {
		x := newGrantIndex(nil)
		x.upTo(c.from)
		follows, err := x.follow(t.Context(), c.to, "arn:aws:iam::111122223333:user/bob")
		if err != nil || follows != c.follows || x.count != c.count {
			t.Errorf("%s: follows %t, %d grants, %v", c.name, follows, x.count, err)
		}
	}
	x := newGrantIndex(nil)
	x.upTo(at(5, GrantChange{"x", false}))
	if follows, err := x.follow(t.Context(), at(6, GrantChange{"x", false}, GrantChange{"a", false}), "s3.amazonaws.com"); !follows || err != nil || x.count != 0 {
		t.Errorf("a grant to somebody else: %t, %d, %v", follows, x.count, err)
	}
}
