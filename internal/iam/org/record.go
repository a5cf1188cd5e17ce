package org

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/store"
)

// recordVersion is the version of this package's records. A binary refuses records of another version, and records with
// members that it does not know: writing such a record back would lose what it did not understand.
const recordVersion = 1

// The policy types that organizations have here. AWS has more, which are not about access.
const (
	servicePolicy  = orgapi.PolicyTypeServiceControlPolicy
	resourcePolicy = orgapi.PolicyTypeResourceControlPolicy
)

// organization is an organization with its root.
type organization struct {
	Version    int       `json:"v"`
	ID         string    `json:"id"`
	Root       string    `json:"root"` // r-…
	Management string    `json:"management"`
	Created    time.Time `json:"created"`
	Services   control   `json:"services"`
	Resources  control   `json:"resources"`
	Accounts   int       `json:"accounts"` // closed ones too
	Units      int       `json:"units"`
	Node       node      `json:"node,omitzero"` // of the root
}

// control is a policy type in an organization.
type control struct {
	Enabled bool `json:"enabled,omitzero"`
	// Round counts how often the type was enabled. What is attached belongs to a round: disabling the type detaches all
	// policies of it, from however many targets, and enabling it again attaches AWS's own to all of them.
	Round    int `json:"round,omitzero"`
	Policies int `json:"policies,omitzero"` // how many there are, without AWS's own
}

// node is what is attached to a root, an organisational unit or an account.
type node struct {
	Services  attachments `json:"services,omitzero"`
	Resources attachments `json:"resources,omitzero"`
	Tags      []tag       `json:"tags,omitempty"` // ordered by key
}

// attachments are policies of one type. They count in their round only; in any other, AWS's own policy is attached alone.
type attachments struct {
	Round int      `json:"round,omitzero"`
	IDs   []string `json:"ids,omitempty"` // in the order of attachment
}

type tag struct {
	Key   string `json:"k"`
	Value string `json:"v,omitzero"`
}

// unit is an organisational unit.
type unit struct {
	Version int       `json:"v"`
	Org     string    `json:"org"`
	ID      string    `json:"id"`
	Parent  string    `json:"parent"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Node    node      `json:"node,omitzero"`
}

// account is an account that is or was in an organization. It stays when it leaves; then Org and Parent are empty.
type account struct {
	Version int                        `json:"v"`
	ID      string                     `json:"id"`
	Org     string                     `json:"org,omitzero"`
	Parent  string                     `json:"parent,omitzero"`
	Name    string                     `json:"name"`
	Email   string                     `json:"email"`
	Method  orgapi.AccountJoinedMethod `json:"method"`
	Joined  time.Time                  `json:"joined"`
	Closed  time.Time                  `json:"closed,omitzero"`
	Node    node                       `json:"node,omitzero"`
}

// controlPolicy is a policy of the customer's.
type controlPolicy struct {
	Version     int               `json:"v"`
	Org         string            `json:"org"`
	ID          string            `json:"id"`
	Type        orgapi.PolicyType `json:"type"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitzero"`
	Content     string            `json:"content"`
	// Targets is how many it is attached to, in the round of its type that Round names.
	Targets int   `json:"targets,omitzero"`
	Round   int   `json:"round,omitzero"`
	Tags    []tag `json:"tags,omitempty"`
}

// creation is what became of a CreateAccount.
type creation struct {
	Version   int                               `json:"v"`
	Org       string                            `json:"org"`
	ID        string                            `json:"id"` // car-…
	Account   string                            `json:"account,omitzero"`
	Name      string                            `json:"name"`
	Requested time.Time                         `json:"requested"`
	Failure   orgapi.CreateAccountFailureReason `json:"failure,omitzero"`
}

// pointer is an index: what its path stands for leads to ID.
type pointer struct {
	Version int    `json:"v"`
	Path    string `json:"path"`
	ID      string `json:"id,omitzero"`
}

// changes is replaced whenever an account comes into an organization, or into being, or leaves. Who remembers that an
// account is in no organization, of which there is no record, knows by this one whether that still holds.
//
// Within an organization it is the organization's own record that every transaction replaces, checking that it still is the
// one that was read first. So changes happen one after the other, nothing that was read in between can be old, and who
// remembers what it read knows by this one record whether that still holds.
type changes struct {
	Version int       `json:"v"`
	Last    time.Time `json:"last,omitzero"`
}

