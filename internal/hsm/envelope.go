package hsm

import (
	"encoding/binary"
	"fmt"

	"github.com/trent-kms/trent/internal/hsm/seal"
)

// An envelope is what package seal makes under a domain key, after a prefix that says which:
//
//	format version (1) ‖ kind (1) ‖ domain key version (4) ‖ salt (16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
const (
	envelopeFormat     = 1
	envelopePrefixSize = 1 + 1 + 4
)

// kind says what an envelope holds. Each has a label of its own, so one kind never opens as another.
type kind byte

const (
	kindMaterial kind = 1 // 32 bytes of symmetric key material
	kindSecret   kind = 2 // any other secret
	kindKeyPair  kind = 3 // a private key
	kindMAC      kind = 4 // an HMAC key
	kindPublic   kind = 5 // a public key: no secret, but nobody may exchange it
)

// kinds has the label of the SP 800-108 derivation from the domain key, and the name of each kind in errors.
var kinds = map[kind]struct{ label, name string }{
	kindMaterial: {"trent/key-material/1", "key material"},
	kindSecret:   {"trent/secret/1", "sealed secret"},
	kindKeyPair:  {"trent/key-pair/1", "private key"},
	kindMAC:      {"trent/mac-key/1", "HMAC key"},
	kindPublic:   {"trent/public-key/1", "public key"},
}

func (k kind) label() string  { return kinds[k].label }
func (k kind) String() string { return kinds[k].name }

// wrap seals secret under the current domain key.
func (d domainKeys) wrap(k kind, bound, secret []byte) []byte {
	prefix := binary.BigEndian.AppendUint32([]byte{envelopeFormat, byte(k)}, d.current)
	return d.keys[d.current].Seal(k.label(), prefix, bound, secret)
}

// unwrap opens an envelope under the domain key that it names.
func (d domainKeys) unwrap(k kind, bound, blob []byte) ([]byte, error) {
	if len(blob) > 0 && blob[0] > envelopeFormat {
		return nil, newer(k.String(), blob[0], envelopeFormat)
	}
	if len(blob) < envelopePrefixSize || blob[0] != envelopeFormat || blob[1] != byte(k) {
		return nil, ErrWrapped
	}
	version := binary.BigEndian.Uint32(blob[2:])
	key, ok := d.keys[version]
	if !ok {
		return nil, fmt.Errorf("%w: %s: no domain key of version %d", ErrWrapped, k, version)
	}
	secret, err := key.Open(k.label(), envelopePrefixSize, bound, blob)
	if err != nil {
		return nil, ErrWrapped
	}
	return secret, nil
}

// envelopeSalt returns the salt of an envelope long enough to have one.
func envelopeSalt(blob []byte) (salt [seal.SaltSize]byte, ok bool) {
	if len(blob) < envelopePrefixSize+seal.Overhead {
		return salt, false
	}
	return [seal.SaltSize]byte(blob[envelopePrefixSize:]), true
}
