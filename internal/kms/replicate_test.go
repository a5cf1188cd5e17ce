package kms

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
)

// newService is the service alone, which nobody sweeps.
func newService(t *testing.T) *Service {
	t.Helper()
	r := root.New()
	domain, err := hsm.Create(t.Context(), r, "test")
	if err != nil {
		t.Fatal(err)
	}
	h, err := hsm.Open(t.Context(), hsm.Config{Root: r, Deployment: "test", Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	cached := store.NewCached(memory.New())
	t.Cleanup(func() {
		if err := cached.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(Config{
		Store: cached, HSM: h, Clock: new(clock.Clock), Audit: func(context.Context, *audit.Event) error { return nil },
		Log: slog.New(slog.DiscardHandler), DestroyAfter: 24 * time.Hour,
	})
}

// call is a call at a moment of the test's choice.
func call(operation string, now time.Time) *service.Call {
	return &service.Call{
		Caller: caller.RootOf("111122223333", "AKIA"), Region: "us-east-1", Operation: operation, Now: now, Event: new(audit.Event),
	}
}

// A deleted replica lies in the store until it is destroyed, in production for a day: so long there is no other. One that
// is made again after that has nothing of the old one: neither its aliases nor its grants come back with its id.
func TestReplicaMadeAgainBeforeItIsDestroyed(t *testing.T) {
	s, now := newService(t), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	id, gone := "mrk-0123456789abcdef0123456789abcdef", now.Add(-time.Hour)
	set := &MultiRegion{Primary: "us-east-1", Replicas: []Replica{{Region: "eu-west-1", DeleteAt: gone}}}
	primary := &Key{
		Version: recordVersion, Account: "111122223333", Region: "us-east-1", ID: id, Created: now, Spec: kmsapi.KeySpecSymmetricDefault,
		Usage: kmsapi.KeyUsageTypeEncryptDecrypt, Origin: kmsapi.OriginTypeAwsKms, State: kmsapi.KeyStateEnabled, MultiRegion: set,
	}
	made, err := s.hsm.GenerateKey(t.Context(), primary.binding())
	if err != nil {
		t.Fatal(err)
	}
	primary.Materials = []Material{newMaterial(made, now)}
	old := primary.clone()
	old.Region, old.State, old.DeleteAt, old.Aliases, old.Grants = "eu-west-1", kmsapi.KeyStatePendingDeletion, gone, []string{"alias/old"}, 1
	grant := &Grant{Version: recordVersion, Account: old.Account, Region: old.Region, KeyID: id, ID: made.MaterialID, Grantee: "arn:aws:iam::111122223333:root"}
	alias, err := s.aliases.Put(aliasPath(old.Account, old.Region, "alias/old"), &Alias{Version: recordVersion, Target: id, Created: now, Updated: now})
	if err != nil {
		t.Fatal(err)
	}
	granted, err := s.grants.Put(grant.path(), grant)
	if err != nil {
		t.Fatal(err)
	}
	s.keep(t, primary)
	s.keep(t, old, alias, granted)

	c := call("ReplicateKey", now)
	replicate := func() error {
		for {
			target, err := s.resolve(t.Context(), c, "kms:ReplicateKey", id, keyOnly)
			if err != nil {
				t.Fatal(err)
			}
			in := &kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new("eu-west-1")}
			if _, err = s.replicateKey(t.Context(), c, in, &replication{target}); !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
	}
	if err := replicate(); err == nil || api.From(err).Code != "AlreadyExistsException" {
		t.Fatalf("before it is destroyed: %v", err)
	}
	s.destroyAfter = 0 // as in development
	if err := replicate(); err != nil {
		t.Fatal(err)
	}
	k, _, err := s.get(t.Context(), now, old.Account, old.Region, id)
	if err != nil || k == nil || len(k.Aliases) != 0 || k.Grants != 0 || k.Materials[0].ID != made.MaterialID {
		t.Errorf("the replica is %+v, %v", k, err)
	}
	if a, _, err := s.aliases.Get(t.Context(), alias.Key); a != nil || err != nil {
		t.Errorf("the alias is back: %v, %v", a, err)
	}
	if g, _, err := s.grants.Get(t.Context(), grant.path()); g != nil || err != nil {
		t.Errorf("the grant is back: %v, %v", g, err)
	}
}

// keep stores a new key, and more with it.
func (s *Service) keep(t *testing.T, k *Key, more ...store.Put) {
	t.Helper()
	txn := store.Txn{Puts: more}
	if err := s.put(&txn, nil, k, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.commit(t.Context(), txn); err != nil {
		t.Fatal(err)
	}
}

// family is a primary key with one replica in the store, made at a moment.
func (s *Service) family(t *testing.T, now time.Time, change func(primary, replica *Key)) (primary, replica *Key) {
	t.Helper()
	primary = &Key{
		Version: recordVersion, Account: "111122223333", Region: "us-east-1", ID: "mrk-0123456789abcdef0123456789abcdef", Created: now,
		Spec: kmsapi.KeySpecSymmetricDefault, Usage: kmsapi.KeyUsageTypeEncryptDecrypt, Origin: kmsapi.OriginTypeAwsKms,
		State: kmsapi.KeyStateEnabled, MultiRegion: &MultiRegion{Primary: "us-east-1", Replicas: []Replica{{Region: "eu-west-1"}}},
	}
	made, err := s.hsm.GenerateKey(t.Context(), primary.binding())
	if err != nil {
		t.Fatal(err)
	}
	primary.Materials = []Material{newMaterial(made, now)}
	replica = primary.clone()
	replica.Region = "eu-west-1"
	change(primary, replica)
	for _, k := range []*Key{primary, replica} {
		s.keep(t, k)
	}
	return primary, replica
}

// A clock that jumps ahead makes a replica vanish and a rotation due. When the clock is set right again, the replica is
// back and has missed nothing.
func TestAReplicaThatTimeHasDeletedMissesNothing(t *testing.T) {
	s, now := newService(t), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	primary, replica := s.family(t, now, func(p, r *Key) {
		gone := now.Add(days(7))
		p.MultiRegion.Replicas[0].DeleteAt, r.MultiRegion.Replicas[0].DeleteAt = gone, gone
		r.State, r.DeleteAt = kmsapi.KeyStatePendingDeletion, gone
		p.Rotation = Rotation{Period: 90, Next: now.Add(days(90))}
		r.Rotation = p.Rotation
	})
	c := call("DescribeKey", now.Add(days(91)))
	target, err := s.resolve(t.Context(), c, "kms:DescribeKey", primary.ID, keyOnly)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.settle(t.Context(), c, target); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("got %v, want what makes the call begin anew", err)
	}
	for _, k := range []*Key{primary, replica} {
		got, _, err := s.get(t.Context(), now, k.Account, k.Region, k.ID)
		if err != nil || len(got.Materials) != 2 || !got.Rotation.Next.Equal(now.Add(days(180))) {
			t.Errorf("%s: %+v, %v", k.Region, got, err)
		}
	}
}

// Material that has expired is destroyed when its own time has been seen to be over for a day, not that of another.
func TestEachExpiryWaitsForItself(t *testing.T) {
	s, now := newService(t), s0()
	offset := s.clock.Now()
	k := &Key{
		Version: recordVersion, Account: "111122223333", Region: "us-east-1", ID: "01234567-89ab-4def-8123-456789abcdef", Created: now,
		Spec: kmsapi.KeySpecSymmetricDefault, Usage: kmsapi.KeyUsageTypeEncryptDecrypt, Origin: kmsapi.OriginTypeExternal, State: kmsapi.KeyStateEnabled,
	}
	for _, life := range []time.Duration{time.Hour, days(60)} {
		made, err := s.hsm.GenerateKey(t.Context(), k.binding())
		if err != nil {
			t.Fatal(err)
		}
		m := newMaterial(made, now)
		m.ValidTo = offset.Add(life)
		k.Materials = append(k.Materials, m)
	}
	s.keep(t, k)
	left := func(after time.Duration) (n int) {
		s.clock.Advance(after)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, _, err := s.keys.Get(t.Context(), k.path())
		if err != nil {
			t.Fatal(err)
		}
		for m := range got.allMaterial() {
			if len(m.Wrapped) > 0 {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{2 * time.Hour, 2}, {days(60), 1}, {23 * time.Hour, 1}, {2 * time.Hour, 0}} {
		if got := left(step.after); got != step.want {
			t.Errorf("after %s more: %d sets of key material are left, want %d", step.after, got, step.want)
		}
	}
}

// s0 is a moment for records whose times do not matter.
func s0() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// Imported material that is deleted between the look at it and the commit is not rotated to.
func TestRotationToMaterialThatGoesMeanwhile(t *testing.T) {
	s, now := newService(t), s0()
	primary, _ := s.family(t, now, func(p, r *Key) {
		p.Origin, r.Origin = kmsapi.OriginTypeExternal, kmsapi.OriginTypeExternal
		p.Pending = &Material{ID: p.Materials[0].ID, Wrapped: p.Materials[0].Wrapped, Created: now}
		r.Pending = new(*p.Pending)
	})
	c := call("RotateKeyOnDemand", now)
	target, err := s.resolve(t.Context(), c, "kms:RotateKeyOnDemand", primary.ID, keyOnly)
	if err != nil {
		t.Fatal(err)
	}
	s.audit = func(context.Context, *audit.Event) error { // just before the commit
		r := call("DeleteImportedKeyMaterial", now)
		r.Region = "eu-west-1"
		other, err := s.resolve(t.Context(), r, "kms:DeleteImportedKeyMaterial", primary.ID, keyOnly)
		if err != nil {
			return err
		}
		k := other.key.clone()
		k.Pending = nil
		return s.save(t.Context(), other, k, store.Txn{})
	}
	if _, err := s.rotateKeyOnDemand(t.Context(), c, &kmsapi.RotateKeyOnDemandRequest{}, target); !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}
