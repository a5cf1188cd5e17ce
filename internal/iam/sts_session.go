package iam

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

const (
	defaultUserSeconds = 43200
	// rootSeconds is the longest session that a root user can have (STS API Reference, GetSessionToken).
	rootSeconds = 3600
)

// refuseSession refuses the callers that IAM does not let in, whatever policies say: sessions of GetSessionToken without
// multi-factor authentication, and federated users (IAM User Guide, "Compare AWS STS credentials").
func refuseSession(c *service.Call) error {
	if ofSessionToken(&c.Caller) && !c.Caller.Session.MFA || c.Caller.Type == caller.Federated {
		return api.UnrecognizedClientException("The security token included in the request is invalid.")
	}
	return nil
}

// ofSessionToken says whether a caller uses credentials of GetSessionToken.
func ofSessionToken(c *caller.Caller) bool {
	return c.Session != nil && (c.Type == caller.User || c.Type == caller.Root)
}

// cannotCall refuses an operation to temporary credentials of a kind.
func cannotCall(c *service.Call, kind string) error {
	return api.AccessDeniedException("Cannot call %s with %s credentials", c.Operation, kind)
}

// needLongTerm refuses all but users and root users with their own keys. A service that forwards a user's request does not
// get the user's credentials by it.
func needLongTerm(c *service.Call) error {
	switch {
	case c.Caller.Session != nil:
		return cannotCall(c, "session")
	case c.Caller.Type != caller.User && c.Caller.Type != caller.Root:
		return cannotCall(c, "service")
	case c.Caller.Forwarder != "":
		return cannotCall(c, "forwarded")
	}
	return nil
}

// noMFA refuses a request that says it was made with a device. There are none.
func noMFA() error {
	return api.AccessDeniedException("MultiFactorAuthentication failed, unable to validate MFA code. " +
		"Please verify your MFA serial number is valid and associated with this user.")
}

// userSeconds is how long a session of a user lasts: as asked, or half a day; of a root user never more than an hour.
func userSeconds(c *caller.Caller, asked *int32) int32 {
	seconds := int32(defaultUserSeconds)
	if asked != nil {
		seconds = *asked
	}
	if c.Type == caller.Root {
		seconds = min(seconds, rootSeconds)
	}
	return seconds
}

// resolveSessionToken lets users and root users in. They need no permission (IAM User Guide, "Permissions for
// GetSessionToken").
func resolveSessionToken(_ context.Context, c *service.Call, in *stsapi.GetSessionTokenRequest) (whoAmI, error) {
	switch err := needLongTerm(c); {
	case err != nil:
		return whoAmI{}, err
	case in.SerialNumber != nil || in.TokenCode != nil:
		return whoAmI{}, noMFA()
	}
	return whoAmI{}, nil
}

func (s *Service) getSessionToken(ctx context.Context, c *service.Call, in *stsapi.GetSessionTokenRequest, _ whoAmI) (*stsapi.GetSessionTokenResponse, error) {
	x := session{Type: c.Caller.Type, Account: c.Caller.Account, ID: c.Caller.ID}
	keys, err := s.issue(ctx, x, c.Now, userSeconds(&c.Caller, in.DurationSeconds))
	if err != nil {
		return nil, err
	}
	return &stsapi.GetSessionTokenResponse{Credentials: keys.answer()}, nil
}

// federationTarget is a federated user in the making.
type federationTarget struct {
	actions []string
	arn     string
	context stsConditions
	session session
	packed  *int32
}

// Access is the actions on the federated user, which is of the caller's account.
func (t *federationTarget) Access(c *service.Call) []authz.Access {
	all := make([]authz.Access, len(t.actions))
	for i, action := range t.actions {
		all[i] = authz.Access{Action: action, Resource: t.arn, Account: c.Caller.Account, Local: true, Context: &t.context}
	}
	return all
}

func (s *Service) resolveFederationToken(_ context.Context, c *service.Call, in *stsapi.GetFederationTokenRequest) (*federationTarget, error) {
	if err := needLongTerm(c); err != nil {
		return nil, err
	}
	tags, err := inherit(nil, in.Tags, nil)
	if err != nil {
		return nil, err
	}
	t := &federationTarget{
		actions: []string{"sts:GetFederationToken"}, arn: federatedARN(c.Caller.Account, *in.Name),
		context: stsConditions{tags: tags.passed},
		session: session{Type: caller.Federated, Account: c.Caller.Account, ID: c.Caller.ID, Name: *in.Name, Tags: tags.all},
	}
	if in.DurationSeconds != nil {
		t.context.seconds = *in.DurationSeconds
	}
	if len(tags.all) > 0 {
		t.actions = append(t.actions, "sts:TagSession")
	}
	c.Event.Resources = append(c.Event.Resources, audit.Resource{ARN: t.arn, AccountID: c.Caller.Account, Type: "AWS::STS::FederatedUser"})
	t.packed, err = t.session.limit(in.Policy, in.PolicyArns)
	return t, err
}

func (s *Service) checkFederation(ctx context.Context, _ *service.Call, _ *stsapi.GetFederationTokenRequest, t *federationTarget) error {
	return s.policiesExist(ctx, &t.session)
}

func (s *Service) getFederationToken(ctx context.Context, c *service.Call, in *stsapi.GetFederationTokenRequest, t *federationTarget) (*stsapi.GetFederationTokenResponse, error) {
	keys, err := s.issue(ctx, t.session, c.Now, userSeconds(&c.Caller, in.DurationSeconds))
	if err != nil {
		return nil, err
	}
	return &stsapi.GetFederationTokenResponse{
		Credentials: keys.answer(), PackedPolicySize: t.packed,
		FederatedUser: &stsapi.FederatedUser{FederatedUserId: new(t.session.Account + ":" + t.session.Name), Arn: &t.arn},
	}, nil
}
