package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// TestWhoMayRetire asks everybody who could be meant to retire a grant, by its id and by its token.
func TestWhoMayRetire(t *testing.T) {
	w := newWorld(t)
	u, v := w.as(alice), w.as(bob)
	const retire = "kms:RetireGrant"
	id := u.createClosed(rule("Allow", `"*"`, "*", "", retire)) // which has no effect
	arn := u.keyARN(id)
	deny := denying(retire)
	retiring, grantee, denied := u.newUser("retiring"), u.newUser("grantee"), u.newUser("denied", deny)
	everybody := map[string]user{
		"issuing account's root": u, "user without permission": u.newUser("nobody"), "user with permission": u.newUser("allowed", allowing(retire)),
		"user with another permission": u.newUser("half", allowing("kms:RevokeGrant")), "user with permission, denied": u.newUser("both", allowing(retire), deny),
		"retiring user": retiring, "grantee": grantee, "denied": denied,
		"another account's root": v, "another account's user": v.newUser("nobody"), "another account's user with permission": v.newUser("allowed", allowing(retire)),
	}
	issuer := []string{"issuing account's root", "user with permission"}
	list := operations{"Encrypt"}
	listed := operations{"Encrypt", "RetireGrant"}
	cells := 0
	for _, row := range []struct {
		name, grantee, retiring string
		operations              operations
		may                     []string
	}{
		{"no retiring principal", grantee.principal(), "", list, issuer},
		{"the grantee, by the grant", grantee.principal(), "", listed, append(slices.Clone(issuer), "grantee")},
		{"the retiring user", grantee.principal(), retiring.principal(), list, append(slices.Clone(issuer), "retiring user")},
		{"both", grantee.principal(), retiring.principal(), listed, append(slices.Clone(issuer), "retiring user", "grantee")},
		{"an IAM policy denies the retiring user", grantee.principal(), denied.principal(), list, issuer},
		{"an IAM policy denies the grantee", denied.principal(), "", listed, issuer},
		{"another account retires", grantee.principal(), v.principal(), list, append(slices.Clone(issuer), "another account's root", "another account's user with permission")},
		{"another account's user retires", grantee.principal(), everybody["another account's user"].principal(), list, append(slices.Clone(issuer), "another account's user")},
	} {
		for name, who := range everybody {
			for _, byToken := range []bool{false, true} {
				cells++
				in := &kmsapi.CreateGrantRequest{KeyId: &id, GranteePrincipal: &row.grantee, Operations: row.operations}
				if row.retiring != "" {
					in.RetiringPrincipal = &row.retiring
				}
				grant, token := u.createGrant(in)
				end := &kmsapi.RetireGrantRequest{KeyId: &arn, GrantId: &grant}
				if byToken {
					end = &kmsapi.RetireGrantRequest{GrantToken: &token}
				}
				want := slices.Contains(row.may, name)
				dry := *end
				dry.DryRun = new(true)
				if a := who.send(&dry); a.accepted() != want {
					t.Errorf("%s: %s, dry run: %q %q", row.name, name, a.code, a.message)
				}
				if a := who.send(end); a.ok() != want || !want && a.code != "AccessDeniedException" {
					t.Errorf("%s: %s, by token %v: %q %q", row.name, name, byToken, a.code, a.message)
				}
				if left := len(u.grantsOf(id)); left == 0 != want {
					t.Errorf("%s: %s: %d grants are left", row.name, name, left)
				}
				if !want {
					u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant})
				}
			}
		}
	}
	if cells != 8*11*2 {
		t.Errorf("%d cells", cells)
	}
}

// RetireGrant has the encryption context of the grant's constraint, for identity policies.
func TestConditionsOfRetireGrant(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createClosed()
	arn := u.keyARN(id)
	for i, row := range []struct {
		conditions  []condition
		constraints *kmsapi.GrantConstraints
		allowed     bool
	}{
		{[]condition{{"StringEquals", "kms:EncryptionContext:tenant", []string{"blue"}}}, &kmsapi.GrantConstraints{EncryptionContextSubset: map[string]string{"tenant": "blue"}}, true},
		{[]condition{{"StringEquals", "kms:EncryptionContext:tenant", []string{"blue"}}}, &kmsapi.GrantConstraints{EncryptionContextEquals: map[string]string{"tenant": "red"}}, false},
		{[]condition{{"StringEquals", "kms:GrantConstraintType", []string{"EncryptionContextEquals"}}}, &kmsapi.GrantConstraints{EncryptionContextEquals: map[string]string{"tenant": "red"}}, true},
		{[]condition{{"StringEquals", "kms:GrantConstraintType", []string{"EncryptionContextEquals"}}}, &kmsapi.GrantConstraints{EncryptionContextSubset: map[string]string{"tenant": "red"}}, false},
		{[]condition{absentKey("kms:GrantConstraintType"), absentKey("kms:EncryptionContextKeys")}, nil, true},
	} {
		who := u.newUser(fmt.Sprintf("u%d", i), identity("Allow", "*", conditionJSON(row.conditions...), "kms:RetireGrant"))
		grant, _ := u.grantTo(id, u.principal(), operations{"Encrypt"}, row.constraints)
		if got := who.may(&kmsapi.RetireGrantRequest{KeyId: &arn, GrantId: &grant}); got != row.allowed {
			t.Errorf("%s: allowed %v", conditionJSON(row.conditions...), got)
		}
	}
}

