package org

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// createOrganization makes the caller's account the management account of a new organization. No policy type is enabled
// in it, as at AWS when it is made through the API, whatever the reference says of service control policies.
func (s *Service) createOrganization(ctx context.Context, c *service.Call, in *orgapi.CreateOrganizationRequest, t *target) (*orgapi.CreateOrganizationResponse, error) {
	if t.org != nil {
		return nil, orgapi.AlreadyInOrganizationException("The AWS account is already a member of an organization.")
	}
	if in.FeatureSet == nil {
		in.FeatureSet = new(orgapi.OrganizationFeatureSetAll)
	}
	if *in.FeatureSet != orgapi.OrganizationFeatureSetAll {
		return nil, invalid("INVALID_ENUM", "Organizations have the feature set ALL here: there are no bills to consolidate.")
	}
	o := &organization{
		Version: recordVersion, ID: "o-" + newID(10), Root: "r-" + newID(4), Management: c.Caller.Account, Created: c.Now, Accounts: 1,
	}
	x := &change{txn: store.Txn{Checks: []store.Check{{Key: homePath(c.Caller.Account), Revision: t.home}}}}
	a := &account{
		Version: recordVersion, ID: c.Caller.Account, Name: "Management account", Email: "management@" + c.Caller.Account + ".invalid",
	}
	if t.self != nil {
		a.Name, a.Email = t.self.Name, t.self.Email
		x.delete(t.self.path())
	}
	a.Org, a.Parent, a.Method, a.Joined = o.ID, o.Root, orgapi.AccountJoinedMethodInvited, c.Now
	x.create(o)
	x.put(a)
	x.home(a.ID, o.ID, c.Now)
	x.index(childAccounts(o.ID, o.Root)+a.ID, a.ID)
	return &orgapi.CreateOrganizationResponse{Organization: describe(o, a)}, s.commit(ctx, x)
}

// describe is an organization and its management account as DescribeOrganization shows them.
func describe(o *organization, management *account) *orgapi.Organization {
	return &orgapi.Organization{
		Id: &o.ID, Arn: new(o.arn()), FeatureSet: new(orgapi.OrganizationFeatureSetAll), MasterAccountId: &o.Management,
		MasterAccountArn: new(resourceARN(o, "account", o.Management)), MasterAccountEmail: &management.Email,
		// Deprecated, and not what ListRoots says: the types that could be enabled, as they were when there was one.
		AvailablePolicyTypes: []orgapi.PolicyTypeSummary{{Type: new(servicePolicy), Status: new(orgapi.PolicyTypeStatusEnabled)}},
	}
}

func (s *Service) describeOrganization(ctx context.Context, _ *service.Call, _ *orgapi.DescribeOrganizationRequest, t *target) (*orgapi.DescribeOrganizationResponse, error) {
	management, err := must[account](ctx, s, accountPrefix(t.org.ID)+t.org.Management)
	if err != nil {
		return nil, err
	}
	return &orgapi.DescribeOrganizationResponse{Organization: describe(t.org, management)}, nil
}

// deleteOrganization ends an organization that has nothing in it but its management account, which is then in none.
func (s *Service) deleteOrganization(ctx context.Context, _ *service.Call, _ *orgapi.DeleteOrganizationRequest, t *target) (*api.Empty, error) {
	o := t.org
	if o.Accounts > 1 || o.Units > 0 || o.Services.Policies > 0 || o.Resources.Policies > 0 {
		return nil, orgapi.OrganizationNotEmptyException("To delete an organization you must first remove all member accounts (except the master), delete all organizational units, and delete all policies.")
	}
	if err := s.deleteCreations(ctx, o); err != nil {
		return nil, err
	}
	x := t.change()
	if err := s.release(ctx, x, t, t.self); err != nil {
		return nil, err
	}
	x.org = nil
	x.delete(o.path())
	return &api.Empty{}, s.commit(ctx, x)
}

// deleteCreations deletes what is still known of how the accounts of an organization came to be. Nothing is decided on
// these records.
func (s *Service) deleteCreations(ctx context.Context, o *organization) error {
	for {
		page, err := s.store.Range(ctx, creationPrefix(o.ID), "", store.MaxOps)
		if err != nil || len(page.Records) == 0 {
			return err
		}
		var txn store.Txn
		for _, r := range page.Records {
			txn.Deletes = append(txn.Deletes, r.Key)
		}
		if err := s.commit(ctx, &change{txn: txn}); err != nil {
			return err
		}
	}
}

// leaveOrganization takes the caller's own account out of its organization.
func (s *Service) leaveOrganization(ctx context.Context, c *service.Call, _ *orgapi.LeaveOrganizationRequest, t *target) (*api.Empty, error) {
	return s.remove(ctx, t, t.self)
}

// removeAccount takes an account out of the organization. AWS asks of an account that was created that it be seven days
// old and have an address and a payment method; neither means anything here.
func (s *Service) removeAccount(ctx context.Context, _ *service.Call, _ *orgapi.RemoveAccountFromOrganizationRequest, t *target) (*api.Empty, error) {
	return s.remove(ctx, t, t.entity.account)
}

func (s *Service) remove(ctx context.Context, t *target, a *account) (*api.Empty, error) {
	if a.ID == t.org.Management {
		return nil, orgapi.MasterCannotLeaveOrganizationException("You can't remove a management account from an organization. Delete the organization instead.")
	}
	x := t.change()
	if err := s.release(ctx, x, t, a); err != nil {
		return nil, err
	}
	return &api.Empty{}, s.commit(ctx, x)
}

// release adds to a transaction what takes an account out of its organization. A closed one stays closed.
func (s *Service) release(ctx context.Context, x *change, t *target, a *account) error {
	if err := s.detachAll(ctx, x, entity{org: t.org, account: a}); err != nil {
		return err
	}
	x.delete(a.path(), childAccounts(t.org.ID, a.Parent)+a.ID)
	free := *a
	free.Org, free.Parent, free.Node = "", "", node{}
	x.put(&free)
	x.home(a.ID, "", t.now)
	t.org.Accounts--
	return nil
}
