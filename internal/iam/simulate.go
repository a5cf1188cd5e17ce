package iam

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// hypothesis is what SimulateCustomPolicy and SimulatePrincipalPolicy have in common: what if these policies were in force, and
// this principal asked for that?
type hypothesis struct {
	policies, boundary []string
	resourceDocument   *string
	resourceOwner      *string
	callerARN          *string
	actions, resources []string
	entries            []iamapi.ContextEntry
	marker             *string
	maxItems           *int32
}

// simulation is a hypothesis about to be decided. It is the Directory of an authorizer of its own, so that the rules are those
// of real requests. Policies of KMS keys are the keys' own unless the request brings one.
type simulation struct {
	*target
	hypothesis
	by             caller.Caller
	identity       authz.Identity
	member         *authz.Membership
	resourcePolicy *policy.Policy
	keys           map[string]*policy.Policy // of the KMS keys among the resources of the page
	given          given
	missing        missing // of the pair that was decided last
	written        spellings
	page           pager
	named          bool // resources are, and not only *
	from           int  // index of the page's first pair of action and resource
	places         map[*policy.Policy][]place
}

// Identity implements authz.Directory.
func (x *simulation) Identity(context.Context, *caller.Caller) (*authz.Identity, error) {
	return &x.identity, nil
}

// Membership implements authz.Directory.
func (x *simulation) Membership(_ context.Context, account string) (*authz.Membership, error) {
	if account != x.by.Account {
		return nil, nil
	}
	return x.member, nil
}

// given are the condition keys of a hypothesis. It implements policy.Context.
type given map[string]policy.Values

// Lookup implements policy.Context.
func (g given) Lookup(key string) (policy.Values, bool) {
	v, ok := g[key]
	return v, ok
}

// missing are the condition keys that a hypothesis and the request do not have. It implements policy.Context.
type missing map[string]bool

// Lookup implements policy.Context.
func (m missing) Lookup(key string) (policy.Values, bool) {
	m[key] = true
	return policy.Values{}, false
}

func (s *Service) resolveSimulateCustomPolicy(ctx context.Context, c *service.Call, in *iamapi.SimulateCustomPolicyRequest) (*simulation, error) {
	t := &target{account: c.Caller.Account, access: []authz.Access{{Action: "iam:" + c.Operation, Resource: "*", Account: c.Caller.Account}}}
	x := &simulation{target: t, hypothesis: hypothesis{
		policies: in.PolicyInputList, boundary: in.PermissionsBoundaryPolicyInputList, resourceDocument: in.ResourcePolicy,
		resourceOwner: in.ResourceOwner, callerARN: in.CallerArn, actions: in.ActionNames, resources: in.ResourceArns, entries: in.ContextEntries, marker: in.Marker, maxItems: in.MaxItems,
	}}
	return x, s.turn(ctx, c, x)
}

