package hsm

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/trent-kms/trent/internal/hsm/keypair"
	"github.com/trent-kms/trent/internal/hsm/seal"
)

// MaxRandom is the most random bytes that one call makes, as a data key or by Random.
const MaxRandom = 1024

const labelMaterialID = "trent/material-id/1"

// GenerateKey makes random key material for the key that b names, whose MaterialID is empty, and returns it wrapped and
// with its MaterialID. It fails with ErrInput if b is malformed, with ErrNotApproved if its spec is not served in FIPS
// mode, and with ctx's error if ctx ends while it waits to make an RSA key.
func (h *HSM) GenerateKey(ctx context.Context, b Binding) (Key, error) {
	switch {
	case b.MaterialID != "":
		return Key{}, fmt.Errorf("%w: material id %q given", ErrInput, b.MaterialID)
	case b.kind() == kindKeyPair:
		pair, err := h.generatePair(ctx, b.Account, keypair.Spec(b.Spec))
		if err != nil {
			return Key{}, err
		}
		return h.wrapPair(b, pair)
	case b.kind() == kindMAC:
		secret := make([]byte, macSize[b.Spec])
		defer clear(secret)
		rand.Read(secret)
		return h.wrapMaterial(b, secret)
	}
	var secret [seal.KeySize]byte
	defer clear(secret[:])
	rand.Read(secret[:])
	return h.wrapMaterial(b, secret[:])
}

// kind is what kind of material a key has.
func (b Binding) kind() kind {
	switch {
	case b.Spec == "":
		return kindMaterial
	case macSize[b.Spec] > 0:
		return kindMAC
	}
	return kindKeyPair
}

// wrapMaterial returns secret as key material of b, whose MaterialID it computes. It is for material that is bytes.
func (h *HSM) wrapMaterial(b Binding, secret []byte) (Key, error) {
	id, err := b.check()
	if err != nil {
		return Key{}, err
	}
	if b.kind() == kindMaterial {
		b.MaterialID = materialID(id, (*[seal.KeySize]byte)(secret))
	} else {
		sum := sha256.Sum256(secret)
		b.MaterialID = materialID(id, &sum)
	}
	return Key{Binding: b, Wrapped: h.domain.wrap(b.kind(), b.bound(), secret)}, nil
}

// wrapPair returns a key pair as key material of b. Its MaterialID comes of the public key: one private key may have
// several encodings.
func (h *HSM) wrapPair(b Binding, pair *keypair.Private) (Key, error) {
	id, err := b.check()
	if err != nil {
		return Key{}, err
	}
	public := pair.Public().SPKI()
	sum := sha256.Sum256(public)
	b.MaterialID = materialID(id, &sum)
	secret := pair.Secret()
	defer clear(secret)
	return Key{
		Binding: b, Wrapped: h.domain.wrap(kindKeyPair, b.bound(), secret), Public: h.domain.wrap(kindPublic, b.bound(), public),
	}, nil
}

// check refuses a binding that is malformed but for its MaterialID, and returns its key id.
func (b Binding) check() (binaryKeyID, error) {
	id, ok := parseKeyID(b.KeyID)
	if !ok {
		return id, fmt.Errorf("%w: key id %q", ErrInput, b.KeyID)
	}
	if b.Scope == "" || (b.Spec == "") != (b.Usage == "") {
		return id, fmt.Errorf("%w: scope %q, spec %q, usage %q", ErrInput, b.Scope, b.Spec, b.Usage)
	}
	b.MaterialID = strings.Repeat("0", 2*materialIDSize)
	_, err := b.identity()
	return id, err
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
