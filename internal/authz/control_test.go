package authz_test

import (
	"testing"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// levels builds control policies from the root to the account: each level's statements, one policy for each.
func levels(t *testing.T, kind policy.Kind, statements ...[]string) [][]authz.Attached {
	t.Helper()
	all := make([][]authz.Attached, len(statements))
	for i, level := range statements {
		for _, s := range level {
			all[i] = append(all[i], attached(t, kind, "arn:aws:organizations::aws:policy/p", s))
		}
	}
	return all
}

// Every level from the root to the account must allow; a denial on any counts (Organizations User Guide, "SCP evaluation").
func TestServiceControlPolicies(t *testing.T) {
	const denied = "denied by service control policy"
	yes, no, never := []string{allowAll}, []string{irrelevant}, []string{allowAll, denyAll}
	management := func(m *authz.Membership) { m.Management = true }
	for _, r := range []struct {
		name   string
		caller *caller.Caller
		levels [][]string
		change func(*authz.Membership)
		want   string
	}{
		{"all levels allow", bob(), [][]string{yes, yes, yes}, nil, byResource},
		{"the root does not", bob(), [][]string{no, yes, yes}, nil, noService},
		{"a unit does not", bob(), [][]string{yes, no, yes}, nil, noService},
		{"the account does not", bob(), [][]string{yes, yes, no}, nil, noService},
		{"a level without policies does not", bob(), [][]string{yes, {}, yes}, nil, noService},
		{"one of two on a level is enough", bob(), [][]string{{irrelevant, allowAll}}, nil, byResource},
		{"the root denies", bob(), [][]string{never, yes}, nil, denied},
		{"the account denies", bob(), [][]string{yes, never}, nil, denied},
		{"a denial below a level that does not allow", bob(), [][]string{no, never}, nil, denied},
		{"the root user is bound", rootUser(), [][]string{no}, nil, noService},
		{"a role session is bound", inRole(), [][]string{no}, nil, noService},
		{"a federated user is bound", guest(), [][]string{no}, nil, noService},
		{"a service is not", s3(), [][]string{no}, nil, byResource},
		{"who has no credentials yet is not", &caller.Caller{Type: caller.WebIdentity, Account: account}, [][]string{no}, nil, byResource},
		{"the management account is not", bob(), [][]string{no}, management, byResource},
		{"the management account is not denied", bob(), [][]string{never}, management, byResource},
		{"service control policies are off", bob(), nil, nil, byResource},
	} {
		m := &authz.Membership{Organization: "o-1", Path: "o-1/r-1/", Services: levels(t, policy.ServiceControl, r.levels...)}
		if r.levels == nil {
			m.Services = nil
		}
		if r.change != nil {
			r.change(m)
		}
		w := &world{identity: permitted(t, allowAll), members: map[string]*authz.Membership{account: m}}
		if got := verdict(t, w, request(r.caller), encrypt(t, allow(`"*"`))); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
}

func TestServiceControlPoliciesAreTheCallers(t *testing.T) {
	strict := &authz.Membership{Organization: "o-1", Services: levels(t, policy.ServiceControl, []string{denyAll})}
	w := &world{identity: permitted(t, allowAll), members: map[string]*authz.Membership{other: strict}}
	if got := verdict(t, w, request(bob()), abroad(t, allow(`"*"`))); got != byIdentity {
		t.Errorf("the other account's service control policies: %s", got)
	}
	w.members = map[string]*authz.Membership{account: strict}
	if got := verdict(t, w, request(bob()), abroad(t, allow(`"*"`))); got != "denied by service control policy" {
		t.Errorf("the caller's: %s", got)
	}
	w = &world{identity: permitted(t, irrelevant), members: map[string]*authz.Membership{
		account: {Services: levels(t, policy.ServiceControl, []string{allowAll})},
	}}
	if got := verdict(t, w, request(bob()), encrypt(t, allow(aws(rootARN)))); got != noIdentity {
		t.Errorf("they grant nothing: %s", got)
	}
}

// Resource control policies are those of the key's account, whoever calls (Organizations User Guide, "RCPs").
func TestResourceControlPolicies(t *testing.T) {
	const denied = "denied by resource control policy"
	never := []string{fullRCP, deny(`"*"`)}
	for _, r := range []struct {
		name   string
		caller *caller.Caller
		levels [][]string
		change func(*authz.Membership, *authz.Access, *authz.Identity)
		want   string
	}{
		{"full access on each level", bob(), [][]string{{fullRCP}, {fullRCP}}, nil, byResource},
		{"a level without", bob(), [][]string{{fullRCP}, {}}, nil, noControl},
		{"a denial", bob(), [][]string{{fullRCP}, never}, nil, denied},
		{"the root user", rootUser(), [][]string{never}, nil, denied},
		{"a service", s3(), [][]string{never}, nil, denied},
		{"a service, exempt by condition", s3(), [][]string{{fullRCP, deny(`"*"`) + `,"Condition":{"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}`}}, nil, byResource},
		{"the same for a user", bob(), [][]string{{fullRCP, deny(`"*"`) + `,"Condition":{"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}`}}, nil, denied},
		{"the management account's key", bob(), [][]string{never}, func(m *authz.Membership, _ *authz.Access, _ *authz.Identity) { m.Management = true }, byResource},
		{"a service's key", bob(), [][]string{never}, func(_ *authz.Membership, x *authz.Access, _ *authz.Identity) { x.Managed = true }, byResource},
		{"RetireGrant", bob(), [][]string{never}, func(_ *authz.Membership, x *authz.Access, _ *authz.Identity) { x.Action = "kms:RetireGrant" }, byResource},
		{"what has no policy", bob(), [][]string{never}, func(_ *authz.Membership, x *authz.Access, _ *authz.Identity) { x.Policy = nil }, byIdentity},
		{"resource control policies are off", bob(), nil, nil, byResource},
	} {
		m := &authz.Membership{Organization: "o-1", Path: "o-1/r-1/"}
		if r.levels != nil {
			m.Resources = levels(t, policy.ResourceControl, r.levels...)
		}
		x, id := encrypt(t, allow(`"*"`)), permitted(t, allowAll)
		if r.change != nil {
			r.change(m, &x, id)
		}
		w := &world{identity: id, members: map[string]*authz.Membership{account: m}}
		if got := verdict(t, w, request(r.caller), x); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
	w := &world{identity: permitted(t, allowAll), members: map[string]*authz.Membership{
		account: {Resources: levels(t, policy.ResourceControl, never)},
	}}
	if got := verdict(t, w, request(bob()), abroad(t, allow(`"*"`))); got != byIdentity {
		t.Errorf("those of the caller's account do not bind it elsewhere: %s", got)
	}
	w.members[other] = w.members[account]
	if got := verdict(t, w, request(bob()), abroad(t, allow(`"*"`))); got != denied {
		t.Errorf("those of the key's account do: %s", got)
	}
}

// The policy of a VPC endpoint filters what comes through it.
func TestEndpointPolicies(t *testing.T) {
	for _, r := range []struct {
		name     string
		endpoint *authz.Endpoint
		want     string
	}{
		{"no endpoint", nil, byResource},
		{"an endpoint without a policy", &authz.Endpoint{ID: "vpce-1"}, byResource},
		{"everyone", &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, allow(`"*"`))}, byResource},
		{"the caller", &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, allow(aws(bobARN)))}, byResource},
		{"its account", &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, allow(aws(account)))}, byResource},
		{"others", &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, allow(aws(other)))}, noEndpoint},
		{"another key", &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, `"Principal":"*","Effect":"Allow","Action":"kms:*","Resource":"`+foreign+`"`)}, noEndpoint},
		{"another action", &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, `"Principal":"*","Effect":"Allow","Action":"kms:Decrypt","Resource":"*"`)}, noEndpoint},
		{"a denial", &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, allow(`"*"`), deny(aws(bobARN)))}, "denied by VPC endpoint policy"},
	} {
		req := request(bob())
		req.Endpoint = r.endpoint
		if got := verdict(t, &world{identity: &authz.Identity{}}, req, encrypt(t, allow(aws(bobARN)))); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
	req := request(bob())
	req.Endpoint = &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, allow(`"*"`))}
	if got := verdict(t, &world{identity: &authz.Identity{}}, req, encrypt(t, allow(aws(other)))); got != noResource {
		t.Errorf("they grant nothing: %s", got)
	}
}

