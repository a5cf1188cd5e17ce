package authz_test

import (
	"context"
	"errors"
	"testing"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/policy"
)

// granter finds a grant, or fails. It counts how often it is asked.
type granter struct {
	grant authz.Grant
	err   error
	asked *int
}

func (g granter) Grant(context.Context) (authz.Grant, error) {
	if g.asked != nil {
		*g.asked++
	}
	return g.grant, g.err
}

// A grant is like a key policy that names its grantee (KMS Developer Guide, "Grants").
func TestGrantsStandForTheKeyPolicy(t *testing.T) {
	all, nothing := []string{allowAll}, []string(nil)
	for _, r := range []struct {
		rule
		by     policy.Match
		abroad bool
	}{
		{rule{"caller", bob(), nothing, []string{allow(aws(other))}, byGrant}, policy.ByCaller, false},
		{rule{"role", inRole(), nothing, []string{allow(aws(other))}, byGrant}, policy.ByRole, false},
		{rule{"account, identity allows", bob(), all, []string{allow(aws(other))}, byGrant}, policy.ByAccount, false},
		{rule{"account, identity does not", bob(), nothing, []string{allow(aws(other))}, noIdentity}, policy.ByAccount, false},
		{rule{"no grant", bob(), all, []string{allow(aws(other))}, noResource}, policy.None, false},
		{rule{"the key policy denies", bob(), all, []string{deny(`"*"`)}, "denied by resource-based policy"}, policy.ByCaller, false},
		{rule{"identity denies", bob(), []string{denyAll}, []string{allow(aws(other))}, "denied by identity-based policy"}, policy.ByCaller, false},
		{rule{"service", s3(), nil, []string{allow(aws(other))}, byGrant}, policy.ByCaller, false},
		{rule{"service, by an account", s3(), nil, []string{allow(aws(other))}, noResource}, policy.ByAccount, false},
		{rule{"root user by its account", rootUser(), nil, []string{allow(aws(other))}, byGrant}, policy.ByAccount, false},
		{rule{"across accounts, identity allows", bob(), all, []string{allow(aws(other))}, byGrant}, policy.ByCaller, true},
		{rule{"across accounts, identity does not", bob(), nothing, []string{allow(aws(other))}, noIdentity}, policy.ByCaller, true},
		{rule{"across accounts, account", bob(), all, []string{allow(aws(other))}, byGrant}, policy.ByAccount, true},
		{rule{"across accounts, root user", rootUser(), nil, []string{allow(aws(other))}, byGrant}, policy.ByAccount, true},
	} {
		x := encrypt(t, r.policy...)
		if r.abroad {
			x = abroad(t, r.policy...)
		}
		x.Grants = granter{grant: authz.Grant{ID: "g-1", By: r.by}}
		if got := verdict(t, r.world(t), request(r.caller), x); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
		d, _ := decide(t, r.world(t), request(r.caller), x)
		if want := (authz.Decision{Allowed: true, Layer: authz.Granted, Statement: -1, Grant: "g-1"}); d.Allowed && d != want {
			t.Errorf("%s: %+v, want %+v", r.name, d, want)
		}
	}
}

func TestGrantsAreLimitedAsKeyPoliciesAre(t *testing.T) {
	x := encrypt(t, allow(aws(other)))
	build := func(by policy.Match) (*world, *authz.Request) {
		x.Grants = granter{grant: authz.Grant{ID: "g-1", By: by}}
		return &world{identity: permitted(t, allowAll)}, request(inRole())
	}
	w, r := build(policy.ByRole)
	w.identity.Boundary = new(attached(t, policy.Identity, "b", irrelevant))
	if got := verdict(t, w, r, x); got != noBoundary {
		t.Errorf("role, boundary: %s", got)
	}
	w, r = build(policy.ByCaller)
	w.identity.Boundary = new(attached(t, policy.Identity, "b", irrelevant))
	if got := verdict(t, w, r, x); got != byGrant {
		t.Errorf("session, boundary: %s", got)
	}
	w, r = build(policy.ByRole)
	limited(r.Caller).Session.Policy = doc(t, policy.Identity, irrelevant)
	if got := verdict(t, w, r, x); got != noSession {
		t.Errorf("role, session policy: %s", got)
	}
	for name, m := range map[string]authz.Membership{
		noService:                           {Services: [][]authz.Attached{{attached(t, policy.ServiceControl, "p", irrelevant)}}},
		"denied by service control policy":  {Services: [][]authz.Attached{{attached(t, policy.ServiceControl, "p", denyAll)}}},
		noControl:                           {Resources: [][]authz.Attached{{}}},
		"denied by resource control policy": {Resources: [][]authz.Attached{{attached(t, policy.ResourceControl, "p", deny(`"*"`))}}},
	} {
		w, r = build(policy.ByCaller)
		w.members = map[string]*authz.Membership{account: &m}
		if got := verdict(t, w, r, x); got != name {
			t.Errorf("%s, want %s", got, name)
		}
	}
	w, r = build(policy.ByCaller)
	r.Endpoint = &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, allow(aws(other)))}
	if got := verdict(t, w, r, x); got != noEndpoint {
		t.Errorf("endpoint: %s", got)
	}
}

// Looking for grants costs a read: it is done only if nothing else has decided.
func TestGrantsAreAskedLast(t *testing.T) {
	for _, r := range []struct {
		rule
		asked int
	}{
		{rule{"allowed already", bob(), nil, []string{allow(aws(bobARN))}, byResource}, 0},
		{rule{"denied already", bob(), nil, []string{deny(`"*"`)}, "denied by resource-based policy"}, 0},
		{rule{"open", bob(), nil, []string{allow(aws(other))}, byGrant}, 1},
	} {
		asked := 0
		x := encrypt(t, r.policy...)
		x.Grants = granter{grant: authz.Grant{ID: "g", By: policy.ByCaller}, asked: &asked}
		if got := verdict(t, r.world(t), request(r.caller), x); got != r.want || asked != r.asked {
			t.Errorf("%s: %s, want %s; asked %d times, want %d", r.name, got, r.want, asked, r.asked)
		}
	}
	broken := errors.New("the store is away")
	x := encrypt(t, allow(aws(other)))
	x.Grants = granter{err: broken}
	made, err := authz.New(&world{identity: &authz.Identity{}}).Authorize(t.Context(), request(bob()), []authz.Access{x}, nil)
	if !errors.Is(err, broken) || len(made) != 0 {
		t.Errorf("grants that cannot be read: %+v, %v", made, err)
	}
}
