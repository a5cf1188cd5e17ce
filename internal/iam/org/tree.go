package org

import (
	"context"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

func shownRoot(o *organization) *orgapi.Root {
	r := &orgapi.Root{
		Id: &o.Root, Arn: new(entity{org: o}.arn()), Name: new(rootName), PolicyTypes: []orgapi.PolicyTypeSummary{},
	}
	for _, t := range []orgapi.PolicyType{servicePolicy, resourcePolicy} {
		if o.control(t).Enabled {
			r.PolicyTypes = append(r.PolicyTypes, orgapi.PolicyTypeSummary{Type: &t, Status: new(orgapi.PolicyTypeStatusEnabled)})
		}
	}
	return r
}

func listRoots(_ context.Context, c *service.Call, in *orgapi.ListRootsRequest, t *target) (*orgapi.ListRootsResponse, error) {
	if _, err := newPager(c, t, in.NextToken, in.MaxResults); err != nil {
		return nil, err
	}
	return &orgapi.ListRootsResponse{Roots: []orgapi.Root{*shownRoot(t.org)}}, nil
}

// listServiceAccess lists the AWS services that are integrated with the organization. There are none to integrate with;
// Terraform asks whenever it reads an organization.
func listServiceAccess(_ context.Context, c *service.Call, in *orgapi.ListAWSServiceAccessForOrganizationRequest, t *target) (*orgapi.ListAWSServiceAccessForOrganizationResponse, error) {
	if _, err := newPager(c, t, in.NextToken, in.MaxResults); err != nil {
		return nil, err
	}
	return &orgapi.ListAWSServiceAccessForOrganizationResponse{EnabledServicePrincipals: []orgapi.EnabledServicePrincipal{}}, nil
}

func (s *Service) findChild(ctx context.Context, c *service.Call, in *orgapi.ListParentsRequest, t *target) error {
	ok, err := s.find(ctx, c, *in.ChildId, t)
	if err == nil && (!ok || t.entity.kind() == orgapi.TargetTypeRoot) {
		err = orgapi.ChildNotFoundException("We can't find an organizational unit (OU) or AWS account with the ChildId that you specified.")
	}
	return err
}

// listParents answers the one parent that there is.
func listParents(_ context.Context, c *service.Call, in *orgapi.ListParentsRequest, t *target) (*orgapi.ListParentsResponse, error) {
	if _, err := newPager(c, t, in.NextToken, in.MaxResults, *in.ChildId); err != nil {
		return nil, err
	}
	id, kind := "", orgapi.ParentTypeOrganizationalUnit
	if t.entity.unit != nil {
		id = t.entity.unit.Parent
	} else {
		id = t.entity.account.Parent
	}
	if id == t.org.Root {
		kind = orgapi.ParentTypeRoot
	}
	return &orgapi.ListParentsResponse{Parents: []orgapi.Parent{{Id: &id, Type: &kind}}}, nil
}

// children returns the part of a listing that goes through an index of children, whose ids are of a form.
func (s *Service) children(prefix string, add func(id string) (bool, error)) part {
	return part{prefix, func(r store.Record) (bool, error) {
		p, err := decode[pointer](r)
		if err != nil {
			return false, err
		}
		if !arn.IsAccount(p.ID) && !isUnit(p.ID) || r.Key != prefix+p.ID {
			return false, misplaced(r.Key)
		}
		return add(p.ID)
	}}
}

func (s *Service) listChildren(ctx context.Context, c *service.Call, in *orgapi.ListChildrenRequest, t *target) (*orgapi.ListChildrenResponse, error) {
	p, err := newPager(c, t, in.NextToken, in.MaxResults, *in.ParentId, string(*in.ChildType))
	if err != nil {
		return nil, err
	}
	prefix := childAccounts(t.org.ID, t.entity.id())
	if *in.ChildType == orgapi.ChildTypeOrganizationalUnit {
		prefix = childUnits(t.org.ID, t.entity.id())
	}
	out := &orgapi.ListChildrenResponse{Children: []orgapi.Child{}}
	out.NextToken, err = p.scan(ctx, s, nil, s.children(prefix, func(id string) (bool, error) {
		out.Children = append(out.Children, orgapi.Child{Id: &id, Type: in.ChildType})
		return true, nil
	}))
	return out, err
}

func (s *Service) listAccountsForParent(ctx context.Context, c *service.Call, in *orgapi.ListAccountsForParentRequest, t *target) (*orgapi.ListAccountsForParentResponse, error) {
	p, err := newPager(c, t, in.NextToken, in.MaxResults, *in.ParentId)
	if err != nil {
		return nil, err
	}
	out := &orgapi.ListAccountsForParentResponse{Accounts: []orgapi.Account{}}
	out.NextToken, err = p.scan(ctx, s, nil, s.children(childAccounts(t.org.ID, t.entity.id()), func(id string) (bool, error) {
		a, err := get[account](ctx, s, accountPrefix(t.org.ID)+id)
		if err != nil || a == nil || a.Parent != t.entity.id() { // it has gone, or elsewhere, since the index was read
			return false, err
		}
		out.Accounts = append(out.Accounts, shown(t.org, a, ""))
		return true, nil
	}))
	return out, err
}

func (s *Service) listUnitsForParent(ctx context.Context, c *service.Call, in *orgapi.ListOrganizationalUnitsForParentRequest, t *target) (*orgapi.ListOrganizationalUnitsForParentResponse, error) {
	p, err := newPager(c, t, in.NextToken, in.MaxResults, *in.ParentId)
	if err != nil {
		return nil, err
	}
	path, err := s.pathAbove(ctx, t.org, t.entity.id())
	if err != nil {
		return nil, err
	}
	out := &orgapi.ListOrganizationalUnitsForParentResponse{OrganizationalUnits: []orgapi.OrganizationalUnit{}}
	out.NextToken, err = p.scan(ctx, s, nil, s.children(childUnits(t.org.ID, t.entity.id()), func(id string) (bool, error) {
		u, err := get[unit](ctx, s, unitPrefix(t.org.ID)+id)
		if err != nil || u == nil || u.Parent != t.entity.id() {
			return false, err
		}
		out.OrganizationalUnits = append(out.OrganizationalUnits, shownUnit(t.org, u, path))
		return true, nil
	}))
	return out, err
}
