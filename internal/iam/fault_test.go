package iam_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/store"
)

// changes are operations that change what furnish and the ones before have made, in an order in which all succeed.
func changes(root principal) []request {
	bob, devs, app, x := new("bob"), new("devs"), new("app"), new("x")
	arn, p2 := root.arn("policy/p"), root.arn("policy/p2")
	doc := new(allowRead)
	return []request{
		&iamapi.CreateUserRequest{UserName: x, PermissionsBoundary: &arn, Tags: tags(1)},
		&iamapi.CreateGroupRequest{GroupName: x},
		&iamapi.CreateRoleRequest{RoleName: x, AssumeRolePolicyDocument: new(trusts(account)), PermissionsBoundary: &arn},
		&iamapi.CreatePolicyRequest{PolicyName: new("p2"), PolicyDocument: doc},
		&iamapi.CreatePolicyVersionRequest{PolicyArn: &p2, PolicyDocument: doc, SetAsDefault: new(true)},
		&iamapi.SetDefaultPolicyVersionRequest{PolicyArn: &p2, VersionId: new("v1")},
		&iamapi.DeletePolicyVersionRequest{PolicyArn: &p2, VersionId: new("v2")},
		&iamapi.TagPolicyRequest{PolicyArn: &p2, Tags: tags(1)},
		&iamapi.UntagPolicyRequest{PolicyArn: &p2, TagKeys: []string{"k0"}},
		&iamapi.CreateAccessKeyRequest{UserName: bob},
		&iamapi.AddUserToGroupRequest{GroupName: devs, UserName: bob},
		&iamapi.AttachUserPolicyRequest{UserName: bob, PolicyArn: &arn},
		&iamapi.AttachGroupPolicyRequest{GroupName: devs, PolicyArn: &arn},
		&iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: &arn},
		&iamapi.PutUserPermissionsBoundaryRequest{UserName: bob, PermissionsBoundary: &arn},
		&iamapi.PutUserPermissionsBoundaryRequest{UserName: bob, PermissionsBoundary: &p2},
		&iamapi.PutUserPolicyRequest{UserName: bob, PolicyName: x, PolicyDocument: doc},
		&iamapi.UpdateUserRequest{UserName: bob, NewUserName: new("rob")},
		&iamapi.UpdateGroupRequest{GroupName: devs, NewGroupName: new("ops")},
		&iamapi.UpdateRoleRequest{RoleName: app, MaxSessionDuration: new(int32(4000))},
		&iamapi.UpdateAssumeRolePolicyRequest{RoleName: app, PolicyDocument: new(trusts(root.arn("user/rob")))},
		&iamapi.RemoveUserFromGroupRequest{GroupName: new("ops"), UserName: new("rob")},
		&iamapi.DetachUserPolicyRequest{UserName: new("rob"), PolicyArn: &arn},
		&iamapi.DeleteUserPolicyRequest{UserName: new("rob"), PolicyName: x},
		&iamapi.DeleteUserPermissionsBoundaryRequest{UserName: new("rob")},
		&iamapi.DeleteUserRequest{UserName: x},
		&iamapi.DeleteRoleRequest{RoleName: x},
		&iamapi.DeleteGroupRequest{GroupName: x},
		&iamapi.DeletePolicyRequest{PolicyArn: &p2},
		&iamapi.CreateAccountAliasRequest{AccountAlias: new("acme")},
		&iamapi.CreateAccountAliasRequest{AccountAlias: new("acme2")},
		&iamapi.DeleteAccountAliasRequest{AccountAlias: new("acme2")},
	}
}

// Each change is one transaction: when it fails nothing has changed, and when only its answer is lost all of it has.
func TestFailedChangesLeaveNoHalf(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	root.furnish()
	ran := 0
	for _, in := range changes(root) {
		name := operationOf(in)
		before := w.records("iam/")
		w.setFaulty(true)
		w.faults.fail(fault{applied: false, err: errDisk})
		root.refusedAs(in, "InternalFailure")
		w.setFaulty(false)
		if !maps.EqualFunc(before, w.records("iam/"), slices.Equal) {
			t.Errorf("%s failed and has changed something", name)
		}
		commits := w.faults.commits
		root.must(in)
		if made := w.faults.commits - commits; made != 1 {
			t.Errorf("%s made %d commits", name, made)
		}
		ran++
	}
	if ran < 30 {
		t.Errorf("only %d changes", ran)
	}
}

