package iam

import (
	"context"
	"strings"
	"time"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// limits are the quotas of a kind of entity (IAM User Guide, "IAM and AWS STS quotas", default values).
type limits struct {
	count     int    // in an account
	countName string // of the quota
	inline    int    // size of all policies that live in an entity, together
}

func (k kind) limits() limits {
	switch k {
	case aGroup:
		return limits{300, "GroupsPerAccount", policy.GroupSize}
	case aRole:
		return limits{1000, "RolesPerAccount", policy.RoleSize}
	}
	return limits{5000, "UsersPerAccount", policy.UserSize}
}

// counted is the number of entities of a kind.
func (a *Account) counted(k kind) *int {
	switch k {
	case aGroup:
		return &a.Groups
	case aRole:
		return &a.Roles
	}
	return &a.Users
}

// newEntity is what is to be made of a request.
func newEntity(prefix string, c *service.Call, t *target) (*Entity, error) {
	tags, err := newTags(t.tags)
	return &Entity{
		Version: recordVersion, Account: t.account, ID: newID(prefix), Name: *t.name, Path: orRoot(t.path),
		Created: c.Now.Truncate(time.Second), Tags: tags, Boundary: text(t.boundary),
	}, err
}

// create brings an entity into being, under its name, within the account's quota.
func (s *Service) create(ctx context.Context, e *Entity) error {
	ch := s.change()
	ch.name(e.kind(), e.Account, e.Name, e.ID)
	ch.entity(storedEntity{}, e)
	ch.count(ctx, e.Account, func(a *Account) error {
		n, most := a.counted(e.kind()), e.kind().limits()
		if *n >= most.count {
			return iamapi.LimitExceededException("Cannot exceed quota for %s: %d", most.countName, most.count)
		}
		*n++
		return nil
	})
	if e.Boundary != "" {
		m, err := s.boundary(ctx, e.Account, e.Boundary)
		if err != nil {
			return err
		}
		ch.attach(m, bounds, e)
	}
	return ch.commit(ctx)
}

// delete ends an entity that has nothing any more but, perhaps, a boundary.
func (s *Service) delete(ctx context.Context, _ *service.Call, t *target) error {
	e := t.entity
	if reason := e.conflict(); reason != "" {
		return iamapi.DeleteConflictException("Cannot delete entity, must %s first.", reason)
	}
	ch := s.change()
	ch.remove(entityPath(e.ID), e.revision)
	ch.unindex(e.kind().namePath(e.Account, e.Name))
	ch.count(ctx, e.Account, func(a *Account) error {
		*a.counted(e.kind())--
		return nil
	})
	if err := s.unbound(ctx, ch, e.Entity); err != nil {
		return err
	}
	return ch.commit(ctx)
}

// conflict says what must be done before an entity can be deleted.
func (e *Entity) conflict() string {
	switch {
	case len(e.Groups) > 0 || e.Members > 0:
		return "remove users from group"
	case len(e.Inline) > 0:
		return "delete policies"
	case len(e.Attached) > 0:
		return "detach all policies"
	case len(e.AccessKeys) > 0:
		return "delete access keys"
	}
	return ""
}

// rename gives an entity another path or name. It stays the same entity, with the same unique id.
func (s *Service) rename(ctx context.Context, t *target, path, name *string) error {
	e := t.entity.clone()
	if path != nil {
		e.Path = *path
	}
	if name != nil {
		e.Name = *name
	}
	ch := s.change()
	ch.entity(t.entity, e)
	if !strings.EqualFold(e.Name, t.entity.Name) {
		taken, err := s.find(ctx, t.kind, t.account, e.Name)
		if err != nil {
			return err
		}
		if taken.Entity != nil {
			return alreadyExists(t.kind, *name)
		}
		ch.unindex(t.kind.namePath(t.account, t.entity.Name))
		ch.name(t.kind, t.account, e.Name, e.ID)
	}
	return ch.commit(ctx)
}

// resolveRename resolves an entity that is to get another path or name: the caller must be allowed that of what it is and of
// what it becomes.
func (s *Service) resolveRename(ctx context.Context, c *service.Call, k kind, old string, path, name *string) (*target, error) {
	t, err := s.resolve(ctx, c, k, writes, asked{name: &old})
	if err != nil || t.entity.Entity == nil {
		return t, err
	}
	to := t.entity.clone()
	if path != nil {
		to.Path = *path
	}
	if name != nil {
		to.Name = *name
	}
	t.require("iam:"+c.Operation, to.ARN())
	return t, nil
}

// listEntities returns a page of the entities of a kind, in the order of their names, whose case does not count.
func (s *Service) listEntities(ctx context.Context, c *service.Call, k kind, a asked, add func(*Entity) error) (truncated *bool, marker *string, err error) {
	p, err := newPager(c, a.marker, a.maxItems, text(a.pathPrefix))
	if err != nil {
		return nil, nil, err
	}
	return p.scan(ctx, s, k.names(c.Caller.Account), func(name string, _ []byte) (bool, error) {
		e, err := s.find(ctx, k, c.Caller.Account, name)
		if err != nil || e.Entity == nil || !hasPath(e.Path, a.pathPrefix) {
			return false, err
		}
		return true, add(e.Entity)
	})
}
