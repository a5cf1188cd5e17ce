package hsm

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Binding is the record that wrapped key material belongs to. It is authenticated with the material: moved to another
// record, the material does not open.
type Binding struct {
	Account    string // twelve digits
	Scope      string // the Region of a single-Region key, "*" for a multi-Region key
	KeyID      string // a UUID, or "mrk-" and 32 hex digits; lower case
	MaterialID string // 64 lower-case hex digits
	// Spec and Usage are the key's, as the API names them (RSA_2048, SIGN_VERIFY): material made for one thing must not
	// be used for another. Both are empty for the symmetric encryption keys, which are the only ones of their kind.
	Spec, Usage string
}

// Key is key material as it is stored: opaque, and of use only to the HSM.
type Key struct {
	Binding
	Wrapped []byte
	// Public is the public key of a key pair, sealed, so that nobody can put another in its place. It outlives Wrapped
	// when imported material is deleted.
	Public []byte
}

// identity is how a ciphertext names the key that made it: the account, key id and material id of a Binding, in binary.
//
//	account (6, unsigned) ‖ kind of key id (1) ‖ key id (16) ‖ material id (32)
//
// A Region is not part of it, because replicas of a multi-Region key decrypt each other's ciphertexts.
type identity [identitySize]byte

const (
	accountSize    = 6
	accountDigits  = 12
	keyIDSize      = 16
	materialIDSize = 32
	identitySize   = accountSize + 1 + keyIDSize + materialIDSize

	accountLimit = 1_000_000_000_000 // ten to the number of digits

	keyIDUUID        = 1 // 8-4-4-4-12 hex digits
	keyIDMultiRegion = 2 // mrk- and 32 hex digits
)

// identity encodes b, or fails with ErrInput if b is not what the fields' comments say.
func (b Binding) identity() (identity, error) {
	account, err := strconv.ParseUint(b.Account, 10, 64)
	if err != nil || len(b.Account) != accountDigits {
		return identity{}, fmt.Errorf("%w: account %q", ErrInput, b.Account)
	}
	keyID, ok := parseKeyID(b.KeyID)
	if !ok {
		return identity{}, fmt.Errorf("%w: key id %q", ErrInput, b.KeyID)
	}
	materialID, err := hex.DecodeString(b.MaterialID)
	if err != nil || len(materialID) != materialIDSize || hex.EncodeToString(materialID) != b.MaterialID {
		return identity{}, fmt.Errorf("%w: material id %q", ErrInput, b.MaterialID)
	}
	out := binary.BigEndian.AppendUint64(nil, account)[8-accountSize:]
	out = append(out, keyID[:]...)
	return identity(append(out, materialID...)), nil
}

// binaryKeyID is the kind of a key id and its 128 bits.
type binaryKeyID [1 + keyIDSize]byte

func parseKeyID(s string) (id binaryKeyID, ok bool) {
	digits, multiRegion := strings.CutPrefix(s, "mrk-")
	id[0] = keyIDMultiRegion
	if !multiRegion {
		id[0] = keyIDUUID
		digits = strings.ReplaceAll(s, "-", "")
	}
	if len(digits) != 2*keyIDSize {
		return binaryKeyID{}, false
	}
	if _, err := hex.Decode(id[1:], []byte(digits)); err != nil {
		return binaryKeyID{}, false
	}
	// Misplaced dashes and upper-case digits come out differently.
	if id.String() != s {
		return binaryKeyID{}, false
	}
	return id, true
}

// String returns the key id, or "" for an unknown kind.
func (id binaryKeyID) String() string {
	d := hex.EncodeToString(id[1:])
	switch id[0] {
	case keyIDUUID:
		return d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:]
	case keyIDMultiRegion:
		return "mrk-" + d
	}
	return ""
}

// bound encodes b as what wrapped material is bound to: four strings, each with its length, and two more for anything
// but symmetric encryption keys.
func (b Binding) bound() []byte {
	parts := []string{b.Account, b.Scope, b.KeyID, b.MaterialID, b.Spec, b.Usage}
	if b.Spec == "" {
		parts = parts[:4]
	}
	var out []byte
	for _, s := range parts {
		out = appendString(out, s)
	}
	return out
}

// appendString appends s with its length in bytes before it, so that what follows cannot be taken for a part of it.
func appendString(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}
