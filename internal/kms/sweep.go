package kms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/store"
)

// sweepInterval is how often what time has undone is destroyed. It is invisible before that already.
const sweepInterval = time.Hour

// Sweep destroys the keys whose waiting period is over: their records, and with them the only copy of their material,
// and their aliases, grants and last usage; and imported material that has expired. It reads only what is due. A key
// that cannot be destroyed keeps no other from it; the error of the first such key is returned at the end.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(s.sweepIndex(ctx, deletionPrefix, s.sweepDeletion), s.sweepIndex(ctx, expiryPrefix, s.sweepExpiry))
}

// sweepIndex calls one for the records of an index, in the order of their dates, until one is not due.
func (s *Service) sweepIndex(ctx context.Context, prefix string, one func(context.Context, store.Record, indexed) (bool, error)) error {
	var failed error
	after := ""
	for {
		page, err := s.store.Range(ctx, prefix, after, 100)
		if err != nil {
			return errors.Join(failed, fmt.Errorf("reading what is due: %w", err))
		}
		for _, r := range page.Records {
			after = r.Key
			due, err := s.sweepRecord(ctx, prefix, r, one)
			switch {
			case err != nil && failed == nil:
				failed = fmt.Errorf("destroying %s: %w", r.Key, err)
			case err == nil && !due:
				return failed
			}
		}
		if !page.More {
			return failed
		}
	}
}

// indexed is the key of an index record.
type indexed struct {
	key      *Key
	revision int64
	now      time.Time
}

// sweepRecord finds the key of an index record and hands both on. An index record that is no key's is removed.
func (s *Service) sweepRecord(ctx context.Context, prefix string, r store.Record, one func(context.Context, store.Record, indexed) (bool, error)) (due bool, err error) {
	part := strings.Split(strings.TrimPrefix(r.Key, prefix), "/")
	if len(part) != 4 {
		return false, fmt.Errorf("kms: malformed index record %q", r.Key)
	}
	path := keyPath(part[1], part[2], part[3])
	k, revision, err := s.keys.Get(ctx, path)
	if err != nil {
		return false, err
	}
	if k == nil || !slices.Contains(k.indexes(), r.Key) {
		// Nothing waits under this record, if the key's record is as new as this one: hence the check of both.
		return true, s.sweepCommit(ctx, store.Txn{
			Checks:  []store.Check{{Key: r.Key, Revision: r.Revision}, {Key: path, Revision: revision}},
			Deletes: []string{r.Key},
		})
	}
	return one(ctx, r, indexed{k, revision, s.clock.Now()})
}

// sweepDeletion destroys a key. It returns false when the record is not due, and then none after it.
func (s *Service) sweepDeletion(ctx context.Context, r store.Record, i indexed) (due bool, err error) {
	if _, deleted := i.key.stateAt(i.now); !deleted {
		return false, nil
	}
	if settled, err := s.settled(ctx, r, i.now); err != nil || !settled {
		return true, err
	}
	if err := s.destroy(ctx, i); !errors.Is(err, store.ErrConflict) {
		return true, err
	}
	return true, nil // somebody else swept or cancelled: the next sweep sees
}

// destroy removes a key that does not exist any more: all its records.
func (s *Service) destroy(ctx context.Context, i indexed) error {
	if err := s.deleteGrants(ctx, i.key); err != nil {
		return err
	}
	i, err := s.dropAliases(ctx, i)
	if err != nil {
		return err
	}
	k := i.key
	t := store.Txn{
		Checks:  []store.Check{{Key: k.path(), Revision: i.revision}},
		Deletes: append(k.indexes(), k.path(), k.usagePath()),
	}
	if err := s.leave(ctx, i, &t); err != nil {
		return err
	}
	if err := s.audit(ctx, deleteEvent(k, i.now)); err != nil {
		return err
	}
	defer s.forget(k)
	return s.sweepCommit(ctx, t)
}

// aliasesPerSweep is how many aliases go in one transaction.
const aliasesPerSweep = 25

// dropAliases removes the aliases of a key that is about to be destroyed, and returns the key without them. They are too
// many to go together with everything else.
func (s *Service) dropAliases(ctx context.Context, i indexed) (indexed, error) {
	for len(i.key.Aliases) > 0 {
		names := i.key.Aliases[:min(len(i.key.Aliases), aliasesPerSweep)]
		changed := i.key.clone()
		changed.Aliases = changed.Aliases[len(names):]
		var t store.Txn
		for _, name := range names {
			path := aliasPath(i.key.Account, i.key.Region, name)
			a, revision, err := s.aliases.Get(ctx, path)
			if err != nil {
				return i, err
			}
			if a != nil && a.Target == i.key.ID {
				t.Checks = append(t.Checks, store.Check{Key: path, Revision: revision})
				t.Deletes = append(t.Deletes, path)
			}
		}
		if err := s.put(&t, i.key, changed, i.revision); err != nil {
			return i, err
		}
		if err := s.commit(ctx, t); err != nil {
			return i, err
		}
		k, revision, err := s.keys.Get(ctx, i.key.path())
		if err != nil {
			return i, err
		}
		if k == nil {
			return i, store.ErrConflict
		}
		i.key, i.revision = k, revision
	}
	return i, nil
}

