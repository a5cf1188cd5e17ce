package sdk

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
)

// What Terraform's AWS provider sends for a resource's creation, reading, change and end, in its order (the provider's
// source, internal/service/iam, kms and organizations, version 6), and what it compares of the answers: a resource that
// reads back otherwise than it was written is changed again at every apply.

const (
	trustsAccount  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}}`
	allowsDescribe = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"*"}]}`
	allowsDecrypt  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}`
)

// sameDocument compares a policy that the API shows percent-encoded with the one that was written.
func sameDocument(t testing.TB, encoded *string, want string) {
	t.Helper()
	text := must(url.QueryUnescape(aws.ToString(encoded)))(t)
	var a, b any
	if json.Unmarshal([]byte(text), &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !cmp.Equal(a, b) {
		t.Errorf("the policy reads %s, want %s", text, want)
	}
}

// configureProvider is how the provider finds out whose credentials it has.
func configureProvider(t *testing.T, u person) {
	who := must(u.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	if *who.Account != account || !strings.HasPrefix(*who.Arn, "arn:aws:iam::"+account) {
		t.Errorf("%s, %s", *who.Account, *who.Arn)
	}
}

// terraformUser is aws_iam_user, aws_iam_access_key and aws_iam_user_policy.
func terraformUser(t *testing.T, u person) {
	ctx, name := t.Context(), aws.String("app")
	boundary := must(u.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("boundary"), PolicyDocument: aws.String(allowsDescribe)}))(t).Policy.Arn
	fails[*iam.GetUserOutput](t, "NoSuchEntity")(u.iam.GetUser(ctx, &iam.GetUserInput{UserName: name}))
	must(u.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: name, Path: aws.String("/"), Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}))(t)
	read := func(path string, boundary *string, team string) {
		t.Helper()
		got := must(u.iam.GetUser(ctx, &iam.GetUserInput{UserName: name}))(t).User
		if *got.UserName != *name || *got.Path != path || *got.Arn != "arn:aws:iam::"+account+":user"+path+*name || *got.Tags[0].Value != team {
			t.Errorf("it reads %s, %s, %s, %v", *got.UserName, *got.Path, *got.Arn, got.Tags)
		}
		if (got.PermissionsBoundary != nil) != (boundary != nil) || boundary != nil && *got.PermissionsBoundary.PermissionsBoundaryArn != *boundary {
			t.Errorf("its boundary reads %v", got.PermissionsBoundary)
		}
	}
	read("/", nil, "blue")

	key := must(u.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name}))(t).AccessKey
	must(u.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: name, AccessKeyId: key.AccessKeyId, Status: iamtypes.StatusTypeInactive}))(t)
	keys := must(u.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: name}))(t).AccessKeyMetadata
	if len(keys) != 1 || *keys[0].AccessKeyId != *key.AccessKeyId || keys[0].Status != iamtypes.StatusTypeInactive || keys[0].CreateDate == nil {
		t.Errorf("the access key reads %+v", keys)
	}
	if got := must(u.iam.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId}))(t); *got.UserName != *name { // import
		t.Errorf("its user reads %s", *got.UserName)
	}

	must(u.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("reads"), PolicyDocument: aws.String(allowsDescribe)}))(t)
	sameDocument(t, must(u.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: name, PolicyName: aws.String("reads")}))(t).PolicyDocument, allowsDescribe)
	must(u.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("reads")}))(t)
	fails[*iam.GetUserPolicyOutput](t, "NoSuchEntity")(u.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: name, PolicyName: aws.String("reads")}))

	// change: name and path, boundary, tags
	renamed := aws.String("program")
	must(u.iam.UpdateUser(ctx, &iam.UpdateUserInput{UserName: name, NewUserName: renamed, NewPath: aws.String("/shop/")}))(t)
	name = renamed
	must(u.iam.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: name, PermissionsBoundary: boundary}))(t)
	must(u.iam.UntagUser(ctx, &iam.UntagUserInput{UserName: name, TagKeys: []string{"team"}}))(t)
	must(u.iam.TagUser(ctx, &iam.TagUserInput{UserName: name, Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}))(t)
	read("/shop/", boundary, "red")
	must(u.iam.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: name}))(t)
	read("/shop/", nil, "red")

	group := aws.String("crew")
	must(u.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: group}))(t)
	must(u.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: group, UserName: name}))(t)
	fails[*iam.DeleteUserOutput](t, "DeleteConflict")(u.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name}))
	forceDestroy(t, u, name)
	must(u.iam.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: group}))(t)
	must(u.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name}))(t)
	fails[*iam.DeleteUserOutput](t, "NoSuchEntity")(u.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name}))
	must(u.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: boundary}))(t)
}

// forceDestroy is what aws_iam_user does before it deletes a user with force_destroy: it lists everything that a user may
// have, whoever made it, and takes it away.
func forceDestroy(t *testing.T, u person, name *string) {
	ctx := t.Context()
	removed := 0
	for pages := iam.NewListGroupsForUserPaginator(u.iam, &iam.ListGroupsForUserInput{UserName: name}); pages.HasMorePages(); {
		for _, g := range must(pages.NextPage(ctx))(t).Groups {
			removed++
			must(u.iam.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: g.GroupName, UserName: name}))(t)
		}
	}
	for pages := iam.NewListAccessKeysPaginator(u.iam, &iam.ListAccessKeysInput{UserName: name}); pages.HasMorePages(); {
		for _, k := range must(pages.NextPage(ctx))(t).AccessKeyMetadata {
			removed++
			must(u.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: k.AccessKeyId}))(t)
		}
	}
	if removed != 2 {
		t.Errorf("%d groups and access keys were removed", removed)
	}
	for pages := iam.NewListSSHPublicKeysPaginator(u.iam, &iam.ListSSHPublicKeysInput{UserName: name}); pages.HasMorePages(); {
		if got := must(pages.NextPage(ctx))(t).SSHPublicKeys; len(got) != 0 {
			t.Errorf("SSH keys %v", got)
		}
	}
	for pages := iam.NewListVirtualMFADevicesPaginator(u.iam, &iam.ListVirtualMFADevicesInput{AssignmentStatus: iamtypes.AssignmentStatusTypeAssigned}); pages.HasMorePages(); {
		if got := must(pages.NextPage(ctx))(t).VirtualMFADevices; len(got) != 0 {
			t.Errorf("virtual devices %v", got)
		}
	}
	for pages := iam.NewListMFADevicesPaginator(u.iam, &iam.ListMFADevicesInput{UserName: name}); pages.HasMorePages(); {
		if got := must(pages.NextPage(ctx))(t).MFADevices; len(got) != 0 {
			t.Errorf("devices %v", got)
		}
	}
	fails[*iam.GetLoginProfileOutput](t, "NoSuchEntity")(u.iam.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: name})) // aws_iam_user_login_profile
	fails[*iam.DeleteLoginProfileOutput](t, "NoSuchEntity")(u.iam.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: name}))
	for pages := iam.NewListSigningCertificatesPaginator(u.iam, &iam.ListSigningCertificatesInput{UserName: name}); pages.HasMorePages(); {
		if got := must(pages.NextPage(ctx))(t).Certificates; len(got) != 0 {
			t.Errorf("certificates %v", got)
		}
	}
	if got := must(u.iam.ListServiceSpecificCredentials(ctx, &iam.ListServiceSpecificCredentialsInput{UserName: name}))(t).ServiceSpecificCredentials; len(got) != 0 {
		t.Errorf("service-specific credentials %v", got)
	}
}

// terraformPolicy is aws_iam_policy: one version more at each change, and never more than five.
func terraformPolicy(t *testing.T, u person) {
	ctx := t.Context()
	id := must(u.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{
		PolicyName: aws.String("uses"), Path: aws.String("/"), Description: aws.String("uses keys"), PolicyDocument: aws.String(allowsDescribe),
		Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
	}))(t).Policy.Arn
	read := func(want string) {
		t.Helper()
		p := must(u.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: id}))(t).Policy
		if *p.PolicyName != "uses" || *p.Path != "/" || *p.Description != "uses keys" || *p.AttachmentCount != 0 || *p.PolicyId == "" || len(p.Tags) != 1 {
			t.Errorf("it reads %+v", p)
		}
		v := must(u.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: id, VersionId: p.DefaultVersionId}))(t).PolicyVersion
		sameDocument(t, v.Document, want)
	}
	versions := func() []iamtypes.PolicyVersion {
		t.Helper()
		var all []iamtypes.PolicyVersion
		for pages := iam.NewListPolicyVersionsPaginator(u.iam, &iam.ListPolicyVersionsInput{PolicyArn: id}); pages.HasMorePages(); {
			all = append(all, must(pages.NextPage(ctx))(t).Versions...)
		}
		return all
	}
	read(allowsDescribe)
	for n := range 6 {
		if all := versions(); len(all) == 5 {
			oldest := all[len(all)-1]
			if oldest.IsDefaultVersion {
				t.Fatalf("the oldest version, %s, is the default", *oldest.VersionId)
			}
			must(u.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: id, VersionId: oldest.VersionId}))(t)
		}
		document := []string{allowsDecrypt, allowsDescribe}[n%2]
		v := must(u.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: id, PolicyDocument: &document}))(t).PolicyVersion
		must(u.iam.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: id, VersionId: v.VersionId}))(t)
		read(document)
	}
	must(u.iam.UntagPolicy(ctx, &iam.UntagPolicyInput{PolicyArn: id, TagKeys: []string{"team"}}))(t)
	must(u.iam.TagPolicy(ctx, &iam.TagPolicyInput{PolicyArn: id, Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}))(t)
	for _, v := range versions() {
		if !v.IsDefaultVersion {
			must(u.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: id, VersionId: v.VersionId}))(t)
		}
	}
	must(u.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: id}))(t)
	fails[*iam.GetPolicyOutput](t, "NoSuchEntity")(u.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: id}))
}

// terraformRole is aws_iam_role, aws_iam_role_policy and aws_iam_role_policy_attachment.
func terraformRole(t *testing.T, u person) {
	ctx, name := t.Context(), aws.String("worker")
	managed := must(u.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("attached"), PolicyDocument: aws.String(allowsDescribe)}))(t).Policy.Arn
	must(u.iam.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: name, Path: aws.String("/"), AssumeRolePolicyDocument: aws.String(trustsAccount), Description: aws.String("works"),
		MaxSessionDuration: aws.Int32(3600), Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
	}))(t)
	read := func(description string, seconds int32, boundary bool, inline, attached int) {
		t.Helper()
		r := must(u.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))(t).Role
		if *r.Arn != "arn:aws:iam::"+account+":role/worker" || *r.Description != description || *r.MaxSessionDuration != seconds || (r.PermissionsBoundary != nil) != boundary || r.CreateDate == nil {
			t.Errorf("it reads %+v", r)
		}
		sameDocument(t, r.AssumeRolePolicyDocument, trustsAccount)
		if got := must(u.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name}))(t).PolicyNames; len(got) != inline {
			t.Errorf("inline policies %v", got)
		}
		if got := must(u.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name}))(t).AttachedPolicies; len(got) != attached {
			t.Errorf("attached policies %v", got)
		}
	}
	read("works", 3600, false, 0, 0)

	must(u.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("inline"), PolicyDocument: aws.String(allowsDecrypt)}))(t)
	sameDocument(t, must(u.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("inline")}))(t).PolicyDocument, allowsDecrypt)
	must(u.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: managed}))(t)
	must(u.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: managed}))(t)
	read("works", 3600, false, 1, 1)

	must(u.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trustsAccount)}))(t)
	must(u.iam.UpdateRoleDescription(ctx, &iam.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("works more")}))(t)
	must(u.iam.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name, Description: aws.String("works more"), MaxSessionDuration: aws.Int32(7200)}))(t)
	must(u.iam.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: managed}))(t)
	must(u.iam.UntagRole(ctx, &iam.UntagRoleInput{RoleName: name, TagKeys: []string{"team"}}))(t)
	must(u.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: name, Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}))(t)
	read("works more", 7200, true, 1, 1)
	must(u.iam.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: name}))(t)

	if got := must(u.iam.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: name}))(t).InstanceProfiles; len(got) != 0 {
		t.Errorf("instance profiles %v", got)
	}
	must(u.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: managed}))(t)
	fails[*iam.DetachRolePolicyOutput](t, "NoSuchEntity")(u.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: managed}))
	fails[*iam.DeleteRoleOutput](t, "DeleteConflict")(u.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))
	must(u.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("inline")}))(t)
	must(u.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))(t)
	fails[*iam.GetRoleOutput](t, "NoSuchEntity")(u.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))
	must(u.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: managed}))(t)
}

// terraformProvider is aws_iam_openid_connect_provider.
func terraformProvider(t *testing.T, u person) {
	ctx := t.Context()
	id := must(u.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://token.example.com/ci"), ClientIDList: []string{"one"}, ThumbprintList: []string{strings.Repeat("ab", 20)},
		Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
	}))(t).OpenIDConnectProviderArn
	read := func(clients, thumbprints []string) {
		t.Helper()
		p := must(u.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: id}))(t)
		if *p.Url != "token.example.com/ci" || !cmp.Equal(p.ClientIDList, clients) || !cmp.Equal(p.ThumbprintList, thumbprints) || len(p.Tags) != 1 {
			t.Errorf("it reads %s, %v, %v, %v", *p.Url, p.ClientIDList, p.ThumbprintList, p.Tags)
		}
	}
	read([]string{"one"}, []string{strings.Repeat("ab", 20)})
	must(u.iam.UpdateOpenIDConnectProviderThumbprint(ctx, &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: id, ThumbprintList: []string{strings.Repeat("cd", 20)}}))(t)
	must(u.iam.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, ClientID: aws.String("two")}))(t)
	must(u.iam.RemoveClientIDFromOpenIDConnectProvider(ctx, &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, ClientID: aws.String("one")}))(t)
	must(u.iam.UntagOpenIDConnectProvider(ctx, &iam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, TagKeys: []string{"team"}}))(t)
	must(u.iam.TagOpenIDConnectProvider(ctx, &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}))(t)
	read([]string{"two"}, []string{strings.Repeat("cd", 20)})
	must(u.iam.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: id}))(t)
	fails[*iam.GetOpenIDConnectProviderOutput](t, "NoSuchEntity")(u.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: id}))
}

// terraformGroup is aws_iam_group, aws_iam_group_policy, aws_iam_group_policy_attachment and aws_iam_group_membership.
func terraformGroup(t *testing.T, u person) {
	ctx, name, user := t.Context(), aws.String("readers"), aws.String("member")
	managed := must(u.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("groups"), PolicyDocument: aws.String(allowsDescribe)}))(t).Policy.Arn
	must(u.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: name, Path: aws.String("/")}))(t)
	must(u.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: user}))(t)
	must(u.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: name, UserName: user}))(t)
	must(u.iam.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: name, PolicyName: aws.String("inline"), PolicyDocument: aws.String(allowsDecrypt)}))(t)
	sameDocument(t, must(u.iam.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: name, PolicyName: aws.String("inline")}))(t).PolicyDocument, allowsDecrypt)
	must(u.iam.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: name, PolicyArn: managed}))(t)
	if got := must(u.iam.ListAttachedGroupPolicies(ctx, &iam.ListAttachedGroupPoliciesInput{GroupName: name}))(t).AttachedPolicies; len(got) != 1 || *got[0].PolicyArn != *managed {
		t.Errorf("attached policies %v", got)
	}
	must(u.iam.UpdateGroup(ctx, &iam.UpdateGroupInput{GroupName: name, NewGroupName: aws.String("all-readers"), NewPath: aws.String("/people/")}))(t)
	name = aws.String("all-readers")
	got := must(u.iam.GetGroup(ctx, &iam.GetGroupInput{GroupName: name}))(t)
	if *got.Group.Arn != "arn:aws:iam::"+account+":group/people/all-readers" || len(got.Users) != 1 || *got.Users[0].UserName != *user {
		t.Errorf("it reads %s, %v", *got.Group.Arn, got.Users)
	}
	if groups := must(u.iam.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: user}))(t).Groups; len(groups) != 1 || *groups[0].GroupName != *name {
		t.Errorf("groups %v", groups)
	}
	must(u.iam.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: name, UserName: user}))(t)
	must(u.iam.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{GroupName: name, PolicyArn: managed}))(t)
	must(u.iam.DeleteGroupPolicy(ctx, &iam.DeleteGroupPolicyInput{GroupName: name, PolicyName: aws.String("inline")}))(t)
	must(u.iam.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: name}))(t)
	fails[*iam.GetGroupOutput](t, "NoSuchEntity")(u.iam.GetGroup(ctx, &iam.GetGroupInput{GroupName: name}))
	must(u.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user}))(t)
	must(u.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: managed}))(t)
}

// terraformKey is aws_kms_key with a policy that names a role, aws_kms_alias and aws_kms_grant.
func terraformKey(t *testing.T, u person) {
	ctx := t.Context()
	role := must(u.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("reader"), AssumeRolePolicyDocument: aws.String(trustsAccount)}))(t).Role.Arn
	document := `{"Statement":[{"Action":"kms:*","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Resource":"*"},{"Action":"kms:Decrypt","Effect":"Allow","Principal":{"AWS":"` + *role + `"},"Resource":"*"}],"Version":"2012-10-17"}`
	id := must(u.kms.CreateKey(ctx, &kms.CreateKeyInput{
		KeySpec: types.KeySpecSymmetricDefault, KeyUsage: types.KeyUsageTypeEncryptDecrypt, Description: aws.String("orders"), Policy: &document,
		Tags: []types.Tag{{TagKey: aws.String("team"), TagValue: aws.String("blue")}},
	}))(t).KeyMetadata.KeyId
	must(u.kms.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: id, RotationPeriodInDays: aws.Int32(180)}))(t)
	read := func(description, policy string, enabled, rotates bool) {
		t.Helper()
		k := must(u.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id}))(t).KeyMetadata
		if *k.Description != description || k.Enabled != enabled {
			t.Errorf("it reads %q, enabled %t", *k.Description, k.Enabled)
		}
		sameDocument(t, aws.String(url.QueryEscape(*must(u.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: id, PolicyName: aws.String("default")}))(t).Policy)), policy)
		if got := must(u.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: id}))(t); got.KeyRotationEnabled != rotates {
			t.Errorf("rotation reads %t", got.KeyRotationEnabled)
		}
		if got := must(u.kms.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: id}))(t).Tags; len(got) != 1 {
			t.Errorf("tags read %v", got)
		}
	}
	read("orders", document, true, true)

	must(u.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/orders"), TargetKeyId: id}))(t)
	grant := must(u.kms.CreateGrant(ctx, &kms.CreateGrantInput{
		KeyId: id, Name: aws.String("lends"), GranteePrincipal: role, Operations: []types.GrantOperation{types.GrantOperationEncrypt, types.GrantOperationDescribeKey},
		Constraints: &types.GrantConstraints{EncryptionContextEquals: map[string]string{"Department": "Finance"}},
	}))(t)
	found := func() (n int) {
		t.Helper()
		for pages := kms.NewListGrantsPaginator(u.kms, &kms.ListGrantsInput{KeyId: id, Limit: aws.Int32(100)}); pages.HasMorePages(); {
			for _, g := range must(pages.NextPage(ctx))(t).Grants {
				if *g.GrantId == *grant.GrantId && *g.GranteePrincipal == *role && *g.Name == "lends" && g.Constraints.EncryptionContextEquals["Department"] == "Finance" {
					n++
				}
			}
		}
		return n
	}
	if found() != 1 {
		t.Error("the grant does not read as it was written")
	}

	plain := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"kms:*","Resource":"*"}]}`
	must(u.kms.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("all orders")}))(t)
	must(u.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: id, PolicyName: aws.String("default"), Policy: &plain}))(t)
	must(u.kms.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: id}))(t)
	must(u.kms.DisableKey(ctx, &kms.DisableKeyInput{KeyId: id}))(t)
	read("all orders", plain, false, false)

	must(u.kms.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: id, GrantId: grant.GrantId}))(t)
	if found() != 0 {
		t.Error("the grant is still there")
	}
	must(u.kms.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/orders")}))(t)
	must(u.kms.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(7)}))(t)
	if k := must(u.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id}))(t).KeyMetadata; k.KeyState != types.KeyStatePendingDeletion {
		t.Errorf("it is %s", k.KeyState)
	}
	must(u.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("reader")}))(t)
}

