package org

import (
	"context"
	"slices"

	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// of returns the list for the policies of a type.
func (n *node) of(t orgapi.PolicyType) *attachments {
	if t == resourcePolicy {
		return &n.Resources
	}
	return &n.Services
}

// attached returns the ids of the policies of a type that are attached to a node; none when the type is not enabled.
func (o *organization) attached(t orgapi.PolicyType, n *node) []string {
	control := o.control(t)
	switch a := n.of(t); {
	case control == nil || !control.Enabled:
		return nil
	case a.Round == control.Round:
		return a.IDs
	}
	return []string{managedID(t)}
}

// attach makes ids the policies that are attached to a node.
func (o *organization) attach(t orgapi.PolicyType, n *node, ids []string) {
	*n.of(t) = attachments{Round: o.control(t).Round, IDs: ids}
}

// targets is how many targets a policy is attached to.
func (p *controlPolicy) targets(o *organization) int {
	if control := o.control(p.Type); !control.Enabled || p.Round != control.Round {
		return 0
	}
	return p.Targets
}

// count notes that a policy is attached to more targets, or fewer.
func (p *controlPolicy) count(o *organization, more int) {
	p.Targets, p.Round = p.targets(o)+more, o.control(p.Type).Round
}

// detachAll adds to a transaction that an entity which ceases to be has no policies any more: that they know.
func (s *Service) detachAll(ctx context.Context, x *change, e entity) error {
	for _, t := range []orgapi.PolicyType{servicePolicy, resourcePolicy} {
		for _, id := range e.org.attached(t, e.node()) {
			if managedType(id) != "" {
				continue
			}
			p, err := must[controlPolicy](ctx, s, policyPrefix(e.org.ID)+id)
			if err != nil {
				return err
			}
			p.count(e.org, -1)
			x.put(p)
		}
	}
	return nil
}

// attachment is a policy's id and type and a target's, as a request to attach or detach names them.
func (t *target) attachment() (id string, kind orgapi.PolicyType) {
	if t.managed != "" {
		return managedID(t.managed), t.managed
	}
	return t.policy.ID, t.policy.Type
}

func (s *Service) findAttach(ctx context.Context, c *service.Call, in *orgapi.AttachPolicyRequest, t *target) error {
	return s.findAttachment(ctx, c, *in.PolicyId, *in.TargetId, t)
}

func (s *Service) findDetach(ctx context.Context, c *service.Call, in *orgapi.DetachPolicyRequest, t *target) error {
	return s.findAttachment(ctx, c, *in.PolicyId, *in.TargetId, t)
}

// findAttachment finds a policy and a target. Both must be allowed.
func (s *Service) findAttachment(ctx context.Context, c *service.Call, policyID, targetID string, t *target) error {
	ok, err := s.policy(ctx, c, policyID, t)
	if err == nil && !ok {
		return noPolicy()
	}
	if err != nil {
		return err
	}
	ok, err = s.find(ctx, c, targetID, t)
	if err == nil && !ok {
		return noTarget()
	}
	if err == nil {
		_, kind := t.attachment()
		t.access[len(t.access)-1].Context.(*keys).policyType = kind
	}
	return err
}

func (s *Service) attachPolicy(ctx context.Context, _ *service.Call, _ *orgapi.AttachPolicyRequest, t *target) (*api.Empty, error) {
	id, kind := t.attachment()
	if !t.org.control(kind).Enabled {
		return nil, orgapi.PolicyTypeNotEnabledException("This operation can be performed only for enabled policy types.")
	}
	now := t.org.attached(kind, t.entity.node())
	if slices.Contains(now, id) {
		return nil, orgapi.DuplicatePolicyAttachmentException("A policy with the specified name and type is already attached to the target.")
	}
	if len(now) >= maxAttached {
		return nil, constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", "You have exceeded the number of policies of a type that can be attached to a target: %d.", maxAttached)
	}
	return s.setAttached(ctx, t, kind, append(slices.Clone(now), id), 1)
}

func (s *Service) detachPolicy(ctx context.Context, _ *service.Call, _ *orgapi.DetachPolicyRequest, t *target) (*api.Empty, error) {
	id, kind := t.attachment()
	now := t.org.attached(kind, t.entity.node())
	switch {
	case !slices.Contains(now, id):
		return nil, orgapi.PolicyNotAttachedException("The policy isn't attached to the specified target in the specified root.")
	case id == managedID(resourcePolicy): // Organizations User Guide, "Resource control policies": it can't be detached
		return nil, immutable()
	case len(now) == 1:
		return nil, constraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", "You cannot remove the last policy attached to the specified target. You must have at least one attached at all times.")
	}
	left := slices.DeleteFunc(slices.Clone(now), func(have string) bool { return have == id })
	return s.setAttached(ctx, t, kind, left, -1)
}

// setAttached commits the policies of a target, and how many more targets the policy has.
func (s *Service) setAttached(ctx context.Context, t *target, kind orgapi.PolicyType, ids []string, more int) (*api.Empty, error) {
	t.org.attach(kind, t.entity.node(), ids)
	x := t.change()
	x.put(t.entity.record())
	if t.policy != nil {
		t.policy.count(t.org, more)
		x.put(t.policy)
	}
	return &api.Empty{}, s.commit(ctx, x)
}

func (s *Service) findListPoliciesForTarget(ctx context.Context, c *service.Call, in *orgapi.ListPoliciesForTargetRequest, t *target) error {
	ok, err := s.find(ctx, c, *in.TargetId, t)
	if err == nil && !ok {
		return noTarget()
	}
	if err == nil {
		t.access[0].Context.(*keys).policyType = *in.Filter
	}
	return err
}

// listPoliciesForTarget lists what is attached to a target itself.
func (s *Service) listPoliciesForTarget(ctx context.Context, c *service.Call, in *orgapi.ListPoliciesForTargetRequest, t *target) (*orgapi.ListPoliciesForTargetResponse, error) {
	p, err := newPager(c, t, in.NextToken, in.MaxResults, *in.TargetId, string(*in.Filter))
	if err != nil {
		return nil, err
	}
	out := &orgapi.ListPoliciesForTargetResponse{Policies: []orgapi.PolicySummary{}}
	ids, next, err := slicePage(p, t.org.attached(*in.Filter, t.entity.node()))
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if kind := managedType(id); kind != "" {
			out.Policies = append(out.Policies, *managed(kind))
			continue
		}
		attached, err := must[controlPolicy](ctx, s, policyPrefix(t.org.ID)+id)
		if err != nil {
			return nil, err
		}
		out.Policies = append(out.Policies, *attached.summary(t.org))
	}
	out.NextToken = next
	return out, nil
}

