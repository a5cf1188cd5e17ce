package iam

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

const webIdentityAction = "sts:AssumeRoleWithWebIdentity"

// Claims in which a provider gives tags and a source identity to the session (IAM User Guide, "Passing session tags using
// AssumeRoleWithWebIdentity").
const (
	tagsClaim   = "https://aws.amazon.com/tags"
	sourceClaim = "https://aws.amazon.com/source_identity"
)

// webIdentityTarget is a role that the holder of an identity provider's token wants a session of.
type webIdentityTarget struct {
	*roleTarget
	token *identityToken
}

// resolveWebIdentity finds out who is asking: nobody has signed the request, and what vouches for the caller is a token of a
// provider that the role's account trusts. Nothing is asked of any other provider.
func (s *Service) resolveWebIdentity(ctx context.Context, c *service.Call, in *stsapi.AssumeRoleWithWebIdentityRequest) (*webIdentityTarget, error) {
	if in.ProviderId != nil {
		return nil, api.ValidationException("ProviderId goes with OAuth 2.0 access tokens, which are not supported.")
	}
	r, err := s.roleTarget(ctx, c, webIdentityAction, *in.RoleArn, *in.RoleSessionName, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	c.Event.Account = r.account
	r.refusal = api.AccessDeniedException("Not authorized to perform %s", webIdentityAction)
	p, err := s.providerOf(ctx, r.account, *in.WebIdentityToken)
	if err != nil {
		return nil, err
	}
	token, err := s.verifyToken(ctx, p, *in.WebIdentityToken, time.Now())
	if err != nil {
		return nil, err
	}
	c.Caller = caller.Caller{
		Type: caller.WebIdentity, Source: p.ARN(), Name: token.subject, UserID: p.ARN() + ":" + token.audience + ":" + token.subject,
	}
	r.context.claims = token.conditions(p.provider)
	r.session.Provider = p.ARN()
	tags, source, err := token.carries()
	if err != nil {
		return nil, err
	}
	r.carry(tags, source)
	r.packed, err = r.session.limit(in.Policy, in.PolicyArns)
	return &webIdentityTarget{r, token}, err
}

// providerOf returns the account's provider that a token names as its issuer.
func (s *Service) providerOf(ctx context.Context, account, token string) (storedProvider, error) {
	issuer, err := issuerOf(token)
	if err != nil {
		return storedProvider{}, err
	}
	_, rest, _ := strings.Cut(issuer, "://")
	p, err := s.provider(ctx, account, rest)
	if err != nil {
		return storedProvider{}, err
	}
	if p.provider == nil || p.URL != issuer {
		return storedProvider{}, invalidToken("No OpenIDConnect provider found in your account for %s", issuer)
	}
	return p, nil
}

// carries returns the tags and the source identity that the provider gives to the session.
func (t *identityToken) carries() (sessionTagging, string, error) {
	var given struct {
		Tags       map[string][]string `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	}
	if claim := t.claims[tagsClaim]; claim != nil && json.Unmarshal(claim, &given) != nil {
		return sessionTagging{}, "", stsapi.IDPRejectedClaimException("The claim %s is malformed", tagsClaim)
	}
	// The parameters of AssumeRole have the same rules, so they are checked as such.
	request := stsapi.AssumeRoleRequest{RoleArn: new(anyRole), RoleSessionName: new("web"), TransitiveTagKeys: given.Transitive}
	for _, key := range slices.Sorted(maps.Keys(given.Tags)) {
		values := given.Tags[key]
		if len(values) != 1 {
			return sessionTagging{}, "", stsapi.IDPRejectedClaimException("The claim %s has several values for a tag", tagsClaim)
		}
		request.Tags = append(request.Tags, stsapi.Tag{Key: &key, Value: &values[0]})
	}
	source := t.claims.text(sourceClaim)
	request.SourceIdentity = optional(source)
	if t.claims[sourceClaim] != nil && source == "" {
		return sessionTagging{}, "", stsapi.IDPRejectedClaimException("The claim %s is malformed", sourceClaim)
	}
	if api.Check(&request) != nil {
		return sessionTagging{}, "", stsapi.IDPRejectedClaimException("The claims of the token for tags or source identity are malformed")
	}
	tags, err := inherit(nil, request.Tags, request.TransitiveTagKeys)
	if err != nil {
		err = stsapi.IDPRejectedClaimException("%s", api.From(err).Message)
	}
	return tags, source, err
}

// anyRole stands where a request must name a role.
const anyRole = "arn:aws:iam::000000000000:role/any"

func (s *Service) checkWebIdentitySession(ctx context.Context, _ *service.Call, _ *stsapi.AssumeRoleWithWebIdentityRequest, t *webIdentityTarget) error {
	return s.checkSession(ctx, t.roleTarget)
}

func (s *Service) assumeRoleWithWebIdentity(ctx context.Context, c *service.Call, _ *stsapi.AssumeRoleWithWebIdentityRequest, t *webIdentityTarget) (*stsapi.AssumeRoleWithWebIdentityResponse, error) {
	keys, err := s.issue(ctx, t.session, c.Now, t.seconds)
	if err != nil {
		return nil, err
	}
	return &stsapi.AssumeRoleWithWebIdentityResponse{
		Credentials: keys.answer(), AssumedRoleUser: t.user(), PackedPolicySize: t.packed,
		SubjectFromWebIdentityToken: &t.token.subject, Audience: &t.token.audience, Provider: &t.session.Provider,
		SourceIdentity: optional(t.session.SourceIdentity),
	}, nil
}
