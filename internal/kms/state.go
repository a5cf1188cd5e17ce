package kms

import (
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// outcome is what an operation answers in one key state (KMS Developer Guide, "Key states of AWS KMS keys").
type outcome byte

const (
	ok         outcome = iota
	disabled           // DisabledException
	pending            // KMSInvalidStateException … is pending deletion.
	notPending         // KMSInvalidStateException … is not pending deletion.
)

// rule has an operation's outcome for each state that a key can be in today.
type rule struct{ enabled, disabled, pendingDeletion outcome }

var (
	always = rule{ok, ok, ok}
	use    = rule{ok, disabled, pending} // cryptographic use
	change = rule{ok, ok, pending}       // change of a living key
)

// rules has one row for each operation on a key. A test compares it with the operation table.
var rules = map[string]rule{
	"CancelKeyDeletion":               {notPending, notPending, ok},
	"CreateAlias":                     change,
	"Decrypt":                         use,
	"DeleteAlias":                     always,
	"DescribeKey":                     always,
	"DisableKey":                      change,
	"EnableKey":                       change,
	"Encrypt":                         use,
	"GenerateDataKey":                 use,
	"GenerateDataKeyWithoutPlaintext": use,
	"GetKeyPolicy":                    always,
	"ListKeyPolicies":                 always,
	"ListResourceTags":                always,
	"PutKeyPolicy":                    always,
	"ReEncrypt":                       use,
	"ScheduleKeyDeletion":             change,
	"TagResource":                     change,
	"UntagResource":                   change,
	"UpdateAlias":                     change, // the new target; the old one may be in any state
	"UpdateKeyDescription":            change,
}

// checkState refuses what the key's state does not allow. An operation without a rule is a bug and is refused too.
func checkState(operation string, k *Key, now time.Time) error {
	r, known := rules[operation]
	if !known {
		return api.NewError("KMSInternalException", 500, "no state rule for %s", operation)
	}
	state, _ := k.stateAt(now)
	switch r.in(state) {
	case ok:
		return nil
	case disabled:
		return kmsapi.DisabledException("%s is disabled.", k.ARN())
	case notPending:
		return kmsapi.KMSInvalidStateException("%s is not pending deletion.", k.ARN())
	}
	return kmsapi.KMSInvalidStateException("%s is pending deletion.", k.ARN())
}

func (r rule) in(state kmsapi.KeyState) outcome {
	switch state {
	case kmsapi.KeyStateEnabled:
		return r.enabled
	case kmsapi.KeyStateDisabled:
		return r.disabled
	}
	return r.pendingDeletion
}
