package root

import "crypto/sha256"

// Public returns the root key that is no secret: everybody who has Trent has it, and it is the same in all of them. It
// seals the domain keys in the snapshots of development servers, so that one opens what another has made. Nothing that
// is worth protecting may ever be sealed by it.
func Public() *Key {
	secret := sha256.Sum256([]byte("trent/public-root-key/1: it seals snapshots of development servers and protects nothing"))
	return newKey(&secret)
}
