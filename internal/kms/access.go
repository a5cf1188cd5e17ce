package kms

import (
	"context"
	"errors"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

const (
	reEncryptFrom = "kms:ReEncryptFrom"
	reEncryptTo   = "kms:ReEncryptTo"
	tagAction     = "kms:TagResource"
	createAction  = "kms:CreateKey"
)

// crossAccount are the actions that can be done on another account's key (Service Authorization Reference). No policy
// allows any other.
var crossAccount = map[string]bool{
	"kms:CreateGrant": true, "kms:Decapsulate": true, "kms:Decrypt": true, "kms:DeriveSharedSecret": true, "kms:DescribeKey": true,
	"kms:Encapsulate": true, "kms:Encrypt": true, "kms:GenerateDataKey": true, "kms:GenerateDataKeyPair": true,
	"kms:GenerateDataKeyPairWithoutPlaintext": true, "kms:GenerateDataKeyWithoutPlaintext": true, "kms:GenerateMac": true,
	"kms:GetKeyRotationStatus": true, "kms:GetPublicKey": true, "kms:ListGrants": true, reEncryptFrom: true, reEncryptTo: true,
	retireAction: true, "kms:RevokeGrant": true, "kms:Sign": true, "kms:Verify": true, "kms:VerifyMac": true,
}

// keyTarget is a resolved key, with the action on it that has to be allowed.
type keyTarget struct {
	service  *Service
	call     *service.Call
	action   string
	ref      ref
	key      *Key // nil: of another account, and not there, or not for any other account
	revision int64
	fresh    bool // the key of an AWS service, which comes into being when the call is allowed
}

// Access is the one action on the key, decided by its policy and its grants. A key of another account that does not
// exist is one that nothing allows.
func (t *keyTarget) Access(c *service.Call) []authz.Access { return []authz.Access{t.access(c)} }

func (t *keyTarget) access(c *service.Call) authz.Access {
	x := authz.Access{Action: t.action, Resource: t.ref.arn(), Account: t.ref.account, Missing: true}
	if t.key == nil {
		return x
	}
	x.Resource, x.Missing, x.Policy = t.key.ARN(), false, t.key.compiled
	x.Local, x.Managed = !crossAccount[t.action], t.key.Service != ""
	x.Context = &conditions{service: t.service, call: c, action: t.action, key: t.key, alias: t.ref.alias}
	if t.key.Grants > 0 {
		t.call, x.Grants = c, t
	}
	if t.ref.alias != "" && t.key.Account != c.Caller.Account {
		// Whoever may not use the key is not told which key another account's alias points to, nor whether there is one.
		x.Named = t.ref.arn()
	}
	return x
}

// settle does what a call that is allowed brings about before anything else: the key of an AWS service comes into being,
// rotations that are due happen, and another account's key is named in the record. After a change the call begins anew.
func (s *Service) settle(ctx context.Context, c *service.Call, t *keyTarget) error {
	if t == nil || t.key == nil {
		return nil
	}
	if t.key.Account != c.Caller.Account {
		record(c, t.key)
	}
	switch {
	case t.fresh:
		if err := s.createManaged(ctx, t.key); err != nil {
			return err
		}
		return store.ErrConflict
	case t.key.dueAt(c.Now) && !c.DryRun:
		return s.makeUp(ctx, c, t)
	}
	return nil
}

// makeUp does the rotations that are due: no key is used, or shown, with material that should have been replaced by
// then. Nothing has to run in time for that, nor at all between two requests. A rotation that cannot be written down (a
// full disk, relatives that are too large together) is tried again by the next request, and keeps nobody from
// decrypting, nor from mending it.
func (s *Service) makeUp(ctx context.Context, c *service.Call, t *keyTarget) error {
	// One at a time in this process: the others find it done, and no record tells of material that nobody has.
	lock := s.rotationOf(t.key)
	lock.Lock()
	defer lock.Unlock()
	k, revision, err := s.get(ctx, c.Now, t.key.Account, t.key.Region, t.key.ID)
	switch {
	case err != nil:
		return err
	case k == nil || revision != t.revision:
		return store.ErrConflict
	}
	switch err := s.rotateDue(ctx, c.Now, &keyTarget{key: k, revision: revision}); {
	case errors.Is(err, store.ErrConflict):
		return err
	case err != nil:
		s.log.Error("a rotation that is due could not be done", "key", k.ARN(), "error", err)
		return nil
	}
	if _, now, err := s.get(ctx, c.Now, k.Account, k.Region, k.ID); err != nil || now != revision {
		return errors.Join(err, store.ErrConflict)
	}
	return nil // its primary key is not enabled, and it stays due
}
