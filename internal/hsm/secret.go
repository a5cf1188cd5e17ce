package hsm

import "context"

// Seal returns a secret that is no key material (an access key's secret, a session), sealed under the current domain
// key and bound to purpose: a string that says what the secret is and whose.
func (h *HSM) Seal(_ context.Context, purpose string, secret []byte) ([]byte, error) {
	return h.domain.wrap(kindSecret, []byte(purpose), secret), nil
}

// Unseal returns the secret of a blob that Seal made for the same purpose, or ErrWrapped (and ErrUnknownVersion if a
// newer Trent made it). The caller clears the secret.
func (h *HSM) Unseal(_ context.Context, purpose string, blob []byte) ([]byte, error) {
	return h.domain.unwrap(kindSecret, []byte(purpose), blob)
}
