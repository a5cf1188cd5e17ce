package org_test

import (
	"errors"
	"strings"
	"testing"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/store"
)

// A store that cannot be trusted moves, changes and loses records. Then there is no membership, and so no decision: an error
// is not "in no organization".
func TestDamageLetsNobodyOut(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	u.enable(root, scp, rcp)
	one, two, unit := u.createAccount("one"), u.createAccount("two"), u.createUnit(root, "unit")
	deeper := u.createUnit(unit, "deeper")
	u.move(one, root, deeper)
	service, resource := u.createPolicy(scp, "s", denyKMS), u.createPolicy(rcp, "r", denyRCP)
	u.attach(service, unit)
	other := w.as(stranger)
	foreign := *do[orgapi.CreateOrganizationResponse](other, &orgapi.CreateOrganizationRequest{}).Organization.Id
	const org = "iam/org/"
	account, home := org+"account/"+o+"/"+one, org+"home/"+one
	unitKey, policyKey, orgKey := org+"unit/"+o+"/"+unit, org+"policy/"+o+"/"+service, org+"organization/"+o
	sound := w.records()
	replaced := func(key, old, new string) store.Put {
		t.Helper()
		if !strings.Contains(sound[key], old) {
			t.Fatalf("no %s in %s", old, sound[key])
		}
		return store.Put{Key: key, Value: []byte(strings.ReplaceAll(sound[key], old, new))}
	}
	tests := []struct {
		name  string
		put   store.Put
		lost  string
		newer bool
	}{
		{name: "home of another account", put: store.Put{Key: home, Value: []byte(sound[org+"home/"+stranger])}},
		{name: "home leads elsewhere", put: replaced(home, o, foreign)},
		{name: "home leads out of this package", put: replaced(home, o, "../../kms")},
		{name: "home leads nowhere", put: replaced(home, `,"id":"`+o+`"`, "")},
		{name: "account lost", lost: account},
		{name: "another account's record", put: store.Put{Key: account, Value: []byte(sound[org+"account/"+o+"/"+two])}},
		{name: "account of another organization", put: replaced(account, o, foreign)},
		{name: "parent unknown", put: replaced(account, deeper, "ou-"+root[2:]+"-00000000")},
		{name: "parent no unit", put: replaced(account, deeper, "../"+deeper)},
		{name: "unit lost", lost: unitKey},
		{name: "unit in another's place", put: store.Put{Key: unitKey, Value: []byte(sound[org+"unit/"+o+"/"+deeper])}},
		{name: "units in a ring", put: replaced(unitKey, `"parent":"`+root+`"`, `"parent":"`+deeper+`"`)},
		{name: "organization lost", lost: orgKey},
		{name: "another organization's record", put: store.Put{Key: orgKey, Value: []byte(sound[org+"organization/"+foreign])}},
		{name: "policy lost", lost: policyKey},
		{name: "another policy's record", put: store.Put{Key: policyKey, Value: []byte(sound[org+"policy/"+o+"/"+resource])}},
		{name: "policy of another type", put: replaced(policyKey, string(scp), string(rcp))},
		{name: "policy that is none", put: replaced(policyKey, `Deny`, `Den`)},
		{name: "attached policy of another type", put: replaced(unitKey, service, resource)},
		{name: "AWS's policy of another type", put: replaced(unitKey, fullSCP, fullRCP)},
		{name: "cut short", put: store.Put{Key: unitKey, Value: []byte(sound[unitKey][:40])}},
		{name: "empty", put: store.Put{Key: account}},
		{name: "unknown member", put: replaced(account, `"v":1`, `"v":1,"x":1`)},
		{name: "no version", put: replaced(account, `"v":1,`, ``)},
		{name: "newer", put: replaced(account, `"v":1`, `"v":2`), newer: true},
	}
	for _, c := range tests {
		key := c.put.Key + c.lost
		var txn store.Txn
		if key != orgKey { // written again, so that nothing is remembered
			txn.Puts = []store.Put{{Key: orgKey, Value: []byte(sound[orgKey])}}
		}
		if c.lost != "" {
			txn.Deletes = []string{c.lost}
		} else {
			txn.Puts = append(txn.Puts, c.put)
		}
		if _, err := w.store.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
		want := store.ErrCorrupt
		if c.newer {
			want = store.ErrNewerFormat
		}
		if m, err := w.org.Membership(t.Context(), one); !errors.Is(err, want) || m != nil {
			t.Errorf("%s: %+v, %v", c.name, m, err)
		}
		if m, err := w.org.Membership(t.Context(), boss); m == nil && !strings.Contains(c.name, "organization") {
			t.Errorf("%s: the management account: %v", c.name, err)
		}
		w.overwrite(store.Put{Key: key, Value: []byte(sound[key])})
		w.overwrite(store.Put{Key: orgKey, Value: []byte(sound[orgKey])})
		if m := w.membership(one); m == nil || len(m.Services) != 4 {
			t.Fatalf("%s: not repaired: %+v", c.name, m)
		}
	}
	if len(tests) < 25 {
		t.Errorf("only %d kinds of damage", len(tests))
	}
}

// A request that meets damage fails, and changes nothing.
func TestOperationsRefuseDamage(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	unit, other := u.createUnit(root, "unit"), u.createUnit(root, "other")
	sound := w.records()
	w.overwrite(store.Put{Key: "iam/org/unit/" + o + "/" + unit, Value: []byte(sound["iam/org/unit/"+o+"/"+other])})
	child := "iam/org/child/" + o + "/" + root + "/unit/"
	w.overwrite(store.Put{Key: child + "ou-0000-00000000", Value: []byte(sound[child+unit])})
	w.faulty = true
	for _, in := range []request{
		&orgapi.DescribeOrganizationalUnitRequest{OrganizationalUnitId: &unit}, &orgapi.DeleteOrganizationalUnitRequest{OrganizationalUnitId: &unit},
		&orgapi.ListOrganizationalUnitsForParentRequest{ParentId: &root}, &orgapi.ListTargetsForPolicyRequest{PolicyId: new(fullSCP)},
		&orgapi.ListChildrenRequest{ParentId: &root, ChildType: new(orgapi.ChildTypeOrganizationalUnit)},
	} {
		if a := u.send(in); a.status != 500 || strings.Contains(a.message, "iam/org") {
			t.Errorf("%s: %d %s", a.operation, a.status, a.body)
		}
	}
}

// Without the record of changes everything is as before, only slower; the next account, or start, makes it again.
func TestTheRecordOfChangesCanGetLost(t *testing.T) {
	w := newWorld(t)
	u, _, _ := founded(w)
	if _, err := w.store.Commit(t.Context(), store.Txn{Deletes: []string{"iam/org/changes"}}); err != nil {
		t.Fatal(err)
	}
	if m := w.membership(boss); m == nil {
		t.Error("no membership")
	}
	u.createAccount("one")
	if got := w.keys("iam/org/changes"); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
