package org_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/iam/org"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
)

// Of several that attach to one target at once, as many succeed as there is room for.
func TestAttachersDoNotOverfillATarget(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp)
	var policies []string
	for i := range 8 {
		policies = append(policies, u.createPolicy(scp, fmt.Sprint("p", i), denyKMS))
	}
	var wait sync.WaitGroup
	codes := make([]string, len(policies))
	for i, p := range policies {
		wait.Go(func() { codes[i] = u.send(&orgapi.AttachPolicyRequest{PolicyId: &p, TargetId: &root}).code })
	}
	wait.Wait()
	slices.Sort(codes)
	if got := strings.Join(codes, ""); got != strings.Repeat("ConstraintViolationException", 4) {
		t.Errorf("got %v", codes)
	}
	if got := u.attached(scp, root); len(got) != 5 {
		t.Errorf("attached: %v", got)
	}
}

// A policy is not deleted while it is being attached, nor a unit while something is put into it.
func TestNothingGetsLostBetweenTwoChanges(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp)
	one := u.createAccount("one")
	for i := range 20 {
		unit, p := u.createUnit(root, fmt.Sprint("u", i)), u.createPolicy(scp, fmt.Sprint("p", i), denyKMS)
		requests := []request{
			&orgapi.AttachPolicyRequest{PolicyId: &p, TargetId: &one}, &orgapi.DeletePolicyRequest{PolicyId: &p},
			&orgapi.MoveAccountRequest{AccountId: &one, SourceParentId: &root, DestinationParentId: &unit},
			&orgapi.DeleteOrganizationalUnitRequest{OrganizationalUnitId: &unit},
		}
		var wait sync.WaitGroup
		codes := make([]string, len(requests))
		for i, in := range requests {
			wait.Go(func() { codes[i] = u.send(in).code })
		}
		for range 10 { // none of which fails
			u.send(&orgapi.DescribeAccountRequest{AccountId: &one})
			u.send(&orgapi.ListPoliciesForTargetRequest{TargetId: &one, Filter: new(scp)})
			u.send(&orgapi.ListAccountsForParentRequest{ParentId: &unit})
			u.send(&orgapi.ListTargetsForPolicyRequest{PolicyId: &p})
		}
		wait.Wait()
		if (codes[0] == "") == (codes[1] == "") || (codes[2] == "") == (codes[3] == "") {
			t.Fatalf("attach %q, delete %q; move %q, delete %q", codes[0], codes[1], codes[2], codes[3])
		}
		w.membership(one) // whatever it refers to is there
		if codes[0] == "" {
			u.detach(p, one)
		}
		if codes[2] == "" {
			u.move(one, unit, root)
		}
	}
}

// While an account moves to and fro, every reader, on this node and on another, sees it in one place with that place's
// policies.
func TestMembershipIsOfOneMoment(t *testing.T) {
	shared := memory.New()
	t.Cleanup(func() { shared.Close() })
	node := func() *world {
		c := store.NewCached(unclosed{shared})
		t.Cleanup(func() { c.Close() })
		return newWorldWith(t, org.Config{Store: c})
	}
	here, there := node(), node()
	u, _, root := founded(here)
	u.enable(root, scp)
	one := u.createAccount("one")
	var units, policies []string
	for i := range 2 {
		units = append(units, u.createUnit(root, fmt.Sprint("u", i)))
		policies = append(policies, u.createPolicy(scp, fmt.Sprint("p", i), denyKMS))
		u.attach(policies[i], units[i])
	}
	u.move(one, root, units[0])
	check := func(m *authz.Membership) (at int) {
		at = slices.IndexFunc(units, func(id string) bool { return m != nil && strings.HasSuffix(m.Path, id+"/") })
		if at < 0 || len(m.Services) != 3 || !slices.Contains(names(m.Services)[1], policies[at]) {
			t.Errorf("got %+v", m)
		}
		return at
	}
	for there.membership(one) == nil { // until the news is there
	}
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for _, w := range []*world{here, there} {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if m := w.membership(one); m.Path != "" && len(m.Services) == 3 {
						check(m)
					}
				}
			}
		})
	}
	for i := range 200 {
		u.move(one, units[i%2], units[1-i%2])
		if at := check(here.membership(one)); at != 1-i%2 {
			t.Fatalf("after move %d it is in unit %d", i, at)
		}
	}
	close(stop)
	wait.Wait()
	u.move(one, units[0], units[1])
	for check(there.membership(one)) != 1 { // the other node hears of the last change too
	}
}

