package kms

import (
	"slices"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// algorithms are what a key of one spec and usage can do: one of the lists is filled.
type algorithms struct {
	encryption    []kmsapi.EncryptionAlgorithmSpec
	signing       []kmsapi.SigningAlgorithmSpec
	mac           []kmsapi.MacAlgorithmSpec
	agreement     []kmsapi.KeyAgreementAlgorithmSpec
	encapsulation []kmsapi.EncapsulationAlgorithmSpec
}

// algorithmsOf returns the algorithms of a spec and usage; ok is false for a pair that does not exist (KMS Developer
// Guide, "Key spec reference").
func algorithmsOf(spec kmsapi.KeySpec, usage kmsapi.KeyUsageType) (a algorithms, ok bool) {
	switch usage {
	case kmsapi.KeyUsageTypeEncryptDecrypt:
		a.encryption, ok = encryptionAlgorithms(spec)
	case kmsapi.KeyUsageTypeSignVerify:
		a.signing, ok = signingAlgorithms(spec)
	case kmsapi.KeyUsageTypeGenerateVerifyMac:
		a.mac, ok = macAlgorithms(spec)
	case kmsapi.KeyUsageTypeKeyAgreement:
		if ok = isCurve(spec) || spec == kmsapi.KeySpecSm2; ok {
			a.agreement = []kmsapi.KeyAgreementAlgorithmSpec{kmsapi.KeyAgreementAlgorithmSpecEcdh}
		}
	case kmsapi.KeyUsageTypeEncapsulateDecapsulate:
		if ok = strings.HasPrefix(string(spec), "ML_KEM_"); ok {
			a.encapsulation = []kmsapi.EncapsulationAlgorithmSpec{kmsapi.EncapsulationAlgorithmSpecMlKem}
		}
	}
	return a, ok
}

func encryptionAlgorithms(spec kmsapi.KeySpec) ([]kmsapi.EncryptionAlgorithmSpec, bool) {
	switch spec {
	case kmsapi.KeySpecSymmetricDefault:
		return []kmsapi.EncryptionAlgorithmSpec{kmsapi.EncryptionAlgorithmSpecSymmetricDefault}, true
	case kmsapi.KeySpecRsa2048, kmsapi.KeySpecRsa3072, kmsapi.KeySpecRsa4096:
		return []kmsapi.EncryptionAlgorithmSpec{kmsapi.EncryptionAlgorithmSpecRsaesOaepSha1, kmsapi.EncryptionAlgorithmSpecRsaesOaepSha256}, true
	case kmsapi.KeySpecSm2:
		return []kmsapi.EncryptionAlgorithmSpec{kmsapi.EncryptionAlgorithmSpecSm2pke}, true
	}
	return nil, false
}

func signingAlgorithms(spec kmsapi.KeySpec) ([]kmsapi.SigningAlgorithmSpec, bool) {
	switch spec {
	case kmsapi.KeySpecRsa2048, kmsapi.KeySpecRsa3072, kmsapi.KeySpecRsa4096:
		return []kmsapi.SigningAlgorithmSpec{
			kmsapi.SigningAlgorithmSpecRsassaPkcs1V15Sha256, kmsapi.SigningAlgorithmSpecRsassaPkcs1V15Sha384,
			kmsapi.SigningAlgorithmSpecRsassaPkcs1V15Sha512, kmsapi.SigningAlgorithmSpecRsassaPssSha256,
			kmsapi.SigningAlgorithmSpecRsassaPssSha384, kmsapi.SigningAlgorithmSpecRsassaPssSha512,
		}, true
	case kmsapi.KeySpecEccNistP256, kmsapi.KeySpecEccSecgP256k1:
		return []kmsapi.SigningAlgorithmSpec{kmsapi.SigningAlgorithmSpecEcdsaSha256}, true
	case kmsapi.KeySpecEccNistP384:
		return []kmsapi.SigningAlgorithmSpec{kmsapi.SigningAlgorithmSpecEcdsaSha384}, true
	case kmsapi.KeySpecEccNistP521:
		return []kmsapi.SigningAlgorithmSpec{kmsapi.SigningAlgorithmSpecEcdsaSha512}, true
	case kmsapi.KeySpecEccNistEdwards25519:
		return []kmsapi.SigningAlgorithmSpec{kmsapi.SigningAlgorithmSpecEd25519Sha512, kmsapi.SigningAlgorithmSpecEd25519PhSha512}, true
	case kmsapi.KeySpecMlDsa44, kmsapi.KeySpecMlDsa65, kmsapi.KeySpecMlDsa87:
		return []kmsapi.SigningAlgorithmSpec{kmsapi.SigningAlgorithmSpecMlDsaShake256}, true
	case kmsapi.KeySpecSm2:
		return []kmsapi.SigningAlgorithmSpec{kmsapi.SigningAlgorithmSpecSm2dsa}, true
	}
	return nil, false
}

func macAlgorithms(spec kmsapi.KeySpec) ([]kmsapi.MacAlgorithmSpec, bool) {
	switch spec {
	case kmsapi.KeySpecHmac224:
		return []kmsapi.MacAlgorithmSpec{kmsapi.MacAlgorithmSpecHmacSha224}, true
	case kmsapi.KeySpecHmac256:
		return []kmsapi.MacAlgorithmSpec{kmsapi.MacAlgorithmSpecHmacSha256}, true
	case kmsapi.KeySpecHmac384:
		return []kmsapi.MacAlgorithmSpec{kmsapi.MacAlgorithmSpecHmacSha384}, true
	case kmsapi.KeySpecHmac512:
		return []kmsapi.MacAlgorithmSpec{kmsapi.MacAlgorithmSpecHmacSha512}, true
	}
	return nil, false
}

func isCurve(spec kmsapi.KeySpec) bool {
	return spec == kmsapi.KeySpecEccNistP256 || spec == kmsapi.KeySpecEccNistP384 || spec == kmsapi.KeySpecEccNistP521
}

// isPostQuantum says whether a spec is one whose material cannot be imported (KMS Developer Guide, "Importing key
// material": not for ML-DSA; ML-KEM, on which it is silent, is taken for the same).
func isPostQuantum(spec kmsapi.KeySpec) bool { return strings.HasPrefix(string(spec), "ML_") }

// family is what two keys must have in common to share an alias: symmetric, asymmetric or HMAC.
func family(spec kmsapi.KeySpec) string {
	switch {
	case spec == kmsapi.KeySpecSymmetricDefault:
		return "symmetric"
	case strings.HasPrefix(string(spec), "HMAC_"):
		return "hmac"
	}
	return "asymmetric"
}

func (k *Key) symmetric() bool  { return k.Spec == kmsapi.KeySpecSymmetricDefault }
func (k *Key) asymmetric() bool { return family(k.Spec) == "asymmetric" }
func (k *Key) external() bool   { return k.Origin == kmsapi.OriginTypeExternal }

// checkAlgorithm refuses an algorithm that the key does not have.
func checkAlgorithm[A ~string](alg A, have []A, k *Key) error {
	if !slices.Contains(have, alg) {
		return kmsapi.InvalidKeyUsageException("Algorithm %s is incompatible with key spec %s.", alg, k.Spec)
	}
	return nil
}

// checkPlaintext refuses a plaintext that is too long for an algorithm of a key pair: OAEP leaves room for two hashes
// and two bytes (RFC 8017, 7.1.1), SM2PKE has a limit of KMS's own.
func checkPlaintext(alg kmsapi.EncryptionAlgorithmSpec, k *Key, size int) error {
	limit := 1024
	modulus := map[kmsapi.KeySpec]int{kmsapi.KeySpecRsa2048: 256, kmsapi.KeySpecRsa3072: 384, kmsapi.KeySpecRsa4096: 512}[k.Spec]
	switch alg {
	case kmsapi.EncryptionAlgorithmSpecRsaesOaepSha1:
		limit = modulus - 2*20 - 2
	case kmsapi.EncryptionAlgorithmSpecRsaesOaepSha256:
		limit = modulus - 2*32 - 2
	}
	if size > limit {
		return api.ValidationException("Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", alg, k.Spec, limit)
	}
	return nil
}
