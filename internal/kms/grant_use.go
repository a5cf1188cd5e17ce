package kms

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// Grant looks for a grant on the key that lets the caller. Grants count from the moment that CreateGrant has answered,
// whether or not the request brings their tokens.
func (t *keyTarget) Grant(ctx context.Context) (authz.Grant, error) {
	x := conditions{call: t.call, action: t.action, key: t.key}
	return t.search(ctx,
		func(index *grantIndex, o kmsapi.GrantOperation) iter.Seq[string] {
			return index.candidates(o, x.encryptionContext())
		},
		func(g *Grant, o kmsapi.GrantOperation) bool { return g.admits(t, o) })
}

// search finds a grant to the caller among those that an index names.
func (t *keyTarget) search(ctx context.Context, named func(*grantIndex, kmsapi.GrantOperation) iter.Seq[string], admits func(*Grant, kmsapi.GrantOperation) bool) (authz.Grant, error) {
	operation := kmsapi.GrantOperation(strings.TrimPrefix(t.action, "kms:"))
	if !operation.Valid() {
		return authz.Grant{}, nil
	}
	for _, n := range granteeNames(&t.call.Caller) {
		index, err := t.service.grantIndex(ctx, t, n.name)
		if err != nil {
			return authz.Grant{}, err
		}
		for id := range named(index, operation) {
			g, err := t.grantTo(ctx, n, id)
			if err != nil {
				return authz.Grant{}, err
			}
			if g != nil && admits(g, operation) {
				return authz.Grant{ID: g.ID, By: n.by}, nil
			}
		}
	}
	return authz.Grant{}, nil
}

// grantTo reads a grant that an index names; nil if it has ended, or is not to the caller by this name.
func (t *keyTarget) grantTo(ctx context.Context, n granteeName, id string) (*Grant, error) {
	g, _, err := t.service.grant(ctx, grantPrefix(t.key.Account, t.key.Region, t.key.ID)+id)
	if err != nil || g == nil || g.grantee() != n.name || !g.isTo(&t.call.Caller, n.by) {
		return nil, err
	}
	return g, nil
}

// granteeName is a name by which a grant can mean a caller.
type granteeName struct {
	name string
	by   policy.Match
}

// granteeNames are all names of a caller, the most direct first.
func granteeNames(c *caller.Caller) []granteeName {
	if c.Type == caller.Service {
		return []granteeName{{c.ARN, policy.ByCaller}}
	}
	account := granteeName{caller.RootARN(c.Account), policy.ByAccount}
	if c.Type == caller.Root {
		return []granteeName{account}
	}
	all := []granteeName{{c.ARN, policy.ByCaller}}
	if c.Type == caller.Role {
		all = append(all, granteeName{c.Source, policy.ByRole})
	}
	return append(all, account)
}

// isTo says whether the grant is to the very user or role that the caller is, and not to one of the same name that is
// gone. A grant to a session is to whoever takes the session's name in that role.
func (g *Grant) isTo(c *caller.Caller, by policy.Match) bool {
	return by == policy.ByAccount || g.GranteeID == "" || g.GranteeID == c.ID
}

// admits says whether a request meets the grant's constraints (KMS Developer Guide, "Grant constraints").
func (g *Grant) admits(t *keyTarget, operation kmsapi.GrantOperation) bool {
	c := &g.Constraints
	if c.SourceARN != "" && t.call.Caller.Type == caller.Service && c.SourceARN != t.call.Caller.SourceARN && operation != kmsapi.GrantOperationRetireGrant {
		return false
	}
	if withoutContext(operation) {
		return true
	}
	if operation == kmsapi.GrantOperationCreateGrant {
		in, ok := t.call.Input.(*kmsapi.CreateGrantRequest)
		return ok && g.covers(in)
	}
	x := conditions{call: t.call, action: t.action, key: t.key}
	return c.admits(x.encryptionContext())
}

// admits compares an encryption context, its names and values exactly.
func (c *Constraints) admits(context map[string]string) bool {
	switch {
	case c.Equals != nil:
		return maps.Equal(c.Equals, context)
	case c.Subset != nil:
		return contains(context, c.Subset)
	}
	return true
}

// contains says whether all pairs of part are in whole.
func contains(whole, part map[string]string) bool {
	for k, v := range part {
		if w, ok := whole[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// covers says whether a grant that lets its grantee create grants lets it create this one: for operations that it has
// itself, under constraints at least as strict (KMS Developer Guide, "Grant operations", CreateGrant).
func (g *Grant) covers(in *kmsapi.CreateGrantRequest) bool {
	for _, o := range in.Operations {
		if !slices.Contains(g.Operations, o) {
			return false
		}
	}
	var child Constraints
	if in.Constraints != nil {
		child = Constraints{in.Constraints.EncryptionContextEquals, in.Constraints.EncryptionContextSubset, text(in.Constraints.SourceArn)}
	}
	return g.Constraints.coverConstraints(&child)
}

func (c *Constraints) coverConstraints(child *Constraints) bool {
	if c.SourceARN != "" && c.SourceARN != child.SourceARN {
		return false
	}
	switch {
	case c.Equals != nil:
		return child.Equals != nil && maps.Equal(c.Equals, child.Equals)
	case c.Subset != nil && child.Equals != nil:
		return contains(child.Equals, c.Subset)
	case c.Subset != nil:
		return child.Subset != nil && contains(child.Subset, c.Subset)
	}
	return true
}

// grantee is the name by which the grant's grantee is found.
func (g *Grant) grantee() string { return inPartition(g.Grantee + g.GranteeService) }

// grantsTo returns the grants on a key whose grantee has a name, in the order of their ids.
func (s *Service) grantsTo(ctx context.Context, k *Key, name string) ([]*Grant, error) {
	var all []*Grant
	prefix := granteePrefix(k.Account, k.Region, k.ID, name)
	for after := ""; ; {
		page, err := s.store.Range(ctx, prefix, after, grantsPerPage)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			g, _, err := s.grant(ctx, grantPrefix(k.Account, k.Region, k.ID)+strings.TrimPrefix(r.Key, prefix))
			if err != nil {
				return nil, err
			}
			if g != nil && g.grantee() == name {
				all = append(all, g)
			}
		}
		if !page.More {
			return all, nil
		}
		after = page.Records[len(page.Records)-1].Key
	}
}

// grantsPerPage bounds what one look into the store brings.
const grantsPerPage = 100
