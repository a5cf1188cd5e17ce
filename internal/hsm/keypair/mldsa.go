package keypair

import (
	"crypto"
	"encoding/asn1"
	"sync"

	"filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"
)

// muSize is the length of μ in bytes (FIPS 204 §6.2).
const muSize = 64

// mldsaFamily is ML-DSA (FIPS 204) with one of its parameter sets.
type mldsaFamily struct{ spec Spec }

func (mldsaFamily) approved() bool { return false }

func (f mldsaFamily) parameters() mldsa.Parameters {
	switch f.spec {
	case MLDSA44:
		return mldsa.MLDSA44()
	case MLDSA65:
		return mldsa.MLDSA65()
	}
	return mldsa.MLDSA87()
}

// oid is the object identifier of the algorithm (RFC 9881 §2).
func (f mldsaFamily) oid() asn1.ObjectIdentifier {
	last := map[Spec]int{MLDSA44: 17, MLDSA65: 18, MLDSA87: 19}[f.spec]
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, last}
}

func (f mldsaFamily) generate() (privateKey, error) {
	key, err := mldsa.GenerateKey(f.parameters())
	if err != nil {
		return nil, err
	}
	return mldsaPrivate{f, key}, nil
}

func (mldsaFamily) parsePKCS8([]byte) (privateKey, error) { return nil, ErrKey }

func (f mldsaFamily) restore(secret []byte) (privateKey, error) {
	key, err := mldsa.NewPrivateKey(f.parameters(), secret)
	if err != nil {
		return nil, err
	}
	return mldsaPrivate{f, key}, nil
}

func (f mldsaFamily) parsePublic(spki []byte) (publicKey, error) {
	encoded, err := parseSPKI(f.oid(), nil, spki)
	if err != nil {
		return nil, err
	}
	key, err := mldsa.NewPublicKey(f.parameters(), encoded)
	if err != nil {
		return nil, err
	}
	return f.public(key), nil
}

type mldsaPrivate struct {
	mldsaFamily
	key *mldsa.PrivateKey
}

func (k mldsaPrivate) public() publicKey       { return k.mldsaFamily.public(k.key.PublicKey()) }
func (k mldsaPrivate) secret() ([]byte, error) { return k.key.Bytes(), nil }
func (k mldsaPrivate) pkcs8() ([]byte, error)  { return nil, ErrInput }

func (k mldsaPrivate) sign(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	switch {
	case a == MLDSASHAKE256 && t == Raw:
		return k.key.Sign(nil, message, crypto.Hash(0))
	case a == MLDSASHAKE256 && t == ExternalMu && len(message) == muSize:
		return k.key.Sign(nil, message, mldsacrypto.MLDSAMu)
	}
	return nil, ErrInput
}

type mldsaPublic struct {
	mldsaFamily
	key *mldsa.PublicKey
	// mu verifies a signature of μ. It is made at the first use and holds the key's matrix, 20 to 60 KB.
	mu func() func(signature, mu []byte) bool
}

func (f mldsaFamily) public(key *mldsa.PublicKey) mldsaPublic {
	return mldsaPublic{f, key, sync.OnceValue(func() func(signature, mu []byte) bool { return muVerifier(f.spec, key.Bytes()) })}
}

func (k mldsaPublic) spki() ([]byte, error) { return marshalSPKI(k.oid(), nil, k.key.Bytes()) }

func (k mldsaPublic) verify(a Algorithm, t MessageType, message, signature []byte) error {
	valid := false
	switch {
	case a == MLDSASHAKE256 && t == Raw:
		valid = mldsa.Verify(k.key, message, signature, nil) == nil
	case a == MLDSASHAKE256 && t == ExternalMu && len(message) == muSize:
		valid = len(signature) == k.parameters().SignatureSize() && k.mu()(signature, message)
	default:
		return ErrInput
	}
	if !valid {
		return ErrSignature
	}
	return nil
}
