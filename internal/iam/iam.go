// Package iam knows who there is: the users, groups, roles and managed policies of accounts, their access keys, and what
// they allow. It answers IAM, whose operations change all that, and STS, which tells a caller who it is and lets it become
// somebody else.
//
// record.go says how everything is stored, find.go reads it, change.go writes it, directory.go is what authorization asks.
package iam

import (
	"context"
	"time"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// Config is what a Service works with.
type Config struct {
	Store *store.Cached
	HSM   *hsm.HSM
	// Dev lets the development credentials in: access key id "test", or the twelve digits of any account, with the
	// secret "test". Never set in production.
	Dev bool
	// Clock is the domain's time, by which sessions expire.
	Clock *clock.Clock
	// Since is when the deployment was made, and with it every account that no organization has created.
	Since time.Time
	// Fetch gets a document of an identity provider over HTTPS. nil: web identities are refused.
	Fetch func(ctx context.Context, url string, thumbprints []string) ([]byte, error)
	// Membership returns an account's place in an organization, nil when it is in none. nil: there are no organizations.
	Membership func(ctx context.Context, account string) (*authz.Membership, error)
	// AccountExists says whether there is such an account. nil: every account exists.
	AccountExists func(ctx context.Context, account string) (bool, error)
	// KeyPolicy returns the policy of a KMS key by its ARN, nil when there is no such key. nil: simulations know of no key.
	KeyPolicy func(ctx context.Context, arn string) (*policy.Policy, error)
}

// Service answers for identities. Safe for concurrent use.
type Service struct {
	Config
	keys     *store.Table[accessKey]
	entities *store.Table[Entity]
	names    *store.Table[reference]
	policies *store.Table[Managed]
	accounts *store.Table[Account]
	aliases  *store.Table[reference]
	// registered are the services that may speak for others.
	registered *store.Table[Registered]
	// managed are the managed policies that come with Trent, by ARN.
	managed map[string]*Managed
	*sts
}

// How much memory the caches may take, in encoded bytes. What was compiled takes several times as much again.
const (
	keyCacheBytes    = 4 << 20 // about 5000 access keys
	entityCacheBytes = 16 << 20
	nameCacheBytes   = 4 << 20
	policyCacheBytes = 16 << 20
	smallCacheBytes  = 1 << 20
)

// New returns a Service over what the store holds.
func New(c Config) *Service {
	s := &Service{Config: c, managed: provided(), sts: newSTS(c)}
	s.keys = store.NewTable(c.Store, keyPrefix, store.TableConfig[accessKey]{Encode: s.seal, Decode: s.open, CacheBytes: keyCacheBytes})
	s.entities = newTable(c.Store, entityPrefix, decodeEntity, entityCacheBytes)
	s.names = newTable(c.Store, namePrefix, decodeReference, nameCacheBytes)
	s.policies = newTable(c.Store, managedPrefix, decodeManaged, policyCacheBytes)
	s.accounts = newTable(c.Store, accountPrefix, decodeAccount, smallCacheBytes)
	s.aliases = newTable(c.Store, aliasPrefix, decodeReference, smallCacheBytes)
	s.registered = newTable(c.Store, registeredPrefix, decodeRegistered, smallCacheBytes)
	return s
}

func newTable[T any](c *store.Cached, prefix string, decode func([]byte) (*T, error), cacheBytes int) *store.Table[T] {
	return store.NewTable(c, prefix, store.TableConfig[T]{Encode: encodeRecord[T], Decode: decode, CacheBytes: cacheBytes})
}
