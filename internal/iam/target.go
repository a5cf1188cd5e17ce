package iam

import (
	"context"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

// asked is what requests say of what they act on; each operation has some of it.
type asked struct {
	name     *string // of a user, a group or a role
	path     *string // of what is to be made
	policy   *string // ARN of a managed policy
	inline   *string // name of a policy that lives in an entity
	document *string // a policy
	boundary *string // ARN of a managed policy
	tags     []iamapi.Tag
	tagKeys  []string
	pathPrefix,
	marker *string
	maxItems *int32
}

// target is what an operation acts on: a user, a group or a role, or a managed policy; or two of them, one attached to the
// other. What does not exist is not refused before it is decided whether the caller may know.
type target struct {
	asked
	kind
	account string
	entity  storedEntity // the zero value if there is none
	managed storedPolicy
	// root says that the operation is about the caller itself, a root user.
	root   bool
	is     traits
	access []authz.Access
}

// Access lists what was found out when the target was resolved.
func (t *target) Access(*service.Call) []authz.Access { return t.access }

// aPolicy is the kind of target that operations on managed policies have.
const aPolicy kind = "policy"

// resolve finds what a request names.
func (s *Service) resolve(ctx context.Context, c *service.Call, k kind, is traits, a asked) (*target, error) {
	t := &target{asked: a, kind: k, account: c.Caller.Account, is: is}
	err := s.lookUp(ctx, c, t)
	if err != nil {
		return nil, err
	}
	t.require("iam:"+c.Operation, t.resource())
	if t.creates() && len(a.tags) > 0 {
		t.require("iam:Tag"+k.title(), t.resource())
	}
	return t, nil
}

// lookUp reads the records of a target.
func (s *Service) lookUp(ctx context.Context, c *service.Call, t *target) (err error) {
	if t.policy != nil {
		if t.managed, err = s.policyByARN(ctx, *t.policy); err != nil {
			return err
		}
	}
	switch {
	case t.kind == aPolicy && t.creates():
		t.managed, err = s.policyByName(ctx, t.account, *t.name)
	case t.kind == aPolicy:
	case t.name == nil && c.Caller.Type == caller.Root:
		t.root = true
	case t.name == nil && c.Caller.Type == caller.User:
		t.entity, err = s.byID(ctx, c.Caller.ID)
		t.name = &c.Caller.Name
	case t.name == nil:
		return api.ValidationException("Must specify userName when calling with non-User credentials")
	default:
		t.entity, err = s.find(ctx, t.kind, t.account, *t.name)
	}
	return err
}

// require adds an action on the target, under an ARN, to what the caller must be allowed.
func (t *target) require(action, resource string) {
	t.access = append(t.access, authz.Access{
		Action: action, Resource: resource, Account: t.owner(), Local: true, Context: t.conditions(),
	})
}

// resource is the target's ARN. Of what does not exist, it is the ARN that it would have without a path.
func (t *target) resource() string {
	switch {
	case t.creates():
		return entityARN(t.kind, t.account, orRoot(t.path), *t.name)
	case t.kind == aPolicy:
		return *t.policy
	case t.root:
		return caller.RootARN(t.account)
	case t.entity.Entity != nil:
		return t.entity.ARN()
	}
	return entityARN(t.kind, t.account, "/", *t.name)
}

// owner is the account that the target belongs to: the caller's own, but for other accounts' policies, and for those that
// come with Trent if they are to be changed.
func (t *target) owner() string {
	if t.kind != aPolicy || t.creates() {
		return t.account
	}
	account, _, _, ok := parsePolicyARN(*t.policy)
	if !ok || account == awsAccount && t.is == reads {
		return t.account
	}
	return account
}

// creates says that the target is to come into being.
func (t *target) creates() bool { return t.is&creates != 0 }

func (t *target) conditions() *conditions {
	c := &conditions{tags: t.tags, tagKeys: t.tagKeys}
	switch {
	case t.creates():
	case t.entity.Entity != nil:
		c.resource, c.boundary = t.entity.Tags, t.entity.Boundary
	case t.kind == aPolicy && t.managed.Managed != nil:
		c.resource = t.managed.Tags
	}
	if t.kind != aPolicy && t.policy != nil {
		c.policyARN = *t.policy
	}
	if t.boundary != nil {
		c.boundary = *t.boundary
	}
	return c
}

// check refuses what does not exist, or what is to be made and exists.
func (t *target) check() error {
	switch {
	case t.creates() && t.managed.Managed != nil:
		return iamapi.EntityAlreadyExistsException("A policy called %s already exists. Duplicate names are not allowed.", *t.name)
	case t.creates() && t.entity.Entity != nil:
		return alreadyExists(t.kind, *t.name)
	case t.creates():
		return nil
	case t.kind == aPolicy && !isPolicyARN(*t.policy):
		return invalidARN(*t.policy)
	case t.kind == aPolicy && t.managed.Managed == nil:
		return iamapi.NoSuchEntityException("Policy %s was not found.", *t.policy)
	case t.kind != aPolicy && t.entity.Entity == nil && !t.root:
		return notFound(t.kind, *t.name)
	}
	return nil
}

func invalidARN(s string) error { return iamapi.InvalidInputException("ARN %s is not valid.", s) }

func notFound(k kind, name string) error {
	return iamapi.NoSuchEntityException("The %s with name %s cannot be found.", k, name)
}

func alreadyExists(k kind, name string) error {
	return iamapi.EntityAlreadyExistsException("%s with name %s already exists.", k.title(), name)
}

func isPolicyARN(s string) bool {
	_, _, _, ok := parsePolicyARN(s)
	return ok
}

// orRoot is the path of an entity that is given none.
func orRoot(path *string) string {
	if path == nil {
		return "/"
	}
	return *path
}

// title is the kind as texts begin with it.
func (k kind) title() string { return strings.ToUpper(string(k[:1])) + string(k[1:]) }

// exists is the check of rows whose targets must exist.
func exists[In any](_ context.Context, _ *service.Call, _ *In, t *target) error { return t.check() }
