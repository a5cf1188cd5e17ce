package kms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
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

// sweepInterval is how often deleted keys are destroyed. Their records are invisible before that already.
const sweepInterval = time.Hour

// Sweep destroys the keys whose waiting period is over: their records, and with them the only copy of their material,
// and their aliases. It reads only what is due.
func (s *Service) Sweep(ctx context.Context) error {
	after := ""
	for {
		page, err := s.store.Range(ctx, deletionPrefix, after, 100)
		if err != nil {
			return fmt.Errorf("reading due deletions: %w", err)
		}
		for _, r := range page.Records {
			after = r.Key
			due, err := s.sweepOne(ctx, r)
			if err != nil || !due {
				return err
			}
		}
		if !page.More {
			return nil
		}
	}
}

// sweepOne destroys the key of one deletion record. It returns false when the record is not due, and then none after it.
func (s *Service) sweepOne(ctx context.Context, r store.Record) (due bool, err error) {
	part := strings.Split(strings.TrimPrefix(r.Key, deletionPrefix), "/")
	if len(part) != 4 {
		return false, fmt.Errorf("kms: malformed deletion record %q", r.Key)
	}
	now := s.clock.Now()
	k, revision, err := s.keys.Get(ctx, keyPath(part[1], part[2], part[3]))
	if err != nil {
		return false, err
	}
	if k == nil || k.deletionPath() != r.Key {
		return true, s.sweepCommit(ctx, store.Txn{Checks: []store.Check{{Key: r.Key, Revision: r.Revision}}, Deletes: []string{r.Key}})
	}
	if _, deleted := k.stateAt(now); !deleted {
		return false, nil
	}
	t := store.Txn{
		Checks:  []store.Check{{Key: k.path(), Revision: revision}},
		Deletes: []string{r.Key, k.path()},
	}
	for _, name := range k.Aliases {
		a, aliasRevision, err := s.aliases.Get(ctx, aliasPath(k.Account, k.Region, name))
		if err != nil {
			return false, err
		}
		if a != nil && a.Target == k.ID {
			path := aliasPath(k.Account, k.Region, name)
			t.Checks = append(t.Checks, store.Check{Key: path, Revision: aliasRevision})
			t.Deletes = append(t.Deletes, path)
		}
	}
	if len(t.Checks)+len(t.Deletes) > store.MaxOps {
		return false, fmt.Errorf("kms: key %s has too many aliases to delete", k.ID)
	}
	if err := s.audit(ctx, deleteEvent(k, now)); err != nil {
		return false, err
	}
	return true, s.sweepCommit(ctx, t)
}

// sweepCommit commits a sweep. A conflict means that somebody else swept or cancelled: the next sweep sees.
func (s *Service) sweepCommit(ctx context.Context, t store.Txn) error {
	if err := s.commit(ctx, t); !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}

// deleteEvent is the record of a deletion that nobody asked for at that moment (KMS Developer Guide, "DeleteKey").
func deleteEvent(k *Key, now time.Time) *audit.Event {
	return &audit.Event{
		Time: now, Source: source, Name: "DeleteKey", Region: k.Region, Account: k.Account,
		EventType: audit.ServiceEvent, Resources: []audit.Resource{{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"}},
		ResponseElements: append(api.AppendText([]byte(`{"keyId":`), k.ARN()), '}'),
	}
}

// source is what audit records name as the service.
const source = "kms.amazonaws.com"

// RunSweeper sweeps at the start, at every interval and whenever wake gets a value, until ctx ends.
func (s *Service) RunSweeper(ctx context.Context, wake <-chan struct{}) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("destroying deleted keys", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-wake:
		}
	}
}
