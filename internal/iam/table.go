package iam

import (
	"context"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// IAM is the table of the service of that name, in the order of its API reference within each part.
func (s *Service) IAM() []service.Operation {
	var table []service.Operation
	for _, part := range [][]service.Operation{
		s.userOperations(), s.groupOperations(), s.roleOperations(), s.policyOperations(), s.accessKeyOperations(),
		s.accountOperations(), s.simulations(), s.oidcOperations(), s.absentOperations(),
	} {
		table = append(table, part...)
	}
	return table
}

func (s *Service) userOperations() []service.Operation {
	return []service.Operation{
		do[iamapi.AttachUserPolicyResponse](s, "AttachUserPolicy", aUser, func(in *iamapi.AttachUserPolicyRequest) asked {
			return asked{name: in.UserName, policy: in.PolicyArn}
		}, s.attachPolicy),
		on(s, "CreateUser", writes|creates, aUser, func(in *iamapi.CreateUserRequest) asked {
			return asked{name: in.UserName, path: in.Path, boundary: in.PermissionsBoundary, tags: in.Tags}
		}, s.createUser),
		do[iamapi.DeleteUserResponse](s, "DeleteUser", aUser, func(in *iamapi.DeleteUserRequest) asked {
			return asked{name: in.UserName}
		}, s.delete),
		do[iamapi.DeleteUserPermissionsBoundaryResponse](s, "DeleteUserPermissionsBoundary", aUser, func(in *iamapi.DeleteUserPermissionsBoundaryRequest) asked {
			return asked{name: in.UserName}
		}, s.deleteBoundary),
		do[iamapi.DeleteUserPolicyResponse](s, "DeleteUserPolicy", aUser, func(in *iamapi.DeleteUserPolicyRequest) asked {
			return asked{name: in.UserName, inline: in.PolicyName}
		}, s.deleteInline),
		do[iamapi.DetachUserPolicyResponse](s, "DetachUserPolicy", aUser, func(in *iamapi.DetachUserPolicyRequest) asked {
			return asked{name: in.UserName, policy: in.PolicyArn}
		}, s.detachPolicy),
		on(s, "GetUser", reads, aUser, func(in *iamapi.GetUserRequest) asked { return asked{name: in.UserName} }, s.getUser),
		on(s, "GetUserPolicy", reads, aUser, func(in *iamapi.GetUserPolicyRequest) asked {
			return asked{name: in.UserName, inline: in.PolicyName}
		}, s.getUserPolicy),
		on(s, "ListAttachedUserPolicies", reads, aUser, func(in *iamapi.ListAttachedUserPoliciesRequest) asked {
			return asked{name: in.UserName, pathPrefix: in.PathPrefix, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listAttachedUserPolicies),
		on(s, "ListGroupsForUser", reads, aUser, func(in *iamapi.ListGroupsForUserRequest) asked { return asked{name: in.UserName} }, s.listGroupsForUser),
		on(s, "ListUserPolicies", reads, aUser, func(in *iamapi.ListUserPoliciesRequest) asked {
			return asked{name: in.UserName, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listUserPolicies),
		on(s, "ListUserTags", reads, aUser, func(in *iamapi.ListUserTagsRequest) asked {
			return asked{name: in.UserName, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listUserTags),
		all("ListUsers", reads, s.listUsers),
		do[iamapi.PutUserPermissionsBoundaryResponse](s, "PutUserPermissionsBoundary", aUser, func(in *iamapi.PutUserPermissionsBoundaryRequest) asked {
			return asked{name: in.UserName, boundary: in.PermissionsBoundary}
		}, s.putBoundary),
		do[iamapi.PutUserPolicyResponse](s, "PutUserPolicy", aUser, func(in *iamapi.PutUserPolicyRequest) asked {
			return asked{name: in.UserName, inline: in.PolicyName, document: in.PolicyDocument}
		}, s.putInline),
		do[iamapi.TagUserResponse](s, "TagUser", aUser, func(in *iamapi.TagUserRequest) asked {
			return asked{name: in.UserName, tags: in.Tags}
		}, s.tagEntity),
		do[iamapi.UntagUserResponse](s, "UntagUser", aUser, func(in *iamapi.UntagUserRequest) asked {
			return asked{name: in.UserName, tagKeys: in.TagKeys}
		}, s.untagEntity),
		define("UpdateUser", writes, func(ctx context.Context, c *service.Call, in *iamapi.UpdateUserRequest) (*target, error) {
			return s.resolveRename(ctx, c, aUser, *in.UserName, in.NewPath, in.NewUserName)
		}, exists, s.updateUser),
	}
}

func (s *Service) groupOperations() []service.Operation {
	return []service.Operation{
		on(s, "AddUserToGroup", writes, aGroup, func(in *iamapi.AddUserToGroupRequest) asked { return asked{name: in.GroupName} }, s.addUserToGroup),
		do[iamapi.AttachGroupPolicyResponse](s, "AttachGroupPolicy", aGroup, func(in *iamapi.AttachGroupPolicyRequest) asked {
			return asked{name: in.GroupName, policy: in.PolicyArn}
		}, s.attachPolicy),
		on(s, "CreateGroup", writes|creates, aGroup, func(in *iamapi.CreateGroupRequest) asked {
			return asked{name: in.GroupName, path: in.Path}
		}, s.createGroup),
		do[iamapi.DeleteGroupResponse](s, "DeleteGroup", aGroup, func(in *iamapi.DeleteGroupRequest) asked {
			return asked{name: in.GroupName}
		}, s.delete),
		do[iamapi.DeleteGroupPolicyResponse](s, "DeleteGroupPolicy", aGroup, func(in *iamapi.DeleteGroupPolicyRequest) asked {
			return asked{name: in.GroupName, inline: in.PolicyName}
		}, s.deleteInline),
		do[iamapi.DetachGroupPolicyResponse](s, "DetachGroupPolicy", aGroup, func(in *iamapi.DetachGroupPolicyRequest) asked {
			return asked{name: in.GroupName, policy: in.PolicyArn}
		}, s.detachPolicy),
		on(s, "GetGroup", reads, aGroup, func(in *iamapi.GetGroupRequest) asked { return asked{name: in.GroupName} }, s.getGroup),
		on(s, "GetGroupPolicy", reads, aGroup, func(in *iamapi.GetGroupPolicyRequest) asked {
			return asked{name: in.GroupName, inline: in.PolicyName}
		}, s.getGroupPolicy),
		on(s, "ListAttachedGroupPolicies", reads, aGroup, func(in *iamapi.ListAttachedGroupPoliciesRequest) asked {
			return asked{name: in.GroupName, pathPrefix: in.PathPrefix, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listAttachedGroupPolicies),
		on(s, "ListGroupPolicies", reads, aGroup, func(in *iamapi.ListGroupPoliciesRequest) asked {
			return asked{name: in.GroupName, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listGroupPolicies),
		all("ListGroups", reads, s.listGroups),
		do[iamapi.PutGroupPolicyResponse](s, "PutGroupPolicy", aGroup, func(in *iamapi.PutGroupPolicyRequest) asked {
			return asked{name: in.GroupName, inline: in.PolicyName, document: in.PolicyDocument}
		}, s.putInline),
		on(s, "RemoveUserFromGroup", writes, aGroup, func(in *iamapi.RemoveUserFromGroupRequest) asked { return asked{name: in.GroupName} }, s.removeUserFromGroup),
		define("UpdateGroup", writes, func(ctx context.Context, c *service.Call, in *iamapi.UpdateGroupRequest) (*target, error) {
			return s.resolveRename(ctx, c, aGroup, *in.GroupName, in.NewPath, in.NewGroupName)
		}, exists, s.updateGroup),
	}
}

func (s *Service) roleOperations() []service.Operation {
	return []service.Operation{
		do[iamapi.AttachRolePolicyResponse](s, "AttachRolePolicy", aRole, func(in *iamapi.AttachRolePolicyRequest) asked {
			return asked{name: in.RoleName, policy: in.PolicyArn}
		}, s.attachPolicy),
		on(s, "CreateRole", writes|creates, aRole, func(in *iamapi.CreateRoleRequest) asked {
			return asked{name: in.RoleName, path: in.Path, boundary: in.PermissionsBoundary, tags: in.Tags}
		}, s.createRole),
		do[iamapi.DeleteRoleResponse](s, "DeleteRole", aRole, func(in *iamapi.DeleteRoleRequest) asked {
			return asked{name: in.RoleName}
		}, s.delete),
		do[iamapi.DeleteRolePermissionsBoundaryResponse](s, "DeleteRolePermissionsBoundary", aRole, func(in *iamapi.DeleteRolePermissionsBoundaryRequest) asked {
			return asked{name: in.RoleName}
		}, s.deleteBoundary),
		do[iamapi.DeleteRolePolicyResponse](s, "DeleteRolePolicy", aRole, func(in *iamapi.DeleteRolePolicyRequest) asked {
			return asked{name: in.RoleName, inline: in.PolicyName}
		}, s.deleteInline),
		do[iamapi.DetachRolePolicyResponse](s, "DetachRolePolicy", aRole, func(in *iamapi.DetachRolePolicyRequest) asked {
			return asked{name: in.RoleName, policy: in.PolicyArn}
		}, s.detachPolicy),
		on(s, "GetRole", reads, aRole, func(in *iamapi.GetRoleRequest) asked { return asked{name: in.RoleName} }, s.getRole),
		on(s, "GetRolePolicy", reads, aRole, func(in *iamapi.GetRolePolicyRequest) asked {
			return asked{name: in.RoleName, inline: in.PolicyName}
		}, s.getRolePolicy),
		on(s, "ListAttachedRolePolicies", reads, aRole, func(in *iamapi.ListAttachedRolePoliciesRequest) asked {
			return asked{name: in.RoleName, pathPrefix: in.PathPrefix, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listAttachedRolePolicies),
		on(s, "ListRolePolicies", reads, aRole, func(in *iamapi.ListRolePoliciesRequest) asked {
			return asked{name: in.RoleName, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listRolePolicies),
		on(s, "ListRoleTags", reads, aRole, func(in *iamapi.ListRoleTagsRequest) asked {
			return asked{name: in.RoleName, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listRoleTags),
		all("ListRoles", reads, s.listRoles),
		do[iamapi.PutRolePermissionsBoundaryResponse](s, "PutRolePermissionsBoundary", aRole, func(in *iamapi.PutRolePermissionsBoundaryRequest) asked {
			return asked{name: in.RoleName, boundary: in.PermissionsBoundary}
		}, s.putBoundary),
		do[iamapi.PutRolePolicyResponse](s, "PutRolePolicy", aRole, func(in *iamapi.PutRolePolicyRequest) asked {
			return asked{name: in.RoleName, inline: in.PolicyName, document: in.PolicyDocument}
		}, s.putInline),
		do[iamapi.TagRoleResponse](s, "TagRole", aRole, func(in *iamapi.TagRoleRequest) asked {
			return asked{name: in.RoleName, tags: in.Tags}
		}, s.tagEntity),
		do[iamapi.UntagRoleResponse](s, "UntagRole", aRole, func(in *iamapi.UntagRoleRequest) asked {
			return asked{name: in.RoleName, tagKeys: in.TagKeys}
		}, s.untagEntity),
		do[iamapi.UpdateAssumeRolePolicyResponse](s, "UpdateAssumeRolePolicy", aRole, func(in *iamapi.UpdateAssumeRolePolicyRequest) asked {
			return asked{name: in.RoleName, document: in.PolicyDocument}
		}, s.updateAssumeRolePolicy),
		on(s, "UpdateRole", writes, aRole, func(in *iamapi.UpdateRoleRequest) asked { return asked{name: in.RoleName} }, s.updateRole),
		on(s, "UpdateRoleDescription", writes, aRole, func(in *iamapi.UpdateRoleDescriptionRequest) asked { return asked{name: in.RoleName} }, s.updateRoleDescription),
	}
}

func (s *Service) policyOperations() []service.Operation {
	return []service.Operation{
		on(s, "CreatePolicy", writes|creates, aPolicy, func(in *iamapi.CreatePolicyRequest) asked {
			return asked{name: in.PolicyName, path: in.Path, document: in.PolicyDocument, tags: in.Tags}
		}, s.createPolicy),
		on(s, "CreatePolicyVersion", writes, aPolicy, func(in *iamapi.CreatePolicyVersionRequest) asked {
			return asked{policy: in.PolicyArn, document: in.PolicyDocument}
		}, s.createPolicyVersion),
		do[iamapi.DeletePolicyResponse](s, "DeletePolicy", aPolicy, func(in *iamapi.DeletePolicyRequest) asked {
			return asked{policy: in.PolicyArn}
		}, s.deletePolicy),
		on(s, "DeletePolicyVersion", writes, aPolicy, func(in *iamapi.DeletePolicyVersionRequest) asked { return asked{policy: in.PolicyArn} }, s.deletePolicyVersion),
		on(s, "GetPolicy", reads, aPolicy, func(in *iamapi.GetPolicyRequest) asked { return asked{policy: in.PolicyArn} }, s.getPolicy),
		on(s, "GetPolicyVersion", reads, aPolicy, func(in *iamapi.GetPolicyVersionRequest) asked { return asked{policy: in.PolicyArn} }, s.getPolicyVersion),
		on(s, "ListEntitiesForPolicy", reads, aPolicy, func(in *iamapi.ListEntitiesForPolicyRequest) asked { return asked{policy: in.PolicyArn} }, s.listEntitiesForPolicy),
		all("ListPolicies", reads, s.listPolicies),
		on(s, "ListPolicyTags", reads, aPolicy, func(in *iamapi.ListPolicyTagsRequest) asked {
			return asked{policy: in.PolicyArn, marker: in.Marker, maxItems: in.MaxItems}
		}, s.listPolicyTags),
		on(s, "ListPolicyVersions", reads, aPolicy, func(in *iamapi.ListPolicyVersionsRequest) asked { return asked{policy: in.PolicyArn} }, s.listPolicyVersions),
		on(s, "SetDefaultPolicyVersion", writes, aPolicy, func(in *iamapi.SetDefaultPolicyVersionRequest) asked {
			return asked{policy: in.PolicyArn}
		}, s.setDefaultPolicyVersion),
		do[iamapi.TagPolicyResponse](s, "TagPolicy", aPolicy, func(in *iamapi.TagPolicyRequest) asked {
			return asked{policy: in.PolicyArn, tags: in.Tags}
		}, s.tagPolicy),
		do[iamapi.UntagPolicyResponse](s, "UntagPolicy", aPolicy, func(in *iamapi.UntagPolicyRequest) asked {
			return asked{policy: in.PolicyArn, tagKeys: in.TagKeys}
		}, s.untagPolicy),
	}
}

func (s *Service) accessKeyOperations() []service.Operation {
	return []service.Operation{
		on(s, "CreateAccessKey", writes, aUser, func(in *iamapi.CreateAccessKeyRequest) asked { return asked{name: in.UserName} }, s.createAccessKey),
		on(s, "DeleteAccessKey", writes, aUser, func(in *iamapi.DeleteAccessKeyRequest) asked { return asked{name: in.UserName} }, s.deleteAccessKey),
		define("GetAccessKeyLastUsed", reads, s.resolveLastUsed, nil, s.getAccessKeyLastUsed),
		on(s, "ListAccessKeys", reads, aUser, func(in *iamapi.ListAccessKeysRequest) asked { return asked{name: in.UserName} }, s.listAccessKeys),
		on(s, "UpdateAccessKey", writes, aUser, func(in *iamapi.UpdateAccessKeyRequest) asked { return asked{name: in.UserName} }, s.updateAccessKey),
	}
}

func (s *Service) accountOperations() []service.Operation {
	return []service.Operation{
		all("CreateAccountAlias", writes, s.createAccountAlias),
		all("DeleteAccountAlias", writes, s.deleteAccountAlias),
		all("GetAccountAuthorizationDetails", reads, s.getAccountAuthorizationDetails),
		all("GetAccountSummary", reads, s.getAccountSummary),
		all("ListAccountAliases", reads, s.listAccountAliases),
	}
}

func (s *Service) simulations() []service.Operation {
	return []service.Operation{
		all("GetContextKeysForCustomPolicy", reads, s.getContextKeysForCustomPolicy),
		define("GetContextKeysForPrincipalPolicy", reads, func(ctx context.Context, c *service.Call, in *iamapi.GetContextKeysForPrincipalPolicyRequest) (*target, error) {
			return s.resolveSource(ctx, c, *in.PolicySourceArn)
		}, exists, s.getContextKeysForPrincipalPolicy),
		define("SimulateCustomPolicy", reads, s.resolveSimulateCustomPolicy, func(ctx context.Context, c *service.Call, _ *iamapi.SimulateCustomPolicyRequest, x *simulation) error {
			return s.checkSimulation(ctx, c, x)
		}, s.simulateCustomPolicy),
		define("SimulatePrincipalPolicy", reads, s.resolveSimulatePrincipalPolicy, func(ctx context.Context, c *service.Call, _ *iamapi.SimulatePrincipalPolicyRequest, x *simulation) error {
			if err := x.check(); err != nil {
				return err
			}
			return s.checkSimulation(ctx, c, x)
		}, s.simulatePrincipalPolicy),
	}
}

// absentOperations are about what Trent does not have.
func (s *Service) absentOperations() []service.Operation {
	return []service.Operation{
		do[iamapi.DeleteLoginProfileResponse](s, "DeleteLoginProfile", aUser, func(in *iamapi.DeleteLoginProfileRequest) asked {
			return asked{name: in.UserName}
		}, deleteLoginProfile),
		on(s, "GetLoginProfile", reads, aUser, func(in *iamapi.GetLoginProfileRequest) asked { return asked{name: in.UserName} }, s.getLoginProfile),
		on(s, "ListInstanceProfilesForRole", reads, aRole, func(in *iamapi.ListInstanceProfilesForRoleRequest) asked { return asked{name: in.RoleName} }, s.listInstanceProfilesForRole),
		on(s, "ListMFADevices", reads, aUser, func(in *iamapi.ListMFADevicesRequest) asked { return asked{name: in.UserName} }, s.listMFADevices),
		on(s, "ListSSHPublicKeys", reads, aUser, func(in *iamapi.ListSSHPublicKeysRequest) asked { return asked{name: in.UserName} }, s.listSSHPublicKeys),
		on(s, "ListServiceSpecificCredentials", reads, aUser, func(in *iamapi.ListServiceSpecificCredentialsRequest) asked { return asked{name: in.UserName} }, s.listServiceSpecificCredentials),
		on(s, "ListSigningCertificates", reads, aUser, func(in *iamapi.ListSigningCertificatesRequest) asked { return asked{name: in.UserName} }, s.listSigningCertificates),
		all("ListVirtualMFADevices", reads, listVirtualMFADevices),
	}
}
