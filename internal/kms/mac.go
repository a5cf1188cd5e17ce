package kms

import (
	"context"
	"errors"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/service"
)

func (s *Service) generateMac(ctx context.Context, _ *service.Call, in *kmsapi.GenerateMacRequest, t *keyTarget) (*kmsapi.GenerateMacResponse, error) {
	can, _ := macAlgorithms(t.key.Spec)
	if err := checkAlgorithm(*in.MacAlgorithm, can, t.key); err != nil {
		return nil, err
	}
	code, err := s.hsm.GenerateMAC(ctx, t.key.current(), in.Message)
	if err != nil {
		return nil, err
	}
	return &kmsapi.GenerateMacResponse{Mac: code, MacAlgorithm: in.MacAlgorithm, KeyId: new(t.key.ARN())}, nil
}

// verifyMac answers that the code is valid, or with an error.
func (s *Service) verifyMac(ctx context.Context, _ *service.Call, in *kmsapi.VerifyMacRequest, t *keyTarget) (*kmsapi.VerifyMacResponse, error) {
	can, _ := macAlgorithms(t.key.Spec)
	if err := checkAlgorithm(*in.MacAlgorithm, can, t.key); err != nil {
		return nil, err
	}
	err := s.hsm.VerifyMAC(ctx, t.key.current(), in.Message, in.Mac)
	switch {
	case errors.Is(err, hsm.ErrMAC):
		return nil, kmsapi.KMSInvalidMacException("")
	case err != nil:
		return nil, err
	}
	return &kmsapi.VerifyMacResponse{KeyId: new(t.key.ARN()), MacValid: new(true), MacAlgorithm: in.MacAlgorithm}, nil
}
