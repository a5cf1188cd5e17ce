package keypair

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"sync"

	"github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

const (
	sm2ScalarSize = 32
	// maxSM2Plaintext is the most bytes that KMS encrypts with SM2PKE.
	maxSM2Plaintext = 1024
	// derSequence is the first byte of a DER SEQUENCE.
	derSequence = 0x30
)

// sm2Family is SM2 on its recommended curve (GB/T 32918).
type sm2Family struct{}

func (sm2Family) approved() bool { return false }

func (sm2Family) generate() (privateKey, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return newSM2Private(key)
}

func (sm2Family) parsePKCS8(der []byte) (privateKey, error) {
	scalar, points, err := parseEC(curveSM2(), sm2ScalarSize, der)
	defer clear(scalar)
	if err != nil {
		return nil, err
	}
	key, err := sm2.NewPrivateKey(scalar)
	if err != nil {
		return nil, err
	}
	k, err := newSM2Private(key)
	if err != nil || !matchesAll(k.pub.point, points) {
		return nil, errDER
	}
	return k, nil
}

func (f sm2Family) restore(secret []byte) (privateKey, error) { return f.parsePKCS8(secret) }

func (sm2Family) parsePublic(spki []byte) (publicKey, error) {
	point, err := parseSPKI(ecPublicKey(), curveSM2(), spki)
	if err != nil {
		return nil, err
	}
	key, err := sm2.NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return newSM2Public(key)
}

type sm2Private struct {
	key *sm2.PrivateKey
	// ecdh is the same key for ECDH.
	ecdh *ecdh.PrivateKey
	pub  sm2Public
}

func newSM2Private(key *sm2.PrivateKey) (sm2Private, error) {
	agree, err := key.ECDH()
	if err != nil {
		return sm2Private{}, err
	}
	public, err := newSM2Public(&key.PublicKey)
	return sm2Private{key, agree, public}, err
}

func (k sm2Private) public() publicKey       { return k.pub }
func (k sm2Private) secret() ([]byte, error) { return k.pkcs8() }

func (k sm2Private) pkcs8() ([]byte, error) {
	scalar := k.ecdh.Bytes()
	defer clear(scalar)
	return marshalEC(curveSM2(), scalar, k.pub.point)
}

func (k sm2Private) sign(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	d, err := k.pub.digest(a, t, message)
	if err != nil {
		return nil, err
	}
	return sm2.SignASN1(rand.Reader, k.key, d, nil)
}

func (k sm2Private) decrypt(a Algorithm, ciphertext []byte) ([]byte, error) {
	if a != SM2PKE {
		return nil, ErrInput
	}
	// The library would take other forms of ciphertext too.
	if len(ciphertext) == 0 || ciphertext[0] != derSequence {
		return nil, ErrCiphertext
	}
	plaintext, err := k.key.Decrypt(nil, ciphertext, sm2.ASN1DecrypterOpts)
	if err != nil {
		return nil, ErrCiphertext
	}
	return plaintext, nil
}

func (k sm2Private) agree(peer publicKey) ([]byte, error) {
	p, ok := peer.(sm2Public)
	if !ok {
		return nil, ErrPublicKey
	}
	return k.ecdh.ECDH(p.ecdh)
}

type sm2Public struct {
	key   *ecdsa.PublicKey
	ecdh  *ecdh.PublicKey
	point []byte
	// za is the hash of the user id and the key that precedes each message (GB/T 32918.2 §5.5); made at the first use.
	za func() ([]byte, error)
}

func newSM2Public(key *ecdsa.PublicKey) (sm2Public, error) {
	agree, err := sm2.PublicKeyToECDH(key)
	if err != nil {
		return sm2Public{}, err
	}
	// No user id stands for the default one, 1234567812345678 (GM/T 0009 §10).
	za := sync.OnceValues(func() ([]byte, error) { return sm2.CalculateZA(key, nil) })
	return sm2Public{key, agree, agree.Bytes(), za}, nil
}

func (k sm2Public) spki() ([]byte, error) { return marshalSPKI(ecPublicKey(), curveSM2(), k.point) }

// digest returns the number e that is signed: SM3(ZA ‖ message), or the message itself if it is that already.
func (k sm2Public) digest(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	switch {
	case a == SM2DSA && t == Raw:
		za, err := k.za()
		if err != nil {
			return nil, err
		}
		h := sm3.New()
		h.Write(za)
		h.Write(message)
		return h.Sum(nil), nil
	case a == SM2DSA && t == Digest && len(message) == sm3.Size:
		return message, nil
	}
	return nil, ErrInput
}

func (k sm2Public) verify(a Algorithm, t MessageType, message, signature []byte) error {
	d, err := k.digest(a, t, message)
	if err != nil {
		return err
	}
	if !sm2.VerifyASN1(k.key, d, signature) {
		return ErrSignature
	}
	return nil
}

func (k sm2Public) encrypt(a Algorithm, plaintext []byte) ([]byte, error) {
	if a != SM2PKE || len(plaintext) == 0 || len(plaintext) > maxSM2Plaintext {
		return nil, ErrInput
	}
	for {
		ciphertext, err := sm2.EncryptASN1(&oneNonce{}, k.key, plaintext)
		if !errors.Is(err, errSecondNonce) {
			return ciphertext, err
		}
	}
}

var errSecondNonce = errors.New("keypair: the library wanted a second nonce")

// oneNonce is a source of randomness that ends after one nonce. SM2 encryption starts again if the key stream happens to
// be all zeros, once in 256 times for a byte of plaintext (GB/T 32918.4 §6.1 step A5). gmsm v0.44.0 then goes on with a
// public key that it has overwritten, and nothing decrypts what comes out. So the second attempt must be a call of its own.
type oneNonce struct{ used bool }

func (o *oneNonce) Read(p []byte) (int, error) {
	// Libraries read single bytes at random to keep callers from relying on what they do with randomness.
	if len(p) > 1 {
		if o.used {
			return 0, errSecondNonce
		}
		o.used = true
	}
	return rand.Read(p)
}
