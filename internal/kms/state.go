package kms

import (
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// outcome is what an operation answers in one key state (KMS Developer Guide, "Key states of AWS KMS keys").
type outcome byte

const (
	ok             outcome = iota
	disabled               // DisabledException … is disabled.
	pending                // KMSInvalidStateException … is pending deletion, or pending replica deletion.
	notPending             // KMSInvalidStateException … is not pending deletion.
	pendingImport          // KMSInvalidStateException … is pending import.
	creating               // KMSInvalidStateException … is creating.
	updating               // KMSInvalidStateException … is updating.
	externalOrigin         // UnsupportedOperationException … origin is EXTERNAL
)

// rule is what an operation asks of a key: that it is of the right kind, whatever its state, and what each state answers.
type rule struct {
	kind func(operation string, k *Key) error // nil: any
	// One for each state; pendingDeletion is for PendingReplicaDeletion too.
	enabled, disabled, pendingDeletion, pendingImport, creating, updating outcome
}

// of returns the rule for keys of one kind only.
func (r rule) of(kind func(string, *Key) error) rule {
	r.kind = kind
	return r
}

var (
	always  = rule{}
	usable  = rule{nil, ok, disabled, pending, pendingImport, creating, ok} // cryptographic use
	change  = rule{nil, ok, ok, pending, ok, ok, ok}                        // change of a living key
	setting = rule{nil, ok, ok, pending, pendingImport, creating, updating} // enable, disable

	encryption    = usage(kmsapi.KeyUsageTypeEncryptDecrypt)
	signing       = usage(kmsapi.KeyUsageTypeSignVerify)
	mac           = usage(kmsapi.KeyUsageTypeGenerateVerifyMac)
	agreement     = usage(kmsapi.KeyUsageTypeKeyAgreement)
	encapsulation = usage(kmsapi.KeyUsageTypeEncapsulateDecapsulate)
)

// rules has one row for each operation on a key. A test compares it with the operation table.
var rules = map[string]rule{
	"CancelKeyDeletion":                   {nil, notPending, notPending, ok, notPending, notPending, notPending},
	"CreateAlias":                         change,
	"CreateGrant":                         usable,
	"Decapsulate":                         usable.of(encapsulation),
	"Decrypt":                             usable, // what kind is wrong depends on the ciphertext
	"DeleteAlias":                         always,
	"DeleteImportedKeyMaterial":           rule{nil, ok, ok, ok, ok, creating, updating}.of(imported),
	"DeriveSharedSecret":                  usable.of(agreement),
	"DescribeKey":                         always,
	"DisableKey":                          setting,
	"DisableKeyRotation":                  rule{nil, ok, disabled, pending, externalOrigin, creating, ok}.of(scheduled),
	"EnableKey":                           setting,
	"EnableKeyRotation":                   rule{nil, ok, disabled, pending, externalOrigin, creating, ok}.of(scheduled),
	"Encapsulate":                         usable.of(encapsulation),
	"Encrypt":                             usable.of(encryption),
	"GenerateDataKey":                     usable.of(symmetricEncryption),
	"GenerateDataKeyPair":                 usable.of(symmetricEncryption),
	"GenerateDataKeyPairWithoutPlaintext": usable.of(symmetricEncryption),
	"GenerateDataKeyWithoutPlaintext":     usable.of(symmetricEncryption),
	"GenerateMac":                         usable.of(mac),
	"GetKeyLastUsage":                     always,
	"GetKeyPolicy":                        always,
	"GetKeyRotationStatus":                {nil, ok, ok, ok, externalOrigin, ok, ok},
	"GetParametersForImport":              rule{nil, ok, ok, pending, ok, creating, updating}.of(imported),
	"GetPublicKey":                        rule{nil, ok, ok, pending, ok, creating, ok}.of(asymmetric),
	"ImportKeyMaterial":                   rule{nil, ok, ok, pending, ok, creating, ok}.of(imported),
	"ListGrants":                          always,
	"ListKeyPolicies":                     always,
	"ListKeyRotations":                    always,
	"ListResourceTags":                    always,
	"PutKeyPolicy":                        always,
	"ReEncrypt":                           usable,
	"ReplicateKey":                        rule{nil, ok, disabled, pending, pendingImport, creating, updating}.of(primary),
	"RetireGrant":                         always,
	"RevokeGrant":                         always,
	"RotateKeyOnDemand":                   rule{nil, ok, disabled, pending, pendingImport, creating, ok}.of(rotatable),
	"ScheduleKeyDeletion":                 {nil, ok, ok, pending, ok, ok, updating},
	"Sign":                                usable.of(signing),
	"TagResource":                         change,
	"UntagResource":                       change,
	"UpdateAlias":                         change, // the new target; the old one may be in any state
	"UpdateKeyDescription":                change,
	"UpdatePrimaryRegion":                 usable.of(primary),
	"Verify":                              usable.of(signing),
	"VerifyMac":                           usable.of(mac),
}

// checkState refuses what the key's kind or state does not allow. An operation without a rule is a bug and is refused too.
func checkState(operation string, k *Key, now time.Time) error {
	r, known := rules[operation]
	if !known {
		return api.NewError("KMSInternalException", 500, "no state rule for %s", operation)
	}
	if r.kind != nil {
		if err := r.kind(operation, k); err != nil {
			return err
		}
	}
	return r.check(k, now)
}

// check refuses what the key's state does not allow.
func (r rule) check(k *Key, now time.Time) error {
	state, _ := k.stateAt(now)
	switch r.in(state) {
	case ok:
		return nil
	case disabled:
		return kmsapi.DisabledException("%s is disabled.", k.ARN())
	case notPending:
		return kmsapi.KMSInvalidStateException("%s is not pending deletion.", k.ARN())
	case externalOrigin:
		return wrongOrigin(k)
	}
	return kmsapi.KMSInvalidStateException("%s is %s.", k.ARN(), stateText[state])
}

// stateText is how AWS writes a state in a KMSInvalidStateException.
var stateText = map[kmsapi.KeyState]string{
	kmsapi.KeyStatePendingDeletion: "pending deletion", kmsapi.KeyStatePendingReplicaDeletion: "pending replica deletion",
	kmsapi.KeyStatePendingImport: "pending import", kmsapi.KeyStateCreating: "creating", kmsapi.KeyStateUpdating: "updating",
}

func (r rule) in(state kmsapi.KeyState) outcome {
	switch state {
	case kmsapi.KeyStateEnabled:
		return r.enabled
	case kmsapi.KeyStateDisabled:
		return r.disabled
	case kmsapi.KeyStatePendingImport:
		return r.pendingImport
	case kmsapi.KeyStateCreating:
		return r.creating
	case kmsapi.KeyStateUpdating:
		return r.updating
	}
	return r.pendingDeletion
}

// The kinds of key that operations ask for.

func usage(want kmsapi.KeyUsageType) func(string, *Key) error {
	return func(operation string, k *Key) error {
		if k.Usage != want {
			return wrongUsage(operation, k)
		}
		return nil
	}
}

func wrongUsage(operation string, k *Key) error {
	return kmsapi.InvalidKeyUsageException("%s key usage is %s which is not valid for %s.", k.ARN(), k.Usage, operation)
}

func symmetricEncryption(operation string, k *Key) error {
	switch {
	case k.Usage != kmsapi.KeyUsageTypeEncryptDecrypt:
		return wrongUsage(operation, k)
	case !k.symmetric():
		return kmsapi.InvalidKeyUsageException("%s key spec is %s which is not valid for %s.", k.ARN(), k.Spec, operation)
	}
	return nil
}

func asymmetric(_ string, k *Key) error {
	if !k.asymmetric() {
		return kmsapi.UnsupportedOperationException("%s key spec is %s which is not valid for GetPublicKey.", k.ARN(), k.Spec)
	}
	return nil
}

func imported(_ string, k *Key) error {
	if !k.external() {
		return wrongOrigin(k)
	}
	return nil
}

func wrongOrigin(k *Key) error {
	return kmsapi.UnsupportedOperationException("%s origin is %s which is not valid for this operation.", k.ARN(), k.Origin)
}

// rotatable keys are symmetric, and a multi-Region key rotates where its primary is. The text for other kinds is empty,
// as observed of AWS.
func rotatable(_ string, k *Key) error {
	switch {
	case !k.symmetric():
		return kmsapi.UnsupportedOperationException("")
	case k.replica():
		return notPrimary(k)
	}
	return nil
}

// scheduled keys rotate by themselves: not those with imported material.
func scheduled(operation string, k *Key) error {
	if err := rotatable(operation, k); err != nil {
		return err
	}
	if k.external() {
		return wrongOrigin(k)
	}
	return nil
}

func primary(_ string, k *Key) error {
	if !k.primary() {
		return notPrimary(k)
	}
	return nil
}

func notPrimary(k *Key) error {
	return kmsapi.UnsupportedOperationException("%s is not a multi-region primary key.", k.ARN())
}
