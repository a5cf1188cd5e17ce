// Package root holds what seals a deployment's domain keys. It is the one secret that Trent does not store beside its
// data, and whoever has it and the data has everything.
package root

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/trent-kms/trent/internal/hsm/seal"
)

var (
	// ErrOther says that a blob was sealed by another root than the one asked to open it.
	ErrOther = errors.New("root: sealed by another root key")
	// ErrSealed says that a blob does not open: it is damaged, or it was sealed for another purpose.
	ErrSealed = errors.New("root: sealed blob does not open")
	// ErrUnknownVersion says that a blob or file has a format newer than this program.
	ErrUnknownVersion = errors.New("unknown format version")
)

// Root seals small secrets. Implementations are safe for concurrent use.
type Root interface {
	// Seal returns secret encrypted and authenticated, bound to purpose.
	Seal(ctx context.Context, purpose string, secret []byte) ([]byte, error)

	// Unseal returns the secret of a blob that Seal made for the same purpose. It fails with ErrOther if another root
	// made the blob, ErrUnknownVersion if the blob's format is newer, ErrSealed if it does not open.
	Unseal(ctx context.Context, purpose string, blob []byte) ([]byte, error)
}

// Labels of SP 800-108 derivations from a root key.
const (
	labelID   = "trent/root-key-id/1"
	labelSeal = "trent/root-seal/1"
)

const (
	blobVersion = 1
	idSize      = 16
	prefixSize  = 1 + idSize // version ‖ id
)

// Key is a root key in this process's memory.
type Key struct {
	id  [idSize]byte
	key *seal.Key
}

// New returns an ephemeral root: a random key that dies with the process. What it seals cannot be opened afterwards.
func New() *Key {
	var secret [seal.KeySize]byte
	defer clear(secret[:])
	rand.Read(secret[:])
	return newKey(&secret)
}

func newKey(secret *[seal.KeySize]byte) *Key {
	k := &Key{key: seal.NewKey(secret)}
	id := k.key.Derive(labelID, nil)
	copy(k.id[:], id[:])
	return k
}

// ID returns the public identifier of the key, 32 lower-case hex digits derived from it: equal keys have equal ids.
func (k *Key) ID() string { return hex.EncodeToString(k.id[:]) }

// Seal implements Root.
func (k *Key) Seal(_ context.Context, purpose string, secret []byte) ([]byte, error) {
	prefix := append([]byte{blobVersion}, k.id[:]...)
	return k.key.Seal(labelSeal, prefix, []byte(purpose), secret), nil
}

// Unseal implements Root.
func (k *Key) Unseal(_ context.Context, purpose string, blob []byte) ([]byte, error) {
	if len(blob) == 0 || blob[0] == 0 {
		return nil, ErrSealed
	}
	if v := blob[0]; v > blobVersion {
		return nil, fmt.Errorf("%w: sealed blob of format %d, this program reads format %d", ErrUnknownVersion, v, blobVersion)
	}
	if len(blob) < prefixSize+seal.Overhead {
		return nil, ErrSealed
	}
	if id := [idSize]byte(blob[1:prefixSize]); id != k.id {
		return nil, fmt.Errorf("%w: sealed by root key %x, this is root key %x", ErrOther, id, k.id)
	}
	secret, err := k.key.Open(labelSeal, prefixSize, []byte(purpose), blob)
	if err != nil {
		return nil, ErrSealed
	}
	return secret, nil
}
