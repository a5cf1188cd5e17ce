package kms

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

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

// A deleted replica lies in the store for a day before it is destroyed. One that is made again meanwhile has nothing of
// the old one: neither its aliases nor its grants come back with its id.
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
	store1 := func(k *Key, more ...store.Put) {
		txn := store.Txn{Puts: more}
		if err := errors.Join(s.put(&txn, nil, k, 0), s.commit(t.Context(), txn)); err != nil {
			t.Fatal(err)
		}
	}
	alias, err := s.aliases.Put(aliasPath(old.Account, old.Region, "alias/old"), &Alias{Version: recordVersion, Target: id, Created: now, Updated: now})
	if err != nil {
		t.Fatal(err)
	}
	granted, err := s.grants.Put(grant.path(), grant)
	if err != nil {
		t.Fatal(err)
	}
	store1(primary)
	store1(old, alias, granted)

	c := call("ReplicateKey", now)
	in := &kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new("eu-west-1")}
	for err = store.ErrConflict; errors.Is(err, store.ErrConflict); {
		var target *keyTarget
		if target, err = s.resolve(t.Context(), c, "kms:ReplicateKey", id, keyOnly); err != nil {
			t.Fatal(err)
		}
		_, err = s.replicateKey(t.Context(), c, in, target)
	}
	if err != nil {
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
