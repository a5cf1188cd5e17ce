package admin

import (
	"context"
	"testing"

	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// A statement for everybody lets in whoever meets its conditions, of whom nothing is known beforehand.
func TestWhoCanOfEverybody(t *testing.T) {
	const always, conditional, nobody = "always", "under conditions", "nobody"
	const root = "arn:aws:iam::" + owner + ":root" // who is asked for in any case
	for condition, want := range map[string]string{
		``: conditional, // the other account has to allow it, too
		`"StringEquals":{"aws:PrincipalOrgID":"o-1"}`:                                    conditional,
		`"StringEquals":{"aws:PrincipalAccount":"444455556666"}`:                         conditional,
		`"StringNotEquals":{"aws:PrincipalAccount":"444455556666"}`:                      conditional,
		`"StringEquals":{"kms:CallerAccount":"444455556666"}`:                            conditional,
		`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:role/*"}`:              conditional,
		`"StringEquals":{"aws:PrincipalTag/team":"red"}`:                                 conditional,
		`"Bool":{"aws:PrincipalIsAWSService":"true"}`:                                    conditional,
		`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`:                                      conditional,
		`"StringEquals":{"aws:ResourceAccount":"` + owner + `"}`:                         conditional,
		`"StringEquals":{"aws:ResourceAccount":"444455556666"}`:                          nobody,
		`"StringEquals":{"aws:ResourceAccount":"444455556666","aws:PrincipalOrgID":"o"}`: nobody,
	} {
		s := rehearsal(t)
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{` + condition + `}}]}`
		p, err := policy.Parse(policy.Key, text)
		if err != nil {
			t.Fatal(err)
		}
		d := &s.Decisions
		d.Suppose = func(_ context.Context, _ *service.Call, action, resource string, _ bool) (authz.Access, error) {
			return authz.Access{Action: action, Resource: resource, Account: owner, Policy: p}, nil
		}
		d.EachPrincipal = func(context.Context, string, func(caller.Caller) bool) error { return nil }
		d.Named = func(context.Context, string, string, int) ([]string, bool, error) { return []string{"*"}, false, nil }
		out, err := s.whoCan(t.Context(), callOf(owner), &trentapi.WhoCanRequest{Action: new("kms:Decrypt"), KeyId: new(aKey)})
		if err != nil {
			t.Fatal(err)
		}
		got := nobody
		for _, found := range out.Principals {
			if *found.Arn == root {
				continue
			}
			if got = always; *found.Conditional {
				got = conditional
			}
			if *found.Arn != "*" {
				t.Errorf("%s: %s", condition, *found.Arn)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", condition, got, want)
		}
	}
}
