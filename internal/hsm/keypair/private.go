package keypair

// Private is a key pair. It is safe for concurrent use. Printing it shows no secret: the key lives behind a func value,
// which no fmt verb, log handler or encoder follows.
type Private struct {
	spec   Spec
	public *Public
	key    func() privateKey
}

// Generate makes a new key pair. RSA takes from some 40 ms (RSA_2048) to a second and more (RSA_4096) of one core.
func Generate(spec Spec) (*Private, error) {
	f, err := served(spec)
	if err != nil {
		return nil, err
	}
	key, err := f.generate()
	if err != nil {
		return nil, err
	}
	return newPrivate(spec, key)
}

// ParsePKCS8 reads imported key material: a DER PKCS #8 private key (RFC 5958) of exactly this spec, with nothing after
// it. RSA keys have two primes of equal length, a modulus of exactly the spec's length and a public exponent above 2¹⁶
// (FIPS 186-5 §A.1.1), and are checked for consistency. Elliptic curves are named, never spelt out (RFC 5915; Ed25519:
// RFC 8410); a public key inside must belong to the private one. ML-DSA and ML-KEM keys cannot be imported. It returns
// ErrKey for anything else.
func ParsePKCS8(spec Spec, der []byte) (*Private, error) {
	f, err := served(spec)
	if err != nil {
		return nil, err
	}
	key, err := f.parsePKCS8(der)
	if err != nil {
		return nil, ErrKey
	}
	return newPrivate(spec, key)
}

// ParseSecret reads what Secret gave. The caller has authenticated the bytes; they get no more checks than the libraries
// make anyway. It returns ErrKey for bytes of another form.
func ParseSecret(spec Spec, secret []byte) (*Private, error) {
	f, err := served(spec)
	if err != nil {
		return nil, err
	}
	key, err := f.restore(secret)
	if err != nil {
		return nil, ErrKey
	}
	return newPrivate(spec, key)
}

func newPrivate(spec Spec, key privateKey) (*Private, error) {
	public, err := newPublic(spec, key.public())
	if err != nil {
		return nil, ErrKey
	}
	return &Private{spec, public, func() privateKey { return key }}, nil
}

// Spec returns the spec.
func (p *Private) Spec() Spec { return p.spec }

// Public returns the public half, always the same value.
func (p *Private) Public() *Public { return p.public }

// Secret returns the key's storage form, which ParseSecret reads: DER PKCS #8, or the seed for ML-DSA (32 bytes) and
// ML-KEM (64 bytes, d ‖ z). It is the caller's to clear.
func (p *Private) Secret() []byte {
	secret, err := p.key().secret()
	if err != nil {
		// Every key was encoded or decoded in this form before.
		panic("keypair: encoding a key: " + err.Error())
	}
	return secret
}

// PKCS8 returns the private key as DER PKCS #8 in the form that GenerateDataKeyPair answers: RSA with RFC 8017 inside,
// elliptic curves with a named curve and RFC 5915 inside including the public point, Ed25519 as in RFC 8410, ML-KEM as the
// seed (RFC 9935). It returns ErrInput for ML-DSA, which has no data key pairs. The caller clears the result.
func (p *Private) PKCS8() ([]byte, error) { return p.key().pkcs8() }

// Sign signs a message. RSA-PSS salts are as long as the hash; ECDSA and SM2 signatures are DER SEQUENCE{r, s}; the
// others are raw. Ed25519 takes Raw for Ed25519SHA512 and Digest for Ed25519PHSHA512. ML-DSA (hedged, empty context) takes
// Raw and ExternalMu. SM2DSA hashes Raw messages with SM3 after ZA for the user id 1234567812345678. It returns ErrInput
// if algorithm, message type or the digest's length do not fit.
func (p *Private) Sign(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	if k, ok := p.key().(signer); ok {
		return k.sign(a, t, message)
	}
	return nil, ErrInput
}

// Decrypt opens what Public.Encrypt made. It returns ErrCiphertext whatever is wrong with the ciphertext and ErrInput for
// an algorithm that the key does not have.
func (p *Private) Decrypt(a Algorithm, ciphertext []byte) ([]byte, error) {
	if k, ok := p.key().(decrypter); ok {
		return k.decrypt(a, ciphertext)
	}
	return nil, ErrInput
}

// Agree returns the raw ECDH secret with a peer's public key (DER SubjectPublicKeyInfo): the x coordinate, 32, 48 or 66
// bytes. It works for the NIST curves and SM2. It returns ErrPublicKey if the peer's key is malformed, of another curve or
// not a point of the curve, and ErrInput for keys that cannot agree.
func (p *Private) Agree(peerSPKI []byte) ([]byte, error) {
	k, ok := p.key().(agreer)
	if !ok {
		return nil, ErrInput
	}
	peer, err := ParsePublic(p.spec, peerSPKI)
	if err != nil {
		return nil, err
	}
	return k.agree(peer.key)
}

// Decapsulate returns the 32-byte secret of an ML-KEM ciphertext (FIPS 203). A ciphertext of the wrong length gives
// ErrCiphertext; any other wrong one gives a pseudo-random secret (implicit rejection), never an error.
func (p *Private) Decapsulate(ciphertext []byte) ([]byte, error) {
	if k, ok := p.key().(decapsulator); ok {
		return k.decapsulate(ciphertext)
	}
	return nil, ErrInput
}
