// Package authz decides whether a caller may do what it asks for.
//
// Today one rule stands: a caller acts inside its own account, and the keys that AWS services manage cannot be changed
// by anybody. Policies and grants are stored and validated elsewhere, and not consulted yet.
package authz

import (
	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
)

// Access is one thing to be decided: an action on a resource.
type Access struct {
	Action   string // kms:Encrypt
	Resource string // an ARN, or "*" for operations without a resource
	Account  string // the resource's account; the caller's own for "*"
	// ServiceManaged marks a key that an AWS service manages (alias/aws/…).
	ServiceManaged bool
}

// serviceManaged has what a caller may do with a key that a service manages; its key policy allows nothing else
// (KMS Developer Guide, "AWS managed keys"). Use of the key is there because clients that stand in for a service
// call it directly.
var serviceManaged = map[string]bool{
	"kms:DescribeKey": true, "kms:GetKeyPolicy": true, "kms:ListKeyPolicies": true, "kms:ListResourceTags": true,
	"kms:ListAliases": true, "kms:GetKeyRotationStatus": true, "kms:ListKeyRotations": true, "kms:GetKeyLastUsage": true,
	"kms:ListGrants": true, "kms:CreateGrant": true, "kms:RevokeGrant": true, "kms:RetireGrant": true,
	"kms:Encrypt": true, "kms:Decrypt": true, "kms:ReEncryptFrom": true, "kms:ReEncryptTo": true,
	"kms:GenerateDataKey": true, "kms:GenerateDataKeyWithoutPlaintext": true,
	"kms:GenerateDataKeyPair": true, "kms:GenerateDataKeyPairWithoutPlaintext": true,
}

// Authorize returns nil if every access is allowed, else AccessDeniedException in AWS's words for the first that is not.
func Authorize(c caller.Caller, access ...Access) error {
	for _, a := range access {
		if a.Account != c.Account {
			return Denied(c, a)
		}
		if a.ServiceManaged && !serviceManaged[a.Action] {
			return Denied(c, a)
		}
	}
	return nil
}

// Denied is the answer to a caller that the resource's own policy does not allow. It is the same whether the resource
// exists or not, so that nobody can search another account by it.
func Denied(c caller.Caller, a Access) error {
	return api.AccessDeniedException("User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %s action",
		c.ARN, a.Action, a.Resource, a.Action)
}
