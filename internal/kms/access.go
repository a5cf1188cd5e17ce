package kms

import (
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
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
