package kms

import (
	"context"
	"errors"
	"strings"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// Principals knows the users and roles that key policies and grants name.
type Principals interface {
	// UniqueID returns the unique id of the user or role that an ARN names, and whether such a principal exists. An
	// account's root user and sessions have no id of their own.
	UniqueID(ctx context.Context, arn string) (id string, exists bool, err error)
	// ARNOf returns the ARN that the user or role with a unique id has now.
	ARNOf(ctx context.Context, id string) (arn string, exists bool, err error)
}

// setPolicy gives k a policy. It refuses one that is not well formed, too large, names principals that do not exist, or
// would keep the caller from ever changing it again, unless the caller waives the last.
//
// Users and roles are kept by their unique ids, so that whoever is given the name of one that is gone does not get its
// permissions too (IAM User Guide, "IAM JSON policy elements: Principal").
func (s *Service) setPolicy(ctx context.Context, c *service.Call, k *Key, text string, bypass *bool) error {
	if len(text) > policy.KeyBytes {
		return kmsapi.LimitExceededException("The key policy is %d bytes long; the most is %d.", len(text), policy.KeyBytes)
	}
	p, err := policy.Parse(policy.Key, text)
	if err != nil {
		return malformed(err)
	}
	if !isTrue(bypass) {
		lets, err := letsChange(ctx, c, k, p, &kmsapi.PutKeyPolicyRequest{KeyId: &k.ID, Policy: &text, BypassPolicyLockoutSafetyCheck: bypass})
		if err != nil {
			return err
		}
		if !lets {
			return kmsapi.MalformedPolicyDocumentException("The new key policy will not allow you to update the key policy in the future.")
		}
	}
	if text, err = s.withIDs(ctx, text); err != nil {
		return err
	}
	k.Policy = text
	k.compiled = s.compile(k)
	return nil
}

// The texts of refused policies. AWS publishes only the one about principals, and how the one about conditions begins.
func malformed(err error) error {
	m, ok := errors.AsType[*policy.Malformed](err)
	if !ok {
		return err
	}
	switch m.Reason {
	case policy.InvalidPrincipal:
		return invalidPrincipals()
	case policy.OverlyPermissive:
		return kmsapi.MalformedPolicyDocumentException("OverlyPermissiveCondition: %s", m.Detail)
	}
	return kmsapi.MalformedPolicyDocumentException("%s", strings.ToUpper(m.Error()[:1])+m.Error()[1:])
}

func invalidPrincipals() error {
	return kmsapi.MalformedPolicyDocumentException("Policy contains a statement with one or more invalid principals.")
}

// letsChange says whether the caller could replace the policy again with a request like the present one, which may be the
// making of the key: whether it lets the caller, or its account, call PutKeyPolicy (KMS API Reference,
// BypassPolicyLockoutSafetyCheck).
func letsChange(ctx context.Context, c *service.Call, k *Key, p *policy.Policy, next *kmsapi.PutKeyPolicyRequest) (bool, error) {
	const action = "kms:PutKeyPolicy"
	again := *c
	again.Operation, again.Input, again.Target = "PutKeyPolicy", next, nil
	r, err := c.Says(ctx, p, authz.Access{
		Action: action, Resource: k.ARN(), Account: k.Account, Region: k.Region, Context: &conditions{call: &again, action: action, key: k},
	})
	_, denied := r.Denied()
	_, _, allowed := r.Allowed()
	return allowed && !denied, err
}

// withIDs puts unique ids in the place of the ARNs of users and roles, all of which must exist.
func (s *Service) withIDs(ctx context.Context, text string) (string, error) {
	var failed error
	rewritten, err := policy.RewritePrincipals(text, func(kind, name string) string {
		if kind == "Service" && !caller.IsServiceName(strings.TrimSuffix(name, ".cn")) { // China has names of its own
			failed = invalidPrincipals()
		}
		if kind != "AWS" || failed != nil {
			return name
		}
		id, err := s.principalID(ctx, name)
		if failed = err; id == "" {
			return name
		}
		return id
	})
	return rewritten, errors.Join(failed, err)
}

// principalID returns the unique id of a principal that a policy names, "" for one that is named by something else.
func (s *Service) principalID(ctx context.Context, name string) (string, error) {
	switch {
	case name == "*":
		return "", nil
	case arn.IsAccount(name):
		name = caller.RootARN(name)
	case !strings.HasPrefix(name, "arn:"): // a unique id, as a policy with a deleted principal shows it
		_, exists, err := s.principals.ARNOf(ctx, name)
		if err == nil && !exists {
			err = invalidPrincipals()
		}
		return "", err
	}
	id, exists, err := s.principals.UniqueID(ctx, inPartition(name))
	if err == nil && !exists {
		err = invalidPrincipals()
	}
	return id, err
}

// shownPolicy is a key's policy with ARNs for the users and roles that still exist.
func (s *Service) shownPolicy(ctx context.Context, k *Key) (string, error) {
	if k.Policy == "" {
		return k.policy(), nil
	}
	var failed error
	shown, err := policy.RewritePrincipals(k.Policy, func(kind, name string) string {
		if kind != "AWS" || failed != nil || name == "*" || arn.IsAccount(name) || strings.HasPrefix(name, "arn:") {
			return name
		}
		a, exists, err := s.principals.ARNOf(ctx, name)
		if failed = err; !exists {
			return name
		}
		return a
	})
	return shown, errors.Join(failed, err)
}

// PolicyOf returns the policy of the key with an ARN; nil when there is no such key.
func (s *Service) PolicyOf(ctx context.Context, keyARN string) (*policy.Policy, error) {
	a, err := arn.Parse(keyARN)
	id, ok := strings.CutPrefix(a.Resource, "key/")
	if err != nil || a.Service != "kms" || !ok || !arn.IsAccount(a.Account) || !arn.IsRegion(a.Region) || !isKeyID(id) {
		return nil, nil
	}
	k, _, err := s.get(ctx, s.clock.Now(), a.Account, a.Region, id)
	if err != nil || k == nil {
		return nil, err
	}
	return k.compiled, nil
}

// compile returns a key's policy, ready to be asked. A stored policy that cannot be read allows nothing: the key waits for
// an administrator to give it another.
func (s *Service) compile(k *Key) *policy.Policy {
	if k.Policy == "" {
		if p, ok := s.defaults.Load(k.Account); ok {
			return p.(*policy.Policy)
		}
	}
	p, err := policy.Parse(policy.Key, k.policy())
	if err != nil {
		s.log.Error("a key's policy cannot be read", "key", k.ARN(), "error", err)
		return new(policy.Policy)
	}
	if k.Policy == "" {
		s.defaults.Store(k.Account, p)
	}
	return p
}
