package iam

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// maxVersions is how many versions a managed policy can have.
const maxVersions = 5

// bytes is how much text the versions have together.
func (m *Managed) bytes() int {
	n := 0
	for i := range m.Versions {
		n += len(m.Versions[i].Text)
	}
	return n
}

// versionID is the id of a version: v1, v2, …
func versionID(number int) string { return "v" + strconv.Itoa(number) }

// versionNamed finds the version that the request names.
func (t *target) versionNamed(id string) (*Version, error) {
	digits := strings.TrimPrefix(id, "v")
	number, err := strconv.Atoi(digits)
	if v := t.managed.version(number); err == nil && v != nil && versionID(number) == id {
		return v, nil
	}
	return nil, iamapi.NoSuchEntityException("Policy %s version %s does not exist or is not attachable.", *t.policy, id)
}

func (m *Managed) shownVersion(v *Version) iamapi.PolicyVersion {
	return iamapi.PolicyVersion{VersionId: new(versionID(v.Number)), IsDefaultVersion: new(v.Number == m.Default), CreateDate: &v.Created}
}

func (s *Service) createPolicyVersion(ctx context.Context, c *service.Call, in *iamapi.CreatePolicyVersionRequest, t *target) (*iamapi.CreatePolicyVersionResponse, error) {
	if err := checkManagedPolicy(*t.document); err != nil {
		return nil, err
	}
	if len(t.managed.Versions) >= maxVersions {
		return nil, iamapi.LimitExceededException("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
	}
	m := t.managed.clone()
	if m.bytes()+len(*t.document) > maxManagedBytes {
		return nil, iamapi.LimitExceededException("Cannot exceed quota for PolicySize: %d", policy.ManagedSize)
	}
	m.Latest++
	m.Updated = c.Now.Truncate(time.Second)
	v := Version{Number: m.Latest, Text: *t.document, Created: m.Updated}
	m.Versions = append(m.Versions, v)
	if in.SetAsDefault != nil && *in.SetAsDefault {
		m.Default = v.Number
	}
	shown := m.shownVersion(&v)
	return &iamapi.CreatePolicyVersionResponse{PolicyVersion: &shown}, s.savePolicy(ctx, t, m)
}

func (s *Service) getPolicyVersion(_ context.Context, _ *service.Call, in *iamapi.GetPolicyVersionRequest, t *target) (*iamapi.GetPolicyVersionResponse, error) {
	v, err := t.versionNamed(*in.VersionId)
	if err != nil {
		return nil, err
	}
	shown := t.managed.shownVersion(v)
	shown.Document = encoded(v.Text)
	return &iamapi.GetPolicyVersionResponse{PolicyVersion: &shown}, nil
}

func (s *Service) listPolicyVersions(_ context.Context, c *service.Call, in *iamapi.ListPolicyVersionsRequest, t *target) (*iamapi.ListPolicyVersionsResponse, error) {
	p, err := newPager(c, in.Marker, in.MaxItems, t.managed.ID)
	if err != nil {
		return nil, err
	}
	newest := slices.Clone(t.managed.Versions)
	slices.Reverse(newest)
	// The newest comes first: what is left of the numbers goes up.
	page, truncated, marker := slicePage(p, newest, func(v *Version) string { return strconv.Itoa(1_000_000_000 - v.Number) })
	out := &iamapi.ListPolicyVersionsResponse{Versions: []iamapi.PolicyVersion{}, IsTruncated: truncated, Marker: marker}
	for i := range page {
		out.Versions = append(out.Versions, t.managed.shownVersion(&page[i]))
	}
	return out, nil
}

func (s *Service) setDefaultPolicyVersion(ctx context.Context, c *service.Call, in *iamapi.SetDefaultPolicyVersionRequest, t *target) (*iamapi.SetDefaultPolicyVersionResponse, error) {
	v, err := t.versionNamed(*in.VersionId)
	if err != nil {
		return nil, err
	}
	m := t.managed.clone()
	m.Default, m.Updated = v.Number, c.Now.Truncate(time.Second)
	return new(iamapi.SetDefaultPolicyVersionResponse), s.savePolicy(ctx, t, m)
}

func (s *Service) deletePolicyVersion(ctx context.Context, c *service.Call, in *iamapi.DeletePolicyVersionRequest, t *target) (*iamapi.DeletePolicyVersionResponse, error) {
	v, err := t.versionNamed(*in.VersionId)
	if err != nil {
		return nil, err
	}
	if v.Number == t.managed.Default {
		return nil, iamapi.DeleteConflictException("Cannot delete the default version of a policy.")
	}
	m := t.managed.clone()
	m.Updated = c.Now.Truncate(time.Second)
	m.Versions = slices.DeleteFunc(m.Versions, func(other Version) bool { return other.Number == v.Number })
	return new(iamapi.DeletePolicyVersionResponse), s.savePolicy(ctx, t, m)
}
