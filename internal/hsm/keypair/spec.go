package keypair

import (
	"crypto"
	"crypto/elliptic"
)

// Spec names the kind of a key pair as the AWS API does (KeySpec, DataKeyPairSpec).
type Spec string

// The specs of AWS KMS.
const (
	RSA2048   Spec = "RSA_2048"
	RSA3072   Spec = "RSA_3072"
	RSA4096   Spec = "RSA_4096"
	P256      Spec = "ECC_NIST_P256"
	P384      Spec = "ECC_NIST_P384"
	P521      Spec = "ECC_NIST_P521"
	P256K1    Spec = "ECC_SECG_P256K1"
	Ed25519   Spec = "ECC_NIST_EDWARDS25519"
	MLDSA44   Spec = "ML_DSA_44"
	MLDSA65   Spec = "ML_DSA_65"
	MLDSA87   Spec = "ML_DSA_87"
	MLKEM512  Spec = "ML_KEM_512"
	MLKEM768  Spec = "ML_KEM_768"
	MLKEM1024 Spec = "ML_KEM_1024"
	SM2       Spec = "SM2"
)

// Specs returns every spec, in the order of the constants.
func Specs() []Spec {
	return []Spec{
		RSA2048, RSA3072, RSA4096, P256, P384, P521, P256K1, Ed25519,
		MLDSA44, MLDSA65, MLDSA87, MLKEM512, MLKEM768, MLKEM1024, SM2,
	}
}

// family returns the implementation of a spec.
func (s Spec) family() (family, bool) {
	switch s {
	case RSA2048:
		return rsaFamily{2048}, true
	case RSA3072:
		return rsaFamily{3072}, true
	case RSA4096:
		return rsaFamily{4096}, true
	case P256:
		return nistFamily{elliptic.P256(), curveP256(), ECDSASHA256}, true
	case P384:
		return nistFamily{elliptic.P384(), curveP384(), ECDSASHA384}, true
	case P521:
		return nistFamily{elliptic.P521(), curveP521(), ECDSASHA512}, true
	case P256K1:
		return secpFamily{}, true
	case Ed25519:
		return ed25519Family{}, true
	case MLDSA44, MLDSA65, MLDSA87:
		return mldsaFamily{s}, true
	case MLKEM512, MLKEM768, MLKEM1024:
		return mlkemFamily{s}, true
	case SM2:
		return sm2Family{}, true
	}
	return nil, false
}

// Algorithm names an algorithm as the AWS API does (EncryptionAlgorithmSpec, SigningAlgorithmSpec).
type Algorithm string

// The encryption and signing algorithms of AWS KMS for key pairs.
const (
	OAEPSHA1      Algorithm = "RSAES_OAEP_SHA_1"
	OAEPSHA256    Algorithm = "RSAES_OAEP_SHA_256"
	SM2PKE        Algorithm = "SM2PKE"
	PSSSHA256     Algorithm = "RSASSA_PSS_SHA_256"
	PSSSHA384     Algorithm = "RSASSA_PSS_SHA_384"
	PSSSHA512     Algorithm = "RSASSA_PSS_SHA_512"
	PKCS1SHA256   Algorithm = "RSASSA_PKCS1_V1_5_SHA_256"
	PKCS1SHA384   Algorithm = "RSASSA_PKCS1_V1_5_SHA_384"
	PKCS1SHA512   Algorithm = "RSASSA_PKCS1_V1_5_SHA_512"
	ECDSASHA256   Algorithm = "ECDSA_SHA_256"
	ECDSASHA384   Algorithm = "ECDSA_SHA_384"
	ECDSASHA512   Algorithm = "ECDSA_SHA_512"
	Ed25519SHA512 Algorithm = "ED25519_SHA_512"
	// Ed25519PHSHA512 is Ed25519ph (RFC 8032 §5.1) with an empty context.
	Ed25519PHSHA512 Algorithm = "ED25519_PH_SHA_512"
	MLDSASHAKE256   Algorithm = "ML_DSA_SHAKE_256"
	SM2DSA          Algorithm = "SM2DSA"
)

// MessageType says what the message of a signature is, as in the AWS API.
type MessageType string

const (
	// Raw is the message itself; it is hashed here.
	Raw MessageType = "RAW"
	// Digest is the message's hash, of exactly the length of the algorithm's hash; it is not hashed again.
	Digest MessageType = "DIGEST"
	// ExternalMu is the 64-byte message representative μ of ML-DSA (FIPS 204 §6.2).
	ExternalMu MessageType = "EXTERNAL_MU"
)

// digest returns what an algorithm with hash h signs for a message of type t.
func digest(h crypto.Hash, t MessageType, message []byte) ([]byte, error) {
	switch {
	case t == Raw:
		d := h.New()
		d.Write(message)
		return d.Sum(nil), nil
	case t == Digest && len(message) == h.Size():
		return message, nil
	}
	return nil, ErrInput
}