// unclosed is a store that two nodes share.
type unclosed struct{ store.Store }

func (unclosed) Close() error { return nil }

// Accounts and units that come and go at once leave counts that agree with what there is.
func TestCountsAgreeWithRecords(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for j := range 8 {
				name := fmt.Sprint(i, "-", j)
				one, unit := u.createAccount(name), u.createUnit(root, name)
				if j%2 == 0 {
					u.done(&orgapi.RemoveAccountFromOrganizationRequest{AccountId: &one})
					u.done(&orgapi.DeleteOrganizationalUnitRequest{OrganizationalUnitId: &unit})
				}
			}
		})
	}
	wait.Wait()
	accounts, units := len(w.keys("iam/org/account/"+o+"/")), len(w.keys("iam/org/unit/"+o+"/"))
	if accounts != 17 || units != 16 {
		t.Errorf("%d accounts, %d units", accounts, units)
	}
	record := w.records()["iam/org/organization/"+o]
	if !strings.Contains(record, `"accounts":17,"units":16`) {
		t.Errorf("the record says %s", record)
	}
	if children := len(w.keys("iam/org/child/" + o + "/")); children != accounts+units {
		t.Errorf("%d children", children)
	}
}

// meddler is a store in which something happens before every read of a key.
type meddler struct {
	store.Store
	key    string
	before func()
}

func (m *meddler) Get(ctx context.Context, key string) (store.Record, error) {
	if key == m.key && m.before != nil {
		m.before()
	}
	return m.Store.Get(ctx, key)
}

// In an organization that changes all the time, the members that no change is about can still be found; one that changes
// itself all the time cannot, and that is an error.
func TestAnOrganizationThatNeverRests(t *testing.T) {
	m := &meddler{Store: memory.New()}
	c := store.NewCached(m)
	t.Cleanup(func() { c.Close() })
	w := newWorldWith(t, org.Config{Store: c})
	u, o, root := founded(w)
	u.enable(root, scp)
	one, unit := u.createAccount("one"), u.createUnit(root, "unit")
	u.move(one, root, unit)
	other := u.createPolicy(scp, "other", denyKMS)
	account, organization := "iam/org/account/"+o+"/"+one, "iam/org/organization/"+o
	again := func(keys ...string) func() {
		sound := w.records()
		return func() {
			for _, key := range keys {
				w.touch(key, sound[key])
			}
		}
	}
	var changed int
	var attached bool
	m.key = "iam/org/unit/" + o + "/" + unit
	for _, test := range []struct {
		name   string
		before func()
		found  bool
	}{
		{"others change", again(organization), true},
		{"the account changes", again(organization, account), false},
		{"the unit changes", again(organization, m.key), true}, // before it is read
		{"once", func() {
			if changed++; changed == 1 {
				again(organization, account)()
			}
		}, true},
		{"the root's policies change", func() {
			before := m.before
			m.before = nil
			if attached = !attached; attached {
				u.attach(other, root)
			} else {
				u.detach(other, root)
			}
			m.before = before
		}, false},
		{"the account leaves", func() {
			m.before = nil
			u.done(&orgapi.RemoveAccountFromOrganizationRequest{AccountId: &one})
		}, true},
	} {
		again(organization)()
		m.before = test.before
		got, err := w.org.Membership(t.Context(), one)
		m.before = nil
		if found := err == nil; found != test.found || found && test.name != "the account leaves" && got == nil {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
	}
}
