package kms

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/uuid"
	"github.com/trent-kms/trent/policy"
)

// recordVersion is the version of key and alias records. A binary refuses records of a later version, and records with
// members that it does not know: writing such a record back would lose what it did not understand.
const recordVersion = 1

// Key is a KMS key as it is stored. A Key that came from the store is shared by all requests and never changed; to
// change one, clone it and commit the clone.
type Key struct {
	Version     int                 `json:"v"`
	Account     string              `json:"account"`
	Region      string              `json:"region"`
	ID          string              `json:"id"`
	Created     time.Time           `json:"created"`
	Description string              `json:"description,omitzero"`
	Spec        kmsapi.KeySpec      `json:"spec"`
	Usage       kmsapi.KeyUsageType `json:"usage"`
	Origin      kmsapi.OriginType   `json:"origin"`
	// Service is the AWS service that manages the key (s3), empty for the customer's own keys.
	Service string `json:"service,omitzero"`
	// State is the state last set. Time may have moved on: ask stateAt.
	State kmsapi.KeyState `json:"state"`
	// DeleteAt is when the key ceases to exist, while PendingDeletion.
	DeleteAt time.Time `json:"delete_at,omitzero"`
	// Window is the waiting period, in days, that begins when the last replica is gone, while PendingReplicaDeletion.
	Window int32 `json:"window,omitzero"`
	// Settling is the state (Creating, Updating) that the key shows until SettledAt, whatever State says.
	Settling  kmsapi.KeyState `json:"settling,omitzero"`
	SettledAt time.Time       `json:"settled_at,omitzero"`
	// Policy is the key policy as its owner wrote it, but for the ARNs of users and roles (see setPolicy); empty stands for
	// the default policy (see defaultPolicy).
	Policy string `json:"policy,omitzero"`
	Tags   []Tag  `json:"tags,omitempty"`
	// Aliases are the names of the aliases that point here, sorted.
	Aliases []string `json:"aliases,omitempty"`
	// Grants is how many grants the key has.
	Grants int `json:"grants,omitzero"`
	// GrantChanges are the last changes of the grants of a key that has many, the newest last.
	GrantChanges []GrantChange `json:"grant_changes,omitzero"`
	// Materials are the sets of key material that belong to the key for good, the current one last. A key of origin
	// EXTERNAL has none before the first import.
	Materials []Material `json:"materials"`
	// Pending is imported material that the next rotation makes the current one, or nil.
	Pending *Material `json:"pending,omitzero"`
	// Rotation is the rotation's schedule and history.
	Rotation Rotation `json:"rotation,omitzero"`
	// MultiRegion is set for multi-Region keys: whose relatives they are. See multiregion.go for what relatives share.
	MultiRegion *MultiRegion `json:"multi_region,omitzero"`

	compiled *policy.Policy // what Policy says
	arn      string         // of a Key that came from the store, where every use of it would make the text anew
}

// Tag is one of a key's tags.
type Tag struct {
	Key   string `json:"k"`
	Value string `json:"v,omitzero"`
}

// Material is one set of key material, wrapped by the hsm.
type Material struct {
	ID string `json:"id"`
	// Wrapped is empty for imported material that is not here: deleted, expired, or not yet imported into this Region.
	Wrapped []byte `json:"wrapped,omitempty"`
	// Public is the sealed public key of a key pair.
	Public  []byte    `json:"public,omitempty"`
	Created time.Time `json:"created"`
	// Rotated and By say when and how a rotation made it the current material; the first was never rotated to.
	Rotated time.Time           `json:"rotated,omitzero"`
	By      kmsapi.RotationType `json:"by,omitzero"`
	// Description and ValidTo are of imported material; zero ValidTo: it does not expire.
	Description string    `json:"description,omitzero"`
	ValidTo     time.Time `json:"valid_to,omitzero"`
}

// presentAt says whether the material is there to be used. Expired material is not, whether or not its bytes are.
func (m *Material) presentAt(now time.Time) bool {
	return len(m.Wrapped) > 0 && (m.ValidTo.IsZero() || now.Before(m.ValidTo))
}

// encodeRecord and decodeRecord are the form of all records of this package: JSON, nothing unknown, one version.
func encodeRecord[T any](r *T) ([]byte, error) { return json.Marshal(r) }

func decodeRecord[T any](b []byte, version func(*T) int) (*T, error) {
	r := new(T)
	err := json.Unmarshal(b, r, json.RejectUnknownMembers(true))
	if err == nil && version(r) == recordVersion {
		return r, nil
	}
	var probe struct {
		Version int `json:"v"`
	}
	if json.Unmarshal(b, &probe) == nil && probe.Version != recordVersion {
		return nil, fmt.Errorf("kms: record has version %d, this binary understands %d", probe.Version, recordVersion)
	}
	return nil, fmt.Errorf("kms: damaged record: %w", err)
}

