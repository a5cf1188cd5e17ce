package iam

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/policy"
)

// Entity is a user, a group or a role as it is stored. One that came from the store is shared by all requests and never
// changed; to change one, clone it and commit the clone.
type Entity struct {
	Version int       `json:"v"`
	Account string    `json:"account"`
	ID      string    `json:"id"` // AIDA…, AGPA… or AROA…, which says what it is
	Name    string    `json:"name"`
	Path    string    `json:"path"` // begins and ends with '/'
	Created time.Time `json:"created"`
	// Inline are the policies that live in the entity, ordered by name.
	Inline []Inline `json:"inline,omitempty"`
	// Attached are the ARNs of managed policies, in the order of their attachment.
	Attached []string `json:"attached,omitempty"`
	// Boundary is the ARN of the managed policy that bounds a user or a role, or empty.
	Boundary string `json:"boundary,omitzero"`
	Tags     []Tag  `json:"tags,omitempty"` // ordered by key, without regard to case

	// Groups are the ids of the groups that a user is in, and AccessKeys the ids of its access keys.
	Groups     []string `json:"groups,omitempty"`
	AccessKeys []string `json:"access_keys,omitempty"`

	// Members is how many users a group has.
	Members int `json:"members,omitzero"`

	// Trust is the policy that says who may assume a role. Users and roles in it are named by their unique ids.
	Trust       string `json:"trust,omitzero"`
	Description string `json:"description,omitzero"`
	// MaxSession is the longest session of a role, in seconds.
	MaxSession int32 `json:"max_session,omitzero"`

	arn  string // of an entity that came from the store
	memo *memo
}

// Inline is a policy that lives in a user, a group or a role.
type Inline struct {
	Name string `json:"n"`
	Text string `json:"t"`
}

// Tag is a tag of a user, a role or a managed policy.
type Tag struct {
	Key   string `json:"k"`
	Value string `json:"v,omitzero"`
}

// memo is what was computed from one version of a record, once.
type memo struct {
	inline   func() ([]authz.Attached, error)
	trust    func() (*policy.Policy, error)
	identity atomic.Pointer[assembled]
}

