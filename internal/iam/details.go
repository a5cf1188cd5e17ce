package iam

import (
	"context"
	"slices"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// section is a part of GetAccountAuthorizationDetails. Its pages are filled by one section after the other; a marker is the
// section's letter and the last name in it.
type section struct {
	letter string
	filter iamapi.EntityType
	scan   func(ctx context.Context, p pager) (truncated *bool, marker *string, err error)
}

// getAccountAuthorizationDetails shows everything that an account's identities are allowed.
func (s *Service) getAccountAuthorizationDetails(ctx context.Context, c *service.Call, in *iamapi.GetAccountAuthorizationDetailsRequest, _ service.Own) (*iamapi.GetAccountAuthorizationDetailsResponse, error) {
	var filter []string
	for _, f := range in.Filter {
		filter = append(filter, string(f))
	}
	p, err := newPager(c, in.Marker, in.MaxItems, filter...)
	if err != nil {
		return nil, err
	}
	d := &details{s: s, account: c.Caller.Account, out: &iamapi.GetAccountAuthorizationDetailsResponse{
		UserDetailList: []iamapi.UserDetail{}, GroupDetailList: []iamapi.GroupDetail{},
		RoleDetailList: []iamapi.RoleDetail{}, Policies: []iamapi.ManagedPolicyDetail{},
	}}
	sections := slices.DeleteFunc(d.sections(), func(x section) bool {
		return len(in.Filter) > 0 && !slices.Contains(in.Filter, x.filter)
	})
	d.out.IsTruncated, d.out.Marker, err = d.fill(ctx, p, sections)
	return d.out, err
}

// details is an answer in the making.
type details struct {
	s       *Service
	account string
	out     *iamapi.GetAccountAuthorizationDetailsResponse
	n       int
}

func (d *details) sections() []section {
	entities := func(k kind, add func(context.Context, *Entity) error) func(context.Context, pager) (*bool, *string, error) {
		return func(ctx context.Context, p pager) (*bool, *string, error) { return d.entities(ctx, p, k, add) }
	}
	policies := func(scope iamapi.PolicyScopeType) func(context.Context, pager) (*bool, *string, error) {
		return func(ctx context.Context, p pager) (*bool, *string, error) { return d.policies(ctx, p, scope) }
	}
	return []section{
		{"1", iamapi.EntityTypeUser, entities(aUser, d.user)},
		{"2", iamapi.EntityTypeGroup, entities(aGroup, d.group)},
		{"3", iamapi.EntityTypeRole, entities(aRole, d.role)},
		{"4", iamapi.EntityTypeLocalManagedPolicy, policies(iamapi.PolicyScopeTypeLocal)},
		{"5", iamapi.EntityTypeAWSManagedPolicy, policies(iamapi.PolicyScopeTypeAws)},
	}
}

// fill goes through the sections until the page is full.
func (d *details) fill(ctx context.Context, p pager, sections []section) (truncated *bool, marker *string, err error) {
	for i, x := range sections {
		in := pager{scope: p.scope + x.letter, limit: p.limit - d.n}
		if p.after != "" {
			var here bool
			if in.after, here = strings.CutPrefix(p.after, x.letter); !here && p.after > x.letter {
				continue
			}
		}
		truncated, marker, err = x.scan(ctx, in)
		if err != nil || marker != nil {
			return truncated, marker, err
		}
		if d.n >= p.limit && i+1 < len(sections) {
			truncated, marker = p.next(sections[i+1].letter, true)
			return truncated, marker, nil
		}
	}
	return new(false), nil, nil
}

func (d *details) entities(ctx context.Context, p pager, k kind, add func(context.Context, *Entity) error) (*bool, *string, error) {
	return p.scan(ctx, d.s, k.names(d.account), func(name string, _ []byte) (bool, error) {
		e, err := d.s.find(ctx, k, d.account, name)
		if err != nil || e.Entity == nil {
			return false, err
		}
		d.n++
		return true, add(ctx, e.Entity)
	})
}

func (d *details) user(ctx context.Context, e *Entity) error {
	groups, err := d.s.groupsOf(ctx, e)
	names := []string{}
	for _, g := range groups {
		names = append(names, g.Name)
	}
	d.out.UserDetailList = append(d.out.UserDetailList, iamapi.UserDetail{
		Path: &e.Path, UserName: &e.Name, UserId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created, UserPolicyList: e.shownInline(),
		GroupList: names, AttachedManagedPolicies: shownAttached(e.Attached, nil),
		PermissionsBoundary: shownBoundary(e.Boundary), Tags: shownTags(e.Tags),
	})
	return err
}

func (d *details) group(_ context.Context, e *Entity) error {
	d.out.GroupDetailList = append(d.out.GroupDetailList, iamapi.GroupDetail{
		Path: &e.Path, GroupName: &e.Name, GroupId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created,
		GroupPolicyList: e.shownInline(), AttachedManagedPolicies: shownAttached(e.Attached, nil),
	})
	return nil
}

func (d *details) role(ctx context.Context, e *Entity) error {
	trust, err := d.s.trustToShow(ctx, e.Trust)
	d.out.RoleDetailList = append(d.out.RoleDetailList, iamapi.RoleDetail{
		Path: &e.Path, RoleName: &e.Name, RoleId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created,
		AssumeRolePolicyDocument: encoded(trust), InstanceProfileList: []iamapi.InstanceProfile{}, RolePolicyList: e.shownInline(),
		AttachedManagedPolicies: shownAttached(e.Attached, nil), PermissionsBoundary: shownBoundary(e.Boundary), Tags: shownTags(e.Tags),
	})
	return err
}

// shownInline are the policies that live in an entity, with their documents.
func (e *Entity) shownInline() []iamapi.PolicyDetail {
	shown := []iamapi.PolicyDetail{}
	for i := range e.Inline {
		shown = append(shown, iamapi.PolicyDetail{PolicyName: &e.Inline[i].Name, PolicyDocument: encoded(e.Inline[i].Text)})
	}
	return shown
}

func (d *details) policies(ctx context.Context, p pager, scope iamapi.PolicyScopeType) (*bool, *string, error) {
	return d.s.scanPolicies(ctx, p, d.account, scope, func(m *Managed) (bool, error) {
		shown, err := d.s.shownPolicy(ctx, d.account, m)
		if err != nil {
			return false, err
		}
		x := iamapi.ManagedPolicyDetail{
			PolicyName: shown.PolicyName, PolicyId: shown.PolicyId, Arn: shown.Arn, Path: shown.Path, DefaultVersionId: shown.DefaultVersionId,
			AttachmentCount: shown.AttachmentCount, PermissionsBoundaryUsageCount: shown.PermissionsBoundaryUsageCount,
			IsAttachable: shown.IsAttachable, Description: shown.Description, CreateDate: shown.CreateDate, UpdateDate: shown.UpdateDate,
		}
		for i := range m.Versions {
			v := m.shownVersion(&m.Versions[i])
			v.Document = encoded(m.Versions[i].Text)
			x.PolicyVersionList = append(x.PolicyVersionList, v)
		}
		d.out.Policies = append(d.out.Policies, x)
		d.n++
		return true, nil
	})
}
