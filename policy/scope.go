package policy

import (
	"slices"
	"strings"
)

// Scope is what an action of KMS acts on.
type Scope uint8

// The scopes.
const (
	NoAction  Scope = iota // there is no such action
	OnKey                  // on a key, whose policy has a say
	OnAccount              // on no key: its resource is *
)

// ScopeOf returns the scope of an action of KMS, as kms:Decrypt (Service Authorization Reference). Case matters.
func ScopeOf(action string) Scope {
	name, ok := strings.CutPrefix(action, "kms:")
	switch {
	case ok && slices.Contains(keyActions(), name):
		return OnKey
	case ok && slices.Contains(accountActions(), name):
		return OnAccount
	}
	return NoAction
}

// ActsOnAlias says whether an action of KMS must be allowed on an alias as well as on its key.
func ActsOnAlias(action string) bool {
	return action == "kms:CreateAlias" || action == "kms:UpdateAlias" || action == "kms:DeleteAlias"
}