func (s *Service) decodeKey(b []byte) (*Key, error) {
	k, err := decodeRecord(b, func(k *Key) int { return k.Version })
	switch {
	case err != nil:
		return nil, err
	case len(k.Materials) == 0 && !k.external():
		return nil, fmt.Errorf("kms: damaged record: key %s has no material", k.ID)
	case k.State == kmsapi.KeyStatePendingReplicaDeletion && k.MultiRegion == nil:
		return nil, fmt.Errorf("kms: damaged record: key %s waits for replicas and has no relatives", k.ID)
	case (k.State == kmsapi.KeyStatePendingDeletion) == k.DeleteAt.IsZero():
		// Without a date it would count as deleted, and no sweep would ever find it.
		return nil, fmt.Errorf("kms: damaged record: key %s is %s with deletion date %s", k.ID, k.State, k.DeleteAt)
	}
	k.arn = k.ARN()
	k.compiled = s.compile(k)
	return k, nil
}

// ARN returns the key's ARN.
func (k *Key) ARN() string {
	if k.arn != "" {
		return k.arn
	}
	return arn.KMS(k.Region, k.Account, "key/"+k.ID)
}

// deletion returns when the key ceases to exist; ok is false when that is not decided.
func (k *Key) deletion() (at time.Time, ok bool) {
	switch k.State {
	case kmsapi.KeyStatePendingDeletion:
		return k.DeleteAt, true
	case kmsapi.KeyStatePendingReplicaDeletion:
		last, ok := k.MultiRegion.lastReplica()
		return last.Add(days(k.Window)), ok
	}
	return time.Time{}, false
}

// stateAt returns the key's state at a moment. deleted means that the waiting period is over: the key does not exist
// any more, whether or not its record is still there.
func (k *Key) stateAt(now time.Time) (state kmsapi.KeyState, deleted bool) {
	if at, ok := k.deletion(); ok && !now.Before(at) {
		return "", true
	}
	switch k.State {
	case kmsapi.KeyStatePendingDeletion:
		return k.State, false
	case kmsapi.KeyStatePendingReplicaDeletion:
		if last, ok := k.MultiRegion.lastReplica(); ok && !now.Before(last) {
			return kmsapi.KeyStatePendingDeletion, false
		}
		return k.State, false
	}
	missing := k.external() && !k.complete(now)
	switch {
	case now.Before(k.SettledAt) && (k.Settling == kmsapi.KeyStateCreating || !missing):
		return k.Settling, false
	case missing:
		return kmsapi.KeyStatePendingImport, false
	}
	return k.State, false
}

// complete says whether all material that belongs to the key is there.
func (k *Key) complete(now time.Time) bool {
	for i := range k.Materials {
		if !k.Materials[i].presentAt(now) {
			return false
		}
	}
	return len(k.Materials) > 0
}

// clone returns a copy that may be changed, down to its lists.
func (k *Key) clone() *Key {
	c := *k
	c.Tags = slices.Clone(k.Tags)
	c.Aliases = slices.Clone(k.Aliases)
	c.Materials = slices.Clone(k.Materials)
	if k.Pending != nil {
		c.Pending = new(*k.Pending)
	}
	c.MultiRegion = k.MultiRegion.clone()
	return &c
}

// current returns the key material in use, as the hsm wants it. There is one whenever the key's state allows use.
func (k *Key) current() hsm.Key { return k.material(&k.Materials[len(k.Materials)-1]) }

// find returns a set of key material by its id.
func (k *Key) find(materialID string) (hsm.Key, bool) {
	for i := range k.Materials {
		if k.Materials[i].ID == materialID {
			return k.material(&k.Materials[i]), true
		}
	}
	return hsm.Key{}, false
}

func (k *Key) material(m *Material) hsm.Key {
	b := k.binding()
	b.MaterialID = m.ID
	return hsm.Key{Binding: b, Wrapped: m.Wrapped, Public: m.Public}
}

// newMaterial is what the hsm made, as the key's record holds it.
func newMaterial(made hsm.Key, now time.Time) Material {
	return Material{ID: made.MaterialID, Wrapped: made.Wrapped, Public: made.Public, Created: now}
}

// binding is what the key's material is bound to. The material of a multi-Region key is the same in all its Regions.
func (k *Key) binding() hsm.Binding {
	b := hsm.Binding{Account: k.Account, Scope: k.Region, KeyID: k.ID}
	if k.MultiRegion != nil {
		b.Scope = "*"
	}
	if !k.symmetric() {
		b.Spec, b.Usage = string(k.Spec), string(k.Usage)
	}
	return b
}

