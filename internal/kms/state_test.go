package kms_test

import (
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// What an operation answers on a key in a state, in the words of the published table.
const (
	works      = "ok"
	isDisabled = "DisabledException %s is disabled."
	isPendings = "KMSInvalidStateException %s is pending deletion."
	notPending = "KMSInvalidStateException %s is not pending deletion."
	isGone     = "NotFoundException Key '%s' does not exist"
	isHidden   = "AccessDeniedException The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."
)

// TestOperationsInEachKeyState is the table of the KMS Developer Guide ("Key states"), as far as its states and
// operations exist here, and what becomes of each operation when the waiting period is over.
func TestOperationsInEachKeyState(t *testing.T) {
	for _, row := range []struct {
		operation                           string
		enabled, disabled, pending, deleted string
	}{
		{"CancelKeyDeletion", notPending, notPending, works, isGone},
		{"CreateAlias", works, works, isPendings, isGone},
		{"Decrypt", works, isDisabled, isPendings, isHidden},
		{"Decrypt with KeyId", works, isDisabled, isPendings, isGone},
		{"DeleteAlias", works, works, works, "NotFoundException Alias arn:aws:kms:us-east-1:111122223333:alias/of-key is not found."},
		{"DescribeKey", works, works, works, isGone},
		{"DisableKey", works, works, isPendings, isGone},
		{"EnableKey", works, works, isPendings, isGone},
		{"Encrypt", works, isDisabled, isPendings, isGone},
		{"GenerateDataKey", works, isDisabled, isPendings, isGone},
		{"GenerateDataKeyWithoutPlaintext", works, isDisabled, isPendings, isGone},
		{"GetKeyPolicy", works, works, works, isGone},
		{"ListAliases", works, works, works, isGone},
		{"ListKeyPolicies", works, works, works, isGone},
		{"ListResourceTags", works, works, works, isGone},
		{"PutKeyPolicy", works, works, works, isGone},
		{"ReEncrypt from", works, isDisabled, isPendings, isHidden},
		{"ReEncrypt to", works, isDisabled, isPendings, isGone},
		{"ScheduleKeyDeletion", works, works, isPendings, isGone},
		{"TagResource", works, works, isPendings, isGone},
		{"UntagResource", works, works, isPendings, isGone},
		{"UpdateAlias to", works, works, isPendings, isGone},
		{"UpdateAlias from", works, works, works, "NotFoundException Alias arn:aws:kms:us-east-1:111122223333:alias/of-key is not found."},
		{"UpdateKeyDescription", works, works, isPendings, isGone},
	} {
		t.Run(row.operation, func(t *testing.T) {
			for _, s := range []struct {
				state kmsapi.KeyState
				want  string
			}{
				{kmsapi.KeyStateEnabled, row.enabled}, {kmsapi.KeyStateDisabled, row.disabled},
				{kmsapi.KeyStatePendingDeletion, row.pending}, {"deleted", row.deleted},
			} {
				testInState(t, row.operation, s.state, s.want)
			}
		})
	}
}

// testInState makes a key with an alias, a ciphertext and a tag, brings it into a state and asks for the operation.
func testInState(t *testing.T, operation string, state kmsapi.KeyState, want string) {
	t.Helper()
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.createAlias("alias/of-key", id)
	u.createAlias(spareAlias, u.createKey())
	in := requestInState(t, u, operation, id, u.encrypt(id, secret, nil), u.encrypt(spareAlias, secret, nil))
	switch state {
	case kmsapi.KeyStateDisabled:
		u.disable(id)
	case kmsapi.KeyStatePendingDeletion:
		u.schedule(id)
	case "deleted":
		u.schedule(id)
		u.advance("7d")
	}
	got := works
	if a := u.send(in); !a.ok() {
		got = a.code + " " + a.message
	}
	if want = strings.ReplaceAll(want, "%s", u.keyARN(id)); got != want {
		t.Errorf("%s: got %q, want %q", state, got, want)
	}
}

func requestInState(t *testing.T, u user, operation, id string, own, other []byte) request {
	t.Helper()
	switch operation {
	case "Decrypt":
		return &kmsapi.DecryptRequest{CiphertextBlob: own}
	case "Decrypt with KeyId":
		return &kmsapi.DecryptRequest{CiphertextBlob: own, KeyId: &id}
	case "ReEncrypt from":
		return &kmsapi.ReEncryptRequest{CiphertextBlob: own, DestinationKeyId: new(spareAlias)}
	case "ReEncrypt to":
		return &kmsapi.ReEncryptRequest{CiphertextBlob: other, DestinationKeyId: &id}
	case "DeleteAlias":
		return &kmsapi.DeleteAliasRequest{AliasName: new("alias/of-key")}
	case "UpdateAlias from":
		return &kmsapi.UpdateAliasRequest{AliasName: new("alias/of-key"), TargetKeyId: u.describe(spareAlias).KeyId}
	}
	operation, _, _ = strings.Cut(operation, " ")
	for _, s := range onKey(t) {
		if s.operation == operation {
			return s.make(u, id)
		}
	}
	t.Fatalf("no sample of %s", operation)
	return nil
}

// The answers of C4a in the order of the checks: parameters, key, permission, state, cryptography, dry run.
func TestOrderOfChecks(t *testing.T) {
	w := newWorld(t)
	u, stranger := w.as(alice), w.as(bob)
	id, absent := u.createKey(), u.keyARN("00000000-0000-4000-8000-000000000000")
	ciphertext := u.encrypt(id, secret, nil)
	u.disable(id)
	for _, row := range []struct {
		name string
		by   user
		in   request
		code string
	}{
		{"parameters before the key", u, &kmsapi.EncryptRequest{KeyId: &absent}, "ValidationException"},
		{"key before parameters of its own", u, &kmsapi.PutKeyPolicyRequest{KeyId: &absent, Policy: new("x")}, "NotFoundException"},
		{"permission before state", stranger, &kmsapi.EncryptRequest{KeyId: new(u.keyARN(id)), Plaintext: []byte("x")}, "AccessDeniedException"},
		{"permission before a broken ciphertext", stranger, &kmsapi.DecryptRequest{KeyId: new(u.keyARN(id)), CiphertextBlob: []byte("x")}, "AccessDeniedException"},
		{"state before a broken ciphertext", u, &kmsapi.DecryptRequest{KeyId: &id, CiphertextBlob: []byte("x")}, "DisabledException"},
		{"state before the wrong encryption context", u, &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: map[string]string{"a": "b"}}, "DisabledException"},
		{"state before dry run", u, &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte("x"), DryRun: new(true)}, "DisabledException"},
		{"state before data key size", u, &kmsapi.GenerateDataKeyRequest{KeyId: &id}, "DisabledException"},
	} {
		if a := row.by.send(row.in); a.code != row.code {
			t.Errorf("%s: got %q %q, want %q", row.name, a.code, a.message, row.code)
		}
	}
}
