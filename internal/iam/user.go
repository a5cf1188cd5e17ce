package iam

import (
	"context"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

// shownUser is a user as answers show it.
func (e *Entity) shownUser() *iamapi.User {
	return &iamapi.User{
		Path: &e.Path, UserName: &e.Name, UserId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created,
		PermissionsBoundary: shownBoundary(e.Boundary), Tags: shownTags(e.Tags),
	}
}

func (s *Service) createUser(ctx context.Context, c *service.Call, _ *iamapi.CreateUserRequest, t *target) (*iamapi.CreateUserResponse, error) {
	e, err := newEntity(userID, c, t)
	if err != nil {
		return nil, err
	}
	return &iamapi.CreateUserResponse{User: e.shownUser()}, s.create(ctx, e)
}

// getUser shows a user. Without a name it is the caller, which may be an account's root user, as old as the account.
func (s *Service) getUser(ctx context.Context, _ *service.Call, _ *iamapi.GetUserRequest, t *target) (*iamapi.GetUserResponse, error) {
	if !t.root {
		return &iamapi.GetUserResponse{User: t.entity.shownUser()}, nil
	}
	a, err := s.accountRecord(ctx, t.account)
	if err != nil {
		return nil, err
	}
	created := a.Created
	if created.IsZero() {
		created = s.Since
	}
	root := caller.RootOf(t.account, "")
	return &iamapi.GetUserResponse{User: &iamapi.User{UserId: &root.UserID, Arn: &root.ARN, CreateDate: &created}}, nil
}

func (s *Service) updateUser(ctx context.Context, _ *service.Call, in *iamapi.UpdateUserRequest, t *target) (*iamapi.UpdateUserResponse, error) {
	return new(iamapi.UpdateUserResponse), s.rename(ctx, t, in.NewPath, in.NewUserName)
}

func (s *Service) listUsers(ctx context.Context, c *service.Call, in *iamapi.ListUsersRequest, _ service.Own) (*iamapi.ListUsersResponse, error) {
	out := &iamapi.ListUsersResponse{Users: []iamapi.User{}}
	var err error
	a := asked{pathPrefix: in.PathPrefix, marker: in.Marker, maxItems: in.MaxItems}
	out.IsTruncated, out.Marker, err = s.listEntities(ctx, c, aUser, a, func(e *Entity) error {
		u := e.shownUser()
		u.Tags, u.PermissionsBoundary = nil, nil // GetUser shows them
		out.Users = append(out.Users, *u)
		return nil
	})
	return out, err
}

func (s *Service) listGroupsForUser(ctx context.Context, c *service.Call, in *iamapi.ListGroupsForUserRequest, t *target) (*iamapi.ListGroupsForUserResponse, error) {
	p, err := newPager(c, in.Marker, in.MaxItems, t.entity.ID)
	if err != nil {
		return nil, err
	}
	groups, err := s.groupsOf(ctx, t.entity.Entity)
	if err != nil {
		return nil, err
	}
	out := &iamapi.ListGroupsForUserResponse{Groups: []iamapi.Group{}}
	page, truncated, marker := slicePage(p, groups, func(g **Entity) string { return (*g).Name })
	for _, g := range page {
		out.Groups = append(out.Groups, *g.shownGroup())
	}
	out.IsTruncated, out.Marker = truncated, marker
	return out, nil
}
