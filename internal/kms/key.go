package kms

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/uuid"
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
	State    kmsapi.KeyState `json:"state"`
	DeleteAt time.Time       `json:"delete_at,omitzero"` // while PendingDeletion
	// Policy is the key policy as its owner wrote it; empty stands for the default policy (see defaultPolicy).
	Policy string `json:"policy,omitzero"`
	Tags   []Tag  `json:"tags,omitempty"`
	// Aliases are the names of the aliases that point here, sorted.
	Aliases []string `json:"aliases,omitempty"`
	// Materials are the key's sets of key material, the current one last.
	Materials []Material `json:"materials"`

	arn string // of a Key that came from the store, where every use of it would make the text anew
}

// Tag is one of a key's tags.
type Tag struct {
	Key   string `json:"k"`
	Value string `json:"v,omitzero"`
}

// Material is one set of key material, wrapped by the hsm.
type Material struct {
	ID      string    `json:"id"`
	Wrapped []byte    `json:"wrapped"`
	Created time.Time `json:"created"`
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

func decodeKey(b []byte) (*Key, error) {
	k, err := decodeRecord(b, func(k *Key) int { return k.Version })
	switch {
	case err != nil:
		return nil, err
	case len(k.Materials) == 0:
		return nil, fmt.Errorf("kms: damaged record: key %s has no material", k.ID)
	case (k.State == kmsapi.KeyStatePendingDeletion) == k.DeleteAt.IsZero():
		// Without a date it would count as deleted, and no sweep would ever find it.
		return nil, fmt.Errorf("kms: damaged record: key %s is %s with deletion date %s", k.ID, k.State, k.DeleteAt)
	}
	k.arn = k.ARN()
	return k, nil
}

// ARN returns the key's ARN.
func (k *Key) ARN() string {
	if k.arn != "" {
		return k.arn
	}
	return arn.KMS(k.Region, k.Account, "key/"+k.ID)
}

// stateAt returns the key's state at a moment. deleted means that the waiting period is over: the key does not exist
// any more, whether or not its record is still there.
func (k *Key) stateAt(now time.Time) (state kmsapi.KeyState, deleted bool) {
	if k.State == kmsapi.KeyStatePendingDeletion && !now.Before(k.DeleteAt) {
		return "", true
	}
	return k.State, false
}

// clone returns a copy that may be changed, down to its lists.
func (k *Key) clone() *Key {
	c := *k
	c.Tags = slices.Clone(k.Tags)
	c.Aliases = slices.Clone(k.Aliases)
	c.Materials = slices.Clone(k.Materials)
	return &c
}

// current returns the key material in use, as the hsm wants it.
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
	return hsm.Key{Binding: b, Wrapped: m.Wrapped}
}

// binding is what the key's material is bound to.
func (k *Key) binding() hsm.Binding {
	return hsm.Binding{Account: k.Account, Scope: k.Region, KeyID: k.ID}
}

// metadata is the key as DescribeKey shows it.
func (k *Key) metadata(now time.Time) *kmsapi.KeyMetadata {
	state, _ := k.stateAt(now)
	manager := kmsapi.KeyManagerTypeCustomer
	if k.Service != "" {
		manager = kmsapi.KeyManagerTypeAws
	}
	m := &kmsapi.KeyMetadata{
		AWSAccountId: &k.Account, KeyId: &k.ID, Arn: new(k.ARN()), CreationDate: &k.Created,
		Enabled: new(state == kmsapi.KeyStateEnabled), Description: &k.Description, KeyUsage: &k.Usage, KeyState: &state,
		Origin: &k.Origin, KeyManager: &manager, KeySpec: &k.Spec,
		CustomerMasterKeySpec: new(kmsapi.CustomerMasterKeySpec(k.Spec)), MultiRegion: new(false),
		EncryptionAlgorithms: []kmsapi.EncryptionAlgorithmSpec{kmsapi.EncryptionAlgorithmSpecSymmetricDefault},
		CurrentKeyMaterialId: &k.Materials[len(k.Materials)-1].ID,
	}
	if state == kmsapi.KeyStatePendingDeletion {
		m.DeletionDate = &k.DeleteAt
	}
	return m
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

// deletionPath orders keys that wait for deletion by the moment of it, so that the sweeper reads no others.
func (k *Key) deletionPath() string {
	return deletionPrefix + k.DeleteAt.UTC().Format("20060102T150405.000000000Z") + "/" + k.Account + "/" + k.Region + "/" + k.ID
}

const deletionPrefix = "kms/deletion/"
