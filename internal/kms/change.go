package kms

import (
	"context"
	"errors"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// enableKey makes a key usable. An enabled key stays as it is. A rotation that came due while the key could not be used
// happens now, and the next one a period later (KMS Developer Guide, "Rotating KMS keys").
func (s *Service) enableKey(ctx context.Context, c *service.Call, _ *kmsapi.EnableKeyRequest, t *keyTarget) (*api.Empty, error) {
	if t.key.State == kmsapi.KeyStateEnabled || !t.key.dueAt(c.Now) || t.key.replica() {
		return s.setState(ctx, t, kmsapi.KeyStateEnabled)
	}
	m, err := s.nextMaterial(ctx, t.key, c.Now, kmsapi.RotationTypeAutomatic)
	if err != nil {
		return nil, err
	}
	schedule := t.key.Rotation
	schedule.Next = c.Now.Add(days(schedule.Period))
	err = s.rotate(ctx, c.Now, t, schedule, []Material{m}, func(k *Key) {
		if k.Region == c.Region {
			k.State = kmsapi.KeyStateEnabled
		}
	})
	if err == nil || errors.Is(err, store.ErrConflict) {
		return &api.Empty{}, err
	}
	s.log.Error("a rotation that is due could not be done", "key", t.key.ARN(), "error", err)
	return s.setState(ctx, t, kmsapi.KeyStateEnabled) // as makeUp has it: it stays due
}

// disableKey makes a key refuse cryptographic use. A disabled key stays as it is.
func (s *Service) disableKey(ctx context.Context, c *service.Call, _ *kmsapi.DisableKeyRequest, t *keyTarget) (*api.Empty, error) {
	return s.setState(ctx, t, kmsapi.KeyStateDisabled)
}

func (s *Service) setState(ctx context.Context, t *keyTarget, to kmsapi.KeyState) (*api.Empty, error) {
	if t.key.State == to {
		return &api.Empty{}, nil
	}
	k := t.key.clone()
	k.State = to
	return &api.Empty{}, s.save(ctx, t, k, store.Txn{})
}

func (s *Service) updateKeyDescription(ctx context.Context, c *service.Call, in *kmsapi.UpdateKeyDescriptionRequest, t *keyTarget) (*api.Empty, error) {
	k := t.key.clone()
	k.Description = *in.Description
	return &api.Empty{}, s.save(ctx, t, k, store.Txn{})
}
