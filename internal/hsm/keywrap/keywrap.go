// Package keywrap is AES key wrap with padding: AES-KWP of RFC 5649 and NIST SP 800-38F, section 6.3.
package keywrap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"math"
)

// ErrUnwrap says that a wrapped key does not open, whatever is wrong with it.
var ErrUnwrap = errors.New("keywrap: wrapped key does not open")

// ErrWrap says that a key cannot be wrapped: it is empty or longer than 4 GiB, or the wrapping key is no AES key.
var ErrWrap = errors.New("keywrap: key cannot be wrapped")

// A wrapped key is the encryption of
//
//	constant (4) ‖ length of the key (4) ‖ key ‖ zeros to a multiple of 8
//
// in six passes of AES over all of its halves (block), or in one if that is a single AES block.
const (
	half     = aes.BlockSize / 2
	passes   = 6
	constant = 0xA65959A6 // RFC 5649, section 3
)

// Wrap returns key (1 byte and more) wrapped under kek, an AES key of 16, 24 or 32 bytes. The same key is wrapped into
// the same bytes each time. It fails with ErrWrap.
func Wrap(kek, key []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil || len(key) == 0 || uint64(len(key)) > math.MaxUint32 {
		return nil, ErrWrap
	}
	out := make([]byte, half+(len(key)+half-1)/half*half)
	binary.BigEndian.PutUint32(out, constant)
	binary.BigEndian.PutUint32(out[half/2:], uint32(len(key)))
	copy(out[half:], key)
	if len(out) == aes.BlockSize {
		block.Encrypt(out, out)
		return out, nil
	}
	wrap(block, out)
	return out, nil
}

// Unwrap returns the key that Wrap wrapped under kek, or ErrUnwrap. Which of the checks failed shows neither in the error
// nor in the time it takes. The caller clears the key.
func Unwrap(kek, wrapped []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil || len(wrapped) < aes.BlockSize || len(wrapped)%half != 0 {
		return nil, ErrUnwrap
	}
	out := bytes.Clone(wrapped)
	if len(out) == aes.BlockSize {
		block.Decrypt(out, out)
	} else {
		unwrap(block, out)
	}
	head, padded := out[:half], out[half:]
	padding := uint64(len(padded)) - uint64(binary.BigEndian.Uint32(head[half/2:]))
	wrong := uint64(binary.BigEndian.Uint32(head)^constant) | padding/half
	for i := range uint64(half - 1) { // the last bytes, so many as padding says, are zero
		within := (i - padding) >> 63 // 1 if i < padding
		wrong |= -within & uint64(padded[len(padded)-1-int(i)])
	}
	if wrong != 0 {
		clear(out)
		return nil, ErrUnwrap
	}
	return padded[:len(padded)-int(padding)], nil
}

// wrap is the wrapping function W of SP 800-38F, algorithm 1, in place. The first half is what each step takes along.
func wrap(block cipher.Block, text []byte) {
	var b [aes.BlockSize]byte
	defer clear(b[:])
	copy(b[:], text[:half])
	step := uint64(0)
	for range passes {
		for at := half; at < len(text); at += half {
			step++
			copy(b[half:], text[at:])
			block.Encrypt(b[:], b[:])
			binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])^step)
			copy(text[at:], b[half:])
		}
	}
	copy(text, b[:half])
}

// unwrap undoes wrap (SP 800-38F, algorithm 2).
func unwrap(block cipher.Block, text []byte) {
	var b [aes.BlockSize]byte
	defer clear(b[:])
	copy(b[:], text[:half])
	step := uint64(passes * (len(text)/half - 1))
	for range passes {
		for at := len(text) - half; at >= half; at -= half {
			binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])^step)
			step--
			copy(b[half:], text[at:])
			block.Decrypt(b[:], b[:])
			copy(text[at:], b[half:])
		}
	}
	copy(text, b[:half])
}
