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
	if err := checkGrantFilter(c, in); err != nil {
		return nil, err
	}
	id, grantee, forService := text(in.GrantId), text(in.GranteePrincipal), text(in.GranteeServicePrincipal)
	p, err := newPager(c, in.Marker, in.Limit, 50, 100, t.key.ID+"\n"+id+"\n"+grantee+forService)
	if err != nil {
		return nil, err
	}
	prefix := grantPrefix(t.key.Account, t.key.Region, t.key.ID) + id // a whole id has one record under it
	return s.grantPage(ctx, p, prefix, func(h *holders, r store.Record) (*Grant, error) {
		g, err := s.placedGrant(r)
		if err != nil || forService != "" && g.GranteeService != forService {
			return nil, err
		}
		if grantee == "" {
			return g, nil
		}
		if meant, err := h.means(ctx, grantee, g.Grantee, g.GranteeID); err != nil || !meant {
			return nil, err
		}
		return g, nil
	})
}

// checkGrantFilter wants at most one grantee, and a grant id that can be one.
func checkGrantFilter(c *service.Call, in *kmsapi.ListGrantsRequest) error {
	switch {
	case in.GranteePrincipal != nil && in.GranteeServicePrincipal != nil:
		return api.ValidationException("You cannot specify GranteePrincipal and GranteeServicePrincipal in the same request.")
	case in.GranteeServicePrincipal != nil && c.Caller.Type != caller.Service:
		return onlyServices(c, "GranteeServicePrincipal")
	case in.GrantId != nil && !isGrantID(*in.GrantId):
		return kmsapi.InvalidGrantIdException("Invalid grant ID '%s'", *in.GrantId)
	}
	return nil
}

// grantPage is a page of the grants that find returns for the records under a prefix; nil is none.
func (s *Service) grantPage(ctx context.Context, p pager, prefix string, find func(*holders, store.Record) (*Grant, error)) (*kmsapi.ListGrantsResponse, error) {
	out, h := &kmsapi.ListGrantsResponse{Grants: []kmsapi.GrantListEntry{}}, s.holders()
	var err error
	out.NextMarker, out.Truncated, err = p.scan(ctx, s, prefix, func(r store.Record) (bool, error) {
		g, err := find(h, r)
		if err != nil || g == nil {
			return false, err
		}
		entry, err := h.entry(ctx, g)
		out.Grants = append(out.Grants, entry)
		return err == nil, err
	})
	return out, err
}

const listRetirableAction = "kms:ListRetirableGrants"

// retirable is the target of ListRetirableGrants.
type retirable struct {
	service.Own
	itself bool // a service asks about itself
}

func resolveRetirable(_ context.Context, c *service.Call, in *kmsapi.ListRetirableGrantsRequest) (retirable, error) {
	name := in.RetiringServicePrincipal
	return retirable{service.Own{Action: listRetirableAction}, c.Caller.Type == caller.Service && name != nil && *name == c.Caller.ARN}, nil
}

// Access is the action in the caller's account. A service has neither account nor policies, and may ask about itself.
func (t retirable) Access(c *service.Call) []authz.Access {
	if t.itself {
		return nil
	}
	return t.Own.Access(c)
}

// listRetirableGrants lists the grants of the Region, on keys of any account, whose retiring principal is one of the
// caller's account, or the service that asks.
func (s *Service) listRetirableGrants(ctx context.Context, c *service.Call, in *kmsapi.ListRetirableGrantsRequest, t retirable) (*kmsapi.ListGrantsResponse, error) {
	if err := checkRetirable(c, in, t); err != nil {
		return nil, err
	}
	who := text(in.RetiringPrincipal) + text(in.RetiringServicePrincipal) // one of them is empty
	p, err := newPager(c, in.Marker, in.Limit, 50, 100, who)
	if err != nil {
		return nil, err
	}
	prefix := retiringPrefix(c.Region, who)
	return s.grantPage(ctx, p, prefix, func(h *holders, r store.Record) (*Grant, error) {
		g, err := s.indexedGrant(ctx, c, strings.TrimPrefix(r.Key, prefix))
		if err != nil || g == nil {
			return nil, err
		}
		if meant, err := h.means(ctx, who, g.Retiring+g.RetiringService, g.RetiringID); err != nil || !meant {
			return nil, err
		}
		return g, nil
	})
}

// checkRetirable wants one retiring principal, of the caller's own account, or the service that asks.
func checkRetirable(c *service.Call, in *kmsapi.ListRetirableGrantsRequest, t retirable) error {
	switch {
	case (in.RetiringPrincipal == nil) == (in.RetiringServicePrincipal == nil):
		return api.ValidationException("You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
	case in.RetiringServicePrincipal != nil && !t.itself:
		return onlyServices(c, "RetiringServicePrincipal")
	case t.itself:
		return nil
	}
	if err := checkPrincipal(c.Region, "RetiringPrincipal", *in.RetiringPrincipal); err != nil {
		return err
	}
	if a, err := arn.Parse(*in.RetiringPrincipal); err != nil || a.Account != c.Caller.Account {
		return authz.Denied(&c.Caller, authz.Access{Action: listRetirableAction, Resource: "*"})
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
