package admin

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// given are the values of condition keys that a simulation brings along. A comma separates the values of a multi-valued key,
// which an operator with ForAllValues or ForAnyValue then sees one by one.
type given map[string]string

// Lookup implements policy.Context.
func (g given) Lookup(key string) (policy.Values, bool) {
	v, ok := g[key]
	if ok && policy.MultiValued(key) {
		return policy.Many(strings.Split(v, ",")), true
	}
	return policy.One(v), ok
}

// givenContext reads the keys of a simulation, whose case does not matter.
func givenContext(in map[string]string) given {
	g := given{}
	for k, v := range in {
		g[policy.Fold(k)] = v
	}
	return g
}

// simulatePolicy decides a request that nobody has made.
func (s *Service) simulatePolicy(ctx context.Context, c *service.Call, in *trentapi.SimulatePolicyRequest) (*trentapi.SimulatePolicyResponse, error) {
	done, err := s.think(ctx, c)
	if err != nil {
		return nil, err
	}
	defer done()
	q, err := s.supposed(ctx, c, in)
	if err != nil {
		return nil, err
	}
	q.Request.Given, q.Viewer = givenContext(in.Context), s.viewer(c)
	if in.KeyPolicy != nil {
		if q.Access.Policy, err = parsed(policy.Key, *in.KeyPolicy); err != nil {
			return nil, err
		}
	}
	if in.IdentityPolicy != nil {
		p, err := parsed(policy.Identity, *in.IdentityPolicy)
		if err != nil {
			return nil, err
		}
		q.Extra = []authz.Attached{{Name: "the policy given", Policy: p}}
	}
	x, err := s.Decisions.Explainer.Explain(ctx, q)
	if err != nil {
		return nil, err
	}
	x.Bound(authz.MaxExplanationBytes)
	text, err := json.Marshal(x)
	return &trentapi.SimulatePolicyResponse{Allowed: &x.Allowed, Trace: new(string(text))}, err
}

// supposed is the question of a request that nobody has made, by a principal of the caller's own account. To say what another
// account's principals may do is that account's. Nothing that is another account's is looked at.
func (s *Service) supposed(ctx context.Context, c *service.Call, in *trentapi.SimulatePolicyRequest) (authz.Question, error) {
	viewer, principal, resource := s.viewer(c), *in.PrincipalArn, *in.Resource
	if arn.IsAccount(principal) {
		principal = caller.RootARN(principal)
	}
	if viewer != "" && accountOf(principal) != viewer {
		return authz.Question{}, api.AccessDeniedException("User: %s is not authorized to simulate principals of another account", c.Caller.ARN)
	}
	who, ok, err := s.Decisions.Principal(ctx, principal)
	switch {
	case err != nil:
		return authz.Question{}, err
	case !ok:
		return authz.Question{}, api.ValidationException("There is no principal %s.", principal)
	}
	call := &service.Call{Caller: who, Region: regionOf(resource, c.Region), Now: c.Now, Event: new(audit.Event)}
	var x authz.Access
	switch owner := accountOf(resource); {
	case viewer != "" && owner != "" && owner != viewer:
		// What is supposed must not open another account's resource to questions: of it counts only what the request brings.
		x = authz.Access{Action: *in.Action, Resource: resource, Account: owner, Missing: in.KeyPolicy == nil}
	case strings.HasPrefix(*in.Action, "kms:"):
		x, err = s.supposedKey(ctx, c, call, *in.Action, resource)
	default:
		x, err = s.supposedOther(ctx, call, *in.Action, resource)
	}
	return authz.Question{Request: &authz.Request{Caller: &call.Caller, Region: call.Region, Now: c.Now, TLS: true}, Access: &x}, err
}

// supposedKey is an action of KMS. A bare key id or alias is one of the account and Region of who asks for the simulation.
func (s *Service) supposedKey(ctx context.Context, c, call *service.Call, action, resource string) (authz.Access, error) {
	name, bare := strings.CutPrefix(resource, "alias/")
	ofAlias := policy.ActsOnAlias(action) && (bare || strings.Contains(resource, ":alias/"))
	switch {
	case ofAlias && bare:
		resource = arn.KMS(c.Region, c.Caller.Account, "alias/"+name)
	case ofAlias, resource == "*", policy.ScopeOf(action) != policy.OnKey:
	default:
		var err error
		if resource, _, err = s.Decisions.KeyARN(ctx, c, resource); err != nil {
			return authz.Access{}, err
		}
		call.Region = regionOf(resource, c.Region)
	}
	return s.Decisions.Suppose(ctx, call, action, resource, false)
}

// supposedOther is an action of another service, as a call without parameters.
func (s *Service) supposedOther(ctx context.Context, call *service.Call, action, resource string) (authz.Access, error) {
	name, operation, _ := strings.Cut(action, ":")
	call.Operation = operation
	r := &audit.Record{Name: operation, Source: name + ".amazonaws.com", Authorized: []audit.Authorized{{Action: action, Resource: resource}}}
	if name == source {
		return s.ownAccesses(call, r)[0], nil
	}
	recall := s.Decisions.Recall[r.Source]
	if recall == nil {
		return authz.Access{}, api.ValidationException("%s is not an action of this server.", action)
	}
	all, _, err := recall(ctx, call, r)
	if err != nil {
		return authz.Access{}, err
	}
	return all[0], nil
}

// parsed compiles a policy that a request brings along.
func parsed(kind policy.Kind, text string) (*policy.Policy, error) {
	p, err := policy.Parse(kind, text)
	if err != nil {
		return nil, api.NewError("MalformedPolicyDocumentException", 400, "%s", err.Error())
	}
	return p, nil
}

// accountOf is the account in an ARN, empty if there is none.
func accountOf(resource string) string {
	if a, err := arn.Parse(resource); err == nil && arn.IsAccount(a.Account) {
		return a.Account
	}
	return ""
}

// regionOf is the Region in an ARN.
func regionOf(resource, otherwise string) string {
	if a, err := arn.Parse(resource); err == nil && a.Region != "" {
		return a.Region
	}
	return otherwise
}
