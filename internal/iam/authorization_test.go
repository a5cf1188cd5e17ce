package iam_test

import (
	"strings"
	"testing"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
)

// allow is a policy with one statement.
func allow(action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.ReplaceAll(action, " ", `","`) + `"],"Resource":"` + resource + `"` + condition + `}]}`
}

// Each row is a policy of bob's and what he may and may not do with it.
func TestOperationsAreDecidedOnTheirResources(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	p := root.furnish()
	admin := "arn:aws:iam::aws:policy/AdministratorAccess"
	root.must(&iamapi.TagRoleRequest{RoleName: new("app"), Tags: []iamapi.Tag{{Key: new("Team"), Value: new("blue")}}})
	root.must(&iamapi.CreateUserRequest{UserName: new("eve"), Path: new("/staff/"), PermissionsBoundary: &p})
	root.must(&iamapi.TagPolicyRequest{PolicyArn: &p, Tags: []iamapi.Tag{{Key: new("Team"), Value: new("blue")}}})
	bob := root.as("bob")
	x, app, eve := new("x"), new("app"), new("eve")
	tag := func(key, value string) []iamapi.Tag { return []iamapi.Tag{{Key: &key, Value: &value}} }
	ran := 0
	for _, tt := range []struct {
		policy  string
		in      request
		allowed bool
	}{
		{allow("iam:GetUser", root.arn("user/staff/*"), ""), &iamapi.GetUserRequest{UserName: eve}, true},
		{allow("iam:GetUser", root.arn("user/staff/*"), ""), &iamapi.GetUserRequest{}, false},
		{allow("iam:GetUser", root.arn("user/*"), ""), &iamapi.GetRoleRequest{RoleName: app}, false},
		{allow("iam:GetRole", root.arn("role/app"), `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`), &iamapi.GetRoleRequest{RoleName: app}, true},
		{allow("iam:GetRole", root.arn("role/app"), `{"StringEquals":{"iam:ResourceTag/Team":"red"}}`), &iamapi.GetRoleRequest{RoleName: app}, false},
		{allow("iam:GetPolicy", "*", `{"StringEquals":{"aws:ResourceTag/Team":"blue"}}`), &iamapi.GetPolicyRequest{PolicyArn: &p}, true},
		{allow("iam:GetPolicy", root.arn("policy/*"), ""), &iamapi.GetPolicyRequest{PolicyArn: &admin}, false},
		{allow("iam:GetPolicy", "arn:aws:iam::aws:policy/*", ""), &iamapi.GetPolicyRequest{PolicyArn: &admin}, true},
		{allow("iam:AttachRolePolicy", "*", `{"ArnEquals":{"iam:PolicyARN":"`+p+`"}}`), &iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: &p}, true},
		{allow("iam:AttachRolePolicy", "*", `{"ArnEquals":{"iam:PolicyARN":"`+p+`"}}`), &iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: &admin}, false},
		{allow("iam:DetachRolePolicy", "*", `{"ArnEquals":{"iam:PolicyARN":"`+p+`"}}`), &iamapi.DetachRolePolicyRequest{RoleName: app, PolicyArn: &p}, true},
		{allow("iam:CreateUser", "*", `{"StringEquals":{"iam:PermissionsBoundary":"`+p+`"}}`), &iamapi.CreateUserRequest{UserName: x}, false},
		{allow("iam:CreateUser", "*", `{"StringEquals":{"iam:PermissionsBoundary":"`+p+`"}}`), &iamapi.CreateUserRequest{UserName: x, PermissionsBoundary: &p}, true},
		{allow("iam:DeleteUser", root.arn("user/x"), ""), &iamapi.DeleteUserRequest{UserName: x}, true},
		{allow("iam:PutUserPolicy", "*", `{"StringEquals":{"iam:PermissionsBoundary":"`+p+`"}}`), &iamapi.PutUserPolicyRequest{UserName: eve, PolicyName: x, PolicyDocument: new(allowRead)}, true},
		{allow("iam:PutUserPolicy", "*", `{"StringEquals":{"iam:PermissionsBoundary":"`+p+`"}}`), &iamapi.PutUserPolicyRequest{PolicyName: x, UserName: new("bob"), PolicyDocument: new(allowAll)}, false},
		{allow("iam:PutUserPermissionsBoundary", "*", `{"StringEquals":{"iam:PermissionsBoundary":"`+p+`"}}`), &iamapi.PutUserPermissionsBoundaryRequest{UserName: eve, PermissionsBoundary: &admin}, false},
		{allow("iam:DeleteUserPermissionsBoundary", "*", `{"StringNotEquals":{"iam:PermissionsBoundary":"`+p+`"}}`), &iamapi.DeleteUserPermissionsBoundaryRequest{UserName: eve}, false},
		{allow("iam:CreateUser", "*", ""), &iamapi.CreateUserRequest{UserName: x, Tags: tags(1)}, false},
		{allow("iam:CreateUser iam:TagUser", "*", ""), &iamapi.CreateUserRequest{UserName: x, Tags: tags(1)}, true},
		{allow("iam:CreateRole iam:TagRole", "*", `{"StringEquals":{"aws:RequestTag/Team":"blue"}}`), &iamapi.CreateRoleRequest{RoleName: x, AssumeRolePolicyDocument: new(trusts(account)), Tags: tag("team", "blue")}, true},
		{allow("iam:CreatePolicy", root.arn("policy/teams/*"), ""), &iamapi.CreatePolicyRequest{PolicyName: x, PolicyDocument: new(allowRead)}, false},
		{allow("iam:CreatePolicy", root.arn("policy/teams/*"), ""), &iamapi.CreatePolicyRequest{PolicyName: x, Path: new("/teams/"), PolicyDocument: new(allowRead)}, true},
		{allow("iam:TagUser", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]}}`), &iamapi.TagUserRequest{UserName: eve, Tags: tag("a", "1")}, true},
		{allow("iam:TagUser", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]}}`), &iamapi.TagUserRequest{UserName: eve, Tags: tag("c", "1")}, false},
		{allow("iam:UntagUser", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["b"]}}`), &iamapi.UntagUserRequest{UserName: eve, TagKeys: []string{"a"}}, false},
		{allow("iam:UntagUser", "*", `{"ForAnyValue:StringEquals":{"aws:TagKeys":["a"]}}`), &iamapi.UntagUserRequest{UserName: eve, TagKeys: []string{"a"}}, true},
		{allow("iam:UpdateUser", root.arn("user/staff/*"), ""), &iamapi.UpdateUserRequest{UserName: eve, NewPath: new("/")}, false},
		{allow("iam:UpdateUser", root.arn("user/staff/*"), ""), &iamapi.UpdateUserRequest{UserName: eve, NewUserName: new("Eve")}, true},
		{allow("iam:ListUsers", root.arn("user/*"), ""), &iamapi.ListUsersRequest{}, false},
		{allow("iam:ListUsers", "*", ""), &iamapi.ListUsersRequest{}, true},
		{allow("iam:AddUserToGroup", root.arn("group/devs"), ""), &iamapi.AddUserToGroupRequest{GroupName: new("devs"), UserName: eve}, true},
		{allow("iam:AddUserToGroup", root.arn("user/*"), ""), &iamapi.AddUserToGroupRequest{GroupName: new("devs"), UserName: eve}, false},
		{allow("iam:*AccessKey*", root.arn("user/${aws:username}"), ""), &iamapi.ListAccessKeysRequest{}, true},
		{allow("iam:*AccessKey*", root.arn("user/${aws:username}"), ""), &iamapi.CreateAccessKeyRequest{UserName: eve}, false},
		{allow("iam:GetUser", root.arn("user/staff/*"), ""), &iamapi.GetUserRequest{UserName: new("nobody")}, false},
		{allow("iam:ListVirtualMFADevices", root.arn("mfa/*"), ""), &iamapi.ListVirtualMFADevicesRequest{}, false},
		{allow("iam:ListVirtualMFADevices", "*", ""), &iamapi.ListVirtualMFADevicesRequest{}, true},
		{allow("iam:DeleteLoginProfile", root.arn("user/bob"), ""), &iamapi.DeleteLoginProfileRequest{UserName: eve}, false},
		{denyAll, &iamapi.GetUserRequest{}, false},
	} {
		ran++
		root.putUserPolicy("bob", "p", tt.policy)
		a := bob.send(tt.in)
		if a.ok() != tt.allowed || !tt.allowed && a.code != "AccessDenied" {
			t.Errorf("%s with %s: %q %q", a.operation, tt.policy, a.code, a.message)
		}
	}
	if ran < 40 {
		t.Errorf("only %d rows", ran)
	}
}

// Who may do nothing learns nothing: neither what exists, nor whose it is.
func TestTheUnauthorizedLearnNothing(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	root.furnish()
	bob := root.as("bob")
	tried := 0
	for _, cases := range [][]refusal{noSuch(root), badInput(root), malformed(root), overLimits(root)} {
		for _, c := range cases {
			tried++
			if a := bob.send(c.in); a.code != "AccessDenied" || !strings.HasPrefix(a.message, "User: "+root.arn("user/bob")+" is not authorized to perform: iam:"+a.operation) {
				t.Errorf("%s: %q %q", a.operation, a.code, a.message)
			}
		}
	}
	if tried < 120 {
		t.Errorf("only %d requests", tried)
	}
}

// Another account's administrator has no power here, whatever its policies say.
func TestAccountsAreApart(t *testing.T) {
	w := newWorld(t)
	root, them := w.root(account), w.root(other)
	p := root.furnish()
	them.createUser("admin")
	them.putUserPolicy("admin", "all", allowAll)
	admin := them.as("admin")
	for _, in := range []request{
		&iamapi.DeletePolicyRequest{PolicyArn: &p}, &iamapi.GetPolicyVersionRequest{PolicyArn: &p, VersionId: new("v1")},
		&iamapi.CreatePolicyVersionRequest{PolicyArn: &p, PolicyDocument: new(allowAll)},
	} {
		admin.refusedAs(in, "AccessDenied")
		them.refusedAs(in, "AccessDenied")
	}
	admin.refusedAs(&iamapi.GetUserRequest{UserName: new("bob")}, "NoSuchEntity") // there is none in its own account
}

// Keys of tags are the same if they differ in case alone, which ſ and s do: nobody gets past a denial with two of them.
func TestTagsThatDifferInCaseAreRefused(t *testing.T) {
	root := newWorld(t).root(account)
	root.createUser("bob")
	bob := root.as("bob")
	root.putUserPolicy("bob", "p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"},
		{"Effect":"Deny","Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/cost":"prod"}}}]}`)
	twice := []iamapi.Tag{{Key: new("co\u017ft"), Value: new("x")}, {Key: new("cost"), Value: new("prod")}}
	duplicate := "Duplicate tag keys found. Please note that Tag keys are case insensitive."
	root.refused(&iamapi.CreateUserRequest{UserName: new("u"), Tags: twice}, "InvalidInput", duplicate)
	bob.refusedAs(&iamapi.CreateUserRequest{UserName: new("u"), Tags: twice[1:]}, "AccessDenied")
	if a := bob.send(&iamapi.CreateUserRequest{UserName: new("u"), Tags: twice}); a.ok() {
		t.Error("bob has evaded the denial")
	}
	root.must(&iamapi.CreateUserRequest{UserName: new("u"), Tags: twice[:1]})
	root.must(&iamapi.TagUserRequest{UserName: new("u"), Tags: twice[1:]}) // in the place of the other
	if tags := do[iamapi.ListUserTagsResponse](root, &iamapi.ListUserTagsRequest{UserName: new("u")}).Tags; len(tags) != 1 || *tags[0].Value != "prod" {
		t.Errorf("%d tags", len(tags))
	}
	root.refused(&iamapi.CreateUserRequest{UserName: new("v"), Tags: []iamapi.Tag{{Key: new("aw\u017f:x"), Value: new("")}}}, "InvalidInput", "Tag keys that begin with aws: are reserved.")
}
