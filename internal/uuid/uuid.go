// Package uuid makes and recognises random UUIDs (RFC 9562 version 4) in their lower-case text form.
package uuid

import (
	"crypto/rand"
	"encoding/hex"
)

// New returns a new random UUID: 36 characters, 122 random bits.
func New() string {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	var t [36]byte
	hex.Encode(t[0:8], u[0:4])
	hex.Encode(t[9:13], u[4:6])
	hex.Encode(t[14:18], u[6:8])
	hex.Encode(t[19:23], u[8:10])
	hex.Encode(t[24:36], u[10:16])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}

// Valid says whether s has the lower-case text form of a UUID of any version.
func Valid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !Hex(c) {
				return false
			}
		}
	}
	return true
}

// Hex says whether c is a lower-case hexadecimal digit.
func Hex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