func (s *Service) resolveSimulatePrincipalPolicy(ctx context.Context, c *service.Call, in *iamapi.SimulatePrincipalPolicyRequest) (*simulation, error) {
	t, err := s.resolveSource(ctx, c, *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	x := &simulation{target: t, hypothesis: hypothesis{
		policies: in.PolicyInputList, boundary: in.PermissionsBoundaryPolicyInputList, resourceDocument: in.ResourcePolicy,
		resourceOwner: in.ResourceOwner, callerARN: in.CallerArn, actions: in.ActionNames, resources: in.ResourceArns, entries: in.ContextEntries, marker: in.Marker, maxItems: in.MaxItems,
	}}
	return x, s.turn(ctx, c, x)
}

// resolveSource finds the user, group or role whose policies are asked about.
func (s *Service) resolveSource(ctx context.Context, c *service.Call, source string) (*target, error) {
	account, k, _, name, ok := parseARN(source)
	t := &target{kind: kind(k), account: account, asked: asked{name: &name}}
	switch t.kind {
	case aUser, aGroup, aRole:
	default:
		ok = false
	}
	if !ok || account == awsAccount {
		return nil, iamapi.InvalidInputException("Invalid Entity Arn: %s does not clearly define entity type or name.", source)
	}
	e, err := s.find(ctx, t.kind, account, name)
	if err == nil && e.Entity != nil && e.ARN() == source {
		t.entity = e
	}
	t.require("iam:"+c.Operation, source)
	return t, err
}

// turn finds the page that is asked for, and what the caller must be allowed to see because of it: the policies of keys.
func (s *Service) turn(ctx context.Context, c *service.Call, x *simulation) (err error) {
	if len(x.resources) == 0 {
		x.resources = []string{"*"}
	}
	x.named = !slices.Equal(x.resources, []string{"*"})
	x.page, err = newPager(c, x.marker, x.maxItems, strconv.Itoa(len(x.actions)), strconv.Itoa(len(x.resources)))
	if err != nil {
		return err
	}
	if x.page.after != "" {
		if x.from, err = strconv.Atoi(x.page.after); err != nil || x.from < 0 {
			return api.ValidationException("Invalid Marker.")
		}
	}
	x.keys = map[string]*policy.Policy{}
	if x.resourceDocument != nil || s.KeyPolicy == nil {
		return nil
	}
	for i := x.from; i < x.end(); i++ {
		if err := s.resolveKey(ctx, c, x, x.resources[i%len(x.resources)]); err != nil {
			return err
		}
	}
	return nil
}

// maxPairs is how many pairs of action and resource a page decides.
const maxPairs = 1000

// end is the index after the page's last pair: the last of an action, unless the first of the page has more than maxPairs.
func (x *simulation) end() int {
	each := len(x.resources)
	end := min(x.from+maxPairs, (x.from/each+x.page.limit)*each, len(x.actions)*each)
	if whole := end / each * each; whole > x.from {
		return whole
	}
	return end
}

// resolveKey finds the policy of a KMS key of the caller's account. What it says shows in the answer, so the caller must be
// allowed to read it.
func (s *Service) resolveKey(ctx context.Context, c *service.Call, x *simulation, resource string) error {
	a, err := arn.Parse(resource)
	if _, known := x.keys[resource]; known || err != nil || a.Service != "kms" || a.Account != c.Caller.Account || !strings.HasPrefix(a.Resource, "key/") {
		return nil
	}
	p, err := s.KeyPolicy(ctx, resource)
	if err != nil {
		return err
	}
	x.keys[resource] = p
	if p != nil {
		x.access = append(x.access, authz.Access{Action: "kms:GetKeyPolicy", Resource: resource, Account: a.Account, Policy: p})
	}
	return nil
}

// checkSimulation reads what the hypothesis says.
func (s *Service) checkSimulation(ctx context.Context, c *service.Call, x *simulation) error {
	for _, action := range x.actions {
		if vendor, name, _ := strings.Cut(action, ":"); vendor == "" || name == "" || strings.ContainsAny(action, "*? ") {
			return iamapi.InvalidInputException("Invalid Entity Action: %s", action)
		}
	}
	if len(x.boundary) > 1 {
		return iamapi.InvalidInputException("There can be one permissions boundary policy.")
	}
	if err := x.readEntries(); err != nil {
		return err
	}
	if err := s.assume(ctx, c, x); err != nil {
		return err
	}
	return x.readPolicies()
}

func (x *simulation) readEntries() error {
	x.given, x.missing = given{}, missing{}
	for _, e := range x.entries {
		if e.ContextKeyName == nil || e.ContextKeyType == nil {
			return iamapi.InvalidInputException("A context entry needs a name and a type.")
		}
		key := policy.Fold(*e.ContextKeyName)
		v := policy.Many(e.ContextKeyValues)
		if !strings.HasSuffix(string(*e.ContextKeyType), "List") {
			if len(e.ContextKeyValues) != 1 {
				return iamapi.InvalidInputException("The context key %s of type %s needs one value.", *e.ContextKeyName, *e.ContextKeyType)
			}
			v = policy.One(e.ContextKeyValues[0])
		}
		x.given[key] = v
	}
	return nil
}

// assume takes the part of the principal that is to be asking: the one that CallerArn names, or whose policies are asked about.
func (s *Service) assume(ctx context.Context, c *service.Call, x *simulation) (err error) {
	x.by = caller.Caller{Type: caller.User, Account: c.Caller.Account}
	if x.entity.Entity != nil {
		x.by.Account = x.entity.Account
		if err := s.assumePolicies(ctx, x); err != nil {
			return err
		}
	}
	if x.member, err = s.Membership(ctx, x.by.Account); err != nil {
		return err
	}
	switch {
	case x.callerARN != nil:
		return s.assumeCaller(ctx, x, *x.callerARN)
	case x.entity.Entity != nil && x.kind != aGroup:
		x.by = principalOf(x.entity.Entity)
	case x.resourceDocument != nil:
		return iamapi.InvalidInputException("CallerArn is required with ResourcePolicy.")
	}
	return nil
}

// assumePolicies takes what a user, group or role has.
func (s *Service) assumePolicies(ctx context.Context, x *simulation) error {
	a, err := s.assemble(ctx, x.entity.Entity)
	if err != nil {
		return err
	}
	x.identity = a.Identity
	x.identity.Policies = slices.Clone(a.Policies)
	return nil
}

// What AWS says of where a statement is from. The API model has other words for it, which no answer of AWS has.
const (
	identitySource iamapi.PolicySourceType = "IAM Policy"
	resourceSource iamapi.PolicySourceType = "Resource Policy"
)

// sourceID is how AWS calls a policy of an identity: a managed one by its name, an inline one by user_NAME_POLICY, and likewise
// with groups and roles.
func sourceID(name string) string {
	if _, _, policyName, ok := parsePolicyARN(name); ok {
		return policyName
	}
	return strings.ReplaceAll(name, "/", "_")
}

// principalOf is a user, or a session of a role, with no request of its own.
func principalOf(e *Entity) caller.Caller {
	c := caller.Caller{Type: caller.User, Account: e.Account, ARN: e.ARN(), UserID: e.ID, Name: e.Name, ID: e.ID}
	if e.kind() == aRole {
		const session = "simulation"
		c.Type, c.Source, c.UserID = caller.Role, c.ARN, e.ID+":"+session
		c.ARN = "arn:aws:sts::" + e.Account + ":assumed-role/" + e.Name + "/" + session
	}
	return c
}

func (s *Service) assumeCaller(ctx context.Context, x *simulation, principal string) error {
	id, _, err := s.UniqueID(ctx, principal)
	if err != nil {
		return err
	}
	if id != "" {
		e, err := s.byID(ctx, id)
		if err != nil || e.Entity == nil {
			return err
		}
		x.by = principalOf(e.Entity)
		return nil
	}
	account, k, _, name, ok := parseARN(principal)
	switch {
	case ok && kind(k) == aUser && account != awsAccount: // one that could be
		x.by = caller.Caller{Type: caller.User, Account: account, ARN: principal, Name: name}
	default:
		a, err := arn.Parse(principal)
		if err != nil || a.Service != "iam" || a.Resource != "root" || !arn.IsAccount(a.Account) {
			return iamapi.InvalidInputException("CallerArn %s is not that of a user, a role or a root user.", principal)
		}
		x.by = caller.RootOf(a.Account, "")
	}
	return nil
}

// readPolicies compiles the policies of the request.
func (x *simulation) readPolicies() error {
	for i, text := range x.policies {
		p, err := parseInput(policy.Identity, text)
		if err != nil {
			return err
		}
		x.identity.Policies = append(x.identity.Policies, authz.Attached{Name: "PolicyInputList." + strconv.Itoa(i+1), Policy: p})
	}
	if len(x.boundary) == 1 {
		p, err := parseInput(policy.Identity, x.boundary[0])
		if err != nil {
			return err
		}
		x.identity.Boundary = &authz.Attached{Name: "PermissionsBoundaryPolicyInputList.1", Policy: p}
	}
	if x.resourceDocument == nil {
		return nil
	}
	p, err := parseInput(policy.Key, *x.resourceDocument)
	x.resourcePolicy = p
	return err
}

// parseInput is policy.Parse for documents that are not to be kept.
func parseInput(k policy.Kind, text string) (*policy.Policy, error) {
	p, err := policy.Parse(k, text)
	if m, ok := errors.AsType[*policy.Malformed](err); ok {
		return nil, iamapi.InvalidInputException("%s (%s)", malformedText(k, m), short(m.Detail))
	}
	return p, err
}
