package keypair

import "bytes"

// Public is a public key. It is safe for concurrent use.
type Public struct {
	spec Spec
	key  publicKey
	der  []byte
}

// ParsePublic reads a DER SubjectPublicKeyInfo (RFC 5280 §4.1) of exactly this spec. DER has one way to write a key, so
// any other encoding (trailing bytes, parameters spelt out or missing, compressed points) gives ErrPublicKey, as does
// a point that is not on its curve. Of Ed25519 keys only the length is looked at: no library tells more. A key that is no
// point verifies nothing.
func ParsePublic(spec Spec, spki []byte) (*Public, error) {
	f, err := served(spec)
	if err != nil {
		return nil, err
	}
	key, err := f.parsePublic(spki)
	if err != nil {
		return nil, ErrPublicKey
	}
	public, err := newPublic(spec, key)
	if err != nil || !bytes.Equal(public.der, spki) {
		return nil, ErrPublicKey
	}
	return public, nil
}

func newPublic(spec Spec, key publicKey) (*Public, error) {
	der, err := key.spki()
	if err != nil {
		return nil, err
	}
	return &Public{spec, key, der}, nil
}

// Spec returns the spec.
func (k *Public) Spec() Spec { return k.spec }

// SPKI returns the key as DER SubjectPublicKeyInfo. The result is the caller's.
func (k *Public) SPKI() []byte { return bytes.Clone(k.der) }

// Verify checks a signature as Private.Sign makes it, strictly: the one DER encoding, the one salt length. ECDSA's s may
// be high or low. It returns ErrSignature if the signature does not verify and ErrInput as Sign does.
func (k *Public) Verify(a Algorithm, t MessageType, message, signature []byte) error {
	if v, ok := k.key.(verifier); ok {
		return v.verify(a, t, message, signature)
	}
	return ErrInput
}

// Encrypt encrypts 1 byte up to what the algorithm allows: 190 to 470 bytes for RSA-OAEP (same hash for label and MGF1,
// no label), 1024 for SM2PKE, whose ciphertext is DER SEQUENCE{x, y, hash, ciphertext} (GM/T 0009). It returns ErrInput if
// algorithm or length do not fit.
func (k *Public) Encrypt(a Algorithm, plaintext []byte) ([]byte, error) {
	if e, ok := k.key.(encrypter); ok {
		return e.encrypt(a, plaintext)
	}
	return nil, ErrInput
}

// Encapsulate makes a 32-byte secret and its ML-KEM ciphertext (FIPS 203; 768, 1088 or 1568 bytes).
func (k *Public) Encapsulate() (secret, ciphertext []byte, err error) {
	if e, ok := k.key.(encapsulator); ok {
		return e.encapsulate()
	}
	return nil, nil, ErrInput
}