// Where records are. All parts are checked before they come here.
//
//	iam/org/changes                            when an account last came or left
//	iam/org/home/ACCOUNT                       pointer to the organization, or to none
//	iam/org/account/ORG/ACCOUNT                an account; ORG is "-" for one that has left
//	iam/org/organization/ORG                   an organization and its root
//	iam/org/unit/ORG/OU                        an organisational unit
//	iam/org/policy/ORG/POLICY                  a policy
//	iam/org/creation/ORG/REQUEST               what became of a CreateAccount
//	iam/org/child/ORG/PARENT/account/ACCOUNT   index of a parent's accounts
//	iam/org/child/ORG/PARENT/unit/OU           index of a parent's organisational units
//	iam/org/name/ORG/HASH                      index of the names of policies and organisational units
//	iam/org/email/HASH                         index of the email addresses of created accounts
const (
	root        = "iam/org/"
	changesPath = root + "changes"
	noOrg       = "-"
)

func homePath(account string) string     { return root + "home/" + account }
func accountPrefix(org string) string    { return root + "account/" + org + "/" }
func unitPrefix(org string) string       { return root + "unit/" + org + "/" }
func policyPrefix(org string) string     { return root + "policy/" + org + "/" }
func creationPrefix(org string) string   { return root + "creation/" + org + "/" }
func organizationPath(org string) string { return root + "organization/" + org }
func childAccounts(org, parent string) string {
	return root + "child/" + org + "/" + parent + "/account/"
}
func childUnits(org, parent string) string     { return root + "child/" + org + "/" + parent + "/unit/" }
func namePath(org string, of ...string) string { return root + "name/" + org + "/" + hash(of...) }
func emailPath(email string) string            { return root + "email/" + hash(strings.ToLower(email)) }

func (o *organization) path() string  { return organizationPath(o.ID) }
func (u *unit) path() string          { return unitPrefix(u.Org) + u.ID }
func (p *controlPolicy) path() string { return policyPrefix(p.Org) + p.ID }
func (c *creation) path() string      { return creationPrefix(c.Org) + c.ID }
func (p *pointer) path() string       { return p.Path }
func (*changes) path() string         { return changesPath }
func (a *account) path() string {
	if a.Org == "" {
		return accountPrefix(noOrg) + a.ID
	}
	return accountPrefix(a.Org) + a.ID
}

func (o *organization) version() int  { return o.Version }
func (u *unit) version() int          { return u.Version }
func (a *account) version() int       { return a.Version }
func (p *controlPolicy) version() int { return p.Version }
func (c *creation) version() int      { return c.Version }
func (p *pointer) version() int       { return p.Version }
func (c *changes) version() int       { return c.Version }

// record is any of them: it knows where it belongs.
type record interface {
	path() string
	version() int
}

// decode reads a record. The store is not trusted: one that was moved from another's place is refused.
func decode[T any, P interface {
	*T
	record
}](r store.Record) (*T, error) {
	v := P(new(T))
	err := json.Unmarshal(r.Value, v, json.RejectUnknownMembers(true))
	switch {
	case err == nil && v.version() == recordVersion && v.path() == r.Key:
		return (*T)(v), nil
	case err == nil && v.version() == recordVersion:
		return nil, fmt.Errorf("%w: the record of %s is under %s", store.ErrCorrupt, v.path(), r.Key)
	}
	var probe struct {
		Version int `json:"v"`
	}
	if json.Unmarshal(r.Value, &probe) == nil && probe.Version > recordVersion {
		return nil, fmt.Errorf("%w: %s has version %d, this binary understands %d", store.ErrNewerFormat, r.Key, probe.Version, recordVersion)
	}
	if err == nil {
		err = fmt.Errorf("version %d", v.version())
	}
	return nil, fmt.Errorf("%w: %s: %w", store.ErrCorrupt, r.Key, err)
}

// fetch reads a record and its revision from the store itself; nil and 0 when there is none. Nothing is cached, so what is
// read after an organization's record is at least as new as that.
func fetch[T any, P interface {
	*T
	record
}](ctx context.Context, s *Service, path string) (*T, int64, error) {
	r, err := s.store.Get(ctx, path)
	if err != nil || r.Revision == 0 {
		return nil, 0, err
	}
	v, err := decode[T, P](r)
	return v, r.Revision, err
}

// get is fetch without the revision.
func get[T any, P interface {
	*T
	record
}](ctx context.Context, s *Service, path string) (*T, error) {
	v, _, err := fetch[T, P](ctx, s, path)
	return v, err
}

// must is get for a record that another one says is there.
func must[T any, P interface {
	*T
	record
}](ctx context.Context, s *Service, path string) (*T, error) {
	v, err := get[T, P](ctx, s, path)
	if err == nil && v == nil {
		err = missing(path)
	}
	return v, err
}

func missing(path string) error { return fmt.Errorf("%w: %s is missing", store.ErrCorrupt, path) }

func misplaced(path string) error {
	return fmt.Errorf("%w: the record under %s belongs elsewhere", store.ErrCorrupt, path)
}
