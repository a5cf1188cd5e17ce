package kms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/uuid"
)

// Grant is a grant as it is stored. It is never changed: it comes and goes, and with it, in the same transaction, its
// index records and one in Grants of its key.
type Grant struct {
	Version int       `json:"v"`
	Account string    `json:"account"` // of the key
	Region  string    `json:"region"`
	KeyID   string    `json:"key"`
	ID      string    `json:"id"` // 64 hexadecimal digits
	Created time.Time `json:"created"`
	// Name is what makes a repeated CreateGrant find this grant again; empty: nothing does.
	Name string `json:"name,omitzero"`
	// Issuer is the account of the caller that created the grant.
	Issuer string `json:"issuer"`
	// One of Grantee (an ARN) and GranteeService is set, and at most one of Retiring (an ARN) and RetiringService.
	Grantee         string `json:"grantee,omitzero"`
	GranteeService  string `json:"grantee_service,omitzero"`
	Retiring        string `json:"retiring,omitzero"`
	RetiringService string `json:"retiring_service,omitzero"`
	// GranteeID and RetiringID are the unique ids of the users or roles that Grantee and Retiring named when the grant was
	// made. Somebody else who is given such a name later is not meant.
	GranteeID   string                  `json:"grantee_id,omitzero"`
	RetiringID  string                  `json:"retiring_id,omitzero"`
	Operations  []kmsapi.GrantOperation `json:"operations"` // as given, each once
	Constraints Constraints             `json:"constraints,omitzero"`
}

// Constraints are what a request must meet for a grant to apply to it. At most one of Equals and Subset is there; an
// empty one is not the same as none.
type Constraints struct {
	Equals    map[string]string `json:"equals,omitzero"`
	Subset    map[string]string `json:"subset,omitzero"`
	SourceARN string            `json:"source_arn,omitzero"`
}

// GrantChange is a grant that was made, or has ended.
type GrantChange struct {
	ID    string `json:"id"`
	Ended bool   `json:"ended,omitzero"`
}

const (
	// manyGrants is from how many grants on a key notes its last changes. Fewer are soon read again.
	manyGrants = 100
	// notedChanges is how many changes are noted. A search that has missed more reads all grants again.
	notedChanges = 8
)

// countGrant counts a grant that is made or ends with the key's next record.
func (k *Key) countGrant(id string, ended bool) {
	if k.Grants++; ended {
		k.Grants -= 2
	}
	var noted []GrantChange
	if k.Grants > manyGrants {
		noted = append(noted, k.GrantChanges[max(0, len(k.GrantChanges)-notedChanges+1):]...)
		noted = append(noted, GrantChange{id, ended})
	}
	k.GrantChanges = noted
}

// encodeGrant is encodeRecord with maps in order, so that equal grants have equal records.
func encodeGrant(g *Grant) ([]byte, error) { return json.Marshal(g, json.Deterministic(true)) }

func decodeGrant(b []byte) (*Grant, error) {
	return decodeRecord(b, func(g *Grant) int { return g.Version })
}

// isGrantID says whether s has the form of a grant id: 64 lower-case hexadecimal digits.
func isGrantID(s string) bool {
	for i := range len(s) {
		if !uuid.Hex(s[i]) {
			return false
		}
	}
	return len(s) == 64
}

// Where the records of grants are.
const (
	grantRoot         = "kms/grant/"
	grantNameRoot     = "kms/grant-name/"
	grantRetiringRoot = "kms/grant-retiring/"
	grantGranteeRoot  = "kms/grant-grantee/"
)

func grantPrefix(account, region, keyID string) string {
	return grantRoot + account + "/" + region + "/" + keyID + "/"
}

func (g *Grant) path() string { return grantPrefix(g.Account, g.Region, g.KeyID) + g.ID }

// retiringPrefix is under which the grants that a principal, by its ARN or a service's name, may retire are listed, those
// of one Region.
func retiringPrefix(region, principal string) string {
	return grantRetiringRoot + region + "/" + digest([]byte(principal)) + "/"
}

