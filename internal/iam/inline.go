package iam

import (
	"context"
	"slices"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// findInline finds a policy that lives in the entity, or where it would be. Names compare without regard to case.
func (e *Entity) findInline(name string) (at int, found bool) {
	return slices.BinarySearchFunc(e.Inline, name, func(i Inline, name string) int {
		return strings.Compare(strings.ToLower(i.Name), strings.ToLower(name))
	})
}

// putInline puts a policy into a user, a group or a role, perhaps in the place of the one that has its name.
func (s *Service) putInline(ctx context.Context, _ *service.Call, t *target) error {
	if err := checkIdentityPolicy(*t.document); err != nil {
		return err
	}
	e := t.entity.clone()
	i := Inline{Name: *t.inline, Text: *t.document}
	at, found := e.findInline(i.Name)
	if found {
		e.Inline[at] = i
	} else {
		e.Inline = slices.Insert(e.Inline, at, i)
	}
	if err := e.checkInlineSize(); err != nil {
		return err
	}
	return s.saveEntity(ctx, t, e)
}

func (e *Entity) checkInlineSize() error {
	most, counted, bytes := e.kind().limits().inline, 0, 0
	for _, i := range e.Inline {
		counted += policy.Size(i.Text)
		bytes += len(i.Text)
	}
	if counted > most || bytes > maxInlineBytes {
		return iamapi.LimitExceededException("Maximum policy size of %d bytes exceeded for %s %s", most, e.kind(), e.Name)
	}
	return nil
}

func (s *Service) deleteInline(ctx context.Context, _ *service.Call, t *target) error {
	at, err := t.inlineAt()
	if err != nil {
		return err
	}
	e := t.entity.clone()
	e.Inline = slices.Delete(e.Inline, at, at+1)
	return s.saveEntity(ctx, t, e)
}

// inlineAt finds the policy that the request names.
func (t *target) inlineAt() (int, error) {
	at, found := t.entity.findInline(*t.inline)
	if !found {
		return 0, iamapi.NoSuchEntityException("The %s policy with name %s cannot be found.", t.kind, *t.inline)
	}
	return at, nil
}

func (s *Service) getUserPolicy(_ context.Context, _ *service.Call, _ *iamapi.GetUserPolicyRequest, t *target) (*iamapi.GetUserPolicyResponse, error) {
	at, err := t.inlineAt()
	if err != nil {
		return nil, err
	}
	i := &t.entity.Inline[at]
	return &iamapi.GetUserPolicyResponse{UserName: &t.entity.Name, PolicyName: &i.Name, PolicyDocument: encoded(i.Text)}, nil
}

func (s *Service) getGroupPolicy(_ context.Context, _ *service.Call, _ *iamapi.GetGroupPolicyRequest, t *target) (*iamapi.GetGroupPolicyResponse, error) {
	at, err := t.inlineAt()
	if err != nil {
		return nil, err
	}
	i := &t.entity.Inline[at]
	return &iamapi.GetGroupPolicyResponse{GroupName: &t.entity.Name, PolicyName: &i.Name, PolicyDocument: encoded(i.Text)}, nil
}

func (s *Service) getRolePolicy(_ context.Context, _ *service.Call, _ *iamapi.GetRolePolicyRequest, t *target) (*iamapi.GetRolePolicyResponse, error) {
	at, err := t.inlineAt()
	if err != nil {
		return nil, err
	}
	i := &t.entity.Inline[at]
	return &iamapi.GetRolePolicyResponse{RoleName: &t.entity.Name, PolicyName: &i.Name, PolicyDocument: encoded(i.Text)}, nil
}

// inlinePage returns a page of the names of the policies that live in the target.
func inlinePage(c *service.Call, t *target) (names []string, truncated *bool, marker *string, err error) {
	p, err := newPager(c, t.marker, t.maxItems, t.entity.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	page, truncated, marker := slicePage(p, t.entity.Inline, func(i *Inline) string { return strings.ToLower(i.Name) })
	names = []string{}
	for i := range page {
		names = append(names, page[i].Name)
	}
	return names, truncated, marker, nil
}

func (s *Service) listUserPolicies(_ context.Context, c *service.Call, _ *iamapi.ListUserPoliciesRequest, t *target) (*iamapi.ListUserPoliciesResponse, error) {
	names, truncated, marker, err := inlinePage(c, t)
	return &iamapi.ListUserPoliciesResponse{PolicyNames: names, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) listGroupPolicies(_ context.Context, c *service.Call, _ *iamapi.ListGroupPoliciesRequest, t *target) (*iamapi.ListGroupPoliciesResponse, error) {
	names, truncated, marker, err := inlinePage(c, t)
	return &iamapi.ListGroupPoliciesResponse{PolicyNames: names, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) listRolePolicies(_ context.Context, c *service.Call, _ *iamapi.ListRolePoliciesRequest, t *target) (*iamapi.ListRolePoliciesResponse, error) {
	names, truncated, marker, err := inlinePage(c, t)
	return &iamapi.ListRolePoliciesResponse{PolicyNames: names, IsTruncated: truncated, Marker: marker}, err
}
