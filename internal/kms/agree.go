package kms

import (
	"context"
	"errors"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/service"
)

// deriveSharedSecret answers the raw ECDH secret. A public key that does not fit is a ValidationException without text,
// as observed of AWS.
func (s *Service) deriveSharedSecret(ctx context.Context, _ *service.Call, in *kmsapi.DeriveSharedSecretRequest, t *keyTarget) (*kmsapi.DeriveSharedSecretResponse, error) {
	if in.Recipient != nil {
		return nil, recipientUnsupported()
	}
	secret, err := s.hsm.DeriveSharedSecret(ctx, t.key.current(), in.PublicKey)
	switch {
	case errors.Is(err, hsm.ErrPublicKey):
		return nil, api.ValidationException("")
	case err != nil:
		return nil, unsupported(err)
	}
	return &kmsapi.DeriveSharedSecretResponse{
		KeyId: new(t.key.ARN()), SharedSecret: secret, KeyAgreementAlgorithm: in.KeyAgreementAlgorithm, KeyOrigin: &t.key.Origin,
	}, nil
}

func (s *Service) encapsulate(ctx context.Context, _ *service.Call, in *kmsapi.EncapsulateRequest, t *keyTarget) (*kmsapi.EncapsulateResponse, error) {
	secret, ciphertext, err := s.hsm.Encapsulate(ctx, t.key.current())
	if err != nil {
		return nil, unsupported(err)
	}
	return &kmsapi.EncapsulateResponse{
		KeyId: new(t.key.ARN()), SharedSecret: secret, SharedSecretCiphertextBlob: ciphertext, EncapsulationAlgorithm: in.EncapsulationAlgorithm,
	}, nil
}

// decapsulate answers the shared secret. A blob of the right length always gives one: a wrong blob a wrong one.
func (s *Service) decapsulate(ctx context.Context, _ *service.Call, in *kmsapi.DecapsulateRequest, t *keyTarget) (*kmsapi.DecapsulateResponse, error) {
	secret, err := s.hsm.Decapsulate(ctx, t.key.current(), in.SharedSecretCiphertextBlob)
	if err != nil {
		return nil, invalidCiphertext(err)
	}
	return &kmsapi.DecapsulateResponse{KeyId: new(t.key.ARN()), SharedSecret: secret, EncapsulationAlgorithm: in.EncapsulationAlgorithm}, nil
}
