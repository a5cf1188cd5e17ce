package kms

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// policyName is the only name a key policy can have.
const policyName = "default"

// bypassMember is the name of the parameter that waives the check of a lock-out.
const bypassMember = "bypassPolicyLockoutSafetyCheck"

// defaultPolicy is the policy of a key that was created without one: the account's IAM policies decide. Keys with it
// store none, so its text is part of the storage format and must never change.
func defaultPolicy(account string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + account + `:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
}

// policy returns the key's policy text.
func (k *Key) policy() string {
	if k.Policy == "" {
		return defaultPolicy(k.Account)
	}
	return k.Policy
}

func (s *Service) getKeyPolicy(ctx context.Context, _ *service.Call, in *kmsapi.GetKeyPolicyRequest, t *keyTarget) (*kmsapi.GetKeyPolicyResponse, error) {
	fill(&in.PolicyName, policyName)
	if *in.PolicyName != policyName {
		return nil, kmsapi.NotFoundException("No such policy exists")
	}
	shown, err := s.shownPolicy(ctx, t.key)
	return &kmsapi.GetKeyPolicyResponse{Policy: &shown, PolicyName: in.PolicyName}, err
}

func (s *Service) putKeyPolicy(ctx context.Context, c *service.Call, in *kmsapi.PutKeyPolicyRequest, t *keyTarget) (*api.Empty, error) {
	fill(&in.PolicyName, policyName)
	defer assume(c, bypassMember, &in.BypassPolicyLockoutSafetyCheck, false)
	if *in.PolicyName != policyName {
		return nil, kmsapi.NotFoundException("No such policy exists")
	}
	k := t.key.clone()
	if err := s.setPolicy(ctx, c, k, *in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	return &api.Empty{}, s.save(ctx, t, k, store.Txn{})
}

func (s *Service) listKeyPolicies(_ context.Context, c *service.Call, in *kmsapi.ListKeyPoliciesRequest, t *keyTarget) (*kmsapi.ListKeyPoliciesResponse, error) {
	p, err := newPager(c, in.Marker, in.Limit, 100, 1000, t.key.ID)
	if err != nil {
		// The API model has no InvalidMarkerException for this operation.
		return nil, api.ValidationException("%s", invalidMarker)
	}
	names, marker, truncated := slicePage(p, []string{policyName}, func(s *string) string { return *s })
	return &kmsapi.ListKeyPoliciesResponse{PolicyNames: names, NextMarker: marker, Truncated: truncated}, nil
}
