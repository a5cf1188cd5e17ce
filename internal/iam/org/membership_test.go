package org_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/policy"
)

func TestOutsideOfOrganizationsThereIsNoMembership(t *testing.T) {
	w := newWorld(t)
	for _, account := range []string{"", stranger, "s3.amazonaws.com", "../changes"} {
		if m := w.membership(account); m != nil {
			t.Errorf("%q is in %s", account, m.Organization)
		}
	}
	founded(w)
	if m := w.membership(stranger); m != nil {
		t.Errorf("then it is in %s", m.Organization)
	}
}

// The levels go from the root over the organisational units to the account, whatever the depth.
func TestMembershipOfEveryDepth(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	u.enable(root, scp, rcp)
	account := u.createAccount("one")
	id := map[string]string{}
	for _, name := range []string{"root", "1", "2", "3", "4", "5", "account"} {
		id[name] = u.createPolicy(scp, name, denyKMS)
	}
	u.attach(id["root"], root)
	u.attach(id["account"], account)
	parent, path := root, o+"/"+root+"/"
	wantServices := [][]string{{fullSCP, id["root"]}, {fullSCP, id["account"]}}
	wantResources := [][]string{{fullRCP}, {fullRCP}}
	for depth := 0; ; depth++ {
		m := w.membership(account)
		if m == nil || m.Organization != o || m.Path != path || m.Management {
			t.Fatalf("depth %d: got %+v, want path %s", depth, m, path)
		}
		if diff := cmp.Diff(wantServices, names(m.Services)); diff != "" {
			t.Errorf("depth %d: %s", depth, diff)
		}
		if diff := cmp.Diff(wantResources, names(m.Resources)); diff != "" {
			t.Errorf("depth %d: %s", depth, diff)
		}
		if depth == 5 {
			break
		}
		name := string(rune('1' + depth))
		unit := u.createUnit(parent, name)
		u.attach(id[name], unit)
		u.move(account, parent, unit)
		parent, path = unit, path+unit+"/"
		wantServices = slices.Insert(wantServices, len(wantServices)-1, []string{fullSCP, id[name]})
		wantResources = append(wantResources, []string{fullRCP})
	}
	u.refused("ConstraintViolationException", &orgapi.CreateOrganizationalUnitRequest{ParentId: &parent, Name: new("6")})
}

func TestNoPolicyBindsTheManagementAccount(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	u.enable(root, scp)
	u.attach(u.createPolicy(scp, "deny", denyKMS), boss)
	m := w.membership(boss)
	if m == nil || !m.Management || m.Organization != o || m.Path != o+"/"+root+"/" || m.Services != nil || m.Resources != nil {
		t.Errorf("got %+v", m)
	}
}

func TestPolicyTypesComeAndGo(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	one, unit := u.createAccount("one"), u.createUnit(root, "unit")
	u.move(one, root, unit)
	if m := w.membership(one); m == nil || m.Services != nil || m.Resources != nil {
		t.Errorf("before any type is enabled: %+v", m)
	}
	deny, resource := u.createPolicy(scp, "deny", denyKMS), u.createPolicy(rcp, "deny", denyRCP)
	u.enable(root, scp)
	u.attach(deny, unit)
	want := [][]string{{fullSCP}, {fullSCP, deny}, {fullSCP}}
	if m := w.membership(one); cmp.Diff(want, names(m.Services)) != "" || m.Resources != nil {
		t.Errorf("service control policies: %v, %v", names(m.Services), m.Resources)
	}
	u.enable(root, rcp)
	u.attach(resource, one)
	if m := w.membership(one); cmp.Diff([][]string{{fullRCP}, {fullRCP}, {fullRCP, resource}}, names(m.Resources)) != "" {
		t.Errorf("resource control policies: %v", names(m.Resources))
	}
	u.disable(root, scp)
	if m := w.membership(one); m.Services != nil || m.Resources == nil {
		t.Errorf("disabled: %v", names(m.Services))
	}
	if got := u.attached(scp, unit); len(got) > 0 {
		t.Errorf("disabled, and attached are %v", got)
	}
	if got := do[orgapi.ListTargetsForPolicyResponse](u, &orgapi.ListTargetsForPolicyRequest{PolicyId: new(fullSCP)}).Targets; len(got) > 0 {
		t.Errorf("disabled, and attached to %d", len(got))
	}
	// What was attached is not so again, and so the policy can go.
	u.enable(root, scp)
	if diff := cmp.Diff([]string{fullSCP}, u.attached(scp, unit)); diff != "" {
		t.Error(diff)
	}
	u.attach(deny, root)
	u.detach(deny, root)
	u.done(&orgapi.DeletePolicyRequest{PolicyId: &deny})
}

