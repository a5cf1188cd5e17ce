package hsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/hsm/keypair"
	"github.com/trent-kms/trent/internal/hsm/keywrap"
)

var (
	// ErrToken says that an import token is none that this deployment made for this key: changed, or another key's.
	ErrToken = errors.New("hsm: invalid import token")
	// ErrTokenExpired says that the time of an import token is over.
	ErrTokenExpired = errors.New("hsm: import token has expired")
)

// importTokenPurpose begins what a token is bound to. No purpose of Seal begins like it.
const importTokenPurpose = "trent/import-token/1/"

// keyWrapKeySize is the size of the AES key that comes before the material with RSA_AES_KEY_WRAP.
const keyWrapKeySize = 32

// importToken is what an import token holds: the private key that the material will be wrapped for. Sealed, with all that
// names the KMS key authenticated (tokenBound), it is the caller's to keep: the HSM remembers nothing.
//
//	expiry (8, Unix nanoseconds) ‖ algorithm ‖ 0 ‖ wrapping key spec ‖ 0 ‖ private key as package keypair stores it
type importToken struct {
	expires         time.Time
	algorithm, spec string
	key             *keypair.Private
}

// ImportParameters makes a key pair of the wrapping key spec (RSA_2048, RSA_3072, RSA_4096, SM2), so that material can be
// imported by a wrapping algorithm of the API into the KMS key that b names. It returns the public key (DER
// SubjectPublicKeyInfo) and the token that Import needs until expires, of less than 3 kB. Region is the KMS key's, which
// b does not tell of multi-Region keys: relatives do not take each other's tokens. An algorithm that is unknown or not for
// such a key pair is ErrInput, as is a malformed b; what FIPS mode does not serve is ErrNotApproved. It may wait to make
// an RSA key until ctx ends.
func (h *HSM) ImportParameters(ctx context.Context, b Binding, region, algorithm, spec string, expires time.Time) (public, token []byte, err error) {
	if _, err := b.check(); err != nil {
		return nil, nil, err
	}
	pair, err := h.generatePair(ctx, b.Account, keypair.Spec(spec))
	if err != nil {
		return nil, nil, err
	}
	direct, _ := wrappingAlgorithm(algorithm)
	if err := checkWrappingPair(pair, direct); err != nil {
		return nil, nil, err
	}
	secret := pair.Secret()
	defer clear(secret)
	plain := make([]byte, 0, 8+len(algorithm)+1+len(spec)+1+len(secret)) // growing would leave a copy behind
	plain = binary.BigEndian.AppendUint64(plain, uint64(expires.UnixNano()))
	plain = append(append(append(plain, algorithm+"\x00"...), spec+"\x00"...), secret...)
	defer clear(plain)
	return pair.Public().SPKI(), h.domain.wrap(kindSecret, b.tokenBound(region), plain), nil
}

// checkWrappingPair uses a new key pair once, before anybody relies on it. Thereby it refuses an algorithm that is not
// for it.
func checkWrappingPair(pair *keypair.Private, algorithm keypair.Algorithm) error {
	const text = "test"
	ciphertext, err := pair.Public().Encrypt(algorithm, []byte(text))
	if err != nil {
		return fromPair(err)
	}
	got, err := pair.Decrypt(algorithm, ciphertext)
	if err == nil && string(got) != text {
		err = ErrCiphertext
	}
	if err != nil {
		return fmt.Errorf("testing a new wrapping key: %w", err)
	}
	return nil
}

// Import opens material that was wrapped for a token and makes it that of the KMS key that b names, whose MaterialID is
// empty. It fails with ErrToken or ErrTokenExpired, with ErrCiphertext if the material does not unwrap, whatever broke,
// and with ErrMaterial if it is not what the KMS key needs (Adopt). The material does not leave the HSM.
func (h *HSM) Import(ctx context.Context, b Binding, region string, token, wrapped []byte, now time.Time) (Key, error) {
	t, err := h.openToken(b, region, token)
	if err != nil {
		return Key{}, err
	}
	if !now.Before(t.expires) {
		return Key{}, ErrTokenExpired
	}
	secret, err := t.unwrap(wrapped)
	if err != nil {
		return Key{}, err
	}
	defer clear(secret)
	return h.Adopt(ctx, b, secret)
}

// tokenBound is what a token is bound to.
func (b Binding) tokenBound(region string) []byte {
	return appendString(append([]byte(importTokenPurpose), b.bound()...), region)
}

// openToken returns what ImportParameters sealed for the same KMS key.
func (h *HSM) openToken(b Binding, region string, token []byte) (importToken, error) {
	plain, err := h.domain.unwrap(kindSecret, b.tokenBound(region), token)
	if err != nil {
		return importToken{}, fmt.Errorf("%w: %v", ErrToken, err)
	}
	defer clear(plain)
	if len(plain) < 8 {
		return importToken{}, ErrToken
	}
	algorithm, rest, _ := bytes.Cut(plain[8:], []byte{0})
	spec, secret, _ := bytes.Cut(rest, []byte{0})
	t := importToken{
		expires: time.Unix(0, int64(binary.BigEndian.Uint64(plain))), algorithm: string(algorithm), spec: string(spec),
	}
	if t.key, err = keypair.ParseSecret(keypair.Spec(t.spec), secret); err != nil && !errors.Is(err, ErrNotApproved) {
		err = fmt.Errorf("%w: %v", ErrToken, err)
	}
	return t, err
}

// unwrap returns material in the clear, which the caller clears.
func (t importToken) unwrap(wrapped []byte) ([]byte, error) {
	direct, keyWrap := wrappingAlgorithm(t.algorithm)
	if !keyWrap {
		secret, err := t.key.Decrypt(direct, wrapped)
		return secret, fromPair(err)
	}
	size := rsaSize(t.spec)
	if len(wrapped) < size {
		return nil, ErrCiphertext
	}
	kek, err := t.key.Decrypt(direct, wrapped[:size])
	if err != nil {
		return nil, fromPair(err)
	}
	defer clear(kek)
	if len(kek) != keyWrapKeySize {
		return nil, ErrCiphertext
	}
	secret, err := keywrap.Unwrap(kek, wrapped[size:])
	if err != nil {
		return nil, ErrCiphertext
	}
	return secret, nil
}

// wrappingAlgorithm takes a wrapping algorithm of the API apart: what the key pair encrypts with, and whether that is an
// AES key with which the material is wrapped (AES-KWP), or the material itself. An unknown one gives one that keypair
// does not know either.
func wrappingAlgorithm(name string) (direct keypair.Algorithm, keyWrap bool) {
	if hash, ok := strings.CutPrefix(name, "RSA_AES_KEY_WRAP_"); ok {
		return keypair.Algorithm("RSAES_OAEP_" + hash), true
	}
	return keypair.Algorithm(name), false
}

// rsaSize is how long the ciphertexts of an RSA wrapping key are, in bytes.
func rsaSize(spec string) int {
	return map[keypair.Spec]int{keypair.RSA2048: 256, keypair.RSA3072: 384, keypair.RSA4096: 512}[keypair.Spec(spec)]
}
