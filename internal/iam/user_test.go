package iam_test

import (
	"testing"
	"time"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/iam"
)

func TestUserLifecycle(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	u := do[iamapi.CreateUserResponse](root, &iamapi.CreateUserRequest{
		UserName: new("Bob"), Path: new("/staff/"), Tags: []iamapi.Tag{{Key: new("team"), Value: new("blue")}},
	}).User
	if *u.Arn != root.arn("user/staff/Bob") || len(*u.UserId) != 21 || (*u.UserId)[:4] != "AIDA" || *u.Path != "/staff/" || len(u.Tags) != 1 {
		t.Errorf("got %s %s %s %d", *u.Arn, *u.UserId, *u.Path, len(u.Tags))
	}
	got := do[iamapi.GetUserResponse](root, &iamapi.GetUserRequest{UserName: new("bOB")}).User
	if *got.UserName != "Bob" || *got.UserId != *u.UserId || *got.Tags[0].Value != "blue" {
		t.Errorf("got %s %s", *got.UserName, *got.UserId)
	}
	root.refused(&iamapi.CreateUserRequest{UserName: new("BOB")}, "EntityAlreadyExists", "User with name BOB already exists.")
	bob := root.as("bob")
	if got := bob.whoAmI(); got != *u.Arn {
		t.Errorf("bob is %s", got)
	}
	bob.refused(&iamapi.GetUserRequest{}, "AccessDenied", "User: "+*u.Arn+" is not authorized to perform: iam:GetUser on resource: "+*u.Arn+" because no identity-based policy allows the iam:GetUser action")
	root.putUserPolicy("Bob", "read", allowRead)
	if got := do[iamapi.GetUserResponse](bob, &iamapi.GetUserRequest{}).User; *got.UserName != "Bob" {
		t.Errorf("bob is %s", *got.UserName)
	}
	root.must(&iamapi.UpdateUserRequest{UserName: new("bob"), NewUserName: new("robert"), NewPath: new("/")})
	if got := bob.whoAmI(); got != root.arn("user/robert") {
		t.Errorf("bob is %s after the change of name", got)
	}
	root.refused(&iamapi.GetUserRequest{UserName: new("Bob")}, "NoSuchEntity", "The user with name Bob cannot be found.")
	root.refused(&iamapi.DeleteUserRequest{UserName: new("robert")}, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	root.must(&iamapi.DeleteUserPolicyRequest{UserName: new("robert"), PolicyName: new("READ")})
	root.refused(&iamapi.DeleteUserRequest{UserName: new("robert")}, "DeleteConflict", "Cannot delete entity, must delete access keys first.")
	root.must(&iamapi.DeleteAccessKeyRequest{UserName: new("robert"), AccessKeyId: &bob.credential.AccessKeyID})
	root.must(&iamapi.DeleteUserRequest{UserName: new("robert")})
	root.refused(&iamapi.GetUserRequest{UserName: new("robert")}, "NoSuchEntity", "The user with name robert cannot be found.")
}

// A root user is as old as its account: as the deployment, or as an organization has made it.
func TestRootUserIsAsOldAsItsAccount(t *testing.T) {
	since := time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)
	w := newWorldWith(t, func(c *iam.Config) { c.Since = since })
	made := since.Add(48 * time.Hour)
	txn, err := w.iam.NewAccount(t.Context(), made, other, "OrganizationAccountAccessRole", account)
	if err == nil {
		_, err = w.store.Commit(t.Context(), txn)
	}
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]time.Time{account: since, other: made} {
		root := w.root(id)
		for range 2 { // with and without more in the account's record
			u := do[iamapi.GetUserResponse](root, &iamapi.GetUserRequest{}).User
			if !u.CreateDate.Equal(want) || *u.UserId != id || *u.Arn != root.arn("root") || u.UserName != nil {
				t.Errorf("%s: %s, %s, %s", id, u.CreateDate, *u.UserId, *u.Arn)
			}
			root.createUser("bob" + id)
			root.must(&iamapi.DeleteUserRequest{UserName: new("bob" + id)})
		}
	}
}
