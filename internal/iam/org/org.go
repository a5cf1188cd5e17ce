// Package org is AWS Organizations: accounts in a tree of organisational units below one root, and the service and
// resource control policies attached to it. membership.go says what of it binds an account, for every decision.
//
// Organizations have feature set ALL only: nothing is billed here. There are no invitations; accounts come into an
// organization by being created in it.
package org

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// Quotas (Organizations User Guide, "Quotas and service limits"). That of accounts is 10 at AWS unless one asks for more;
// here it is what AWS grants at most to an ordinary organization.
const (
	MaxAccounts         = 10_000 // in an organization, closed ones too
	maxUnits            = 2000   // in an organization
	maxDepth            = 5      // organisational units below one another
	maxServicePolicies  = 10_000 // in an organization, without FullAWSAccess
	maxResourcePolicies = 1000   // likewise, without RCPFullAWSAccess
	maxAttached         = 5      // policies of a type on one target
	maxTags             = 50
)

// Config is what a Service works with.
type Config struct {
	Store *store.Cached
	// Own says which accounts the deployment has by itself, without their having been created in an organization: in
	// production its own, in development all. Needed.
	Own func(account string) bool
	// NewAccount returns what a new account begins with, to be committed in one transaction with it: at most 100
	// operations. It is a role called roleName that principals of the management account may assume and that may do
	// everything. nil: nothing.
	NewAccount func(ctx context.Context, now time.Time, account, roleName, management string) (store.Txn, error)
}

// Service implements the operations. Safe for concurrent use.
type Service struct {
	store      *store.Cached
	own        func(string) bool
	newAccount func(ctx context.Context, now time.Time, account, roleName, management string) (store.Txn, error)

	// fullService and fullResource are the policies that allow everything, AWS's own.
	fullService, fullResource authz.Attached

	revisions *store.Table[struct{}]                // of records: what they hold is not looked at
	places    *otter.Cache[string, *place]          // by account
	compiled  *otter.Cache[string, *compiledPolicy] // by path
}

// How much is remembered between requests. A place takes about 1 KiB, a compiled policy up to some 50.
const (
	maxPlaces   = 16_384
	maxCompiled = 2048
)

// New returns a Service over what the store holds. In a store that has never had one it makes the record of changes,
// so that accounts outside of organizations, which have no records, are as quickly looked up as the others.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Store == nil || c.Own == nil {
		return nil, errors.New("org: Config.Store and Config.Own are needed")
	}
	s := &Service{
		store: c.Store, own: c.Own, newAccount: c.NewAccount,
		places:   otter.Must(&otter.Options[string, *place]{MaximumSize: maxPlaces}),
		compiled: otter.Must(&otter.Options[string, *compiledPolicy]{MaximumSize: maxCompiled}),
	}
	s.revisions = store.NewTable(c.Store, root, store.TableConfig[struct{}]{
		Encode: func(*struct{}) ([]byte, error) { return nil, errors.ErrUnsupported },
		Decode: func([]byte) (*struct{}, error) { return new(struct{}), nil }, CacheBytes: 16 << 20,
	})
	for t, full := range map[orgapi.PolicyType]*authz.Attached{servicePolicy: &s.fullService, resourcePolicy: &s.fullResource} {
		p, err := policy.Parse(kindOf(t), managedContent(t))
		if err != nil {
			return nil, fmt.Errorf("org: %s: %w", managedID(t), err)
		}
		*full = authz.Attached{Name: policyARN(nil, t, managedID(t)), Policy: p}
	}
	return s, s.begin(ctx)
}

// begin makes the record of changes if there is none.
func (s *Service) begin(ctx context.Context) error {
	r, err := s.store.Get(ctx, changesPath)
	if err != nil || r.Revision != 0 {
		return err
	}
	x := new(change)
	x.create(&changes{Version: recordVersion})
	if err = s.commit(ctx, x); errors.Is(err, store.ErrConflict) { // another node was faster
		return nil
	}
	return err
}
