package kms_test

import (
	"slices"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// TestGrantsOfPrincipalsThatAreGone: whoever is given the name of somebody who is gone has neither the grants, nor looks in
// any listing as if he had them.
func TestGrantsOfPrincipalsThatAreGone(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	wc := u.newUser("wc", allowing("kms:RetireGrant"))
	roleARN := u.newRole("app")
	arn, session := wc.principal(), "arn:aws:sts::"+alice+":assumed-role/app/monday"
	uniqueID := u.iam("GetUser", "UserName", "wc")["UserId"]
	roleID := u.iam("GetRole", "RoleName", "app")["RoleId"]
	toUser := &kmsapi.CreateGrantRequest{KeyId: &id, GranteePrincipal: &arn, RetiringPrincipal: &arn, Operations: operations{"Encrypt"}}
	old, _ := u.createGrant(toUser)
	toRole, _ := u.createGrant(&kmsapi.CreateGrantRequest{KeyId: &id, GranteePrincipal: &roleARN, RetiringPrincipal: &session, Operations: operations{"Encrypt"}})
	toSession, _ := u.createGrant(&kmsapi.CreateGrantRequest{KeyId: &id, GranteePrincipal: &session, RetiringPrincipal: &roleARN, Operations: operations{"Encrypt"}})
	type shown struct{ grantee, retiring string }
	list := func(in kmsapi.ListGrantsRequest) map[string]shown {
		t.Helper()
		in.KeyId = &id
		all := map[string]shown{}
		for _, g := range do[kmsapi.ListGrantsResponse](u, &in).Grants {
			all[*g.GrantId] = shown{*g.GranteePrincipal, *g.RetiringPrincipal}
		}
		return all
	}
	expect := func(when string, want map[string]shown) {
		t.Helper()
		found := 0
		for grant, s := range want {
			if got := list(kmsapi.ListGrantsRequest{GrantId: &grant})[grant]; got != s {
				t.Errorf("%s: grant %s is shown as %v, want %v", when, grant, got, s)
			}
		}
		for _, filter := range []string{arn, uniqueID, roleARN, roleID, session, u.principal()} {
			for grant, s := range list(kmsapi.ListGrantsRequest{GranteePrincipal: &filter}) {
				found++
				if s.grantee != filter && (filter != uniqueID || grant != old) && (filter != roleID || grant != toRole) {
					t.Errorf("%s: the filter %s finds a grant to %s", when, filter, s.grantee)
				}
			}
		}
		if len(list(kmsapi.ListGrantsRequest{})) != len(want) || found < len(want) {
			t.Errorf("%s: %d grants are found by their grantees, want all of %d", when, found, len(want))
		}
	}
	retirable := func(principal string, want ...string) {
		t.Helper()
		var got []string
		for _, g := range u.retirable(principal) {
			got = append(got, *g.GrantId)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s may retire %v, want %v", principal, got, want)
		}
	}
	expect("at first", map[string]shown{old: {arn, arn}, toRole: {roleARN, session}, toSession: {session, roleARN}})
	retirable(arn, old)

	u.deleteUser(wc, 1)
	u.iam("DeleteRole", "RoleName", "app")
	gone := map[string]shown{old: {uniqueID, uniqueID}, toRole: {roleID, session}, toSession: {session, roleID}}
	expect("without them", gone)
	retirable(arn)
	retirable(roleARN)

	wc = u.newUser("wc")
	u.newRole("app")
	expect("with others of their names", gone)
	retirable(arn)
	if wc.may(encrypts(u.keyARN(id))) {
		t.Error("the new user has the old one's grant")
	}
	fresh, _ := u.createGrant(toUser)
	gone[fresh] = shown{arn, arn}
	expect("with a grant to another", gone)
	retirable(arn, fresh)
	wc.must(&kmsapi.RetireGrantRequest{KeyId: new(u.keyARN(id)), GrantId: &fresh})
	wc.refusedAs(&kmsapi.RetireGrantRequest{KeyId: new(u.keyARN(id)), GrantId: &old}, "AccessDeniedException")

	// Under another name nobody has what was granted to the old name.
	in := *toUser
	in.Name = new("again")
	renamed, _ := u.createGrant(&in)
	u.iam("UpdateUser", "UserName", "wc", "NewUserName", "cw")
	id2 := u.iam("GetUser", "UserName", "cw")["UserId"]
	if got := list(kmsapi.ListGrantsRequest{GranteePrincipal: &id2})[renamed]; got != (shown{id2, id2}) {
		t.Errorf("after another name: %v", got)
	}
	w.checkGrants()
}
