package kms

import (
	"context"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// identify finds the unique ids of a grant's principals, which must exist.
func (s *Service) identify(ctx context.Context, g *Grant) error {
	for _, p := range []struct {
		member, name string
		id           *string
	}{{"GranteePrincipal", g.Grantee, &g.GranteeID}, {"RetiringPrincipal", g.Retiring, &g.RetiringID}} {
		if p.name == "" {
			continue
		}
		id, exists, err := s.principals.UniqueID(ctx, inPartition(p.name))
		if err != nil {
			return err
		}
		if !exists {
			return kmsapi.InvalidArnException("%s does not exist: %s", p.member, p.name)
		}
		*p.id = id
	}
	return nil
}

// holders knows who has which name now. It asks for each name once, and lasts for one call.
type holders struct {
	service *Service
	ids     map[string]string // unique ids by ARN; "" for nobody
}

func (s *Service) holders() *holders { return &holders{s, map[string]string{}} }

// id returns the unique id of the user or role that has an ARN now, or "".
func (h *holders) id(ctx context.Context, name string) (string, error) {
	if id, asked := h.ids[name]; asked {
		return id, nil
	}
	id, _, err := h.service.principals.UniqueID(ctx, inPartition(name))
	if err == nil {
		h.ids[name] = id
	}
	return id, err
}

// shown is how the listings show a principal of a grant: by the ARN that the grant was made with, or by the unique id when
// nobody or somebody else has that ARN now, so that nobody takes the grant for his (IAM User Guide, "IAM JSON policy
// elements: Principal").
func (h *holders) shown(ctx context.Context, name, id string) (string, error) {
	if id == "" {
		return name, nil
	}
	holder, err := h.id(ctx, name)
	if holder != id {
		name = id
	}
	return name, err
}

// means says whether a filter means a principal of a grant: by what the listings show, or by the unique id.
func (h *holders) means(ctx context.Context, filter, name, id string) (bool, error) {
	if filter != name {
		return filter == id, nil
	}
	shown, err := h.shown(ctx, name, id)
	return shown == filter, err
}

// entry is the grant as the listings show it.
func (h *holders) entry(ctx context.Context, g *Grant) (kmsapi.GrantListEntry, error) {
	shown := *g
	var err error
	if shown.Grantee, err = h.shown(ctx, g.Grantee, g.GranteeID); err != nil {
		return kmsapi.GrantListEntry{}, err
	}
	shown.Retiring, err = h.shown(ctx, g.Retiring, g.RetiringID)
	return shown.entry(), err
}
