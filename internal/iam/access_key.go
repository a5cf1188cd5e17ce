package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// The credentials that a development server knows without being told.
const (
	DevAccessKeyID = "test"
	DevSecret      = "test"
	DevAccount     = "000000000000"
)

// accessKey is an access key as it is used: opened.
type accessKey struct {
	id       string
	account  string
	user     string // unique id of the user whose key it is; empty for the account's root user; or a registered service
	inactive bool
	secret   material.Bytes
	created  time.Time
}

// keyRecord is an access key as it is stored.
type keyRecord struct {
	Version  int       `json:"v"`
	ID       string    `json:"id"`
	Account  string    `json:"account"`
	User     string    `json:"user,omitzero"`
	Inactive bool      `json:"inactive,omitzero"`
	Secret   []byte    `json:"secret"` // sealed by the hsm for the purpose that sealPurpose names
	Created  time.Time `json:"created"`
}

const (
	keyRecordVersion = 1
	keyPrefix        = "iam/access-key/"
)

// sealPurpose binds a sealed secret to its access key and to whose it is, so that a secret moved to another key's record, or a
// key given to another user by changing its record, does not open.
func sealPurpose(accessKeyID, account, user string) string {
	purpose := "iam/access-key/" + accessKeyID + "/" + account
	if user != "" {
		purpose += "/" + user
	}
	return purpose
}

// open reads an access key's record and unseals its secret.
func (s *Service) open(b []byte) (*accessKey, error) {
	var r keyRecord
	if err := json.Unmarshal(b, &r, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("iam: damaged access key record: %w", err)
	}
	if r.Version != keyRecordVersion {
		return nil, fmt.Errorf("iam: access key record has version %d, this binary understands %d", r.Version, keyRecordVersion)
	}
	// The parts of a purpose are told apart by their separators, so they must be what they say.
	service := r.Account == "" && strings.HasPrefix(r.User, ofService)
	if !service && (!arn.IsAccount(r.Account) || strings.Contains(r.User, "/")) || strings.Contains(r.ID, "/") {
		return nil, fmt.Errorf("%w: access key %s of account %q and user %q", store.ErrCorrupt, r.ID, r.Account, r.User)
	}
	secret, err := s.HSM.Unseal(context.Background(), sealPurpose(r.ID, r.Account, r.User), r.Secret)
	if err != nil {
		return nil, fmt.Errorf("iam: access key %s: %w", r.ID, err)
	}
	return &accessKey{r.ID, r.Account, r.User, r.Inactive, material.Take(secret), r.Created}, nil
}

// seal makes an access key's record.
func (s *Service) seal(k *accessKey) ([]byte, error) {
	sealed, err := s.HSM.Seal(context.Background(), sealPurpose(k.id, k.account, k.user), k.secret.Expose())
	if err != nil {
		return nil, err
	}
	return json.Marshal(keyRecord{keyRecordVersion, k.id, k.account, k.user, k.inactive, sealed, k.created})
}

// Lookup returns the credential of an access key, or sigv4.ErrUnknownKey. An inactive key is unknown, and so is one whose
// user is gone.
func (s *Service) Lookup(ctx context.Context, accessKeyID, sessionToken string) (sigv4.Credential, error) {
	if sessionToken != "" || strings.HasPrefix(accessKeyID, "ASIA") {
		return s.lookupSession(ctx, accessKeyID, sessionToken)
	}
	if s.Dev {
		if account := devAccount(accessKeyID); account != "" {
			secret := material.Take([]byte(DevSecret))
			return sigv4.Credential{AccessKeyID: accessKeyID, Secret: secret, Caller: caller.RootOf(account, accessKeyID)}, nil
		}
	}
	k, err := s.accessKey(ctx, accessKeyID)
	if err != nil {
		return sigv4.Credential{}, err
	}
	if k.accessKey == nil || k.inactive {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	c, err := s.owner(ctx, k.accessKey)
	return sigv4.Credential{AccessKeyID: accessKeyID, Secret: k.secret, Caller: c}, err
}

// accessKey returns an access key by its id. A record under another key's name is none.
func (s *Service) accessKey(ctx context.Context, id string) (storedKey, error) {
	if !isAccessKeyID(id) {
		return storedKey{}, nil
	}
	k, revision, err := s.keys.Get(ctx, keyPrefix+id)
	if err != nil || k == nil || k.id != id {
		return storedKey{}, err
	}
	return storedKey{k, revision}, nil
}

// owner returns the principal that an access key belongs to. The user must know of the key: the record of a key that was
// deleted, put back, lets nobody in.
func (s *Service) owner(ctx context.Context, k *accessKey) (caller.Caller, error) {
	switch {
	case k.user == "":
		return caller.RootOf(k.account, k.id), nil
	case strings.HasPrefix(k.user, ofService):
		return s.serviceOf(ctx, k)
	}
	u, err := s.byID(ctx, k.user)
	switch {
	case err != nil:
		return caller.Caller{}, err
	case u.Entity == nil || u.Account != k.account || !slices.Contains(u.AccessKeys, k.id):
		return caller.Caller{}, sigv4.ErrUnknownKey
	}
	return caller.Caller{
		Type: caller.User, Account: u.Account, ARN: u.ARN(), UserID: u.ID, AccessKeyID: k.id, Name: u.Name, ID: u.ID,
	}, nil
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

// isAccessKeyID says whether s has the form of the access key ids that newAccessKey makes. Nothing else is looked up.
func isAccessKeyID(s string) bool {
	return len(s) == 20 && s[:4] == "AKIA" && isBase32(s[4:])
}

// AccessKey is a new access key, its secret in the clear to be handed over once.
type AccessKey struct {
	ID     string
	Secret material.Bytes
}

// newAccessKey makes an access key of a user, of the root user, or of a registered service. It is not stored.
func newAccessKey(account, user string, now time.Time) *accessKey {
	var id [10]byte
	var secret [30]byte
	rand.Read(id[:])
	rand.Read(secret[:])
	return &accessKey{
		id: "AKIA" + base32.StdEncoding.EncodeToString(id[:]), account: account, user: user, created: now,
		secret: material.Take([]byte(base64.StdEncoding.EncodeToString(secret[:]))),
	}
}

// NewRootKey makes an access key for an account's root user. It returns what the caller must commit for the key to
// exist.
func (s *Service) NewRootKey(account string, now time.Time) (AccessKey, store.Txn, error) {
	k := newAccessKey(account, "", now)
	path := keyPrefix + k.id
	p, err := s.keys.Put(path, k)
	return AccessKey{k.id, k.secret}, store.Txn{
		Checks: []store.Check{{Key: path}},
		Puts:   []store.Put{p, {Key: rootKeyPath(account, k.id)}},
	}, err
}

func rootKeyPath(account, id string) string { return rootKeyPrefix + account + "/" + id }