// RevokeGrant is the key policy's, and nothing that a grant gives.
func TestWhoMayRevoke(t *testing.T) {
	u := newWorld(t).as(alice)
	named, grantee, retiring, delegated := u.newUser("named"), u.newUser("grantee"), u.newUser("retiring"), u.newUser("delegated", allowing("kms:RevokeGrant"))
	direct := rule("Allow", aws(named.principal()), "*", "", "kms:RevokeGrant")
	for name, row := range map[string]struct {
		policy string
		may    []user
	}{
		"nobody": {closed(alice), nil}, "the key's policy names": {closed(alice, direct), []user{named}},
		"the key's policy delegates": {allow(u.principal(), "kms:*"), []user{delegated}},
	} {
		id := u.createKey()
		u.putPolicy(id, row.policy)
		for _, who := range []user{named, grantee, retiring, delegated} {
			in := &kmsapi.CreateGrantRequest{
				KeyId: &id, GranteePrincipal: new(grantee.principal()), RetiringPrincipal: new(retiring.principal()), Operations: operations{"Encrypt", "RetireGrant"},
			}
			grant, _ := u.createGrant(in)
			want := slices.ContainsFunc(row.may, func(v user) bool { return v.principal() == who.principal() })
			if got := who.may(&kmsapi.RevokeGrantRequest{KeyId: new(u.keyARN(id)), GrantId: &grant}); got != want {
				t.Errorf("%s: %s: allowed %v", name, who.principal(), got)
			}
		}
	}
}

// To whoever has no part in a grant it looks like one that there is not, whatever its key's tags and its own constraints are,
// and whatever the caller's own policies say of them.
func TestWhoHasNoPartInAGrantLearnsNothingOfIt(t *testing.T) {
	w := newWorld(t)
	u, v := w.as(alice), w.as(bob)
	const retire = "kms:RetireGrant"
	is := func(key, value string) string { return conditionJSON(condition{"StringEquals", key, []string{value}}) }
	retiring := v.newUser("retiring", identity("Deny", "*", is("aws:ResourceTag/team", "red"), retire))
	constraints := &kmsapi.GrantConstraints{EncryptionContextSubset: map[string]string{"tenant": "blue"}}
	type place struct{ key, grant string }
	placed := func(tags ...kmsapi.Tag) place {
		id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Tags: tags}).KeyMetadata.KeyId
		grant, _ := u.createGrant(&kmsapi.CreateGrantRequest{
			KeyId: &id, GranteePrincipal: new(u.principal()), RetiringPrincipal: new(retiring.principal()), Operations: operations{"Encrypt"}, Constraints: constraints,
		})
		return place{u.keyARN(id), grant}
	}
	plain, red := placed(), placed(tags("team=red")...)
	_, nowhere := u.nobody()
	absent := strings.Repeat("0", 64)
	places := map[string]place{
		"plain key": plain, "tagged key": red, "no such key": {nowhere, red.grant}, "no such grant": {plain.key, absent}, "no such grant of the tagged key": {red.key, absent},
		"another key's grant": {plain.key, red.grant}, "nothing": {nowhere, absent},
	}
	asked := 0
	for name, who := range map[string]user{
		"root": v, "nothing allowed": v.newUser("none"), "allowed": v.newUser("all", allowing(retire)), "denied": v.newUser("denied", denying(retire)),
		"denied by the tag":        v.newUser("tag", allowing(retire), identity("Deny", "*", is("aws:ResourceTag/team", "red"), retire)),
		"denied without the tag":   v.newUser("notag", allowing(retire), identity("Deny", "*", conditionJSON(condition{"StringNotEquals", "aws:ResourceTag/team", []string{"red"}}, condition{"Null", "aws:ResourceTag/team", []string{"false"}}), retire)),
		"denied by the constraint": v.newUser("context", allowing(retire), identity("Deny", "*", is("kms:EncryptionContext:tenant", "blue"), retire)),
		"denied by its kind":       v.newUser("kind", allowing(retire), identity("Deny", "*", is("kms:GrantConstraintType", "EncryptionContextSubset"), retire)),
		"service":                  w.registered("s3.amazonaws.com"),
	} {
		for _, dry := range []bool{false, true} {
			texts := map[string]string{}
			for at, p := range places {
				asked++
				a := who.send(&kmsapi.RetireGrantRequest{KeyId: &p.key, GrantId: &p.grant, DryRun: &dry})
				texts[strings.ReplaceAll(a.code+" "+a.message, p.key, "KEY")] = at
				if a.code != "AccessDeniedException" {
					t.Errorf("%s, %s: %q %q", name, at, a.code, a.message)
				}
			}
			if len(texts) != 1 {
				t.Errorf("%s is told apart what there is: %q", name, texts)
			}
		}
	}
	if asked != 9*2*7 {
		t.Errorf("%d requests", asked)
	}
	// Whoever the grant names is told what denies.
	a := retiring.refusedAs(&kmsapi.RetireGrantRequest{KeyId: &red.key, GrantId: &red.grant}, "AccessDeniedException")
	if !strings.Contains(a.message, "with an explicit deny in an identity-based policy") {
		t.Errorf("the retiring user: %s", a.message)
	}
	retiring.must(&kmsapi.RetireGrantRequest{KeyId: &plain.key, GrantId: &plain.grant})
	w.checkGrants()
}
