package authz_test

import (
	"errors"
	"testing"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// The texts of AccessDeniedException (IAM User Guide, "Troubleshoot access denied error messages").
func TestDenialsAreInAWSsWords(t *testing.T) {
	const (
		user    = "AccessDeniedException: User: " + bobARN + " is not authorized to perform: kms:Encrypt on resource: " + key + " "
		session = "AccessDeniedException: User: " + sessionARN + " is not authorized to perform: kms:Encrypt on resource: " + key + " "
		managed = "arn:aws:iam::111122223333:policy/P"
		scp     = "arn:aws:organizations::111122223333:policy/o-1/service_control_policy/p-1"
	)
	good := func() *authz.Identity { return permitted(t, allowAll) }
	bound := func(statement string) *authz.Identity {
		id := good()
		id.Boundary = new(attached(t, policy.Identity, managed, statement))
		return id
	}
	in := func(services, resources string) map[string]*authz.Membership {
		m := &authz.Membership{}
		if services != "" {
			m.Services = [][]authz.Attached{{attached(t, policy.ServiceControl, scp, services)}}
		}
		if resources != "" {
			m.Resources = [][]authz.Attached{{attached(t, policy.ResourceControl, scp, resources)}}
		}
		return map[string]*authz.Membership{account: m}
	}
	through := func(statement string) *authz.Endpoint {
		return &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, statement)}
	}
	passed := func(statement string) *caller.Caller {
		c := limited(inRole())
		c.Session.Policy = doc(t, policy.Identity, statement)
		return c
	}
	delegated := encrypt(t, allow(aws(rootARN)))
	for _, r := range []struct {
		name     string
		world    *world
		caller   *caller.Caller
		endpoint *authz.Endpoint
		access   authz.Access
		want     string
	}{
		{"identity", &world{identity: permitted(t, irrelevant)}, bob(), nil, delegated, user + "because no identity-based policy allows the kms:Encrypt action"},
		{"resource", &world{identity: good()}, bob(), nil, encrypt(t, allow(aws(other))), user + "because no resource-based policy allows the kms:Encrypt action"},
		{"service control", &world{identity: good(), members: in(irrelevant, "")}, bob(), nil, delegated, user + "because no service control policy allows the kms:Encrypt action"},
		{"boundary", &world{identity: bound(irrelevant)}, bob(), nil, delegated, user + "because no permissions boundary allows the kms:Encrypt action"},
		{"session", &world{identity: good()}, passed(irrelevant), nil, delegated, session + "because no session policy allows the kms:Encrypt action"},
		{"endpoint", &world{identity: good()}, bob(), through(allow(aws(other))), delegated, user + "because no VPC endpoint policy allows the kms:Encrypt action"},

		{"identity denies", &world{identity: permitted(t, denyAll)}, bob(), nil, delegated, user + "with an explicit deny in an identity-based policy"},
		{"managed identity policy denies", &world{identity: &authz.Identity{Policies: []authz.Attached{attached(t, policy.Identity, managed, denyAll)}}}, bob(), nil, delegated, user + "with an explicit deny in an identity-based policy: " + managed},
		{"resource denies", &world{identity: good()}, bob(), nil, encrypt(t, deny(`"*"`)), user + "with an explicit deny in a resource-based policy"},
		{"service control denies", &world{identity: good(), members: in(denyAll, "")}, bob(), nil, delegated, user + "with an explicit deny in a service control policy: " + scp},
		{"resource control denies", &world{identity: good(), members: in("", deny(`"*"`))}, bob(), nil, delegated, user + "with an explicit deny in a resource control policy: " + scp},
		{"boundary denies", &world{identity: bound(denyAll)}, bob(), nil, delegated, user + "with an explicit deny in a permissions boundary: " + managed},
		{"session denies", &world{identity: good()}, passed(denyAll), nil, delegated, session + "with an explicit deny in a session policy"},
		{"endpoint denies", &world{identity: good()}, bob(), through(deny(`"*"`)), delegated, user + "with an explicit deny in a VPC endpoint policy"},

		{"root user", &world{}, rootUser(), nil, encrypt(t, allow(aws(other))), "AccessDeniedException: User: " + rootARN + " is not authorized to perform: kms:Encrypt on resource: " + key + " because no resource-based policy allows the kms:Encrypt action"},
		{"federated user", &world{identity: good()}, guest(), nil, delegated, "AccessDeniedException: User: " + guestARN + " is not authorized to perform: kms:Encrypt on resource: " + key + " because no identity-based policy allows the kms:Encrypt action"},
		{"service", &world{}, s3(), nil, delegated, "AccessDeniedException: User: s3.amazonaws.com is not authorized to perform: kms:Encrypt on resource: " + key + " because no resource-based policy allows the kms:Encrypt action"},
		{"without a resource", &world{identity: permitted(t, irrelevant)}, bob(), nil, authz.Access{Action: "kms:ListKeys", Resource: "*", Account: account}, "AccessDeniedException: User: " + bobARN + " is not authorized to perform: kms:ListKeys on resource: * because no identity-based policy allows the kms:ListKeys action"},
	} {
		req := request(r.caller)
		req.Endpoint = r.endpoint
		_, err := decide(t, r.world, req, r.access)
		if err == nil || err.Error() != r.want {
			t.Errorf("%s:\n got %v\nwant %s", r.name, err, r.want)
		}
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != "AccessDeniedException" {
			t.Errorf("%s: %T is no AccessDeniedException", r.name, err)
		}
	}
}

// Where AWS's usual text would tell what the caller does not know, an access brings its own.
func TestRefusalReplacesTheText(t *testing.T) {
	own := errors.New("the ciphertext refers to a key that does not exist, or you may not use it")
	x := encrypt(t, deny(`"*"`))
	x.Refusal = own
	if _, err := decide(t, &world{}, request(rootUser()), x); !errors.Is(err, own) {
		t.Errorf("a denial: %v", err)
	}
	if err := authz.Denied(bob(), x); !errors.Is(err, own) {
		t.Errorf("Denied: %v", err)
	}
	x = encrypt(t, allow(`"*"`))
	x.Refusal = own
	if d, err := decide(t, &world{}, request(rootUser()), x); err != nil || !d.Allowed {
		t.Errorf("an allow: %+v, %v", d, err)
	}
}

func TestDenied(t *testing.T) {
	err := authz.Denied(bob(), authz.Access{Action: "kms:Decrypt", Resource: key, Account: account})
	want := "AccessDeniedException: User: " + bobARN + " is not authorized to perform: kms:Decrypt on resource: " + key + " because no resource-based policy allows the kms:Decrypt action"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
