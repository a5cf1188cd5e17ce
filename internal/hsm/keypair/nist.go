package keypair

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // for crypto.SHA256.New
	_ "crypto/sha512" // for crypto.SHA384.New and crypto.SHA512.New
	"encoding/asn1"
	"sync"
)

// nistFamily is a NIST curve (SP 800-186 §3.2.1) with its one signing algorithm.
type nistFamily struct {
	curve     elliptic.Curve
	oid       asn1.ObjectIdentifier
	algorithm Algorithm
}

func (nistFamily) approved() bool { return true }

func (f nistFamily) generate() (privateKey, error) {
	key, err := ecdsa.GenerateKey(f.curve, rand.Reader)
	if err != nil {
		return nil, err
	}
	return f.private(key), nil
}

func (f nistFamily) parsePKCS8(der []byte) (privateKey, error) {
	scalar, points, err := parseEC(f.oid, (f.curve.Params().BitSize+7)/8, der)
	defer clear(scalar)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseRawPrivateKey(f.curve, scalar)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil || !matchesAll(point, points) {
		return nil, errDER
	}
	return f.private(key), nil
}

// restore computes the point again. The library's only way around that is deprecated.
func (f nistFamily) restore(secret []byte) (privateKey, error) { return f.parsePKCS8(secret) }

func (f nistFamily) parsePublic(spki []byte) (publicKey, error) {
	point, err := parseSPKI(ecPublicKey(), f.oid, spki)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(f.curve, point)
	if err != nil {
		return nil, err
	}
	return nistPublic{f, key}, nil
}

// hash returns the hash function of an algorithm that the curve has.
func (f nistFamily) hash(a Algorithm) (crypto.Hash, error) {
	switch {
	case a != f.algorithm:
		return 0, ErrInput
	case a == ECDSASHA256:
		return crypto.SHA256, nil
	case a == ECDSASHA384:
		return crypto.SHA384, nil
	}
	return crypto.SHA512, nil
}

type nistPrivate struct {
	nistFamily
	key *ecdsa.PrivateKey
	// ecdh is the same key for ECDH, made at the first use: it costs a scalar multiplication.
	ecdh func() (*ecdh.PrivateKey, error)
}

func (f nistFamily) private(key *ecdsa.PrivateKey) nistPrivate {
	return nistPrivate{f, key, sync.OnceValues(key.ECDH)}
}

func (k nistPrivate) public() publicKey       { return nistPublic{k.nistFamily, &k.key.PublicKey} }
func (k nistPrivate) secret() ([]byte, error) { return k.pkcs8() }

func (k nistPrivate) pkcs8() ([]byte, error) {
	// The scalar is the library's own copy, with which it signs: it must not be cleared.
	scalar, err := k.key.Bytes()
	if err != nil {
		return nil, err
	}
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	return marshalEC(k.oid, scalar, point)
}

func (k nistPrivate) sign(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	h, err := k.hash(a)
	if err != nil {
		return nil, err
	}
	d, err := digest(h, t, message)
	if err != nil {
		return nil, err
	}
	return ecdsa.SignASN1(rand.Reader, k.key, d)
}

func (k nistPrivate) agree(peer publicKey) ([]byte, error) {
	p, ok := peer.(nistPublic)
	if !ok {
		return nil, ErrPublicKey
	}
	remote, err := p.key.ECDH()
	if err != nil {
		return nil, ErrPublicKey
	}
	local, err := k.ecdh()
	if err != nil {
		return nil, err
	}
	return local.ECDH(remote)
}

type nistPublic struct {
	nistFamily
	key *ecdsa.PublicKey
}

func (k nistPublic) spki() ([]byte, error) {
	point, err := k.key.Bytes()
	if err != nil {
		return nil, err
	}
	return marshalSPKI(ecPublicKey(), k.oid, point)
}

func (k nistPublic) verify(a Algorithm, t MessageType, message, signature []byte) error {
	h, err := k.hash(a)
	if err != nil {
		return err
	}
	d, err := digest(h, t, message)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(k.key, d, signature) {
		return ErrSignature
	}
	return nil
}
