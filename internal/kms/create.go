package kms

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/uuid"
)

// createKey makes a symmetric encryption key in the caller's account and the Region of the request.
func (s *Service) createKey(ctx context.Context, c *service.Call, in *kmsapi.CreateKeyRequest, _ service.Own) (*kmsapi.CreateKeyResponse, error) {
	if err := createDefaults(in); err != nil {
		return nil, err
	}
	if err := buildable(in); err != nil {
		return nil, err
	}
	k := &Key{
		Version: recordVersion, Account: c.Caller.Account, Region: c.Region, ID: uuid.New(), Created: c.Now,
		Description: *in.Description, Spec: *in.KeySpec, Usage: *in.KeyUsage, Origin: *in.Origin, State: kmsapi.KeyStateEnabled,
	}
	var err error
	if k.Tags, err = newTags(in.Tags); err != nil {
		return nil, err
	}
	if in.Policy != nil {
		if err := checkPolicy(c, k, *in.Policy, isTrue(in.BypassPolicyLockoutSafetyCheck)); err != nil {
			return nil, err
		}
		k.Policy = *in.Policy
	}
	var t store.Txn
	if err := s.addKey(ctx, &t, k); err != nil {
		return nil, err
	}
	if err := s.commit(ctx, t); err != nil {
		return nil, err
	}
	record(c, k)
	return &kmsapi.CreateKeyResponse{KeyMetadata: k.metadata(c.Now)}, nil
}

// addKey gives a new key its first material and adds its record to a transaction.
func (s *Service) addKey(ctx context.Context, t *store.Txn, k *Key) error {
	made, err := s.hsm.GenerateKey(ctx, k.binding())
	if err != nil {
		return err
	}
	k.Materials = []Material{{ID: made.MaterialID, Wrapped: made.Wrapped, Created: k.Created}}
	return s.put(t, k, 0)
}

// createDefaults fills in what the caller left out, so that the audit record shows what was made. Both names of the spec
// then share one value: by that a second attempt, after a conflict, tells them from two that the caller has sent.
func createDefaults(in *kmsapi.CreateKeyRequest) error {
	deprecated := (*kmsapi.KeySpec)(in.CustomerMasterKeySpec)
	switch {
	case in.KeySpec != nil && deprecated != nil && in.KeySpec != deprecated:
		return api.ValidationException("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case in.KeySpec == nil && deprecated != nil:
		in.KeySpec = deprecated
	case in.KeySpec == nil:
		in.KeySpec = new(kmsapi.KeySpecSymmetricDefault)
	}
	in.CustomerMasterKeySpec = (*kmsapi.CustomerMasterKeySpec)(in.KeySpec)
	if in.KeyUsage == nil {
		if *in.KeySpec != kmsapi.KeySpecSymmetricDefault {
			return api.ValidationException("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
		}
		in.KeyUsage = new(kmsapi.KeyUsageTypeEncryptDecrypt)
	}
	fill(&in.Description, "")
	fill(&in.Origin, kmsapi.OriginTypeAwsKms)
	fill(&in.MultiRegion, false)
	fill(&in.BypassPolicyLockoutSafetyCheck, false)
	return nil
}

// buildable refuses what this version cannot make yet, and what nobody can make.
func buildable(in *kmsapi.CreateKeyRequest) error {
	store := in.CustomKeyStoreId != nil
	switch {
	case *in.KeySpec == kmsapi.KeySpecSymmetricDefault && *in.KeyUsage != kmsapi.KeyUsageTypeEncryptDecrypt:
		return api.ValidationException("KeyUsage %s is not compatible with KeySpec %s", *in.KeyUsage, *in.KeySpec)
	case *in.KeySpec != kmsapi.KeySpecSymmetricDefault:
		return kmsapi.UnsupportedOperationException("KeySpec %s is not built in this version of Trent.", *in.KeySpec)
	case *in.Origin != kmsapi.OriginTypeAwsKms:
		return kmsapi.UnsupportedOperationException("Origin %s is not built in this version of Trent.", *in.Origin)
	case store || in.XksKeyId != nil:
		return api.ValidationException("CustomKeyStoreId and XksKeyId are valid only for keys in a custom key store.")
	case *in.MultiRegion:
		return kmsapi.UnsupportedOperationException("Multi-Region keys are not built in this version of Trent.")
	}
	return nil
}

// fill sets an absent member to its default.
func fill[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

func isTrue(b *bool) bool { return b != nil && *b }
