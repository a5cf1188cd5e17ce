package org

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
)

// nameOfUnit is where the name of a unit is taken: names differ among the children of one parent.
func nameOfUnit(o *organization, parent, name string) string {
	return namePath(o.ID, "unit", parent, name)
}

// shownUnit is an organisational unit as the API shows it; path is where it is, without itself.
func shownUnit(o *organization, u *unit, path string) orgapi.OrganizationalUnit {
	return orgapi.OrganizationalUnit{Id: &u.ID, Arn: new(entity{org: o, unit: u}.arn()), Name: &u.Name, Path: new(path + u.ID + "/")}
}

func (s *Service) findCreateUnit(ctx context.Context, c *service.Call, in *orgapi.CreateOrganizationalUnitRequest, t *target) error {
	e, ok, err := s.entity(ctx, t.org, *in.ParentId)
	if err == nil && (!ok || e.account != nil) {
		err = noParent()
	}
	if err != nil {
		return err
	}
	t.entity = e
	t.creates(c, e.arn(), in.Tags, e.node().Tags)
	return nil
}

func (s *Service) createUnit(ctx context.Context, c *service.Call, in *orgapi.CreateOrganizationalUnitRequest, t *target) (*orgapi.CreateOrganizationalUnitResponse, error) {
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	above, err := s.chain(ctx, t.org, t.entity.id(), new(seen))
	if err != nil {
		return nil, err
	}
	if len(above) >= maxDepth {
		return nil, constraint("OU_DEPTH_LIMIT_EXCEEDED", "You have exceeded the allowed depth of OUs: %d levels.", maxDepth)
	}
	if t.org.Units >= maxUnits {
		return nil, constraint("OU_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of OUs: %d.", maxUnits)
	}
	u := &unit{
		Version: recordVersion, Org: t.org.ID, ID: "ou-" + t.org.Root[len("r-"):] + "-" + newID(8), Parent: t.entity.id(),
		Name: *in.Name, Created: c.Now, Node: node{Tags: tags},
	}
	x := t.change()
	if err := s.nameUnit(ctx, x, t.org, u); err != nil {
		return nil, err
	}
	x.create(u)
	x.index(childUnits(t.org.ID, u.Parent)+u.ID, u.ID)
	t.org.Units++
	return &orgapi.CreateOrganizationalUnitResponse{OrganizationalUnit: new(shownUnit(t.org, u, pathOf(t.org, above)))}, s.commit(ctx, x)
}

// nameUnit takes a unit's name, unless a sibling has it.
func (s *Service) nameUnit(ctx context.Context, x *change, o *organization, u *unit) error {
	path := nameOfUnit(o, u.Parent, u.Name)
	taken, err := get[pointer](ctx, s, path)
	if err != nil {
		return err
	}
	if taken != nil {
		return orgapi.DuplicateOrganizationalUnitException("An OU with the same name already exists.")
	}
	x.index(path, u.ID)
	return nil
}

// pathAbove is the place of what a parent has below it.
func (s *Service) pathAbove(ctx context.Context, o *organization, parent string) (string, error) {
	units, err := s.chain(ctx, o, parent, new(seen))
	return pathOf(o, units), err
}

func (s *Service) describeUnit(ctx context.Context, _ *service.Call, _ *orgapi.DescribeOrganizationalUnitRequest, t *target) (*orgapi.DescribeOrganizationalUnitResponse, error) {
	path, err := s.pathAbove(ctx, t.org, t.entity.unit.Parent)
	if err != nil {
		return nil, err
	}
	return &orgapi.DescribeOrganizationalUnitResponse{OrganizationalUnit: new(shownUnit(t.org, t.entity.unit, path))}, nil
}

func (s *Service) updateUnit(ctx context.Context, _ *service.Call, in *orgapi.UpdateOrganizationalUnitRequest, t *target) (*orgapi.UpdateOrganizationalUnitResponse, error) {
	u := t.entity.unit
	path, err := s.pathAbove(ctx, t.org, u.Parent)
	if err != nil {
		return nil, err
	}
	if in.Name != nil && *in.Name != u.Name {
		x := t.change()
		x.delete(nameOfUnit(t.org, u.Parent, u.Name))
		u.Name = *in.Name
		if err := s.nameUnit(ctx, x, t.org, u); err != nil {
			return nil, err
		}
		x.put(u)
		if err := s.commit(ctx, x); err != nil {
			return nil, err
		}
	}
	return &orgapi.UpdateOrganizationalUnitResponse{OrganizationalUnit: new(shownUnit(t.org, u, path))}, nil
}

// deleteUnit deletes an organisational unit without children. Policies that are attached to it are detached.
func (s *Service) deleteUnit(ctx context.Context, _ *service.Call, _ *orgapi.DeleteOrganizationalUnitRequest, t *target) (*api.Empty, error) {
	u := t.entity.unit
	for _, children := range []string{childAccounts(t.org.ID, u.ID), childUnits(t.org.ID, u.ID)} {
		page, err := s.store.Range(ctx, children, "", 1)
		if err != nil {
			return nil, err
		}
		if len(page.Records) > 0 {
			return nil, orgapi.OrganizationalUnitNotEmptyException("The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again.")
		}
	}
	x := t.change()
	if err := s.detachAll(ctx, x, t.entity); err != nil {
		return nil, err
	}
	x.delete(u.path(), childUnits(t.org.ID, u.Parent)+u.ID, nameOfUnit(t.org, u.Parent, u.Name))
	t.org.Units--
	return &api.Empty{}, s.commit(ctx, x)
}
