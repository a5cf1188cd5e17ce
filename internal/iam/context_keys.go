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

// getContextKeysForCustomPolicy lists the condition keys that policies use.
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

// spellings are condition keys by what they fold to, each as it is written where it is used first: their case does not matter.
type spellings map[string]string

func (written spellings) add(p *policy.Policy) {
	p.EachKey(func(key string) {
		if folded := policy.Fold(key); written[folded] == "" {
			written[folded] = key
		}
	})
}

// contextKeys returns each key once.
func contextKeys(attached []authz.Attached, documents []string) ([]string, error) {
	written := spellings{}
	for i := range attached {
		written.add(attached[i].Policy)
	}
	for _, text := range documents {
		p, err := parseInput(policy.Identity, text)
		if err != nil {
			return nil, err
		}
		written.add(p)
	}
	keys := make([]string, 0, len(written))
	for _, folded := range slices.Sorted(maps.Keys(written)) {
		keys = append(keys, written[folded])
	}
	return keys, nil
}
