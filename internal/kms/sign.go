package kms

import (
	"context"
	"errors"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/service"
)

func (s *Service) sign(ctx context.Context, _ *service.Call, in *kmsapi.SignRequest, t *keyTarget) (*kmsapi.SignResponse, error) {
	fill(&in.MessageType, kmsapi.MessageTypeRaw)
	if err := checkMessage(*in.SigningAlgorithm, *in.MessageType, in.Message, t.key); err != nil {
		return nil, err
	}
	signature, err := s.hsm.Sign(ctx, t.key.current(), string(*in.SigningAlgorithm), string(*in.MessageType), in.Message)
	if err != nil {
		return nil, unsupported(err)
	}
	return &kmsapi.SignResponse{KeyId: new(t.key.ARN()), Signature: signature, SigningAlgorithm: in.SigningAlgorithm}, nil
}

// verify answers that the signature is valid, or with an error: never with a false that somebody forgets to look at.
func (s *Service) verify(ctx context.Context, _ *service.Call, in *kmsapi.VerifyRequest, t *keyTarget) (*kmsapi.VerifyResponse, error) {
	fill(&in.MessageType, kmsapi.MessageTypeRaw)
	if err := checkMessage(*in.SigningAlgorithm, *in.MessageType, in.Message, t.key); err != nil {
		return nil, err
	}
	err := s.hsm.Verify(ctx, t.key.current(), string(*in.SigningAlgorithm), string(*in.MessageType), in.Message, in.Signature)
	switch {
	case errors.Is(err, hsm.ErrSignature):
		return nil, kmsapi.KMSInvalidSignatureException("")
	case err != nil:
		return nil, unsupported(err)
	}
	return &kmsapi.VerifyResponse{KeyId: new(t.key.ARN()), SignatureValid: new(true), SigningAlgorithm: in.SigningAlgorithm}, nil
}

// muSize is the length of an external μ in bytes (FIPS 204, Algorithm 7).
const muSize = 64

// checkMessage refuses an algorithm that the key does not have, and a message of a type or length that does not fit the
// algorithm.
func checkMessage(alg kmsapi.SigningAlgorithmSpec, kind kmsapi.MessageType, message []byte, k *Key) error {
	can, _ := signingAlgorithms(k.Spec)
	if err := checkAlgorithm(alg, can, k); err != nil {
		return err
	}
	lattice := alg == kmsapi.SigningAlgorithmSpecMlDsaShake256
	switch {
	case alg == kmsapi.SigningAlgorithmSpecEd25519Sha512 && kind != kmsapi.MessageTypeRaw,
		alg == kmsapi.SigningAlgorithmSpecEd25519PhSha512 && kind != kmsapi.MessageTypeDigest,
		lattice && kind == kmsapi.MessageTypeDigest,
		!lattice && kind == kmsapi.MessageTypeExternalMu:
		return api.ValidationException("MessageType %s is not valid for algorithm %s.", kind, alg)
	case kind == kmsapi.MessageTypeDigest && len(message) != digestSize(alg):
		return api.ValidationException("Digest is invalid length for algorithm %s.", alg)
	case kind == kmsapi.MessageTypeExternalMu && len(message) != muSize:
		return api.ValidationException("The message must be %d bytes long for MessageType %s.", muSize, kind)
	}
	return nil
}

// digestSize is the length in bytes of the digest that an algorithm signs.
func digestSize(alg kmsapi.SigningAlgorithmSpec) int {
	switch {
	case strings.HasSuffix(string(alg), "_512"):
		return 64
	case strings.HasSuffix(string(alg), "_384"):
		return 48
	}
	return 32 // SHA-256, and SM3 of SM2DSA
}

func (s *Service) getPublicKey(ctx context.Context, _ *service.Call, _ *kmsapi.GetPublicKeyRequest, t *keyTarget) (*kmsapi.GetPublicKeyResponse, error) {
	k := t.key
	if len(k.Materials) == 0 {
		return nil, kmsapi.KMSInvalidStateException("%s is pending import.", k.ARN())
	}
	public, err := s.hsm.PublicKey(ctx, k.current())
	if err != nil {
		return nil, err
	}
	can, _ := algorithmsOf(k.Spec, k.Usage)
	return &kmsapi.GetPublicKeyResponse{
		KeyId: new(k.ARN()), PublicKey: public, KeySpec: &k.Spec, CustomerMasterKeySpec: new(kmsapi.CustomerMasterKeySpec(k.Spec)),
		KeyUsage: &k.Usage, EncryptionAlgorithms: can.encryption, SigningAlgorithms: can.signing,
		KeyAgreementAlgorithms: can.agreement, EncapsulationAlgorithms: can.encapsulation,
	}, nil
}
