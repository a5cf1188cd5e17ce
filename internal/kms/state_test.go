package kms_test

import (
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

// Whatever it waits for, a key without material says so: also of a public key that there is not yet.
func TestKeyThatWasNeverImported(t *testing.T) {
	u := newWorld(t).as(alice)
	refused := 0
	for _, k := range keyKinds() {
		if !k.external() || k.role != "" {
			continue
		}
		id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: &k.spec, KeyUsage: &k.usage, Origin: &k.origin}).KeyMetadata.KeyId
		if state := u.keyState(id); state != "PendingImport" {
			t.Errorf("a new key, %s, is %s", k.name, state)
		}
		for _, s := range samples(k, &evidence{ciphertext: []byte("x"), signature: []byte("x"), mac: []byte("x")}) {
			if wrongKind(s.operation, k, "") != "" {
				continue
			}
			pending := "KMSInvalidStateException " + u.keyARN(id) + " is pending import."
			switch a := u.send(s.make(u, id)); s.operation {
			case "Decrypt", "DeriveSharedSecret", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateMac", "GetPublicKey",
				"RotateKeyOnDemand", "Sign", "Verify", "VerifyMac", "CreateGrant", "DisableKey", "EnableKey":
				refused++
				if got := a.code + " " + a.message; got != pending {
					t.Errorf("%s of a key %s: got %q, want %q", s.operation, k.name, got, pending)
				}
			case "CreateAlias", "DeleteImportedKeyMaterial", "DescribeKey", "GetKeyLastUsage", "ListKeyRotations":
				if !a.ok() {
					t.Errorf("%s of a key %s: %s %s", s.operation, k.name, a.code, a.message)
				}
			}
			u.send(&kmsapi.CancelKeyDeletionRequest{KeyId: &id})
			u.send(&kmsapi.DeleteAliasRequest{AliasName: new("alias/new")})
		}
	}
	if refused < 25 {
		t.Errorf("%d refusals", refused)
	}
}

// The answers of C4a in the order of the checks: parameters, key, permission, state, cryptography, dry run.
func TestOrderOfChecks(t *testing.T) {
	w := newWorld(t)
	u, stranger := w.as(alice), w.as(bob)
	id, absent := u.createKey(), u.keyARN("00000000-0000-4000-8000-000000000000")
	ciphertext := u.encrypt(id, secret, nil)
	u.disable(id)
	pair := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecEccNistP256), KeyUsage: new(signing)}).KeyMetadata.KeyId
	u.disable(pair)
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
		{"kind before state", u, &kmsapi.SignRequest{KeyId: &id, Message: []byte("x"), SigningAlgorithm: new(kmsapi.SigningAlgorithmSpecEcdsaSha256)}, "InvalidKeyUsageException"},
		{"permission before kind", stranger, &kmsapi.SignRequest{KeyId: new(u.keyARN(id)), Message: []byte("x"), SigningAlgorithm: new(kmsapi.SigningAlgorithmSpecEcdsaSha256)}, "AccessDeniedException"},
		{"kind before dry run", u, &kmsapi.GenerateMacRequest{KeyId: &id, Message: []byte("x"), MacAlgorithm: new(kmsapi.MacAlgorithmSpecHmacSha256), DryRun: new(true)}, "InvalidKeyUsageException"},
		{"state before algorithm", u, &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte("x"), EncryptionAlgorithm: new(kmsapi.EncryptionAlgorithmSpecSm2pke)}, "DisabledException"},
		{"state before algorithm of a ciphertext", u, &kmsapi.DecryptRequest{KeyId: &id, CiphertextBlob: ciphertext, EncryptionAlgorithm: new(kmsapi.EncryptionAlgorithmSpecSm2pke)}, "DisabledException"},
		{"grant token before state", u, &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte("x"), GrantTokens: []string{"x"}}, "InvalidGrantTokenException"},
		{"signing: kind before state", u, &kmsapi.GenerateDataKeyRequest{KeyId: &pair}, "InvalidKeyUsageException"},
		{"signing: state before algorithm", u, &kmsapi.SignRequest{KeyId: &pair, Message: []byte("x"), SigningAlgorithm: new(kmsapi.SigningAlgorithmSpecEcdsaSha512)}, "DisabledException"},
		{"signing: state before length of the digest", u, &kmsapi.SignRequest{KeyId: &pair, Message: []byte("x"), MessageType: new(kmsapi.MessageTypeDigest), SigningAlgorithm: new(kmsapi.SigningAlgorithmSpecEcdsaSha256)}, "DisabledException"},
		{"signing: state before the signature", u, &kmsapi.VerifyRequest{KeyId: &pair, Message: []byte("x"), Signature: []byte("x"), SigningAlgorithm: new(kmsapi.SigningAlgorithmSpecEcdsaSha256)}, "DisabledException"},
		{"state before data key size", u, &kmsapi.GenerateDataKeyRequest{KeyId: &id}, "DisabledException"},
	} {
		if a := row.by.send(row.in); a.code != row.code {
			t.Errorf("%s: got %q %q, want %q", row.name, a.code, a.message, row.code)
		}
	}
}
