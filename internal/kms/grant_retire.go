package kms

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// grantTarget is a grant that is to end, and its key.
type grantTarget struct {
	*keyTarget        // without a key: of another account
	grant      *Grant // nil as well then
	// grantRevision is the revision of the grant's record.
	grantRevision int64
	policy        *policy.Policy // who may retire it
	refusal       error          // the answer to who may not, if not AWS's usual one
}

// Access is RetireGrant, which the grant itself decides in the place of the key's policy: it is for its retiring
// principal, for the account that created it, and for its grantee if it says so (KMS Developer Guide, "Retiring and
// revoking grants"). No account but the caller's own has to agree. To whoever has no part in the grant it is the resource
// of the key's account, which another account's callers cannot tell from one that does not exist.
func (t *grantTarget) Access(c *service.Call) []authz.Access {
	x := t.access(c)
	x.Grants, x.Refusal = nil, t.refusal
	if t.grant != nil {
		x.Policy, x.Local = t.policy, false
		if t.names(&c.Caller) {
			x.Account = c.Caller.Account
		}
	}
	return []authz.Access{x}
}

// names says whether the caller, or its account, is one of those who may retire the grant.
func (t *grantTarget) names(c *caller.Caller) bool {
	who := c.Principal()
	r := t.policy.Evaluate(&policy.Request{Action: retireAction, Resource: t.key.ARN(), Principal: &who})
	_, _, named := r.Allowed()
	return named
}

const retireAction = "kms:RetireGrant"

// resolveRetireGrant finds a grant by its token alone, or by the ARN of its key and its id.
func (s *Service) resolveRetireGrant(ctx context.Context, c *service.Call, in *kmsapi.RetireGrantRequest) (*grantTarget, error) {
	switch {
	case in.GrantToken != nil && in.KeyId == nil && in.GrantId == nil:
		t, err := s.tokenTarget(ctx, c, *in.GrantToken)
		if err != nil {
			return nil, err
		}
		if t.ref.account != c.Caller.Account { // a token does not tell whose key it is for, so a refusal does not
			t.refusal = authz.Denied(&c.Caller, authz.Access{Action: retireAction, Resource: "*"})
			return t, nil
		}
		record(c, t.key)
		return t, nil
	case in.GrantToken != nil || in.KeyId == nil || in.GrantId == nil:
		return nil, api.ValidationException("Grant token OR (grant ID, key ID) must be specified")
	case !strings.HasPrefix(*in.KeyId, "arn:"):
		return nil, malformedARN(c, *in.KeyId)
	}
	t, err := s.resolve(ctx, c, retireAction, *in.KeyId, keyOnly)
	if err != nil {
		return nil, err
	}
	g, err := s.grantOf(ctx, t, *in.GrantId)
	if err != nil && t.ref.account != c.Caller.Account && api.From(err).Code == "NotFoundException" {
		// Another account's key without the grant looks like no key at all, and like a grant that is not the caller's.
		t.key = nil
		return &grantTarget{keyTarget: t}, nil
	}
	return g, err
}

// grantOf finds a grant of a key by its id.
func (s *Service) grantOf(ctx context.Context, t *keyTarget, id string) (*grantTarget, error) {
	if !isGrantID(id) {
		return nil, kmsapi.InvalidGrantIdException("Invalid grant ID '%s'", id)
	}
	if t.key == nil {
		return &grantTarget{keyTarget: t}, nil
	}
	g, revision, err := s.grant(ctx, grantPrefix(t.key.Account, t.key.Region, t.key.ID)+id)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, kmsapi.NotFoundException("Grant ID %s not found", id)
	}
	who, err := g.retirement()
	return &grantTarget{keyTarget: t, grant: g, grantRevision: revision, policy: who}, err
}

// checkGrant refuses what the key's state does not allow.
func checkGrant(c *service.Call, _ *kmsapi.RetireGrantRequest, t *grantTarget) error {
	return checkState(c.Operation, t.key, c.Now)
}

// retireGrant ends a grant by leave of the grant itself. The audit record says which, for a token does not.
func (s *Service) retireGrant(ctx context.Context, c *service.Call, _ *kmsapi.RetireGrantRequest, t *grantTarget) (*api.Empty, error) {
	c.Event.AdditionalEventData = []byte(`{"grantId":"` + t.grant.ID + `"}`)
	return s.endGrant(ctx, c, t)
}

// retirement is who may retire a grant, in the form of a policy.
func (g *Grant) retirement() (*policy.Policy, error) {
	aws := []string{rootARN(g.Region, g.Issuer)}
	var services []string
	add := func(id, name, service string) {
		switch {
		case id != "":
			aws = append(aws, id)
		case name != "":
			aws = append(aws, inPartition(name))
		case service != "":
			services = append(services, service)
		}
	}
	add(g.RetiringID, g.Retiring, g.RetiringService)
	if slices.Contains(g.Operations, kmsapi.GrantOperationRetireGrant) {
		add(g.GranteeID, g.Grantee, g.GranteeService)
	}
	principals := map[string][]string{"AWS": aws}
	if services != nil {
		principals["Service"] = services
	}
	text, err := json.Marshal(map[string]any{
		"Statement": map[string]any{"Effect": "Allow", "Principal": principals, "Action": retireAction, "Resource": "*"},
	})
	if err != nil {
		return nil, err
	}
	return policy.Parse(policy.Key, string(text))
}
