package iam

import (
	"context"
	"slices"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// maxAttached is how many managed policies a user, a group or a role can have.
const maxAttached = 10

// use is what a managed policy is to an entity that has it.
type use string

const (
	permits use = "permissions"
	bounds  use = "boundary"
)

func attachmentPath(m *Managed, e *Entity, u use) string {
	return attachments(e.Account, m.ID) + string(u) + "/" + e.ID
}

// attachments is where the index is of what has a policy: in each account for itself, for the sake of the policies that come
// with Trent.
func attachments(account, id string) string { return attachmentPrefix + account + "/" + id + "/" }

// attach and detach keep a policy's count and index true. The policy's record changes each time, so that it cannot be
// deleted in the same moment.
func (c *change) attach(m storedPolicy, u use, e *Entity) {
	c.attached(m, u, 1)
	c.index(attachmentPath(m.Managed, e, u))
}

func (c *change) detach(m storedPolicy, u use, e *Entity) {
	c.attached(m, u, -1)
	c.unindex(attachmentPath(m.Managed, e, u))
}

func (c *change) attached(m storedPolicy, u use, by int) {
	if m.Account == awsAccount {
		return
	}
	changed := m.clone()
	if u == bounds {
		changed.Boundaries += by
	} else {
		changed.Attachments += by
	}
	c.policy(m, changed)
}

// attachPolicy attaches a managed policy to a user, a group or a role. One that is attached stays so.
func (s *Service) attachPolicy(ctx context.Context, _ *service.Call, t *target) error {
	if !isPolicyARN(*t.policy) {
		return invalidARN(*t.policy)
	}
	if t.managed.Managed == nil || !t.managed.usableIn(t.account) {
		return iamapi.NoSuchEntityException("Policy %s does not exist or is not attachable.", *t.policy)
	}
	if slices.Contains(t.entity.Attached, *t.policy) {
		return nil
	}
	if len(t.entity.Attached) >= maxAttached {
		return iamapi.LimitExceededException("Cannot exceed quota for PoliciesPer%s: %d", t.title(), maxAttached)
	}
	e := t.entity.clone()
	e.Attached = append(e.Attached, *t.policy)
	ch := s.change()
	ch.entity(t.entity, e)
	ch.attach(t.managed, permits, e)
	return ch.commit(ctx)
}

// usableIn says whether an account may attach the policy: its own, and those that come with Trent.
func (m *Managed) usableIn(account string) bool {
	return m.Account == account || m.Account == awsAccount
}

func (s *Service) detachPolicy(ctx context.Context, _ *service.Call, t *target) error {
	if !isPolicyARN(*t.policy) {
		return invalidARN(*t.policy)
	}
	at := slices.Index(t.entity.Attached, *t.policy)
	if at < 0 || t.managed.Managed == nil {
		return iamapi.NoSuchEntityException("Policy %s was not found.", *t.policy)
	}
	e := t.entity.clone()
	e.Attached = slices.Delete(e.Attached, at, at+1)
	ch := s.change()
	ch.entity(t.entity, e)
	ch.detach(t.managed, permits, e)
	return ch.commit(ctx)
}

// shownAttached are attached policies as answers show them, ordered by name.
func shownAttached(arns []string, pathPrefix *string) []iamapi.AttachedPolicy {
	shown := []iamapi.AttachedPolicy{}
	for i := range arns {
		_, path, name, ok := parsePolicyARN(arns[i])
		if ok && hasPath(path, pathPrefix) {
			shown = append(shown, iamapi.AttachedPolicy{PolicyName: &name, PolicyArn: &arns[i]})
		}
	}
	slices.SortFunc(shown, func(a, b iamapi.AttachedPolicy) int { return strings.Compare(attachedKey(&a), attachedKey(&b)) })
	return shown
}

// attachedKey orders by name, and tells policies of the same name apart by whose they are.
func attachedKey(p *iamapi.AttachedPolicy) string {
	account, _, name, _ := parsePolicyARN(*p.PolicyArn)
	return strings.ToLower(name) + "/" + account
}

// attachedPage returns a page of the managed policies attached to the target.
func attachedPage(c *service.Call, t *target) (page []iamapi.AttachedPolicy, truncated *bool, marker *string, err error) {
	p, err := newPager(c, t.marker, t.maxItems, t.entity.ID, text(t.pathPrefix))
	if err != nil {
		return nil, nil, nil, err
	}
	page, truncated, marker = slicePage(p, shownAttached(t.entity.Attached, t.pathPrefix), attachedKey)
	return page, truncated, marker, nil
}

func (s *Service) listAttachedUserPolicies(_ context.Context, c *service.Call, _ *iamapi.ListAttachedUserPoliciesRequest, t *target) (*iamapi.ListAttachedUserPoliciesResponse, error) {
	page, truncated, marker, err := attachedPage(c, t)
	return &iamapi.ListAttachedUserPoliciesResponse{AttachedPolicies: page, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) listAttachedGroupPolicies(_ context.Context, c *service.Call, _ *iamapi.ListAttachedGroupPoliciesRequest, t *target) (*iamapi.ListAttachedGroupPoliciesResponse, error) {
	page, truncated, marker, err := attachedPage(c, t)
	return &iamapi.ListAttachedGroupPoliciesResponse{AttachedPolicies: page, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) listAttachedRolePolicies(_ context.Context, c *service.Call, _ *iamapi.ListAttachedRolePoliciesRequest, t *target) (*iamapi.ListAttachedRolePoliciesResponse, error) {
	page, truncated, marker, err := attachedPage(c, t)
	return &iamapi.ListAttachedRolePoliciesResponse{AttachedPolicies: page, IsTruncated: truncated, Marker: marker}, err
}
