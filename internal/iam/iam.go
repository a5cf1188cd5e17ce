// Package iam knows who there is: today the root users of accounts, and their access keys. It also answers STS, which
// tells a caller who it is.
package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// The credentials that a development server knows without being told.
const (
	DevAccessKeyID = "test"
	DevSecret      = "test"
	DevAccount     = "000000000000"
)

// Config is what a Service works with.
type Config struct {
	Store *store.Cached
	HSM   *hsm.HSM
	// Dev lets the development credentials in: access key id "test", or the twelve digits of any account, with the
	// secret "test". Never set in production.
	Dev bool
}

// Service looks credentials up. Safe for concurrent use.
type Service struct {
	Config
	keys *store.Table[accessKey]
}

// accessKey is an access key as it is used: opened.
type accessKey struct {
	id      string
	account string
	secret  material.Bytes
	created time.Time
}

// record is an access key as it is stored.
type record struct {
	Version int       `json:"v"`
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Secret  []byte    `json:"secret"` // sealed by the hsm for the purpose that sealPurpose names
	Created time.Time `json:"created"`
}

const (
	recordVersion = 1
	keyPrefix     = "iam/access-key/"
	cacheBytes    = 4 << 20 // about 5000 access keys
)

// sealPurpose binds a sealed secret to its access key, so that a secret moved to another key's record does not open.
func sealPurpose(accessKeyID, account string) string {
	return "iam/access-key/" + accessKeyID + "/" + account
}

// New returns a Service over what the store holds.
func New(c Config) *Service {
	s := &Service{Config: c}
	s.keys = store.NewTable(c.Store, keyPrefix, store.TableConfig[accessKey]{Encode: s.seal, Decode: s.open, CacheBytes: cacheBytes})
	return s
}

// open reads an access key's record and unseals its secret.
func (s *Service) open(b []byte) (*accessKey, error) {
	var r record
	if err := json.Unmarshal(b, &r, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("iam: damaged access key record: %w", err)
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("iam: access key record has version %d, this binary understands %d", r.Version, recordVersion)
	}
	secret, err := s.HSM.Unseal(context.Background(), sealPurpose(r.ID, r.Account), r.Secret)
	if err != nil {
		return nil, fmt.Errorf("iam: access key %s: %w", r.ID, err)
	}
	return &accessKey{id: r.ID, account: r.Account, secret: material.Take(secret), created: r.Created}, nil
}

// seal makes an access key's record.
func (s *Service) seal(k *accessKey) ([]byte, error) {
	sealed, err := s.HSM.Seal(context.Background(), sealPurpose(k.id, k.account), k.secret.Expose())
	if err != nil {
		return nil, err
	}
	return json.Marshal(record{Version: recordVersion, ID: k.id, Account: k.account, Secret: sealed, Created: k.created})
}

// Lookup returns the credential of an access key, or sigv4.ErrUnknownKey. No temporary credentials exist yet, so a
// session token is never right.
func (s *Service) Lookup(ctx context.Context, accessKeyID, sessionToken string) (sigv4.Credential, error) {
	if sessionToken != "" {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	if s.Dev {
		if account := devAccount(accessKeyID); account != "" {
			return credential(accessKeyID, account, material.Take([]byte(DevSecret))), nil
		}
	}
	if !isAccessKeyID(accessKeyID) {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	k, _, err := s.keys.Get(ctx, keyPrefix+accessKeyID)
	if err != nil {
		return sigv4.Credential{}, err
	}
	if k == nil || k.id != accessKeyID { // a record under another key's name lets nobody in
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	return credential(accessKeyID, k.account, k.secret), nil
}

func credential(accessKeyID, account string, secret material.Bytes) sigv4.Credential {
	return sigv4.Credential{AccessKeyID: accessKeyID, Secret: secret, Caller: caller.RootOf(account, accessKeyID)}
}

func devAccount(accessKeyID string) string {
	if accessKeyID == DevAccessKeyID {
		return DevAccount
	}
	if arn.IsAccount(accessKeyID) {
		return accessKeyID
	}
	return ""
}

// isAccessKeyID says whether s has the form of the access key ids that NewRootKey makes. Nothing else is looked up.
func isAccessKeyID(s string) bool {
	if len(s) != 20 || s[:4] != "AKIA" {
		return false
	}
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && (s[i] < '2' || s[i] > '7') {
			return false
		}
	}
	return true
}

// AccessKey is a new access key, its secret in the clear to be handed over once.
type AccessKey struct {
	ID     string
	Secret material.Bytes
}

// NewRootKey makes an access key for an account's root user. It returns what the caller must commit for the key to
// exist.
func (s *Service) NewRootKey(account string, now time.Time) (AccessKey, store.Txn, error) {
	var id [10]byte
	var secret [30]byte
	rand.Read(id[:])
	rand.Read(secret[:])
	k := AccessKey{
		ID:     "AKIA" + base32.StdEncoding.EncodeToString(id[:]),
		Secret: material.Take([]byte(base64.StdEncoding.EncodeToString(secret[:]))),
	}
	path := keyPrefix + k.ID
	p, err := s.keys.Put(path, &accessKey{id: k.ID, account: account, secret: k.Secret, created: now})
	return k, store.Txn{Checks: []store.Check{{Key: path}}, Puts: []store.Put{p}}, err
}

// STS is the table of the Security Token Service.
func (s *Service) STS() []service.Operation {
	return []service.Operation{service.Define(service.Row[stsapi.GetCallerIdentityRequest, stsapi.GetCallerIdentityResponse, whoAmI]{
		Name: "GetCallerIdentity", ReadOnly: true, Resolve: resolveSelf, Handle: getCallerIdentity,
	})}
}
