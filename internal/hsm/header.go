package hsm

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"

	"github.com/trent-kms/trent/internal/hsm/seal"
)

// A ciphertext is what package seal makes, after a prefix that says which key opens it:
//
//	format version (1) ‖ identity (55) ‖ CRC-32 of both (4) ‖ salt (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)
//
// Prefix, salt and the encryption context are authenticated. The checksum tells damage from the name of another key,
// before there is a key that could; whoever wants to forge a name computes it, and the tag stops him.
const (
	ciphertextFormat = 1
	checksumAt       = 1 + identitySize
	prefixSize       = checksumAt + 4
	labelCiphertext  = "trent/ciphertext/1"
)

// newPrefix returns the prefix of every ciphertext that a key makes.
func newPrefix(id identity) (p [prefixSize]byte) {
	p[0] = ciphertextFormat
	copy(p[1:], id[:])
	binary.BigEndian.PutUint32(p[checksumAt:], crc32.ChecksumIEEE(p[:checksumAt]))
	return p
}

// Sizes in bytes.
const (
	// MaxPlaintext is the longest plaintext that Encrypt takes.
	MaxPlaintext = 4096
	// CiphertextOverhead is how much longer a ciphertext is than its plaintext.
	CiphertextOverhead = prefixSize + seal.Overhead
)

// Header is what a ciphertext says about the key that made it. It is a claim until Decrypt has succeeded.
type Header struct{ Account, KeyID, MaterialID string }

// ParseHeader returns the public part of a ciphertext, or ErrCiphertext.
func ParseHeader(ciphertext []byte) (Header, error) {
	if !wellFormed(ciphertext) || binary.BigEndian.Uint32(ciphertext[checksumAt:]) != crc32.ChecksumIEEE(ciphertext[:checksumAt]) {
		return Header{}, ErrCiphertext
	}
	rest := ciphertext[1:]
	account := binary.BigEndian.Uint64(append([]byte{0, 0}, rest[:accountSize]...))
	rest = rest[accountSize:]
	keyID := binaryKeyID(rest[:1+keyIDSize]).String()
	if account >= accountLimit || keyID == "" {
		return Header{}, ErrCiphertext
	}
	materialID := rest[1+keyIDSize:][:materialIDSize]
	return Header{
		Account:    accountText(account),
		KeyID:      keyID,
		MaterialID: hex.EncodeToString(materialID),
	}, nil
}

// accountText writes an account id with its leading zeros.
func accountText(account uint64) string {
	var digits [accountDigits]byte
	for i := range digits {
		digits[accountDigits-1-i] = byte('0' + account%10)
		account /= 10
	}
	return string(digits[:])
}

// wellFormed reports whether a ciphertext has a version and a length that Encrypt makes.
func wellFormed(ciphertext []byte) bool {
	n := len(ciphertext) - CiphertextOverhead
	return n >= 0 && n <= MaxPlaintext && ciphertext[0] == ciphertextFormat
}
