package hsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/trent-kms/trent/internal/hsm/keypair"
	"github.com/trent-kms/trent/internal/hsm/seal"
)

// maxMACBytes is the longest HMAC key that can be brought along (KMS Developer Guide, "Importing key material").
const maxMACBytes = 128

// Adopt makes key material that was made elsewhere that of the key that b names, whose MaterialID is empty: 32 bytes for
// a symmetric key, as many as the hash has up to 128 for HMAC, DER PKCS #8 for a key pair. Anything else is ErrMaterial.
func (h *HSM) Adopt(_ context.Context, b Binding, material []byte) (Key, error) {
	switch b.kind() {
	case kindKeyPair:
		pair, err := keypair.ParsePKCS8(keypair.Spec(b.Spec), material)
		switch {
		case errors.Is(err, keypair.ErrKey):
			return Key{}, fmt.Errorf("%w: %w", ErrMaterial, err)
		case err != nil:
			return Key{}, fromPair(err)
		}
		return h.wrapPair(b, pair)
	case kindMAC:
		if len(material) < macSize[b.Spec] || len(material) > maxMACBytes {
			return Key{}, fmt.Errorf("%w: %d bytes for %s", ErrMaterial, len(material), b.Spec)
		}
	default:
		if len(material) != seal.KeySize {
			return Key{}, fmt.Errorf("%w: %d bytes for a symmetric key", ErrMaterial, len(material))
		}
	}
	return h.wrapMaterial(b, material)
}
