package kms

import (
	"context"
	"errors"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
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
			return ref{}, kmsapi.InvalidArnException("Invalid arn %s", s)
		}
		if a.Region != c.Region || a.Partition != arn.Partition(c.Region) {
			return ref{}, kmsapi.NotFoundException("Invalid arn %s", a.Region)
		}
		r.account, name = a.Account, a.Resource
		if id, ok := strings.CutPrefix(name, "key/"); ok {
			name = id
		} else if !strings.HasPrefix(name, "alias/") {
			return ref{}, kmsapi.InvalidArnException("Invalid arn %s", s)
		}
	}
	switch {
	case strings.HasPrefix(name, "alias/") && f == anyForm && isAliasName(name):
		r.alias = name
	case isKeyID(name):
		r.id = name
	default:
		return ref{}, kmsapi.NotFoundException("Invalid keyId '%s'", s)
	}
	return r, nil
}

// keyTarget is a resolved key, with the action on it that has to be allowed.
type keyTarget struct {
	action   string
	ref      ref
	key      *Key // nil: does not exist, and the caller may not know
	revision int64
}

// Access is the one action on the key.
func (t *keyTarget) Access(*service.Call) []authz.Access {
	a := authz.Access{Action: t.action, Resource: t.ref.arn(), Account: t.ref.account}
	if t.key != nil {
		a.Resource, a.ServiceManaged = t.key.ARN(), t.key.Service != ""
	}
	return []authz.Access{a}
}

// resolve finds the key that an identifier names and writes it into the audit record. A key of the caller's own account
// that does not exist is NotFoundException. Of another account, authorization speaks first, so that nobody learns what
// exists there.
func (s *Service) resolve(ctx context.Context, c *service.Call, action, id string, f forms) (*keyTarget, error) {
	r, err := parseRef(c, id, f)
	if err != nil {
		return nil, err
	}
	t := &keyTarget{action: action, ref: r}
	t.key, t.revision, err = s.lookup(ctx, c, r)
	if err != nil {
		if isNotFound(err) && r.account != c.Caller.Account {
			return t, nil
		}
		return nil, err
	}
	record(c, t.key)
	return t, nil
}

// record names a key in the audit record.
func record(c *service.Call, k *Key) {
	c.Event.Resources = append(c.Event.Resources, audit.Resource{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"})
}

// lookup returns the key behind a ref, and its record's revision.
func (s *Service) lookup(ctx context.Context, c *service.Call, r ref) (*Key, int64, error) {
	id := r.id
	if r.alias != "" {
		a, _, err := s.aliasTarget(ctx, c, r)
		if err != nil {
			return nil, 0, err
		}
		id = a.Target
	}
	k, revision, err := s.get(ctx, c, r.account, r.region, id)
	if err != nil {
		return nil, 0, err
	}
	if k == nil && r.alias != "" {
		return nil, 0, aliasNotFound(r)
	}
	if k == nil {
		return nil, 0, kmsapi.NotFoundException("Key '%s' does not exist", r.arn())
	}
	return k, revision, nil
}

// get reads a key by its address; nil when there is none, or none any more.
func (s *Service) get(ctx context.Context, c *service.Call, account, region, id string) (*Key, int64, error) {
	k, revision, err := s.keys.Get(ctx, keyPath(account, region, id))
	if err != nil || k == nil {
		return nil, 0, err
	}
	if _, deleted := k.stateAt(c.Now); deleted {
		return nil, revision, nil
	}
	return k, revision, nil
}

func isNotFound(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Code == "NotFoundException"
}
