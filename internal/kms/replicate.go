package kms

import (
	"context"
	"slices"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// replication is the target of ReplicateKey: the primary key, and the replica that does not exist yet.
type replication struct{ *keyTarget }

// Access is ReplicateKey on the primary key, and in the other Region the making of a key, with its tags.
func (t *replication) Access(c *service.Call) []authz.Access {
	in := c.Input.(*kmsapi.ReplicateKeyRequest)
	if t.key == nil {
		return t.keyTarget.Access(c)
	}
	all := append(t.keyTarget.Access(c), makingAccess(c, t.service, *in.ReplicaRegion, len(in.Tags) > 0)...)
	for i := range all[1:] { // the replica is a key like the primary
		all[1+i].Context = &conditions{service: t.service, call: c, action: all[1+i].Action, key: t.key}
	}
	return all
}

func (s *Service) resolveReplicateKey(ctx context.Context, c *service.Call, in *kmsapi.ReplicateKeyRequest) (*replication, error) {
	t, err := s.resolve(ctx, c, "kms:ReplicateKey", *in.KeyId, keyOnly)
	return &replication{t}, err
}

func checkReplica(c *service.Call, _ *kmsapi.ReplicateKeyRequest, t *replication) error {
	return checkState(c.Operation, t.key, c.Now)
}

// replicateKey makes a replica of a primary key in another Region. It shares what relatives share, and has a policy,
// tags and a description of its own.
func (s *Service) replicateKey(ctx context.Context, c *service.Call, in *kmsapi.ReplicateKeyRequest, t *replication) (*kmsapi.ReplicateKeyResponse, error) {
	fill(&in.Description, "")
	defer assume(c, bypassMember, &in.BypassPolicyLockoutSafetyCheck, false)
	region := *in.ReplicaRegion
	if err := s.checkReplicaRegion(c, t.key, region); err != nil {
		return nil, err
	}
	replica, err := s.newReplica(ctx, c, in, t.key)
	if err != nil {
		return nil, err
	}
	if left, revision, err := s.keys.Get(ctx, replica.path()); err != nil {
		return nil, err
	} else if left != nil {
		if _, deleted := left.stateAt(c.Now); !deleted || s.destroyAfter > 0 {
			return nil, keyExists(left.ARN()) // until it is destroyed, as AWS takes up to a day for it
		}
		// A replica whose waiting period is over. Its aliases and grants must not come back with its id.
		if err := s.destroy(ctx, indexed{left, revision, c.Now}); err != nil {
			return nil, err
		}
		return nil, store.ErrConflict // begin anew
	}
	var txn store.Txn
	if err := s.put(&txn, nil, replica, 0); err != nil {
		return nil, err
	}
	c.Event.Resources = append(c.Event.Resources, audit.Resource{ARN: replica.ARN(), AccountID: replica.Account, Type: "AWS::KMS::Key"})
	if err := s.audit(ctx, relativeEvent(c, replica, `{"primaryRegion":"`+t.key.Region+`"}`)); err != nil {
		return nil, err
	}
	if _, err := s.share(ctx, t.keyTarget, txn, func(k *Key) { k.MultiRegion = replica.MultiRegion.clone() }); err != nil {
		return nil, err
	}
	shown, err := s.shownPolicy(ctx, replica)
	if err != nil {
		return nil, err
	}
	out := &kmsapi.ReplicateKeyResponse{ReplicaKeyMetadata: replica.metadata(c.Now), ReplicaPolicy: &shown, ReplicaTags: in.Tags}
	// AWS answers before the replica can be used, whenever that is.
	out.ReplicaKeyMetadata.KeyState, out.ReplicaKeyMetadata.Enabled = new(kmsapi.KeyStateCreating), new(false)
	out.ReplicaKeyMetadata.CurrentKeyMaterialId = nil
	if out.ReplicaTags == nil {
		out.ReplicaTags = []kmsapi.Tag{}
	}
	return out, nil
}

func keyExists(name string) error {
	return kmsapi.AlreadyExistsException("The key %s already exists.", name)
}

func (s *Service) checkReplicaRegion(c *service.Call, k *Key, region string) error {
	others := k.MultiRegion.clone()
	others.without(region)
	switch replicas := k.MultiRegion.replicasAt(c.Now); {
	case region == k.Region, slices.Contains(replicas, region):
		return keyExists(arn.KMS(region, k.Account, "key/"+k.ID))
	case s.regions != nil && !slices.Contains(s.regions, region), arn.Partition(region) != arn.Partition(k.Region):
		return api.ValidationException("The Region %s is not one that this key can be replicated to.", region)
	case len(others.Replicas) >= maxReplicas:
		return kmsapi.LimitExceededException("The key %s has %d replicas, the most it can have.", k.ARN(), maxReplicas)
	}
	return nil
}

// newReplica is the record of a replica.
func (s *Service) newReplica(ctx context.Context, c *service.Call, in *kmsapi.ReplicateKeyRequest, k *Key) (*Key, error) {
	replica := &Key{
		Version: recordVersion, Account: k.Account, Region: *in.ReplicaRegion, ID: k.ID, Created: c.Now, Description: *in.Description,
		Spec: k.Spec, Usage: k.Usage, Origin: k.Origin, State: kmsapi.KeyStateEnabled, Materials: slices.Clone(k.Materials),
		Rotation: k.Rotation, MultiRegion: k.MultiRegion.clone(),
	}
	replica.MultiRegion.without(replica.Region)
	replica.MultiRegion.Replicas = append(replica.MultiRegion.Replicas, Replica{Region: replica.Region})
	if s.transition > 0 {
		replica.Settling, replica.SettledAt = kmsapi.KeyStateCreating, c.Now.Add(s.transition)
	}
	if k.Pending != nil {
		replica.Pending = new(*k.Pending)
	}
	if k.external() { // its material has to be imported here too
		for m := range replica.allMaterial() {
			m.Wrapped, m.ValidTo = nil, time.Time{}
		}
	}
	var err error
	if replica.Tags, err = newTags(in.Tags); err != nil {
		return nil, err
	}
	if in.Policy == nil {
		return replica, nil
	}
	return replica, s.setPolicy(ctx, c, replica, *in.Policy, in.BypassPolicyLockoutSafetyCheck)
}

// primaries is the target of UpdatePrimaryRegion: the primary key, and the replica that is to take its place.
type primaries struct {
	from, to *keyTarget // to is nil when there is no such replica
}

// Access is the action on both keys.
func (t *primaries) Access(c *service.Call) []authz.Access {
	if t.to == nil {
		return t.from.Access(c)
	}
	return append(t.from.Access(c), t.to.Access(c)...)
}

func (t *primaries) arn() string { return t.from.arn() }

func (s *Service) resolveUpdatePrimaryRegion(ctx context.Context, c *service.Call, in *kmsapi.UpdatePrimaryRegionRequest) (*primaries, error) {
	from, err := s.resolve(ctx, c, "kms:UpdatePrimaryRegion", *in.KeyId, keyOnly)
	if err != nil || from.key == nil || from.key.MultiRegion == nil {
		return &primaries{from: from}, err
	}
	k, revision, err := s.get(ctx, c.Now, from.key.Account, *in.PrimaryRegion, from.key.ID)
	if err != nil || k == nil {
		return &primaries{from: from}, err
	}
	record(c, k)
	r := ref{account: k.Account, region: k.Region, id: k.ID}
	return &primaries{from, &keyTarget{service: s, action: from.action, ref: r, key: k, revision: revision}}, nil
}

// checkPrimaries refuses what the state of either key does not allow.
func checkPrimaries(c *service.Call, in *kmsapi.UpdatePrimaryRegionRequest, t *primaries) error {
	k := t.from.key
	if err := checkState(c.Operation, k, c.Now); err != nil {
		return err
	}
	switch {
	case *in.PrimaryRegion == k.Region:
		return kmsapi.UnsupportedOperationException("%s is already the primary key.", k.ARN())
	case t.to == nil:
		return kmsapi.NotFoundException("Key '%s' does not exist", arn.KMS(*in.PrimaryRegion, k.Account, "key/"+k.ID))
	}
	return checkReplicaState(t.to.key, c.Now)
}

// checkReplicaState is checkState for the key that is to become the primary, which must be enabled.
func checkReplicaState(k *Key, now time.Time) error {
	r := usable
	r.updating = updating
	return r.check(k, now)
}

// updatePrimaryRegion makes a replica the primary key, and the primary a replica.
func (s *Service) updatePrimaryRegion(ctx context.Context, c *service.Call, in *kmsapi.UpdatePrimaryRegionRequest, t *primaries) (*api.Empty, error) {
	from, to := t.from.key.Region, *in.PrimaryRegion
	if err := s.audit(ctx, relativeEvent(c, t.to.key, `{"previousPrimaryRegion":"`+from+`"}`)); err != nil {
		return nil, err
	}
	_, err := s.share(ctx, t.from, store.Txn{}, func(k *Key) {
		k.MultiRegion.without(to)
		k.MultiRegion.Replicas = append(k.MultiRegion.Replicas, Replica{Region: from})
		k.MultiRegion.Primary = to
		if s.transition > 0 && (k.Region == from || k.Region == to) {
			k.Settling, k.SettledAt = kmsapi.KeyStateUpdating, c.Now.Add(s.transition)
		}
	})
	return &api.Empty{}, err
}

// relativeEvent is the record of a call in the Region of another key that it changes (KMS Developer Guide, "Logging",
// ReplicateKey and UpdatePrimaryRegion).
func relativeEvent(c *service.Call, k *Key, details string) *audit.Event {
	e := &audit.Event{
		Time: c.Now, Source: source, Name: c.Operation, Region: k.Region, Account: k.Account, EventType: audit.ServiceEvent,
		RequestID: c.RequestID, Resources: []audit.Resource{{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"}},
		ServiceEventDetails: []byte(details),
	}
	if c.Operation == "ReplicateKey" {
		e.Name = "CreateKey"
	}
	return e
}
