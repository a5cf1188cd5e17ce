package iam_test

import (
	"context"
	"strings"
	"testing"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/iam"
)

func TestRoleLifecycle(t *testing.T) {
	root := newWorld(t).root(account)
	r := do[iamapi.CreateRoleResponse](root, &iamapi.CreateRoleRequest{
		RoleName: new("App"), Path: new("/ci/"), AssumeRolePolicyDocument: new(trusts("*")), Description: new("builds"), Tags: tags(1),
	}).Role
	if *r.Arn != root.arn("role/ci/App") || (*r.RoleId)[:4] != "AROA" || *r.MaxSessionDuration != 3600 || *r.Description != "builds" || len(r.Tags) != 1 {
		t.Errorf("got %s %s %d", *r.Arn, *r.RoleId, *r.MaxSessionDuration)
	}
	root.must(&iamapi.UpdateRoleRequest{RoleName: new("app"), MaxSessionDuration: new(int32(7200))})
	if got := do[iamapi.UpdateRoleDescriptionResponse](root, &iamapi.UpdateRoleDescriptionRequest{RoleName: new("app"), Description: new("")}).Role; got.Description != nil || *got.MaxSessionDuration != 7200 {
		t.Errorf("got %d", *got.MaxSessionDuration)
	}
	root.must(&iamapi.TagRoleRequest{RoleName: new("app"), Tags: []iamapi.Tag{{Key: new("K0"), Value: new("w")}, {Key: new("a"), Value: new("")}}})
	root.must(&iamapi.UntagRoleRequest{RoleName: new("app"), TagKeys: []string{"A", "none"}})
	listed := do[iamapi.ListRoleTagsResponse](root, &iamapi.ListRoleTagsRequest{RoleName: new("app")}).Tags
	if len(listed) != 1 || *listed[0].Key != "K0" || *listed[0].Value != "w" {
		t.Errorf("%d tags", len(listed))
	}
	if got := do[iamapi.ListRolesResponse](root, &iamapi.ListRolesRequest{PathPrefix: new("/ci")}).Roles; len(got) != 1 || got[0].Tags != nil {
		t.Errorf("%d roles", len(got))
	}
	root.must(&iamapi.DeleteRoleRequest{RoleName: new("APP")})
}

// shownTrust is the trust policy of a role as GetRole shows it.
func (p principal) shownTrust(t *testing.T, role string) string {
	t.Helper()
	return decoded(t, do[iamapi.GetRoleResponse](p, &iamapi.GetRoleRequest{RoleName: &role}).Role.AssumeRolePolicyDocument)
}

// Trust follows the user and not the name: a renamed user is shown under its new name, and a deleted one by its unique id,
// also when somebody else has got the name.
func TestTrustIsInWhoNotInTheName(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	bob := root.createUser("bob")
	document := " " + strings.Replace(trusts(*bob.Arn), `"Version"`, "\n\t\"Version\"", 1)
	root.must(&iamapi.CreateRoleRequest{RoleName: new("app"), AssumeRolePolicyDocument: &document})
	if got := root.shownTrust(t, "app"); got != document {
		t.Errorf("got %s, want %s", got, document)
	}
	for key, record := range w.records("iam/entity/AROA") {
		if strings.Contains(string(record), *bob.Arn) || !strings.Contains(string(record), *bob.UserId) {
			t.Errorf("%s: %s", key, record)
		}
	}
	root.must(&iamapi.UpdateUserRequest{UserName: new("bob"), NewUserName: new("robert")})
	if got, want := root.shownTrust(t, "app"), strings.Replace(document, "user/bob", "user/robert", 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	root.must(&iamapi.DeleteUserRequest{UserName: new("robert")})
	root.createUser("robert")
	gone := strings.Replace(document, *bob.Arn, *bob.UserId, 1)
	if got := root.shownTrust(t, "app"); got != gone {
		t.Errorf("got %s, want %s", got, gone)
	}
	// What is shown cannot be written back: the principal does not exist.
	root.refused(&iamapi.UpdateAssumeRolePolicyRequest{RoleName: new("app"), PolicyDocument: &gone}, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"`+*bob.UserId+`"`)
}

func TestPrincipalsOfTrust(t *testing.T) {
	w := newWorldWith(t, func(c *iam.Config) {
		c.AccountExists = func(_ context.Context, id string) (bool, error) { return id == account || id == other, nil }
	})
	root := w.root(account)
	root.createRole("app")
	theirs := w.root(other).createRole("theirs")
	for principal, exists := range map[string]bool{
		"*":                               true,
		account:                           true,
		other:                             true,
		"arn:aws:iam::" + other + ":root": true,
		*theirs.Arn:                       true,
		*theirs.RoleId:                    true,
		"arn:aws:sts::" + other + ":assumed-role/theirs/session": true,
		"arn:aws:sts::" + account + ":federated-user/anybody":    true,
		"777788889999":                                             false,
		"arn:aws:iam::777788889999:root":                           false,
		"arn:aws:iam::" + other + ":role/THEIRS":                   false,
		"arn:aws:iam::" + other + ":role/x/theirs":                 false,
		"arn:aws:iam::" + account + ":role/theirs":                 false,
		"arn:aws:sts::" + account + ":assumed-role/theirs/session": false,
		"AROAAAAAAAAAAAAAAAAAA":                                    false,
	} {
		a := root.send(&iamapi.UpdateAssumeRolePolicyRequest{RoleName: new("app"), PolicyDocument: new(trusts(principal))})
		if a.ok() != exists || !exists && a.message != `Invalid principal in policy: "AWS":"`+principal+`"` {
			t.Errorf("%s: %q %q", principal, a.code, a.message)
		}
	}
}
