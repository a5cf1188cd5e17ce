package keypair

import (
	"crypto"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// secpFamily is the curve secp256k1 (SEC 2 §2.4.1).
type secpFamily struct{}

func (secpFamily) approved() bool { return false }

func (secpFamily) generate() (privateKey, error) {
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, err
	}
	return newSecpPrivate(key), nil
}

func (secpFamily) parsePKCS8(der []byte) (privateKey, error) {
	octets, points, err := parseEC(curveP256K1(), 32, der)
	defer clear(octets)
	if err != nil {
		return nil, err
	}
	var scalar secp256k1.ModNScalar
	defer scalar.Zero()
	// The library would reduce a number that is too large.
	if overflow := scalar.SetByteSlice(octets); overflow || scalar.IsZero() {
		return nil, errDER
	}
	k := newSecpPrivate(secp256k1.NewPrivateKey(&scalar))
	if !matchesAll(k.pub.SerializeUncompressed(), points) {
		return nil, errDER
	}
	return k, nil
}

func (f secpFamily) restore(secret []byte) (privateKey, error) { return f.parsePKCS8(secret) }

func (secpFamily) parsePublic(spki []byte) (publicKey, error) {
	point, err := parseSPKI(ecPublicKey(), curveP256K1(), spki)
	if err != nil {
		return nil, err
	}
	// ParsePubKey checks that the point is on the curve. It takes other forms than the uncompressed one as well.
	key, err := secp256k1.ParsePubKey(point)
	if err != nil {
		return nil, err
	}
	return secpPublic{key}, nil
}

type secpPrivate struct {
	key *secp256k1.PrivateKey
	pub *secp256k1.PublicKey
}

// newSecpPrivate keeps the public key, which the library would compute at each call.
func newSecpPrivate(key *secp256k1.PrivateKey) secpPrivate { return secpPrivate{key, key.PubKey()} }

func (k secpPrivate) public() publicKey       { return secpPublic{k.pub} }
func (k secpPrivate) secret() ([]byte, error) { return k.pkcs8() }

func (k secpPrivate) pkcs8() ([]byte, error) {
	scalar := k.key.Serialize()
	defer clear(scalar)
	return marshalEC(curveP256K1(), scalar, k.pub.SerializeUncompressed())
}

func (k secpPrivate) sign(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	if a != ECDSASHA256 {
		return nil, ErrInput
	}
	d, err := digest(crypto.SHA256, t, message)
	if err != nil {
		return nil, err
	}
	return ecdsa.Sign(k.key, d).Serialize(), nil
}

type secpPublic struct{ key *secp256k1.PublicKey }

func (k secpPublic) spki() ([]byte, error) {
	return marshalSPKI(ecPublicKey(), curveP256K1(), k.key.SerializeUncompressed())
}

func (k secpPublic) verify(a Algorithm, t MessageType, message, signature []byte) error {
	if a != ECDSASHA256 {
		return ErrInput
	}
	d, err := digest(crypto.SHA256, t, message)
	if err != nil {
		return err
	}
	s, err := ecdsa.ParseDERSignature(signature)
	if err != nil || !s.Verify(d, k.key) {
		return ErrSignature
	}
	return nil
}
