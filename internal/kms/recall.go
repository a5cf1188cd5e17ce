package kms

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// Recall returns what a recorded call had to be allowed, with keys, policies and grants as they are now. The list is as long as
// that of the record's decisions, in the same order; a key that is gone is Missing. c says who asked, when and in which Region;
// its Input and Target are set. unknown says in sentences what the record does not tell.
func (s *Service) Recall(ctx context.Context, c *service.Call, r *audit.Record) (accesses []authz.Access, unknown []string, err error) {
	if c.Input = newInput(c.Operation); c.Input == nil {
		return nil, []string{"This version does not know the operation " + c.Operation + "."}, nil
	}
	var omitted struct {
		Omitted bool `json:"omitted"`
	}
	if len(r.Parameters) > 0 {
		sent, err := sentParameters(r)
		if err != nil {
			return nil, nil, err
		}
		if err := api.DecodeAudit(sent, c.Input); err != nil {
			return nil, nil, err
		}
		if json.Unmarshal(r.Parameters, &omitted) == nil && omitted.Omitted {
			unknown = append(unknown, "The request's parameters were too long to be recorded: conditions on them are taken not to have them.")
		}
	}
	targets, err := s.recallTargets(ctx, c, r)
	if err != nil {
		return nil, nil, err
	}
	if err := s.recallPair(ctx, c, targets); err != nil {
		return nil, nil, err
	}
	for i, t := range targets {
		x, note, err := s.recallAccess(ctx, c, r, t, targets[0], r.Authorized[i])
		if err != nil {
			return nil, nil, err
		}
		if accesses = append(accesses, x); note != "" {
			unknown = append(unknown, note)
		}
	}
	return accesses, unknown, nil
}

