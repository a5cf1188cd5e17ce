package hsm

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"

	"github.com/trent-kms/trent/internal/hsm/keypair"
)

// unfit is the error for key material that cannot do what is asked. Callers check usage first, so it is their bug.
func (u *unwrapped) unfit() error {
	return fmt.Errorf("%w: a key of spec %q cannot do this", ErrInput, u.from.Spec)
}

// pairOf unwraps the key pair of k.
func (h *HSM) pairOf(k Key) (*keypair.Private, error) {
	u, err := h.unwrap(k)
	if err != nil {
		return nil, err
	}
	if u.pair == nil {
		return nil, u.unfit()
	}
	return u.pair, nil
}

// PublicKey returns the public key of a key pair as DER SubjectPublicKeyInfo. It needs k.Public alone.
func (h *HSM) PublicKey(_ context.Context, k Key) ([]byte, error) {
	return h.domain.unwrap(kindPublic, k.bound(), k.Public)
}

// Sign returns the signature of a message. Algorithm and kind (RAW, DIGEST, EXTERNAL_MU) are the API's names; a message
// that does not fit them is ErrInput.
func (h *HSM) Sign(_ context.Context, k Key, algorithm, kind string, message []byte) ([]byte, error) {
	pair, err := h.pairOf(k)
	if err != nil {
		return nil, err
	}
	signature, err := pair.Sign(keypair.Algorithm(algorithm), keypair.MessageType(kind), message)
	return signature, fromPair(err)
}

// Verify returns nil if Sign may have made the signature, else ErrSignature.
func (h *HSM) Verify(_ context.Context, k Key, algorithm, kind string, message, signature []byte) error {
	pair, err := h.pairOf(k)
	if err != nil {
		return err
	}
	return fromPair(pair.Public().Verify(keypair.Algorithm(algorithm), keypair.MessageType(kind), message, signature))
}

// EncryptAsymmetric encrypts under the public key of k. A plaintext too long for key and algorithm is ErrInput.
func (h *HSM) EncryptAsymmetric(_ context.Context, k Key, algorithm string, plaintext []byte) ([]byte, error) {
	u, err := h.unwrap(k)
	if err != nil {
		return nil, err
	}
	return u.encryptAsymmetric(algorithm, plaintext)
}

// DecryptAsymmetric decrypts with the private key of k. What does not decrypt is ErrCiphertext, whatever broke.
func (h *HSM) DecryptAsymmetric(_ context.Context, k Key, algorithm string, ciphertext []byte) ([]byte, error) {
	u, err := h.unwrap(k)
	if err != nil {
		return nil, err
	}
	return u.decryptAsymmetric(algorithm, ciphertext)
}

func (u *unwrapped) encryptAsymmetric(algorithm string, plaintext []byte) ([]byte, error) {
	if u.pair == nil {
		return nil, u.unfit()
	}
	ciphertext, err := u.pair.Public().Encrypt(keypair.Algorithm(algorithm), plaintext)
	return ciphertext, fromPair(err)
}

func (u *unwrapped) decryptAsymmetric(algorithm string, ciphertext []byte) ([]byte, error) {
	if u.pair == nil {
		return nil, u.unfit()
	}
	plaintext, err := u.pair.Decrypt(keypair.Algorithm(algorithm), ciphertext)
	return plaintext, fromPair(err)
}

// DeriveSharedSecret returns the raw ECDH secret of k and a peer's public key (DER SubjectPublicKeyInfo): the x
// coordinate, as long as the field. A public key that is malformed or of another curve is ErrPublicKey.
func (h *HSM) DeriveSharedSecret(_ context.Context, k Key, peer []byte) ([]byte, error) {
	pair, err := h.pairOf(k)
	if err != nil {
		return nil, err
	}
	secret, err := pair.Agree(peer)
	return secret, fromPair(err)
}

// Encapsulate makes a shared secret (32 bytes) and its encapsulation under k.
func (h *HSM) Encapsulate(_ context.Context, k Key) (secret, ciphertext []byte, err error) {
	pair, err := h.pairOf(k)
	if err != nil {
		return nil, nil, err
	}
	secret, ciphertext, err = pair.Public().Encapsulate()
	return secret, ciphertext, fromPair(err)
}

// Decapsulate returns the shared secret of an encapsulation. One of the wrong length is ErrCiphertext; any other wrong
// one gives a pseudo-random secret (FIPS 203, implicit rejection).
func (h *HSM) Decapsulate(_ context.Context, k Key, ciphertext []byte) ([]byte, error) {
	pair, err := h.pairOf(k)
	if err != nil {
		return nil, err
	}
	secret, err := pair.Decapsulate(ciphertext)
	return secret, fromPair(err)
}

// GenerateDataKeyPair makes a key pair of a spec and returns its private key (DER PKCS #8) in the clear and encrypted
// under k, as Encrypt does, and its public key. The caller clears the private key.
func (h *HSM) GenerateDataKeyPair(ctx context.Context, k Key, context map[string]string, spec string) (private, ciphertext, public []byte, err error) {
	pair, err := h.generatePair(ctx, k.Account, keypair.Spec(spec))
	if err != nil {
		return nil, nil, nil, err
	}
	if private, err = pair.PKCS8(); err != nil {
		return nil, nil, nil, fromPair(err)
	}
	if ciphertext, err = h.Encrypt(ctx, k, context, private); err != nil {
		clear(private)
		return nil, nil, nil, err
	}
	return private, ciphertext, pair.Public().SPKI(), nil
}

// GenerateDataKeyPairWithoutPlaintext is GenerateDataKeyPair for a caller that does not want the private key: it does not
// leave the HSM.
func (h *HSM) GenerateDataKeyPairWithoutPlaintext(ctx context.Context, k Key, context map[string]string, spec string) (ciphertext, public []byte, err error) {
	private, ciphertext, public, err := h.GenerateDataKeyPair(ctx, k, context, spec)
	clear(private)
	return ciphertext, public, err
}

// macSize is how many bytes of key material an HMAC key gets: as many as its hash returns (KMS Developer Guide, "HMAC keys").
var macSize = map[string]int{"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}

var macHash = map[string]func() hash.Hash{
	"HMAC_224": sha256.New224, "HMAC_256": sha256.New, "HMAC_384": sha512.New384, "HMAC_512": sha512.New,
}

// GenerateMAC returns the HMAC of a message, with the hash of the key's spec.
func (h *HSM) GenerateMAC(_ context.Context, k Key, message []byte) ([]byte, error) {
	u, err := h.unwrap(k)
	if err != nil {
		return nil, err
	}
	if u.mac.Len() == 0 {
		return nil, u.unfit()
	}
	m := hmac.New(macHash[u.from.Spec], u.mac.Expose())
	m.Write(message)
	return m.Sum(nil), nil
}

// VerifyMAC returns nil if GenerateMAC makes this code of this message, else ErrMAC.
func (h *HSM) VerifyMAC(ctx context.Context, k Key, message, mac []byte) error {
	want, err := h.GenerateMAC(ctx, k, message)
	if err != nil {
		return err
	}
	if !hmac.Equal(want, mac) {
		return ErrMAC
	}
	return nil
}

// fromPair gives the errors of package keypair their names here.
func fromPair(err error) error {
	switch {
	case errors.Is(err, keypair.ErrCiphertext):
		return ErrCiphertext
	case errors.Is(err, keypair.ErrInput):
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	return err
}
