package iam

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// Registered is a service that an administrator trusts to speak for principals of some accounts: an object store or a
// database that uses keys for those who use it. It has an access key, and its requests come from the service principal
// itself, or from the principal on whose behalf it makes them.
type Registered struct {
	Version   int       `json:"v"`
	Principal string    `json:"principal"` // s3.amazonaws.com
	Accounts  []string  `json:"accounts"`  // for whose principals and resources it may speak
	AccessKey string    `json:"access_key"`
	Created   time.Time `json:"created"`
}

const registeredPrefix = "iam/service/"

// ofService is what the owner of a registered service's access key begins with.
const ofService = "service/"

func registeredPath(principal string) string { return registeredPrefix + principal }

func decodeRegistered(b []byte) (*Registered, error) {
	return decodeRecord(b, func(r *Registered) int { return r.Version })
}

// maxRegistered bounds how many services there can be.
const maxRegistered = 1000

// RegisterService makes a service known, and gives it an access key, of which the secret is told once.
func (s *Service) RegisterService(ctx context.Context, now time.Time, principal string, accounts []string) (accessKeyID string, secret material.Bytes, err error) {
	var none material.Bytes
	switch {
	case !caller.IsServiceName(principal):
		return "", none, api.ValidationException("%s is not a service principal: it must be of the form name.amazonaws.com.", principal)
	case slices.ContainsFunc(accounts, func(a string) bool { return !arn.IsAccount(a) }):
		return "", none, api.ValidationException("Accounts must be account ids of twelve digits.")
	}
	path := registeredPath(principal)
	if r, _, err := s.registered.Get(ctx, path); err != nil {
		return "", none, err
	} else if r != nil {
		return "", none, api.NewError("AlreadyExistsException", 400, "The service %s is registered already.", principal)
	}
	all, err := s.ListServices(ctx)
	if err != nil {
		return "", none, err
	}
	if len(all) >= maxRegistered {
		return "", none, api.NewError("LimitExceededException", 400, "There are %d services already, the most there can be.", maxRegistered)
	}
	k := newAccessKey("", ofService+principal, now)
	keyPut, err := s.keys.Put(keyPrefix+k.id, k)
	if err != nil {
		return "", none, err
	}
	r := &Registered{Version: recordVersion, Principal: principal, Accounts: slices.Clone(accounts), AccessKey: k.id, Created: now}
	p, err := s.registered.Put(path, r)
	if err != nil {
		return "", none, err
	}
	_, err = s.Store.Commit(ctx, store.Txn{
		Checks: []store.Check{{Key: path}, {Key: keyPrefix + k.id}}, Puts: []store.Put{keyPut, p},
	})
	return k.id, k.secret, err
}

// DeregisterService forgets a service. Its access key works no more.
func (s *Service) DeregisterService(ctx context.Context, principal string) error {
	if !caller.IsServiceName(principal) {
		return notRegistered(principal)
	}
	path := registeredPath(principal)
	r, revision, err := s.registered.Get(ctx, path)
	if err != nil {
		return err
	}
	if r == nil {
		return notRegistered(principal)
	}
	_, err = s.Store.Commit(ctx, store.Txn{
		Checks: []store.Check{{Key: path, Revision: revision}}, Deletes: []string{path, keyPrefix + r.AccessKey},
	})
	return err
}

func notRegistered(principal string) error {
	return api.NewError("NotFoundException", 400, "The service %s is not registered.", principal)
}

// ListServices returns all registered services, in the order of their names.
func (s *Service) ListServices(ctx context.Context) ([]trentapi.RegisteredService, error) {
	all := []trentapi.RegisteredService{}
	page, err := s.Store.Range(ctx, registeredPrefix, "", maxRegistered)
	if err != nil {
		return nil, err
	}
	for _, record := range page.Records {
		r, err := s.registered.Decode(record)
		if err != nil {
			return nil, err
		}
		all = append(all, trentapi.RegisteredService{ServicePrincipal: &r.Principal, Accounts: r.Accounts, AccessKeyId: &r.AccessKey})
	}
	return all, nil
}

// serviceOf returns the service that an access key belongs to. The service must know of the key.
func (s *Service) serviceOf(ctx context.Context, k *accessKey) (caller.Caller, error) {
	principal := strings.TrimPrefix(k.user, ofService)
	r, _, err := s.registered.Get(ctx, registeredPath(principal))
	switch {
	case err != nil:
		return caller.Caller{}, err
	case r == nil || r.Principal != principal || r.AccessKey != k.id:
		return caller.Caller{}, sigv4.ErrUnknownKey
	}
	return caller.Caller{Type: caller.Service, ARN: principal, UserID: principal, AccessKeyID: k.id}, nil
}

// Forward returns the caller of a request that a registered service makes on behalf of a principal, or by itself for a
// resource. The service must have been trusted with the account of either.
func (s *Service) Forward(ctx context.Context, by *caller.Caller, f service.Forwarded) (caller.Caller, error) {
	r, _, err := s.registered.Get(ctx, registeredPath(by.ARN))
	if err != nil {
		return caller.Caller{}, err
	}
	if r == nil { // it was forgotten this moment
		r = &Registered{}
	}
	if f.AccessKeyID == "" {
		return r.actFor(*by, f.SourceARN, f.SourceAccount)
	}
	return s.onBehalf(ctx, by, r, f)
}

// onBehalf returns whoever has the credentials that a service was called with, as they are now.
func (s *Service) onBehalf(ctx context.Context, by *caller.Caller, r *Registered, f service.Forwarded) (caller.Caller, error) {
	cred, err := s.Lookup(ctx, f.AccessKeyID, f.SessionToken)
	if err != nil && !errors.Is(err, sigv4.ErrUnknownKey) {
		return caller.Caller{}, err
	}
	c := cred.Caller
	if err != nil || !slices.Contains(r.Accounts, c.Account) {
		return caller.Caller{}, api.AccessDeniedException("%s may not make requests on behalf of this principal.", by.ARN)
	}
	c.Forwarder = by.ARN
	return c, nil
}

// actFor returns a service as the caller for a resource. Some ARNs do not tell the account, as those of buckets. What tells
// it must tell one account, which the service is trusted with: policies go by it.
func (r *Registered) actFor(by caller.Caller, sourceARN, sourceAccount string) (caller.Caller, error) {
	account := sourceAccount
	if sourceARN != "" {
		a, err := arn.Parse(sourceARN)
		switch {
		case err != nil:
			return by, api.AccessDeniedException("%s may not make requests for a resource whose ARN is malformed.", by.ARN)
		case account != "" && a.Account != "" && a.Account != account:
			return by, api.AccessDeniedException("%s may not make requests for a resource that is not of the account that it names.", by.ARN)
		}
		account = cmp.Or(account, a.Account)
	}
	if account != "" && !slices.Contains(r.Accounts, account) {
		return by, api.AccessDeniedException("%s may not make requests for resources of this account.", by.ARN)
	}
	by.SourceARN, by.SourceAccount = sourceARN, sourceAccount
	return by, nil
}
