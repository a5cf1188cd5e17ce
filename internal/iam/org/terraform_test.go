package org_test

import (
	"testing"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
)

// What Terraform's AWS provider sends for its resources (its public documentation and source, v5 and v6), in its order, and
// what it needs of the answers. ListAWSServiceAccessForOrganization, which it sends as well when it reads
// aws_organizations_organization, is not in the API model.
func TestTerraformsWay(t *testing.T) {
	u := newWorld(t).as(boss)

	// aws_organizations_organization, enabled_policy_types = [SERVICE_CONTROL_POLICY, RESOURCE_CONTROL_POLICY]
	o := do[orgapi.CreateOrganizationResponse](u, &orgapi.CreateOrganizationRequest{FeatureSet: new(orgapi.OrganizationFeatureSetAll)}).Organization
	root := func() orgapi.Root { return do[orgapi.ListRootsResponse](u, &orgapi.ListRootsRequest{}).Roots[0] }
	if n := len(root().PolicyTypes); n != 0 { // enabling a type that is enabled is an error
		t.Fatalf("%d policy types are enabled from the beginning", n)
	}
	u.enable(*root().Id, scp, rcp)
	for _, p := range root().PolicyTypes { // it waits for ENABLED
		if *p.Status != orgapi.PolicyTypeStatusEnabled {
			t.Errorf("%s is %s", *p.Type, *p.Status)
		}
	}
	if got := do[orgapi.DescribeOrganizationResponse](u, &orgapi.DescribeOrganizationRequest{}).Organization; *got.Id != *o.Id || *got.MasterAccountEmail == "" {
		t.Errorf("it reads %s", *got.Id)
	}
	if accounts := do[orgapi.ListAccountsResponse](u, &orgapi.ListAccountsRequest{}); len(accounts.Accounts) != 1 || accounts.NextToken != nil || *accounts.Accounts[0].Name == "" {
		t.Errorf("%d accounts", len(accounts.Accounts))
	}

	// aws_organizations_organizational_unit
	unit := u.createUnit(*root().Id, "workloads")
	readUnit := func() {
		t.Helper()
		got := do[orgapi.DescribeOrganizationalUnitResponse](u, &orgapi.DescribeOrganizationalUnitRequest{OrganizationalUnitId: &unit}).OrganizationalUnit
		parents := do[orgapi.ListParentsResponse](u, &orgapi.ListParentsRequest{ChildId: &unit})
		if *got.Id != unit || len(parents.Parents) != 1 || parents.NextToken != nil || *parents.Parents[0].Id != *root().Id || *parents.Parents[0].Type != orgapi.ParentTypeRoot {
			t.Errorf("it reads %s, parents %v", *got.Id, parents.Parents)
		}
		do[orgapi.ListAccountsForParentResponse](u, &orgapi.ListAccountsForParentRequest{ParentId: &unit})
		do[orgapi.ListTagsForResourceResponse](u, &orgapi.ListTagsForResourceRequest{ResourceId: &unit})
	}
	readUnit()
	do[orgapi.UpdateOrganizationalUnitResponse](u, &orgapi.UpdateOrganizationalUnitRequest{OrganizationalUnitId: &unit, Name: new("systems")})
	readUnit()

	// aws_organizations_account, parent_id = the unit, tags, close_on_deletion
	status := do[orgapi.CreateAccountResponse](u, &orgapi.CreateAccountRequest{
		AccountName: new("app"), Email: new("app@example.com"), IamUserAccessToBilling: new(orgapi.IAMUserAccessToBillingAllow),
		RoleName: new("Admin"), Tags: []orgapi.Tag{{Key: new("team"), Value: new("blue")}},
	}).CreateAccountStatus
	status = do[orgapi.DescribeCreateAccountStatusResponse](u, &orgapi.DescribeCreateAccountStatusRequest{CreateAccountRequestId: status.Id}).CreateAccountStatus
	if *status.State != orgapi.CreateAccountStateSucceeded {
		t.Fatalf("it is %s", *status.State)
	}
	account := *status.AccountId
	parent := *do[orgapi.ListParentsResponse](u, &orgapi.ListParentsRequest{ChildId: &account}).Parents[0].Id
	u.move(account, parent, unit)
	got := do[orgapi.DescribeAccountResponse](u, &orgapi.DescribeAccountRequest{AccountId: &account}).Account
	if *got.Email != "app@example.com" || *got.Name != "app" || *got.Status != orgapi.AccountStatusActive || *got.JoinedMethod != orgapi.AccountJoinedMethodCreated || got.JoinedTimestamp.IsZero() {
		t.Errorf("it reads %s, %s, %s", *got.Name, *got.Status, *got.JoinedMethod)
	}
	if now := *do[orgapi.ListParentsResponse](u, &orgapi.ListParentsRequest{ChildId: &account}).Parents[0].Id; now != unit {
		t.Errorf("its parent is %s", now)
	}
	u.done(&orgapi.UntagResourceRequest{ResourceId: &account, TagKeys: []string{"team"}})
	u.done(&orgapi.TagResourceRequest{ResourceId: &account, Tags: []orgapi.Tag{{Key: new("team"), Value: new("red")}}})

	// aws_organizations_policy, and an attachment to the unit
	policy := u.createPolicy(scp, "guardrail", denyKMS)
	describe := &orgapi.DescribePolicyRequest{PolicyId: &policy}
	do[orgapi.DescribePolicyResponse](u, describe)
	do[orgapi.UpdatePolicyResponse](u, &orgapi.UpdatePolicyRequest{PolicyId: &policy, Content: new(allowAll), Description: new("guards")})
	if got := do[orgapi.DescribePolicyResponse](u, describe).Policy; *got.Content != allowAll || *got.PolicySummary.AwsManaged {
		t.Errorf("it reads %s", *got.Content)
	}
	u.attach(policy, unit)
	targets := do[orgapi.ListTargetsForPolicyResponse](u, &orgapi.ListTargetsForPolicyRequest{PolicyId: &policy}).Targets
	if len(targets) != 1 || *targets[0].TargetId != unit {
		t.Errorf("targets %v", targets)
	}

	// destroy, in the order of dependencies
	u.detach(policy, unit)
	u.done(&orgapi.DeletePolicyRequest{PolicyId: &policy})
	u.refused("PolicyNotFoundException", describe)
	u.done(&orgapi.CloseAccountRequest{AccountId: &account})
	if got := do[orgapi.DescribeAccountResponse](u, &orgapi.DescribeAccountRequest{AccountId: &account}).Account; *got.Status != orgapi.AccountStatusSuspended {
		t.Errorf("it waits for SUSPENDED, and it is %s", *got.Status)
	}
	u.done(&orgapi.RemoveAccountFromOrganizationRequest{AccountId: &account})
	u.refused("AccountNotFoundException", &orgapi.RemoveAccountFromOrganizationRequest{AccountId: &account})
	u.done(&orgapi.DeleteOrganizationalUnitRequest{OrganizationalUnitId: &unit})
	u.refused("OrganizationalUnitNotFoundException", &orgapi.DescribeOrganizationalUnitRequest{OrganizationalUnitId: &unit})
	u.disable(*root().Id, rcp)
	if types := root().PolicyTypes; len(types) != 1 || *types[0].Type != scp {
		t.Errorf("policy types %v", types)
	}
	u.done(&orgapi.DeleteOrganizationRequest{})
	u.refused("AWSOrganizationsNotInUseException", &orgapi.DeleteOrganizationRequest{})
}
