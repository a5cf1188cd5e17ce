package hsm

import (
	"bytes"
	"context"
	"fmt"
)

// Encrypt returns plaintext (up to MaxPlaintext bytes) encrypted under k and bound to the encryption context, which may
// be nil. The ciphertext is CiphertextOverhead bytes longer. It fails with ErrWrapped if k does not open and ErrInput if
// an argument is out of limits.
func (h *HSM) Encrypt(_ context.Context, k Key, context map[string]string, plaintext []byte) (ciphertext []byte, err error) {
	u, err := h.unwrap(k)
	if err != nil {
		return nil, err
	}
	return u.encrypt(context, plaintext)
}

// Decrypt returns the plaintext of a ciphertext that k made with an equal encryption context. Any other ciphertext is
// ErrCiphertext, whatever differs. It fails with ErrWrapped if k itself does not open and ErrInput if its binding is
// malformed.
func (h *HSM) Decrypt(_ context.Context, k Key, context map[string]string, ciphertext []byte) (plaintext []byte, err error) {
	u, err := h.unwrap(k)
	if err != nil {
		return nil, err
	}
	return u.decrypt(context, ciphertext)
}

// Side is one side of ReEncrypt: a key and how it is used.
type Side struct {
	Key
	Algorithm string            // of a key pair; "" for symmetric keys
	Context   map[string]string // of a symmetric key
}

// ReEncrypt decrypts a ciphertext of from and encrypts its plaintext under to. The plaintext does not leave the HSM.
// Errors are those of Decrypt and Encrypt, or of DecryptAsymmetric and EncryptAsymmetric.
func (h *HSM) ReEncrypt(_ context.Context, from Side, ciphertext []byte, to Side) ([]byte, error) {
	source, err := h.unwrap(from.Key)
	if err != nil {
		return nil, err
	}
	destination, err := h.unwrap(to.Key)
	if err != nil {
		return nil, err
	}
	var plaintext []byte
	if source.pair != nil {
		plaintext, err = source.decryptAsymmetric(from.Algorithm, ciphertext)
	} else {
		plaintext, err = source.decrypt(from.Context, ciphertext)
	}
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	if destination.pair != nil {
		return destination.encryptAsymmetric(to.Algorithm, plaintext)
	}
	return destination.encrypt(to.Context, plaintext)
}

func (u *unwrapped) encrypt(context map[string]string, plaintext []byte) ([]byte, error) {
	if u.key == nil {
		return nil, u.unfit()
	}
	if len(plaintext) > MaxPlaintext {
		return nil, fmt.Errorf("%w: plaintext of %d bytes", ErrInput, len(plaintext))
	}
	return u.key.Seal(labelCiphertext, u.prefix[:], encodeContext(context), plaintext), nil
}

// decrypt compares the prefix before it spends anything: it is public, so that its comparison takes less time than a
// wrong tag tells nobody anything new.
func (u *unwrapped) decrypt(context map[string]string, ciphertext []byte) ([]byte, error) {
	if u.key == nil {
		return nil, u.unfit()
	}
	if !wellFormed(ciphertext) || !bytes.HasPrefix(ciphertext, u.prefix[:]) {
		return nil, ErrCiphertext
	}
	plaintext, err := u.key.Open(labelCiphertext, prefixSize, encodeContext(context), ciphertext)
	if err != nil {
		return nil, ErrCiphertext
	}
	return plaintext, nil
}