// metadata is the key as DescribeKey shows it.
func (k *Key) metadata(now time.Time) *kmsapi.KeyMetadata {
	state, _ := k.stateAt(now)
	manager := kmsapi.KeyManagerTypeCustomer
	if k.Service != "" {
		manager = kmsapi.KeyManagerTypeAws
	}
	can, _ := algorithmsOf(k.Spec, k.Usage)
	m := &kmsapi.KeyMetadata{
		AWSAccountId: &k.Account, KeyId: &k.ID, Arn: new(k.ARN()), CreationDate: &k.Created,
		Enabled: new(state == kmsapi.KeyStateEnabled), Description: &k.Description, KeyUsage: &k.Usage, KeyState: &state,
		Origin: &k.Origin, KeyManager: &manager, KeySpec: &k.Spec,
		CustomerMasterKeySpec: new(kmsapi.CustomerMasterKeySpec(k.Spec)), MultiRegion: new(k.MultiRegion != nil),
		EncryptionAlgorithms: can.encryption, SigningAlgorithms: can.signing, MacAlgorithms: can.mac,
		KeyAgreementAlgorithms: can.agreement, EncapsulationAlgorithms: can.encapsulation,
		MultiRegionConfiguration: k.MultiRegion.configuration(k, now),
	}
	switch state {
	case kmsapi.KeyStatePendingDeletion:
		at, _ := k.deletion()
		m.DeletionDate = &at
	case kmsapi.KeyStatePendingReplicaDeletion:
		m.PendingDeletionWindowInDays = new(k.Window)
	}
	if n := len(k.Materials); n > 0 && k.symmetric() && k.Materials[n-1].presentAt(now) && state != kmsapi.KeyStateCreating {
		m.CurrentKeyMaterialId = &k.Materials[n-1].ID
	}
	k.expiry(m, now)
	return m
}

// expiry fills in what metadata says of imported material: the earliest end of what is there.
func (k *Key) expiry(m *kmsapi.KeyMetadata, now time.Time) {
	if !k.external() {
		return
	}
	for i := range k.Materials {
		material := &k.Materials[i]
		switch {
		case !material.presentAt(now):
			continue
		case material.ValidTo.IsZero():
			fill(&m.ExpirationModel, kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire)
		case m.ValidTo == nil || material.ValidTo.Before(*m.ValidTo):
			m.ExpirationModel, m.ValidTo = new(kmsapi.ExpirationModelTypeKeyMaterialExpires), &material.ValidTo
		}
	}
}

// isKeyID says whether s has the form of a key id: a UUID, or mrk- and 32 hexadecimal digits.
func isKeyID(s string) bool {
	digits, multiRegion := strings.CutPrefix(s, "mrk-")
	if !multiRegion {
		return uuid.Valid(s)
	}
	for i := range len(digits) {
		if !uuid.Hex(digits[i]) {
			return false
		}
	}
	return len(digits) == 32
}

// Where records are. All parts are checked before they come here: an account is twelve digits, a Region's name and a
// key id have no '/', and an alias name is the last part.
func keyPrefix(account, region string) string   { return "kms/key/" + account + "/" + region + "/" }
func keyPath(account, region, id string) string { return keyPrefix(account, region) + id }
func (k *Key) path() string                     { return keyPath(k.Account, k.Region, k.ID) }

func aliasPrefix(account, region string) string     { return "kms/alias/" + account + "/" + region + "/" }
func aliasPath(account, region, name string) string { return aliasPrefix(account, region) + name }

// indexes are the records that let the sweeper find what time does to a key, without reading any other. save keeps them
// true: they come and go with what they are computed from.
func (k *Key) indexes() []string {
	var all []string
	if at, ok := k.deletion(); ok {
		all = append(all, k.indexPath(deletionPrefix, at))
	}
	for m := range k.allMaterial() {
		if !m.ValidTo.IsZero() && len(m.Wrapped) > 0 {
			all = append(all, k.indexPath(expiryPrefix, m.ValidTo))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// allMaterial goes through all material that a key has, pending too.
func (k *Key) allMaterial() iter.Seq[*Material] {
	return func(yield func(*Material) bool) {
		for i := range k.Materials {
			if !yield(&k.Materials[i]) {
				return
			}
		}
		if k.Pending != nil {
			yield(k.Pending)
		}
	}
}

// indexPath orders keys by the moment at which something happens to them.
func (k *Key) indexPath(prefix string, at time.Time) string {
	return prefix + at.UTC().Format("20060102T150405.000000000Z") + "/" + k.Account + "/" + k.Region + "/" + k.ID
}

const (
	deletionPrefix = "kms/deletion/"
	expiryPrefix   = "kms/expiry/"
)
