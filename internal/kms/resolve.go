package kms

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// forms says which forms of key identifier an operation takes (KMS Developer Guide, "Key identifiers").
type forms bool

const (
	keyOnly forms = false // key id, key ARN
	anyForm forms = true  // also alias name, alias ARN
)

// ref is a key identifier taken apart: where to look, and a key id or an alias name.
type ref struct {
	account, region string
	id, alias       string
}

// arn is the name of what the identifier names.
func (r ref) arn() string {
	if r.alias != "" {
		return arn.KMS(r.region, r.account, r.alias)
	}
	return arn.KMS(r.region, r.account, "key/"+r.id)
}

// parseRef reads a key identifier. A bare id or alias name means the caller's account and the Region of the request.
func parseRef(c *service.Call, s string, f forms) (ref, error) {
	r := ref{account: c.Caller.Account, region: c.Region}
	name := s
	if strings.HasPrefix(s, "arn:") {
		a, err := arn.Parse(s)
		if err != nil || a.Service != "kms" || !arn.IsAccount(a.Account) {
			return ref{}, malformedARN(c, s)
		}
		if a.Region != c.Region || a.Partition != arn.Partition(c.Region) {
			return ref{}, kmsapi.NotFoundException("Invalid arn %s", a.Region)
		}
		r.account, name = a.Account, a.Resource
		if id, ok := strings.CutPrefix(name, "key/"); ok && !strings.HasPrefix(id, "alias/") {
			name = id
		} else if !strings.HasPrefix(name, "alias/") {
			return ref{}, malformedARN(c, s)
		}
	}
	switch {
	case r.account == "": // a service belongs to no account, and has to say which it means
		return ref{}, kmsapi.NotFoundException("Invalid keyId '%s'", s)
	case f == anyForm && isAliasName(name):
		r.alias = name
	case isKeyID(name):
		r.id = name
	default:
		return ref{}, kmsapi.NotFoundException("Invalid keyId '%s'", s)
	}
	return r, nil
}

// malformedARN is InvalidArnException where the API model knows it, and NotFoundException where it does not: for
// cryptographic use, and for the aliases.
func malformedARN(c *service.Call, s string) error {
	switch c.Operation {
	case "CreateAlias", "UpdateAlias", "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt", "GenerateDataKey",
		"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "ReEncrypt",
		"Sign", "Verify", "VerifyMac":
		return kmsapi.NotFoundException("Invalid arn %s", s)
	}
	return kmsapi.InvalidArnException("Invalid arn %s", s)
}

// resolve finds the key that an identifier names and writes it into the audit record. A key of the caller's own account
// that does not exist is NotFoundException; in another account it is one that nothing allows, as is every key for what
// other accounts can never do.
func (s *Service) resolve(ctx context.Context, c *service.Call, action, id string, f forms) (*keyTarget, error) {
	r, err := parseRef(c, id, f)
	if err != nil {
		return nil, err
	}
	t := &keyTarget{service: s, action: action, ref: r}
	if r.account != c.Caller.Account && !crossAccount[action] {
		return t, nil
	}
	if err := s.lookup(ctx, c, t); err != nil {
		if e := api.From(err); r.account != c.Caller.Account && e.Code == "NotFoundException" {
			return t, nil
		}
		return nil, err
	}
	if r.account == c.Caller.Account && !t.fresh {
		record(c, t.key)
	}
	return t, nil
}

// record names a key in the audit record.
func record(c *service.Call, k *Key) {
	c.Event.Resources = append(c.Event.Resources, audit.Resource{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"})
}

// lookup reads the key that a target names.
func (s *Service) lookup(ctx context.Context, c *service.Call, t *keyTarget) error {
	r, id := t.ref, t.ref.id
	if r.alias != "" {
		a, _, err := s.aliasTarget(ctx, c, r)
		if err != nil {
			return err
		}
		if a == nil {
			t.key, t.fresh = newManaged(c, r), true
			t.key.compiled = s.compile(t.key)
			return nil
		}
		id = a.Target
	}
	var err error
	if t.key, t.revision, err = s.get(ctx, c.Now, r.account, r.region, id); err != nil {
		return err
	}
	if t.key == nil && r.alias != "" {
		return aliasNotFound(r)
	}
	if t.key == nil {
		return kmsapi.NotFoundException("Key '%s' does not exist", r.arn())
	}
	return nil
}

// get reads a key by its address; nil when there is none, or none any more. The store is not trusted: a record that was
// moved there from another key's place would give its material to the wrong caller, and is refused.
func (s *Service) get(ctx context.Context, now time.Time, account, region, id string) (*Key, int64, error) {
	k, revision, err := s.keys.Get(ctx, keyPath(account, region, id))
	if err != nil || k == nil {
		return nil, 0, err
	}
	if k.ID != id || k.Region != region || k.Account != account {
		return nil, 0, misplaced(k, keyPath(account, region, id))
	}
	if _, deleted := k.stateAt(now); deleted {
		return nil, revision, nil
	}
	return k, revision, nil
}

func misplaced(k *Key, path string) error {
	return fmt.Errorf("%w: the record of key %s is under %s", store.ErrCorrupt, k.ARN(), path)
}
