package authz_test

import (
	"context"
	"errors"
	"testing"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// rule is a row of a table: who asks, what its own policies say, what the key's policy says, and what comes of it.
type rule struct {
	name     string
	caller   *caller.Caller
	identity []string // nil: none
	policy   []string
	want     string
}

func (r rule) world(t *testing.T) *world {
	t.Helper()
	w := &world{}
	if t := r.caller.Type; t == caller.User || t == caller.Role || t == caller.Federated {
		w.identity = &authz.Identity{}
	}
	if r.identity != nil {
		w.identity = permitted(t, r.identity...)
	}
	return w
}

func TestWithinAnAccount(t *testing.T) {
	all, nothing := []string{allowAll}, []string(nil)
	toAccount := []string{allow(aws(rootARN))}
	for _, r := range []rule{
		{"the account is named and decides", bob(), all, toAccount, byIdentity},
		{"the account is named and does not allow", bob(), nothing, toAccount, noIdentity},
		{"without the account in the key policy identity policies allow nothing", bob(), all, []string{allow(aws(roleARN))}, noResource},
		{"but still deny", bob(), []string{denyAll}, []string{allow(aws(bobARN))}, "denied by identity-based policy"},
		{"the account is named for another action", bob(), all, []string{`"Principal":{"AWS":"` + rootARN + `"},"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"`}, noResource},
		{"the account is named under a condition that is not met", bob(), all, []string{allow(aws(rootARN)) + `,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`}, noResource},
		{"the caller is named", bob(), nothing, []string{allow(aws(bobARN))}, byResource},
		{"another is named", bob(), nothing, []string{allow(aws(roleARN))}, noResource},
		{"a denial by name", bob(), all, []string{allow(aws(bobARN)), deny(aws(bobARN))}, "denied by resource-based policy"},
		{"a denial of the account", bob(), all, []string{allow(aws(bobARN)), deny(aws(rootARN))}, "denied by resource-based policy"},
		{"a denial of the role", inRole(), all, []string{allow(aws(sessionARN)), deny(aws(roleARN))}, "denied by resource-based policy"},
		{"a denial of another account", bob(), all, []string{allow(aws(bobARN)), deny(aws(other))}, byResource},
		{"a denial of all but others", bob(), all, []string{allow(aws(bobARN)), `"NotPrincipal":{"AWS":"` + other + `"},` + denyAll}, "denied by resource-based policy"},
		{"the root user is not above the key policy", rootUser(), nil, []string{allow(aws(bobARN))}, noResource},
		{"the root user has what its account has", rootUser(), nil, toAccount, byResource},
		{"the root user can be denied", rootUser(), nil, []string{allow(aws(rootARN)), deny(aws(rootARN))}, "denied by resource-based policy"},
		{"a statement without an action has no effect", bob(), nothing, []string{`"Principal":"*","Effect":"Allow","Resource":"*"`}, noResource},
		{"a key policy with the ARN of its key", bob(), nothing, []string{`"Principal":"*","Effect":"Allow","Action":"kms:*","Resource":"` + key + `"`}, byResource},
		{"a key policy with the ARN of another", bob(), nothing, []string{`"Principal":"*","Effect":"Allow","Action":"kms:*","Resource":"` + foreign + `"`}, noResource},
		{"an identity policy for this key", bob(), []string{`"Effect":"Allow","Action":"kms:Encrypt","Resource":"` + key + `"`}, toAccount, byIdentity},
		{"an identity policy for another key", bob(), []string{`"Effect":"Allow","Action":"kms:Encrypt","Resource":"` + foreign + `"`}, toAccount, noIdentity},
		{"an alias in an identity policy is no key", bob(), []string{`"Effect":"Allow","Action":"kms:Encrypt","Resource":"arn:aws:kms:us-east-1:111122223333:alias/*"`}, toAccount, noIdentity},
	} {
		if got := verdict(t, r.world(t), request(r.caller), encrypt(t, r.policy...)); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
}

func TestAcrossAccountsBothSidesMustAllow(t *testing.T) {
	all, nothing := []string{allowAll}, []string(nil)
	for _, r := range []rule{
		{"account and identity", bob(), all, []string{allow(aws(rootARN))}, byIdentity},
		{"account alone", bob(), nothing, []string{allow(aws(rootARN))}, noIdentity},
		{"identity alone", bob(), all, []string{allow(aws(other))}, noResource},
		{"the owner's account lets no other in", bob(), all, []string{allow(aws("arn:aws:iam::" + other + ":root"))}, noResource},
		{"user and identity", bob(), all, []string{allow(aws(bobARN))}, byIdentity},
		{"user alone", bob(), nothing, []string{allow(aws(bobARN))}, noIdentity},
		{"session alone", inRole(), nothing, []string{allow(aws(sessionARN))}, noIdentity},
		{"everyone and identity", bob(), all, []string{allow(`"*"`)}, byIdentity},
		{"everyone alone", bob(), nothing, []string{allow(`"*"`)}, noIdentity},
		{"the root user needs the key policy only", rootUser(), nil, []string{allow(aws(rootARN))}, byResource},
		{"the root user, not named", rootUser(), nil, []string{allow(aws(other))}, noResource},
		{"a denial on the other side", bob(), all, []string{allow(aws(bobARN)), deny(`"*"`)}, "denied by resource-based policy"},
		{"a denial at home", bob(), []string{allowAll, denyAll}, []string{allow(aws(bobARN))}, "denied by identity-based policy"},
	} {
		if got := verdict(t, r.world(t), request(r.caller), abroad(t, r.policy...)); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}

	// What the other account gives directly does not escape from the limits at home.
	id := permitted(t, allowAll)
	id.Boundary = new(attached(t, policy.Identity, "boundary", irrelevant))
	if got := verdict(t, &world{identity: id}, request(inRole()), abroad(t, allow(aws(sessionARN)))); got != noBoundary {
		t.Errorf("another account's key policy names the session, a boundary allows nothing: %s", got)
	}
	c := limited(inRole())
	c.Session.Policy = doc(t, policy.Identity, irrelevant)
	if got := verdict(t, &world{identity: permitted(t, allowAll)}, request(c), abroad(t, allow(aws(sessionARN)))); got != noSession {
		t.Errorf("another account's key policy names the session, a session policy allows nothing: %s", got)
	}
}

// TagResource and others cannot be done on another account's key, whoever allows it.
func TestLocalOperationsStayInTheirAccount(t *testing.T) {
	w := &world{identity: permitted(t, allowAll)}
	x := abroad(t, allow(aws(bobARN)))
	x.Local = true
	x.Grants = granter{grant: authz.Grant{ID: "g", By: policy.ByCaller}}
	if got := verdict(t, w, request(bob()), x); got != noResource {
		t.Errorf("on another account's key: %s", got)
	}
	x = encrypt(t, allow(aws(bobARN)))
	x.Local = true
	if got := verdict(t, w, request(bob()), x); got != byResource {
		t.Errorf("on the account's own key: %s", got)
	}
	x = abroad(t, allow(aws(bobARN)), deny(aws(bobARN)))
	x.Local = true
	if got := verdict(t, w, request(bob()), x); got != "denied by resource-based policy" {
		t.Errorf("with a denial: %s", got)
	}
}

// CreateKey, aliases and the like have no policy of their own: the account's decide alone.
func TestResourcesWithoutAPolicy(t *testing.T) {
	none := func(resource, of string) authz.Access {
		return authz.Access{Action: "kms:CreateAlias", Resource: resource, Account: of}
	}
	boundary := permitted(t, allowAll)
	boundary.Boundary = new(attached(t, policy.Identity, "boundary", irrelevant))
	session := limited(inRole())
	session.Session.Policy = doc(t, policy.Identity, irrelevant)
	for _, r := range []struct {
		name   string
		world  *world
		caller *caller.Caller
		access authz.Access
		want   string
	}{
		{"identity allows", &world{identity: permitted(t, allowAll)}, bob(), none("*", account), byIdentity},
		{"identity does not", &world{identity: permitted(t, irrelevant)}, bob(), none("*", account), noIdentity},
		{"identity denies", &world{identity: permitted(t, allowAll, denyAll)}, bob(), none("*", account), "denied by identity-based policy"},
		{"identity for all aliases", &world{identity: permitted(t, `"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:*:alias/*"`)}, bob(), none("arn:aws:kms:us-east-1:111122223333:alias/a", account), byIdentity},
		{"identity for an ARN only", &world{identity: permitted(t, `"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:*:alias/*"`)}, bob(), none("*", account), noIdentity},
		{"boundary does not", &world{identity: boundary}, bob(), none("*", account), noBoundary},
		{"session does not", &world{identity: permitted(t, allowAll)}, session, none("*", account), noSession},
		{"no policies at all", &world{identity: &authz.Identity{}}, bob(), none("*", account), noIdentity},
		{"nobody known", &world{}, bob(), none("*", account), noIdentity},
		{"root user", &world{}, rootUser(), none("*", account), byIdentity},
		{"root user elsewhere", &world{}, rootUser(), none("arn:aws:kms:us-east-1:444455556666:alias/a", other), noResource},
		{"another account's", &world{identity: permitted(t, allowAll)}, bob(), none("arn:aws:kms:us-east-1:444455556666:alias/a", other), noResource},
		{"a service", &world{}, s3(), none("*", ""), noIdentity},
		{"a web identity", &world{}, web(), none("*", ""), noIdentity},
	} {
		if got := verdict(t, r.world, request(r.caller), r.access); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
}

func TestMissingResourcesAreNobodys(t *testing.T) {
	w := &world{identity: permitted(t, allowAll)}
	for name, x := range map[string]authz.Access{
		"own":           {Action: "kms:Encrypt", Resource: key, Account: account, Missing: true},
		"another's":     {Action: "kms:Encrypt", Resource: foreign, Account: other, Missing: true},
		"with a policy": {Action: "kms:Encrypt", Resource: key, Account: account, Missing: true, Policy: doc(t, policy.Key, allow(`"*"`))},
		"with a grant":  {Action: "kms:Encrypt", Resource: key, Account: account, Missing: true, Grants: granter{grant: authz.Grant{By: policy.ByCaller}}},
	} {
		if got := verdict(t, w, request(bob()), x); got != noResource {
			t.Errorf("%s: %s", name, got)
		}
	}
	_, missing := decide(t, w, request(bob()), authz.Access{Action: "kms:Encrypt", Resource: foreign, Account: other, Missing: true})
	_, closed := decide(t, w, request(bob()), abroad(t, allow(aws(other))))
	if missing.Error() != closed.Error() {
		t.Errorf("a key that is missing and one that is closed are told apart: %q, %q", missing, closed)
	}
}

func TestServicesAreAllowedByNameOnly(t *testing.T) {
	const service, another = `{"Service":"s3.amazonaws.com"}`, `{"Service":"ec2.amazonaws.com"}`
	for _, r := range []rule{
		{"named", s3(), nil, []string{allow(service)}, byResource},
		{"everyone", s3(), nil, []string{allow(`"*"`)}, byResource},
		{"another service", s3(), nil, []string{allow(another)}, noResource},
		{"an account", s3(), nil, []string{allow(aws(account))}, noResource},
		{"denied", s3(), nil, []string{allow(service), deny(`"*"`)}, "denied by resource-based policy"},
		{"for a resource", s3(), nil, []string{allow(service) + `,"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::reports"},"StringEquals":{"aws:SourceAccount":"111122223333"}}`}, byResource},
		{"for another resource", s3(), nil, []string{allow(service) + `,"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::others"}}`}, noResource},
		{"all but the service denied", s3(), nil, []string{allow(service), `"NotPrincipal":{"Service":"s3.amazonaws.com"},` + denyAll}, byResource},
		{"all but another service denied", s3(), nil, []string{allow(service), `"NotPrincipal":{"Service":"ec2.amazonaws.com"},` + denyAll}, "denied by resource-based policy"},
		{"a user with the name of a service", &caller.Caller{Type: caller.User, Account: account, ARN: "s3.amazonaws.com"}, nil, []string{allow(service)}, noResource},
	} {
		if got := verdict(t, r.world(t), request(r.caller), encrypt(t, r.policy...)); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
}

func TestFederatedUsers(t *testing.T) {
	whole := func(c *caller.Caller) *caller.Caller { // session policies that allow everything
		limited(c).Session.Policy = doc(t, policy.Identity, allowAll)
		return c
	}
	ofRoot := func() *caller.Caller {
		c := guest()
		c.Source, c.ID = rootARN, ""
		return c
	}
	all := []string{allowAll}
	for _, r := range []rule{
		{"without session policies it has none of its user's permissions", guest(), all, []string{allow(aws(rootARN))}, noIdentity},
		{"but what it is given itself", guest(), all, []string{allow(aws(guestARN))}, byResource},
		{"and not what its user is given", guest(), all, []string{allow(aws(bobARN))}, noSession},
		{"which takes session policies", whole(guest()), nil, []string{allow(aws(bobARN))}, byResource},
		{"and their leave", limited(guest()), all, []string{allow(aws(bobARN))}, noSession},
		{"what everybody is given it has", guest(), nil, []string{allow(`"*"`)}, byResource},
		{"its user's denials count", guest(), []string{denyAll}, []string{allow(aws(guestARN))}, "denied by identity-based policy"},
		{"with session policies it has what both allow", whole(guest()), all, []string{allow(aws(rootARN))}, byIdentity},
		{"and no more than its user", whole(guest()), []string{irrelevant}, []string{allow(aws(rootARN))}, noIdentity},
		{"of the root user, without session policies", ofRoot(), nil, []string{allow(aws(rootARN))}, noIdentity},
		{"of the root user, with session policies", whole(ofRoot()), nil, []string{allow(aws(rootARN))}, byResource},
	} {
		if got := verdict(t, r.world(t), request(r.caller), encrypt(t, r.policy...)); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
	c := limited(ofRoot()) // the root user has no identity to look up
	c.Session.Policy = doc(t, policy.Identity, irrelevant)
	if got := verdict(t, &world{}, request(c), encrypt(t, allow(aws(rootARN)))); got != noSession {
		t.Errorf("of the root user, whose session policies allow nothing: %s", got)
	}
}

// A caller whom an identity provider vouches for has no account. A trust policy lets it in.
func TestWebIdentities(t *testing.T) {
	trust := func(principal string) authz.Access {
		return authz.Access{
			Action: "sts:AssumeRoleWithWebIdentity", Resource: roleARN, Account: account,
			Policy: doc(t, policy.Trust, `"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":`+principal),
		}
	}
	for principal, want := range map[string]string{
		`{"Federated":"arn:aws:iam::111122223333:oidc-provider/accounts.example.com"}`: byResource,
		`{"Federated":"arn:aws:iam::111122223333:oidc-provider/others.example.com"}`:   noResource,
		aws(account): noResource,
	} {
		if got := verdict(t, &world{}, request(web()), trust(principal)); got != want {
			t.Errorf("%s: %s, want %s", principal, got, want)
		}
	}
}

func TestSessionPolicies(t *testing.T) {
	build := func(session *policy.Policy, managed ...string) (*world, *authz.Request) {
		id := permitted(t, allowAll)
		for i, statement := range managed {
			id.Session = append(id.Session, attached(t, policy.Identity, "arn:aws:iam::aws:policy/"+string(rune('a'+i)), statement))
		}
		c := limited(inRole())
		c.Session.Policy = session
		return &world{identity: id}, request(c)
	}
	delegated := encrypt(t, allow(aws(rootARN)))
	for _, r := range []struct {
		name    string
		passed  []string
		managed []string
		want    string
	}{
		{"one allows", []string{allowAll}, nil, byIdentity},
		{"a managed one allows", []string{irrelevant}, []string{allowAll}, byIdentity},
		{"a managed one allows, none was passed as text", nil, []string{irrelevant, allowAll}, byIdentity},
		{"none allows", []string{irrelevant}, []string{irrelevant}, noSession},
		{"a managed one denies", []string{allowAll}, []string{denyAll}, "denied by session policy"},
		{"the passed one denies", []string{denyAll}, []string{allowAll}, "denied by session policy"},
		{"they are limited by policies that are gone", nil, nil, noSession},
	} {
		var session *policy.Policy
		if r.passed != nil {
			session = doc(t, policy.Identity, r.passed...)
		}
		w, request := build(session, r.managed...)
		if got := verdict(t, w, request, delegated); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
	w, r := build(nil)
	w.identity.Session, r.Caller.Session.Limited = nil, false
	if got := verdict(t, w, r, delegated); got != byIdentity {
		t.Errorf("no session policies, no limit: %s", got)
	}
}

// The union of a caller's policies counts; deny wins wherever it stands.
func TestManyIdentityPolicies(t *testing.T) {
	id := permitted(t, irrelevant)
	id.Policies = append(id.Policies, attached(t, policy.Identity, "arn:aws:iam::aws:policy/KMS", irrelevant, allowAll))
	d, err := decide(t, &world{identity: id}, request(bob()), encrypt(t, allow(aws(rootARN))))
	if want := (authz.Decision{Allowed: true, Layer: authz.IdentityBased, Policy: "arn:aws:iam::aws:policy/KMS", Statement: 1}); err != nil || d != want {
		t.Errorf("%+v, %v, want %+v", d, err, want)
	}
	id.Policies = append(id.Policies, attached(t, policy.Identity, "group/g/no", irrelevant, denyAll))
	d, err = decide(t, &world{identity: id}, request(bob()), encrypt(t, allow(aws(rootARN))))
	if want := (authz.Decision{Explicit: true, Layer: authz.IdentityBased, Policy: "group/g/no", Statement: 1}); err == nil || d != want {
		t.Errorf("%+v, %v, want %+v", d, err, want)
	}
}

// A key policy that denies all but some always denies those with a permissions boundary (IAM User Guide, "AWS JSON policy
// elements: NotPrincipal").
func TestBoundariesAndNotPrincipal(t *testing.T) {
	butBob := `"NotPrincipal":{"AWS":["` + bobARN + `","` + rootARN + `"]},` + denyAll
	id := permitted(t, allowAll)
	if got := verdict(t, &world{identity: id}, request(bob()), encrypt(t, allow(aws(bobARN)), butBob)); got != byResource {
		t.Errorf("without a boundary: %s", got)
	}
	id.Boundary = new(attached(t, policy.Identity, "boundary", allowAll))
	if got := verdict(t, &world{identity: id}, request(bob()), encrypt(t, allow(aws(bobARN)), butBob)); got != "denied by resource-based policy" {
		t.Errorf("with a boundary: %s", got)
	}
}

// Accesses are decided in order, up to the first that is denied.
func TestAllAccessesMustBeAllowed(t *testing.T) {
	a := authz.New(&world{identity: permitted(t, allowAll)})
	yes, no := encrypt(t, allow(aws(bobARN))), encrypt(t, allow(aws(other)))
	for _, r := range []struct {
		name     string
		accesses []authz.Access
		made     int
		ok       bool
	}{
		{"none", nil, 0, true},
		{"one", []authz.Access{yes}, 1, true},
		{"two", []authz.Access{yes, yes}, 2, true},
		{"the second denied", []authz.Access{yes, no, yes}, 2, false},
		{"the first denied", []authz.Access{no, yes}, 1, false},
	} {
		made, err := a.Authorize(t.Context(), request(bob()), r.accesses, nil)
		if len(made) != r.made || (err == nil) != r.ok {
			t.Errorf("%s: %d decisions, %v", r.name, len(made), err)
		}
	}
	earlier := []authz.Decision{{Grant: "earlier"}}
	if made, err := a.Authorize(t.Context(), request(bob()), []authz.Access{yes}, earlier); err != nil || len(made) != 2 || made[0].Grant != "earlier" {
		t.Errorf("decisions are appended: %+v, %v", made, err)
	}
}

// A directory that does not answer allows nothing, and is no AccessDeniedException.
func TestWhoIsUnknownIsNotAllowed(t *testing.T) {
	broken := errors.New("the store is away")
	made, err := authz.New(&world{err: broken}).Authorize(t.Context(), request(bob()), []authz.Access{encrypt(t, allow(`"*"`))}, nil)
	if !errors.Is(err, broken) || len(made) != 0 {
		t.Errorf("%+v, %v", made, err)
	}
	d := &half{world{identity: permitted(t, allowAll)}, broken}
	made, err = authz.New(d).Authorize(t.Context(), request(bob()), []authz.Access{abroad(t, allow(`"*"`))}, nil)
	if !errors.Is(err, broken) || len(made) != 0 {
		t.Errorf("the owner's organization: %+v, %v", made, err)
	}
	if _, ok := errors.AsType[*api.Error](err); ok {
		t.Errorf("%v is told to the caller", err)
	}
}

// half knows the caller's account and fails for others.
type half struct {
	world
	err error
}

func (h *half) Membership(ctx context.Context, of string) (*authz.Membership, error) {
	if of != account {
		return nil, h.err
	}
	return h.world.Membership(ctx, of)
}

// Says looks at one policy alone: it answers what a policy that is not in force yet would say.
func TestSays(t *testing.T) {
	x := encrypt(t, deny(`"*"`))
	got := authz.Says(request(bob()), &x, doc(t, policy.Key, allow(aws(rootARN)), allow(aws(bobARN))))
	if n, ok := got.AllowedBy(policy.ByCaller); !ok || n != 1 {
		t.Errorf("by the caller: %d, %t", n, ok)
	}
	if n, ok := got.AllowedBy(policy.ByAccount); !ok || n != 0 {
		t.Errorf("by the account: %d, %t", n, ok)
	}
	if _, ok := got.Denied(); ok {
		t.Error("the policy in force was asked")
	}
}
