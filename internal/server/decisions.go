package server

import (
	"context"

	"github.com/trent-kms/trent/internal/admin"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
)

// decisions lets the administration explain and rehearse decisions, by asking the services that took them.
func (s *Server) decisions(v *services, a *authz.Authorizer) admin.Decisions {
	type recall = func(context.Context, *service.Call, *audit.Record) ([]authz.Access, []string, error)
	return admin.Decisions{
		Explainer: &authz.Explainer{Authorizer: a, ARNOf: v.identities.ARNOf},
		Log:       audit.Reader{Dir: s.config.Audit.Dir},
		Caller:    v.identities.RecallCaller,
		Recall: map[string]recall{
			"kms.amazonaws.com": v.keys.Recall, "iam.amazonaws.com": v.identities.Recall,
			"sts.amazonaws.com": v.identities.Recall, "organizations.amazonaws.com": v.identities.Recall,
		},
		Endpoint: s.endpoint,
		KeyARN:   v.keys.KeyARN, Suppose: v.keys.Suppose, Named: v.keys.Named,
		Principal: v.identities.Hypothetical, EachPrincipal: v.identities.EachPrincipal,
	}
}

// endpoint returns the VPC endpoint of a listener by its id, or nil.
func (s *Server) endpoint(id string) *authz.Endpoint {
	e, _ := s.endpoints.Load(id)
	found, _ := e.(*authz.Endpoint)
	return found
}
