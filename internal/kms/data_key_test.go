package kms_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

const oneSize = "Please specify either number of bytes or key spec."

func TestDataKeySizes(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	aes128, aes256 := new(kmsapi.DataKeySpecAes128), new(kmsapi.DataKeySpecAes256)
	const below = "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1"
	const above = "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024"
	for _, row := range []struct {
		name    string
		spec    *kmsapi.DataKeySpec
		bytes   *int32
		want    int
		message string
	}{
		{"AES_128", aes128, nil, 16, ""},
		{"AES_256", aes256, nil, 32, ""},
		{"one byte", nil, new(int32(1)), 1, ""},
		{"most bytes", nil, new(int32(1024)), 1024, ""},
		{"no size", nil, nil, 0, oneSize},
		{"two sizes", aes256, new(int32(32)), 0, oneSize},
		{"no bytes", nil, new(int32(0)), 0, below},
		{"too many bytes", nil, new(int32(1025)), 0, above},
		{"unknown spec", new(kmsapi.DataKeySpec("AES_192")), nil, 0, "1 validation error detected: Value 'AES_192' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := &kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: row.spec, NumberOfBytes: row.bytes}
			hidden := &kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &id, KeySpec: row.spec, NumberOfBytes: row.bytes}
			if row.want == 0 {
				u.refused(in, "ValidationException", row.message)
				u.refused(hidden, "ValidationException", row.message)
				return
			}
			out := do[kmsapi.GenerateDataKeyResponse](u, in)
			if len(out.Plaintext) != row.want || *out.KeyId != u.keyARN(id) || *out.KeyMaterialId != *u.describe(id).CurrentKeyMaterialId || out.CiphertextForRecipient != nil {
				t.Errorf("%d bytes, want %d; key %s, material %s", len(out.Plaintext), row.want, *out.KeyId, *out.KeyMaterialId)
			}
			if got := u.decrypt(out.CiphertextBlob, nil); got != string(out.Plaintext) {
				t.Error("the encrypted data key is another one")
			}
			sealed := do[kmsapi.GenerateDataKeyWithoutPlaintextResponse](u, hidden)
			if got := u.decrypt(sealed.CiphertextBlob, nil); len(got) != row.want || *sealed.KeyId != u.keyARN(id) || *sealed.KeyMaterialId != *out.KeyMaterialId {
				t.Errorf("without plaintext: %d bytes, want %d; key %s", len(got), row.want, *sealed.KeyId)
			}
		})
	}
}

func TestDataKeysAreBoundAndFresh(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	context := map[string]string{"a": "b"}
	in := &kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: new(kmsapi.DataKeySpecAes256), EncryptionContext: context}
	first, second := do[kmsapi.GenerateDataKeyResponse](u, in), do[kmsapi.GenerateDataKeyResponse](u, in)
	if bytes.Equal(first.Plaintext, second.Plaintext) || bytes.Equal(first.Plaintext, make([]byte, 32)) {
		t.Error("the data key is not random")
	}
	if got := u.decrypt(first.CiphertextBlob, context); got != string(first.Plaintext) {
		t.Error("another data key")
	}
	u.refused(&kmsapi.DecryptRequest{CiphertextBlob: first.CiphertextBlob}, "InvalidCiphertextException", "")
}

func TestGenerateRandom(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, n := range []int32{1, 32, 1024} {
		out := do[kmsapi.GenerateRandomResponse](u, &kmsapi.GenerateRandomRequest{NumberOfBytes: &n})
		if len(out.Plaintext) != int(n) || out.CiphertextForRecipient != nil || n > 1 && bytes.Equal(out.Plaintext, make([]byte, n)) {
			t.Errorf("%d bytes: got %d", n, len(out.Plaintext))
		}
	}
	u.refused(&kmsapi.GenerateRandomRequest{}, "ValidationException", "NumberOfBytes is required.")
	u.refused(&kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(0))}, "ValidationException",
		"1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1")
	u.refused(&kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(1025))}, "ValidationException",
		"1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024")
	u.refusedAs(&kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(16)), CustomKeyStoreId: new("cks-1234567890abcdef0")}, "CustomKeyStoreNotFoundException")
}

// Who sends an attestation document asks for an answer that only an enclave can read: plaintext would be the wrong one.
func TestRecipientGetsNoPlaintext(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	r := &kmsapi.RecipientInfo{KeyEncryptionAlgorithm: new(kmsapi.KeyEncryptionMechanismRsaesOaepSha256), AttestationDocument: []byte(strings.Repeat("d", 64))}
	for _, in := range []request{
		&kmsapi.DecryptRequest{CiphertextBlob: u.encrypt(id, secret, nil), Recipient: r},
		&kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: new(kmsapi.DataKeySpecAes256), Recipient: r},
		&kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(16)), Recipient: r},
		&kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(16)), Recipient: &kmsapi.RecipientInfo{}},
	} {
		u.refused(in, "UnsupportedOperationException", "Recipient is not built in this version of Trent.")
	}
	for _, document := range [][]byte{{}, make([]byte, 262145)} {
		r := &kmsapi.RecipientInfo{AttestationDocument: document}
		u.refusedAs(&kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(16)), Recipient: r}, "ValidationException")
	}
}
