// Package keypair is the asymmetric cryptography of every key spec that KMS has, in one shape. It wraps libraries, keeps
// no keys and knows nothing of requests: callers check first whether spec, algorithm and message type fit together.
//
// In Go's FIPS 140-3 only mode the specs and algorithms that the validated module does not have give ErrNotApproved.
package keypair

import (
	"crypto/fips140"
	"errors"
)

var (
	// ErrKey says that imported bytes are not a private key of the asked spec, or that a stored secret is damaged.
	ErrKey = errors.New("keypair: not a private key of this spec")
	// ErrPublicKey says that bytes are not a public key of the asked spec in DER SubjectPublicKeyInfo form.
	ErrPublicKey = errors.New("keypair: not a public key of this spec")
	// ErrSignature says that a signature does not verify, whatever is wrong with it.
	ErrSignature = errors.New("keypair: invalid signature")
	// ErrCiphertext says that a ciphertext does not decrypt, whatever is wrong with it.
	ErrCiphertext = errors.New("keypair: invalid ciphertext")
	// ErrInput says that spec, algorithm, message type and lengths do not fit together. Callers check requests first, so
	// it is their bug.
	ErrInput = errors.New("keypair: argument does not fit the key")
	// ErrNotApproved says that the FIPS 140-3 only mode is on and the validated module has no such spec or algorithm.
	ErrNotApproved = errors.New("keypair: not approved in FIPS 140-3 mode")
)

// family is what the specs of one kind have in common. Each file of a family has one type for it. Errors of its functions
// are details; the exported functions answer with one of the errors above.
type family interface {
	// approved reports whether Go's FIPS 140-3 module has the spec.
	approved() bool
	generate() (privateKey, error)
	// parsePKCS8 takes hostile input.
	parsePKCS8(der []byte) (privateKey, error)
	// restore takes what privateKey.secret gave.
	restore(secret []byte) (privateKey, error)
	// parsePublic may be lenient about encodings: the caller compares with what publicKey.spki gives.
	parsePublic(spki []byte) (publicKey, error)
}

// privateKey is a key of a family. What it can do besides, it says with signer, decrypter, agreer or decapsulator.
type privateKey interface {
	public() publicKey
	secret() ([]byte, error)
	pkcs8() ([]byte, error)
}

type (
	signer interface {
		sign(a Algorithm, t MessageType, message []byte) ([]byte, error)
	}
	decrypter interface {
		decrypt(a Algorithm, ciphertext []byte) ([]byte, error)
	}
	agreer interface {
		agree(peer publicKey) ([]byte, error)
	}
	decapsulator interface {
		decapsulate(ciphertext []byte) ([]byte, error)
	}
)

// publicKey is the public half. What it can do besides, it says with verifier, encrypter or encapsulator.
type publicKey interface {
	spki() ([]byte, error)
}

type (
	verifier interface {
		verify(a Algorithm, t MessageType, message, signature []byte) error
	}
	encrypter interface {
		encrypt(a Algorithm, plaintext []byte) ([]byte, error)
	}
	encapsulator interface {
		encapsulate() (secret, ciphertext []byte, err error)
	}
)

// served returns the family of a spec, unless the FIPS 140-3 only mode forbids it.
func served(spec Spec) (family, error) {
	f, ok := spec.family()
	if !ok {
		return nil, ErrInput
	}
	if fips140.Enforced() && !f.approved() {
		return nil, ErrNotApproved
	}
	return f, nil
}
