package kms

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// settle does what a call that is allowed brings about before anything else: the key of an AWS service comes into being,
// rotations that are due happen, and another account's key is named in the record. After a change the call begins anew.
func (s *Service) settle(ctx context.Context, c *service.Call, t *keyTarget) error {
	if t == nil || t.key == nil {
		return nil
	}
	if t.key.Account != c.Caller.Account {
		record(c, t.key)
	}
	switch {
	case t.fresh:
		if err := s.createManaged(ctx, t.key); err != nil {
			return err
		}
		return store.ErrConflict
	case t.key.dueAt(c.Now) && !c.DryRun:
		return s.makeUp(ctx, c, t)
	}
	return nil
}

// makeUp does the rotations that are due: no key is used, or shown, with material that should have been replaced by
// then. Nothing has to run in time for that, nor at all between two requests. A rotation that cannot be written down (a
// full disk, relatives that are too large together) is tried again by the next request, and keeps nobody from
// decrypting, nor from mending it.
func (s *Service) makeUp(ctx context.Context, c *service.Call, t *keyTarget) error {
	// One at a time in this process: the others find it done, and no record tells of material that nobody has.
	lock := s.rotationOf(t.key)
	lock.Lock()
	defer lock.Unlock()
	k, revision, err := s.get(ctx, c.Now, t.key.Account, t.key.Region, t.key.ID)
	switch {
	case err != nil:
		return err
	case k == nil || revision != t.revision:
		return store.ErrConflict
	}
	switch err := s.rotateDue(ctx, c.Now, &keyTarget{key: k, revision: revision}); {
	case errors.Is(err, store.ErrConflict):
		return err
	case err != nil:
		s.log.Error("a rotation that is due could not be done", "key", k.ARN(), "error", err)
		return nil
	}
	if _, now, err := s.get(ctx, c.Now, k.Account, k.Region, k.ID); err != nil || now != revision {
		return errors.Join(err, store.ErrConflict)
	}
	return nil // its primary key is not enabled, and it stays due
}

// dueAt says whether an automatic rotation of this key should have happened by a moment.
func (k *Key) dueAt(now time.Time) bool {
	return k.Rotation.Period > 0 && !now.Before(k.Rotation.Next)
}

// rotationOf is the lock of a key's rotations that are due.
func (s *Service) rotationOf(k *Key) *sync.Mutex {
	return &s.rotating[maphash.String(s.hashing, k.Account+k.ID)%uint64(len(s.rotating))]
}

// rotateDue makes up for the rotations that are due, each at its own date, if the primary key is enabled. Of more than
// can be made up for at once the latest are.
func (s *Service) rotateDue(ctx context.Context, now time.Time, t *keyTarget) error {
	leader := t.key
	if leader.replica() {
		var err error
		if leader, _, err = s.get(ctx, now, leader.Account, leader.MultiRegion.Primary, leader.ID); err != nil || leader == nil {
			return err
		}
	}
	if state, _ := leader.stateAt(now); state != kmsapi.KeyStateEnabled && state != kmsapi.KeyStateUpdating {
		return nil
	}
	schedule, period := t.key.Rotation, days(t.key.Rotation.Period)
	most := maxDueRotations
	if t.key.MultiRegion != nil { // each makes the records of all relatives longer
		most = max(1, maxDueRotations/(1+len(t.key.MultiRegion.Replicas)))
	}
	if missed := int(now.Sub(schedule.Next)/period) + 1; missed > most {
		schedule.Next = schedule.Next.Add(time.Duration(missed-most) * period)
	}
	var made []Material
	for ; !now.Before(schedule.Next); schedule.Next = schedule.Next.Add(period) {
		m, err := s.nextMaterial(ctx, t.key, schedule.Next, kmsapi.RotationTypeAutomatic)
		if err != nil {
			return err
		}
		made = append(made, m)
	}
	return s.rotate(ctx, now, t, schedule, made, func(*Key) {})
}
