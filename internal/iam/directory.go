package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
)

var _ authz.Directory = (*Service)(nil)

// assembled is the identity of a user or role, and the records besides its own that it was made of. It holds as long as all of
// them are still what the tables have.
type assembled struct {
	authz.Identity
	groups   []part[Entity]
	policies []part[Managed]
}

type part[T any] struct {
	path   string
	record *T
}

// Identity implements authz.Directory. A caller whose user or role is gone, or has another unique id today, is nobody:
// UnrecognizedClientException. What it returns is shared and must not be changed.
func (s *Service) Identity(ctx context.Context, c *caller.Caller) (*authz.Identity, error) {
	switch c.Type {
	case caller.User, caller.Role:
		return s.identity(ctx, c)
	case caller.Federated:
		if c.ID != "" {
			return s.identity(ctx, c)
		}
		return s.inSession(ctx, c, new(authz.Identity)) // of a root user
	}
	return nil, nil
}

// Membership implements authz.Directory.
func (s *Service) Membership(ctx context.Context, account string) (*authz.Membership, error) {
	if s.Config.Membership == nil {
		return nil, nil
	}
	return s.Config.Membership(ctx, account)
}

func (s *Service) identity(ctx context.Context, c *caller.Caller) (*authz.Identity, error) {
	e, err := s.byID(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if e.Entity == nil || e.Account != c.Account || (e.kind() == aRole) != (c.Type == caller.Role) {
		return nil, api.UnrecognizedClientException("The security token included in the request is invalid.")
	}
	a := e.memo.identity.Load()
	if a == nil || !s.current(ctx, a) {
		if a, err = s.assemble(ctx, e.Entity); err != nil {
			return nil, err
		}
		e.memo.identity.Store(a)
	}
	return s.inSession(ctx, c, &a.Identity)
}

// current says whether an identity was made of the records that there are now. Tables return the same record until it
// changes.
func (s *Service) current(ctx context.Context, a *assembled) bool {
	for i := range a.groups {
		if g, _, err := s.entities.Get(ctx, a.groups[i].path); err != nil || g != a.groups[i].record {
			return false
		}
	}
	for i := range a.policies {
		if m, _, err := s.policies.Get(ctx, a.policies[i].path); err != nil || m != a.policies[i].record {
			return false
		}
	}
	return true
}

// assemble collects what a user or role has: the policies in it, those attached to it, those of its groups. A record that is
// missing is an error: it could have been the one that denies.
func (s *Service) assemble(ctx context.Context, e *Entity) (*assembled, error) {
	a := &assembled{}
	for _, t := range e.Tags {
		a.Tags = append(a.Tags, caller.Tag{Key: t.Key, Value: t.Value})
	}
	if err := s.collect(ctx, a, e); err != nil {
		return nil, err
	}
	for _, id := range e.Groups {
		g, err := s.byID(ctx, id)
		if err == nil && (g.Entity == nil || g.Account != e.Account || g.kind() != aGroup) {
			err = fmt.Errorf("iam: group %s of %s is missing", id, e.arn)
		}
		if err != nil {
			return nil, err
		}
		a.groups = append(a.groups, part[Entity]{entityPath(id), g.Entity})
		if err := s.collect(ctx, a, g.Entity); err != nil {
			return nil, err
		}
	}
	if e.Boundary == "" {
		return a, nil
	}
	b, err := s.part(ctx, a, e.Boundary)
	a.Boundary = &b
	return a, err
}

// collect adds the policies in an entity and those attached to it.
func (s *Service) collect(ctx context.Context, a *assembled, e *Entity) error {
	inline, err := e.memo.inline()
	if err != nil {
		return err
	}
	a.Policies = append(a.Policies, inline...)
	for _, arn := range e.Attached {
		p, err := s.part(ctx, a, arn)
		if err != nil {
			return err
		}
		a.Policies = append(a.Policies, p)
	}
	return nil
}

// part returns a managed policy, and notes it as one that the identity is made of.
func (s *Service) part(ctx context.Context, a *assembled, arn string) (authz.Attached, error) {
	m, err := s.policyByARN(ctx, arn)
	if err == nil && m.Managed == nil {
		err = fmt.Errorf("iam: policy %s is missing", arn)
	}
	if err != nil {
		return authz.Attached{}, err
	}
	if m.Account != awsAccount {
		a.policies = append(a.policies, part[Managed]{managedPath(m.Account, m.Name), m.Managed})
	}
	return m.attached()
}

// attached returns the version in effect.
func (m *Managed) attached() (authz.Attached, error) {
	p, err := m.compiled()
	if err != nil {
		return authz.Attached{}, fmt.Errorf("iam: policy %s: %w", m.arn, err)
	}
	return authz.Attached{Name: m.arn, Policy: p}, nil
}

// inSession returns an identity as a session has it: with the session's tags, and the managed policies that were passed. One
// that was deleted since allows nothing.
func (s *Service) inSession(ctx context.Context, c *caller.Caller, of *authz.Identity) (*authz.Identity, error) {
	if c.Session == nil || len(c.Session.PolicyARNs) == 0 && len(c.Session.Tags) == 0 {
		return of, nil
	}
	in := *of
	in.Tags = sessionTags(c.Session.Tags, of.Tags)
	for _, arn := range c.Session.PolicyARNs {
		m, err := s.policyByARN(ctx, arn)
		if err != nil {
			return nil, err
		}
		if m.Managed == nil || m.Account != awsAccount && m.Account != c.Account {
			continue
		}
		p, err := m.attached()
		if err != nil {
			return nil, err
		}
		in.Session = append(in.Session, p)
	}
	return &in, nil
}

// sessionTags returns the tags of a session: its own, and those of its user or role under other keys.
func sessionTags(session, own []caller.Tag) []caller.Tag {
	tags := slices.Clone(session)
	for _, t := range own {
		if !slices.ContainsFunc(session, func(s caller.Tag) bool { return strings.EqualFold(s.Key, t.Key) }) {
			tags = append(tags, t)
		}
	}
	return tags
}
