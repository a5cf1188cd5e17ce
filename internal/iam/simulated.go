package iam

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

func (s *Service) simulateCustomPolicy(ctx context.Context, c *service.Call, _ *iamapi.SimulateCustomPolicyRequest, x *simulation) (*iamapi.SimulateCustomPolicyResponse, error) {
	results, truncated, marker, err := x.run(ctx, c)
	return &iamapi.SimulateCustomPolicyResponse{EvaluationResults: results, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) simulatePrincipalPolicy(ctx context.Context, c *service.Call, _ *iamapi.SimulatePrincipalPolicyRequest, x *simulation) (*iamapi.SimulatePrincipalPolicyResponse, error) {
	results, truncated, marker, err := x.run(ctx, c)
	return &iamapi.SimulatePrincipalPolicyResponse{EvaluationResults: results, IsTruncated: truncated, Marker: marker}, err
}

// maxMatched is how many statements and missing keys end a page early: documents can have many thousands, and all may match, or
// be missing for, every pair.
const maxMatched = 10_000

// run decides the pairs of actions and resources of the page, the resources of each action one after the other. An action has
// one result, which tells of each of the resources that were asked about; one with more than a page can have goes on in the
// next page.
func (x *simulation) run(ctx context.Context, c *service.Call) (results []iamapi.EvaluationResult, truncated *bool, marker *string, err error) {
	results = []iamapi.EvaluationResult{}
	r := x.request(c)
	authorizer := authz.New(x)
	x.spell()
	end, matched := x.end(), 0
	for i := x.from; i < end; i++ {
		if err := ctx.Err(); err != nil {
			return nil, nil, nil, err
		}
		result, err := x.decide(ctx, authorizer, r, &x.actions[i/len(x.resources)], &x.resources[i%len(x.resources)])
		if err != nil {
			return nil, nil, nil, err
		}
		if x.named && i > x.from && i%len(x.resources) != 0 {
			join(&results[len(results)-1], &result)
		} else {
			results = append(results, result)
		}
		if matched += len(result.MatchedStatements) + len(result.MissingContextValues); matched >= maxMatched {
			end = i + 1
		}
	}
	for i := range results {
		joinMissing(&results[i])
	}
	truncated, marker = x.page.next(strconv.Itoa(end), end < len(x.actions)*len(x.resources))
	return results, truncated, marker, nil
}

// spell notes how the policies write their condition keys, for those that are missing.
func (x *simulation) spell() {
	x.written = spellings{}
	for i := range x.identity.Policies {
		x.written.add(x.identity.Policies[i].Policy)
	}
	if b := x.identity.Boundary; b != nil {
		x.written.add(b.Policy)
	}
	if x.resourcePolicy != nil {
		x.written.add(x.resourcePolicy)
	}
	for _, resource := range slices.Sorted(maps.Keys(x.keys)) {
		if p := x.keys[resource]; p != nil {
			x.written.add(p)
		}
	}
}

// request is a request of the principal, in which the context entries take the place of what there would be otherwise.
func (x *simulation) request(c *service.Call) *authz.Request {
	r := &authz.Request{Caller: &x.by, Identity: &x.identity, Now: c.Now, TLS: true, Given: x.given}
	if at, err := time.Parse(time.RFC3339, x.given["aws:currenttime"].One); err == nil { // also for aws:EpochTime
		r.Now = at
	}
	return r
}

// decide decides one pair.
func (x *simulation) decide(ctx context.Context, authorizer *authz.Authorizer, r *authz.Request, action, resource *string) (iamapi.EvaluationResult, error) {
	clear(x.missing)
	access := x.accessTo(*action, *resource)
	decisions, err := authorizer.Authorize(ctx, r, []authz.Access{access}, nil)
	if len(decisions) == 0 {
		return iamapi.EvaluationResult{}, err
	}
	d := decisions[0]
	result := iamapi.EvaluationResult{
		EvalActionName: action, EvalResourceName: resource, EvalDecision: decided(d),
		MatchedStatements: x.matched(r, &access, d.Explicit),
	}
	if b := x.identity.Boundary; b != nil {
		says := authz.Says(r, &access, b.Policy)
		_, denied := says.Denied()
		_, _, allowed := says.Allowed()
		result.PermissionsBoundaryDecisionDetail = &iamapi.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: new(allowed && !denied)}
	}
	if x.member != nil {
		result.OrganizationsDecisionDetail = &iamapi.OrganizationsDecisionDetail{AllowedByOrganizations: new(d.Allowed || d.Layer != authz.ServiceControl)}
	}
	result.MissingContextValues = []string{}
	for _, key := range slices.Sorted(maps.Keys(x.missing)) {
		result.MissingContextValues = append(result.MissingContextValues, cmp.Or(x.written[key], key))
	}
	if x.named {
		result.EvalDecisionDetails = map[string]iamapi.PolicyEvaluationDecisionType{}
		result.ResourceSpecificResults = []iamapi.ResourceSpecificResult{{
			EvalResourceName: resource, EvalResourceDecision: result.EvalDecision, MatchedStatements: result.MatchedStatements,
			MissingContextValues: result.MissingContextValues, PermissionsBoundaryDecisionDetail: result.PermissionsBoundaryDecisionDetail,
		}}
	}
	return result, nil
}

