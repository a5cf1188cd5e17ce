package kms

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// maxGrants is the quota of grants on one key, those of all accounts together (KMS Developer Guide, "Resource quotas").
const maxGrants = 50_000

// createGrant makes a grant, or finds the one that an earlier request with the same name and parameters has made.
// Either way the token is a new one.
func (s *Service) createGrant(ctx context.Context, c *service.Call, in *kmsapi.CreateGrantRequest, t *keyTarget) (*kmsapi.CreateGrantResponse, error) {
	g, err := newGrant(c, in, t.key)
	if err != nil {
		return nil, err
	}
	if err := s.identify(ctx, g); err != nil {
		return nil, err
	}
	same, err := s.sameGrant(ctx, g)
	switch {
	case err != nil:
		return nil, err
	case same == nil && t.key.Grants >= maxGrants:
		return nil, kmsapi.LimitExceededException("The key %s has %d grants, the most it can have.", t.key.ARN(), maxGrants)
	case c.DryRun:
		return &kmsapi.CreateGrantResponse{}, nil
	case same != nil:
		g = same
	default:
		id := make([]byte, 32)
		rand.Read(id)
		g.ID = hex.EncodeToString(id)
		if err := s.addGrant(ctx, t, g); err != nil {
			return nil, err
		}
	}
	token, err := s.newToken(ctx, g)
	return &kmsapi.CreateGrantResponse{GrantId: &g.ID, GrantToken: &token}, err
}

// sameGrant returns the grant with the name and all parameters of g, or nil.
func (s *Service) sameGrant(ctx context.Context, g *Grant) (*Grant, error) {
	path, err := g.namePath()
	if err != nil || path == "" {
		return nil, err
	}
	r, err := s.store.Get(ctx, path)
	if err != nil || r.Revision == 0 {
		return nil, err
	}
	same, _, err := s.grant(ctx, grantPrefix(g.Account, g.Region, g.KeyID)+string(r.Value))
	switch {
	case err != nil:
		return nil, err
	case same == nil: // it has just ended
		return nil, store.ErrConflict
	}
	if found, err := same.namePath(); err != nil || found != path {
		return nil, errors.Join(fmt.Errorf("%w: %s leads to grant %s", store.ErrCorrupt, path, same.ID), err)
	}
	return same, nil
}

// addGrant commits a new grant. Nobody else can have made the same one since sameGrant looked: every change of a key's
// grants changes the key's record too.
func (s *Service) addGrant(ctx context.Context, t *keyTarget, g *Grant) error {
	p, err := s.grants.Put(g.path(), g)
	if err != nil {
		return err
	}
	indexes, err := g.indexes()
	if err != nil {
		return err
	}
	k := t.key.clone()
	k.countGrant(g.ID, false)
	return s.save(ctx, t, k, store.Txn{Checks: []store.Check{{Key: g.path()}}, Puts: append(indexes, p)})
}

// revokeGrant ends a grant by leave of the key's policy.
func (s *Service) revokeGrant(ctx context.Context, c *service.Call, in *kmsapi.RevokeGrantRequest, t *keyTarget) (*api.Empty, error) {
	g, err := s.grantOf(ctx, t, *in.GrantId)
	if err != nil {
		return nil, err
	}
	return s.endGrant(ctx, c, g)
}

// endGrant removes a grant.
func (s *Service) endGrant(ctx context.Context, c *service.Call, t *grantTarget) (*api.Empty, error) {
	if c.DryRun {
		return &api.Empty{}, nil
	}
	paths, err := t.grant.paths()
	if err != nil {
		return nil, err
	}
	k := t.key.clone()
	k.countGrant(t.grant.ID, true)
	return &api.Empty{}, s.save(ctx, t.keyTarget, k, store.Txn{
		Checks: []store.Check{{Key: t.grant.path(), Revision: t.grantRevision}}, Deletes: paths,
	})
}

// grantsPerSweep is how many grants go in one transaction: each has up to four records.
const grantsPerSweep = store.MaxOps / 4

// deleteGrants removes the grants of a key that is about to be destroyed, and leaves the key's record as it is. After an
// error some may be left, and it can be called again. A grant that is made meanwhile changes the key's record, so that
// the destruction fails its check and begins anew.
func (s *Service) deleteGrants(ctx context.Context, k *Key) error {
	for {
		page, err := s.store.Range(ctx, grantPrefix(k.Account, k.Region, k.ID), "", grantsPerSweep)
		if err != nil || len(page.Records) == 0 {
			return err
		}
		var t store.Txn
		for _, r := range page.Records {
			g, err := s.placedGrant(r)
			if err != nil {
				return err
			}
			paths, err := g.paths()
			if err != nil {
				return err
			}
			t.Deletes = append(t.Deletes, paths...)
		}
		if err := s.commit(ctx, t); err != nil {
			return err
		}
	}
}

// placedGrant decodes a grant that was read by Range.
func (s *Service) placedGrant(r store.Record) (*Grant, error) {
	g, err := s.grants.Decode(r)
	if err != nil {
		return nil, err
	}
	return g, g.checkPlace(r.Key)
}