// terraformOrganization is aws_organizations_organization, _organizational_unit, _account, _policy and _policy_attachment.
func terraformOrganization(t *testing.T, u person) {
	ctx := t.Context()
	must(u.org.CreateOrganization(ctx, &organizations.CreateOrganizationInput{FeatureSet: orgtypes.OrganizationFeatureSetAll}))(t)
	root := func() orgtypes.Root { return must(u.org.ListRoots(ctx, &organizations.ListRootsInput{}))(t).Roots[0] }
	id := root().Id
	for _, kind := range []orgtypes.PolicyType{orgtypes.PolicyTypeServiceControlPolicy, orgtypes.PolicyTypeResourceControlPolicy} {
		must(u.org.EnablePolicyType(ctx, &organizations.EnablePolicyTypeInput{RootId: id, PolicyType: kind}))(t)
	}
	read := func(accounts, kinds int) {
		t.Helper()
		o := must(u.org.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{}))(t).Organization
		if *o.MasterAccountId != "555566667777" || o.FeatureSet != orgtypes.OrganizationFeatureSetAll || *o.MasterAccountArn == "" {
			t.Errorf("it reads %+v", o)
		}
		if got := must(u.org.ListAccounts(ctx, &organizations.ListAccountsInput{}))(t).Accounts; len(got) != accounts {
			t.Errorf("%d accounts", len(got))
		}
		if got := root().PolicyTypes; len(got) != kinds {
			t.Errorf("policy types %v", got)
		}
		must(u.org.ListAWSServiceAccessForOrganization(ctx, &organizations.ListAWSServiceAccessForOrganizationInput{}))(t)
	}
	read(1, 2)

	unit := must(u.org.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: id, Name: aws.String("teams"), Tags: []orgtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))(t).OrganizationalUnit.Id
	must(u.org.UpdateOrganizationalUnit(ctx, &organizations.UpdateOrganizationalUnitInput{OrganizationalUnitId: unit, Name: aws.String("all-teams")}))(t)
	if got := must(u.org.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: unit}))(t).OrganizationalUnit; *got.Name != "all-teams" {
		t.Errorf("the unit reads %s", *got.Name)
	}
	if got := must(u.org.ListParents(ctx, &organizations.ListParentsInput{ChildId: unit}))(t).Parents; *got[0].Id != *id {
		t.Errorf("its parent reads %s", *got[0].Id)
	}
	must(u.org.ListAccountsForParent(ctx, &organizations.ListAccountsForParentInput{ParentId: unit}))(t)
	must(u.org.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: unit}))(t)

	status := must(u.org.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: aws.String("shop"), Email: aws.String("shop@example.com"), IamUserAccessToBilling: orgtypes.IAMUserAccessToBillingAllow}))(t).CreateAccountStatus
	status = must(u.org.DescribeCreateAccountStatus(ctx, &organizations.DescribeCreateAccountStatusInput{CreateAccountRequestId: status.Id}))(t).CreateAccountStatus
	if status.State != orgtypes.CreateAccountStateSucceeded {
		t.Fatalf("the account is %s", status.State)
	}
	member := status.AccountId
	must(u.org.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: member, SourceParentId: id, DestinationParentId: unit}))(t)
	if got := must(u.org.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: member}))(t).Account; *got.Name != "shop" || *got.Email != "shop@example.com" || got.Status != orgtypes.AccountStatusActive {
		t.Errorf("the account reads %s, %s, %s", *got.Name, *got.Email, got.Status)
	}
	must(u.org.TagResource(ctx, &organizations.TagResourceInput{ResourceId: member, Tags: []orgtypes.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}))(t)
	must(u.org.UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: member, TagKeys: []string{"team"}}))(t)
	read(2, 2)

	deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:ScheduleKeyDeletion","Resource":"*"}]}`
	policy := must(u.org.CreatePolicy(ctx, &organizations.CreatePolicyInput{Name: aws.String("keeps"), Description: aws.String("keys stay"), Type: orgtypes.PolicyTypeServiceControlPolicy, Content: aws.String(allowsDescribe)}))(t).Policy.PolicySummary.Id
	must(u.org.UpdatePolicy(ctx, &organizations.UpdatePolicyInput{PolicyId: policy, Content: &deny}))(t)
	if got := must(u.org.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: policy}))(t).Policy; *got.Content != deny || *got.PolicySummary.Description != "keys stay" || got.PolicySummary.AwsManaged {
		t.Errorf("the policy reads %s", *got.Content)
	}
	must(u.org.AttachPolicy(ctx, &organizations.AttachPolicyInput{PolicyId: policy, TargetId: unit}))(t)
	fails[*organizations.AttachPolicyOutput](t, "DuplicatePolicyAttachmentException")(u.org.AttachPolicy(ctx, &organizations.AttachPolicyInput{PolicyId: policy, TargetId: unit}))
	if got := must(u.org.ListTargetsForPolicy(ctx, &organizations.ListTargetsForPolicyInput{PolicyId: policy}))(t).Targets; len(got) != 1 || *got[0].TargetId != *unit {
		t.Errorf("targets %v", got)
	}

	must(u.org.DetachPolicy(ctx, &organizations.DetachPolicyInput{PolicyId: policy, TargetId: unit}))(t)
	must(u.org.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: policy}))(t)
	must(u.org.RemoveAccountFromOrganization(ctx, &organizations.RemoveAccountFromOrganizationInput{AccountId: member}))(t)
	must(u.org.DeleteOrganizationalUnit(ctx, &organizations.DeleteOrganizationalUnitInput{OrganizationalUnitId: unit}))(t)
	must(u.org.DisablePolicyType(ctx, &organizations.DisablePolicyTypeInput{RootId: id, PolicyType: orgtypes.PolicyTypeResourceControlPolicy}))(t)
	read(1, 1)
	must(u.org.DeleteOrganization(ctx, &organizations.DeleteOrganizationInput{}))(t)
	fails[*organizations.DescribeOrganizationOutput](t, "AWSOrganizationsNotInUseException")(u.org.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{}))
}
