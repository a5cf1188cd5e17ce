package keypair

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/asn1"
)

func idEd25519() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 101, 112} }

// ed25519Family is EdDSA on edwards25519 (RFC 8032 §5.1).
type ed25519Family struct{}

func (ed25519Family) approved() bool { return true }

func (ed25519Family) generate() (privateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ed25519Private{key}, nil
}

func (ed25519Family) parsePKCS8(der []byte) (privateKey, error) {
	info, err := parsePKCS8(der)
	if err != nil || !info.is(idEd25519(), nil) {
		return nil, errDER
	}
	var seed []byte
	if err := unmarshal(info.key, &seed); err != nil || len(seed) != ed25519.SeedSize {
		return nil, errDER
	}
	defer clear(seed)
	key := ed25519.NewKeyFromSeed(seed)
	if info.public != nil && !key.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(info.public)) {
		return nil, errDER
	}
	return ed25519Private{key}, nil
}

func (f ed25519Family) restore(secret []byte) (privateKey, error) { return f.parsePKCS8(secret) }

func (ed25519Family) parsePublic(spki []byte) (publicKey, error) {
	key, err := parseSPKI(idEd25519(), nil, spki)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errDER
	}
	return ed25519Public(append([]byte(nil), key...)), nil
}

type ed25519Private struct{ key ed25519.PrivateKey }

func (k ed25519Private) public() publicKey {
	return ed25519Public(k.key.Public().(ed25519.PublicKey))
}

func (k ed25519Private) secret() ([]byte, error) { return k.pkcs8() }

func (k ed25519Private) pkcs8() ([]byte, error) {
	seed := k.key.Seed()
	defer clear(seed)
	inner, err := asn1.Marshal(seed)
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	return marshalPKCS8(idEd25519(), nil, inner)
}

func (k ed25519Private) sign(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	options, err := ed25519Options(a, t, message)
	if err != nil {
		return nil, err
	}
	return k.key.Sign(nil, message, options)
}

type ed25519Public ed25519.PublicKey

func (k ed25519Public) spki() ([]byte, error) { return marshalSPKI(idEd25519(), nil, k) }

func (k ed25519Public) verify(a Algorithm, t MessageType, message, signature []byte) error {
	options, err := ed25519Options(a, t, message)
	if err != nil {
		return err
	}
	if ed25519.VerifyWithOptions(ed25519.PublicKey(k), message, signature, options) != nil {
		return ErrSignature
	}
	return nil
}

// ed25519Options are those for an algorithm if the message fits it.
func ed25519Options(a Algorithm, t MessageType, message []byte) (*ed25519.Options, error) {
	switch {
	case a == Ed25519SHA512 && t == Raw:
		return &ed25519.Options{}, nil
	case a == Ed25519PHSHA512 && t == Digest && len(message) == sha512.Size:
		return &ed25519.Options{Hash: crypto.SHA512}, nil
	}
	return nil, ErrInput
}
