package hsm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/trent-kms/trent/internal/hsm/seal"
)

// MaxRandom is the most random bytes that one call makes, as a data key or by Random.
const MaxRandom = 1024

const labelMaterialID = "trent/material-id/1"

// GenerateKey makes 256 bits of random key material for the key that b names, whose MaterialID is empty, and returns it
// wrapped and with its MaterialID. It fails with ErrInput if b is malformed.
func (h *HSM) GenerateKey(_ context.Context, b Binding) (Key, error) {
	if b.MaterialID != "" {
		return Key{}, fmt.Errorf("%w: material id %q given", ErrInput, b.MaterialID)
	}
	var secret [seal.KeySize]byte
	defer clear(secret[:])
	rand.Read(secret[:])
	return h.wrapMaterial(b, &secret)
}

// wrapMaterial returns secret as key material of b, whose MaterialID it computes.
func (h *HSM) wrapMaterial(b Binding, secret *[seal.KeySize]byte) (Key, error) {
	id, ok := parseKeyID(b.KeyID)
	if !ok {
		return Key{}, fmt.Errorf("%w: key id %q", ErrInput, b.KeyID)
	}
	if b.Scope == "" {
		return Key{}, fmt.Errorf("%w: no scope", ErrInput)
	}
	b.MaterialID = materialID(id, secret)
	if _, err := b.identity(); err != nil {
		return Key{}, err
	}
	return Key{Binding: b, Wrapped: h.domain.wrap(kindMaterial, b.bound(), secret[:])}, nil
}

// materialID names key material. It is derived from it like a message key, under a label of its own and with the binary
// key id as context: nobody learns anything about the material or about message keys, nor that two keys have equal
// material, but equal material of equal keys has an equal id, and no two sets of material of a key share one.
func materialID(id binaryKeyID, secret *[seal.KeySize]byte) string {
	mid := seal.NewKey(secret).Derive(labelMaterialID, id[:])
	return hex.EncodeToString(mid[:])
}

// GenerateDataKey makes a random data key of size bytes (1 to MaxRandom) and returns it in the clear and encrypted under
// k, as Encrypt does. The caller clears the plaintext.
func (h *HSM) GenerateDataKey(ctx context.Context, k Key, context map[string]string, size int) (plaintext, ciphertext []byte, err error) {
	plaintext, err = h.Random(ctx, size)
	if err != nil {
		return nil, nil, err
	}
	ciphertext, err = h.Encrypt(ctx, k, context, plaintext)
	if err != nil {
		return nil, nil, err
	}
	return plaintext, ciphertext, nil
}

// GenerateDataKeyWithoutPlaintext is GenerateDataKey for a caller that wants the encrypted data key alone: the plaintext
// does not leave the HSM.
func (h *HSM) GenerateDataKeyWithoutPlaintext(ctx context.Context, k Key, context map[string]string, size int) (ciphertext []byte, err error) {
	plaintext, ciphertext, err := h.GenerateDataKey(ctx, k, context, size)
	clear(plaintext)
	return ciphertext, err
}

// Random returns n random bytes, 1 to MaxRandom, or ErrInput.
func (h *HSM) Random(_ context.Context, n int) ([]byte, error) {
	if n < 1 || n > MaxRandom {
		return nil, fmt.Errorf("%w: %d random bytes", ErrInput, n)
	}
	b := make([]byte, n)
	rand.Read(b)
	return b, nil
}
