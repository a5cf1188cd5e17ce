package admin

import (
	"context"

	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// KindOf is the kind of policy that a name of the API means; a key policy unless it is said.
func KindOf(name *trentapi.PolicyKind) policy.Kind {
	if name == nil {
		return policy.Key
	}
	switch *name {
	case trentapi.PolicyKindIdentity:
		return policy.Identity
	case trentapi.PolicyKindTrust:
		return policy.Trust
	case trentapi.PolicyKindScp:
		return policy.ServiceControl
	case trentapi.PolicyKindRcp:
		return policy.ResourceControl
	case trentapi.PolicyKindEndpoint:
		return policy.Endpoint
	}
	return policy.Key
}

// Findings are what there is to say of a policy, in the form of the API.
func Findings(kind policy.Kind, text string) []trentapi.Finding {
	all := []trentapi.Finding{}
	for _, f := range policy.Lint(kind, text) {
		all = append(all, trentapi.Finding{
			Severity: new(string(f.Severity)), Code: &f.Code, Statement: new(int32(f.Statement)), Message: &f.Message, Detail: &f.Detail,
		})
	}
	return all
}

func (s *Service) lintPolicy(_ context.Context, _ *service.Call, in *trentapi.LintPolicyRequest) (*trentapi.LintPolicyResponse, error) {
	return &trentapi.LintPolicyResponse{Findings: Findings(KindOf(in.Kind), *in.Policy)}, nil
}
