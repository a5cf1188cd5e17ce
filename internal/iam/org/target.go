package org

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// target is what a request is about: the caller's organization, and what of it the request names.
type target struct {
	standing // of the caller's account
	now      time.Time

	entity      entity // root, unit or account
	source, dst entity // of a move
	policy      *controlPolicy
	managed     orgapi.PolicyType // of a policy of AWS's, in the place of policy

	access  []authz.Access
	refusal error // what is answered to a caller who was allowed to ask
}

// Access is the operation on each resource that the request names and that is there, or else on "*". All of them belong
// to the organization, and so to its management account, which is the caller's.
func (t *target) Access(c *service.Call) []authz.Access {
	if len(t.access) == 0 {
		t.on(c, "*", nil)
	}
	return t.access
}

// on adds a resource that the caller must be allowed the operation on.
func (t *target) on(c *service.Call, arn string, k *keys) { t.also(c, c.Operation, arn, k) }

// also adds another operation that the caller must be allowed.
func (t *target) also(c *service.Call, operation, arn string, k *keys) {
	a := authz.Access{Action: "organizations:" + operation, Resource: arn, Account: c.Caller.Account, Local: true}
	if k != nil {
		a.Context = k
	}
	t.access = append(t.access, a)
}

// keys are the condition keys of a request (Service Authorization Reference, "Condition keys for AWS Organizations").
type keys struct {
	policyType orgapi.PolicyType
	add        []tag    // aws:RequestTag
	names      []string // aws:TagKeys
	has        []tag    // aws:ResourceTag
}

// withTags are the keys of a request that brings tags.
func withTags(in []orgapi.Tag) *keys {
	k := new(keys)
	for _, t := range in {
		k.add = append(k.add, tag{*t.Key, *t.Value})
		k.names = append(k.names, *t.Key)
	}
	return k
}

// Lookup implements policy.Context.
func (k *keys) Lookup(key string) (policy.Values, bool) {
	if key == "organizations:policytype" {
		return policy.One(string(k.policyType)), k.policyType != ""
	}
	if key == "aws:tagkeys" {
		return policy.Many(k.names), k.names != nil
	}
	if name, ok := strings.CutPrefix(key, "aws:requesttag/"); ok {
		return lookup(k.add, name)
	}
	if name, ok := strings.CutPrefix(key, "aws:resourcetag/"); ok {
		return lookup(k.has, name)
	}
	return policy.Values{}, false
}

// lookup finds a tag; policies do not tell the case of keys apart (IAM User Guide, "Tagging").
func lookup(tags []tag, name string) (policy.Values, bool) {
	return policy.TagValue(tags, name, func(t *tag) (key, value string) { return t.Key, t.Value })
}

// traits say who may ask and what the audit record shows.
type traits uint8

const (
	read  traits = 0
	write traits = 1 << iota
	logAnswer
	// member operations can be called from every account of an organization, the others from the management account alone.
	member
	// outsider operations can be called from accounts of no organization too.
	outsider
)

// finder resolves what a request names: it adds to the target and to its access. An *api.Error is told to callers that
// are allowed the operation only.
type finder[In any] = func(ctx context.Context, c *service.Call, in *In, t *target) error

// define makes a row.
func define[In, Out any, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](s *Service, name string, is traits, find finder[In],
	handle func(ctx context.Context, c *service.Call, in *In, t *target) (*Out, error),
) service.Operation {
	row := service.Row[In, Out, *target]{
		Name: name, ReadOnly: is&write == 0,
		Resolve: func(ctx context.Context, c *service.Call, in *In) (*target, error) {
			t, err := s.resolve(ctx, c, is)
			if err == nil && t.refusal == nil && find != nil {
				err = find(ctx, c, in, t)
			}
			if e, ok := errors.AsType[*api.Error](err); ok {
				t.refusal, err = e, nil
			}
			return t, s.explain(ctx, t, err)
		},
		Check: func(_ context.Context, _ *service.Call, _ *In, t *target) error { return t.refusal },
		Handle: func(ctx context.Context, c *service.Call, in *In, t *target) (*Out, error) {
			out, err := handle(ctx, c, in, t)
			return out, s.explain(ctx, t, err)
		},
	}
	if is&logAnswer != 0 {
		row.LogAnswer = func(out *Out, _ *target) []byte { return POut(out).AppendAudit(nil) }
	}
	return service.Define[In, Out, *target, PIn, POut](row)
}

// explain tells damage from change: records that do not fit together because some of them were read before a change of the
// organization, and some after it, are no damage, and the operation begins again.
func (s *Service) explain(ctx context.Context, t *target, err error) error {
	if t == nil || t.org == nil || !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	if now, failed := s.store.Get(ctx, t.org.path()); failed == nil && now.Revision != t.revision {
		return store.ErrConflict
	}
	return err
}

// resolve finds the caller's organization, and whether the caller's account may ask at all.
func (s *Service) resolve(ctx context.Context, c *service.Call, is traits) (*target, error) {
	t := &target{now: c.Now}
	var err error
	if arn.IsAccount(c.Caller.Account) {
		if t.standing, err = s.stand(ctx, c.Caller.Account); err != nil {
			return nil, err
		}
	}
	switch {
	case t.org == nil && is&outsider == 0:
		t.refusal = notInUse()
	case t.org != nil && t.org.Management != c.Caller.Account && is&member == 0:
		t.refusal = notManagement()
	}
	return t, nil
}

// standing is where an account is.
type standing struct {
	org      *organization // nil: it is in none
	revision int64         // of org's record, which was read before anything else in it
	self     *account      // its own record; nil if it never was in an organization
	// home and account are the revisions of what says where the account is, and of its own record; 0: there are none.
	home, account int64
}

// stand reads where an account is. It fails with store.ErrConflict if the account went elsewhere meanwhile.
func (s *Service) stand(ctx context.Context, id string) (standing, error) {
	var at standing
	home, revision, err := fetch[pointer](ctx, s, homePath(id))
	if err != nil || home == nil {
		return at, err
	}
	at.home = revision
	path := accountPrefix(noOrg) + id
	if home.ID != "" {
		path = accountPrefix(home.ID) + id
		if at.org, at.revision, err = fetch[organization](ctx, s, organizationPath(home.ID)); err != nil {
			return at, err
		}
	}
	if at.self, at.account, err = fetch[account](ctx, s, path); err != nil {
		return at, err
	}
	if at.self != nil && (home.ID == "" || at.org != nil) {
		return at, nil
	}
	now, err := s.store.Get(ctx, homePath(id))
	switch {
	case err != nil:
		return at, err
	case now.Revision != revision:
		return at, store.ErrConflict
	}
	return at, missing(path + ", or its organization,")
}
