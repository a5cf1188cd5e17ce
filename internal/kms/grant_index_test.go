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
		candidates := slices.Collect(newGrantIndex(all).candidates(o, context))
		got := slices.ContainsFunc(candidates, func(g *Grant) bool { return g.admits(x, o) })
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
