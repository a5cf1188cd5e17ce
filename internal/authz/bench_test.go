package authz_test

import (
	"testing"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// fiveStatements is an everyday key policy; the first statement allows the role to use the key.
func fiveStatements(t testing.TB) authz.Access {
	t.Helper()
	x := encrypt(t,
		`"Effect":"Allow","Principal":{"AWS":"`+roleARN+`"},"Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*"],"Resource":"*"`,
		allow(aws(rootARN)),
		`"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/admin","`+bobARN+`"]},"Action":["kms:Create*","kms:Describe*","kms:Put*"],"Resource":"*"`,
		`"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}`,
		`"Effect":"Allow","Principal":{"AWS":"`+roleARN+`"},"Action":"kms:CreateGrant","Resource":"*","Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}`,
	)
	x.Context = keyed{"kms:keyspec": "SYMMETRIC_DEFAULT"}
	return x
}

func benchmark(t testing.TB, w *world, c *caller.Caller, x authz.Access) func() error {
	t.Helper()
	a, r, made := authz.New(w), request(c), make([]authz.Decision, 0, 1)
	accesses := []authz.Access{x}
	return func() error {
		_, err := a.Authorize(t.Context(), r, accesses, made)
		return err
	}
}

// The way of most requests allocates nothing.
func TestAuthorizeAllocatesNothing(t *testing.T) {
	w := &world{identity: permitted(t, irrelevant)}
	decide := benchmark(t, w, inRole(), fiveStatements(t))
	if n := testing.AllocsPerRun(1000, func() {
		if err := decide(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAuthorize(b *testing.B) {
	whole := &authz.Membership{Organization: "o-1", Path: "o-1/r-1/", Services: [][]authz.Attached{
		{attached(b, policy.ServiceControl, "p", allowAll)}, {attached(b, policy.ServiceControl, "p", allowAll)},
	}, Resources: [][]authz.Attached{{attached(b, policy.ResourceControl, "p", fullRCP)}}}
	for _, bm := range []struct {
		name   string
		world  *world
		access authz.Access
	}{
		{"FirstOfFiveStatements", &world{identity: permitted(b, irrelevant)}, fiveStatements(b)},
		{"AccountDecides", &world{identity: permitted(b, irrelevant, allowAll)}, encrypt(b, allow(aws(rootARN)))},
		{"EveryLayer", &world{identity: permitted(b, allowAll), members: map[string]*authz.Membership{account: whole}}, fiveStatements(b)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			decide := benchmark(b, bm.world, inRole(), bm.access)
			b.ReportAllocs()
			for b.Loop() {
				if err := decide(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
