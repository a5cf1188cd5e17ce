package iam_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/store"
)

// furnish makes a user bob with an access key, a group devs, a role app and a managed policy p, and returns its ARN.
func (p principal) furnish() (policyARN string) {
	p.createUser("bob")
	p.createGroup("devs")
	p.createRole("app")
	return p.createPolicy("p", allowRead)
}

// put writes a record as no operation would. The invariants of the records no longer hold.
func (w *world) put(key string, record any) {
	w.t.Helper()
	w.crooked = true
	value, err := json.Marshal(record)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.Commit(w.t.Context(), store.Txn{Puts: []store.Put{{Key: key, Value: value}}}); err != nil {
		w.t.Fatal(err)
	}
}

func tags(n int) []iamapi.Tag {
	var all []iamapi.Tag
	for i := range n {
		all = append(all, iamapi.Tag{Key: new("k" + strconv.Itoa(i)), Value: new("v")})
	}
	return all
}

// longPolicy is a policy of at least a number of characters that count.
func longPolicy(size int) *string {
	s := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:` + strings.Repeat("x", size) + `","Resource":"*"}]}`
	return &s
}

type refusal struct {
	in            request
	code, message string
}

// noSuch are operations on what does not exist.
func noSuch(root principal) []refusal {
	user, group, role := "The user with name x cannot be found.", "The group with name x cannot be found.", "The role with name x cannot be found."
	arn := root.arn("policy/x")
	missing := "Policy " + arn + " was not found."
	unattachable := "Policy " + arn + " does not exist or is not attachable."
	scope := "Scope ARN: " + arn + " does not exist or is not attachable."
	key := "AKIAAAAAAAAAAAAAAAAA"
	x, bob, devs, app, doc := new("x"), new("bob"), new("devs"), new("app"), new(allowAll)
	p := root.arn("policy/p")
	version := "Policy " + p + " version v9 does not exist or is not attachable."
	tag := tags(1)
	all := []refusal{
		{in: &iamapi.AddUserToGroupRequest{GroupName: x, UserName: bob}, message: group},
		{in: &iamapi.AddUserToGroupRequest{GroupName: devs, UserName: x}, message: user},
		{in: &iamapi.AttachGroupPolicyRequest{GroupName: x, PolicyArn: &p}, message: group},
		{in: &iamapi.AttachGroupPolicyRequest{GroupName: devs, PolicyArn: &arn}, message: unattachable},
		{in: &iamapi.AttachRolePolicyRequest{RoleName: x, PolicyArn: &p}, message: role},
		{in: &iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: &arn}, message: unattachable},
		{in: &iamapi.AttachUserPolicyRequest{UserName: x, PolicyArn: &p}, message: user},
		{in: &iamapi.AttachUserPolicyRequest{UserName: bob, PolicyArn: &arn}, message: unattachable},
		{in: &iamapi.CreateAccessKeyRequest{UserName: x}, message: user},
		{in: &iamapi.CreatePolicyVersionRequest{PolicyArn: &arn, PolicyDocument: doc}, message: missing},
		{in: &iamapi.CreateUserRequest{UserName: x, PermissionsBoundary: &arn}, message: scope},
		{in: &iamapi.CreateRoleRequest{RoleName: x, AssumeRolePolicyDocument: new(trusts(account)), PermissionsBoundary: &arn}, message: scope},
		{in: &iamapi.DeleteAccessKeyRequest{UserName: x, AccessKeyId: &key}, message: user},
		{in: &iamapi.DeleteAccessKeyRequest{UserName: bob, AccessKeyId: &key}, message: "The Access Key with id " + key + " cannot be found."},
		{in: &iamapi.DeleteAccountAliasRequest{AccountAlias: new("acme")}, message: "The account alias acme cannot be found."},
		{in: &iamapi.DeleteGroupRequest{GroupName: x}, message: group},
		{in: &iamapi.DeleteGroupPolicyRequest{GroupName: x, PolicyName: x}, message: group},
		{in: &iamapi.DeleteGroupPolicyRequest{GroupName: devs, PolicyName: x}, message: "The group policy with name x cannot be found."},
		{in: &iamapi.DeleteLoginProfileRequest{UserName: x}, message: user},
		{in: &iamapi.DeleteLoginProfileRequest{UserName: bob}, message: "Login Profile for User bob cannot be found."},
		{in: &iamapi.DeletePolicyRequest{PolicyArn: &arn}, message: missing},
		{in: &iamapi.DeletePolicyVersionRequest{PolicyArn: &arn, VersionId: new("v1")}, message: missing},
		{in: &iamapi.DeletePolicyVersionRequest{PolicyArn: &p, VersionId: new("v9")}, message: version},
		{in: &iamapi.DeleteRoleRequest{RoleName: x}, message: role},
		{in: &iamapi.DeleteRolePermissionsBoundaryRequest{RoleName: x}, message: role},
		{in: &iamapi.DeleteRolePermissionsBoundaryRequest{RoleName: app}, message: "The role with name app has no permissions boundary."},
		{in: &iamapi.DeleteRolePolicyRequest{RoleName: x, PolicyName: x}, message: role},
		{in: &iamapi.DeleteRolePolicyRequest{RoleName: app, PolicyName: x}, message: "The role policy with name x cannot be found."},
		{in: &iamapi.DeleteUserRequest{UserName: x}, message: user},
		{in: &iamapi.DeleteUserPermissionsBoundaryRequest{UserName: x}, message: user},
		{in: &iamapi.DeleteUserPermissionsBoundaryRequest{UserName: bob}, message: "The user with name bob has no permissions boundary."},
		{in: &iamapi.DeleteUserPolicyRequest{UserName: x, PolicyName: x}, message: user},
		{in: &iamapi.DeleteUserPolicyRequest{UserName: bob, PolicyName: x}, message: "The user policy with name x cannot be found."},
		{in: &iamapi.DetachGroupPolicyRequest{GroupName: x, PolicyArn: &p}, message: group},
		{in: &iamapi.DetachGroupPolicyRequest{GroupName: devs, PolicyArn: &arn}, message: missing},
		{in: &iamapi.DetachRolePolicyRequest{RoleName: x, PolicyArn: &p}, message: role},
		{in: &iamapi.DetachRolePolicyRequest{RoleName: app, PolicyArn: &p}, message: "Policy " + p + " was not found."},
		{in: &iamapi.DetachUserPolicyRequest{UserName: x, PolicyArn: &p}, message: user},
		{in: &iamapi.DetachUserPolicyRequest{UserName: bob, PolicyArn: &arn}, message: missing},
		{in: &iamapi.GetAccessKeyLastUsedRequest{AccessKeyId: &key}, message: "The Access Key with id " + key + " cannot be found."},
		{in: &iamapi.GetGroupRequest{GroupName: x}, message: group},
		{in: &iamapi.GetGroupPolicyRequest{GroupName: devs, PolicyName: x}, message: "The group policy with name x cannot be found."},
		{in: &iamapi.GetLoginProfileRequest{UserName: x}, message: user},
		{in: &iamapi.GetLoginProfileRequest{UserName: bob}, message: "Login Profile for User bob cannot be found."},
		{in: &iamapi.GetPolicyRequest{PolicyArn: &arn}, message: missing},
		{in: &iamapi.GetPolicyVersionRequest{PolicyArn: &arn, VersionId: new("v1")}, message: missing},
		{in: &iamapi.GetPolicyVersionRequest{PolicyArn: &p, VersionId: new("v9")}, message: version},
		{in: &iamapi.GetRoleRequest{RoleName: x}, message: role},
		{in: &iamapi.GetRolePolicyRequest{RoleName: app, PolicyName: x}, message: "The role policy with name x cannot be found."},
		{in: &iamapi.GetUserRequest{UserName: x}, message: user},
		{in: &iamapi.GetUserPolicyRequest{UserName: bob, PolicyName: x}, message: "The user policy with name x cannot be found."},
		{in: &iamapi.ListAccessKeysRequest{UserName: x}, message: user},
		{in: &iamapi.ListAttachedGroupPoliciesRequest{GroupName: x}, message: group},
		{in: &iamapi.ListAttachedRolePoliciesRequest{RoleName: x}, message: role},
		{in: &iamapi.ListAttachedUserPoliciesRequest{UserName: x}, message: user},
		{in: &iamapi.ListEntitiesForPolicyRequest{PolicyArn: &arn}, message: missing},
		{in: &iamapi.ListGroupPoliciesRequest{GroupName: x}, message: group},
		{in: &iamapi.ListGroupsForUserRequest{UserName: x}, message: user},
		{in: &iamapi.ListInstanceProfilesForRoleRequest{RoleName: x}, message: role},
		{in: &iamapi.ListMFADevicesRequest{UserName: x}, message: user},
		{in: &iamapi.ListPolicyTagsRequest{PolicyArn: &arn}, message: missing},
		{in: &iamapi.ListPolicyVersionsRequest{PolicyArn: &arn}, message: missing},
		{in: &iamapi.ListRolePoliciesRequest{RoleName: x}, message: role},
		{in: &iamapi.ListRoleTagsRequest{RoleName: x}, message: role},
		{in: &iamapi.ListSSHPublicKeysRequest{UserName: x}, message: user},
		{in: &iamapi.ListServiceSpecificCredentialsRequest{UserName: x}, message: user},
		{in: &iamapi.ListSigningCertificatesRequest{UserName: x}, message: user},
		{in: &iamapi.ListUserPoliciesRequest{UserName: x}, message: user},
		{in: &iamapi.ListUserTagsRequest{UserName: x}, message: user},
		{in: &iamapi.PutGroupPolicyRequest{GroupName: x, PolicyName: x, PolicyDocument: doc}, message: group},
		{in: &iamapi.PutRolePermissionsBoundaryRequest{RoleName: x, PermissionsBoundary: &p}, message: role},
		{in: &iamapi.PutRolePermissionsBoundaryRequest{RoleName: app, PermissionsBoundary: &arn}, message: scope},
		{in: &iamapi.PutRolePolicyRequest{RoleName: x, PolicyName: x, PolicyDocument: doc}, message: role},
		{in: &iamapi.PutUserPermissionsBoundaryRequest{UserName: x, PermissionsBoundary: &p}, message: user},
		{in: &iamapi.PutUserPermissionsBoundaryRequest{UserName: bob, PermissionsBoundary: &arn}, message: scope},
		{in: &iamapi.PutUserPolicyRequest{UserName: x, PolicyName: x, PolicyDocument: doc}, message: user},
		{in: &iamapi.RemoveUserFromGroupRequest{GroupName: x, UserName: bob}, message: group},
		{in: &iamapi.RemoveUserFromGroupRequest{GroupName: devs, UserName: x}, message: user},
		{in: &iamapi.SetDefaultPolicyVersionRequest{PolicyArn: &arn, VersionId: new("v1")}, message: missing},
		{in: &iamapi.SetDefaultPolicyVersionRequest{PolicyArn: &p, VersionId: new("v9")}, message: version},
		{in: &iamapi.TagPolicyRequest{PolicyArn: &arn, Tags: tag}, message: missing},
		{in: &iamapi.TagRoleRequest{RoleName: x, Tags: tag}, message: role},
		{in: &iamapi.TagUserRequest{UserName: x, Tags: tag}, message: user},
		{in: &iamapi.UntagPolicyRequest{PolicyArn: &arn, TagKeys: []string{"a"}}, message: missing},
		{in: &iamapi.UntagRoleRequest{RoleName: x, TagKeys: []string{"a"}}, message: role},
		{in: &iamapi.UntagUserRequest{UserName: x, TagKeys: []string{"a"}}, message: user},
		{in: &iamapi.UpdateAccessKeyRequest{UserName: bob, AccessKeyId: &key, Status: new(iamapi.StatusTypeActive)}, message: "The Access Key with id " + key + " cannot be found."},
		{in: &iamapi.UpdateAssumeRolePolicyRequest{RoleName: x, PolicyDocument: doc}, message: role},
		{in: &iamapi.UpdateGroupRequest{GroupName: x}, message: group},
		{in: &iamapi.UpdateRoleRequest{RoleName: x}, message: role},
		{in: &iamapi.UpdateRoleDescriptionRequest{RoleName: x, Description: x}, message: role},
		{in: &iamapi.UpdateUserRequest{UserName: x}, message: user},
	}
	for i := range all {
		all[i].code = "NoSuchEntity"
	}
	return all
}

