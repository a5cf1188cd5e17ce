package org

import (
	"context"
	"errors"
	"fmt"
	"slices"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// place is what this package knows of an account, as long as the record under path has its revision: that of its
// organization, or of changes for one that is in none.
type place struct {
	path              string
	revision          int64
	member            *authz.Membership // nil: in no organization
	exists, suspended bool
}

// Membership returns an account's place in an organization; nil when it is in none. It is shared, and must not be
// changed. What it says is as fresh as store.Cached promises of any record.
//
// The policies of a management account are left out: they do not bind it, and one that is damaged must not keep its
// administrators from putting another in its place.
func (s *Service) Membership(ctx context.Context, account string) (*authz.Membership, error) {
	p, err := s.place(ctx, account)
	if err != nil {
		return nil, err
	}
	return p.member, nil
}

// AccountExists says whether there is an account: one that the deployment has by itself, or one that was created in an
// organization, even if it has left. One that is suspended exists, and its principals are to be refused.
func (s *Service) AccountExists(ctx context.Context, account string) (exists, suspended bool, err error) {
	p, err := s.place(ctx, account)
	if err != nil {
		return false, false, err
	}
	return p.exists, p.suspended, nil
}

// place is two lookups in memory while nothing changes.
func (s *Service) place(ctx context.Context, account string) (*place, error) {
	if p, ok := s.places.GetIfPresent(account); ok {
		if _, revision, err := s.revisions.Get(ctx, p.path); err != nil || revision == p.revision {
			return p, err
		}
	}
	if !arn.IsAccount(account) {
		return new(place), nil
	}
	return s.findPlace(ctx, account)
}

// placeAttempts bounds how often a place is read again because it changed meanwhile.
const placeAttempts = 16

// findPlace reads a place from the store itself, all of it as it was at one moment, and remembers it. Cached records would
// not do: those of one change can be old and new for a moment, and what was made of them would be remembered.
func (s *Service) findPlace(ctx context.Context, account string) (*place, error) {
	for range placeAttempts {
		p, err := s.readPlace(ctx, account)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err == nil {
			s.places.Set(account, p)
		}
		return p, err
	}
	return nil, fmt.Errorf("org: the place of account %s changes too fast to be read", account)
}

// readPlace reads a place, or fails with store.ErrConflict.
func (s *Service) readPlace(ctx context.Context, id string) (*place, error) {
	changed, err := s.store.Get(ctx, changesPath)
	if err != nil {
		return nil, err
	}
	at, err := s.stand(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &place{path: changesPath, revision: changed.Revision, exists: at.self != nil || s.own(id)}
	p.suspended = at.self != nil && !at.self.Closed.IsZero()
	if at.org == nil {
		return p, nil
	}
	p.path, p.revision = at.org.path(), at.revision
	p.member = &authz.Membership{Organization: at.org.ID, Management: at.org.Management == id, Suspended: p.suspended}
	from := seen{{Key: homePath(id), Revision: at.home}, {Key: at.self.path(), Revision: at.account}}
	err = s.readLevels(ctx, at, p.member, &from)
	if settled := s.settle(ctx, at, from); settled != nil { // then err may come from the mixture
		return nil, settled
	}
	return p, err
}

// readLevels fills in a member's path and the policies on it, and notes where they come from.
func (s *Service) readLevels(ctx context.Context, at standing, m *authz.Membership, from *seen) error {
	units, err := s.chain(ctx, at.org, at.self.Parent, from)
	if err != nil {
		return err
	}
	m.Path = pathOf(at.org, units)
	if m.Management {
		return nil
	}
	nodes := []*node{&at.org.Node}
	for _, u := range units {
		nodes = append(nodes, &u.Node)
	}
	nodes = append(nodes, &at.self.Node)
	if m.Services, err = s.levels(ctx, at.org, servicePolicy, nodes, from); err != nil {
		return err
	}
	m.Resources, err = s.levels(ctx, at.org, resourcePolicy, nodes, from)
	return err
}

// settle makes sure that everything that was read holds at one moment, or fails with store.ErrConflict. It does if the
// organization's record has not changed since it was read first. In an organization that changes all the time it still
// does if nothing of this account has: the policies of the root are the same now, and so are the records read, at a moment
// later than now.
func (s *Service) settle(ctx context.Context, at standing, from seen) error {
	now, revision, err := fetch[organization](ctx, s, at.org.path())
	switch {
	case err != nil || revision == at.revision:
		return err
	case now == nil || !now.binds(at.org):
		return store.ErrConflict
	}
	_, err = s.store.Commit(ctx, store.Txn{Checks: from})
	return err
}

// binds says whether two states of an organization's record mean the same to its members.
func (o *organization) binds(other *organization) bool {
	for _, t := range []orgapi.PolicyType{servicePolicy, resourcePolicy} {
		if o.control(t).Enabled != other.control(t).Enabled || !slices.Equal(o.attached(t, &o.Node), other.attached(t, &other.Node)) {
			return false
		}
		if o.control(t).Round != other.control(t).Round {
			return false
		}
	}
	return o.Root == other.Root && o.Management == other.Management
}

// levels returns the policies of a type that are attached to each node; nil when the type is not enabled.
func (s *Service) levels(ctx context.Context, o *organization, t orgapi.PolicyType, nodes []*node, from *seen) ([][]authz.Attached, error) {
	if !o.control(t).Enabled {
		return nil, nil
	}
	levels := make([][]authz.Attached, len(nodes))
	for i, n := range nodes {
		ids := o.attached(t, n)
		levels[i] = make([]authz.Attached, len(ids))
		for j, id := range ids {
			var err error
			if levels[i][j], err = s.compile(ctx, o, t, id, from); err != nil {
				return nil, err
			}
		}
	}
	return levels, nil
}

// compiledPolicy is a policy ready to be evaluated, as its record was at a revision.
type compiledPolicy struct {
	revision int64
	authz.Attached
}

// compile returns a policy of an organization, compiled once for each time that it is written.
func (s *Service) compile(ctx context.Context, o *organization, t orgapi.PolicyType, id string, from *seen) (authz.Attached, error) {
	if id == managedID(t) {
		if t == resourcePolicy {
			return s.fullResource, nil
		}
		return s.fullService, nil
	}
	path := policyPrefix(o.ID) + id
	r, err := s.store.Get(ctx, path)
	if err != nil {
		return authz.Attached{}, err
	}
	*from = append(*from, store.Check{Key: path, Revision: r.Revision})
	if c, ok := s.compiled.GetIfPresent(path); ok && c.revision == r.Revision {
		return c.Attached, nil
	}
	if r.Revision == 0 {
		return authz.Attached{}, fmt.Errorf("%w: policy %s is attached and missing", store.ErrCorrupt, path)
	}
	p, err := decode[controlPolicy](r)
	if err != nil {
		return authz.Attached{}, err
	}
	if p.Type != t {
		return authz.Attached{}, fmt.Errorf("%w: policy %s is attached as %s and is %s", store.ErrCorrupt, path, t, p.Type)
	}
	compiled, err := policy.Parse(kindOf(t), p.Content)
	if err != nil {
		return authz.Attached{}, fmt.Errorf("%w: policy %s: %w", store.ErrCorrupt, path, err)
	}
	c := &compiledPolicy{r.Revision, authz.Attached{Name: policyARN(o, t, id), Policy: compiled}}
	s.compiled.Set(path, c)
	return c.Attached, nil
}