// forget lets the hsm drop the material of a key from memory. Where the same material is still in use, by a relative or
// because the commit failed, it is unwrapped again.
func (s *Service) forget(k *Key) {
	for m := range k.allMaterial() {
		s.hsm.Forget(k.material(m))
	}
}

// leave takes a replica that is destroyed out of its relatives' records.
func (s *Service) leave(ctx context.Context, i indexed, t *store.Txn) error {
	if !i.key.replica() {
		return nil
	}
	relatives, err := s.relatives(ctx, i.key)
	if err != nil {
		return err
	}
	for _, r := range relatives {
		c := r.key.clone()
		if state, _ := c.stateAt(i.now); state == kmsapi.KeyStatePendingDeletion && c.State == kmsapi.KeyStatePendingReplicaDeletion {
			// Its waiting period runs from the end of the last replica; without that one's record nobody could tell.
			c.DeleteAt, _ = c.deletion()
			c.State, c.Window = state, 0
		}
		c.MultiRegion.without(i.key.Region)
		if err := s.put(t, r.key, c, r.revision); err != nil {
			return err
		}
	}
	return nil
}

// sweepExpiry destroys imported material that has expired. It returns false when the record is not due.
func (s *Service) sweepExpiry(ctx context.Context, r store.Record, i indexed) (due bool, err error) {
	changed := i.key.clone()
	var gone []string
	for m := range changed.allMaterial() {
		if len(m.Wrapped) > 0 && !m.presentAt(i.now) && i.key.indexPath(expiryPrefix, m.ValidTo) == r.Key {
			m.Wrapped, m.ValidTo = nil, time.Time{}
			gone = append(gone, m.ID)
		}
	}
	if gone == nil {
		return false, nil
	}
	if settled, err := s.settled(ctx, r, i.now); err != nil || !settled {
		return true, err
	}
	for _, id := range gone {
		if err := s.audit(ctx, expiryEvent(i.key, id, i.now)); err != nil {
			return false, err
		}
	}
	var t store.Txn
	if err := s.put(&t, i.key, changed, i.revision); err != nil {
		return false, err
	}
	defer s.forget(i.key)
	return true, s.sweepCommit(ctx, t)
}

// expiryEvent is the record of an expiry (KMS Developer Guide, "DeleteExpiredKeyMaterial").
func expiryEvent(k *Key, materialID string, now time.Time) *audit.Event {
	return &audit.Event{
		Time: now, Source: source, Name: "DeleteExpiredKeyMaterial", Region: k.Region, Account: k.Account,
		EventType: audit.ServiceEvent, Resources: []audit.Resource{{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"}},
		ServiceEventDetails: []byte(`{"keyId":"` + k.ID + `","keyMaterialId":"` + materialID + `"}`),
	}
}

// sighting is what the sweeper writes into an index record: when it first saw that it was due.
type sighting struct {
	Version int       `json:"v"`
	Seen    time.Time `json:"seen"`
}

// settled says whether a key has been due for as long as destruction waits. A clock that jumps ahead makes keys vanish,
// and a clock that is set right again brings them back; but what is destroyed stays destroyed. So the first sighting is
// written down, and the clock must still agree a while later. AWS too destroys up to 24 hours after the date.
func (s *Service) settled(ctx context.Context, r store.Record, now time.Time) (bool, error) {
	if s.destroyAfter == 0 {
		return true, nil
	}
	var first sighting
	if len(r.Value) > 0 {
		if err := json.Unmarshal(r.Value, &first, json.RejectUnknownMembers(true)); err != nil || first.Version != recordVersion {
			return false, errors.Join(fmt.Errorf("kms: damaged or newer index record (version %d)", first.Version), err)
		}
	}
	if first.Version == recordVersion && !first.Seen.After(now) {
		return now.Sub(first.Seen) >= s.destroyAfter, nil
	}
	value, err := json.Marshal(sighting{Version: recordVersion, Seen: now})
	if err != nil {
		return false, err
	}
	s.log.Warn("the time of a key or its material is over", "record", r.Key, "destroyed_after", now.Add(s.destroyAfter))
	return false, s.sweepCommit(ctx, store.Txn{
		Checks: []store.Check{{Key: r.Key, Revision: r.Revision}}, Puts: []store.Put{{Key: r.Key, Value: value}},
	})
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