// badInput are requests with ARNs, tags and documents that IAM does not take.
func badInput(root principal) []refusal {
	const arn = "arn:aws:iam::aws:nothing"
	invalid := "ARN " + arn + " is not valid."
	bad, x, bob, devs, app := new(arn), new("x"), new("bob"), new("devs"), new("app")
	p := root.arn("policy/p")
	twice := []iamapi.Tag{{Key: new("a"), Value: new("1")}, {Key: new("A"), Value: new("2")}}
	duplicate := "Duplicate tag keys found. Please note that Tag keys are case insensitive."
	reserved := []iamapi.Tag{{Key: new("aws:a"), Value: new("1")}}
	all := []refusal{
		{in: &iamapi.AttachGroupPolicyRequest{GroupName: devs, PolicyArn: bad}, message: invalid},
		{in: &iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: bad}, message: invalid},
		{in: &iamapi.AttachUserPolicyRequest{UserName: bob, PolicyArn: bad}, message: invalid},
		{in: &iamapi.CreatePolicyRequest{PolicyName: x, PolicyDocument: new(allowAll), Tags: twice}, message: duplicate},
		{in: &iamapi.CreatePolicyVersionRequest{PolicyArn: bad, PolicyDocument: new(allowAll)}, message: invalid},
		{in: &iamapi.CreateRoleRequest{RoleName: x, AssumeRolePolicyDocument: new(trusts(account)), Tags: twice}, message: duplicate},
		{in: &iamapi.CreateRoleRequest{RoleName: x, AssumeRolePolicyDocument: new(trusts(account)), Path: new("/aws-service-role/x/")}, message: "The path /aws-service-role/ is reserved for service-linked roles."},
		{in: &iamapi.CreateUserRequest{UserName: x, Tags: twice}, message: duplicate},
		{in: &iamapi.CreateUserRequest{UserName: x, PermissionsBoundary: bad}, message: invalid},
		{in: &iamapi.DeletePolicyRequest{PolicyArn: bad}, message: invalid},
		{in: &iamapi.DeletePolicyVersionRequest{PolicyArn: bad, VersionId: new("v1")}, message: invalid},
		{in: &iamapi.DetachGroupPolicyRequest{GroupName: devs, PolicyArn: bad}, message: invalid},
		{in: &iamapi.DetachRolePolicyRequest{RoleName: app, PolicyArn: bad}, message: invalid},
		{in: &iamapi.DetachUserPolicyRequest{UserName: bob, PolicyArn: bad}, message: invalid},
		{in: &iamapi.GetPolicyRequest{PolicyArn: bad}, message: invalid},
		{in: &iamapi.GetPolicyVersionRequest{PolicyArn: bad, VersionId: new("v1")}, message: invalid},
		{in: &iamapi.ListEntitiesForPolicyRequest{PolicyArn: bad}, message: invalid},
		{in: &iamapi.ListPolicyTagsRequest{PolicyArn: bad}, message: invalid},
		{in: &iamapi.ListPolicyVersionsRequest{PolicyArn: bad}, message: invalid},
		{in: &iamapi.PutRolePermissionsBoundaryRequest{RoleName: app, PermissionsBoundary: bad}, message: invalid},
		{in: &iamapi.PutUserPermissionsBoundaryRequest{UserName: bob, PermissionsBoundary: bad}, message: invalid},
		{in: &iamapi.SetDefaultPolicyVersionRequest{PolicyArn: bad, VersionId: new("v1")}, message: invalid},
		{in: &iamapi.TagPolicyRequest{PolicyArn: &p, Tags: twice}, message: duplicate},
		{in: &iamapi.TagRoleRequest{RoleName: app, Tags: reserved}, message: "Tag keys that begin with aws: are reserved."},
		{in: &iamapi.TagUserRequest{UserName: bob, Tags: twice}, message: duplicate},
		{in: &iamapi.UntagPolicyRequest{PolicyArn: bad, TagKeys: []string{"a"}}, message: invalid},
	}
	for i := range all {
		all[i].code = "InvalidInput"
	}
	return all
}

