package iam

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

const (
	defaultRoleSeconds = 3600
	// chainedSeconds is the longest session of a role that is assumed with temporary credentials.
	chainedSeconds = 3600
)

// roleTarget is a role that somebody wants a session of, and the session as far as the request decides it. Its trust policy
// says who may.
type roleTarget struct {
	actions []string // all must be allowed
	arn     string   // of the role, as the request names it
	account string
	role    *Entity // nil: there is none
	trust   *policy.Policy
	context stsConditions
	refusal error // in place of the usual text
	session session
	packed  *int32
	seconds int32
}

// Access is the actions on the role. A role that does not exist is refused as one that trusts nobody.
func (t *roleTarget) Access(*service.Call) []authz.Access {
	all := make([]authz.Access, len(t.actions))
	for i, action := range t.actions {
		all[i] = authz.Access{
			Action: action, Resource: t.arn, Account: t.account, Policy: t.trust, Missing: t.role == nil, Context: &t.context,
			Refusal: t.refusal,
		}
	}
	return all
}

// roleTarget finds the role that a request names. action is the one that every request of its kind needs.
func (s *Service) roleTarget(ctx context.Context, c *service.Call, action, roleARN, name string, seconds *int32) (*roleTarget, error) {
	account, k, _, role, ok := parseARN(roleARN)
	if !ok || kind(k) != aRole || !arn.IsAccount(account) {
		return nil, api.ValidationException("%s is invalid", roleARN)
	}
	t := &roleTarget{
		actions: []string{action}, arn: roleARN, account: account, seconds: defaultRoleSeconds,
		session: session{Type: caller.Role, Account: account, Name: name},
	}
	c.Event.Resources = append(c.Event.Resources, audit.Resource{ARN: roleARN, AccountID: account, Type: "AWS::IAM::Role"})
	t.context.roleSessionName = name
	if seconds != nil {
		t.seconds, t.context.seconds = *seconds, *seconds
	}
	e, err := s.role(ctx, account, role)
	if err != nil || e == nil || e.ARN() != roleARN {
		return t, err
	}
	if t.trust, err = e.TrustPolicy(); err != nil {
		return nil, err
	}
	t.role, t.context.role, t.session.ID = e, e.Tags, e.ID
	return t, nil
}

// carry gives the session tags and a source identity, which the trust policy must allow as well.
func (t *roleTarget) carry(tags sessionTagging, source string) {
	t.session.Tags, t.session.Transitive, t.session.SourceIdentity = tags.all, tags.transitive, source
	t.context.tags, t.context.transitive, t.context.sourceIdentity = tags.passed, tags.passedTransitive, source
	if len(tags.all) > 0 {
		t.actions = append(t.actions, "sts:TagSession")
	}
	if source != "" {
		t.actions = append(t.actions, "sts:SetSourceIdentity")
	}
}

func (s *Service) resolveAssumeRole(ctx context.Context, c *service.Call, in *stsapi.AssumeRoleRequest) (*roleTarget, error) {
	switch {
	case c.Caller.Type == caller.Root:
		return nil, api.AccessDeniedException("Roles may not be assumed by root accounts.")
	case c.Caller.Type == caller.Federated:
		return nil, cannotCall(c, "federation")
	case c.Caller.Forwarder != "":
		return nil, cannotCall(c, "forwarded")
	case in.SerialNumber != nil || in.TokenCode != nil:
		return nil, noMFA()
	case in.ProvidedContexts != nil:
		return nil, api.ValidationException("ProvidedContexts are not supported: there is no context provider.")
	}
	t, err := s.roleTarget(ctx, c, "sts:AssumeRole", *in.RoleArn, *in.RoleSessionName, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	t.context.externalID = text(in.ExternalId)
	tags, err := inherit(c.Caller.Session, in.Tags, in.TransitiveTagKeys)
	if err != nil {
		return nil, err
	}
	source, err := t.sourceIdentity(c, text(in.SourceIdentity))
	if err != nil {
		return nil, err
	}
	t.carry(tags, source)
	t.packed, err = t.session.limit(in.Policy, in.PolicyArns)
	return t, err
}

// sourceIdentity returns the source identity of the session: the caller's, once it has one, which then is for good.
func (t *roleTarget) sourceIdentity(c *service.Call, asked string) (string, error) {
	if c.Caller.Session == nil || c.Caller.Session.SourceIdentity == "" {
		return asked, nil
	}
	if has := c.Caller.Session.SourceIdentity; asked == "" || asked == has {
		return has, nil
	}
	return "", api.AccessDeniedException("User: %s is not authorized to perform: sts:SetSourceIdentity on resource: %s because "+
		"the source identity of the calling session cannot be changed", c.Caller.ARN, t.arn)
}

// checkRoleSession refuses a session that is too long, for the role or for a caller with temporary credentials, and one
// with policies that do not exist.
func (s *Service) checkRoleSession(ctx context.Context, c *service.Call, _ *stsapi.AssumeRoleRequest, t *roleTarget) error {
	if c.Caller.Session != nil && t.seconds > chainedSeconds {
		return api.ValidationException("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return s.checkSession(ctx, t)
}

// checkSession is what all sessions of roles must be.
func (s *Service) checkSession(ctx context.Context, t *roleTarget) error {
	if t.seconds > max(t.role.MaxSession, defaultRoleSeconds) {
		return api.ValidationException("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return s.policiesExist(ctx, &t.session)
}

func (s *Service) assumeRole(ctx context.Context, c *service.Call, _ *stsapi.AssumeRoleRequest, t *roleTarget) (*stsapi.AssumeRoleResponse, error) {
	keys, err := s.issue(ctx, t.session, c.Now, t.seconds)
	if err != nil {
		return nil, err
	}
	return &stsapi.AssumeRoleResponse{
		Credentials: keys.answer(), AssumedRoleUser: t.user(), PackedPolicySize: t.packed,
		SourceIdentity: optional(t.session.SourceIdentity),
	}, nil
}

// user is the session as AssumeRole names it.
func (t *roleTarget) user() *stsapi.AssumedRoleUser {
	return &stsapi.AssumedRoleUser{
		AssumedRoleId: new(t.role.ID + ":" + t.session.Name), Arn: new(sessionARN(t.account, t.role.Name, t.session.Name)),
	}
}

func (k *credentials) answer() *stsapi.Credentials {
	return &stsapi.Credentials{AccessKeyId: &k.accessKeyID, SecretAccessKey: &k.secret, SessionToken: &k.token, Expiration: &k.expires}
}

// optional is a member that an answer leaves out when it is empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
