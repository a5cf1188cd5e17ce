package org_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
)

// What a caller must be allowed for each operation (Service Authorization Reference, "Actions, resources, and condition
// keys for AWS Organizations"). MGMT stands for arn:aws:organizations::111122223333:, ORG for the organization's id.
func TestWhatEachOperationDemands(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	u.enable(root, scp)
	one, unit := u.createAccount("one"), u.createUnit(root, "unit")
	p := u.createPolicy(scp, "p", denyKMS)
	tags := []orgapi.Tag{{Key: new("k"), Value: new("v")}}
	account, ou, top, pol := "MGMTaccount/ORG/"+one, "MGMTou/ORG/"+unit, "MGMTroot/ORG/"+root, "MGMTpolicy/ORG/service_control_policy/"+p
	full := "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
	tests := []struct {
		in   request
		want []string // resources, or operation and resource where it is another
	}{
		{&orgapi.DescribeOrganizationRequest{}, []string{"*"}},
		{&orgapi.ListRootsRequest{}, []string{"*"}},
		{&orgapi.ListAccountsRequest{}, []string{"*"}},
		{&orgapi.ListCreateAccountStatusRequest{}, []string{"*"}},
		{&orgapi.DescribeCreateAccountStatusRequest{CreateAccountRequestId: new("car-00000000")}, []string{"*"}},
		{&orgapi.ListPoliciesRequest{Filter: new(scp)}, []string{"*"}},
		{&orgapi.CreateOrganizationRequest{}, []string{"*"}},
		{&orgapi.DescribeAccountRequest{AccountId: &one}, []string{account}},
		{&orgapi.DescribeAccountRequest{AccountId: new("000000000001")}, []string{"*"}},
		{&orgapi.DescribeOrganizationalUnitRequest{OrganizationalUnitId: &unit}, []string{ou}},
		{&orgapi.UpdateOrganizationalUnitRequest{OrganizationalUnitId: &unit}, []string{ou}},
		{&orgapi.DescribePolicyRequest{PolicyId: &p}, []string{pol}},
		{&orgapi.DescribePolicyRequest{PolicyId: new(fullSCP)}, []string{full}},
		{&orgapi.UpdatePolicyRequest{PolicyId: &p}, []string{pol}},
		{&orgapi.ListTargetsForPolicyRequest{PolicyId: &p}, []string{pol}},
		{&orgapi.ListPoliciesForTargetRequest{TargetId: &root, Filter: new(scp)}, []string{top}},
		{&orgapi.ListPoliciesForTargetRequest{TargetId: &one, Filter: new(scp)}, []string{account}},
		{&orgapi.ListParentsRequest{ChildId: &unit}, []string{ou}},
		{&orgapi.ListChildrenRequest{ParentId: &root, ChildType: new(orgapi.ChildTypeAccount)}, []string{top}},
		{&orgapi.ListAccountsForParentRequest{ParentId: &unit}, []string{ou}},
		{&orgapi.ListOrganizationalUnitsForParentRequest{ParentId: &root}, []string{top}},
		{&orgapi.ListTagsForResourceRequest{ResourceId: &p}, []string{pol}},
		{&orgapi.TagResourceRequest{ResourceId: &root, Tags: tags}, []string{top}},
		{&orgapi.UntagResourceRequest{ResourceId: &one, TagKeys: []string{"k"}}, []string{account}},
		{&orgapi.CreateAccountRequest{Email: new("two@example.com"), AccountName: new("two")}, []string{"*"}},
		{&orgapi.CreateAccountRequest{Email: new("three@example.com"), AccountName: new("three"), Tags: tags}, []string{"*", "TagResource *"}},
		{&orgapi.CreateOrganizationalUnitRequest{ParentId: &unit, Name: new("a")}, []string{ou}},
		{&orgapi.CreateOrganizationalUnitRequest{ParentId: &root, Name: new("b"), Tags: tags}, []string{top, "TagResource " + top}},
		{&orgapi.CreatePolicyRequest{Type: new(scp), Name: new("q"), Description: new(""), Content: new(denyKMS)}, []string{"*"}},
		{&orgapi.AttachPolicyRequest{PolicyId: &p, TargetId: &unit}, []string{pol, ou}},
		{&orgapi.DetachPolicyRequest{PolicyId: &p, TargetId: &unit}, []string{pol, ou}},
		{&orgapi.AttachPolicyRequest{PolicyId: new(fullSCP), TargetId: &root}, []string{full, top}},
		{&orgapi.MoveAccountRequest{AccountId: &one, SourceParentId: &root, DestinationParentId: &unit}, []string{account, top, ou}},
		{&orgapi.CloseAccountRequest{AccountId: &one}, []string{account}},
		{&orgapi.EnablePolicyTypeRequest{RootId: &root, PolicyType: new(rcp)}, []string{top}},
		{&orgapi.DisablePolicyTypeRequest{RootId: &root, PolicyType: new(rcp)}, []string{top}},
		{&orgapi.RemoveAccountFromOrganizationRequest{AccountId: &one}, []string{account}},
		{&orgapi.DeletePolicyRequest{PolicyId: &p}, []string{pol}},
		{&orgapi.DeleteOrganizationRequest{}, []string{"*"}},
		{&orgapi.LeaveOrganizationRequest{}, []string{"*"}},
	}
	for _, c := range tests {
		operation := u.send(c.in).operation
		var decided []struct{ Action, Resource string }
		if err := json.Unmarshal(w.decided, &decided); err != nil {
			t.Fatalf("%s: %v", operation, err)
		}
		var got []string
		for _, d := range decided {
			resource := strings.NewReplacer("arn:aws:organizations::"+boss+":", "MGMT", o, "ORG").Replace(d.Resource)
			got = append(got, strings.TrimPrefix(strings.TrimPrefix(d.Action, "organizations:"), operation)+" "+resource)
		}
		for i := range c.want {
			if !strings.Contains(c.want[i], " ") {
				c.want[i] = " " + c.want[i]
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", operation, diff)
		}
	}
	if len(tests) < 40 {
		t.Errorf("only %d requests", len(tests))
	}
}

// Each condition key, both ways: the same request by two users, of whom one fulfils the condition.
func TestConditionKeys(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp, rcp)
	one := u.createAccount("one")
	p := u.createPolicy(scp, "p", denyKMS)
	tagged := []orgapi.Tag{{Key: new("Team"), Value: new("blue")}}
	for _, id := range []string{one, p, root} {
		u.done(&orgapi.TagResourceRequest{ResourceId: &id, Tags: tagged})
	}
	tests := []struct {
		key, yes, no string
		in           request
	}{
		{"organizations:PolicyType", string(scp), string(rcp), &orgapi.AttachPolicyRequest{PolicyId: &p, TargetId: &root}},
		{"organizations:PolicyType", string(scp), string(rcp), &orgapi.DetachPolicyRequest{PolicyId: &p, TargetId: &root}},
		{"organizations:PolicyType", string(rcp), string(scp), &orgapi.DescribePolicyRequest{PolicyId: new(fullRCP)}},
		{"organizations:PolicyType", string(rcp), string(scp), &orgapi.ListPoliciesRequest{Filter: new(rcp)}},
		{"organizations:PolicyType", string(rcp), string(scp), &orgapi.ListPoliciesForTargetRequest{TargetId: &one, Filter: new(rcp)}},
		{"organizations:PolicyType", string(rcp), string(scp), &orgapi.DisablePolicyTypeRequest{RootId: &root, PolicyType: new(rcp)}},
		{"organizations:PolicyType", string(rcp), string(scp), &orgapi.EnablePolicyTypeRequest{RootId: &root, PolicyType: new(rcp)}},
		{"organizations:PolicyType", string(rcp), string(scp), &orgapi.CreatePolicyRequest{Type: new(rcp), Name: new("r"), Description: new(""), Content: new(denyRCP)}},
		{"organizations:PolicyType", string(scp), string(rcp), &orgapi.UpdatePolicyRequest{PolicyId: &p}},
		{"aws:ResourceTag/team", "blue", "red", &orgapi.DescribeAccountRequest{AccountId: &one}},
		{"aws:ResourceTag/Team", "blue", "red", &orgapi.DescribePolicyRequest{PolicyId: &p}},
		{"aws:ResourceTag/Team", "blue", "red", &orgapi.CreateOrganizationalUnitRequest{ParentId: &root, Name: new("a")}},
		{"aws:RequestTag/team", "blue", "red", &orgapi.TagResourceRequest{ResourceId: &one, Tags: tagged}},
		{"aws:RequestTag/Team", "blue", "red", &orgapi.CreateAccountRequest{Email: new("two@example.com"), AccountName: new("two"), Tags: tagged}},
		{"aws:TagKeys", "Team", "Cost", &orgapi.TagResourceRequest{ResourceId: &p, Tags: tagged}},
		{"aws:TagKeys", "Team", "Cost", &orgapi.UntagResourceRequest{ResourceId: &p, TagKeys: []string{"Team"}}},
	}
	allowing := func(name, key, value string) user {
		operator := "StringEquals"
		if key == "aws:TagKeys" {
			operator = "ForAnyValue:StringEquals"
		}
		return w.named(boss, name, fmt.Sprintf(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"organizations:*","Resource":"*","Condition":{%q:{%q:%q}}}]}`, operator, key, value))
	}
	for i, c := range tests {
		allowing(fmt.Sprintf("no%d", i), c.key, c.no).refused("AccessDeniedException", c.in)
		if a := allowing(fmt.Sprintf("yes%d", i), c.key, c.yes).send(c.in); a.code != "" {
			t.Errorf("%s with %s: %s %s", a.operation, c.key, a.code, a.message)
		}
	}
	if len(tests) < 15 {
		t.Errorf("only %d requests", len(tests))
	}
}

// Who may not ask learns nothing of what there is: the refusal is the same for what exists and what does not.
func TestARefusalDoesNotTellWhatThereIs(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	one := u.createAccount("one")
	nobody := w.named(boss, "nobody", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`)
	for _, in := range []request{
		&orgapi.DescribeAccountRequest{AccountId: &one}, &orgapi.DescribeAccountRequest{AccountId: new(stranger)},
		&orgapi.ListParentsRequest{ChildId: new(stranger)}, &orgapi.EnablePolicyTypeRequest{RootId: new("r-0000"), PolicyType: new(scp)},
		&orgapi.EnablePolicyTypeRequest{RootId: &root, PolicyType: new(scp)}, &orgapi.DescribePolicyRequest{PolicyId: new("p-00000000")},
		&orgapi.ListAccountsRequest{}, &orgapi.DescribeOrganizationRequest{}, &orgapi.LeaveOrganizationRequest{},
	} {
		if text := nobody.refused("AccessDeniedException", in); !strings.Contains(text, "is not authorized to perform: organizations:") {
			t.Errorf("got %q", text)
		}
	}
}

