package iam

import (
	"context"
	"slices"

	"github.com/trent-kms/trent/internal/api"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/policy"
)

// maxSessionPolicyARNs is how many managed policies may limit a session.
const maxSessionPolicyARNs = 10

// limit gives a session the policies that limit it: one that is passed as text, and managed policies of its
// account or of AWS's. It returns how much of the space for policies and tags the session takes, in percent.
func (x *session) limit(document *string, arns []stsapi.PolicyDescriptorType) (*int32, error) {
	if len(arns) > maxSessionPolicyARNs {
		return nil, api.ValidationException("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxSessionPolicyARNs)
	}
	for _, a := range arns {
		if err := checkSessionPolicy(x.Account, text(a.Arn)); err != nil {
			return nil, err
		}
		if !slices.Contains(x.PolicyARNs, *a.Arn) {
			x.PolicyARNs = append(x.PolicyARNs, *a.Arn)
		}
	}
	if document != nil {
		if _, err := policy.Parse(policy.Identity, *document); err != nil {
			return nil, malformed(policy.Identity, err)
		}
		x.Policy = *document
	}
	return x.packedSize()
}

// policiesExist refuses managed policies that do not exist, once the caller may have the session: nobody else is told. One
// that is deleted later allows nothing. AWS's code for it is not known; this is the one of its model for wrong policies.
func (s *Service) policiesExist(ctx context.Context, x *session) error {
	for _, policyARN := range x.PolicyARNs {
		m, err := s.policyByARN(ctx, policyARN)
		if err != nil {
			return err
		}
		if m.Managed == nil {
			return stsapi.MalformedPolicyDocumentException("Policy %s does not exist or is not attachable.", policyARN)
		}
	}
	return nil
}

// checkSessionPolicy refuses what cannot be the ARN of a managed policy that the account can use.
func checkSessionPolicy(account, policyARN string) error {
	owner, _, _, ok := parsePolicyARN(policyARN)
	if !ok || owner != awsAccount && owner != account {
		return api.ValidationException("%s is invalid", policyARN)
	}
	return nil
}
