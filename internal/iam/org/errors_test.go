package org_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
)

// unreachable are the errors of the model that never come: for what there is not here (throttling, the end of making an
// organization, endpoints in other partitions, changes that take time), and conflicts, which the pipeline settles.
var unreachable = []string{
	"AccessDeniedForDependencyException", "ConcurrentModificationException", "ConflictException", "FinalizingOrganizationException",
	"PolicyChangesInProgressException", "ServiceException", "TooManyRequestsException", "UnsupportedAPIEndpointException",
}

func TestEveryErrorOfTheModel(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp)
	one, two := u.createAccount("one"), u.createAccount("two")
	unit := u.createUnit(root, "unit")
	empty := u.createUnit(root, "empty")
	u.move(one, root, unit)
	used, free := u.createPolicy(scp, "used", denyKMS), u.createPolicy(scp, "free", denyKMS)
	resource := u.createPolicy(rcp, "resource", denyRCP)
	u.attach(used, unit)
	u.done(&orgapi.CloseAccountRequest{AccountId: &two})
	member, nobody := w.as(one), w.as(stranger)
	noUnit, noAccount, noPolicy := "ou-"+root[2:]+"-00000000", "000000000001", "p-00000000"
	attach := func(p, target string) request { return &orgapi.AttachPolicyRequest{PolicyId: &p, TargetId: &target} }
	detach := func(p, target string) request { return &orgapi.DetachPolicyRequest{PolicyId: &p, TargetId: &target} }
	move := func(a, from, to string) request {
		return &orgapi.MoveAccountRequest{AccountId: &a, SourceParentId: &from, DestinationParentId: &to}
	}
	unitCalled := func(parent, name string) request {
		return &orgapi.CreateOrganizationalUnitRequest{ParentId: &parent, Name: &name}
	}
	policyCalled := func(kind orgapi.PolicyType, name, content string, tags ...orgapi.Tag) request {
		return &orgapi.CreatePolicyRequest{Type: &kind, Name: &name, Content: &content, Description: new(""), Tags: tags}
	}
	tag := func(key string) orgapi.Tag { return orgapi.Tag{Key: &key, Value: new("v")} }
	tests := []struct {
		u    user
		in   request
		code string
	}{
		{nobody, &orgapi.ListRootsRequest{}, "AWSOrganizationsNotInUseException"},
		{nobody, &orgapi.LeaveOrganizationRequest{}, "AWSOrganizationsNotInUseException"},
		{nobody, &orgapi.DeleteOrganizationRequest{}, "AWSOrganizationsNotInUseException"},
		{member, &orgapi.DeleteOrganizationRequest{}, "AccessDeniedException"},
		{member, &orgapi.ListParentsRequest{ChildId: &one}, "AccessDeniedException"},
		{member, &orgapi.DescribeAccountRequest{AccountId: &one}, "AccessDeniedException"},
		{member, attach(free, one), "AccessDeniedException"},
		{u, &orgapi.CreateOrganizationRequest{}, "AlreadyInOrganizationException"},
		{member, &orgapi.CreateOrganizationRequest{}, "AlreadyInOrganizationException"},
		{nobody, &orgapi.CreateOrganizationRequest{FeatureSet: new(orgapi.OrganizationFeatureSetConsolidatedBilling)}, "InvalidInputException"},
		{u, &orgapi.DeleteOrganizationRequest{}, "OrganizationNotEmptyException"},
		{u, &orgapi.LeaveOrganizationRequest{}, "MasterCannotLeaveOrganizationException"},
		{u, &orgapi.RemoveAccountFromOrganizationRequest{AccountId: new(boss)}, "MasterCannotLeaveOrganizationException"},
		{u, &orgapi.RemoveAccountFromOrganizationRequest{AccountId: &noAccount}, "AccountNotFoundException"},
		{u, &orgapi.DescribeAccountRequest{AccountId: &noAccount}, "AccountNotFoundException"},
		{u, &orgapi.CloseAccountRequest{AccountId: new(stranger)}, "AccountNotFoundException"},
		{u, &orgapi.CloseAccountRequest{AccountId: &two}, "AccountAlreadyClosedException"},
		{u, &orgapi.CloseAccountRequest{AccountId: new(boss)}, "ConstraintViolationException"},
		{u, &orgapi.DescribeCreateAccountStatusRequest{CreateAccountRequestId: new("car-00000000000000000000000000000000")}, "CreateAccountStatusNotFoundException"},
		{u, move(noAccount, root, unit), "AccountNotFoundException"},
		{u, move(two, unit, root), "AccountNotFoundException"},
		{u, move(two, noUnit, unit), "SourceParentNotFoundException"},
		{u, move(two, root, noUnit), "DestinationParentNotFoundException"},
		{u, move(two, root, root), "DuplicateAccountException"},
		{u, &orgapi.ListParentsRequest{ChildId: &noAccount}, "ChildNotFoundException"},
		{u, &orgapi.ListParentsRequest{ChildId: &noUnit}, "ChildNotFoundException"},
		{u, &orgapi.ListChildrenRequest{ParentId: &noUnit, ChildType: new(orgapi.ChildTypeAccount)}, "ParentNotFoundException"},
		{u, &orgapi.ListAccountsForParentRequest{ParentId: new("r-0000")}, "ParentNotFoundException"},
		{u, &orgapi.ListOrganizationalUnitsForParentRequest{ParentId: &noUnit}, "ParentNotFoundException"},
		{u, unitCalled(noUnit, "x"), "ParentNotFoundException"},
		{u, unitCalled(root, "unit"), "DuplicateOrganizationalUnitException"},
		{u, &orgapi.UpdateOrganizationalUnitRequest{OrganizationalUnitId: &empty, Name: new("unit")}, "DuplicateOrganizationalUnitException"},
		{u, &orgapi.UpdateOrganizationalUnitRequest{OrganizationalUnitId: &noUnit, Name: new("unit")}, "OrganizationalUnitNotFoundException"},
		{u, &orgapi.DescribeOrganizationalUnitRequest{OrganizationalUnitId: &noUnit}, "OrganizationalUnitNotFoundException"},
		{u, &orgapi.DeleteOrganizationalUnitRequest{OrganizationalUnitId: &unit}, "OrganizationalUnitNotEmptyException"},
		{u, policyCalled(scp, "used", denyKMS), "DuplicatePolicyException"},
		{u, policyCalled(scp, "FullAWSAccess", denyKMS), "DuplicatePolicyException"},
		{u, &orgapi.UpdatePolicyRequest{PolicyId: &free, Name: new("used")}, "DuplicatePolicyException"},
		{u, policyCalled(orgapi.PolicyTypeTagPolicy, "x", `{"tags":{}}`), "PolicyTypeNotAvailableForOrganizationException"},
		{u, policyCalled(scp, "x", "{"), "MalformedPolicyDocumentException"},
		{u, policyCalled(scp, "x", denyRCP), "MalformedPolicyDocumentException"},
		{u, policyCalled(rcp, "x", denyKMS), "MalformedPolicyDocumentException"},
		{u, &orgapi.UpdatePolicyRequest{PolicyId: &free, Content: new("[]")}, "MalformedPolicyDocumentException"},
		{u, policyCalled(scp, "x", `{"Statement":[{"Effect":"Deny","Action":"kms:*","Resource":"*"}]}`), "MalformedPolicyDocumentException"},
		{u, policyCalled(rcp, "x", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`), "MalformedPolicyDocumentException"},
		{u, policyCalled(rcp, "x", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}]}`), "MalformedPolicyDocumentException"},
		{u, &orgapi.UpdatePolicyRequest{PolicyId: &resource, Content: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`)}, "MalformedPolicyDocumentException"},
		{u, policyCalled(scp, "x", denyKMS, tag("k"), tag("k")), "InvalidInputException"},
		{u, policyCalled(scp, "x", denyKMS, tag("AWS:k")), "InvalidInputException"},
		{u, &orgapi.DescribePolicyRequest{PolicyId: &noPolicy}, "PolicyNotFoundException"},
		{u, &orgapi.DescribePolicyRequest{PolicyId: new("p-FullawsAccess")}, "PolicyNotFoundException"},
		{u, &orgapi.UpdatePolicyRequest{PolicyId: new(fullSCP), Content: new(denyKMS)}, "InvalidInputException"},
		{u, &orgapi.DeletePolicyRequest{PolicyId: new(fullRCP)}, "InvalidInputException"},
		{u, &orgapi.TagResourceRequest{ResourceId: new(fullSCP), Tags: []orgapi.Tag{tag("k")}}, "InvalidInputException"},
		{u, &orgapi.UntagResourceRequest{ResourceId: new(fullSCP), TagKeys: []string{"k"}}, "InvalidInputException"},
		{u, &orgapi.DeletePolicyRequest{PolicyId: &used}, "PolicyInUseException"},
		{u, attach(used, unit), "DuplicatePolicyAttachmentException"},
		{u, attach(fullSCP, root), "DuplicatePolicyAttachmentException"},
		{u, attach(noPolicy, unit), "PolicyNotFoundException"},
		{u, attach(free, noUnit), "TargetNotFoundException"},
		{u, attach(free, stranger), "TargetNotFoundException"},
		{u, attach(resource, root), "PolicyTypeNotEnabledException"},
		{u, attach(fullRCP, root), "PolicyTypeNotEnabledException"},
		{u, detach(free, unit), "PolicyNotAttachedException"},
		{u, detach(resource, unit), "PolicyNotAttachedException"},
		{u, detach(fullSCP, one), "ConstraintViolationException"},
		{u, &orgapi.ListPoliciesForTargetRequest{TargetId: &noAccount, Filter: new(scp)}, "TargetNotFoundException"},
		{u, &orgapi.ListTagsForResourceRequest{ResourceId: &noPolicy}, "TargetNotFoundException"},
		{u, &orgapi.TagResourceRequest{ResourceId: new("rp-00000000"), Tags: []orgapi.Tag{tag("k")}}, "TargetNotFoundException"},
		{u, &orgapi.EnablePolicyTypeRequest{RootId: &root, PolicyType: new(scp)}, "PolicyTypeAlreadyEnabledException"},
		{u, &orgapi.EnablePolicyTypeRequest{RootId: new("r-0000"), PolicyType: new(scp)}, "RootNotFoundException"},
		{u, &orgapi.EnablePolicyTypeRequest{RootId: &root, PolicyType: new(orgapi.PolicyTypeBackupPolicy)}, "PolicyTypeNotAvailableForOrganizationException"},
		{u, &orgapi.DisablePolicyTypeRequest{RootId: &root, PolicyType: new(rcp)}, "PolicyTypeNotEnabledException"},
		{u, &orgapi.DisablePolicyTypeRequest{RootId: &root, PolicyType: new(orgapi.PolicyTypeBackupPolicy)}, "PolicyTypeNotEnabledException"},
		{u, &orgapi.ListAccountsRequest{NextToken: new("nonsense")}, "InvalidInputException"},
	}
	before := w.records()
	for i, c := range tests {
		t.Run(fmt.Sprintf("%d %s", i, c.code), func(t *testing.T) {
			c.u.refused(c.code, c.in)
			if after := w.records(); !maps.Equal(before, after) {
				t.Fatal("a request that was refused changed something")
			}
		})
	}
	missing := slices.Clone(unreachable)
	for _, e := range orgapi.Errors() {
		if w.codes[e.Code] > 0 == slices.Contains(unreachable, e.Code) {
			t.Errorf("%s came %d times", e.Code, w.codes[e.Code])
		}
		missing = slices.DeleteFunc(missing, func(code string) bool { return code == e.Code })
	}
	if len(missing) > 0 || len(tests) < 70 {
		t.Errorf("%d requests; the model does not know %v", len(tests), missing)
	}
}

// The patterns of the model let some texts through that are no ids. None of them becomes a key of the store.
func TestWhatIsNoIDIsNotFound(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	u.enable(root, scp)
	policy := u.createPolicy(scp, "p", denyKMS)
	for _, id := range []string{
		"", "r-", "r-0000/../x", root + "/", "r-" + strings.Repeat("a", 33), "../organization/" + o, "ou-0000-00000000/..", "ou-a-b", boss + "/", boss + "0",
		"x" + boss, "ou-0000-00000000\n", "１１１１２２２２３３３３", "p-../../x", "p-ABCDEFGH", "/",
	} {
		for _, in := range []request{
			&orgapi.AttachPolicyRequest{PolicyId: &policy, TargetId: &id}, &orgapi.ListPoliciesForTargetRequest{TargetId: &id, Filter: new(scp)},
			&orgapi.ListChildrenRequest{ParentId: &id, ChildType: new(orgapi.ChildTypeAccount)}, &orgapi.ListParentsRequest{ChildId: &id},
			&orgapi.DescribeAccountRequest{AccountId: &id}, &orgapi.DescribePolicyRequest{PolicyId: &id}, &orgapi.ListTagsForResourceRequest{ResourceId: &id},
			&orgapi.DescribeOrganizationalUnitRequest{OrganizationalUnitId: &id}, &orgapi.DescribeCreateAccountStatusRequest{CreateAccountRequestId: &id},
			&orgapi.CreateOrganizationalUnitRequest{ParentId: &id, Name: new("x")},
		} {
			if a := u.send(in); !strings.Contains(a.code, "NotFound") && a.code != "ValidationException" {
				t.Errorf("%s of %q: %d %s %s", a.operation, id, a.status, a.code, a.body)
			}
		}
	}
}