// A service control policy can keep a member's administrators from leaving.
func TestLeavingCanBeForbidden(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp)
	one := u.createAccount("one")
	u.attach(u.createPolicy(scp, "stay", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"}]}`), root)
	if text := w.as(one).refused("AccessDeniedException", &orgapi.LeaveOrganizationRequest{}); !strings.Contains(text, "service control policy") {
		t.Errorf("got %q", text)
	}
}

// Organizations tells tags apart by case and condition keys do not: such tags meet every denial and no permission.
func TestTagsThatDifferInCaseGainNothing(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	twice := []orgapi.Tag{{Key: new("Cost"), Value: new("x")}, {Key: new("cost"), Value: new("prod")}}
	policy := func(effect, key, value string) string {
		return fmt.Sprintf(`{"Effect":%q,"Action":"organizations:*","Resource":"*","Condition":{"StringEquals":{%q:%q}}}`, effect, key, value)
	}
	add := &orgapi.TagResourceRequest{ResourceId: &root, Tags: twice}
	remove := &orgapi.UntagResourceRequest{ResourceId: &root, TagKeys: []string{"Cost"}}
	ran := 0
	for _, value := range []string{"x", "prod", "other"} {
		for key, in := range map[string]request{"aws:RequestTag/cost": add, "aws:ResourceTag/cost": remove} {
			ran++
			if in == request(remove) {
				u.done(add)
			}
			for effect, document := range map[string]string{
				"Allow": policy("Allow", key, value),
				"Deny":  `{"Effect":"Allow","Action":"*","Resource":"*"},` + policy("Deny", key, value),
			} {
				w.named(boss, fmt.Sprint("u", ran, effect), `{"Version":"2012-10-17","Statement":[`+document+`]}`).refused("AccessDeniedException", in)
			}
		}
	}
	if ran != 6 {
		t.Errorf("%d cases", ran)
	}
}
