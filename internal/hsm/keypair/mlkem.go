package keypair

import (
	"bytes"
	"crypto/mlkem"
	"crypto/rand"
	"encoding/asn1"

	"github.com/cloudflare/circl/kem/mlkem/mlkem512"
)

// mlkemSeedSize is the length of a private key's seed d ‖ z in bytes (FIPS 203 §7.1).
const mlkemSeedSize = 64

// mlkemFamily is ML-KEM (FIPS 203) with one of its parameter sets.
type mlkemFamily struct{ spec Spec }

// approved: the standard library, and with it the validated module, has no ML-KEM-512.
func (f mlkemFamily) approved() bool { return f.spec != MLKEM512 }

// oid is the object identifier of the algorithm (RFC 9935 §3).
func (f mlkemFamily) oid() asn1.ObjectIdentifier {
	last := map[Spec]int{MLKEM512: 1, MLKEM768: 2, MLKEM1024: 3}[f.spec]
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, last}
}

func (f mlkemFamily) generate() (privateKey, error) {
	seed := make([]byte, mlkemSeedSize)
	defer clear(seed)
	rand.Read(seed)
	return f.restore(seed)
}

func (mlkemFamily) parsePKCS8([]byte) (privateKey, error) { return nil, ErrKey }

func (f mlkemFamily) restore(seed []byte) (privateKey, error) {
	if len(seed) != mlkemSeedSize {
		return nil, ErrKey
	}
	k := mlkemPrivate{mlkemFamily: f, seed: bytes.Clone(seed)}
	switch f.spec {
	case MLKEM768:
		key, err := mlkem.NewDecapsulationKey768(seed)
		if err != nil {
			return nil, err
		}
		public := key.EncapsulationKey()
		k.open, k.pub = key.Decapsulate, mlkemPublic{f, public.Bytes(), public.Encapsulate}
	case MLKEM1024:
		key, err := mlkem.NewDecapsulationKey1024(seed)
		if err != nil {
			return nil, err
		}
		public := key.EncapsulationKey()
		k.open, k.pub = key.Decapsulate, mlkemPublic{f, public.Bytes(), public.Encapsulate}
	default:
		public, key := mlkem512.NewKeyFromSeed(seed)
		encoded := make([]byte, mlkem512.PublicKeySize)
		public.Pack(encoded)
		k.open, k.pub = decapsulate512(key), mlkemPublic{f, encoded, encapsulate512(public)}
	}
	return k, nil
}

func (f mlkemFamily) parsePublic(spki []byte) (publicKey, error) {
	encoded, err := parseSPKI(f.oid(), nil, spki)
	if err != nil {
		return nil, err
	}
	encoded = bytes.Clone(encoded)
	switch f.spec {
	case MLKEM768:
		key, err := mlkem.NewEncapsulationKey768(encoded)
		if err != nil {
			return nil, err
		}
		return mlkemPublic{f, encoded, key.Encapsulate}, nil
	case MLKEM1024:
		key, err := mlkem.NewEncapsulationKey1024(encoded)
		if err != nil {
			return nil, err
		}
		return mlkemPublic{f, encoded, key.Encapsulate}, nil
	}
	key := new(mlkem512.PublicKey)
	if err := key.Unpack(encoded); err != nil {
		return nil, err
	}
	return mlkemPublic{f, encoded, encapsulate512(key)}, nil
}

// encapsulate512 and decapsulate512 give circl's ML-KEM-512 the shape of the standard library's methods.
func encapsulate512(key *mlkem512.PublicKey) func() (secret, ciphertext []byte) {
	return func() (secret, ciphertext []byte) {
		secret, ciphertext = make([]byte, mlkem512.SharedKeySize), make([]byte, mlkem512.CiphertextSize)
		key.EncapsulateTo(ciphertext, secret, nil)
		return secret, ciphertext
	}
}

func decapsulate512(key *mlkem512.PrivateKey) func(ciphertext []byte) ([]byte, error) {
	return func(ciphertext []byte) ([]byte, error) {
		if len(ciphertext) != mlkem512.CiphertextSize {
			return nil, ErrCiphertext
		}
		secret := make([]byte, mlkem512.SharedKeySize)
		key.DecapsulateTo(secret, ciphertext)
		return secret, nil
	}
}

type mlkemPrivate struct {
	mlkemFamily
	seed []byte
	open func(ciphertext []byte) ([]byte, error)
	pub  mlkemPublic
}

func (k mlkemPrivate) public() publicKey       { return k.pub }
func (k mlkemPrivate) secret() ([]byte, error) { return bytes.Clone(k.seed), nil }

// pkcs8 writes the seed form of ML-KEM-PrivateKey, [0] IMPLICIT OCTET STRING (RFC 9935 §6).
func (k mlkemPrivate) pkcs8() ([]byte, error) {
	inner := append([]byte{0x80, mlkemSeedSize}, k.seed...)
	defer clear(inner)
	return marshalPKCS8(k.oid(), nil, inner)
}

func (k mlkemPrivate) decapsulate(ciphertext []byte) ([]byte, error) {
	// The length is all that can be wrong.
	secret, err := k.open(ciphertext)
	if err != nil {
		return nil, ErrCiphertext
	}
	return secret, nil
}

type mlkemPublic struct {
	mlkemFamily
	encoded []byte
	seal    func() (secret, ciphertext []byte)
}

func (k mlkemPublic) spki() ([]byte, error) { return marshalSPKI(k.oid(), nil, k.encoded) }

func (k mlkemPublic) encapsulate() (secret, ciphertext []byte, err error) {
	secret, ciphertext = k.seal()
	return secret, ciphertext, nil
}
