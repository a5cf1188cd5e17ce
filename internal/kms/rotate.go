package kms

import (
	"context"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// Limits of rotation (KMS API Reference, EnableKeyRotation and RotateKeyOnDemand).
const (
	defaultRotationDays  = 365
	managedRotationDays  = 365
	maxOnDemandRotations = 25
	// rotationConflict is how close before an automatic rotation none on demand may begin.
	rotationConflict = 20 * time.Minute
	// maxDueRotations bounds the rotations that one request makes up for: the latest.
	maxDueRotations = 64
)

// Rotation is the schedule of a key's automatic rotation. Relatives share it.
type Rotation struct {
	Period int32     `json:"period,omitzero"` // in days; 0: not enabled
	Next   time.Time `json:"next,omitzero"`   // of the next automatic rotation
	// OnDemand is how many rotations were asked for in the key's life.
	OnDemand int `json:"on_demand,omitzero"`
}

// nextMaterial makes the material that a rotation brings.
func (s *Service) nextMaterial(ctx context.Context, k *Key, at time.Time, by kmsapi.RotationType) (Material, error) {
	made, err := s.hsm.GenerateKey(ctx, k.binding())
	if err != nil {
		return Material{}, err
	}
	m := newMaterial(made, at)
	m.Rotated, m.By = at, by
	return m, nil
}

// rotate makes material current, in all Regions of the key at once, and whatever else change does. What was current stays,
// to decrypt with.
func (s *Service) rotate(ctx context.Context, now time.Time, t *keyTarget, schedule Rotation, made []Material, change func(*Key)) error {
	before := t.key.Materials[len(t.key.Materials)-1].ID
	for i := range made {
		if err := s.audit(ctx, rotateEvent(t.key, before, &made[i], now)); err != nil {
			return err
		}
		before = made[i].ID
	}
	_, err := s.share(ctx, t, store.Txn{}, func(k *Key) {
		k.Rotation = schedule
		k.Materials = append(k.Materials, made...)
		change(k)
	})
	return err
}

// rotateEvent is the service's own record of a rotation (KMS Developer Guide, "RotateKey").
func rotateEvent(k *Key, before string, m *Material, now time.Time) *audit.Event {
	return &audit.Event{
		Time: now, Source: source, Name: "RotateKey", Region: k.Region, Account: k.Account,
		EventType: audit.ServiceEvent, Resources: []audit.Resource{{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"}},
		ServiceEventDetails: []byte(`{"keyId":"` + k.ID + `","rotationType":"` + string(m.By) + `","keyOrigin":"` + string(k.Origin) +
			`","previousKeyMaterialId":"` + before + `","currentKeyMaterialId":"` + m.ID + `"}`),
	}
}

// enableKeyRotation turns automatic rotation on, or changes its period. The next rotation is one period from now.
func (s *Service) enableKeyRotation(ctx context.Context, c *service.Call, in *kmsapi.EnableKeyRotationRequest, t *keyTarget) (*api.Empty, error) {
	period := int32(defaultRotationDays)
	switch {
	case in.RotationPeriodInDays != nil:
		period = *in.RotationPeriodInDays
	case t.key.Rotation.Period > 0:
		return &api.Empty{}, nil // on already, and nothing to change
	}
	assume(c, "rotationPeriodInDays", &in.RotationPeriodInDays, period)
	if period == t.key.Rotation.Period {
		return &api.Empty{}, nil
	}
	_, err := s.share(ctx, t, store.Txn{}, func(k *Key) {
		k.Rotation.Period, k.Rotation.Next = period, c.Now.Add(days(period))
	})
	return &api.Empty{}, err
}

// disableKeyRotation turns automatic rotation off. All material stays, and the current one stays current.
func (s *Service) disableKeyRotation(ctx context.Context, c *service.Call, _ *kmsapi.DisableKeyRotationRequest, t *keyTarget) (*api.Empty, error) {
	if t.key.Rotation.Period == 0 {
		return &api.Empty{}, nil
	}
	_, err := s.share(ctx, t, store.Txn{}, func(k *Key) {
		k.Rotation.Period, k.Rotation.Next = 0, time.Time{}
	})
	return &api.Empty{}, err
}

func (s *Service) getKeyRotationStatus(_ context.Context, c *service.Call, _ *kmsapi.GetKeyRotationStatusRequest, t *keyTarget) (*kmsapi.GetKeyRotationStatusResponse, error) {
	out := &kmsapi.GetKeyRotationStatusResponse{KeyId: new(t.key.ARN()), KeyRotationEnabled: new(false)}
	state, _ := t.key.stateAt(c.Now)
	if r := &t.key.Rotation; r.Period > 0 && state != kmsapi.KeyStatePendingDeletion && state != kmsapi.KeyStatePendingReplicaDeletion {
		out.KeyRotationEnabled, out.RotationPeriodInDays, out.NextRotationDate = new(true), &r.Period, &r.Next
	}
	return out, nil
}

// rotateKeyOnDemand makes new material current, or imported material that was waiting for it. It is done when the
// answer leaves: no start date is ever shown.
func (s *Service) rotateKeyOnDemand(ctx context.Context, c *service.Call, _ *kmsapi.RotateKeyOnDemandRequest, t *keyTarget) (*kmsapi.RotateKeyOnDemandResponse, error) {
	k := t.key
	switch {
	case k.Rotation.OnDemand >= maxOnDemandRotations:
		return nil, kmsapi.LimitExceededException("The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: %s", k.ARN())
	case k.Rotation.Period > 0 && k.Rotation.Next.Sub(c.Now) <= rotationConflict:
		return nil, kmsapi.ConflictException("An automatic rotation of the key %s is about to begin.", k.ARN())
	}
	schedule := k.Rotation
	schedule.OnDemand++
	out := &kmsapi.RotateKeyOnDemandResponse{KeyId: new(k.ARN())}
	if k.external() {
		return out, s.rotateImported(ctx, c, t, schedule)
	}
	m, err := s.nextMaterial(ctx, k, c.Now, kmsapi.RotationTypeOnDemand)
	if err != nil {
		return nil, err
	}
	return out, s.rotate(ctx, c.Now, t, schedule, []Material{m}, func(*Key) {})
}

// rotateImported makes pending imported material current, which every Region of the key must have.
func (s *Service) rotateImported(ctx context.Context, c *service.Call, t *keyTarget, schedule Rotation) error {
	relatives, err := s.relatives(ctx, t.key)
	if err != nil {
		return err
	}
	if !pendingEverywhere(t.key, relatives, c.Now) {
		return kmsapi.KMSInvalidStateException("No available key material pending rotation for the key: %s.", t.key.ARN())
	}
	m := *t.key.Pending
	m.Rotated, m.By = c.Now, kmsapi.RotationTypeOnDemand
	if err := s.audit(ctx, rotateEvent(t.key, t.key.Materials[len(t.key.Materials)-1].ID, &m, c.Now)); err != nil {
		return err
	}
	_, err = s.shareAmong(ctx, t, relatives, store.Txn{}, func(k *Key) {
		if k.Pending == nil || k.Pending.ID != m.ID { // of a replica that time has deleted
			k.Rotation, k.Materials = schedule, append(k.Materials, Material{ID: m.ID, Created: m.Created, Rotated: m.Rotated, By: m.By})
			return
		}
		own := *k.Pending // each Region has its own copy, with its own expiry
		own.Rotated, own.By = m.Rotated, m.By
		k.Rotation, k.Pending = schedule, nil
		k.Materials = append(k.Materials, own)
	})
	return err
}

// pendingEverywhere says whether a key has pending material, and all its relatives that exist have it too.
func pendingEverywhere(k *Key, relatives []relative, now time.Time) bool {
	if k.Pending == nil || !k.Pending.presentAt(now) {
		return false
	}
	for _, r := range relatives {
		if _, deleted := r.key.stateAt(now); deleted {
			continue
		}
		if r.key.Pending == nil || r.key.Pending.ID != k.Pending.ID || !r.key.Pending.presentAt(now) {
			return false
		}
	}
	return true
}

// listKeyRotations lists the rotations of a key, the oldest first, or all its material.
func (s *Service) listKeyRotations(ctx context.Context, c *service.Call, in *kmsapi.ListKeyRotationsRequest, t *keyTarget) (*kmsapi.ListKeyRotationsResponse, error) {
	fill(&in.IncludeKeyMaterial, kmsapi.IncludeKeyMaterialRotationsOnly)
	p, err := newPager(c, in.Marker, in.Limit, 100, 1000, t.key.ID+"\n"+string(*in.IncludeKeyMaterial))
	if err != nil {
		return nil, err
	}
	out := &kmsapi.ListKeyRotationsResponse{Rotations: []kmsapi.RotationsListEntry{}}
	if !t.key.symmetric() {
		out.Truncated = new(false)
		return out, nil
	}
	all, err := s.rotations(ctx, c.Now, t.key, *in.IncludeKeyMaterial == kmsapi.IncludeKeyMaterialAllKeyMaterial)
	if err != nil {
		return nil, err
	}
	out.Rotations, out.NextMarker, out.Truncated = indexPage(p, all)
	return out, nil
}

// rotations are the entries of a key, the oldest first and pending material last.
func (s *Service) rotations(ctx context.Context, now time.Time, k *Key, everything bool) ([]kmsapi.RotationsListEntry, error) {
	all := []kmsapi.RotationsListEntry{}
	for i := range k.Materials {
		m := &k.Materials[i]
		if m.Rotated.IsZero() && !everything {
			continue
		}
		state := kmsapi.KeyMaterialStateNonCurrent
		if i == len(k.Materials)-1 {
			state = kmsapi.KeyMaterialStateCurrent
		}
		all = append(all, k.rotation(m, state, now))
	}
	if k.Pending == nil || !everything {
		return all, nil
	}
	state := kmsapi.KeyMaterialStatePendingRotation
	relatives, err := s.relatives(ctx, k)
	if k.MultiRegion != nil && !pendingEverywhere(k, relatives, now) {
		state = kmsapi.KeyMaterialStatePendingMultiRegionImportAndRotation
	}
	return append(all, k.rotation(k.Pending, state, now)), err
}

func (k *Key) rotation(m *Material, state kmsapi.KeyMaterialState, now time.Time) kmsapi.RotationsListEntry {
	e := kmsapi.RotationsListEntry{KeyId: &k.ID, KeyMaterialId: &m.ID, KeyMaterialState: &state}
	if !m.Rotated.IsZero() {
		e.RotationDate, e.RotationType = &m.Rotated, &m.By
	}
	if !k.external() {
		return e
	}
	if m.Description != "" {
		e.KeyMaterialDescription = &m.Description
	}
	e.ImportState = new(kmsapi.ImportStatePendingImport)
	if m.presentAt(now) {
		e.ImportState, e.ExpirationModel = new(kmsapi.ImportStateImported), new(kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire)
		if !m.ValidTo.IsZero() {
			e.ExpirationModel, e.ValidTo = new(kmsapi.ExpirationModelTypeKeyMaterialExpires), &m.ValidTo
		}
	}
	return e
}