// granteePrefix is under which the grants on a key are listed that a principal is the grantee of.
func granteePrefix(account, region, keyID, principal string) string {
	return grantGranteeRoot + account + "/" + region + "/" + keyID + "/" + digest([]byte(principal)) + "/"
}

// inPartition puts the ARN of a principal into the partition that callers' ARNs are in. Account ids are unique across
// partitions.
func inPartition(principal string) string {
	a, err := arn.Parse(principal)
	if err != nil {
		return principal
	}
	a.Partition = "aws"
	return a.String()
}

// namePath is where a grant with a name is found again by everything that was asked for: its value is the grant's id.
// Empty for a grant without a name.
func (g *Grant) namePath() (string, error) {
	if g.Name == "" {
		return "", nil
	}
	asked := *g
	asked.Version, asked.ID, asked.Created = 0, "", time.Time{}
	b, err := encodeGrant(&asked)
	return grantNameRoot + g.Account + "/" + g.Region + "/" + g.KeyID + "/" + digest(b), err
}

// indexes are a grant's index records.
func (g *Grant) indexes() ([]store.Put, error) {
	var all []store.Put
	name, err := g.namePath()
	if name != "" {
		all = append(all, store.Put{Key: name, Value: []byte(g.ID)})
	}
	all = append(all, store.Put{Key: granteePrefix(g.Account, g.Region, g.KeyID, g.grantee()) + g.ID})
	if who := g.Retiring + g.RetiringService; who != "" { // one of them is empty
		all = append(all, store.Put{Key: retiringPrefix(g.Region, who) + g.Account + "/" + g.KeyID + "/" + g.ID})
	}
	return all, err
}

// paths are all records of a grant: its own first, then its indexes.
func (g *Grant) paths() ([]string, error) {
	all := []string{g.path()}
	indexes, err := g.indexes()
	for _, p := range indexes {
		all = append(all, p.Key)
	}
	return all, err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// grant reads a grant by its path; nil when there is none. Like a key's, a record that was moved is refused.
func (s *Service) grant(ctx context.Context, path string) (*Grant, int64, error) {
	g, revision, err := s.grants.Get(ctx, path)
	if err != nil || g == nil {
		return nil, 0, err
	}
	return g, revision, g.checkPlace(path)
}

func (g *Grant) checkPlace(path string) error {
	if g.path() != path {
		return fmt.Errorf("%w: the record of grant %s is under %s", store.ErrCorrupt, g.path(), path)
	}
	return nil
}

// entry is the grant as it was made, for the listings. The name of a grant without one is empty, as AWS shows it.
func (g *Grant) entry() kmsapi.GrantListEntry {
	e := kmsapi.GrantListEntry{
		KeyId: new(arn.KMS(g.Region, g.Account, "key/"+g.KeyID)), GrantId: &g.ID, Name: &g.Name, CreationDate: &g.Created,
		IssuingAccount: new(rootARN(g.Region, g.Issuer)), Operations: g.Operations,
		GranteePrincipal: optional(&g.Grantee), GranteeServicePrincipal: optional(&g.GranteeService),
		RetiringPrincipal: optional(&g.Retiring), RetiringServicePrincipal: optional(&g.RetiringService),
	}
	if c := g.Constraints; c.Equals != nil || c.Subset != nil || c.SourceARN != "" {
		e.Constraints = &kmsapi.GrantConstraints{
			EncryptionContextEquals: c.Equals, EncryptionContextSubset: c.Subset, SourceArn: optional(&c.SourceARN),
		}
	}
	return e
}

// optional is a member that is absent when it is empty.
func optional(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}

// rootARN names an account as a principal.
func rootARN(region, account string) string {
	return arn.ARN{Partition: arn.Partition(region), Service: "iam", Account: account, Resource: "root"}.String()
}