// An answer that is lost leaves the change in force, here at once.
func TestLostAnswersLeaveTheWholeChange(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	root.furnish()
	for _, in := range changes(root) {
		w.setFaulty(true)
		w.faults.fail(fault{applied: true, err: errDisk})
		root.refusedAs(in, "InternalFailure")
		w.setFaulty(false)
	}
	root.refusedAs(&iamapi.GetUserRequest{UserName: new("bob")}, "NoSuchEntity")
	root.must(&iamapi.GetUserRequest{UserName: new("rob")})
}

// Of those who want the same name at the same moment one gets it.
func TestOneCreatorGetsTheName(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	const creators, names = 8, 5
	for n := range names {
		won := make([]string, creators)
		var wg sync.WaitGroup
		for i := range creators {
			name := fmt.Sprintf("bob%d", n)
			if i%2 == 0 {
				name = strings.ToUpper(name)
			}
			wg.Go(func() {
				won[i] = root.send(&iamapi.CreateUserRequest{UserName: &name}).code
				root.send(&iamapi.CreatePolicyRequest{PolicyName: &name, PolicyDocument: new(allowRead)})
				root.send(&iamapi.CreateGroupRequest{GroupName: &name})
			})
		}
		wg.Wait()
		slices.Sort(won)
		if won[0] != "" || won[1] != "EntityAlreadyExists" || won[creators-1] != "EntityAlreadyExists" {
			t.Errorf("got %q", won)
		}
	}
	summary := do[iamapi.GetAccountSummaryResponse](root, &iamapi.GetAccountSummaryRequest{}).SummaryMap
	if summary["Users"] != names || summary["Groups"] != names || summary["Policies"] != names {
		t.Errorf("got %v", summary)
	}
}

// Whoever attaches a policy while another deletes it, or adds a user to a group that is deleted: one of them fails, and the
// records agree, which the end of the test looks at.
func TestRacesLeaveNothingDangling(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	root.createUser("bob")
	for i := range 15 {
		name := fmt.Sprintf("n%d", i)
		arn := root.createPolicy(name, allowRead)
		root.createGroup(name)
		var wg sync.WaitGroup
		for _, in := range []request{
			&iamapi.AttachUserPolicyRequest{UserName: new("bob"), PolicyArn: &arn}, &iamapi.DeletePolicyRequest{PolicyArn: &arn},
			&iamapi.PutUserPermissionsBoundaryRequest{UserName: new("bob"), PermissionsBoundary: &arn},
			&iamapi.AddUserToGroupRequest{UserName: new("bob"), GroupName: &name}, &iamapi.DeleteGroupRequest{GroupName: &name},
			&iamapi.TagUserRequest{UserName: new("bob"), Tags: tags(1)}, &iamapi.CreateAccessKeyRequest{UserName: new("bob")},
		} {
			wg.Go(func() { root.send(in) })
		}
		wg.Wait()
		root.send(&iamapi.DetachUserPolicyRequest{UserName: new("bob"), PolicyArn: &arn})
		root.send(&iamapi.RemoveUserFromGroupRequest{UserName: new("bob"), GroupName: &name})
	}
	keys := do[iamapi.ListAccessKeysResponse](root, &iamapi.ListAccessKeysRequest{UserName: new("bob")}).AccessKeyMetadata
	if len(keys) != 2 {
		t.Errorf("%d access keys", len(keys))
	}
}

// What one node changes another sees, which has the old records in memory.
func TestOtherNodesSeeChanges(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	root.furnish()
	root.putUserPolicy("bob", "p", allowAll)
	bob := root.as("bob")
	bob.must(&iamapi.ListUsersRequest{})
	elsewhere := w.node()
	there := principal{elsewhere, account, root.credential}
	principal{elsewhere, account, bob.credential}.must(&iamapi.ListUsersRequest{})
	there.must(&iamapi.DeleteUserPolicyRequest{UserName: new("bob"), PolicyName: new("p")})
	for changed := time.Now(); bob.send(&iamapi.ListUsersRequest{}).ok(); { // until the watch has brought it
		if time.Since(changed) > store.WatchBound {
			t.Fatal("the change did not come within the bound")
		}
	}
}
