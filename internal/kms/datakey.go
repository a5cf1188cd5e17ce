package kms

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
)

func (s *Service) generateDataKey(ctx context.Context, c *service.Call, in *kmsapi.GenerateDataKeyRequest, t *keyTarget) (*kmsapi.GenerateDataKeyResponse, error) {
	if in.Recipient != nil {
		return nil, recipientUnsupported()
	}
	size, err := dataKeySize(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	material := t.key.current()
	plaintext, ciphertext, err := s.hsm.GenerateDataKey(ctx, material, in.EncryptionContext, size)
	if err != nil {
		return nil, err
	}
	logMaterial(c, material)
	return &kmsapi.GenerateDataKeyResponse{
		CiphertextBlob: ciphertext, Plaintext: plaintext, KeyId: new(t.key.ARN()), KeyMaterialId: new(material.MaterialID),
	}, nil
}

func (s *Service) generateDataKeyWithoutPlaintext(ctx context.Context, c *service.Call, in *kmsapi.GenerateDataKeyWithoutPlaintextRequest, t *keyTarget) (*kmsapi.GenerateDataKeyWithoutPlaintextResponse, error) {
	size, err := dataKeySize(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	material := t.key.current()
	ciphertext, err := s.hsm.GenerateDataKeyWithoutPlaintext(ctx, material, in.EncryptionContext, size)
	if err != nil {
		return nil, err
	}
	logMaterial(c, material)
	return &kmsapi.GenerateDataKeyWithoutPlaintextResponse{
		CiphertextBlob: ciphertext, KeyId: new(t.key.ARN()), KeyMaterialId: new(material.MaterialID),
	}, nil
}

// dataKeySize returns the length in bytes; exactly one of the two must say it.
func dataKeySize(spec *kmsapi.DataKeySpec, bytes *int32) (int, error) {
	switch {
	case (spec == nil) == (bytes == nil):
		return 0, api.ValidationException("Please specify either number of bytes or key spec.")
	case bytes != nil:
		return int(*bytes), nil
	case *spec == kmsapi.DataKeySpecAes128:
		return 16, nil
	}
	return 32, nil
}

func (s *Service) generateRandom(ctx context.Context, _ *service.Call, in *kmsapi.GenerateRandomRequest, _ service.Own) (*kmsapi.GenerateRandomResponse, error) {
	switch {
	case in.NumberOfBytes == nil:
		return nil, api.ValidationException("NumberOfBytes is required.")
	case in.Recipient != nil:
		return nil, recipientUnsupported()
	case in.CustomKeyStoreId != nil:
		return nil, kmsapi.CustomKeyStoreNotFoundException("Custom key store %s does not exist.", *in.CustomKeyStoreId)
	}
	b, err := s.hsm.Random(ctx, int(*in.NumberOfBytes))
	if err != nil {
		return nil, err
	}
	return &kmsapi.GenerateRandomResponse{Plaintext: b}, nil
}
