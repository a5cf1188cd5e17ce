package kms

import (
	"context"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
)

// generateDataKeyPair makes a key pair for use outside. A dry run makes none: an RSA pair is dear.
func (s *Service) generateDataKeyPair(ctx context.Context, c *service.Call, in *kmsapi.GenerateDataKeyPairRequest, t *keyTarget) (*kmsapi.GenerateDataKeyPairResponse, error) {
	if in.Recipient != nil {
		return nil, recipientUnsupported()
	}
	if c.DryRun {
		return &kmsapi.GenerateDataKeyPairResponse{}, nil
	}
	material := t.key.current()
	private, ciphertext, public, err := s.hsm.GenerateDataKeyPair(ctx, material, in.EncryptionContext, string(*in.KeyPairSpec))
	if err != nil {
		return nil, unsupported(err)
	}
	logMaterial(c, material)
	return &kmsapi.GenerateDataKeyPairResponse{
		PrivateKeyPlaintext: private, PrivateKeyCiphertextBlob: ciphertext, PublicKey: public,
		KeyId: new(t.key.ARN()), KeyPairSpec: in.KeyPairSpec, KeyMaterialId: new(material.MaterialID),
	}, nil
}

func (s *Service) generateDataKeyPairWithoutPlaintext(ctx context.Context, c *service.Call, in *kmsapi.GenerateDataKeyPairWithoutPlaintextRequest, t *keyTarget) (*kmsapi.GenerateDataKeyPairWithoutPlaintextResponse, error) {
	if c.DryRun {
		return &kmsapi.GenerateDataKeyPairWithoutPlaintextResponse{}, nil
	}
	material := t.key.current()
	ciphertext, public, err := s.hsm.GenerateDataKeyPairWithoutPlaintext(ctx, material, in.EncryptionContext, string(*in.KeyPairSpec))
	if err != nil {
		return nil, unsupported(err)
	}
	logMaterial(c, material)
	return &kmsapi.GenerateDataKeyPairWithoutPlaintextResponse{
		PrivateKeyCiphertextBlob: ciphertext, PublicKey: public,
		KeyId: new(t.key.ARN()), KeyPairSpec: in.KeyPairSpec, KeyMaterialId: new(material.MaterialID),
	}, nil
}