// Managed is a managed policy as it is stored.
type Managed struct {
	Version     int       `json:"v"`
	Account     string    `json:"account"` // "aws" for those that come with Trent
	ID          string    `json:"id"`      // ANPA…
	Name        string    `json:"name"`
	Path        string    `json:"path"`
	Description string    `json:"description,omitzero"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
	// Default is the number of the version in effect, Latest that of the one made last.
	Default  int       `json:"default"`
	Latest   int       `json:"latest"`
	Versions []Version `json:"versions"` // in the order they were made
	Tags     []Tag     `json:"tags,omitempty"`
	// Attachments and Boundaries are how many users, groups and roles have the policy, and how many it bounds.
	Attachments int `json:"attachments,omitzero"`
	Boundaries  int `json:"boundaries,omitzero"`

	arn      string
	compiled func() (*policy.Policy, error)
}

// Version is a version of a managed policy.
type Version struct {
	Number  int       `json:"n"`
	Text    string    `json:"t"`
	Created time.Time `json:"created"`
}

// Account is what IAM keeps of an account as a whole. Every transaction that makes or deletes an entity changes it, so that
// the quotas hold.
type Account struct {
	Version  int    `json:"v"`
	Account  string `json:"account"`
	Alias    string `json:"alias,omitzero"`
	Users    int    `json:"users,omitzero"`
	Groups   int    `json:"groups,omitzero"`
	Roles    int    `json:"roles,omitzero"`
	Policies int    `json:"policies,omitzero"`
	// Created is when an organization created the account; zero for one that is as old as the deployment.
	Created time.Time `json:"created,omitzero"`
}

// reference is the record of a name: whose it is. Names differ in more than case, so that their records are kept under
// the name in lower case.
type reference struct {
	Version int    `json:"v"`
	ID      string `json:"id"` // a unique id; of an account alias, the account
}

// recordVersion is the version of all records of this package but those of access keys. A binary refuses records of a later
// version, and records with members that it does not know: writing such a record back would lose what it did not
// understand.
const recordVersion = 1

// Where records are. All parts are checked before they come here: an account is twelve digits, and names have no '/'.
const (
	entityPrefix  = "iam/entity/"        // and the unique id
	namePrefix    = "iam/name/"          // and kind, account, name in lower case
	managedPrefix = "iam/policy/"        // and account, name in lower case
	accountPrefix = "iam/account/"       // and account
	aliasPrefix   = "iam/account-alias/" // and alias
	// Indexes, whose records are empty: the id of a group and that of a user in it; an account, the id of a managed policy, what
	// for, and the id of the entity that has it; an account and the id of an access key of its root user.
	memberPrefix     = "iam/member/"
	attachmentPrefix = "iam/attachment/"
	rootKeyPrefix    = "iam/root-key/"
)

func entityPath(id string) string { return entityPrefix + id }
func (k kind) names(account string) string {
	return namePrefix + string(k) + "/" + account + "/"
}
func (k kind) namePath(account, name string) string { return k.names(account) + strings.ToLower(name) }
func managedPath(account, name string) string {
	return managedPrefix + account + "/" + strings.ToLower(name)
}
func memberPath(group, user string) string { return memberPrefix + group + "/" + user }

// kind is what an entity is, as ARNs and texts say it.
type kind string

const (
	aUser  kind = "user"
	aGroup kind = "group"
	aRole  kind = "role"
)

// Prefixes of unique ids (IAM User Guide, "IAM identifiers").
const (
	userID    = "AIDA"
	groupID   = "AGPA"
	roleID    = "AROA"
	managedID = "ANPA"
)

// newID returns a unique id: a prefix and 17 characters, of which no two are the same.
func newID(prefix string) string {
	var b [11]byte
	rand.Read(b[:])
	return prefix + base32.StdEncoding.EncodeToString(b[:])[:17]
}

// isUniqueID says whether s has the form of an id that newID makes.
func isUniqueID(s, prefix string) bool {
	return len(s) == len(prefix)+17 && strings.HasPrefix(s, prefix) && isBase32(s)
}

func isBase32(s string) bool {
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && (s[i] < '2' || s[i] > '7') {
			return false
		}
	}
	return true
}

// kind returns what the entity is.
func (e *Entity) kind() kind {
	switch {
	case strings.HasPrefix(e.ID, groupID):
		return aGroup
	case strings.HasPrefix(e.ID, roleID):
		return aRole
	}
	return aUser
}

// ARN returns the entity's ARN.
func (e *Entity) ARN() string {
	if e.arn != "" {
		return e.arn
	}
	return entityARN(e.kind(), e.Account, e.Path, e.Name)
}

func entityARN(k kind, account, path, name string) string {
	return "arn:aws:iam::" + account + ":" + string(k) + path + name
}

// clone returns a copy that may be changed, down to its lists.
func (e *Entity) clone() *Entity {
	c := *e
	c.arn, c.memo = "", nil
	c.Inline, c.Attached, c.Tags = slices.Clone(e.Inline), slices.Clone(e.Attached), slices.Clone(e.Tags)
	c.Groups, c.AccessKeys = slices.Clone(e.Groups), slices.Clone(e.AccessKeys)
	return &c
}

// TrustPolicy returns the compiled trust policy of a role that came from the store.
func (e *Entity) TrustPolicy() (*policy.Policy, error) { return e.memo.trust() }

// ARN returns the policy's ARN.
func (m *Managed) ARN() string {
	if m.arn != "" {
		return m.arn
	}
	return "arn:aws:iam::" + m.Account + ":policy" + m.Path + m.Name
}

// clone returns a copy that may be changed, down to its lists.
func (m *Managed) clone() *Managed {
	c := *m
	c.arn, c.compiled = "", nil
	c.Versions, c.Tags = slices.Clone(m.Versions), slices.Clone(m.Tags)
	return &c
}

// version returns a version by its number, or nil.
func (m *Managed) version(number int) *Version {
	for i := range m.Versions {
		if m.Versions[i].Number == number {
			return &m.Versions[i]
		}
	}
	return nil
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
		return nil, fmt.Errorf("iam: record has version %d, this binary understands %d", probe.Version, recordVersion)
	}
	return nil, fmt.Errorf("iam: damaged record: %w", err)
}

func decodeEntity(b []byte) (*Entity, error) {
	e, err := decodeRecord(b, func(e *Entity) int { return e.Version })
	if err != nil {
		return nil, err
	}
	e.arn = e.ARN()
	e.memo = &memo{
		inline: sync.OnceValues(e.compileInline),
		trust:  sync.OnceValues(func() (*policy.Policy, error) { return policy.Parse(policy.Trust, e.Trust) }),
	}
	return e, nil
}

func decodeManaged(b []byte) (*Managed, error) {
	m, err := decodeRecord(b, func(m *Managed) int { return m.Version })
	if err != nil {
		return nil, err
	}
	if m.version(m.Default) == nil {
		return nil, fmt.Errorf("iam: damaged record: policy %s has no version %d", m.ID, m.Default)
	}
	m.remember()
	return m, nil
}

// remember makes what is computed from the record once.
func (m *Managed) remember() {
	m.arn = m.ARN()
	text := m.version(m.Default).Text
	m.compiled = sync.OnceValues(func() (*policy.Policy, error) { return policy.Parse(policy.Identity, text) })
}

func decodeAccount(b []byte) (*Account, error) {
	return decodeRecord(b, func(a *Account) int { return a.Version })
}

func decodeReference(b []byte) (*reference, error) {
	return decodeRecord(b, func(r *reference) int { return r.Version })
}

// compileInline compiles the policies that live in the entity.
func (e *Entity) compileInline() ([]authz.Attached, error) {
	all := make([]authz.Attached, 0, len(e.Inline))
	for _, i := range e.Inline {
		p, err := policy.Parse(policy.Identity, i.Text)
		if err != nil {
			return nil, fmt.Errorf("iam: policy %s of %s: %w", i.Name, e.arn, err)
		}
		all = append(all, authz.Attached{Name: string(e.kind()) + "/" + e.Name + "/" + i.Name, Policy: p})
	}
	return all, nil
}
