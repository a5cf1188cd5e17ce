package iam

import (
	"context"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// Trent has no console passwords, MFA devices, SSH keys, certificates, service-specific credentials or instance profiles.
// Terraform asks for them before it deletes a user or a role, so the answer is that there are none.

func (s *Service) getLoginProfile(_ context.Context, _ *service.Call, _ *iamapi.GetLoginProfileRequest, t *target) (*iamapi.GetLoginProfileResponse, error) {
	return nil, noLoginProfile(t)
}

func deleteLoginProfile(_ context.Context, _ *service.Call, t *target) error {
	return noLoginProfile(t)
}

func noLoginProfile(t *target) error {
	return iamapi.NoSuchEntityException("Login Profile for User %s cannot be found.", t.ownerName())
}

func (s *Service) listMFADevices(context.Context, *service.Call, *iamapi.ListMFADevicesRequest, *target) (*iamapi.ListMFADevicesResponse, error) {
	return &iamapi.ListMFADevicesResponse{MFADevices: []iamapi.MFADevice{}, IsTruncated: new(false)}, nil
}

func (s *Service) listSSHPublicKeys(context.Context, *service.Call, *iamapi.ListSSHPublicKeysRequest, *target) (*iamapi.ListSSHPublicKeysResponse, error) {
	return &iamapi.ListSSHPublicKeysResponse{SSHPublicKeys: []iamapi.SSHPublicKeyMetadata{}, IsTruncated: new(false)}, nil
}

func (s *Service) listServiceSpecificCredentials(context.Context, *service.Call, *iamapi.ListServiceSpecificCredentialsRequest, *target) (*iamapi.ListServiceSpecificCredentialsResponse, error) {
	return &iamapi.ListServiceSpecificCredentialsResponse{ServiceSpecificCredentials: []iamapi.ServiceSpecificCredentialMetadata{}, IsTruncated: new(false)}, nil
}

func (s *Service) listSigningCertificates(context.Context, *service.Call, *iamapi.ListSigningCertificatesRequest, *target) (*iamapi.ListSigningCertificatesResponse, error) {
	return &iamapi.ListSigningCertificatesResponse{Certificates: []iamapi.SigningCertificate{}, IsTruncated: new(false)}, nil
}

func (s *Service) listInstanceProfilesForRole(context.Context, *service.Call, *iamapi.ListInstanceProfilesForRoleRequest, *target) (*iamapi.ListInstanceProfilesForRoleResponse, error) {
	return &iamapi.ListInstanceProfilesForRoleResponse{InstanceProfiles: []iamapi.InstanceProfile{}, IsTruncated: new(false)}, nil
}

// listVirtualMFADevices reads a marker as all listings do, although it gives none.
func listVirtualMFADevices(_ context.Context, c *service.Call, in *iamapi.ListVirtualMFADevicesRequest, _ service.Own) (*iamapi.ListVirtualMFADevicesResponse, error) {
	if _, err := newPager(c, in.Marker, in.MaxItems); err != nil {
		return nil, err
	}
	return &iamapi.ListVirtualMFADevicesResponse{VirtualMFADevices: []iamapi.VirtualMFADevice{}, IsTruncated: new(false)}, nil
}
