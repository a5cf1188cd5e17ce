package iam_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/policy"
)

// identity is what the directory says of a caller: the names of its policies, its boundary and its tags.
func (w *world) identity(c *caller.Caller) string {
	w.t.Helper()
	id, err := w.iam.Identity(w.t.Context(), c)
	if err != nil {
		return err.Error()
	}
	if id == nil {
		return "none"
	}
	names := func(all []authz.Attached) string {
		var s []string
		for _, a := range all {
			s = append(s, a.Name[strings.LastIndex(a.Name, ":")+1:])
		}
		slices.Sort(s)
		return strings.Join(s, " ")
	}
	s := names(id.Policies)
	if id.Boundary != nil {
		s += " | boundary " + names([]authz.Attached{*id.Boundary})
	}
	if len(id.Session) > 0 {
		s += " | session " + names(id.Session)
	}
	for _, t := range id.Tags {
		s += " | " + t.Key + "=" + t.Value
	}
	return s
}

func asUser(u *iamapi.User) *caller.Caller {
	return &caller.Caller{Type: caller.User, Account: account, ARN: *u.Arn, UserID: *u.UserId, Name: *u.UserName, ID: *u.UserId}
}

func asRole(r *iamapi.Role, s *caller.Session) *caller.Caller {
	arn := "arn:aws:sts::" + account + ":assumed-role/" + *r.RoleName + "/s"
	return &caller.Caller{Type: caller.Role, Account: account, ARN: arn, UserID: *r.RoleId + ":s", Name: *r.RoleName, Source: *r.Arn, ID: *r.RoleId, Session: s}
}

const nobody = "UnrecognizedClientException: The security token included in the request is invalid."

// Whatever changes a user, its groups, or the policies that they have, changes its identity with the next request.
func TestIdentityFollowsEveryChange(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	u := root.createUser("bob")
	bob := asUser(u)
	arn := root.createPolicy("p", allowRead)
	name, devs := new("bob"), new("devs")
	steps := []struct {
		in   request
		want string
	}{
		{&iamapi.GetUserRequest{UserName: name}, ""},
		{&iamapi.PutUserPolicyRequest{UserName: name, PolicyName: new("in"), PolicyDocument: new(allowRead)}, "user/bob/in"},
		{&iamapi.AttachUserPolicyRequest{UserName: name, PolicyArn: &arn}, "policy/p user/bob/in"},
		{&iamapi.CreateGroupRequest{GroupName: devs}, "policy/p user/bob/in"},
		{&iamapi.AddUserToGroupRequest{UserName: name, GroupName: devs}, "policy/p user/bob/in"},
		{&iamapi.PutGroupPolicyRequest{GroupName: devs, PolicyName: new("g"), PolicyDocument: new(allowAll)}, "group/devs/g policy/p user/bob/in"},
		{&iamapi.AttachGroupPolicyRequest{GroupName: devs, PolicyArn: new("arn:aws:iam::aws:policy/IAMFullAccess")}, "group/devs/g policy/IAMFullAccess policy/p user/bob/in"},
		{&iamapi.UpdateGroupRequest{GroupName: devs, NewGroupName: new("ops")}, "group/ops/g policy/IAMFullAccess policy/p user/bob/in"},
		{&iamapi.DeleteGroupPolicyRequest{GroupName: new("ops"), PolicyName: new("g")}, "policy/IAMFullAccess policy/p user/bob/in"},
		{&iamapi.TagUserRequest{UserName: name, Tags: tags(1)}, "policy/IAMFullAccess policy/p user/bob/in | k0=v"},
		{&iamapi.RemoveUserFromGroupRequest{UserName: name, GroupName: new("ops")}, "policy/p user/bob/in | k0=v"},
		{&iamapi.PutUserPermissionsBoundaryRequest{UserName: name, PermissionsBoundary: &arn}, "policy/p user/bob/in | boundary policy/p | k0=v"},
		{&iamapi.DetachUserPolicyRequest{UserName: name, PolicyArn: &arn}, "user/bob/in | boundary policy/p | k0=v"},
		{&iamapi.UpdateUserRequest{UserName: name, NewUserName: new("rob")}, "user/rob/in | boundary policy/p | k0=v"},
		{&iamapi.DeleteUserPermissionsBoundaryRequest{UserName: new("rob")}, "user/rob/in | k0=v"},
		{&iamapi.DeleteUserPolicyRequest{UserName: new("rob"), PolicyName: new("in")}, " | k0=v"},
		{&iamapi.DeleteUserRequest{UserName: new("rob")}, nobody},
		{&iamapi.CreateUserRequest{UserName: new("bob")}, nobody},
	}
	for _, step := range steps {
		root.must(step.in)
		if got := w.identity(bob); got != step.want {
			t.Errorf("after %s: %q, want %q", operationOf(step.in), got, step.want)
		}
	}
}

