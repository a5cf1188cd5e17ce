package org

import (
	"context"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
)

func findEnable(_ context.Context, c *service.Call, in *orgapi.EnablePolicyTypeRequest, t *target) error {
	return findRoot(c, *in.RootId, *in.PolicyType, t)
}

func findDisable(_ context.Context, c *service.Call, in *orgapi.DisablePolicyTypeRequest, t *target) error {
	return findRoot(c, *in.RootId, *in.PolicyType, t)
}

func findRoot(c *service.Call, id string, kind orgapi.PolicyType, t *target) error {
	if id != t.org.Root {
		return orgapi.RootNotFoundException("You specified a root that doesn't exist.")
	}
	t.entity = entity{org: t.org}
	t.on(c, t.entity.arn(), &keys{policyType: kind, has: t.org.Node.Tags})
	return nil
}

// enablePolicyType lets policies of a type be attached. AWS's own of that type is attached to everything, so that nothing
// changes yet.
func (s *Service) enablePolicyType(ctx context.Context, _ *service.Call, in *orgapi.EnablePolicyTypeRequest, t *target) (*orgapi.EnablePolicyTypeResponse, error) {
	control := t.org.control(*in.PolicyType)
	if control == nil {
		return nil, notAvailable()
	}
	if control.Enabled {
		return nil, orgapi.PolicyTypeAlreadyEnabledException("The specified policy type is already enabled.")
	}
	control.Enabled = true
	control.Round++
	x := t.change()
	return &orgapi.EnablePolicyTypeResponse{Root: shownRoot(t.org)}, s.commit(ctx, x)
}

// disablePolicyType detaches all policies of a type from everything, for good: enabling the type again does not bring
// them back.
func (s *Service) disablePolicyType(ctx context.Context, _ *service.Call, in *orgapi.DisablePolicyTypeRequest, t *target) (*orgapi.DisablePolicyTypeResponse, error) {
	control := t.org.control(*in.PolicyType)
	if control == nil || !control.Enabled {
		return nil, orgapi.PolicyTypeNotEnabledException("This operation can be performed only for enabled policy types.")
	}
	control.Enabled = false
	x := t.change()
	return &orgapi.DisablePolicyTypeResponse{Root: shownRoot(t.org)}, s.commit(ctx, x)
}
