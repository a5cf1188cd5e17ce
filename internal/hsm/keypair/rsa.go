package keypair

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // OAEP needs no collision resistance of its hash
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"hash"
	"math/big"
)

// exponentFits says whether a public exponent is odd and above 2¹⁶ (FIPS 186-5 §A.1.1) and one that crypto/rsa can use.
func exponentFits(e *big.Int) bool {
	return e.Bit(0) == 1 && 16 < e.BitLen() && e.BitLen() < 32 && e.Sign() > 0
}

func rsaEncryption() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} }

// rsaFamily has the length of the modulus in bits.
type rsaFamily struct{ bits int }

func (rsaFamily) approved() bool { return true }

func (f rsaFamily) generate() (privateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, f.bits)
	if err != nil {
		return nil, err
	}
	return rsaPrivate{key}, nil
}

func (f rsaFamily) parsePKCS8(der []byte) (privateKey, error) {
	info, err := parsePKCS8(der)
	if err != nil || info.public != nil || !info.algorithm.Equal(rsaEncryption()) ||
		info.parameters != nil && !bytes.Equal(info.parameters, asn1.NullBytes) {
		return nil, errDER
	}
	if err := f.checkShape(info.key); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PrivateKey(info.key)
	if err != nil {
		return nil, err
	}
	// That check holds for some composite "primes" too. A signature, which the library verifies, does not.
	if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, make([]byte, sha256.Size)); err != nil {
		return nil, err
	}
	return rsaPrivate{key}, nil
}

// checkShape looks at an RSAPrivateKey (RFC 8017 §A.1.2) before anything is computed with its numbers.
func (f rsaFamily) checkShape(der []byte) error {
	parts, err := sequence(der)
	if err != nil || len(parts) != 9 {
		return errDER
	}
	var numbers [9]*big.Int
	for i, p := range parts {
		if err := unmarshal(p.FullBytes, &numbers[i]); err != nil || numbers[i].Sign() < 0 {
			return errDER
		}
	}
	version, n, e, p, q := numbers[0], numbers[1], numbers[2], numbers[4], numbers[5]
	if version.Sign() != 0 || n.BitLen() != f.bits || p.BitLen() != f.bits/2 || q.BitLen() != f.bits/2 ||
		!exponentFits(e) {
		return errDER
	}
	return nil
}

func (f rsaFamily) restore(secret []byte) (privateKey, error) {
	info, err := parsePKCS8(secret)
	if err != nil || !info.algorithm.Equal(rsaEncryption()) {
		return nil, errDER
	}
	key, err := x509.ParsePKCS1PrivateKey(info.key)
	if err != nil || key.N.BitLen() != f.bits {
		return nil, errDER
	}
	return rsaPrivate{key}, nil
}

func (f rsaFamily) parsePublic(spki []byte) (publicKey, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok || k.N.BitLen() != f.bits || k.N.Bit(0) == 0 || !exponentFits(big.NewInt(int64(k.E))) {
		return nil, errDER
	}
	return rsaPublic{k}, nil
}

type rsaPrivate struct{ key *rsa.PrivateKey }

func (k rsaPrivate) public() publicKey       { return rsaPublic{&k.key.PublicKey} }
func (k rsaPrivate) secret() ([]byte, error) { return k.pkcs8() }
func (k rsaPrivate) pkcs8() ([]byte, error)  { return x509.MarshalPKCS8PrivateKey(k.key) }

func (k rsaPrivate) sign(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	scheme, ok := rsaSignature(a)
	if !ok {
		return nil, ErrInput
	}
	d, err := digest(scheme.hash, t, message)
	if err != nil {
		return nil, err
	}
	if scheme.pss {
		return rsa.SignPSS(rand.Reader, k.key, scheme.hash, d, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return rsa.SignPKCS1v15(nil, k.key, scheme.hash, d)
}

func (k rsaPrivate) decrypt(a Algorithm, ciphertext []byte) ([]byte, error) {
	h, err := oaepHash(a)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) != k.key.Size() {
		return nil, ErrCiphertext
	}
	plaintext, err := rsa.DecryptOAEP(h, nil, k.key, ciphertext, nil)
	if err != nil {
		return nil, ErrCiphertext
	}
	return plaintext, nil
}

type rsaPublic struct{ key *rsa.PublicKey }

func (k rsaPublic) spki() ([]byte, error) { return x509.MarshalPKIXPublicKey(k.key) }

func (k rsaPublic) verify(a Algorithm, t MessageType, message, signature []byte) error {
	scheme, ok := rsaSignature(a)
	if !ok {
		return ErrInput
	}
	d, err := digest(scheme.hash, t, message)
	if err != nil {
		return err
	}
	if scheme.pss {
		err = rsa.VerifyPSS(k.key, scheme.hash, d, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		err = rsa.VerifyPKCS1v15(k.key, scheme.hash, d, signature)
	}
	if err != nil {
		return ErrSignature
	}
	return nil
}

func (k rsaPublic) encrypt(a Algorithm, plaintext []byte) ([]byte, error) {
	h, err := oaepHash(a)
	if err != nil {
		return nil, err
	}
	if len(plaintext) == 0 || len(plaintext) > k.key.Size()-2*h.Size()-2 {
		return nil, ErrInput
	}
	return rsa.EncryptOAEP(h, rand.Reader, k.key, plaintext, nil)
}

// rsaScheme is a signature scheme of RFC 8017: PSS or PKCS #1 v1.5.
type rsaScheme struct {
	pss  bool
	hash crypto.Hash
}

func rsaSignature(a Algorithm) (rsaScheme, bool) {
	switch a {
	case PSSSHA256:
		return rsaScheme{true, crypto.SHA256}, true
	case PSSSHA384:
		return rsaScheme{true, crypto.SHA384}, true
	case PSSSHA512:
		return rsaScheme{true, crypto.SHA512}, true
	case PKCS1SHA256:
		return rsaScheme{false, crypto.SHA256}, true
	case PKCS1SHA384:
		return rsaScheme{false, crypto.SHA384}, true
	case PKCS1SHA512:
		return rsaScheme{false, crypto.SHA512}, true
	}
	return rsaScheme{}, false
}

func oaepHash(a Algorithm) (hash.Hash, error) {
	switch a {
	case OAEPSHA256:
		return sha256.New(), nil
	case OAEPSHA1:
		if fips140.Enforced() {
			return nil, ErrNotApproved
		}
		return sha1.New(), nil
	}
	return nil, ErrInput
}