// A new default version is in force with the next request, for users that have it directly, by a group, or as a boundary.
func TestNewDefaultVersionsAreInForceAtOnce(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	arn := root.furnish()
	root.must(&iamapi.AttachGroupPolicyRequest{GroupName: new("devs"), PolicyArn: &arn})
	root.must(&iamapi.AddUserToGroupRequest{UserName: new("bob"), GroupName: new("devs")})
	bob := root.as("bob")
	bob.must(&iamapi.ListUsersRequest{})
	v2 := *do[iamapi.CreatePolicyVersionResponse](root, &iamapi.CreatePolicyVersionRequest{PolicyArn: &arn, PolicyDocument: new(denyAll)}).PolicyVersion.VersionId
	bob.must(&iamapi.ListUsersRequest{})
	root.must(&iamapi.SetDefaultPolicyVersionRequest{PolicyArn: &arn, VersionId: &v2})
	bob.refusedAs(&iamapi.ListUsersRequest{}, "AccessDenied")
	root.must(&iamapi.SetDefaultPolicyVersionRequest{PolicyArn: &arn, VersionId: new("v1")})
	bob.must(&iamapi.ListUsersRequest{})
	full := "arn:aws:iam::aws:policy/IAMFullAccess"
	root.must(&iamapi.PutUserPermissionsBoundaryRequest{UserName: new("bob"), PermissionsBoundary: &full})
	bob.must(&iamapi.ListUsersRequest{})
	none := root.createPolicy("none", `{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`)
	root.must(&iamapi.PutUserPermissionsBoundaryRequest{UserName: new("bob"), PermissionsBoundary: &none})
	bob.refused(&iamapi.ListUsersRequest{}, "AccessDenied",
		"User: "+root.arn("user/bob")+" is not authorized to perform: iam:ListUsers on resource: * because no permissions boundary allows the iam:ListUsers action")
}

