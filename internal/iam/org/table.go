package org

import (
	"context"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
)

// Operations is the service's table, in the order of the API reference.
func (s *Service) Operations() []service.Operation {
	return []service.Operation{
		define(s, "AttachPolicy", write, s.findAttach, s.attachPolicy),
		define(s, "CloseAccount", write, findAccount(s, func(in *orgapi.CloseAccountRequest) *string { return in.AccountId }), s.closeAccount),
		define(s, "CreateAccount", write|logAnswer, findCreateAccount, s.createAccount),
		define(s, "CreateOrganization", write|logAnswer|member|outsider, nil, s.createOrganization),
		define(s, "CreateOrganizationalUnit", write|logAnswer, s.findCreateUnit, s.createUnit),
		define(s, "CreatePolicy", write|logAnswer, findCreatePolicy, s.createPolicy),
		define(s, "DeleteOrganization", write, nil, s.deleteOrganization),
		define(s, "DeleteOrganizationalUnit", write, findUnit(s, func(in *orgapi.DeleteOrganizationalUnitRequest) *string { return in.OrganizationalUnitId }), s.deleteUnit),
		define(s, "DeletePolicy", write, findPolicy(s, func(in *orgapi.DeletePolicyRequest) *string { return in.PolicyId }), s.deletePolicy),
		define(s, "DescribeAccount", read, findAccount(s, func(in *orgapi.DescribeAccountRequest) *string { return in.AccountId }), s.describeAccount),
		define(s, "DescribeCreateAccountStatus", read, nil, s.describeCreateAccountStatus),
		define(s, "DescribeOrganization", read|member, nil, s.describeOrganization),
		define(s, "DescribeOrganizationalUnit", read, findUnit(s, func(in *orgapi.DescribeOrganizationalUnitRequest) *string { return in.OrganizationalUnitId }), s.describeUnit),
		define(s, "DescribePolicy", read, findPolicy(s, func(in *orgapi.DescribePolicyRequest) *string { return in.PolicyId }), describePolicy),
		define(s, "DetachPolicy", write, s.findDetach, s.detachPolicy),
		define(s, "DisablePolicyType", write|logAnswer, findDisable, s.disablePolicyType),
		define(s, "EnablePolicyType", write|logAnswer, findEnable, s.enablePolicyType),
		define(s, "LeaveOrganization", write|member, nil, s.leaveOrganization),
		define(s, "ListAWSServiceAccessForOrganization", read, nil, listServiceAccess),
		define(s, "ListAccounts", read, nil, s.listAccounts),
		define(s, "ListAccountsForParent", read, findParent(s, func(in *orgapi.ListAccountsForParentRequest) *string { return in.ParentId }), s.listAccountsForParent),
		define(s, "ListChildren", read, findParent(s, func(in *orgapi.ListChildrenRequest) *string { return in.ParentId }), s.listChildren),
		define(s, "ListCreateAccountStatus", read, nil, s.listCreateAccountStatus),
		define(s, "ListOrganizationalUnitsForParent", read, findParent(s, func(in *orgapi.ListOrganizationalUnitsForParentRequest) *string { return in.ParentId }), s.listUnitsForParent),
		define(s, "ListParents", read, s.findChild, listParents),
		define(s, "ListPolicies", read, findListPolicies, s.listPolicies),
		define(s, "ListPoliciesForTarget", read, s.findListPoliciesForTarget, s.listPoliciesForTarget),
		define(s, "ListRoots", read, nil, listRoots),
		define(s, "ListTagsForResource", read, s.findListTags, listTags),
		define(s, "ListTargetsForPolicy", read, findPolicy(s, func(in *orgapi.ListTargetsForPolicyRequest) *string { return in.PolicyId }), s.listTargetsForPolicy),
		define(s, "MoveAccount", write, s.findMove, s.moveAccount),
		define(s, "RemoveAccountFromOrganization", write, findAccount(s, func(in *orgapi.RemoveAccountFromOrganizationRequest) *string { return in.AccountId }), s.removeAccount),
		define(s, "TagResource", write, s.findTagResource, s.tagResource),
		define(s, "UntagResource", write, s.findUntagResource, s.untagResource),
		define(s, "UpdateOrganizationalUnit", write|logAnswer, findUnit(s, func(in *orgapi.UpdateOrganizationalUnitRequest) *string { return in.OrganizationalUnitId }), s.updateUnit),
		define(s, "UpdatePolicy", write|logAnswer, findPolicy(s, func(in *orgapi.UpdatePolicyRequest) *string { return in.PolicyId }), s.updatePolicy),
	}
}

// findAccount finds the account of the organization that a request names.
func findAccount[In any](s *Service, id func(*In) *string) finder[In] {
	return func(ctx context.Context, c *service.Call, in *In, t *target) error {
		ok, err := s.find(ctx, c, *id(in), t)
		if err == nil && (!ok || t.entity.account == nil) {
			return noAccount()
		}
		return err
	}
}

// findUnit finds the organisational unit that a request names.
func findUnit[In any](s *Service, id func(*In) *string) finder[In] {
	return func(ctx context.Context, c *service.Call, in *In, t *target) error {
		ok, err := s.find(ctx, c, *id(in), t)
		if err == nil && (!ok || t.entity.unit == nil) {
			return noUnit()
		}
		return err
	}
}

// findParent finds the root or organisational unit that a request names.
func findParent[In any](s *Service, id func(*In) *string) finder[In] {
	return func(ctx context.Context, c *service.Call, in *In, t *target) error {
		ok, err := s.find(ctx, c, *id(in), t)
		if err == nil && (!ok || t.entity.account != nil) {
			return noParent()
		}
		return err
	}
}

// find looks for what an id names, and makes it what the caller must be allowed the operation on.
func (s *Service) find(ctx context.Context, c *service.Call, id string, t *target) (bool, error) {
	e, ok, err := s.entity(ctx, t.org, id)
	if err != nil || !ok {
		return false, err
	}
	t.entity = e
	t.on(c, e.arn(), &keys{has: e.node().Tags})
	return true, nil
}

// findPolicy finds the policy that a request names.
func findPolicy[In any](s *Service, id func(*In) *string) finder[In] {
	return func(ctx context.Context, c *service.Call, in *In, t *target) error {
		ok, err := s.policy(ctx, c, *id(in), t)
		if err == nil && !ok {
			return noPolicy()
		}
		return err
	}
}
