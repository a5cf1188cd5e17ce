package kms

import (
	"context"
	"fmt"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// listGrants lists the grants of a key, in the order of their ids. A filter makes pages short, not calls long.
func (s *Service) listGrants(ctx context.Context, c *service.Call, in *kmsapi.ListGrantsRequest, t *keyTarget) (*kmsapi.ListGrantsResponse, error) {
	var id, grantee, forService string
	switch {
	case in.GranteePrincipal != nil && in.GranteeServicePrincipal != nil:
		return nil, api.ValidationException("You cannot specify GranteePrincipal and GranteeServicePrincipal in the same request.")
	case in.GranteeServicePrincipal != nil && c.Caller.Type != caller.Service:
		return nil, onlyServices(c, "GranteeServicePrincipal")
	case in.GranteeServicePrincipal != nil:
		forService = *in.GranteeServicePrincipal
	case in.GranteePrincipal != nil:
		grantee = *in.GranteePrincipal
	}
	if in.GrantId != nil {
		if id = *in.GrantId; !isGrantID(id) {
			return nil, kmsapi.InvalidGrantIdException("Invalid grant ID '%s'", id)
		}
	}
	p, err := newPager(c, in.Marker, in.Limit, 50, 100, t.key.ID+"\n"+id+"\n"+grantee+forService)
	if err != nil {
		return nil, err
	}
	out := &kmsapi.ListGrantsResponse{Grants: []kmsapi.GrantListEntry{}}
	prefix := grantPrefix(t.key.Account, t.key.Region, t.key.ID) + id // a whole id has one record under it
	out.NextMarker, out.Truncated, err = p.scan(ctx, s, prefix, func(r store.Record) (bool, error) {
		g, err := s.placedGrant(r)
		if err != nil || grantee != "" && g.Grantee != grantee || forService != "" && g.GranteeService != forService {
			return false, err
		}
		out.Grants = append(out.Grants, g.entry())
		return true, nil
	})
	return out, err
}

// listRetirableGrants lists the grants of the Region, on keys of any account, whose retiring principal is one of the
// caller's account.
func (s *Service) listRetirableGrants(ctx context.Context, c *service.Call, in *kmsapi.ListRetirableGrantsRequest, _ service.Own) (*kmsapi.ListGrantsResponse, error) {
	if err := checkRetirable(c, in); err != nil {
		return nil, err
	}
	prefix := retiringPrefix(c.Region, *in.RetiringPrincipal)
	p, err := newPager(c, in.Marker, in.Limit, 50, 100, *in.RetiringPrincipal)
	if err != nil {
		return nil, err
	}
	out := &kmsapi.ListGrantsResponse{Grants: []kmsapi.GrantListEntry{}}
	out.NextMarker, out.Truncated, err = p.scan(ctx, s, prefix, func(r store.Record) (bool, error) {
		g, err := s.indexedGrant(ctx, c, strings.TrimPrefix(r.Key, prefix))
		if err != nil || g == nil || g.Retiring != *in.RetiringPrincipal {
			return false, err
		}
		out.Grants = append(out.Grants, g.entry())
		return true, nil
	})
	return out, err
}

// checkRetirable wants one retiring principal, of the caller's own account.
func checkRetirable(c *service.Call, in *kmsapi.ListRetirableGrantsRequest) error {
	switch {
	case (in.RetiringPrincipal == nil) == (in.RetiringServicePrincipal == nil):
		return api.ValidationException("You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
	case in.RetiringServicePrincipal != nil:
		return onlyServices(c, "RetiringServicePrincipal")
	}
	if err := checkPrincipal(c.Region, "RetiringPrincipal", *in.RetiringPrincipal); err != nil {
		return err
	}
	if a, err := arn.Parse(*in.RetiringPrincipal); err != nil || a.Account != c.Caller.Account {
		return authz.Denied(&c.Caller, authz.Access{Action: "kms:ListRetirableGrants", Resource: *in.RetiringPrincipal})
	}
	return nil
}

// onlyServices refuses what only a caller that is a service may ask for.
func onlyServices(c *service.Call, member string) error {
	return api.AccessDeniedException("User: %s is not authorized to use %s, which is for callers that are service principals.", c.Caller.ARN, member)
}

// indexedGrant returns the grant that an index names as ACCOUNT/KEY-ID/GRANT-ID; nil if it, or its key, is gone.
func (s *Service) indexedGrant(ctx context.Context, c *service.Call, name string) (*Grant, error) {
	part := strings.Split(name, "/")
	if len(part) != 3 {
		return nil, fmt.Errorf("%w: index of a grant %q", store.ErrCorrupt, name)
	}
	k, _, err := s.get(ctx, c.Now, part[0], c.Region, part[1])
	if err != nil || k == nil {
		return nil, err
	}
	g, _, err := s.grant(ctx, grantPrefix(part[0], c.Region, part[1])+part[2])
	return g, err
}
