package kms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/store"
)

// sweepInterval is how often deleted keys are destroyed. Their records are invisible before that already.
const sweepInterval = time.Hour

// Sweep destroys the keys whose waiting period is over: their records, and with them the only copy of their material,
// and their aliases. It reads only what is due. A key that cannot be destroyed keeps no other from it; the error of the
// first such key is returned at the end.
func (s *Service) Sweep(ctx context.Context) error {
	var failed error
	after := ""
	for {
		page, err := s.store.Range(ctx, deletionPrefix, after, 100)
		if err != nil {
			return errors.Join(failed, fmt.Errorf("reading due deletions: %w", err))
		}
		for _, r := range page.Records {
			after = r.Key
			due, err := s.sweepOne(ctx, r)
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
		// Nothing waits under this record, if the key's record is as new as this one: hence the check of both.
		return true, s.sweepCommit(ctx, store.Txn{
			Checks:  []store.Check{{Key: r.Key, Revision: r.Revision}, {Key: keyPath(part[1], part[2], part[3]), Revision: revision}},
			Deletes: []string{r.Key},
		})
	}
	if _, deleted := k.stateAt(now); !deleted {
		return false, nil
	}
	if settled, err := s.settled(ctx, r, now); err != nil || !settled {
		return true, err
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

// sighting is what the sweeper writes into a deletion record: when it first saw that it was due.
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
			return false, errors.Join(fmt.Errorf("kms: damaged or newer deletion record (version %d)", first.Version), err)
		}
	}
	if first.Version == recordVersion && !first.Seen.After(now) {
		return now.Sub(first.Seen) >= s.destroyAfter, nil
	}
	value, err := json.Marshal(sighting{Version: recordVersion, Seen: now})
	if err != nil {
		return false, err
	}
	s.log.Warn("the waiting period of a key is over", "record", r.Key, "destroyed_after", now.Add(s.destroyAfter))
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
