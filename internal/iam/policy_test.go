package iam_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
)

// decoded is a document as it was before it was encoded for an answer.
func decoded(t *testing.T, document *string) string {
	t.Helper()
	s, err := url.PathUnescape(*document)
	if err != nil || strings.ContainsAny(*document, "+ {\"") {
		t.Errorf("%v: %s", err, *document)
	}
	return s
}

func TestManagedPolicyVersions(t *testing.T) {
	root := newWorld(t).root(account)
	p := do[iamapi.CreatePolicyResponse](root, &iamapi.CreatePolicyRequest{
		PolicyName: new("Read"), Path: new("/team/"), PolicyDocument: new(allowRead), Description: new("reads + more"), Tags: tags(2),
	}).Policy
	if *p.Arn != root.arn("policy/team/Read") || (*p.PolicyId)[:4] != "ANPA" || *p.DefaultVersionId != "v1" || *p.AttachmentCount != 0 || len(p.Tags) != 2 || *p.Description != "reads + more" {
		t.Errorf("got %s %s %s", *p.Arn, *p.PolicyId, *p.DefaultVersionId)
	}
	spaced := " {\n\t" + allowAll[1:]
	v := do[iamapi.CreatePolicyVersionResponse](root, &iamapi.CreatePolicyVersionRequest{PolicyArn: p.Arn, PolicyDocument: &spaced}).PolicyVersion
	if *v.VersionId != "v2" || *v.IsDefaultVersion {
		t.Errorf("got %s %v", *v.VersionId, *v.IsDefaultVersion)
	}
	root.must(&iamapi.SetDefaultPolicyVersionRequest{PolicyArn: p.Arn, VersionId: new("v2")})
	root.must(&iamapi.DeletePolicyVersionRequest{PolicyArn: p.Arn, VersionId: new("v1")})
	v = do[iamapi.CreatePolicyVersionResponse](root, &iamapi.CreatePolicyVersionRequest{PolicyArn: p.Arn, PolicyDocument: new(denyAll), SetAsDefault: new(true)}).PolicyVersion
	if *v.VersionId != "v3" || !*v.IsDefaultVersion {
		t.Errorf("got %s %v", *v.VersionId, *v.IsDefaultVersion)
	}
	for id, want := range map[string]string{"v2": spaced, "v3": denyAll} {
		got := do[iamapi.GetPolicyVersionResponse](root, &iamapi.GetPolicyVersionRequest{PolicyArn: p.Arn, VersionId: &id}).PolicyVersion
		if text := decoded(t, got.Document); text != want {
			t.Errorf("%s is %s, want %s", id, text, want)
		}
	}
	var ids []string
	for _, v := range do[iamapi.ListPolicyVersionsResponse](root, &iamapi.ListPolicyVersionsRequest{PolicyArn: p.Arn}).Versions {
		ids = append(ids, *v.VersionId)
	}
	if !slices.Equal(ids, []string{"v3", "v2"}) {
		t.Errorf("versions %v", ids)
	}
	for _, id := range []string{"v1", "v03", "3", "v99999999999999999999"} {
		if a := root.send(&iamapi.GetPolicyVersionRequest{PolicyArn: p.Arn, VersionId: &id}); a.ok() {
			t.Errorf("%s exists", id)
		}
	}
	root.must(&iamapi.DeletePolicyVersionRequest{PolicyArn: p.Arn, VersionId: new("v2")})
	root.must(&iamapi.DeletePolicyRequest{PolicyArn: p.Arn})
	root.refused(&iamapi.GetPolicyRequest{PolicyArn: p.Arn}, "NoSuchEntity", "Policy "+*p.Arn+" was not found.")
}

// An ARN must be that of the policy to the letter, although no two names differ in nothing but case.
func TestPolicyARNsAreExact(t *testing.T) {
	root := newWorld(t).root(account)
	root.createPolicy("Read", allowRead)
	for _, arn := range []string{root.arn("policy/read"), root.arn("policy/x/Read"), "arn:aws:iam::aws:policy/Read", "arn:aws:iam::aws:policy/administratoraccess"} {
		root.refused(&iamapi.GetPolicyRequest{PolicyArn: &arn}, "NoSuchEntity", "Policy "+arn+" was not found.")
	}
	// Another account's cannot even be asked for, and cannot be attached.
	theirs := root.root(other).createPolicy("Theirs", allowAll)
	root.refused(&iamapi.GetPolicyRequest{PolicyArn: &theirs}, "AccessDenied",
		"User: arn:aws:iam::111122223333:root is not authorized to perform: iam:GetPolicy on resource: "+theirs+" because no resource-based policy allows the iam:GetPolicy action")
	root.createUser("bob")
	root.refused(&iamapi.AttachUserPolicyRequest{UserName: new("bob"), PolicyArn: &theirs}, "NoSuchEntity", "Policy "+theirs+" does not exist or is not attachable.")
	root.refused(&iamapi.PutUserPermissionsBoundaryRequest{UserName: new("bob"), PermissionsBoundary: &theirs}, "NoSuchEntity", "Scope ARN: "+theirs+" does not exist or is not attachable.")
}

