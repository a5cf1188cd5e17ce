package authz_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

const (
	account = "111122223333"
	other   = "444455556666"
	key     = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	foreign = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"

	bobARN     = "arn:aws:iam::111122223333:user/bob"
	roleARN    = "arn:aws:iam::111122223333:role/ops/R"
	sessionARN = "arn:aws:sts::111122223333:assumed-role/R/S"
	guestARN   = "arn:aws:sts::111122223333:federated-user/guest"
	rootARN    = "arn:aws:iam::111122223333:root"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// The callers of the tests.

func rootUser() *caller.Caller { return new(caller.RootOf(account, "AKIAROOT")) }

func bob() *caller.Caller {
	return &caller.Caller{Type: caller.User, Account: account, ARN: bobARN, UserID: "AIDABOBBOBBOBBOBBOB1", ID: "AIDABOBBOBBOBBOBBOB1", Name: "bob", AccessKeyID: "AKIABOB"}
}

// withToken is a user with credentials of GetSessionToken.
func withToken(mfa bool) *caller.Caller {
	c := bob()
	c.Session = &caller.Session{Issued: now().Add(-time.Minute), MFA: mfa}
	return c
}

func inRole() *caller.Caller {
	return &caller.Caller{
		Type: caller.Role, Account: account, ARN: sessionARN, Source: roleARN, UserID: "AROAROLEROLEROLEROLE:S", ID: "AROAROLEROLEROLEROLE", Name: "R",
		Session: &caller.Session{Issued: now().Add(-time.Minute), SourceIdentity: "alice", Provider: "accounts.example.com"},
	}
}

// guest is a federated user of bob's.
func guest() *caller.Caller {
	return &caller.Caller{
		Type: caller.Federated, Account: account, ARN: guestARN, Source: bobARN, UserID: account + ":guest", ID: "AIDABOBBOBBOBBOBBOB1",
		Session: &caller.Session{Issued: now().Add(-time.Minute)},
	}
}

func s3() *caller.Caller {
	return &caller.Caller{Type: caller.Service, ARN: "s3.amazonaws.com", SourceARN: "arn:aws:s3:::reports", SourceAccount: account}
}

// forwarded is a user for whom a service calls.
func forwarded() *caller.Caller {
	c := bob()
	c.Forwarder = "s3.amazonaws.com"
	return c
}

func web() *caller.Caller {
	return &caller.Caller{Type: caller.WebIdentity, ARN: "accounts.example.com:alice", Source: "arn:aws:iam::111122223333:oidc-provider/accounts.example.com", UserID: "alice"}
}

// limited returns a caller with session policies, so that only what they allow is allowed.
func limited(c *caller.Caller) *caller.Caller {
	session := *c.Session
	session.Limited = true
	c.Session = &session
	return c
}

// doc parses statements, which are written without their braces.
func doc(t testing.TB, kind policy.Kind, statements ...string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(kind, `{"Version":"2012-10-17","Statement":[{`+strings.Join(statements, "},{")+`}]}`)
	if err != nil {
		t.Fatalf("%v: %s", err, statements)
	}
	return p
}

// Statements without principals.
const (
	allowAll   = `"Effect":"Allow","Action":"kms:*","Resource":"*"`
	denyAll    = `"Effect":"Deny","Action":"kms:*","Resource":"*"`
	irrelevant = `"Effect":"Allow","Action":"s3:*","Resource":"*"`
	fullRCP    = `"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"`
)

// allow and deny are statements of a key policy or an endpoint's about a principal.
func allow(principal string) string { return `"Principal":` + principal + `,` + allowAll }
func deny(principal string) string  { return `"Principal":` + principal + `,` + denyAll }

// aws is a Principal element.
func aws(names ...string) string { return `{"AWS":["` + strings.Join(names, `","`) + `"]}` }

// attached is a list of one policy with one statement, called by its name.
func attached(t testing.TB, kind policy.Kind, name string, statements ...string) authz.Attached {
	t.Helper()
	return authz.Attached{Name: name, Policy: doc(t, kind, statements...)}
}

// world is a Directory for one caller.
type world struct {
	identity *authz.Identity
	members  map[string]*authz.Membership
	err      error
}

func (w *world) Identity(context.Context, *caller.Caller) (*authz.Identity, error) {
	return w.identity, w.err
}

func (w *world) Membership(_ context.Context, account string) (*authz.Membership, error) {
	return w.members[account], w.err
}

// permitted is a caller's identity with one policy that says this.
func permitted(t testing.TB, statements ...string) *authz.Identity {
	t.Helper()
	return &authz.Identity{Policies: []authz.Attached{attached(t, policy.Identity, "user/bob/inline", statements...)}}
}

func request(c *caller.Caller) *authz.Request {
	return &authz.Request{Caller: c, Region: "us-east-1", Now: now(), SourceIP: "10.1.2.3", UserAgent: "aws-cli", TLS: true}
}

// encrypt is an access to the account's key with a policy.
func encrypt(t testing.TB, statements ...string) authz.Access {
	t.Helper()
	return authz.Access{Action: "kms:Encrypt", Resource: key, Account: account, Policy: doc(t, policy.Key, statements...)}
}

// abroad is encrypt on the other account's key.
func abroad(t testing.TB, statements ...string) authz.Access {
	t.Helper()
	x := encrypt(t, statements...)
	x.Resource, x.Account = foreign, other
	return x
}

// decide returns the decision and the error of one access.
func decide(t testing.TB, w *world, r *authz.Request, x authz.Access) (authz.Decision, error) {
	t.Helper()
	made, err := authz.New(w).Authorize(t.Context(), r, []authz.Access{x}, nil)
	if len(made) != 1 {
		t.Fatalf("%d decisions, %v", len(made), err)
	}
	if made[0].Allowed != (err == nil) {
		t.Fatalf("the decision %+v comes with the error %v", made[0], err)
	}
	return made[0], err
}

// verdict is the decision in short: "allowed by key policy", "no identity-based policy", "denied by permissions boundary".
func verdict(t testing.TB, w *world, r *authz.Request, x authz.Access) string {
	t.Helper()
	d, _ := decide(t, w, r, x)
	switch {
	case d.Allowed:
		return "allowed by " + d.Layer.String()
	case d.Explicit:
		return "denied by " + d.Layer.String()
	}
	return "no " + d.Layer.String()
}

// What verdict says.
const (
	byResource = "allowed by resource-based policy"
	byIdentity = "allowed by identity-based policy"
	byGrant    = "allowed by grant"
	noResource = "no resource-based policy"
	noIdentity = "no identity-based policy"
	noBoundary = "no permissions boundary"
	noSession  = "no session policy"
	noService  = "no service control policy"
	noControl  = "no resource control policy"
	noEndpoint = "no VPC endpoint policy"
)
