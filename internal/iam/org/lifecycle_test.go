package org_test

import (
	"context"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/iam/org"
	"github.com/trent-kms/trent/internal/store"
)

// Every operation of the model is built.
func TestTableHasAllOperations(t *testing.T) {
	var got, want []string
	for _, o := range newWorld(t).org.Operations() {
		got = append(got, o.Name)
	}
	for _, o := range orgapi.Operations() {
		if o.Built {
			want = append(want, o.Name)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 35 {
		t.Errorf("%d operations: %s", len(got), diff)
	}
}

func TestIDsAndARNsHaveAWSsForms(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	u.enable(root, scp)
	account, unit, policy := u.createAccount("one"), u.createUnit(root, "unit"), u.createPolicy(scp, "deny", denyKMS)
	organization := do[orgapi.DescribeOrganizationResponse](u, &orgapi.DescribeOrganizationRequest{}).Organization
	described := do[orgapi.DescribeAccountResponse](u, &orgapi.DescribeAccountRequest{AccountId: &account}).Account
	described2 := do[orgapi.DescribeOrganizationalUnitResponse](u, &orgapi.DescribeOrganizationalUnitRequest{OrganizationalUnitId: &unit}).OrganizationalUnit
	request := *do[orgapi.ListCreateAccountStatusResponse](u, &orgapi.ListCreateAccountStatusRequest{}).CreateAccountStatuses[0].Id
	full := do[orgapi.DescribePolicyResponse](u, &orgapi.DescribePolicyRequest{PolicyId: new(fullRCP)}).Policy.PolicySummary
	own := do[orgapi.DescribePolicyResponse](u, &orgapi.DescribePolicyRequest{PolicyId: &policy}).Policy.PolicySummary
	const prefix = "^arn:aws:organizations::111122223333:"
	for got, form := range map[string]string{
		o: `^o-[0-9a-z]{10}$`, root: `^r-[0-9a-z]{4}$`, unit: "^ou-" + root[2:] + `-[0-9a-z]{8}$`, policy: `^p-[0-9a-z]{8}$`,
		request: `^car-[0-9a-f]{32}$`, account: `^[1-9][0-9]{11}$`,
		*organization.Arn:              prefix + "organization/" + o + "$",
		*organization.MasterAccountArn: prefix + "account/" + o + "/" + boss + "$",
		*described.Arn:                 prefix + "account/" + o + "/" + account + "$",
		*described2.Arn:                prefix + "ou/" + o + "/" + unit + "$",
		*own.Arn:                       prefix + "policy/" + o + "/service_control_policy/" + policy + "$",
		*full.Arn:                      "^arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess$",
		described.Paths[0]:             "^" + o + "/" + root + "/" + account + "/$",
		*described2.Path:               "^" + o + "/" + root + "/" + unit + "/$",
	} {
		if !regexp.MustCompile(form).MatchString(got) {
			t.Errorf("%s is not of the form %s", got, form)
		}
	}
}

func TestLifeOfAnOrganization(t *testing.T) {
	w := newWorld(t)
	w.as(boss).refused("AWSOrganizationsNotInUseException", &orgapi.DescribeOrganizationRequest{})
	u, o, root := founded(w)
	one := u.createAccount("one")
	member := w.as(one)

	got := do[orgapi.DescribeOrganizationResponse](member, &orgapi.DescribeOrganizationRequest{}).Organization
	if *got.Id != o || *got.MasterAccountId != boss || *got.FeatureSet != orgapi.OrganizationFeatureSetAll {
		t.Errorf("a member sees %s of %s, %s", *got.Id, *got.MasterAccountId, *got.FeatureSet)
	}
	unit := u.createUnit(root, "unit")
	u.move(one, root, unit)
	parents := do[orgapi.ListParentsResponse](u, &orgapi.ListParentsRequest{ChildId: &one}).Parents
	if len(parents) != 1 || *parents[0].Id != unit || *parents[0].Type != orgapi.ParentTypeOrganizationalUnit {
		t.Errorf("parents: %+v", parents)
	}
	u.refused("OrganizationNotEmptyException", &orgapi.DeleteOrganizationRequest{})
	member.done(&orgapi.LeaveOrganizationRequest{})
	member.refused("AWSOrganizationsNotInUseException", &orgapi.DescribeOrganizationRequest{})
	u.refused("AccountNotFoundException", &orgapi.DescribeAccountRequest{AccountId: &one})

	// Who has left may begin anew, under its old name.
	do[orgapi.CreateOrganizationResponse](member, &orgapi.CreateOrganizationRequest{})
	if got := do[orgapi.DescribeAccountResponse](member, &orgapi.DescribeAccountRequest{AccountId: &one}).Account; *got.Name != "one" || *got.Email != "one@example.com" {
		t.Errorf("it is called %s, %s", *got.Name, *got.Email)
	}
	member.done(&orgapi.DeleteOrganizationRequest{})

	u.done(&orgapi.DeleteOrganizationalUnitRequest{OrganizationalUnitId: &unit})
	u.done(&orgapi.DeleteOrganizationRequest{})
	u.refused("AWSOrganizationsNotInUseException", &orgapi.ListRootsRequest{})
	for _, prefix := range []string{"organization/", "unit/", "policy/", "creation/", "child/", "name/"} {
		if left := w.keys("iam/org/" + prefix); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
	founded(w) // and again
}

// What the IAM package makes for a new account is there with it or not at all.
func TestANewAccountBeginsWithWhatIAMMakesForIt(t *testing.T) {
	var made []string
	var fail error
	w := newWorldWith(t, org.Config{NewAccount: func(_ context.Context, now time.Time, account, role, management string) (store.Txn, error) {
		if now.IsZero() {
			t.Error("no time")
		}
		made = append(made, role+" for "+management)
		path := "iam/role/" + account + "/" + role
		return store.Txn{Checks: []store.Check{{Key: path}}, Puts: []store.Put{{Key: path, Value: []byte("role")}}}, fail
	}})
	u, _, _ := founded(w)
	id := u.createAccount("one")
	if r, err := w.store.Get(t.Context(), "iam/role/"+id+"/OrganizationAccountAccessRole"); err != nil || string(r.Value) != "role" {
		t.Errorf("got %q, %v", r.Value, err)
	}
	do[orgapi.CreateAccountResponse](u, &orgapi.CreateAccountRequest{Email: new("two@example.com"), AccountName: new("two"), RoleName: new("Boss")})
	if diff := cmp.Diff([]string{"OrganizationAccountAccessRole for " + boss, "Boss for " + boss}, made); diff != "" {
		t.Error(diff)
	}
	fail, w.faulty = errNoRole, true
	before := len(w.records())
	u.refused("KMSInternalException", &orgapi.CreateAccountRequest{Email: new("three@example.com"), AccountName: new("three")})
	if after := len(w.records()); after != before {
		t.Errorf("%d records, then %d", before, after)
	}
}

func TestAnEmailAddressIsOfOneAccount(t *testing.T) {
	u, _, _ := founded(newWorld(t))
	one := u.createAccount("one")
	again := do[orgapi.CreateAccountResponse](u, &orgapi.CreateAccountRequest{Email: new("ONE@example.com"), AccountName: new("again")}).CreateAccountStatus
	if *again.State != orgapi.CreateAccountStateFailed || *again.FailureReason != orgapi.CreateAccountFailureReasonEmailAlreadyExists || again.AccountId != nil {
		t.Errorf("got %s", *again.State)
	}
	asked := do[orgapi.DescribeCreateAccountStatusResponse](u, &orgapi.DescribeCreateAccountStatusRequest{CreateAccountRequestId: again.Id}).CreateAccountStatus
	if *asked.State != orgapi.CreateAccountStateFailed || *asked.AccountName != "again" {
		t.Errorf("asked: %s", *asked.State)
	}
	for state, want := range map[orgapi.CreateAccountState]int{
		orgapi.CreateAccountStateFailed: 1, orgapi.CreateAccountStateSucceeded: 1, orgapi.CreateAccountStateInProgress: 0,
	} {
		got := do[orgapi.ListCreateAccountStatusResponse](u, &orgapi.ListCreateAccountStatusRequest{States: []orgapi.CreateAccountState{state}})
		if len(got.CreateAccountStatuses) != want {
			t.Errorf("%d are %s, want %d", len(got.CreateAccountStatuses), state, want)
		}
	}
	if all := do[orgapi.ListAccountsResponse](u, &orgapi.ListAccountsRequest{}).Accounts; len(all) != 2 {
		t.Errorf("%d accounts", len(all))
	}
	u.done(&orgapi.RemoveAccountFromOrganizationRequest{AccountId: &one})
}

func TestAClosedAccountIsSuspendedForGood(t *testing.T) {
	w := newWorldWith(t, org.Config{Own: func(a string) bool { return a == boss }})
	u, _, _ := founded(w)
	one := u.createAccount("one")
	check := func(account string, exists, suspended bool) {
		t.Helper()
		e, s, err := w.org.AccountExists(t.Context(), account)
		if err != nil || e != exists || s != suspended {
			t.Errorf("%s: exists %v, suspended %v, %v; want %v, %v", account, e, s, err, exists, suspended)
		}
	}
	check(boss, true, false)
	check(one, true, false)
	check(stranger, false, false)
	check("", false, false)
	check("../changes", false, false)
	u.done(&orgapi.CloseAccountRequest{AccountId: &one})
	check(one, true, true)
	got := do[orgapi.DescribeAccountResponse](u, &orgapi.DescribeAccountRequest{AccountId: &one}).Account
	if *got.Status != orgapi.AccountStatusSuspended || *got.State != orgapi.AccountStateClosed {
		t.Errorf("it is %s, %s", *got.Status, *got.State)
	}
	u.done(&orgapi.RemoveAccountFromOrganizationRequest{AccountId: &one})
	check(one, true, true)
	if m := w.membership(one); m != nil {
		t.Errorf("it is in %s", m.Organization)
	}
}

// An account's number is never one that the deployment has by itself, whose records would be another's.
func TestCreatedAccountsAreNobodyElses(t *testing.T) {
	asked := 0
	w := newWorldWith(t, org.Config{Own: func(a string) bool {
		asked++
		return a == boss || asked <= 3
	}})
	u, _, _ := founded(w)
	asked = 0
	u.createAccount("one")
	if asked < 4 {
		t.Errorf("asked %d times", asked)
	}
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	tags := func(kv ...string) (all []orgapi.Tag) {
		for i := 0; i < len(kv); i += 2 {
			all = append(all, orgapi.Tag{Key: &kv[i], Value: &kv[i+1]})
		}
		return all
	}
	shown := func(id string) (all []string) {
		for _, tag := range do[orgapi.ListTagsForResourceResponse](u, &orgapi.ListTagsForResourceRequest{ResourceId: &id}).Tags {
			all = append(all, *tag.Key+"="+*tag.Value)
		}
		return all
	}
	account := do[orgapi.CreateAccountResponse](u, &orgapi.CreateAccountRequest{Email: new("one@example.com"), AccountName: new("one"), Tags: tags("a", "1")}).CreateAccountStatus.AccountId
	unit := do[orgapi.CreateOrganizationalUnitResponse](u, &orgapi.CreateOrganizationalUnitRequest{ParentId: &root, Name: new("unit"), Tags: tags("a", "1")}).OrganizationalUnit.Id
	policy := do[orgapi.CreatePolicyResponse](u, &orgapi.CreatePolicyRequest{Type: new(scp), Name: new("p"), Description: new(""), Content: new(denyKMS), Tags: tags("a", "1")}).Policy.PolicySummary.Id
	u.done(&orgapi.TagResourceRequest{ResourceId: &root, Tags: tags("a", "1")})
	for _, id := range []string{*account, *unit, *policy, root} {
		u.done(&orgapi.TagResourceRequest{ResourceId: &id, Tags: tags("c", "3", "b", "", "a", "2")})
		if diff := cmp.Diff([]string{"a=2", "b=", "c=3"}, shown(id)); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
		u.done(&orgapi.UntagResourceRequest{ResourceId: &id, TagKeys: []string{"b", "none"}})
		if diff := cmp.Diff([]string{"a=2", "c=3"}, shown(id)); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
	if got := shown(fullSCP); len(got) > 0 {
		t.Errorf("AWS's policy has tags %v", got)
	}
}

func TestPolicies(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	id := u.createPolicy(scp, "deny", denyKMS)
	describe := func() *orgapi.Policy {
		return do[orgapi.DescribePolicyResponse](u, &orgapi.DescribePolicyRequest{PolicyId: &id}).Policy
	}
	do[orgapi.UpdatePolicyResponse](u, &orgapi.UpdatePolicyRequest{PolicyId: &id})
	do[orgapi.UpdatePolicyResponse](u, &orgapi.UpdatePolicyRequest{PolicyId: &id, Description: new("why")})
	do[orgapi.UpdatePolicyResponse](u, &orgapi.UpdatePolicyRequest{PolicyId: &id, Name: new("allow"), Content: new(allowAll)})
	got := describe()
	if *got.Content != allowAll || *got.PolicySummary.Name != "allow" || *got.PolicySummary.Description != "why" || *got.PolicySummary.AwsManaged {
		t.Errorf("got %+v", *got.PolicySummary)
	}
	u.createPolicy(scp, "deny", denyKMS) // the name is free again
	u.createPolicy(rcp, "deny", denyRCP) // and another type has its own
	listed := func(filter orgapi.PolicyType) (all []string) {
		for _, p := range do[orgapi.ListPoliciesResponse](u, &orgapi.ListPoliciesRequest{Filter: &filter}).Policies {
			all = append(all, *p.Name)
		}
		slices.Sort(all)
		return all
	}
	if diff := cmp.Diff([]string{"FullAWSAccess", "allow", "deny"}, listed(scp)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"RCPFullAWSAccess", "deny"}, listed(rcp)); diff != "" {
		t.Error(diff)
	}
	if got := listed(orgapi.PolicyTypeTagPolicy); len(got) > 0 {
		t.Errorf("tag policies: %v", got)
	}
	u.enable(root, scp)
	u.attach(id, root)
	targets := do[orgapi.ListTargetsForPolicyResponse](u, &orgapi.ListTargetsForPolicyRequest{PolicyId: &id}).Targets
	if len(targets) != 1 || *targets[0].TargetId != root || *targets[0].Name != "Root" || *targets[0].Type != orgapi.TargetTypeRoot {
		t.Errorf("targets: %+v", targets)
	}
	u.detach(id, root)
	u.done(&orgapi.DeletePolicyRequest{PolicyId: &id})
	u.refused("PolicyNotFoundException", &orgapi.DescribePolicyRequest{PolicyId: &id})
}

// The texts that scripts are known to compare.
func TestTextsThatClientsKnow(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp)
	one := u.createAccount("one")
	for _, c := range []struct {
		u          user
		in         request
		code, text string
	}{
		{w.as(stranger), &orgapi.ListAccountsRequest{}, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization."},
		{w.as(one), &orgapi.ListAccountsRequest{}, "AccessDeniedException", "You don't have permissions to access this resource."},
		{u, &orgapi.DescribeAccountRequest{AccountId: new(stranger)}, "AccountNotFoundException", "You specified an account that doesn't exist."},
		{u, &orgapi.DetachPolicyRequest{PolicyId: new(fullSCP), TargetId: &one}, "ConstraintViolationException", "You cannot remove the last policy attached to the specified target. You must have at least one attached at all times."},
	} {
		if got := c.u.refused(c.code, c.in); got != c.text {
			t.Errorf("got %q, want %q", got, c.text)
		}
	}
}

func TestNewNeedsAStoreAndToKnowTheAccounts(t *testing.T) {
	if s, err := org.New(t.Context(), org.Config{}); err == nil || s != nil {
		t.Error("made a service of nothing")
	}
}
