package iam

import (
	"context"
	"strconv"
	"strings"
	"time"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// maxPolicies is how many managed policies of its own an account can have.
const maxPolicies = 1500

// shownPolicy is a managed policy as answers show it to an account.
func (s *Service) shownPolicy(ctx context.Context, account string, m *Managed) (*iamapi.Policy, error) {
	attached, bound, err := s.attachedCounts(ctx, account, m)
	p := &iamapi.Policy{
		PolicyName: &m.Name, PolicyId: &m.ID, Arn: new(m.ARN()), Path: &m.Path, DefaultVersionId: new(versionID(m.Default)),
		AttachmentCount: &attached, PermissionsBoundaryUsageCount: &bound, IsAttachable: new(true),
		CreateDate: &m.Created, UpdateDate: &m.Updated, Tags: shownTags(m.Tags),
	}
	if m.Description != "" {
		p.Description = &m.Description
	}
	return p, err
}

// attachedCounts returns how many entities of an account have a policy, and how many it bounds. Only the index knows of those
// that come with Trent.
func (s *Service) attachedCounts(ctx context.Context, account string, m *Managed) (attached, bound int32, err error) {
	if m.Account != awsAccount {
		return int32(m.Attachments), int32(m.Boundaries), nil
	}
	if attached, err = s.countRecords(ctx, attachments(account, m.ID)+string(permits)+"/"); err != nil {
		return 0, 0, err
	}
	bound, err = s.countRecords(ctx, attachments(account, m.ID)+string(bounds)+"/")
	return attached, bound, err
}

// countRecords counts the records under a prefix.
func (s *Service) countRecords(ctx context.Context, prefix string) (int32, error) {
	var n int32
	after := ""
	for {
		page, err := s.Store.Range(ctx, prefix, after, maxLooked)
		if err != nil {
			return 0, err
		}
		n += int32(len(page.Records))
		if !page.More {
			return n, nil
		}
		after = page.Records[len(page.Records)-1].Key
	}
}

func (s *Service) createPolicy(ctx context.Context, c *service.Call, in *iamapi.CreatePolicyRequest, t *target) (*iamapi.CreatePolicyResponse, error) {
	if err := checkManagedPolicy(*t.document); err != nil {
		return nil, err
	}
	tags, err := newTags(t.tags)
	if err != nil {
		return nil, err
	}
	now := c.Now.Truncate(time.Second)
	m := &Managed{
		Version: recordVersion, Account: t.account, ID: newID(managedID), Name: *t.name, Path: orRoot(t.path),
		Description: text(in.Description), Created: now, Updated: now, Default: 1, Latest: 1,
		Versions: []Version{{Number: 1, Text: *t.document, Created: now}}, Tags: tags,
	}
	ch := s.change()
	ch.policy(storedPolicy{}, m)
	ch.count(ctx, t.account, func(a *Account) error {
		if a.Policies >= maxPolicies {
			return iamapi.LimitExceededException("Cannot exceed quota for PoliciesPerAccount: %d", maxPolicies)
		}
		a.Policies++
		return nil
	})
	if err := ch.commit(ctx); err != nil {
		return nil, err
	}
	shown, err := s.shownPolicy(ctx, t.account, m)
	return &iamapi.CreatePolicyResponse{Policy: shown}, err
}

func checkManagedPolicy(document string) error {
	if err := checkIdentityPolicy(document); err != nil {
		return err
	}
	if policy.Size(document) > policy.ManagedSize {
		return iamapi.LimitExceededException("Cannot exceed quota for PolicySize: %d", policy.ManagedSize)
	}
	return nil
}

func (s *Service) getPolicy(ctx context.Context, _ *service.Call, _ *iamapi.GetPolicyRequest, t *target) (*iamapi.GetPolicyResponse, error) {
	shown, err := s.shownPolicy(ctx, t.account, t.managed.Managed)
	return &iamapi.GetPolicyResponse{Policy: shown}, err
}

// deletePolicy ends a policy that nothing has and that has one version.
func (s *Service) deletePolicy(ctx context.Context, _ *service.Call, t *target) error {
	m := t.managed
	switch {
	case m.Attachments > 0 || m.Boundaries > 0:
		return iamapi.DeleteConflictException("Cannot delete a policy attached to entities.")
	case len(m.Versions) > 1:
		return iamapi.DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	ch := s.change()
	ch.remove(managedPath(m.Account, m.Name), m.revision)
	ch.count(ctx, t.account, func(a *Account) error {
		a.Policies--
		return nil
	})
	return ch.commit(ctx)
}

// savePolicy commits a change of nothing but the target's managed policy.
func (s *Service) savePolicy(ctx context.Context, t *target, m *Managed) error {
	ch := s.change()
	ch.policy(t.managed, m)
	return ch.commit(ctx)
}

// listPolicies lists the account's own policies, ordered by name, and those that come with Trent after them.
func (s *Service) listPolicies(ctx context.Context, c *service.Call, in *iamapi.ListPoliciesRequest, _ service.Own) (*iamapi.ListPoliciesResponse, error) {
	f := policyFilter{scope: iamapi.PolicyScopeTypeAll, path: in.PathPrefix, usage: in.PolicyUsageFilter}
	if in.Scope != nil {
		f.scope = *in.Scope
	}
	f.attached = in.OnlyAttached != nil && *in.OnlyAttached
	p, err := newPager(c, in.Marker, in.MaxItems, string(f.scope), strconv.FormatBool(f.attached), text(f.path), text((*string)(f.usage)))
	if err != nil {
		return nil, err
	}
	out := &iamapi.ListPoliciesResponse{Policies: []iamapi.Policy{}}
	out.IsTruncated, out.Marker, err = s.scanPolicies(ctx, p, c.Caller.Account, f.scope, func(m *Managed) (bool, error) {
		shown, err := s.shownPolicy(ctx, c.Caller.Account, m)
		if err != nil || !f.passes(shown) {
			return false, err
		}
		shown.Tags, shown.Description = nil, nil // GetPolicy shows them
		out.Policies = append(out.Policies, *shown)
		return true, nil
	})
	return out, err
}

// policyFilter is what a listing of policies leaves.
type policyFilter struct {
	scope    iamapi.PolicyScopeType
	attached bool
	path     *string
	usage    *iamapi.PolicyUsageType
}

func (f *policyFilter) passes(p *iamapi.Policy) bool {
	switch {
	case !hasPath(*p.Path, f.path):
		return false
	case f.usage != nil && *f.usage == iamapi.PolicyUsageTypePermissionsBoundary:
		return *p.PermissionsBoundaryUsageCount > 0
	case f.usage != nil:
		return *p.AttachmentCount > 0
	case f.attached:
		return *p.AttachmentCount > 0 || *p.PermissionsBoundaryUsageCount > 0
	}
	return true
}

// afterOwn begins the markers of the policies that come with Trent, which sort after all names.
const afterOwn = "~"

// scanPolicies calls add for each managed policy of a scope, as pager.scan does.
func (s *Service) scanPolicies(ctx context.Context, p pager, account string, scope iamapi.PolicyScopeType, add func(*Managed) (bool, error)) (truncated *bool, marker *string, err error) {
	n := 0
	counting := func(m *Managed) (bool, error) {
		added, err := add(m)
		if added {
			n++
		}
		return added, err
	}
	if scope != iamapi.PolicyScopeTypeAws && !strings.HasPrefix(p.after, afterOwn) {
		truncated, marker, err = s.scanOwnPolicies(ctx, p, account, counting)
		if err != nil || marker != nil || scope == iamapi.PolicyScopeTypeLocal {
			return truncated, marker, err
		}
		if n == p.limit {
			truncated, marker = p.next(afterOwn, true)
			return truncated, marker, nil
		}
		p.after = afterOwn
	}
	return s.scanProvided(p, n, add)
}

func (s *Service) scanOwnPolicies(ctx context.Context, p pager, account string, add func(*Managed) (bool, error)) (*bool, *string, error) {
	return p.scan(ctx, s, managedPath(account, ""), func(name string, _ []byte) (bool, error) {
		m, err := s.policyByName(ctx, account, name)
		if err != nil || m.Managed == nil {
			return false, err
		}
		return add(m.Managed)
	})
}

// scanProvided calls add for the policies that come with Trent. n is how many entries the page has already.
func (s *Service) scanProvided(p pager, n int, add func(*Managed) (bool, error)) (*bool, *string, error) {
	names := s.providedNames()
	for i, name := range names {
		if afterOwn+name <= p.after {
			continue
		}
		added, err := add(s.managed[providedARN(name)])
		if err != nil {
			return nil, nil, err
		}
		if added {
			n++
		}
		if n >= p.limit {
			truncated, marker := p.next(afterOwn+name, i+1 < len(names))
			return truncated, marker, nil
		}
	}
	return new(false), nil, nil
}
