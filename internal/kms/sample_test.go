package kms_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"slices"
	"strings"
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

// onKey has the samples that a symmetric key serves which nothing has been done with, as the key of an AWS service is.
func onKey(t *testing.T) []sample {
	t.Helper()
	symmetric := keyKinds()[0]
	var all []sample
	for _, s := range samples(symmetric, &evidence{}) {
		if wrongKind(s.operation, symmetric, "") == "" && s.operation != "RevokeGrant" && s.operation != "RetireGrant" {
			s.operation = operation(s.operation)
			all = append(all, s)
		}
	}
	if len(all) != 31 {
		t.Fatalf("%d samples", len(all))
	}
	return all
}

// samples has a sample of every operation that names a key, with parameters that fit a kind of key, and with evidence of
// one such key. Where a key plays several roles in an operation each has a sample: "ReEncrypt from", "ReEncrypt to".
func samples(k keyKind, e *evidence) []sample {
	return slices.Concat(administration(), cryptography(k, e), pairs(k, e), rotation(), imports(e), grants(e), multiRegion())
}

// operation is the name without the role.
func operation(name string) string {
	name, _, _ = strings.Cut(name, " ")
	return name
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

// ignore asks for a dry run without a ciphertext, where there is none.
func ignore(ciphertext []byte) (*bool, []kmsapi.DryRunModifierType) {
	if ciphertext != nil {
		return nil, nil
	}
	return new(true), []kmsapi.DryRunModifierType{kmsapi.DryRunModifierTypeIgnoreCiphertext}
}

// cryptography has the operations for which a key encrypts and decrypts.
func cryptography(k keyKind, e *evidence) []sample {
	algorithm := new(k.encryption())
	return []sample{
		{"Decrypt", true, func(_ user, id string) request {
			dry, modifiers := ignore(e.ciphertext)
			return &kmsapi.DecryptRequest{KeyId: &id, CiphertextBlob: e.ciphertext, EncryptionAlgorithm: algorithm, DryRun: dry, DryRunModifiers: modifiers}
		}},
		{"Encrypt", true, func(_ user, id string) request {
			return &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret), EncryptionAlgorithm: algorithm}
		}},
		{"GenerateDataKey", true, func(_ user, id string) request {
			return &kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: new(kmsapi.DataKeySpecAes256)}
		}},
		{"GenerateDataKeyPair", true, func(_ user, id string) request {
			return &kmsapi.GenerateDataKeyPairRequest{KeyId: &id, KeyPairSpec: new(kmsapi.DataKeyPairSpecEccNistP256)}
		}},
		{"GenerateDataKeyPairWithoutPlaintext", true, func(_ user, id string) request {
			return &kmsapi.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: &id, KeyPairSpec: new(kmsapi.DataKeyPairSpecEccNistP256)}
		}},
		{"GenerateDataKeyWithoutPlaintext", true, func(_ user, id string) request {
			return &kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &id, KeySpec: new(kmsapi.DataKeySpecAes256)}
		}},
		{"ReEncrypt from", true, func(_ user, id string) request {
			dry, modifiers := ignore(e.ciphertext)
			return &kmsapi.ReEncryptRequest{
				SourceKeyId: &id, CiphertextBlob: e.ciphertext, SourceEncryptionAlgorithm: algorithm, DestinationKeyId: new(spareAlias), DryRun: dry, DryRunModifiers: modifiers,
			}
		}},
		{"ReEncrypt to", true, func(_ user, id string) request {
			dry, modifiers := ignore(e.foreign)
			return &kmsapi.ReEncryptRequest{
				SourceKeyId: new(spareAlias), CiphertextBlob: e.foreign, DestinationKeyId: &id, DestinationEncryptionAlgorithm: algorithm, DryRun: dry, DryRunModifiers: modifiers,
			}
		}},
	}
}