// listTargetsForPolicy goes through all roots, organisational units and accounts: no record of the policy says which.
func (s *Service) listTargetsForPolicy(ctx context.Context, c *service.Call, in *orgapi.ListTargetsForPolicyRequest, t *target) (*orgapi.ListTargetsForPolicyResponse, error) {
	p, err := newPager(c, t, in.NextToken, in.MaxResults, *in.PolicyId)
	if err != nil {
		return nil, err
	}
	out := &orgapi.ListTargetsForPolicyResponse{Targets: []orgapi.PolicyTargetSummary{}}
	id, kind := t.attachment()
	add := func(e entity, err error) (bool, error) {
		if err != nil || !slices.Contains(t.org.attached(kind, e.node()), id) {
			return false, err
		}
		out.Targets = append(out.Targets, orgapi.PolicyTargetSummary{
			TargetId: new(e.id()), Arn: new(e.arn()), Name: new(e.name()), Type: new(e.kind()),
		})
		return true, nil
	}
	out.NextToken, err = p.scan(ctx, s, nil,
		part{t.org.path(), func(store.Record) (bool, error) { return add(entity{org: t.org}, nil) }},
		part{unitPrefix(t.org.ID), func(r store.Record) (bool, error) {
			u, err := decode[unit](r)
			return add(entity{org: t.org, unit: u}, err)
		}},
		part{accountPrefix(t.org.ID), func(r store.Record) (bool, error) {
			a, err := decode[account](r)
			return add(entity{org: t.org, account: a}, err)
		}})
	return out, err
}
