package iam

import (
	"context"
	"slices"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// maxGroups is how many groups a user can be in.
const maxGroups = 10

// shownGroup is a group as answers show it.
func (e *Entity) shownGroup() *iamapi.Group {
	return &iamapi.Group{Path: &e.Path, GroupName: &e.Name, GroupId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created}
}

func (s *Service) createGroup(ctx context.Context, c *service.Call, _ *iamapi.CreateGroupRequest, t *target) (*iamapi.CreateGroupResponse, error) {
	e, err := newEntity(groupID, c, t)
	if err != nil {
		return nil, err
	}
	return &iamapi.CreateGroupResponse{Group: e.shownGroup()}, s.create(ctx, e)
}

// getGroup shows a group and a page of the users in it, in the order of their unique ids.
func (s *Service) getGroup(ctx context.Context, c *service.Call, in *iamapi.GetGroupRequest, t *target) (*iamapi.GetGroupResponse, error) {
	p, err := newPager(c, in.Marker, in.MaxItems, t.entity.ID)
	if err != nil {
		return nil, err
	}
	out := &iamapi.GetGroupResponse{Group: t.entity.shownGroup(), Users: []iamapi.User{}}
	out.IsTruncated, out.Marker, err = p.scan(ctx, s, memberPath(t.entity.ID, ""), func(id string, _ []byte) (bool, error) {
		u, err := s.byID(ctx, id)
		if err != nil || u.Entity == nil || !slices.Contains(u.Groups, t.entity.ID) {
			return false, err
		}
		shown := u.shownUser()
		shown.Tags, shown.PermissionsBoundary = nil, nil
		out.Users = append(out.Users, *shown)
		return true, nil
	})
	return out, err
}

func (s *Service) updateGroup(ctx context.Context, _ *service.Call, in *iamapi.UpdateGroupRequest, t *target) (*iamapi.UpdateGroupResponse, error) {
	return new(iamapi.UpdateGroupResponse), s.rename(ctx, t, in.NewPath, in.NewGroupName)
}

func (s *Service) listGroups(ctx context.Context, c *service.Call, in *iamapi.ListGroupsRequest, _ service.Own) (*iamapi.ListGroupsResponse, error) {
	out := &iamapi.ListGroupsResponse{Groups: []iamapi.Group{}}
	var err error
	a := asked{pathPrefix: in.PathPrefix, marker: in.Marker, maxItems: in.MaxItems}
	out.IsTruncated, out.Marker, err = s.listEntities(ctx, c, aGroup, a, func(e *Entity) error {
		out.Groups = append(out.Groups, *e.shownGroup())
		return nil
	})
	return out, err
}

// addUserToGroup changes the user, the group, and the index between them. A user that is in the group stays there.
func (s *Service) addUserToGroup(ctx context.Context, c *service.Call, in *iamapi.AddUserToGroupRequest, t *target) (*iamapi.AddUserToGroupResponse, error) {
	u, err := s.member(ctx, c, *in.UserName)
	if err != nil {
		return nil, err
	}
	if slices.Contains(u.Groups, t.entity.ID) {
		return new(iamapi.AddUserToGroupResponse), nil
	}
	if len(u.Groups) >= maxGroups {
		return nil, iamapi.LimitExceededException("Cannot exceed quota for GroupsPerUser: %d", maxGroups)
	}
	user, group := u.clone(), t.entity.clone()
	user.Groups = append(user.Groups, group.ID)
	group.Members++
	ch := s.change()
	ch.entity(u, user)
	ch.entity(t.entity, group)
	ch.index(memberPath(group.ID, user.ID))
	return new(iamapi.AddUserToGroupResponse), ch.commit(ctx)
}

// removeUserFromGroup is the reverse. A user that is not in the group is left alone.
func (s *Service) removeUserFromGroup(ctx context.Context, c *service.Call, in *iamapi.RemoveUserFromGroupRequest, t *target) (*iamapi.RemoveUserFromGroupResponse, error) {
	u, err := s.member(ctx, c, *in.UserName)
	if err != nil {
		return nil, err
	}
	user, group := u.clone(), t.entity.clone()
	user.Groups = slices.DeleteFunc(user.Groups, func(id string) bool { return id == group.ID })
	if len(user.Groups) == len(u.Groups) {
		return new(iamapi.RemoveUserFromGroupResponse), nil
	}
	group.Members--
	ch := s.change()
	ch.entity(u, user)
	ch.entity(t.entity, group)
	ch.unindex(memberPath(group.ID, user.ID))
	return new(iamapi.RemoveUserFromGroupResponse), ch.commit(ctx)
}

// member returns the user that an operation on a group names.
func (s *Service) member(ctx context.Context, c *service.Call, name string) (storedEntity, error) {
	u, err := s.find(ctx, aUser, c.Caller.Account, name)
	if err == nil && u.Entity == nil {
		err = notFound(aUser, name)
	}
	return u, err
}

// groupsOf returns the groups that a user is in, ordered by name.
func (s *Service) groupsOf(ctx context.Context, u *Entity) ([]*Entity, error) {
	var groups []*Entity
	for _, id := range u.Groups {
		g, err := s.byID(ctx, id)
		if err != nil {
			return nil, err
		}
		if g.Entity != nil {
			groups = append(groups, g.Entity)
		}
	}
	slices.SortFunc(groups, func(a, b *Entity) int { return strings.Compare(a.Name, b.Name) })
	return groups, nil
}
