package kms_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

func TestImportParameters(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createExternal(kmsapi.CreateKeyRequest{})
	in := &kmsapi.GetParametersForImportRequest{
		KeyId: &id, WrappingAlgorithm: new(kmsapi.AlgorithmSpecRsaesOaepSha256), WrappingKeySpec: new(kmsapi.WrappingKeySpecRsa2048),
	}
	before := u.now()
	one, two := do[kmsapi.GetParametersForImportResponse](u, in), do[kmsapi.GetParametersForImportResponse](u, in)
	if *one.KeyId != u.keyARN(id) {
		t.Errorf("key id %s", *one.KeyId)
	}
	if d := one.ParametersValidTo.Sub(before); d < 24*time.Hour-time.Second || d > 24*time.Hour+time.Minute {
		t.Errorf("valid for %s", d)
	}
	if bytes.Equal(one.PublicKey, two.PublicKey) || bytes.Equal(one.ImportToken, two.ImportToken) {
		t.Error("two calls give the same parameters")
	}
	aws := u.createKey()
	in.KeyId = &aws
	u.refused(in, "UnsupportedOperationException", u.keyARN(aws)+" origin is AWS_KMS which is not valid for this operation.")
}

// TestWrappingsThatAreRefused has every wrapping that a key's spec rules out, and none that it does not.
func TestWrappingsThatAreRefused(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := map[string]string{}
	for spec, usage := range map[kmsapi.KeySpec]kmsapi.KeyUsageType{
		kmsapi.KeySpecSymmetricDefault: kmsapi.KeyUsageTypeEncryptDecrypt, kmsapi.KeySpecHmac256: kmsapi.KeyUsageTypeGenerateVerifyMac,
		kmsapi.KeySpecRsa2048: kmsapi.KeyUsageTypeSignVerify, kmsapi.KeySpecRsa4096: kmsapi.KeyUsageTypeEncryptDecrypt,
		kmsapi.KeySpecEccNistP256: kmsapi.KeyUsageTypeKeyAgreement, kmsapi.KeySpecEccNistP521: kmsapi.KeyUsageTypeSignVerify,
	} {
		keys[string(spec)] = u.createExternal(kmsapi.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage})
	}
	const (
		gone     = "WrappingAlgorithm RSAES_PKCS1_V1_5 is not supported any more."
		mismatch = "WrappingAlgorithm %s is not compatible with WrappingKeySpec %s."
		never    = "WrappingAlgorithm %s is not supported for key spec %s."
	)
	for _, row := range []struct{ spec, algorithm, wrapping, want string }{
		{"SYMMETRIC_DEFAULT", "RSAES_PKCS1_V1_5", "RSA_2048", gone},
		{"RSA_2048", "RSAES_PKCS1_V1_5", "RSA_4096", gone},
		{"SYMMETRIC_DEFAULT", "RSAES_PKCS1_V1_5", "SM2", gone},
		{"SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256", "SM2", fmt.Sprintf(mismatch, "RSAES_OAEP_SHA_256", "SM2")},
		{"ECC_NIST_P256", "RSA_AES_KEY_WRAP_SHA_1", "SM2", fmt.Sprintf(mismatch, "RSA_AES_KEY_WRAP_SHA_1", "SM2")},
		{"ECC_NIST_P256", "SM2PKE", "RSA_3072", fmt.Sprintf(mismatch, "SM2PKE", "RSA_3072")},
		{"SYMMETRIC_DEFAULT", "SM2PKE", "SM2", fmt.Sprintf(never, "SM2PKE", "SYMMETRIC_DEFAULT")},
		{"HMAC_256", "SM2PKE", "SM2", fmt.Sprintf(never, "SM2PKE", "HMAC_256")},
		{"RSA_2048", "RSAES_OAEP_SHA_1", "RSA_4096", fmt.Sprintf(never, "RSAES_OAEP_SHA_1", "RSA_2048")},
		{"RSA_4096", "RSAES_OAEP_SHA_256", "RSA_2048", fmt.Sprintf(never, "RSAES_OAEP_SHA_256", "RSA_4096")},
		{"ECC_NIST_P521", "RSAES_OAEP_SHA_1", "RSA_2048", "WrappingKeySpec RSA_2048 is too short for WrappingAlgorithm RSAES_OAEP_SHA_1 and key spec ECC_NIST_P521."},
		{"ECC_NIST_P521", "RSAES_OAEP_SHA_256", "RSA_2048", "WrappingKeySpec RSA_2048 is too short for WrappingAlgorithm RSAES_OAEP_SHA_256 and key spec ECC_NIST_P521."},
	} {
		key := keys[row.spec]
		u.refused(&kmsapi.GetParametersForImportRequest{
			KeyId: &key, WrappingAlgorithm: (*kmsapi.AlgorithmSpec)(&row.algorithm), WrappingKeySpec: (*kmsapi.WrappingKeySpec)(&row.wrapping),
		}, "UnsupportedOperationException", row.want)
	}
}

func TestImportTokensAreForOneKey(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	invalid := func(token []byte, key string) {
		t.Helper()
		in := i.request(of(1))
		in.ImportToken, in.KeyId = token, &key
		u.refused(in, "InvalidImportTokenException", "The import token is not valid for the key "+u.keyARN(key)+".")
	}
	other := u.createExternal(kmsapi.CreateKeyRequest{})
	invalid(i.token, other)
	invalid(i.token, u.createExternal(kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecHmac256), KeyUsage: new(kmsapi.KeyUsageTypeGenerateVerifyMac)}))
	for at := 0; at < len(i.token); at += 13 {
		changed := bytes.Clone(i.token)
		changed[at] ^= 1 << (at % 8)
		invalid(changed, i.key)
	}
	invalid(i.token[:len(i.token)-1], i.key)
	invalid([]byte{0}, i.key)
	invalid([]byte{9, 9}, i.key) // as a newer version might begin
	i.is(kmsapi.KeyStatePendingImport)

	// Within its day a token may be used again, and older ones stay valid.
	newer := u.importer(i.key)
	i.imports(of(1))
	i.imports(of(1))
	newer.imports(of(1))
	mixed := newer.request(of(1))
	mixed.ImportToken = i.token
	u.refused(mixed, "InvalidCiphertextException", "")
}

func TestImportTokensLastADay(t *testing.T) {
	u := newWorld(t).as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	u.advance("23h59m")
	i.imports(of(1))
	u.advance("1m")
	u.refused(i.request(of(1)), "ExpiredImportTokenException", "The import token has expired.")
	u.importer(i.key).imports(of(1))
}

func TestWhatDoesNotUnwrapIsAnInvalidCiphertext(t *testing.T) {
	u := newWorld(t).as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	good := i.request(of(1))
	for at := 0; at < len(good.EncryptedKeyMaterial); at += 29 {
		in := *good
		in.EncryptedKeyMaterial = bytes.Clone(good.EncryptedKeyMaterial)
		in.EncryptedKeyMaterial[at] ^= 4
		u.refused(&in, "InvalidCiphertextException", "")
		in.EncryptedKeyMaterial = good.EncryptedKeyMaterial[:at+1]
		u.refused(&in, "InvalidCiphertextException", "")
	}
	in := *good
	in.EncryptedKeyMaterial = make([]byte, 6144)
	u.refused(&in, "InvalidCiphertextException", "")
	i.is(kmsapi.KeyStatePendingImport)
}
