package iam

import (
	"context"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// listEntitiesForPolicy lists what of the caller's account a managed policy is attached to or bounds.
func (s *Service) listEntitiesForPolicy(ctx context.Context, c *service.Call, in *iamapi.ListEntitiesForPolicyRequest, t *target) (*iamapi.ListEntitiesForPolicyResponse, error) {
	p, err := newPager(c, in.Marker, in.MaxItems, t.managed.ID, text((*string)(in.EntityFilter)), text(in.PathPrefix), text((*string)(in.PolicyUsageFilter)))
	if err != nil {
		return nil, err
	}
	out := &iamapi.ListEntitiesForPolicyResponse{
		PolicyGroups: []iamapi.PolicyGroup{}, PolicyUsers: []iamapi.PolicyUser{}, PolicyRoles: []iamapi.PolicyRole{},
	}
	seen := map[string]bool{}
	out.IsTruncated, out.Marker, err = p.scan(ctx, s, attachments(t.account, t.managed.ID), func(key string, _ []byte) (bool, error) {
		u, id, _ := strings.Cut(key, "/")
		e, err := s.byID(ctx, id)
		if err != nil || e.Entity == nil || seen[id] || !wanted(in, use(u), e.Entity) {
			return false, err
		}
		seen[id] = true
		show(out, e.Entity)
		return true, nil
	})
	return out, err
}

// wanted says whether an entity passes the filters of the request.
func wanted(in *iamapi.ListEntitiesForPolicyRequest, u use, e *Entity) bool {
	if in.PolicyUsageFilter != nil && (*in.PolicyUsageFilter == iamapi.PolicyUsageTypePermissionsBoundary) != (u == bounds) {
		return false
	}
	if !hasPath(e.Path, in.PathPrefix) {
		return false
	}
	return in.EntityFilter == nil || string(*in.EntityFilter) == e.kind().title()
}

func show(out *iamapi.ListEntitiesForPolicyResponse, e *Entity) {
	switch e.kind() {
	case aGroup:
		out.PolicyGroups = append(out.PolicyGroups, iamapi.PolicyGroup{GroupName: &e.Name, GroupId: &e.ID})
	case aRole:
		out.PolicyRoles = append(out.PolicyRoles, iamapi.PolicyRole{RoleName: &e.Name, RoleId: &e.ID})
	default:
		out.PolicyUsers = append(out.PolicyUsers, iamapi.PolicyUser{UserName: &e.Name, UserId: &e.ID})
	}
}
