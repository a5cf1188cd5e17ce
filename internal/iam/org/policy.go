package org

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// control returns an organization's account of a policy type; nil for types that there are not.
func (o *organization) control(t orgapi.PolicyType) *control {
	switch t {
	case servicePolicy:
		return &o.Services
	case resourcePolicy:
		return &o.Resources
	}
	return nil
}

// kindOf is the kind of document that the policies of a type are.
func kindOf(t orgapi.PolicyType) policy.Kind {
	if t == resourcePolicy {
		return policy.ResourceControl
	}
	return policy.ServiceControl
}

func maxPolicies(t orgapi.PolicyType) int {
	if t == resourcePolicy {
		return maxResourcePolicies
	}
	return maxServicePolicies
}

// The policy of each type that AWS manages: attached to everything in the beginning, and never changed.

func managedName(t orgapi.PolicyType) string {
	if t == resourcePolicy {
		return "RCPFullAWSAccess"
	}
	return "FullAWSAccess"
}

func managedID(t orgapi.PolicyType) string { return "p-" + managedName(t) }

// managedType returns the type of a policy of AWS's by its id; empty for any other id.
func managedType(id string) orgapi.PolicyType {
	for _, t := range []orgapi.PolicyType{servicePolicy, resourcePolicy} {
		if id == managedID(t) {
			return t
		}
	}
	return ""
}

func managedContent(t orgapi.PolicyType) string {
	principal := ""
	if t == resourcePolicy {
		principal = "\n      \"Principal\": \"*\","
	}
	return `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",` + principal + `
      "Action": "*",
      "Resource": "*"
    }
  ]
}`
}

// managed is a policy of AWS's as the API shows it.
func managed(t orgapi.PolicyType) *orgapi.PolicySummary {
	description := "Allows access to every operation"
	if t == resourcePolicy {
		description = "Allows access to every resource"
	}
	return &orgapi.PolicySummary{
		Id: new(managedID(t)), Arn: new(policyARN(nil, t, managedID(t))), Name: new(managedName(t)), Description: &description,
		Type: &t, AwsManaged: new(true),
	}
}

func (p *controlPolicy) summary(o *organization) *orgapi.PolicySummary {
	return &orgapi.PolicySummary{
		Id: &p.ID, Arn: new(policyARN(o, p.Type, p.ID)), Name: &p.Name, Description: &p.Description, Type: &p.Type, AwsManaged: new(false),
	}
}

// policy looks for the policy that an id names, AWS's own too, and makes it what the caller must be allowed the operation on.
func (s *Service) policy(ctx context.Context, c *service.Call, id string, t *target) (bool, error) {
	if t.managed = managedType(id); t.managed != "" {
		t.on(c, policyARN(t.org, t.managed, id), &keys{policyType: t.managed})
		return true, nil
	}
	if !isPolicy(id) {
		return false, nil
	}
	var err error
	if t.policy, err = get[controlPolicy](ctx, s, policyPrefix(t.org.ID)+id); err != nil || t.policy == nil {
		return false, err
	}
	t.on(c, policyARN(t.org, t.policy.Type, id), &keys{policyType: t.policy.Type, has: t.policy.Tags})
	return true, nil
}

func findCreatePolicy(_ context.Context, c *service.Call, in *orgapi.CreatePolicyRequest, t *target) error {
	t.creates(c, "*", in.Tags, nil)
	t.access[0].Context.(*keys).policyType = *in.Type
	return nil
}

