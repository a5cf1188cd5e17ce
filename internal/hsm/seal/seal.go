// Package seal encrypts each message under a key of its own.
//
// Everything that Trent encrypts (domain keys under the root, key material and secrets under a domain key, a caller's
// plaintext under a KMS key) goes through one construction, and only what is bound to it differs:
//
//	blob = prefix ‖ salt (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)
//	key  = SP 800-108r1 counter mode, HMAC-SHA-256, Label = label, Context = salt
//	AAD  = prefix ‖ salt ‖ bound
//
// Salt and nonce are random. A nonce is dangerous only when it repeats under one message key, so two messages must agree
// in 224 random bits before anything is lost; the limit of 2^32 messages that NIST SP 800-38D §8.3 puts on random
// nonces holds for each message key, and each of those seals one message. A Key has therefore no practical limit of use.
//
// The label separates the uses of a Key. prefix is public and part of the blob, bound is known to both sides and is not.
// Their concatenation must be unambiguous, so for each label prefix has one fixed length.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
)

// Sizes in bytes.
const (
	KeySize  = 32
	SaltSize = 16
	// Overhead is what Seal adds to prefix and plaintext.
	Overhead = SaltSize + nonceSize + tagSize

	nonceSize = 12
	tagSize   = 16
)

// ErrOpen says that a blob does not authenticate, whatever is wrong with it.
var ErrOpen = errors.New("seal: message does not authenticate")

// Seal returns a new blob: prefix, then the sealed plaintext, bound to prefix and bound. Safe for concurrent use.
func (k *Key) Seal(label string, prefix, bound, plaintext []byte) []byte {
	blob := make([]byte, len(prefix)+SaltSize, len(prefix)+len(plaintext)+Overhead)
	salt := blob[copy(blob, prefix):]
	rand.Read(salt)
	return k.messageCipher(label, salt).Seal(blob, nil, plaintext, concat(blob, bound))
}

// Open returns the plaintext of a blob whose prefix is n bytes long, or ErrOpen. The caller has checked what the prefix
// says, or checks it afterwards; that it is authentic is known when Open returns. Safe for concurrent use.
func (k *Key) Open(label string, n int, bound, blob []byte) ([]byte, error) {
	if len(blob) < n+Overhead {
		return nil, ErrOpen
	}
	head, sealed := blob[:n+SaltSize], blob[n+SaltSize:]
	plaintext, err := k.messageCipher(label, head[n:]).Open(nil, nil, sealed, concat(head, bound))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// messageCipher returns the cipher that seals the one message with this salt.
func (k *Key) messageCipher(label string, salt []byte) cipher.AEAD {
	key := k.Derive(label, salt)
	defer clear(key[:])
	return newGCM(key[:])
}

// newGCM returns AES-256-GCM in the form that Go's FIPS 140-3 module approves: it draws the nonce itself and puts it in
// front of the ciphertext (SP 800-38D §8.2.2).
func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("seal: " + err.Error()) // the key's length is KeySize
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error()) // the block is from crypto/aes
	}
	return aead
}

func concat(a, b []byte) []byte {
	return append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
}