// join makes the results of an action on several resources one. What it says as a whole is what holds for all of them, so that
// it is allowed if it is on each. Which statements matched, each resource says for itself.
func join(all, next *iamapi.EvaluationResult) {
	all.EvalResourceName, all.MatchedStatements = new("*"), []iamapi.Statement{}
	if d := *all.EvalDecision; d == iamapi.PolicyEvaluationDecisionTypeAllowed || *next.EvalDecision == iamapi.PolicyEvaluationDecisionTypeExplicitDeny {
		all.EvalDecision = next.EvalDecision
	}
	if o := next.OrganizationsDecisionDetail; o != nil && !*o.AllowedByOrganizations {
		all.OrganizationsDecisionDetail = o
	}
	if b := next.PermissionsBoundaryDecisionDetail; b != nil && !*b.AllowedByPermissionsBoundary {
		all.PermissionsBoundaryDecisionDetail = b
	}
	all.ResourceSpecificResults = append(all.ResourceSpecificResults, next.ResourceSpecificResults...)
}

// joinMissing gives an action on several resources the keys that are missing for any of them.
func joinMissing(all *iamapi.EvaluationResult) {
	if len(all.ResourceSpecificResults) < 2 {
		return
	}
	missing := map[string]bool{}
	for _, on := range all.ResourceSpecificResults {
		for _, key := range on.MissingContextValues {
			missing[key] = true
		}
	}
	all.MissingContextValues = slices.AppendSeq([]string{}, maps.Keys(missing))
	slices.Sort(all.MissingContextValues)
}

func decided(d authz.Decision) *iamapi.PolicyEvaluationDecisionType {
	switch {
	case d.Allowed:
		return new(iamapi.PolicyEvaluationDecisionTypeAllowed)
	case d.Explicit:
		return new(iamapi.PolicyEvaluationDecisionTypeExplicitDeny)
	}
	return new(iamapi.PolicyEvaluationDecisionTypeImplicitDeny)
}

// accessTo is an action on a resource, which belongs to whom ResourceOwner or its ARN names. Without a policy of its own it is
// the principal's own account's policies that decide, as if it were theirs.
func (x *simulation) accessTo(action, resource string) authz.Access {
	access := authz.Access{Action: action, Resource: resource, Account: x.by.Account, Policy: x.resourcePolicy, Context: x.missing}
	if p := x.keys[resource]; p != nil {
		access.Policy = p
	}
	if access.Policy == nil {
		return access
	}
	if a, err := arn.Parse(resource); err == nil && arn.IsAccount(a.Account) {
		access.Account = a.Account
	}
	if x.resourceOwner != nil {
		access.Account = *x.resourceOwner
		if a, err := arn.Parse(*x.resourceOwner); err == nil {
			access.Account = a.Account
		}
	}
	return access
}

// matched lists the statements of all policies that deny, or, when none does, those that allow.
func (x *simulation) matched(r *authz.Request, access *authz.Access, explicit bool) []iamapi.Statement {
	found, effect := []iamapi.Statement{}, policy.Allow
	if explicit {
		effect = policy.Deny
	}
	add := func(p *policy.Policy, id string, source iamapi.PolicySourceType) {
		for _, n := range authz.Matching(r, access, p, effect) {
			at := &x.placesOf(p)[n]
			found = append(found, iamapi.Statement{SourcePolicyId: &id, SourcePolicyType: &source, StartPosition: &at.start, EndPosition: &at.end})
		}
	}
	for i := range x.identity.Policies {
		p := &x.identity.Policies[i]
		add(p.Policy, sourceID(p.Name), identitySource)
	}
	if access.Policy != nil {
		add(access.Policy, "ResourcePolicy", resourceSource)
	}
	return found
}