func TestAttachments(t *testing.T) {
	root := newWorld(t).root(account)
	arn := root.furnish()
	admin := "arn:aws:iam::aws:policy/AdministratorAccess"
	bob, devs, app := new("bob"), new("devs"), new("app")
	for range 2 { // the second time changes nothing
		for _, p := range []string{arn, admin} {
			root.must(&iamapi.AttachUserPolicyRequest{UserName: bob, PolicyArn: &p})
			root.must(&iamapi.AttachGroupPolicyRequest{GroupName: devs, PolicyArn: &p})
			root.must(&iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: &p})
			root.must(&iamapi.PutUserPermissionsBoundaryRequest{UserName: bob, PermissionsBoundary: &p})
		}
	}
	for p, want := range map[string][2]int32{arn: {3, 0}, admin: {3, 1}} {
		got := do[iamapi.GetPolicyResponse](root, &iamapi.GetPolicyRequest{PolicyArn: &p}).Policy
		if *got.AttachmentCount != want[0] || *got.PermissionsBoundaryUsageCount != want[1] {
			t.Errorf("%s: %d %d, want %v", p, *got.AttachmentCount, *got.PermissionsBoundaryUsageCount, want)
		}
	}
	attached := do[iamapi.ListAttachedUserPoliciesResponse](root, &iamapi.ListAttachedUserPoliciesRequest{UserName: bob}).AttachedPolicies
	if len(attached) != 2 || *attached[0].PolicyArn != admin || *attached[1].PolicyName != "p" {
		t.Errorf("%d attached", len(attached))
	}
	entities := func(f func(*iamapi.ListEntitiesForPolicyRequest)) [3]int {
		in := &iamapi.ListEntitiesForPolicyRequest{PolicyArn: &admin}
		f(in)
		got := do[iamapi.ListEntitiesForPolicyResponse](root, in)
		return [3]int{len(got.PolicyUsers), len(got.PolicyGroups), len(got.PolicyRoles)}
	}
	for _, tt := range []struct {
		name string
		f    func(*iamapi.ListEntitiesForPolicyRequest)
		want [3]int
	}{
		{"all", func(*iamapi.ListEntitiesForPolicyRequest) {}, [3]int{1, 1, 1}},
		{"roles", func(in *iamapi.ListEntitiesForPolicyRequest) { in.EntityFilter = new(iamapi.EntityTypeRole) }, [3]int{0, 0, 1}},
		{"bounded", func(in *iamapi.ListEntitiesForPolicyRequest) {
			in.PolicyUsageFilter = new(iamapi.PolicyUsageTypePermissionsBoundary)
		}, [3]int{1, 0, 0}},
		{"elsewhere", func(in *iamapi.ListEntitiesForPolicyRequest) { in.PathPrefix = new("/x/") }, [3]int{}},
	} {
		if got := entities(tt.f); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	root.must(&iamapi.DeleteUserPermissionsBoundaryRequest{UserName: bob})
	for _, p := range []string{arn, admin} {
		root.must(&iamapi.DetachUserPolicyRequest{UserName: bob, PolicyArn: &p})
		root.must(&iamapi.DetachGroupPolicyRequest{GroupName: devs, PolicyArn: &p})
		root.must(&iamapi.DetachRolePolicyRequest{RoleName: app, PolicyArn: &p})
	}
	root.must(&iamapi.DeletePolicyRequest{PolicyArn: &arn})
	if got := entities(func(*iamapi.ListEntitiesForPolicyRequest) {}); got != [3]int{} {
		t.Errorf("still attached: %v", got)
	}
}

// A user with a boundary can be deleted as it is, which frees the policy.
func TestDeletedUsersHaveNoBoundary(t *testing.T) {
	root := newWorld(t).root(account)
	arn := root.createPolicy("p", allowAll)
	u := do[iamapi.CreateUserResponse](root, &iamapi.CreateUserRequest{UserName: new("bob"), PermissionsBoundary: &arn}).User
	if *u.PermissionsBoundary.PermissionsBoundaryArn != arn || *u.PermissionsBoundary.PermissionsBoundaryType != "PermissionsBoundaryPolicy" {
		t.Errorf("got %s", *u.PermissionsBoundary.PermissionsBoundaryArn)
	}
	root.refusedAs(&iamapi.DeletePolicyRequest{PolicyArn: &arn}, "DeleteConflict")
	root.must(&iamapi.DeleteUserRequest{UserName: new("bob")})
	root.must(&iamapi.DeletePolicyRequest{PolicyArn: &arn})
}

