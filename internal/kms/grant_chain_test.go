package kms_test

import (
	"slices"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// TestChainedGrants: who may create grants by a grant cannot give more than it has.
func TestChainedGrants(t *testing.T) {
	type pairs = map[string]string
	const queue, otherQueue = "arn:aws:sqs:us-east-1:" + alice + ":q", "arn:aws:sqs:us-east-1:" + alice + ":p"
	equals := func(p pairs) *kmsapi.GrantConstraints { return &kmsapi.GrantConstraints{EncryptionContextEquals: p} }
	subset := func(p pairs) *kmsapi.GrantConstraints { return &kmsapi.GrantConstraints{EncryptionContextSubset: p} }
	from := func(c kmsapi.GrantConstraints, arn string) *kmsapi.GrantConstraints {
		c.SourceArn = &arn
		return &c
	}
	one, two, three := pairs{"a": "1"}, pairs{"a": "1", "b": "2"}, pairs{"a": "1", "b": "2", "c": "3"}
	other := pairs{"a": "2"}
	all := map[string]*kmsapi.GrantConstraints{
		"none": nil, "empty": {}, "= a": equals(one), "= ab": equals(two), "= abc": equals(three), "= other": equals(other), "= nothing": equals(pairs{}),
		"> a": subset(one), "> ab": subset(two), "> abc": subset(three), "> other": subset(other), "> nothing": subset(pairs{}),
		"from q": from(kmsapi.GrantConstraints{}, queue), "from p": from(kmsapi.GrantConstraints{}, otherQueue), "> ab from q": from(*subset(two), queue),
		"= ab from q": from(*equals(two), queue), "= ab from p": from(*equals(two), otherQueue),
	}
	// What is as strict as each, or stricter. Without constraints everything is.
	stricter := map[string][]string{
		"= a": {"= a"}, "= ab": {"= ab", "= ab from q", "= ab from p"}, "= abc": {"= abc"}, "= other": {"= other"}, "= nothing": {"= nothing"},
		"> a":     {"= a", "= ab", "= abc", "> a", "> ab", "> abc", "> ab from q", "= ab from q", "= ab from p"},
		"> ab":    {"= ab", "= abc", "> ab", "> abc", "> ab from q", "= ab from q", "= ab from p"},
		"> abc":   {"= abc", "> abc"},
		"> other": {"= other", "> other"},
		"> nothing": {"= a", "= ab", "= abc", "= other", "= nothing", "> a", "> ab", "> abc", "> other", "> nothing", "> ab from q",
			"= ab from q", "= ab from p"},
		"from q":      {"from q", "> ab from q", "= ab from q"},
		"from p":      {"from p", "= ab from p"},
		"> ab from q": {"> ab from q", "= ab from q"},
		"= ab from q": {"= ab from q"},
		"= ab from p": {"= ab from p"},
	}
	u := newWorld(t).as(alice)
	app, other2 := u.newUser("app"), u.newUser("other")
	cells := 0
	for parent, constraints := range all {
		id := u.createClosed()
		arn := u.keyARN(id)
		u.grantTo(id, app.principal(), operations{"CreateGrant", "Encrypt", "Decrypt"}, constraints)
		for child, c := range all {
			cells++
			in := &kmsapi.CreateGrantRequest{KeyId: &arn, GranteePrincipal: new(other2.principal()), Operations: operations{"Encrypt"}, Constraints: c}
			free := parent == "none" || parent == "empty"
			if got, want := app.may(in), free || slices.Contains(stricter[parent], child); got != want {
				t.Errorf("a grant with constraint %q creates one with %q: allowed %v", parent, child, got)
			}
		}
	}
	if cells != 17*17 {
		t.Errorf("%d cells", cells)
	}
}

func TestOperationsOfChainedGrants(t *testing.T) {
	u := newWorld(t).as(alice)
	app, child, grandchild := u.newUser("app"), u.newUser("child"), u.newUser("grandchild")
	id := u.createClosed()
	arn := u.keyARN(id)
	create := func(who user, to user, list ...kmsapi.GrantOperation) bool {
		return who.may(&kmsapi.CreateGrantRequest{KeyId: &arn, GranteePrincipal: new(to.principal()), Operations: list})
	}
	parent, _ := u.grantTo(id, app.principal(), operations{"CreateGrant", "Encrypt", "Decrypt", "DescribeKey"}, nil)
	u.grantTo(id, app.principal(), operations{"GenerateDataKey"}, nil) // another grant, which does not let create
	for _, row := range []struct {
		list operations
		want bool
	}{
		{operations{"Encrypt"}, true}, {operations{"Encrypt", "Decrypt"}, true}, {operations{"CreateGrant", "Encrypt"}, true},
		{operations{"GenerateDataKey"}, false}, {operations{"Encrypt", "GenerateDataKey"}, false}, {operations{"RetireGrant"}, false},
		{operations{"Encrypt", "RetireGrant"}, false}, {operations{"ReEncryptFrom"}, false},
	} {
		if got := create(app, child, row.list...); got != row.want {
			t.Errorf("%v: allowed %v", row.list, got)
		}
	}
	if create(child, grandchild, "Decrypt") || create(child, grandchild, "CreateGrant", "DescribeKey") {
		t.Error("a child, whose grant creates for Encrypt alone, creates for more")
	}
	if !create(child, grandchild, "Encrypt") || !grandchild.may(encrypts(arn)) || create(grandchild, child, "Encrypt") {
		t.Error("the chain does not work")
	}
	u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &parent})
	if create(app, child, "Encrypt") || !child.may(encrypts(arn)) {
		t.Error("the end of a grant is that of those created by it, or it does not end")
	}
	// Permission by a policy has no such limits.
	u.putPolicy(id, closed(alice, rule("Allow", aws(app.principal()), "*", "", "kms:CreateGrant")))
	if !create(app, child, "GenerateDataKey", "RetireGrant") {
		t.Error("who may create grants by the key's policy is limited")
	}
}
