package iam_test

import (
	"testing"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// A session of a role has no user to leave out, and stops when its role is deleted, also if another gets the name.
func TestRoleSessionsAreNoUsers(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	root.createUser("bob")
	root.putUserPolicy("bob", "p", allowAll)
	bob := root.as("bob")
	app := root.createRole("app")
	full := new("arn:aws:iam::aws:policy/IAMFullAccess")
	root.must(&iamapi.AttachRolePolicyRequest{RoleName: new("app"), PolicyArn: full})
	c := do[stsapi.AssumeRoleResponse](bob, &stsapi.AssumeRoleRequest{RoleArn: app.Arn, RoleSessionName: new("ses")}).Credentials
	session := principal{w, account, sigv4.Credential{
		AccessKeyID: *c.AccessKeyId, Secret: material.Take([]byte(*c.SecretAccessKey)), SessionToken: *c.SessionToken,
	}}
	for _, in := range []request{&iamapi.GetUserRequest{}, &iamapi.CreateAccessKeyRequest{}, &iamapi.ListAccessKeysRequest{}, &iamapi.ListMFADevicesRequest{}} {
		session.refused(in, "ValidationError", "Must specify userName when calling with non-User credentials")
	}
	session.must(&iamapi.GetUserRequest{UserName: new("bob")})
	root.must(&iamapi.DetachRolePolicyRequest{RoleName: new("app"), PolicyArn: full})
	session.refusedAs(&iamapi.GetUserRequest{UserName: new("bob")}, "AccessDenied")
	root.must(&iamapi.DeleteRoleRequest{RoleName: new("app")})
	root.createRole("app")
	root.must(&iamapi.AttachRolePolicyRequest{RoleName: new("app"), PolicyArn: full})
	session.refusedAs(&iamapi.GetUserRequest{UserName: new("bob")}, "InvalidClientTokenId")
}