// pairs has the operations of all other usages: signing, MACs, key agreement, key encapsulation.
func pairs(k keyKind, e *evidence) []sample {
	sign, mac := new(k.signature()), new(kmsapi.MacAlgorithmSpecHmacSha256)
	encapsulation := new(kmsapi.EncapsulationAlgorithmSpecMlKem)
	return []sample{
		{"Decapsulate", true, func(_ user, id string) request {
			return &kmsapi.DecapsulateRequest{KeyId: &id, EncapsulationAlgorithm: encapsulation, SharedSecretCiphertextBlob: e.encapsulated}
		}},
		{"DeriveSharedSecret", true, func(u user, id string) request {
			return &kmsapi.DeriveSharedSecretRequest{KeyId: &id, KeyAgreementAlgorithm: new(kmsapi.KeyAgreementAlgorithmSpecEcdh), PublicKey: somebodysKey(u.t)}
		}},
		{"Encapsulate", true, func(_ user, id string) request {
			return &kmsapi.EncapsulateRequest{KeyId: &id, EncapsulationAlgorithm: encapsulation}
		}},
		{"GenerateMac", true, func(_ user, id string) request {
			return &kmsapi.GenerateMacRequest{KeyId: &id, Message: []byte(secret), MacAlgorithm: mac}
		}},
		{"GetPublicKey", true, func(_ user, id string) request { return &kmsapi.GetPublicKeyRequest{KeyId: &id} }},
		{"Sign", true, func(_ user, id string) request {
			return &kmsapi.SignRequest{KeyId: &id, Message: []byte(secret), SigningAlgorithm: sign}
		}},
		{"Verify", true, func(_ user, id string) request {
			return &kmsapi.VerifyRequest{KeyId: &id, Message: []byte(secret), SigningAlgorithm: sign, Signature: e.signature}
		}},
		{"VerifyMac", true, func(_ user, id string) request {
			return &kmsapi.VerifyMacRequest{KeyId: &id, Message: []byte(secret), MacAlgorithm: mac, Mac: e.mac}
		}},
	}
}

// somebodysKey is a public key on P-256, to agree with.
func somebodysKey(t testing.TB) []byte {
	t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(private.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// rotation has also what tells of a key's use.
func rotation() []sample {
	return []sample{
		{"DisableKeyRotation", false, func(_ user, id string) request { return &kmsapi.DisableKeyRotationRequest{KeyId: &id} }},
		{"EnableKeyRotation", false, func(_ user, id string) request { return &kmsapi.EnableKeyRotationRequest{KeyId: &id} }},
		{"GetKeyLastUsage", false, func(_ user, id string) request { return &kmsapi.GetKeyLastUsageRequest{KeyId: &id} }},
		{"GetKeyRotationStatus", false, func(_ user, id string) request { return &kmsapi.GetKeyRotationStatusRequest{KeyId: &id} }},
		{"ListKeyRotations", false, func(_ user, id string) request { return &kmsapi.ListKeyRotationsRequest{KeyId: &id} }},
		{"RotateKeyOnDemand", false, func(_ user, id string) request { return &kmsapi.RotateKeyOnDemandRequest{KeyId: &id} }},
	}
}

func imports(e *evidence) []sample {
	return []sample{
		{"DeleteImportedKeyMaterial", false, func(_ user, id string) request {
			return &kmsapi.DeleteImportedKeyMaterialRequest{KeyId: &id}
		}},
		{"GetParametersForImport", false, func(_ user, id string) request {
			return &kmsapi.GetParametersForImportRequest{
				KeyId: &id, WrappingAlgorithm: new(kmsapi.AlgorithmSpecRsaesOaepSha256), WrappingKeySpec: new(kmsapi.WrappingKeySpecRsa2048),
			}
		}},
		{"ImportKeyMaterial", false, func(_ user, id string) request {
			return &kmsapi.ImportKeyMaterialRequest{
				KeyId: &id, ImportToken: e.token, EncryptedKeyMaterial: e.wrapped,
				ExpirationModel: new(kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire),
			}
		}},
	}
}

// grants has them for the caller itself.
func grants(e *evidence) []sample {
	return []sample{
		{"CreateGrant", false, func(u user, id string) request {
			dry, _ := ignore(e.ciphertext)
			return &kmsapi.CreateGrantRequest{
				KeyId: &id, GranteePrincipal: new(u.principal()), RetiringPrincipal: new(u.principal()),
				Operations: []kmsapi.GrantOperation{kmsapi.GrantOperationDescribeKey}, DryRun: dry,
			}
		}},
		{"ListGrants", false, func(_ user, id string) request { return &kmsapi.ListGrantsRequest{KeyId: &id} }},
		{"RetireGrant", false, func(_ user, arn string) request { // takes key ARNs only
			return &kmsapi.RetireGrantRequest{KeyId: &arn, GrantId: new(e.grant())}
		}},
		{"RevokeGrant", false, func(_ user, id string) request {
			return &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: new(e.grant())}
		}},
	}
}

// grant takes a grant of the key that is still there; at last one that there never was.
func (e *evidence) grant() string {
	if len(e.grants) == 0 {
		return strings.Repeat("0", 64)
	}
	id := e.grants[0]
	e.grants = e.grants[1:]
	return id
}

func multiRegion() []sample {
	return []sample{
		{"ReplicateKey", false, func(_ user, id string) request {
			return &kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(farther)}
		}},
		{"UpdatePrimaryRegion", false, func(_ user, id string) request {
			return &kmsapi.UpdatePrimaryRegionRequest{KeyId: &id, PrimaryRegion: new(abroad)}
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