// sentParameters are a call's parameters without the defaults that its record has as well.
func sentParameters(r *audit.Record) (jsontext.Value, error) {
	if len(r.Defaults) == 0 {
		return r.Parameters, nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(r.Parameters, &members); err != nil {
		return nil, err
	}
	for _, name := range r.Defaults {
		delete(members, name)
	}
	return json.Marshal(members)
}

// newInput is an empty request of an operation, nil for one that there is not.
func newInput(operation string) api.Input {
	if operation == "CreateKey" {
		return new(createKeyRequest)
	}
	all := kmsapi.Operations()
	i := slices.IndexFunc(all, func(o api.OperationInfo) bool { return o.Name == operation })
	if i < 0 {
		return nil
	}
	return all[i].NewInput()
}

// recallTargets finds the keys of a call's decisions; nil where one was about no key.
func (s *Service) recallTargets(ctx context.Context, c *service.Call, r *audit.Record) ([]*keyTarget, error) {
	all := make([]*keyTarget, len(r.Authorized))
	for i, d := range r.Authorized {
		a, err := arn.Parse(d.Resource)
		if err != nil || a.Service != "kms" || policy.ActsOnAlias(d.Action) && strings.HasPrefix(a.Resource, "alias/") {
			continue
		}
		if all[i], err = s.recallKey(ctx, c, d.Action, d.Resource); err != nil {
			return nil, err
		}
		all[i].ref.alias = requestedAlias(c, d.Action)
	}
	return all, nil
}

// recallKey is resolve for a key that a record names by its ARN, in whichever Region. One of another account is not looked at
// for what other accounts can never do, as in resolve.
func (s *Service) recallKey(ctx context.Context, c *service.Call, action, keyARN string) (*keyTarget, error) {
	t := &keyTarget{service: s, call: c, action: action}
	a, err := arn.Parse(keyARN)
	if err != nil || !arn.IsAccount(a.Account) || !arn.IsRegion(a.Region) {
		return t, nil
	}
	t.ref = ref{account: a.Account, region: a.Region, id: strings.TrimPrefix(a.Resource, "key/")}
	if !isKeyID(t.ref.id) || a.Account != c.Caller.Account && !crossAccount[action] {
		return t, nil
	}
	t.key, t.revision, err = s.get(ctx, s.clock.Now(), a.Account, a.Region, t.ref.id)
	return t, err
}

// requestedAlias is the alias by which a request named its key, if it did.
func requestedAlias(c *service.Call, action string) string {
	id := c.Input.Common().KeyID
	switch in := c.Input.(type) {
	case *kmsapi.DecryptRequest:
		id = in.KeyId
	case *kmsapi.ReEncryptRequest:
		if id = in.DestinationKeyId; action == reEncryptFrom {
			id = in.SourceKeyId
		}
	}
	if id == nil {
		return ""
	}
	if r, err := parseRef(c, *id, anyForm); err == nil {
		return r.alias
	}
	return ""
}

// recallPair gives ReEncrypt's call both of its keys, also when the first decision ended it.
func (s *Service) recallPair(ctx context.Context, c *service.Call, targets []*keyTarget) (err error) {
	in, ok := c.Input.(*kmsapi.ReEncryptRequest)
	if !ok || len(targets) == 0 || targets[0] == nil {
		return nil
	}
	pair := &reEncryptKeys{from: &sourceKey{keyTarget: targets[0]}}
	if len(targets) > 1 {
		pair.to = targets[1]
	} else if in.DestinationKeyId != nil {
		again := *c // which resolve may write into
		again.Event = new(audit.Event)
		pair.to, err = s.resolve(ctx, &again, reEncryptTo, *in.DestinationKeyId, anyForm)
		if e := api.From(err); err != nil && e.Status < 500 {
			return nil // there is no such key any more
		}
	}
	if pair.to != nil {
		c.Target = pair
	}
	return err
}

// recallAccess is one access. first is the call's first key.
func (s *Service) recallAccess(ctx context.Context, c *service.Call, r *audit.Record, t, first *keyTarget, d audit.Authorized) (authz.Access, string, error) {
	switch {
	case t == nil:
		return s.recallKeyless(c, first, d), "", nil
	case d.Action == retireAction && t.key != nil:
		return s.recallRetirement(ctx, c, r, t)
	}
	x := t.access(c)
	x.Resource = d.Resource
	return x, "", nil
}

// recallKeyless is an access to no key: to an alias, to nothing in particular, or to a key that is to be made. A replica is
// a key like its primary, the call's first.
func (s *Service) recallKeyless(c *service.Call, first *keyTarget, d audit.Authorized) authz.Access {
	x := authz.Access{Action: d.Action, Resource: d.Resource, Account: c.Caller.Account}
	if a, err := arn.Parse(d.Resource); err == nil && arn.IsAccount(a.Account) { // an alias, which nobody else can change
		x.Account, x.Local = a.Account, true
	}
	if d.Resource == "*" && d.Action != createAction && d.Action != tagAction {
		return x
	}
	keys := &conditions{service: s, call: c, action: d.Action}
	if in, replicates := c.Input.(*kmsapi.ReplicateKeyRequest); replicates && first != nil {
		keys.key, x.Region = first.key, text(in.ReplicaRegion)
	}
	x.Context = keys
	return x
}

// recallRetirement is RetireGrant, which the grant itself decides, if it is still there.
func (s *Service) recallRetirement(ctx context.Context, c *service.Call, r *audit.Record, t *keyTarget) (authz.Access, string, error) {
	var additional struct {
		Grant string `json:"grantId"`
	}
	if len(r.Additional) > 0 {
		_ = json.Unmarshal(r.Additional, &additional) // what cannot be read names no grant
	}
	id := additional.Grant
	if in, ok := c.Input.(*kmsapi.RetireGrantRequest); ok && in.GrantId != nil {
		id = *in.GrantId
	}
	g, err := s.grantOf(ctx, t, id)
	if e := api.From(err); err != nil && e.Status < 500 {
		x := t.access(c)
		x.Missing, x.Grants = true, nil
		if t.ref.account != c.Caller.Account { // who is not to know the key is not told of its grants
			return x, "", nil
		}
		return x, "The grant has ended since, and nobody can retire it any more.", nil
	} else if err != nil {
		return authz.Access{}, "", err
	}
	return g.Access(c)[0], "", nil
}

// KeyARN returns the ARN of a key by any of its identifiers, as the caller of c would name it, and its account. A key of
// another account need not exist.
func (s *Service) KeyARN(ctx context.Context, c *service.Call, id string) (keyARN, account string, err error) {
	again := *c
	again.Event = new(audit.Event)
	t, err := s.resolve(ctx, &again, "kms:DescribeKey", id, anyForm)
	switch {
	case err != nil:
		return "", "", err
	case t.key == nil:
		return t.ref.arn(), t.ref.account, nil
	}
	return t.key.ARN(), t.key.Account, nil
}

// checkScope refuses actions that there are not, and resources that an action is not done to.
func checkScope(action, resource string) error {
	alias := strings.Contains(resource, ":alias/")
	switch scope := policy.ScopeOf(action); {
	case action == "kms:ReEncrypt":
		return api.ValidationException("There is no permission kms:ReEncrypt: the operation needs kms:ReEncryptFrom and kms:ReEncryptTo.")
	case scope == policy.NoAction:
		return api.ValidationException("%s is not an action of KMS.", action)
	case scope == policy.OnAccount && resource != "*":
		return api.ValidationException("%s is not an action on a key. Its resource is *.", action)
	case scope == policy.OnKey && resource == "*":
		return api.ValidationException("%s is an action on a key. Its resource is a key's ARN.", action)
	case alias && !policy.ActsOnAlias(action):
		return api.ValidationException("%s is an action on a key, not on an alias.", action)
	}
	return nil
}

// Suppose returns the access of an action on a key or an alias, by its ARN, or on "*", in a request that nobody has made: it
// has its operation's defaults for parameters. open makes the constraints of grants count as met.
func (s *Service) Suppose(ctx context.Context, c *service.Call, action, resource string, open bool) (authz.Access, error) {
	if err := checkScope(action, resource); err != nil {
		return authz.Access{}, err
	}
	c.Operation = strings.TrimPrefix(action, "kms:")
	switch action {
	case reEncryptFrom, reEncryptTo:
		c.Operation = "ReEncrypt"
	}
	if c.Input = newInput(c.Operation); c.Input == nil {
		return authz.Access{}, api.ValidationException("%s is not an action of KMS.", action)
	}
	if resource == "*" || strings.Contains(resource, ":alias/") {
		return s.recallKeyless(c, nil, audit.Authorized{Action: action, Resource: resource}), nil
	}
	t, err := s.recallKey(ctx, c, action, resource)
	if err != nil {
		return authz.Access{}, err
	}
	x := t.access(c)
	if open && x.Grants != nil {
		x.Grants = openGrants{t}
	}
	return x, nil
}

// openGrants are the grants of a key to a caller, whatever their constraints want of the request.
type openGrants struct{ *keyTarget }

// Grant implements authz.Granter.
func (t openGrants) Grant(ctx context.Context) (authz.Grant, error) {
	return t.search(ctx, (*grantIndex).all, func(*Grant, kmsapi.GrantOperation) bool { return true })
}

// Named returns the principals that a key's policy and the grants for an action name: ARNs, accounts, unique ids of those that
// are gone, services, and "*". more says that there are more grants than were looked at.
func (s *Service) Named(ctx context.Context, keyARN, action string, limit int) (names []string, more bool, err error) {
	a, err := arn.Parse(keyARN)
	if err != nil {
		return nil, false, err
	}
	t, err := s.recallKey(ctx, &service.Call{Caller: caller.Caller{Account: a.Account}}, action, keyARN)
	if err != nil || t.key == nil {
		return nil, false, err
	}
	seen := map[string]bool{}
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	shown, err := s.shownPolicy(ctx, t.key)
	if err != nil {
		return nil, false, err
	}
	if p, err := policy.Parse(policy.Key, shown); err == nil {
		p.Principals(func(_, name string) { add(name) })
	}
	operation := kmsapi.GrantOperation(strings.TrimPrefix(action, "kms:"))
	more, err = s.eachGrantee(ctx, t.key, operation, limit, add)
	return names, more, err
}

// eachGrantee calls f for the grantees of a key's grants for an operation. It looks at so many grants at least, and more says
// that there are others.
func (s *Service) eachGrantee(ctx context.Context, k *Key, o kmsapi.GrantOperation, limit int, f func(name string)) (more bool, err error) {
	after, holders := "", s.holders()
	for looked := 0; looked < limit; {
		page, err := s.store.Range(ctx, grantPrefix(k.Account, k.Region, k.ID), after, grantsPerPage)
		if err != nil {
			return false, err
		}
		for _, r := range page.Records {
			after = r.Key
			looked++
			g, err := s.placedGrant(r)
			if err != nil {
				return false, err
			}
			if !slices.Contains(g.Operations, o) {
				continue
			}
			grantee, err := holders.shown(ctx, g.Grantee, g.GranteeID)
			if err != nil {
				return false, err
			}
			f(grantee)
			f(g.GranteeService)
		}
		if more = page.More; !more {
			break
		}
	}
	return more, nil
}
