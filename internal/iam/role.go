package iam

import (
	"context"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// defaultMaxSession is the longest session, in seconds, of a role that says nothing of it.
const defaultMaxSession = 3600

// linkedPath is where the roles are that AWS services make for themselves. Nobody else can make one there.
const linkedPath = "/aws-service-role/"

// shownRole is a role as answers show it, with its trust policy as it would be written today.
func (s *Service) shownRole(ctx context.Context, e *Entity) (*iamapi.Role, error) {
	trust, err := s.trustToShow(ctx, e.Trust)
	r := &iamapi.Role{
		Path: &e.Path, RoleName: &e.Name, RoleId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created,
		AssumeRolePolicyDocument: encoded(trust), MaxSessionDuration: &e.MaxSession,
		PermissionsBoundary: shownBoundary(e.Boundary), Tags: shownTags(e.Tags),
	}
	if e.Description != "" {
		r.Description = &e.Description
	}
	return r, err
}

func (s *Service) createRole(ctx context.Context, c *service.Call, in *iamapi.CreateRoleRequest, t *target) (*iamapi.CreateRoleResponse, error) {
	if strings.HasPrefix(orRoot(in.Path), linkedPath) {
		return nil, iamapi.InvalidInputException("The path %s is reserved for service-linked roles.", linkedPath)
	}
	e, err := newEntity(roleID, c, t)
	if err != nil {
		return nil, err
	}
	e.Description, e.MaxSession = text(in.Description), defaultMaxSession
	if in.MaxSessionDuration != nil {
		e.MaxSession = *in.MaxSessionDuration
	}
	if e.Trust, err = s.trustToStore(ctx, *in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	if err := s.create(ctx, e); err != nil {
		return nil, err
	}
	shown, err := s.shownRole(ctx, e)
	return &iamapi.CreateRoleResponse{Role: shown}, err
}

func (s *Service) getRole(ctx context.Context, _ *service.Call, _ *iamapi.GetRoleRequest, t *target) (*iamapi.GetRoleResponse, error) {
	shown, err := s.shownRole(ctx, t.entity.Entity)
	return &iamapi.GetRoleResponse{Role: shown}, err
}

func (s *Service) listRoles(ctx context.Context, c *service.Call, in *iamapi.ListRolesRequest, _ service.Own) (*iamapi.ListRolesResponse, error) {
	out := &iamapi.ListRolesResponse{Roles: []iamapi.Role{}}
	var err error
	a := asked{pathPrefix: in.PathPrefix, marker: in.Marker, maxItems: in.MaxItems}
	out.IsTruncated, out.Marker, err = s.listEntities(ctx, c, aRole, a, func(e *Entity) error {
		r, err := s.shownRole(ctx, e)
		r.Tags, r.PermissionsBoundary = nil, nil // GetRole shows them
		out.Roles = append(out.Roles, *r)
		return err
	})
	return out, err
}

// updateRole changes what the request names, and leaves the rest.
func (s *Service) updateRole(ctx context.Context, _ *service.Call, in *iamapi.UpdateRoleRequest, t *target) (*iamapi.UpdateRoleResponse, error) {
	_, err := s.describeRole(ctx, t, in.Description, in.MaxSessionDuration)
	return new(iamapi.UpdateRoleResponse), err
}

func (s *Service) updateRoleDescription(ctx context.Context, _ *service.Call, in *iamapi.UpdateRoleDescriptionRequest, t *target) (*iamapi.UpdateRoleDescriptionResponse, error) {
	e, err := s.describeRole(ctx, t, in.Description, nil)
	if err != nil {
		return nil, err
	}
	shown, err := s.shownRole(ctx, e)
	return &iamapi.UpdateRoleDescriptionResponse{Role: shown}, err
}

func (s *Service) describeRole(ctx context.Context, t *target, description *string, maxSession *int32) (*Entity, error) {
	e := t.entity.clone()
	if description != nil {
		e.Description = *description
	}
	if maxSession != nil {
		e.MaxSession = *maxSession
	}
	return e, s.saveEntity(ctx, t, e)
}

func (s *Service) updateAssumeRolePolicy(ctx context.Context, _ *service.Call, t *target) error {
	trust, err := s.trustToStore(ctx, *t.document)
	if err != nil {
		return err
	}
	e := t.entity.clone()
	e.Trust = trust
	return s.saveEntity(ctx, t, e)
}

// saveEntity commits a change of nothing but the target's entity.
func (s *Service) saveEntity(ctx context.Context, t *target, e *Entity) error {
	ch := s.change()
	ch.entity(t.entity, e)
	return ch.commit(ctx)
}
