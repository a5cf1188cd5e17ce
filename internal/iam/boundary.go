package iam

import (
	"context"
	"fmt"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// boundary returns the managed policy that is to bound a user or a role.
func (s *Service) boundary(ctx context.Context, account, policyARN string) (storedPolicy, error) {
	if !isPolicyARN(policyARN) {
		return storedPolicy{}, invalidARN(policyARN)
	}
	m, err := s.policyByARN(ctx, policyARN)
	if err == nil && (m.Managed == nil || !m.usableIn(account)) {
		err = iamapi.NoSuchEntityException("Scope ARN: %s does not exist or is not attachable.", policyARN)
	}
	return m, err
}

// unbound adds to a change that an entity no longer has its boundary.
func (s *Service) unbound(ctx context.Context, ch *change, e *Entity) error {
	if e.Boundary == "" {
		return nil
	}
	m, err := s.policyByARN(ctx, e.Boundary)
	if err == nil && m.Managed == nil {
		err = fmt.Errorf("iam: the boundary %s of %s is missing", e.Boundary, e.ID)
	}
	if err == nil {
		ch.detach(m, bounds, e)
	}
	return err
}

func (s *Service) putBoundary(ctx context.Context, _ *service.Call, t *target) error {
	m, err := s.boundary(ctx, t.account, *t.boundary)
	if err != nil || t.entity.Boundary == *t.boundary {
		return err
	}
	ch := s.change()
	if err := s.unbound(ctx, ch, t.entity.Entity); err != nil {
		return err
	}
	e := t.entity.clone()
	e.Boundary = *t.boundary
	ch.attach(m, bounds, e)
	ch.entity(t.entity, e)
	return ch.commit(ctx)
}

func (s *Service) deleteBoundary(ctx context.Context, _ *service.Call, t *target) error {
	if t.entity.Boundary == "" {
		return iamapi.NoSuchEntityException("The %s with name %s has no permissions boundary.", t.kind, t.entity.Name)
	}
	ch := s.change()
	if err := s.unbound(ctx, ch, t.entity.Entity); err != nil {
		return err
	}
	e := t.entity.clone()
	e.Boundary = ""
	ch.entity(t.entity, e)
	return ch.commit(ctx)
}

// shownBoundary is a boundary as answers show it.
func shownBoundary(arn string) *iamapi.AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	return &iamapi.AttachedPermissionsBoundary{
		PermissionsBoundaryType: new(iamapi.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy), PermissionsBoundaryArn: &arn,
	}
}