func TestIdentityOfSessions(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	arn := root.furnish()
	r := do[iamapi.GetRoleResponse](root, &iamapi.GetRoleRequest{RoleName: new("app")}).Role
	root.must(&iamapi.AttachRolePolicyRequest{RoleName: new("app"), PolicyArn: new("arn:aws:iam::aws:policy/IAMFullAccess")})
	root.must(&iamapi.TagRoleRequest{RoleName: new("app"), Tags: []iamapi.Tag{{Key: new("Team"), Value: new("red")}, {Key: new("env"), Value: new("prod")}}})
	document, err := policy.Parse(policy.Identity, allowRead)
	if err != nil {
		t.Fatal(err)
	}
	theirs := w.root(other).createPolicy("theirs", allowAll)
	bob := do[iamapi.GetUserResponse](root, &iamapi.GetUserRequest{UserName: new("bob")}).User
	root.putUserPolicy("bob", "in", allowAll)
	federated := asUser(bob)
	federated.Type, federated.Source = caller.Federated, *bob.Arn
	federated.Session = &caller.Session{Limited: true, PolicyARNs: []string{arn}}
	for _, tt := range []struct {
		name   string
		caller *caller.Caller
		want   string
	}{
		{"role", asRole(r, &caller.Session{}), "policy/IAMFullAccess | env=prod | Team=red"},
		{"session tags come first", asRole(r, &caller.Session{Tags: []caller.Tag{{Key: "team", Value: "blue"}}}), "policy/IAMFullAccess | team=blue | env=prod"},
		{"session policies", asRole(r, &caller.Session{Limited: true, Policy: document, PolicyARNs: []string{arn}}), "policy/IAMFullAccess | session policy/p | env=prod | Team=red"},
		{"session policies that are gone, or another account's", asRole(r, &caller.Session{Limited: true, PolicyARNs: []string{root.arn("policy/gone"), theirs}}), "policy/IAMFullAccess | env=prod | Team=red"},
		{"federated user", federated, "user/bob/in | session policy/p"},
		{"federated user of the root user", &caller.Caller{Type: caller.Federated, Account: account, Session: &caller.Session{Limited: true, PolicyARNs: []string{arn}}}, " | session policy/p"},
		{"root", new(caller.RootOf(account, "")), "none"},
		{"service", &caller.Caller{Type: caller.Service, ARN: "s3.amazonaws.com"}, "none"},
		{"user of another account", &caller.Caller{Type: caller.User, Account: other, ID: *bob.UserId}, nobody},
		{"role as a user", &caller.Caller{Type: caller.User, Account: account, ID: *r.RoleId}, nobody},
		{"user as a role", &caller.Caller{Type: caller.Role, Account: account, ID: *bob.UserId}, nobody},
		{"nobody", &caller.Caller{Type: caller.User, Account: account, ID: "AIDAAAAAAAAAAAAAAAAAA"}, nobody},
		{"no id", &caller.Caller{Type: caller.User, Account: account}, nobody},
		{"an id that is a path", &caller.Caller{Type: caller.User, Account: account, ID: "../x"}, nobody},
	} {
		if got := w.identity(tt.caller); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A policy that is in force and cannot be read could be the one that denies: nothing is allowed without it.
func TestMissingRecordsAllowNothing(t *testing.T) {
	for _, lost := range []string{"iam/policy/" + account + "/p", "iam/entity/AGPA"} {
		w := newWorld(t)
		w.crooked = true
		root := w.root(account)
		arn := root.furnish()
		root.must(&iamapi.AttachGroupPolicyRequest{GroupName: new("devs"), PolicyArn: &arn})
		root.must(&iamapi.AddUserToGroupRequest{UserName: new("bob"), GroupName: new("devs")})
		root.putUserPolicy("bob", "all", allowAll)
		bob := root.as("bob")
		bob.must(&iamapi.ListUsersRequest{})
		w.lose(w.keys(lost)[0])
		w.setFaulty(true)
		bob.refusedAs(&iamapi.ListUsersRequest{}, "InternalFailure")
	}
}

func TestUniqueIDsAndARNs(t *testing.T) {
	w := newWorldWith(t, func(c *iam.Config) {
		c.AccountExists = func(_ context.Context, id string) (bool, error) { return id == account, nil }
	})
	root := w.root(account)
	bob, app := root.createUser("bob"), root.createRole("app")
	g := root.createGroup("devs")
	for _, tt := range []struct {
		principal, id string
		exists        bool
	}{
		{*bob.Arn, *bob.UserId, true},
		{*app.Arn, *app.RoleId, true},
		{account, "", true},
		{root.arn("root"), "", true},
		{"arn:aws:sts::" + account + ":assumed-role/app/s", "", true},
		{"arn:aws:sts::" + account + ":federated-user/x", "", true},
		{other, "", false},
		{"arn:aws:iam::" + other + ":root", "", false},
		{root.arn("user/Bob"), "", false},
		{root.arn("user/x/bob"), "", false},
		{root.arn("role/bob"), "", false},
		{*g.Arn, "", false},
		{"arn:aws:sts::" + account + ":assumed-role/app", "", false},
		{"arn:aws:sts::" + account + ":assumed-role/app/", "", false},
		{"arn:aws:sts::" + account + ":assumed-role/bob/s", "", false},
		{"arn:aws:sts::" + account + ":federated-user/", "", false},
		{"arn:aws-cn:iam::" + account + ":user/bob", "", false},
		{"arn:aws:iam:us-east-1:" + account + ":user/bob", "", false},
		{"arn:aws:kms::" + account + ":user/bob", "", false},
		{*bob.UserId, "", false},
		{"bob", "", false},
		{"", "", false},
		{"*", "", false},
	} {
		id, exists, err := w.iam.UniqueID(t.Context(), tt.principal)
		if id != tt.id || exists != tt.exists || err != nil {
			t.Errorf("%s: %q %v %v, want %q %v", tt.principal, id, exists, err, tt.id, tt.exists)
		}
	}
	for id, want := range map[string]string{*bob.UserId: *bob.Arn, *app.RoleId: *app.Arn, *g.GroupId: "", "AIDAAAAAAAAAAAAAAAAAA": "", "AROA/": "", "": ""} {
		if arn, ok, err := w.iam.ARNOf(t.Context(), id); arn != want || ok != (want != "") || err != nil {
			t.Errorf("%s: %q %v %v, want %q", id, arn, ok, err, want)
		}
	}
}

// BenchmarkIdentity is what each request of a user costs: a user in two groups with two policies each, and a boundary.
func BenchmarkIdentity(b *testing.B) {
	w := newWorld(b)
	root := w.root(account)
	root.furnish()
	for _, g := range []string{"g1", "g2"} {
		root.createGroup(g)
		root.must(&iamapi.PutGroupPolicyRequest{GroupName: &g, PolicyName: new("in"), PolicyDocument: new(allowRead)})
		arn := root.createPolicy(g, allowRead)
		root.must(&iamapi.AttachGroupPolicyRequest{GroupName: &g, PolicyArn: &arn})
		root.must(&iamapi.AddUserToGroupRequest{GroupName: &g, UserName: new("bob")})
	}
	root.putUserPolicy("bob", "in", allowRead)
	arn := root.createPolicy("bound", allowAll)
	root.must(&iamapi.PutUserPermissionsBoundaryRequest{UserName: new("bob"), PermissionsBoundary: &arn})
	u := do[iamapi.GetUserResponse](root, &iamapi.GetUserRequest{UserName: new("bob")}).User
	tagged := asUser(u)
	tagged.Session = &caller.Session{Tags: []caller.Tag{{Key: "a", Value: "b"}}}
	for name, c := range map[string]*caller.Caller{"user": asUser(u), "session with tags": tagged} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.iam.Identity(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	key := root.as("bob").credential.AccessKeyID
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.iam.Lookup(b.Context(), key, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
}
