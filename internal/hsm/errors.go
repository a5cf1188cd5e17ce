package hsm

import (
	"errors"

	"github.com/trent-kms/trent/internal/hsm/keypair"
	"github.com/trent-kms/trent/internal/hsm/root"
)

var (
	// ErrCiphertext says that a ciphertext does not decrypt, whatever is wrong with it: another key, another encryption
	// context, a changed bit, an unknown format.
	ErrCiphertext = errors.New("hsm: invalid ciphertext")
	// ErrWrapped says that a stored blob (a Key, a sealed secret, the domain keys) does not open: it is damaged, belongs
	// to another record or purpose, or names a format or domain key that is not known.
	ErrWrapped = errors.New("hsm: stored blob does not open")
	// ErrRoot says that the domain keys were sealed by another root key than the one given.
	ErrRoot = errors.New("hsm: wrong root key for this deployment")
	// ErrUnknownVersion says that a stored blob was written by a newer Trent; the text names both versions. Errors that
	// match it match ErrWrapped too.
	ErrUnknownVersion = root.ErrUnknownVersion
	// ErrInput says that an argument is outside its documented limits. Callers check requests first, so it is their bug.
	ErrInput = errors.New("hsm: argument out of limits")
	// ErrSignature says that a signature is not this message's under this key, whatever is wrong with it.
	ErrSignature = keypair.ErrSignature
	// ErrMAC says that a message authentication code is not this message's under this key.
	ErrMAC = errors.New("hsm: wrong message authentication code")
	// ErrPublicKey says that a peer's public key is malformed or on another curve.
	ErrPublicKey = keypair.ErrPublicKey
	// ErrMaterial says that key material from outside is not a key of the spec that it is for.
	ErrMaterial = errors.New("hsm: wrong key material")
	// ErrBusy says that an RSA key was not made: there are too many to make, or its caller has gone.
	ErrBusy = errors.New("hsm: too many RSA keys to make")
	// ErrNotApproved says that the program runs in FIPS 140-3 mode, which does not serve the spec or algorithm.
	ErrNotApproved = keypair.ErrNotApproved
)
