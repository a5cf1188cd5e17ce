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

// scheduleKeyDeletion starts the waiting period. From its end on the key does not exist, whether or not the sweeper has
// come by.
func (s *Service) scheduleKeyDeletion(ctx context.Context, c *service.Call, in *kmsapi.ScheduleKeyDeletionRequest, t *keyTarget) (*kmsapi.ScheduleKeyDeletionResponse, error) {
	fill(&in.PendingWindowInDays, defaultPendingWindowDays)
	days := *in.PendingWindowInDays
	if days < minPendingWindowDays || days > maxPendingWindowDays {
		return nil, api.ValidationException("PendingWindowInDays must be between %d and %d (inclusive).", minPendingWindowDays, maxPendingWindowDays)
	}
	k := t.key.clone()
	k.State = kmsapi.KeyStatePendingDeletion
	k.DeleteAt = c.Now.Add(time.Duration(days) * 24 * time.Hour)
	var txn store.Txn
	txn.Puts = append(txn.Puts, store.Put{Key: k.deletionPath()})
	if err := s.save(ctx, t, k, txn); err != nil {
		return nil, err
	}
	return &kmsapi.ScheduleKeyDeletionResponse{
		KeyId: new(k.ARN()), DeletionDate: &k.DeleteAt, KeyState: &k.State, PendingWindowInDays: &days,
	}, nil
}

// cancelKeyDeletion ends the waiting period; the key is disabled afterwards.
func (s *Service) cancelKeyDeletion(ctx context.Context, c *service.Call, _ *kmsapi.CancelKeyDeletionRequest, t *keyTarget) (*kmsapi.CancelKeyDeletionResponse, error) {
	k := t.key.clone()
	k.State, k.DeleteAt = kmsapi.KeyStateDisabled, time.Time{}
	txn := store.Txn{Deletes: []string{t.key.deletionPath()}}
	if err := s.save(ctx, t, k, txn); err != nil {
		return nil, err
	}
	return &kmsapi.CancelKeyDeletionResponse{KeyId: new(k.ARN())}, nil
}
