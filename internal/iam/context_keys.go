package iam

import (
	"context"
	"maps"
	"slices"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// getContextKeysForCustomPolicy lists the condition keys that policies use, in lower case: their case does not matter.
func (s *Service) getContextKeysForCustomPolicy(_ context.Context, _ *service.Call, in *iamapi.GetContextKeysForCustomPolicyRequest, _ service.Own) (*iamapi.GetContextKeysForCustomPolicyResponse, error) {
	keys, err := contextKeys(nil, in.PolicyInputList)
	return &iamapi.GetContextKeysForCustomPolicyResponse{ContextKeyNames: keys}, err
}

// getContextKeysForPrincipalPolicy does so for the policies that a user, a group or a role has, and more.
func (s *Service) getContextKeysForPrincipalPolicy(ctx context.Context, _ *service.Call, in *iamapi.GetContextKeysForPrincipalPolicyRequest, t *target) (*iamapi.GetContextKeysForPrincipalPolicyResponse, error) {
	a, err := s.assemble(ctx, t.entity.Entity)
	if err != nil {
		return nil, err
	}
	keys, err := contextKeys(a.Policies, in.PolicyInputList)
	return &iamapi.GetContextKeysForPrincipalPolicyResponse{ContextKeyNames: keys}, err
}

func contextKeys(attached []authz.Attached, documents []string) ([]string, error) {
	keys := map[string]bool{}
	add := func(p *policy.Policy) {
		for _, key := range p.Keys() {
			keys[key] = true
		}
	}
	for i := range attached {
		add(attached[i].Policy)
	}
	for _, text := range documents {
		p, err := parseInput(policy.Identity, text)
		if err != nil {
			return nil, err
		}
		add(p)
	}
	return append([]string{}, slices.Sorted(maps.Keys(keys))...), nil
}
