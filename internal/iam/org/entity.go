package org

import (
	"context"
	"fmt"
	"slices"
	"strings"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/store"
)

// entity is a root, an organisational unit or an account: what policies and tags are attached to. For the root neither
// unit nor account is set.
type entity struct {
	org     *organization
	unit    *unit
	account *account
}

// rootName is what AWS calls every root.
const rootName = "Root"

func (e entity) id() string {
	switch {
	case e.unit != nil:
		return e.unit.ID
	case e.account != nil:
		return e.account.ID
	}
	return e.org.Root
}

func (e entity) name() string {
	switch {
	case e.unit != nil:
		return e.unit.Name
	case e.account != nil:
		return e.account.Name
	}
	return rootName
}

func (e entity) kind() orgapi.TargetType {
	switch {
	case e.unit != nil:
		return orgapi.TargetTypeOrganizationalUnit
	case e.account != nil:
		return orgapi.TargetTypeAccount
	}
	return orgapi.TargetTypeRoot
}

func (e entity) arn() string {
	switch {
	case e.unit != nil:
		return resourceARN(e.org, "ou", e.unit.ID)
	case e.account != nil:
		return resourceARN(e.org, "account", e.account.ID)
	}
	return resourceARN(e.org, "root", e.org.Root)
}

func (e entity) node() *node {
	switch {
	case e.unit != nil:
		return &e.unit.Node
	case e.account != nil:
		return &e.account.Node
	}
	return &e.org.Node
}

// record is what has to be written when the entity has changed.
func (e entity) record() record {
	switch {
	case e.unit != nil:
		return e.unit
	case e.account != nil:
		return e.account
	}
	return e.org
}

// entity finds what an id names in an organization; ok is false when there is nothing.
func (s *Service) entity(ctx context.Context, o *organization, id string) (e entity, ok bool, err error) {
	e.org = o
	switch {
	case id == o.Root:
		return e, true, nil
	case isUnit(id):
		e.unit, err = get[unit](ctx, s, unitPrefix(o.ID)+id)
		return e, e.unit != nil, err
	case arn.IsAccount(id):
		e.account, err = get[account](ctx, s, accountPrefix(o.ID)+id)
		return e, e.account != nil, err
	}
	return e, false, nil
}

// seen are records that something was read from, at the revisions that they had.
type seen []store.Check

// chain returns the organisational units from below the root down to a parent; none for the root itself.
func (s *Service) chain(ctx context.Context, o *organization, parent string, from *seen) ([]*unit, error) {
	var units []*unit
	for id := parent; id != o.Root; {
		if len(units) == maxDepth || !isUnit(id) {
			return nil, fmt.Errorf("%w: %s is not below the root of %s", store.ErrCorrupt, parent, o.ID)
		}
		path := unitPrefix(o.ID) + id
		u, revision, err := fetch[unit](ctx, s, path)
		if err == nil && u == nil {
			err = missing(path)
		}
		if err != nil {
			return nil, err
		}
		*from = append(*from, store.Check{Key: path, Revision: revision})
		units = append(units, u)
		id = u.Parent
	}
	slices.Reverse(units)
	return units, nil
}

// pathOf is the place below a chain of units, as aws:PrincipalOrgPaths has it: o-…/r-…/ou-…/.
func pathOf(o *organization, units []*unit) string {
	var b strings.Builder
	b.WriteString(o.ID + "/" + o.Root + "/")
	for _, u := range units {
		b.WriteString(u.ID + "/")
	}
	return b.String()
}
