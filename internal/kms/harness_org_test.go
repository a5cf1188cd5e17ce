package kms_test

import (
	"fmt"

	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
)

// organization is one of bob's, with control policies.
type organization struct {
	user
	root string
}

// attached is a control policy in force.
type attached struct {
	o               *organization
	id, arn, target string
}

func (w *world) organization() *organization {
	w.t.Helper()
	o := &organization{user: w.as(bob)}
	o.organize(&orgapi.CreateOrganizationRequest{FeatureSet: new(orgapi.OrganizationFeatureSetAll)})
	roots := answerOf[orgapi.ListRootsResponse](o.user, &orgapi.ListRootsRequest{})
	o.root = *roots.Roots[0].Id
	for _, kind := range []orgapi.PolicyType{orgapi.PolicyTypeServiceControlPolicy, orgapi.PolicyTypeResourceControlPolicy} {
		o.organize(&orgapi.EnablePolicyTypeRequest{RootId: &o.root, PolicyType: &kind})
	}
	return o
}

// account makes a member account.
func (o *organization) account(name string) user {
	o.t.Helper()
	out := answerOf[orgapi.CreateAccountResponse](o.user, &orgapi.CreateAccountRequest{AccountName: &name, Email: new(name + "@example.com")})
	return o.as(*out.CreateAccountStatus.AccountId)
}

// attach puts a control policy on an account.
func (o *organization) attach(target string, kind orgapi.PolicyType, document string) *attached {
	o.t.Helper()
	name := fmt.Sprintf("p%d", o.revision())
	out := answerOf[orgapi.CreatePolicyResponse](o.user, &orgapi.CreatePolicyRequest{Content: &document, Description: new(""), Name: &name, Type: &kind})
	a := &attached{o, *out.Policy.PolicySummary.Id, *out.Policy.PolicySummary.Arn, target}
	o.organize(&orgapi.AttachPolicyRequest{PolicyId: &a.id, TargetId: &target})
	return a
}

func (a *attached) detach() {
	a.o.t.Helper()
	a.o.organize(&orgapi.DetachPolicyRequest{PolicyId: &a.id, TargetId: &a.target})
}

// organize sends a request to Organizations that must succeed, and returns the answer's body.
func (u user) organize(in request) []byte {
	u.t.Helper()
	a := u.roundTrip(orgapi.Service, orgapi.TargetPrefix, operationOf(in), in.AppendJSON(nil))
	if !a.ok() {
		u.t.Fatalf("%s: %s: %s", a.operation, a.code, a.message)
	}
	return a.body
}

// answerOf is organize for an answer that is looked at.
func answerOf[Out any, P interface {
	*Out
	api.Shape
}](u user, in request) *Out {
	u.t.Helper()
	out := new(Out)
	if err := api.Decode(u.organize(in), P(out)); err != nil {
		u.t.Fatal(err)
	}
	return out
}