func (s *Service) createPolicy(ctx context.Context, _ *service.Call, in *orgapi.CreatePolicyRequest, t *target) (*orgapi.CreatePolicyResponse, error) {
	control := t.org.control(*in.Type)
	if control == nil {
		return nil, notAvailable()
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkContent(*in.Type, *in.Content); err != nil {
		return nil, err
	}
	if control.Policies >= maxPolicies(*in.Type) {
		return nil, constraint("POLICY_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of policies of this type: %d.", maxPolicies(*in.Type))
	}
	p := &controlPolicy{
		Version: recordVersion, Org: t.org.ID, ID: "p-" + newID(8), Type: *in.Type, Name: *in.Name, Description: *in.Description,
		Content: *in.Content, Tags: tags,
	}
	x := t.change()
	if err := s.namePolicy(ctx, x, p); err != nil {
		return nil, err
	}
	x.create(p)
	control.Policies++
	return &orgapi.CreatePolicyResponse{Policy: &orgapi.Policy{PolicySummary: p.summary(t.org), Content: &p.Content}}, s.commit(ctx, x)
}

func notAvailable() error {
	return orgapi.PolicyTypeNotAvailableForOrganizationException("You can't use the specified policy type: there are service control policies and resource control policies here.")
}

// checkContent refuses documents that are too long, or that no customer may write for the type. What is in force already is
// read with less rigour.
func checkContent(t orgapi.PolicyType, content string) error {
	if utf8.RuneCountInString(content) > policy.ControlCharacters {
		return constraint("POLICY_CONTENT_LIMIT_EXCEEDED", "You have exceeded the maximum policy size of %d characters.", policy.ControlCharacters)
	}
	p, err := policy.Parse(kindOf(t), content)
	if err == nil {
		err = p.CheckCustomerManaged()
	}
	if malformed, ok := errors.AsType[*policy.Malformed](err); ok {
		return orgapi.MalformedPolicyDocumentException("The provided policy document does not meet the requirements of the specified policy type. (%s)", malformed)
	}
	return err
}

func nameOfPolicy(p *controlPolicy) string { return namePath(p.Org, "policy", string(p.Type), p.Name) }

// namePolicy takes a policy's name, unless another policy of the type has it.
func (s *Service) namePolicy(ctx context.Context, x *change, p *controlPolicy) error {
	taken, err := get[pointer](ctx, s, nameOfPolicy(p))
	if err != nil {
		return err
	}
	if taken != nil || p.Name == managedName(p.Type) {
		return orgapi.DuplicatePolicyException("A policy with the same name already exists.")
	}
	x.index(nameOfPolicy(p), p.ID)
	return nil
}

func describePolicy(_ context.Context, _ *service.Call, _ *orgapi.DescribePolicyRequest, t *target) (*orgapi.DescribePolicyResponse, error) {
	if t.managed != "" {
		return &orgapi.DescribePolicyResponse{Policy: &orgapi.Policy{PolicySummary: managed(t.managed), Content: new(managedContent(t.managed))}}, nil
	}
	return &orgapi.DescribePolicyResponse{Policy: &orgapi.Policy{PolicySummary: t.policy.summary(t.org), Content: &t.policy.Content}}, nil
}

// updatePolicy changes what a policy says, with effect on everything that it is attached to.
func (s *Service) updatePolicy(ctx context.Context, _ *service.Call, in *orgapi.UpdatePolicyRequest, t *target) (*orgapi.UpdatePolicyResponse, error) {
	if t.managed != "" {
		return nil, immutable()
	}
	p := t.policy
	x := t.change()
	if in.Content != nil {
		if err := checkContent(p.Type, *in.Content); err != nil {
			return nil, err
		}
		p.Content = *in.Content
	}
	if in.Description != nil {
		p.Description = *in.Description
	}
	if in.Name != nil && *in.Name != p.Name {
		x.delete(nameOfPolicy(p))
		p.Name = *in.Name
		if err := s.namePolicy(ctx, x, p); err != nil {
			return nil, err
		}
	}
	x.put(p)
	return &orgapi.UpdatePolicyResponse{Policy: &orgapi.Policy{PolicySummary: p.summary(t.org), Content: &p.Content}}, s.commit(ctx, x)
}

func (s *Service) deletePolicy(ctx context.Context, _ *service.Call, _ *orgapi.DeletePolicyRequest, t *target) (*api.Empty, error) {
	if t.managed != "" {
		return nil, immutable()
	}
	if t.policy.targets(t.org) > 0 {
		return nil, orgapi.PolicyInUseException("The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before performing this operation.")
	}
	x := t.change()
	x.delete(t.policy.path(), nameOfPolicy(t.policy))
	t.org.control(t.policy.Type).Policies--
	return &api.Empty{}, s.commit(ctx, x)
}

func findListPolicies(_ context.Context, c *service.Call, in *orgapi.ListPoliciesRequest, t *target) error {
	t.on(c, "*", &keys{policyType: *in.Filter})
	return nil
}

// listPolicies lists the policies of a type, AWS's own first. Of types that there are not, there are none.
func (s *Service) listPolicies(ctx context.Context, c *service.Call, in *orgapi.ListPoliciesRequest, t *target) (*orgapi.ListPoliciesResponse, error) {
	p, err := newPager(c, t, in.NextToken, in.MaxResults, string(*in.Filter))
	if err != nil {
		return nil, err
	}
	out := &orgapi.ListPoliciesResponse{Policies: []orgapi.PolicySummary{}}
	if t.org.control(*in.Filter) == nil {
		return out, nil
	}
	first := func() { out.Policies = append(out.Policies, *managed(*in.Filter)) }
	out.NextToken, err = p.scan(ctx, s, first, part{policyPrefix(t.org.ID), func(r store.Record) (bool, error) {
		p, err := decode[controlPolicy](r)
		if err != nil || p.Type != *in.Filter {
			return false, err
		}
		out.Policies = append(out.Policies, *p.summary(t.org))
		return true, nil
	}})
	return out, err
}
