package keypair

import (
	_ "unsafe" // for go:linkname

	"github.com/emmansun/gmsm/mldsa"
)

// No library for Go exports the verification of a signature of μ (for the standard library it is proposed:
// https://go.dev/issue/80272), though each has it inside. We borrow one rather than write our own. gmsm's is the one that
// links with every version of Go. A version of gmsm without these methods would not link, so it cannot go unnoticed.
// TestMuVerifierAgrees compares with filippo.io/mldsa.

//go:linkname verifyMu44 github.com/emmansun/gmsm/mldsa.(*PublicKey44).verifyInternal
func verifyMu44(k *mldsa.PublicKey44, signature, mu []byte) bool

//go:linkname verifyMu65 github.com/emmansun/gmsm/mldsa.(*PublicKey65).verifyInternal
func verifyMu65(k *mldsa.PublicKey65, signature, mu []byte) bool

//go:linkname verifyMu87 github.com/emmansun/gmsm/mldsa.(*PublicKey87).verifyInternal
func verifyMu87(k *mldsa.PublicKey87, signature, mu []byte) bool

// muVerifier returns FIPS 204 algorithm 8 (ML-DSA.Verify_internal) from μ on for an encoded public key. The function is
// safe for concurrent use; the signature given to it must have the right length.
func muVerifier(spec Spec, public []byte) func(signature, mu []byte) bool {
	switch spec {
	case MLDSA44:
		if k, err := mldsa.NewPublicKey44(public); err == nil {
			return func(signature, mu []byte) bool { return verifyMu44(k, signature, mu) }
		}
	case MLDSA65:
		if k, err := mldsa.NewPublicKey65(public); err == nil {
			return func(signature, mu []byte) bool { return verifyMu65(k, signature, mu) }
		}
	case MLDSA87:
		if k, err := mldsa.NewPublicKey87(public); err == nil {
			return func(signature, mu []byte) bool { return verifyMu87(k, signature, mu) }
		}
	}
	return func([]byte, []byte) bool { return false }
}
