package kms

import (
	"context"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// The waiting period of a deletion, in days (KMS API Reference, ScheduleKeyDeletion).
const (
	minPendingWindowDays     = 7
	maxPendingWindowDays     = 30
	defaultPendingWindowDays = 30
)

// days is a number of days as the API counts them: of 24 hours.
func days(n int32) time.Duration { return time.Duration(n) * 24 * time.Hour }

// scheduleKeyDeletion starts the waiting period. From its end on the key does not exist, whether or not the sweeper has
// come by. A primary key waits for its replicas first.
func (s *Service) scheduleKeyDeletion(ctx context.Context, c *service.Call, in *kmsapi.ScheduleKeyDeletionRequest, t *keyTarget) (*kmsapi.ScheduleKeyDeletionResponse, error) {
	assume(c, "pendingWindowInDays", &in.PendingWindowInDays, defaultPendingWindowDays)
	window := *in.PendingWindowInDays
	if window < minPendingWindowDays || window > maxPendingWindowDays {
		return nil, api.ValidationException("PendingWindowInDays must be between %d and %d (inclusive).", minPendingWindowDays, maxPendingWindowDays)
	}
	at := c.Now.Add(days(window))
	waits := t.key.primary() && len(t.key.MultiRegion.replicasAt(c.Now)) > 0
	k, err := s.share(ctx, t, store.Txn{}, func(k *Key) {
		switch {
		case k.Region != c.Region: // a relative
		case waits:
			k.State, k.Window = kmsapi.KeyStatePendingReplicaDeletion, window
		default:
			k.State, k.DeleteAt = kmsapi.KeyStatePendingDeletion, at
		}
		if t.key.replica() {
			k.MultiRegion.schedule(c.Region, at)
		}
	})
	if err != nil {
		return nil, err
	}
	out := &kmsapi.ScheduleKeyDeletionResponse{KeyId: new(k.ARN()), KeyState: &k.State, PendingWindowInDays: &window}
	if k.State == kmsapi.KeyStatePendingDeletion {
		out.DeletionDate = &k.DeleteAt
	}
	return out, nil
}

// schedule notes when a replica ceases to exist; zero: not decided.
func (m *MultiRegion) schedule(region string, at time.Time) {
	for i := range m.Replicas {
		if m.Replicas[i].Region == region {
			m.Replicas[i].DeleteAt = at
		}
	}
}

// cancelKeyDeletion ends the waiting period; the key is disabled afterwards.
func (s *Service) cancelKeyDeletion(ctx context.Context, c *service.Call, _ *kmsapi.CancelKeyDeletionRequest, t *keyTarget) (*kmsapi.CancelKeyDeletionResponse, error) {
	k, err := s.share(ctx, t, store.Txn{}, func(k *Key) {
		if k.Region == c.Region {
			k.State, k.DeleteAt, k.Window = kmsapi.KeyStateDisabled, time.Time{}, 0
		}
		if t.key.replica() {
			k.MultiRegion.schedule(c.Region, time.Time{})
		}
	})
	if err != nil {
		return nil, err
	}
	return &kmsapi.CancelKeyDeletionResponse{KeyId: new(k.ARN())}, nil
}
