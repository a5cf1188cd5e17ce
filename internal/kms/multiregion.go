package kms

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/store"
)

// MultiRegion says who the relatives of a multi-Region key are. It is the same in the records of all of them: each
// transaction that changes what relatives share changes all their records, so that none is ever behind.
//
// Relatives share: key id, spec, usage, origin, key material (of imported keys: the list of it, but not its presence and
// expiry), rotation, and this. All else is each one's own (KMS Developer Guide, "Multi-Region keys").
type MultiRegion struct {
	Primary  string    `json:"primary"` // Region
	Replicas []Replica `json:"replicas,omitempty"`
}

// Replica is a replica key, as its relatives know it.
type Replica struct {
	Region string `json:"region"`
	// DeleteAt is when it ceases to exist, zero when that is not decided.
	DeleteAt time.Time `json:"delete_at,omitzero"`
}

// maxReplicas bounds a set of relatives, for all their records change in one transaction (store.MaxOps).
const maxReplicas = 35

func (m *MultiRegion) clone() *MultiRegion {
	if m == nil {
		return nil
	}
	return &MultiRegion{Primary: m.Primary, Replicas: slices.Clone(m.Replicas)}
}

// lastReplica returns when the last replica is gone; ok is false while that is not decided of all.
func (m *MultiRegion) lastReplica() (at time.Time, ok bool) {
	for _, r := range m.Replicas {
		if r.DeleteAt.IsZero() {
			return time.Time{}, false
		}
		if r.DeleteAt.After(at) {
			at = r.DeleteAt
		}
	}
	return at, len(m.Replicas) > 0
}

// replicasAt are the Regions of the replicas that exist at a moment.
func (m *MultiRegion) replicasAt(now time.Time) []string {
	var all []string
	for _, r := range m.Replicas {
		if r.DeleteAt.IsZero() || now.Before(r.DeleteAt) {
			all = append(all, r.Region)
		}
	}
	return all
}

// without removes a replica.
func (m *MultiRegion) without(region string) {
	m.Replicas = slices.DeleteFunc(m.Replicas, func(r Replica) bool { return r.Region == region })
}

// configuration is m as DescribeKey shows it.
func (m *MultiRegion) configuration(k *Key, now time.Time) *kmsapi.MultiRegionConfiguration {
	if m == nil {
		return nil
	}
	in := func(region string) kmsapi.MultiRegionKey {
		return kmsapi.MultiRegionKey{Arn: new(arn.KMS(region, k.Account, "key/"+k.ID)), Region: &region}
	}
	c := &kmsapi.MultiRegionConfiguration{
		MultiRegionKeyType: new(kmsapi.MultiRegionKeyTypeReplica), PrimaryKey: new(in(m.Primary)), ReplicaKeys: []kmsapi.MultiRegionKey{},
	}
	if k.primary() {
		c.MultiRegionKeyType = new(kmsapi.MultiRegionKeyTypePrimary)
	}
	for _, region := range m.replicasAt(now) {
		c.ReplicaKeys = append(c.ReplicaKeys, in(region))
	}
	return c
}

// primary says whether k is the primary key of its set.
func (k *Key) primary() bool { return k.MultiRegion != nil && k.MultiRegion.Primary == k.Region }

// replica says whether k is a replica key.
func (k *Key) replica() bool { return k.MultiRegion != nil && k.MultiRegion.Primary != k.Region }

// relative is a key's record in another Region.
type relative struct {
	key      *Key
	revision int64
}

// relatives reads the records of a key's relatives: all that are there, also of those that time has deleted and nobody
// destroyed yet. Set right again, a clock brings them back, and they must not have missed anything.
func (s *Service) relatives(ctx context.Context, k *Key) ([]relative, error) {
	if k.MultiRegion == nil {
		return nil, nil
	}
	regions := []string{k.MultiRegion.Primary}
	for _, r := range k.MultiRegion.Replicas {
		regions = append(regions, r.Region)
	}
	var all []relative
	for _, region := range regions {
		if region == k.Region {
			continue
		}
		path := keyPath(k.Account, region, k.ID)
		other, revision, err := s.keys.Get(ctx, path)
		if err != nil {
			return nil, err
		}
		if other == nil {
			continue
		}
		if other.path() != path {
			return nil, misplaced(other, path)
		}
		all = append(all, relative{other, revision})
	}
	return all, nil
}

// share commits a change of what a key's relatives share, in the records of all of them: change is called with a copy of
// each, first of the target's own. t is committed with it.
func (s *Service) share(ctx context.Context, target *keyTarget, t store.Txn, change func(*Key)) (*Key, error) {
	relatives, err := s.relatives(ctx, target.key)
	if err != nil {
		return nil, err
	}
	return s.shareAmong(ctx, target, relatives, t, change)
}

// shareAmong is share with relatives that were read before, and must still be what they were. A relative that change
// leaves as it is is not written.
func (s *Service) shareAmong(ctx context.Context, target *keyTarget, relatives []relative, t store.Txn, change func(*Key)) (*Key, error) {
	changed := target.key.clone()
	change(changed)
	if err := s.put(&t, target.key, changed, target.revision); err != nil {
		return nil, err
	}
	for _, r := range relatives {
		c := r.key.clone()
		if change(c); reflect.DeepEqual(c, r.key) {
			t.Checks = append(t.Checks, store.Check{Key: c.path(), Revision: r.revision})
			continue
		}
		if err := s.put(&t, r.key, c, r.revision); err != nil {
			return nil, err
		}
	}
	err := s.commit(ctx, t)
	if errors.Is(err, store.ErrTooLarge) {
		return nil, kmsapi.LimitExceededException("The key %s and its replicas have too much in their policies, tags, descriptions and key material to change it together.", changed.ARN())
	}
	return changed, err
}