// The allow list: one's own policy takes the place of AWS's.
func TestFullAccessCanBeReplacedByOnesOwn(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp, rcp)
	one := u.createAccount("one")
	own := u.createPolicy(scp, "own", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`)
	u.refused("ConstraintViolationException", &orgapi.DetachPolicyRequest{PolicyId: new(fullSCP), TargetId: &one})
	u.attach(own, one)
	u.detach(fullSCP, one)
	m := w.membership(one)
	if diff := cmp.Diff([][]string{{fullSCP}, {own}}, names(m.Services)); diff != "" {
		t.Fatal(diff)
	}
	for action, want := range map[string]bool{"kms:Decrypt": true, "iam:CreateUser": false} {
		r := m.Services[1][0].Evaluate(&policy.Request{Action: action, Resource: "*"})
		if _, _, ok := r.Allowed(); ok != want {
			t.Errorf("%s: allowed %v", action, ok)
		}
	}
	u.attach(fullSCP, one)
	if diff := cmp.Diff([]string{own, fullSCP}, u.attached(scp, one)); diff != "" {
		t.Error(diff)
	}
	// That of resource control policies stays (Organizations User Guide).
	u.attach(u.createPolicy(rcp, "own", denyRCP), one)
	u.refused("InvalidInputException", &orgapi.DetachPolicyRequest{PolicyId: new(fullRCP), TargetId: &one})
}

// Every change shows at once on the node that made it.
func TestMembershipIsNeverStale(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp)
	one := u.createAccount("one")
	id := u.createPolicy(scp, "p", denyKMS)
	denies := func(m *authz.Membership) bool {
		for _, level := range m.Services {
			for _, a := range level {
				r := a.Evaluate(&policy.Request{Action: "kms:Decrypt", Resource: "*"})
				if _, denied := r.Denied(); denied {
					return true
				}
			}
		}
		return false
	}
	steps := []struct {
		name string
		do   func()
		want bool
	}{
		{"attached to nothing", func() {}, false},
		{"attached to the root", func() { u.attach(id, root) }, true},
		{"its text changed", func() {
			do[orgapi.UpdatePolicyResponse](u, &orgapi.UpdatePolicyRequest{PolicyId: &id, Content: new(allowAll)})
		}, false},
		{"and changed back", func() {
			do[orgapi.UpdatePolicyResponse](u, &orgapi.UpdatePolicyRequest{PolicyId: &id, Content: new(denyKMS)})
		}, true},
		{"detached", func() { u.detach(id, root) }, false},
		{"attached to the account", func() { u.attach(id, one) }, true},
		{"type disabled", func() { u.disable(root, scp) }, false},
	}
	for _, s := range steps {
		s.do()
		if got := denies(w.membership(one)); got != s.want {
			t.Errorf("%s: denies %v", s.name, got)
		}
	}
	w.as(one).done(&orgapi.LeaveOrganizationRequest{})
	if m := w.membership(one); m != nil {
		t.Errorf("after it has left it is in %s", m.Organization)
	}
}

// A policy that goes with what it was attached to is free.
func TestWhatCeasesToBeLetsGoOfItsPolicies(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp, rcp)
	unit, one := u.createUnit(root, "unit"), u.createAccount("one")
	service, resource := u.createPolicy(scp, "s", denyKMS), u.createPolicy(rcp, "r", denyRCP)
	for _, target := range []string{unit, one} {
		u.attach(service, target)
		u.attach(resource, target)
	}
	u.done(&orgapi.DeleteOrganizationalUnitRequest{OrganizationalUnitId: &unit})
	u.refused("PolicyInUseException", &orgapi.DeletePolicyRequest{PolicyId: &service})
	u.done(&orgapi.RemoveAccountFromOrganizationRequest{AccountId: &one})
	u.done(&orgapi.DeletePolicyRequest{PolicyId: &service})
	u.done(&orgapi.DeletePolicyRequest{PolicyId: &resource})
	u.done(&orgapi.DeleteOrganizationRequest{})
}
