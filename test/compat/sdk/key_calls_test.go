package sdk

import (
	"cmp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// kinds are the kinds of key that operations are for, where it is not SYMMETRIC_DEFAULT.
var kinds = map[string]kms.CreateKeyInput{
	"Decapsulate":               {KeySpec: types.KeySpecMlKem512, KeyUsage: types.KeyUsageTypeEncapsulateDecapsulate},
	"DeleteImportedKeyMaterial": {Origin: types.OriginTypeExternal},
	"DeriveSharedSecret":        {KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeKeyAgreement},
	"Encapsulate":               {KeySpec: types.KeySpecMlKem512, KeyUsage: types.KeyUsageTypeEncapsulateDecapsulate},
	"GenerateMac":               {KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac},
	"GetParametersForImport":    {Origin: types.OriginTypeExternal},
	"GetPublicKey":              {KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify},
	"ImportKeyMaterial":         {Origin: types.OriginTypeExternal},
	"ReplicateKey":              {MultiRegion: aws.Bool(true)},
	"Sign":                      {KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify},
	"UpdatePrimaryRegion":       {MultiRegion: aws.Bool(true)},
	"Verify":                    {KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify},
	"VerifyMac":                 {KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac},
}

// pairCalls are the cryptographic operations that are not of symmetric keys. What they check cannot be right: whoever
// answers otherwise than a key's state says has looked at it first.
func pairCalls(t *testing.T, c *kms.Client) map[string]func(id string) error {
	const ecdsa256, hmac256 = types.SigningAlgorithmSpecEcdsaSha256, types.MacAlgorithmSpecHmacSha256
	m := []byte("m")
	return map[string]func(id string) error{
		"Decapsulate": func(id string) error {
			return attempt(t, c.Decapsulate, kms.DecapsulateInput{KeyId: &id, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem, SharedSecretCiphertextBlob: m})()
		},
		"DeriveSharedSecret": func(id string) error {
			return attempt(t, c.DeriveSharedSecret, kms.DeriveSharedSecretInput{KeyId: &id, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: m})()
		},
		"Encapsulate": func(id string) error {
			return attempt(t, c.Encapsulate, kms.EncapsulateInput{KeyId: &id, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})()
		},
		"GenerateDataKeyPair": func(id string) error {
			return attempt(t, c.GenerateDataKeyPair, kms.GenerateDataKeyPairInput{KeyId: &id, KeyPairSpec: types.DataKeyPairSpecEccNistP256})()
		},
		"GenerateDataKeyPairWithoutPlaintext": func(id string) error {
			return attempt(t, c.GenerateDataKeyPairWithoutPlaintext, kms.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &id, KeyPairSpec: types.DataKeyPairSpecEccNistP256})()
		},
		"GenerateMac": func(id string) error {
			return attempt(t, c.GenerateMac, kms.GenerateMacInput{KeyId: &id, MacAlgorithm: hmac256, Message: m})()
		},
		"GetPublicKey": func(id string) error { return attempt(t, c.GetPublicKey, kms.GetPublicKeyInput{KeyId: &id})() },
		"Sign": func(id string) error {
			return attempt(t, c.Sign, kms.SignInput{KeyId: &id, SigningAlgorithm: ecdsa256, Message: m})()
		},
		"Verify": func(id string) error {
			return attempt(t, c.Verify, kms.VerifyInput{KeyId: &id, SigningAlgorithm: ecdsa256, Message: m, Signature: m})()
		},
		"VerifyMac": func(id string) error {
			return attempt(t, c.VerifyMac, kms.VerifyMacInput{KeyId: &id, MacAlgorithm: hmac256, Message: m, Mac: m})()
		},
	}
}

// lifeCalls are the operations of grants, rotation, import and Regions. RetireGrant names keys in its own way and is not
// among them: TestWhatGrantsRefuse has it.
func lifeCalls(t *testing.T, c *kms.Client, p cast) map[string]func(id string) error {
	return map[string]func(id string) error{
		"CreateGrant": func(id string) error {
			return attempt(t, c.CreateGrant, kms.CreateGrantInput{KeyId: &id, GranteePrincipal: aws.String(alice), Operations: []types.GrantOperation{types.GrantOperationDescribeKey}})()
		},
		"DeleteImportedKeyMaterial": func(id string) error {
			return attempt(t, c.DeleteImportedKeyMaterial, kms.DeleteImportedKeyMaterialInput{KeyId: &id})()
		},
		"DisableKeyRotation": func(id string) error {
			return attempt(t, c.DisableKeyRotation, kms.DisableKeyRotationInput{KeyId: &id})()
		},
		"EnableKeyRotation": func(id string) error {
			return attempt(t, c.EnableKeyRotation, kms.EnableKeyRotationInput{KeyId: &id})()
		},
		"GetKeyLastUsage": func(id string) error {
			return attempt(t, c.GetKeyLastUsage, kms.GetKeyLastUsageInput{KeyId: &id})()
		},
		"GetKeyRotationStatus": func(id string) error {
			return attempt(t, c.GetKeyRotationStatus, kms.GetKeyRotationStatusInput{KeyId: &id})()
		},
		"GetParametersForImport": func(id string) error {
			return attempt(t, c.GetParametersForImport, kms.GetParametersForImportInput{
				KeyId: &id, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048})()
		},
		"ImportKeyMaterial": func(id string) error {
			in := p.reimport
			if in.KeyId == nil {
				in = kms.ImportKeyMaterialInput{ImportToken: []byte("x"), EncryptedKeyMaterial: []byte("x"), ExpirationModel: forever}
			}
			in.KeyId = &id
			return attempt(t, c.ImportKeyMaterial, in)()
		},
		"ListGrants":       func(id string) error { return attempt(t, c.ListGrants, kms.ListGrantsInput{KeyId: &id})() },
		"ListKeyRotations": func(id string) error { return attempt(t, c.ListKeyRotations, kms.ListKeyRotationsInput{KeyId: &id})() },
		"ReplicateKey": func(id string) error {
			return attempt(t, c.ReplicateKey, kms.ReplicateKeyInput{KeyId: &id, ReplicaRegion: aws.String(elsewhere)})()
		},
		"RevokeGrant": func(id string) error {
			grant := cmp.Or(p.grants[id], strings.Repeat("0", 64))
			return attempt(t, c.RevokeGrant, kms.RevokeGrantInput{KeyId: &id, GrantId: &grant})()
		},
		"RotateKeyOnDemand": func(id string) error {
			return attempt(t, c.RotateKeyOnDemand, kms.RotateKeyOnDemandInput{KeyId: &id})()
		},
		"UpdatePrimaryRegion": func(id string) error {
			return attempt(t, c.UpdatePrimaryRegion, kms.UpdatePrimaryRegionInput{KeyId: &id, PrimaryRegion: aws.String(elsewhere)})()
		},
	}
}