// malformed are documents that are no policies of the right kind.
func malformed(root principal) []refusal {
	x, bob, devs, app, doc := new("x"), new("bob"), new("devs"), new("app"), new("{}")
	syntax := "Syntax errors in policy."
	trust := func(document string) *iamapi.UpdateAssumeRolePolicyRequest {
		return &iamapi.UpdateAssumeRolePolicyRequest{RoleName: app, PolicyDocument: &document}
	}
	identity := func(statement string) *iamapi.PutUserPolicyRequest {
		document := `{"Version":"2012-10-17","Statement":` + statement + `}`
		return &iamapi.PutUserPolicyRequest{UserName: bob, PolicyName: x, PolicyDocument: &document}
	}
	p := root.arn("policy/p")
	all := []refusal{
		{in: &iamapi.CreatePolicyRequest{PolicyName: x, PolicyDocument: doc}, message: syntax},
		{in: &iamapi.CreatePolicyVersionRequest{PolicyArn: &p, PolicyDocument: doc}, message: syntax},
		{in: &iamapi.CreateRoleRequest{RoleName: x, AssumeRolePolicyDocument: doc}, message: syntax},
		{in: &iamapi.PutGroupPolicyRequest{GroupName: devs, PolicyName: x, PolicyDocument: doc}, message: syntax},
		{in: &iamapi.PutRolePolicyRequest{RoleName: app, PolicyName: x, PolicyDocument: doc}, message: syntax},
		{in: &iamapi.PutUserPolicyRequest{UserName: bob, PolicyName: x, PolicyDocument: doc}, message: syntax},
		{in: identity(`{"Sid":"a b","Effect":"Allow","Action":"kms:*","Resource":"*"}`), message: "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		{in: identity(`[{"Sid":"a","Effect":"Allow","Action":"kms:*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"kms:*","Resource":"*"}]`), message: "Statement IDs (SID) in a single policy must be unique."},
		{in: identity(`{"Effect":"Allow","Action":"kms:*","Resource":"key/1"}`), message: `Resource key/1 must be in ARN format or "*".`},
		{in: identity(`{"Effect":"Allow","Action":"kms:*","Resource":"` + strings.Repeat("x", 100_000) + `"}`), message: "Resource " + strings.Repeat("x", 256) + `… must be in ARN format or "*".`},
		{in: identity(`{"Effect":"Allow","Action":"kms:*"}`), message: "Policy statement must contain resources."},
		{in: identity(`{"Effect":"Allow","Resource":"*"}`), message: "Policy statement must contain actions."},
		{in: identity(`{"Effect":"Allow","Action":"Encrypt","Resource":"*"}`), message: "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{in: identity(`{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"userid":"x"}}}`), message: "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{in: identity(`{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"x"}}}`), message: syntax},
		{in: identity(`{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}`), message: "Policy document should not specify a principal."},
		{in: identity(`{`), message: syntax + " (unexpected EOF after offset 38)"},
		{in: trust(`{}`), message: syntax},
		{in: trust(trusts(root.arn("user/nobody"))), message: `Invalid principal in policy: "AWS":"` + root.arn("user/nobody") + `"`},
		{in: trust(trusts(root.arn("group/devs"))), message: "Invalid principal in policy."},
		{in: trust(trusts("AIDAAAAAAAAAAAAAAAAAA")), message: `Invalid principal in policy: "AWS":"AIDAAAAAAAAAAAAAAAAAA"`},
	}
	for i := range all {
		all[i].code = "MalformedPolicyDocument"
	}
	return all
}

// overLimits are requests that would exceed a quota.
func overLimits(root principal) []refusal {
	x, bob, devs, app := new("x"), new("bob"), new("devs"), new("app")
	p := root.arn("policy/p")
	all := []refusal{
		{in: &iamapi.CreatePolicyRequest{PolicyName: x, PolicyDocument: longPolicy(6144)}, message: "Cannot exceed quota for PolicySize: 6144"},
		{in: &iamapi.CreatePolicyVersionRequest{PolicyArn: &p, PolicyDocument: longPolicy(6144)}, message: "Cannot exceed quota for PolicySize: 6144"},
		{in: &iamapi.PutUserPolicyRequest{UserName: bob, PolicyName: x, PolicyDocument: longPolicy(2048)}, message: "Maximum policy size of 2048 bytes exceeded for user bob"},
		{in: &iamapi.PutGroupPolicyRequest{GroupName: devs, PolicyName: x, PolicyDocument: longPolicy(5120)}, message: "Maximum policy size of 5120 bytes exceeded for group devs"},
		{in: &iamapi.PutRolePolicyRequest{RoleName: app, PolicyName: x, PolicyDocument: longPolicy(10240)}, message: "Maximum policy size of 10240 bytes exceeded for role app"},
		{in: &iamapi.UpdateAssumeRolePolicyRequest{RoleName: app, PolicyDocument: new(strings.Replace(trusts("*"), `"*"`, `["`+strings.Repeat(account+`","`, 150)+account+`"]`, 1))}, message: "Cannot exceed quota for ACLSizePerRole: 2048"},
	}
	for i := range all {
		all[i].code = "LimitExceeded"
	}
	return all
}

// unreachable are errors of the model that Trent does not answer, each with the reason.
func unreachable(operation, code string) string {
	switch {
	case code == "ServiceFailure" || code == "PolicyEvaluation":
		return "answered as InternalFailure"
	case code == "ConcurrentModification" || code == "EntityTemporarilyUnmodifiable":
		return "conflicting changes are made one after the other"
	case code == "UnmodifiableEntity":
		return "there are no service-linked roles"
	case code == "PolicyNotAttachable":
		return "all policies can be attached"
	case code == "NotSupportedService":
		return "there are no service-specific credentials"
	case code == "InvalidInput" && strings.HasPrefix(operation, "ListAttached"):
		return "what could be invalid is a violation of the model"
	case operation == "CreateGroup" && code == "NoSuchEntity":
		return "a group has no boundary"
	case code == "LimitExceeded" && operation != "UpdateAssumeRolePolicy":
		for _, verb := range []string{"Delete", "Detach", "Remove", "Update", "SetDefault", "CreateAccountAlias"} {
			if strings.HasPrefix(operation, verb) {
				return "nothing becomes more"
			}
		}
	}
	return ""
}

func TestErrors(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	arn := root.furnish()
	ran := 0
	for _, cases := range [][]refusal{noSuch(root), badInput(root), malformed(root), overLimits(root)} {
		for _, c := range cases {
			ran++
			a := root.send(c.in)
			detail := strings.HasPrefix(a.message, c.message+" (") // which is the policy package's
			if a.code != c.code || a.message != c.message && !detail {
				t.Errorf("%s: got %q %q, want %q %q", a.operation, a.code, a.message, c.code, c.message)
			}
		}
	}
	conflicts(t, root, arn)
	quotas(t, root, arn)
	m, err := loadModel()
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	for _, o := range m.Operations {
		if strings.Contains(o.Name, "OpenIDConnect") || strings.HasPrefix(o.Name, "Simulate") || strings.HasPrefix(o.Name, "GetContextKeys") {
			continue // tested elsewhere
		}
		for _, code := range modeled(t, o.Name) {
			reason := unreachable(o.Name, code)
			switch seen := w.seen[o.Name+" "+code]; {
			case seen && reason != "":
				t.Errorf("%s answers %s although %s", o.Name, code, reason)
			case !seen && reason == "":
				t.Errorf("%s never answered %s", o.Name, code)
			case seen:
				codes++
			}
		}
	}
	if ran < 120 || codes < 115 {
		t.Errorf("only %d cases, %d errors of operations", ran, codes)
	}
}

// conflicts are refusals that depend on what there is.
func conflicts(t *testing.T, root principal, arn string) {
	t.Helper()
	bob, devs, app := new("bob"), new("devs"), new("app")
	root.refused(&iamapi.CreateGroupRequest{GroupName: new("DEVS")}, "EntityAlreadyExists", "Group with name DEVS already exists.")
	root.refused(&iamapi.CreateRoleRequest{RoleName: new("APP"), AssumeRolePolicyDocument: new(trusts(account))}, "EntityAlreadyExists", "Role with name APP already exists.")
	root.refused(&iamapi.CreatePolicyRequest{PolicyName: new("P"), Path: new("/x/"), PolicyDocument: new(allowAll)}, "EntityAlreadyExists", "A policy called P already exists. Duplicate names are not allowed.")
	root.refused(&iamapi.CreateUserRequest{UserName: new("BOB")}, "EntityAlreadyExists", "User with name BOB already exists.")
	root.createUser("eve")
	root.createGroup("ops")
	root.refused(&iamapi.UpdateUserRequest{UserName: new("eve"), NewUserName: new("Bob")}, "EntityAlreadyExists", "User with name Bob already exists.")
	root.refused(&iamapi.UpdateGroupRequest{GroupName: new("ops"), NewGroupName: new("Devs")}, "EntityAlreadyExists", "Group with name Devs already exists.")

	root.must(&iamapi.CreateAccountAliasRequest{AccountAlias: new("acme")})
	root.root(other).refused(&iamapi.CreateAccountAliasRequest{AccountAlias: new("acme")}, "EntityAlreadyExists", "The account alias acme already exists.")

	root.must(&iamapi.AddUserToGroupRequest{UserName: bob, GroupName: devs})
	root.refused(&iamapi.DeleteUserRequest{UserName: bob}, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
	root.refused(&iamapi.DeleteGroupRequest{GroupName: devs}, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
	root.must(&iamapi.RemoveUserFromGroupRequest{UserName: bob, GroupName: devs})
	root.must(&iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: &arn})
	root.refused(&iamapi.DeleteRoleRequest{RoleName: app}, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	root.refused(&iamapi.DeletePolicyRequest{PolicyArn: &arn}, "DeleteConflict", "Cannot delete a policy attached to entities.")
	root.must(&iamapi.DetachRolePolicyRequest{RoleName: app, PolicyArn: &arn})
	root.must(&iamapi.PutRolePermissionsBoundaryRequest{RoleName: app, PermissionsBoundary: &arn})
	root.refused(&iamapi.DeletePolicyRequest{PolicyArn: &arn}, "DeleteConflict", "Cannot delete a policy attached to entities.")
	root.must(&iamapi.DeleteRolePermissionsBoundaryRequest{RoleName: app})
	root.refused(&iamapi.DeletePolicyVersionRequest{PolicyArn: &arn, VersionId: new("v1")}, "DeleteConflict", "Cannot delete the default version of a policy.")
	for range 4 {
		root.must(&iamapi.CreatePolicyVersionRequest{PolicyArn: &arn, PolicyDocument: new(allowAll)})
	}
	root.refused(&iamapi.CreatePolicyVersionRequest{PolicyArn: &arn, PolicyDocument: new(allowAll)}, "LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	root.refused(&iamapi.DeletePolicyRequest{PolicyArn: &arn}, "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
}

// quotas fills what has a limit.
func quotas(t *testing.T, root principal, arn string) {
	t.Helper()
	bob, app, devs := new("bob"), new("app"), new("devs")
	for range 2 {
		root.as("bob")
	}
	root.refused(&iamapi.CreateAccessKeyRequest{UserName: bob}, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	keys := do[iamapi.ListAccessKeysResponse](root, &iamapi.ListAccessKeysRequest{UserName: bob}).AccessKeyMetadata
	root.refused(&iamapi.UpdateAccessKeyRequest{UserName: bob, AccessKeyId: keys[0].AccessKeyId, Status: new(iamapi.StatusTypeExpired)}, "InvalidInput", "The status of an access key can be set to Active or Inactive.")
	for i := range 10 {
		name := "q" + strconv.Itoa(i)
		root.createGroup(name)
		root.must(&iamapi.AddUserToGroupRequest{UserName: bob, GroupName: &name})
		p := root.createPolicy(name, allowAll)
		root.must(&iamapi.AttachUserPolicyRequest{UserName: bob, PolicyArn: &p})
		root.must(&iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: &p})
		root.must(&iamapi.AttachGroupPolicyRequest{GroupName: devs, PolicyArn: &p})
	}
	root.refused(&iamapi.AddUserToGroupRequest{UserName: bob, GroupName: devs}, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")
	root.refused(&iamapi.AttachUserPolicyRequest{UserName: bob, PolicyArn: &arn}, "LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10")
	root.refused(&iamapi.AttachRolePolicyRequest{RoleName: app, PolicyArn: &arn}, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")
	root.refused(&iamapi.AttachGroupPolicyRequest{GroupName: devs, PolicyArn: &arn}, "LimitExceeded", "Cannot exceed quota for PoliciesPerGroup: 10")
	for _, in := range []request{
		&iamapi.TagUserRequest{UserName: bob, Tags: tags(50)}, &iamapi.TagRoleRequest{RoleName: app, Tags: tags(50)}, &iamapi.TagPolicyRequest{PolicyArn: &arn, Tags: tags(50)},
	} {
		root.must(in)
	}
	more := []iamapi.Tag{{Key: new("more"), Value: new("")}}
	for _, in := range []request{
		&iamapi.TagUserRequest{UserName: bob, Tags: more}, &iamapi.TagRoleRequest{RoleName: app, Tags: more}, &iamapi.TagPolicyRequest{PolicyArn: &arn, Tags: more},
	} {
		root.refused(in, "LimitExceeded", "Cannot exceed quota for TagsPerResource: 50")
	}
	root.put("iam/account/"+account, iam.Account{Version: 1, Account: account, Users: 5000, Groups: 300, Roles: 1000, Policies: 1500})
	x := new("x")
	root.refused(&iamapi.CreateUserRequest{UserName: x}, "LimitExceeded", "Cannot exceed quota for UsersPerAccount: 5000")
	root.refused(&iamapi.CreateGroupRequest{GroupName: x}, "LimitExceeded", "Cannot exceed quota for GroupsPerAccount: 300")
	root.refused(&iamapi.CreateRoleRequest{RoleName: x, AssumeRolePolicyDocument: new(trusts(account))}, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000")
	root.refused(&iamapi.CreatePolicyRequest{PolicyName: x, PolicyDocument: new(allowAll)}, "LimitExceeded", "Cannot exceed quota for PoliciesPerAccount: 1500")
}

// The managed policies that come with Trent can be read and attached by everybody, and changed by nobody.
func TestProvidedPoliciesDoNotChange(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	arn := "arn:aws:iam::aws:policy/AdministratorAccess"
	before := w.keys("iam/policy/")
	for _, in := range []request{
		&iamapi.CreatePolicyVersionRequest{PolicyArn: &arn, PolicyDocument: new(denyAll), SetAsDefault: new(true)},
		&iamapi.DeletePolicyRequest{PolicyArn: &arn}, &iamapi.DeletePolicyVersionRequest{PolicyArn: &arn, VersionId: new("v1")},
		&iamapi.SetDefaultPolicyVersionRequest{PolicyArn: &arn, VersionId: new("v1")},
		&iamapi.TagPolicyRequest{PolicyArn: &arn, Tags: tags(1)}, &iamapi.UntagPolicyRequest{PolicyArn: &arn, TagKeys: []string{"a"}},
	} {
		root.refusedAs(in, "AccessDenied")
	}
	if !slices.Equal(before, w.keys("iam/policy/")) {
		t.Error("a record came into being")
	}
	root.createUser("bob")
	root.must(&iamapi.AttachUserPolicyRequest{UserName: new("bob"), PolicyArn: &arn})
	for account, want := range map[string]int32{account: 1, other: 0} {
		got := do[iamapi.GetPolicyResponse](w.root(account), &iamapi.GetPolicyRequest{PolicyArn: &arn}).Policy
		if *got.AttachmentCount != want || *got.Arn != arn || len(*got.PolicyId) != 21 {
			t.Errorf("%s: %d %s %s, want %d", account, *got.AttachmentCount, *got.Arn, *got.PolicyId, want)
		}
	}
	if got := root.as("bob").must(&iamapi.ListUsersRequest{}); !strings.Contains(got.body, "<UserName>bob</UserName>") {
		t.Errorf("got %s", got.body)
	}
}
