package iam

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// Recall returns what a recorded call of IAM, STS or Organizations had to be allowed, with the resources as they are now. The
// list is as long as that of the record's decisions, in the same order.
func (s *Service) Recall(ctx context.Context, c *service.Call, r *audit.Record) ([]authz.Access, []string, error) {
	all := make([]authz.Access, len(r.Authorized))
	for i, d := range r.Authorized {
		all[i] = authz.Access{Action: d.Action, Resource: d.Resource, Account: ownerOf(d.Resource, c.Caller.Account)}
		var err error
		if strings.HasPrefix(d.Action, "sts:") {
			err = s.recallSTS(ctx, r, &all[i])
		} else {
			err = s.recallOwn(ctx, r, &all[i])
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if r.Name == "AssumeRoleWithWebIdentity" {
		return all, []string{"The claims of the web identity's token are not recorded: conditions on them are taken not to have them."}, nil
	}
	return all, nil, nil
}

// ownerOf is the account of a resource; what has none in its name belongs to the caller.
func ownerOf(resource, account string) string {
	if a, err := arn.Parse(resource); err == nil && arn.IsAccount(a.Account) {
		return a.Account
	}
	return account
}

// recallSTS is an action on a role, which its trust policy decides, or on something of the caller's own account.
func (s *Service) recallSTS(ctx context.Context, r *audit.Record, x *authz.Access) error {
	conditions := &stsConditions{}
	x.Context = conditions
	if len(r.Parameters) > 0 {
		if err := recallConditions(r, conditions); err != nil {
			return err
		}
	}
	account, k, _, name, ok := parseARN(x.Resource)
	if !ok || kind(k) != aRole {
		x.Local = true
		return nil
	}
	e, err := s.role(ctx, account, name)
	if err != nil {
		return err
	}
	if x.Missing = e == nil || e.ARN() != x.Resource; x.Missing {
		return nil
	}
	conditions.role = e.Tags
	x.Policy, err = e.TrustPolicy()
	return err
}

// recallConditions reads the condition keys of a request for temporary credentials.
func recallConditions(r *audit.Record, to *stsConditions) error {
	var in stsapi.AssumeRoleRequest
	if err := api.DecodeAudit(r.Parameters, &in); err != nil {
		return err
	}
	to.roleSessionName, to.externalID, to.sourceIdentity = text(in.RoleSessionName), text(in.ExternalId), text(in.SourceIdentity)
	if in.DurationSeconds != nil {
		to.seconds = *in.DurationSeconds
	}
	for _, t := range in.Tags {
		if t.Key != nil && t.Value != nil {
			to.tags = append(to.tags, Tag{*t.Key, *t.Value})
		}
	}
	to.transitive = in.TransitiveTagKeys
	return nil
}

// ownRequest are the parameters that condition keys of IAM and Organizations are about, as records have them.
type ownRequest struct {
	Tags []struct {
		Key   *string `json:"key"`
		Value *string `json:"value"`
	} `json:"tags"`
	TagKeys  []string `json:"tagKeys"`
	Policy   string   `json:"policyArn"`
	Boundary string   `json:"permissionsBoundary"`
	Type     string   `json:"policyType"`
}

// recallOwn is an action on what belongs to the caller's own account and has no policy of its own.
func (s *Service) recallOwn(ctx context.Context, r *audit.Record, x *authz.Access) error {
	x.Local = true
	var in ownRequest
	if len(r.Parameters) > 0 {
		if err := json.Unmarshal(r.Parameters, &in); err != nil {
			return err
		}
	}
	keys := &recalledKeys{policyType: in.Type, conditions: conditions{tagKeys: in.TagKeys, boundary: in.Boundary}}
	x.Context = keys
	for _, t := range in.Tags {
		if t.Key != nil && t.Value != nil {
			keys.tags = append(keys.tags, iamapi.Tag{Key: t.Key, Value: t.Value})
		}
	}
	account, k, _, name, ok := parseARN(x.Resource)
	switch {
	case !ok:
		return nil
	case kind(k) == aPolicy:
		m, err := s.policyByARN(ctx, x.Resource)
		if err == nil && m.Managed != nil {
			keys.resource = m.Tags
		}
		return err
	case kind(k) != aUser && kind(k) != aGroup && kind(k) != aRole:
		return nil
	}
	keys.policyARN = in.Policy
	e, err := s.find(ctx, kind(k), account, name)
	if err == nil && e.Entity != nil && !strings.HasPrefix(r.Name, "Create") {
		keys.resource = e.Tags
		if keys.boundary == "" {
			keys.boundary = e.Boundary
		}
	}
	return err
}

// recalledKeys are the condition keys of IAM, and the one that Organizations has besides.
type recalledKeys struct {
	conditions
	policyType string
}

// Lookup implements policy.Context.
func (k *recalledKeys) Lookup(key string) (policy.Values, bool) {
	if key == "organizations:policytype" {
		return policy.One(k.policyType), k.policyType != ""
	}
	return k.conditions.Lookup(key)
}

// Hypothetical returns the principal with an ARN as the caller of a request that nobody has made: a user, a root user, a role
// or a session of one without session policies, or a service by its name. ok is false for one that does not exist.
func (s *Service) Hypothetical(ctx context.Context, principal string) (c caller.Caller, ok bool, err error) {
	if caller.IsServiceName(principal) {
		return caller.Caller{Type: caller.Service, ARN: principal, UserID: principal}, true, nil
	}
	if arn.IsAccount(principal) {
		principal = caller.RootARN(principal)
	}
	a, err := arn.Parse(principal)
	if err != nil || a.Partition != "aws" || a.Region != "" || !arn.IsAccount(a.Account) {
		return c, false, nil
	}
	if a.Service == "iam" && a.Resource == "root" {
		exists, err := s.accountExists(ctx, a.Account)
		return caller.RootOf(a.Account, ""), exists, err
	}
	role, session := "", "simulation"
	if rest, assumed := strings.CutPrefix(a.Resource, "assumed-role/"); assumed && a.Service == "sts" {
		if role, session, assumed = strings.Cut(rest, "/"); !assumed || session == "" {
			return c, false, nil
		}
		e, err := s.role(ctx, a.Account, role)
		return hypothetical(e, session), e != nil, err
	}
	account, k, _, name, isIAM := parseARN(principal)
	if !isIAM || kind(k) != aUser && kind(k) != aRole {
		return c, false, nil
	}
	e, err := s.find(ctx, kind(k), account, name)
	if err != nil || e.Entity == nil || e.ARN() != principal {
		return c, false, err
	}
	return hypothetical(e.Entity, session), true, nil
}

// hypothetical is a user, or a session of a role, as a caller.
func hypothetical(e *Entity, name string) caller.Caller {
	if e == nil {
		return caller.Caller{}
	}
	o := opened{session: &session{Type: caller.User, Account: e.Account, ID: e.ID, Name: name}}
	if e.kind() == aRole {
		o.Type = caller.Role
	}
	c := o.callerOf(e)
	if c.Type == caller.User {
		c.Session = nil
	}
	return c
}

// EachPrincipal calls f for the users and roles of an account, as Hypothetical has them, until f returns false.
func (s *Service) EachPrincipal(ctx context.Context, account string, f func(caller.Caller) bool) error {
	for _, k := range []kind{aUser, aRole} {
		for after := ""; ; {
			page, err := s.Store.Range(ctx, k.names(account), after, pageSize)
			if err != nil {
				return err
			}
			for _, r := range page.Records {
				after = r.Key
				e, err := s.find(ctx, k, account, strings.TrimPrefix(r.Key, k.names(account)))
				if err != nil {
					return err
				}
				if e.Entity != nil && !f(hypothetical(e.Entity, "simulation")) {
					return nil
				}
			}
			if !page.More {
				break
			}
		}
	}
	return nil
}