func TestInlinePolicies(t *testing.T) {
	root := newWorld(t).root(account)
	root.furnish()
	bob, devs, app := new("bob"), new("devs"), new("app")
	for _, name := range []string{"b", "A", "B"} { // B takes the place of b
		root.putUserPolicy("bob", name, allowRead)
		root.must(&iamapi.PutGroupPolicyRequest{GroupName: devs, PolicyName: &name, PolicyDocument: new(allowRead)})
		root.must(&iamapi.PutRolePolicyRequest{RoleName: app, PolicyName: &name, PolicyDocument: new(allowRead)})
	}
	want := []string{"A", "B"}
	if got := do[iamapi.ListUserPoliciesResponse](root, &iamapi.ListUserPoliciesRequest{UserName: bob}).PolicyNames; !slices.Equal(got, want) {
		t.Errorf("user: %v", got)
	}
	if got := do[iamapi.ListGroupPoliciesResponse](root, &iamapi.ListGroupPoliciesRequest{GroupName: devs}).PolicyNames; !slices.Equal(got, want) {
		t.Errorf("group: %v", got)
	}
	if got := do[iamapi.ListRolePoliciesResponse](root, &iamapi.ListRolePoliciesRequest{RoleName: app}).PolicyNames; !slices.Equal(got, want) {
		t.Errorf("role: %v", got)
	}
	u := do[iamapi.GetUserPolicyResponse](root, &iamapi.GetUserPolicyRequest{UserName: new("BOB"), PolicyName: new("b")})
	if *u.UserName != "bob" || *u.PolicyName != "B" || decoded(t, u.PolicyDocument) != allowRead {
		t.Errorf("got %s %s", *u.UserName, *u.PolicyName)
	}
	if got := do[iamapi.GetGroupPolicyResponse](root, &iamapi.GetGroupPolicyRequest{GroupName: devs, PolicyName: new("a")}); decoded(t, got.PolicyDocument) != allowRead {
		t.Errorf("got %s", *got.PolicyDocument)
	}
	if got := do[iamapi.GetRolePolicyResponse](root, &iamapi.GetRolePolicyRequest{RoleName: app, PolicyName: new("a")}); decoded(t, got.PolicyDocument) != allowRead {
		t.Errorf("got %s", *got.PolicyDocument)
	}
	root.refused(&iamapi.DeleteGroupRequest{GroupName: devs}, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	root.refused(&iamapi.DeleteRoleRequest{RoleName: app}, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	for _, name := range want {
		root.must(&iamapi.DeleteGroupPolicyRequest{GroupName: devs, PolicyName: &name})
		root.must(&iamapi.DeleteRolePolicyRequest{RoleName: app, PolicyName: &name})
	}
	root.must(&iamapi.DeleteGroupRequest{GroupName: devs})
	root.must(&iamapi.DeleteRoleRequest{RoleName: app})
}

// White space does not count against the quotas of policies, and is kept; but not without end.
func TestWhiteSpaceDoesNotCount(t *testing.T) {
	root := newWorld(t).root(account)
	root.createUser("bob")
	spaced := strings.Repeat(" \n\t\r", 5000) + allowRead
	root.putUserPolicy("bob", "p", spaced)
	got := do[iamapi.GetUserPolicyResponse](root, &iamapi.GetUserPolicyRequest{UserName: new("bob"), PolicyName: new("p")})
	if decoded(t, got.PolicyDocument) != spaced {
		t.Error("white space was lost")
	}
	huge := strings.Repeat("\n", 130_000) + allowRead
	arn := root.createPolicy("p", huge)
	versions, inline := 1, 0
	for i := range 5 {
		if root.send(&iamapi.PutUserPolicyRequest{UserName: new("bob"), PolicyName: new("h" + strconv.Itoa(i)), PolicyDocument: &huge}).ok() {
			inline++
		}
		if root.send(&iamapi.CreatePolicyVersionRequest{PolicyArn: &arn, PolicyDocument: &huge}).ok() {
			versions++
		}
	}
	if versions != 3 || inline != 1 {
		t.Errorf("%d versions and %d inline policies of 130,000 blanks each", versions, inline)
	}
}
