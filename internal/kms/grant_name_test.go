package kms_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

func TestGrantsWithAName(t *testing.T) {
	u := grantWorld(t).as(alice)
	id, other := u.createKey(), u.createKey()
	named := func(change ...func(*kmsapi.CreateGrantRequest)) *kmsapi.CreateGrantRequest {
		in := grantRequest(id)
		in.Name, in.Operations, in.RetiringPrincipal = new("app"), []kmsapi.GrantOperation{"Encrypt", "Decrypt"}, new(role)
		in.Constraints = &kmsapi.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "1", "b": "2", "c": "3"}}
		for _, f := range change {
			f(in)
		}
		return in
	}
	first, token := u.createGrant(named())
	for _, same := range []*kmsapi.CreateGrantRequest{
		named(), named(func(in *kmsapi.CreateGrantRequest) { in.KeyId = new(u.keyARN(id)) }),
		named(func(in *kmsapi.CreateGrantRequest) { in.GrantTokens = []string{token} }),
		named(func(in *kmsapi.CreateGrantRequest) { in.DryRun = new(false) }),
	} {
		if again, fresh := u.createGrant(same); again != first || fresh == token {
			t.Errorf("grant %s, the first was %s; the token is another: %v", again, first, fresh != token)
		}
	}
	seen := map[string]bool{first: true}
	for name, change := range map[string]func(*kmsapi.CreateGrantRequest){
		"no name":     func(in *kmsapi.CreateGrantRequest) { in.Name = nil },
		"name":        func(in *kmsapi.CreateGrantRequest) { in.Name = new("app2") },
		"grantee":     func(in *kmsapi.CreateGrantRequest) { in.GranteePrincipal = new(u.principal()) },
		"retiring":    func(in *kmsapi.CreateGrantRequest) { in.RetiringPrincipal = new(u.principal()) },
		"no retiring": func(in *kmsapi.CreateGrantRequest) { in.RetiringPrincipal = nil },
		"operations":  func(in *kmsapi.CreateGrantRequest) { in.Operations = in.Operations[:1] },
		"pairs": func(in *kmsapi.CreateGrantRequest) {
			in.Constraints.EncryptionContextSubset = map[string]string{"a": "1", "b": "2"}
		},
		"kind of constraint": func(in *kmsapi.CreateGrantRequest) {
			in.Constraints = &kmsapi.GrantConstraints{EncryptionContextEquals: in.Constraints.EncryptionContextSubset}
		},
		"no constraint": func(in *kmsapi.CreateGrantRequest) { in.Constraints = nil },
		"source":        func(in *kmsapi.CreateGrantRequest) { in.Constraints.SourceArn = new("arn:aws:s3:::bucket-of-alice") },
		"key":           func(in *kmsapi.CreateGrantRequest) { in.KeyId = &other },
	} {
		grant, _ := u.createGrant(named(change))
		if seen[grant] {
			t.Errorf("another %s, and the same grant", name)
		}
		seen[grant] = true
	}
	nameless := named(func(in *kmsapi.CreateGrantRequest) { in.Name = nil })
	one, _ := u.createGrant(nameless)
	two, _ := u.createGrant(nameless)
	if one == two {
		t.Error("two requests without a name have made one grant")
	}
	u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &first})
	again, _ := u.createGrant(named())
	if again == first {
		t.Error("a grant that was revoked has come back")
	}
	u.refusedAs(&kmsapi.CreateGrantRequest{
		KeyId: &id, GranteePrincipal: new(role), Operations: []kmsapi.GrantOperation{"Decrypt"}, GrantTokens: []string{token},
	}, "InvalidGrantTokenException")
	if got, want := len(u.grantsOf(id)), 1+10+2; got != want {
		t.Errorf("%d grants, want %d", got, want)
	}
	u.checkGrants()
}

func TestGrantsThatOnlyLookTheSame(t *testing.T) {
	u := grantWorld(t).as(alice)
	id := u.createKey()
	seen := map[string]bool{}
	for _, context := range []map[string]string{
		{"a": "bc"}, {"ab": "c"}, {"a": "b", "c": ""}, {"a": "", "b": "c"}, {"abc": ""}, {"": "abc"}, {}, nil, {"a\":\"b": "c"}, {"a": "b\",\"c"},
	} {
		in := grantRequest(id)
		in.Name, in.Constraints = new("app"), &kmsapi.GrantConstraints{EncryptionContextEquals: context}
		grant, _ := u.createGrant(in)
		seen[grant] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d grants, want 10", len(seen))
	}
	u.checkGrants()
}

func TestOneGrantOfANameAtTheSameTime(t *testing.T) {
	u := grantWorld(t).as(alice)
	id := u.createKey()
	in := grantRequest(id)
	in.Name = new("app")
	ids, tokens := make([]string, 16), make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			out := new(kmsapi.CreateGrantResponse)
			if a := u.send(in); !a.ok() || api.Decode(a.body, out) != nil {
				t.Errorf("CreateGrant: %s %s", a.code, a.message)
				return
			}
			ids[i], tokens[i] = *out.GrantId, *out.GrantToken
		})
	}
	wg.Wait()
	if n := len(slices.Compact(slices.Sorted(slices.Values(ids)))); n != 1 || len(u.grantsOf(id)) != 1 {
		t.Errorf("%d ids, %d grants, want 1", n, len(u.grantsOf(id)))
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(tokens)))); n != len(tokens) {
		t.Errorf("%d different tokens, want %d", n, len(tokens))
	}
	u.checkGrants()
}