// The layer that is named is the first in AWS's order, denials before what is lacking.
func TestWhichLayerIsNamed(t *testing.T) {
	order := []string{
		"denied by service control policy", "denied by resource control policy", "denied by VPC endpoint policy", "denied by resource-based policy",
		"denied by identity-based policy", "denied by permissions boundary", "denied by session policy",
		noControl, noService, noEndpoint, noResource,
	}
	for first := range order {
		// Everything from the first on is wrong.
		denies := func(n int, otherwise string) string {
			if n >= first {
				return denyAll
			}
			return otherwise
		}
		id := permitted(t, denies(4, allowAll))
		id.Boundary = new(attached(t, policy.Identity, "b", denies(5, allowAll)))
		c := limited(inRole())
		c.Session.Policy = doc(t, policy.Identity, denies(6, allowAll))
		m := &authz.Membership{
			Services:  levels(t, policy.ServiceControl, []string{irrelevant}, []string{denies(0, irrelevant)}),
			Resources: levels(t, policy.ResourceControl, []string{}),
		}
		if first <= 1 {
			m.Resources = append(m.Resources, levels(t, policy.ResourceControl, []string{deny(`"*"`)})...)
		}
		if first > 7 {
			m.Resources = nil
		}
		if first > 8 {
			m.Services = nil
		}
		r := request(c)
		r.Endpoint = &authz.Endpoint{Policy: doc(t, policy.Endpoint, allow(aws(other)))}
		if first <= 2 {
			r.Endpoint.Policy = doc(t, policy.Endpoint, deny(`"*"`))
		}
		if first > 9 {
			r.Endpoint = nil
		}
		x := encrypt(t, allow(aws(other)))
		if first <= 3 {
			x = encrypt(t, deny(`"*"`))
		}
		w := &world{identity: id, members: map[string]*authz.Membership{account: m}}
		if got := verdict(t, w, r, x); got != order[first] {
			t.Errorf("%s, want %s", got, order[first])
		}
	}
}
