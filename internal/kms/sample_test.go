package kms_test

import (
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// sample makes a request of an operation on the key that id names, which succeeds on an enabled key. CancelKeyDeletion
// is the exception; it needs a key that is pending deletion.
type sample struct {
	operation string
	anyForm   bool // takes alias names and alias ARNs too
	make      func(u user, id string) request
}

// spareAlias is an alias that some samples need, of another key.
const spareAlias = "alias/spare"

// onKey has a sample of every operation that names a key.
func onKey(t *testing.T) []sample {
	t.Helper()
	all := append(administration(), cryptography()...)
	if len(all) != 21 {
		t.Fatalf("%d samples", len(all))
	}
	return all
}

func administration() []sample {
	return []sample{
		{"CancelKeyDeletion", false, func(_ user, id string) request { return &kmsapi.CancelKeyDeletionRequest{KeyId: &id} }},
		{"CreateAlias", false, func(_ user, id string) request {
			return &kmsapi.CreateAliasRequest{AliasName: new("alias/new"), TargetKeyId: &id}
		}},
		{"DescribeKey", true, func(_ user, id string) request { return &kmsapi.DescribeKeyRequest{KeyId: &id} }},
		{"DisableKey", false, func(_ user, id string) request { return &kmsapi.DisableKeyRequest{KeyId: &id} }},
		{"EnableKey", false, func(_ user, id string) request { return &kmsapi.EnableKeyRequest{KeyId: &id} }},
		{"GetKeyPolicy", false, func(_ user, id string) request { return &kmsapi.GetKeyPolicyRequest{KeyId: &id} }},
		{"ListAliases", false, func(_ user, id string) request { return &kmsapi.ListAliasesRequest{KeyId: &id} }},
		{"ListKeyPolicies", false, func(_ user, id string) request { return &kmsapi.ListKeyPoliciesRequest{KeyId: &id} }},
		{"ListResourceTags", false, func(_ user, id string) request { return &kmsapi.ListResourceTagsRequest{KeyId: &id} }},
		{"PutKeyPolicy", false, func(u user, id string) request {
			return &kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: new(allow(u.principal(), "kms:*"))}
		}},
		{"ScheduleKeyDeletion", false, func(_ user, id string) request { return &kmsapi.ScheduleKeyDeletionRequest{KeyId: &id} }},
		{"TagResource", false, func(_ user, id string) request {
			return &kmsapi.TagResourceRequest{KeyId: &id, Tags: []kmsapi.Tag{{TagKey: new("k"), TagValue: new("v")}}}
		}},
		{"UntagResource", false, func(_ user, id string) request {
			return &kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{"k"}}
		}},
		{"UpdateAlias", false, func(u user, id string) request {
			return &kmsapi.UpdateAliasRequest{AliasName: new(spareAlias), TargetKeyId: &id}
		}},
		{"UpdateKeyDescription", false, func(_ user, id string) request {
			return &kmsapi.UpdateKeyDescriptionRequest{KeyId: &id, Description: new("new")}
		}},
	}
}

// cryptography has the operations that use a key. Their ciphertexts are made by another key with the alias spareAlias,
// so those that decrypt are asked as a dry run that ignores the ciphertext, where a sample with a real one does not serve.
func cryptography() []sample {
	ignore := []kmsapi.DryRunModifierType{kmsapi.DryRunModifierTypeIgnoreCiphertext}
	return []sample{
		{"Decrypt", true, func(_ user, id string) request {
			return &kmsapi.DecryptRequest{KeyId: &id, DryRun: new(true), DryRunModifiers: ignore}
		}},
		{"Encrypt", true, func(_ user, id string) request { return &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret)} }},
		{"GenerateDataKey", true, func(_ user, id string) request {
			return &kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: new(kmsapi.DataKeySpecAes256)}
		}},
		{"GenerateDataKeyWithoutPlaintext", true, func(_ user, id string) request {
			return &kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &id, KeySpec: new(kmsapi.DataKeySpecAes256)}
		}},
		{"ReEncrypt", true, func(_ user, id string) request { // the source
			return &kmsapi.ReEncryptRequest{SourceKeyId: &id, DestinationKeyId: new(spareAlias), DryRun: new(true), DryRunModifiers: ignore}
		}},
		{"ReEncrypt", true, func(_ user, id string) request { // the destination
			return &kmsapi.ReEncryptRequest{SourceKeyId: new(spareAlias), DestinationKeyId: &id, DryRun: new(true), DryRunModifiers: ignore}
		}},
	}
}

const dryRun = "The request would have succeeded, but the DryRun option is set."

// accepted says whether an answer means that the request was right: an answer, or the word that it would have been one.
func (a answer) accepted() bool {
	return a.ok() || a.code == "DryRunOperationException" && a.message == dryRun
}

// allow is a key policy that allows a principal some actions on the key.
func allow(principal, action string) string {
	return `{"Version":"2012-10-17","Statement":[` + statement("Allow", principal, action) + `]}`
}

func statement(effect, principal, action string) string {
	return `{"Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":"` + action + `","Resource":"*"}`
}

// secret is what is encrypted, a text that occurs nowhere else.
const secret = "squeamish ossifrage"
