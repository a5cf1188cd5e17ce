package iam

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/policy"
)

// tokenAlgorithms are what a token may be signed with: public keys only, so that no key that a provider publishes can be
// taken for a secret.
var tokenAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// tokenLeeway is how far a provider's clock may be ahead of ours.
const tokenLeeway = time.Minute

// maxSubject bounds a token's subject (STS API Reference, webIdentitySubjectType).
const maxSubject = 255

// identityToken is an OpenID Connect ID token whose signature and claims were checked.
type identityToken struct {
	subject  string
	audience string // the client that the token was issued to
	claims   claims
}

// claims are a token's payload by name, each as its JSON.
type claims map[string]jsontext.Value

// text returns a claim that is a text; empty if it is absent or something else.
func (c claims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// texts returns a claim that is a text or a list of texts.
func (c claims) texts(name string) []string {
	if s := c.text(name); s != "" {
		return []string{s}
	}
	var list []string
	if json.Unmarshal(c[name], &list) != nil {
		return nil
	}
	return list
}

// seconds returns a claim that is a time, in seconds since 1970 (RFC 7519, NumericDate).
func (c claims) seconds(name string) (t time.Time, ok bool) {
	var n float64
	if c[name] == nil || json.Unmarshal(c[name], &n) != nil || n < 0 || n > 1<<40 {
		return t, false
	}
	return time.Unix(int64(n), 0), true
}

func invalidToken(format string, args ...any) error {
	return stsapi.InvalidIdentityTokenException(format, args...)
}

// issuerOf returns the issuer that a token names, before anything of it was checked.
func issuerOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") { // decoders would pass over line ends
		return "", invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c claims
	if err != nil || json.Unmarshal(b, &c) != nil || c.text("iss") == "" {
		return "", invalidToken("Missing a required claim: iss")
	}
	return c.text("iss"), nil
}

// verifyToken checks that a provider issued a token, to one of its clients, and that it is valid now (OpenID Connect Core
// 1.0, section 3.1.3.7). now is the real time: a provider knows nothing of a development server's clock.
func (s *Service) verifyToken(ctx context.Context, p storedProvider, token string, now time.Time) (*identityToken, error) {
	payload, err := s.verifySignature(ctx, p, token)
	if err != nil {
		return nil, err
	}
	t := &identityToken{}
	if json.Unmarshal(payload, &t.claims) != nil {
		return nil, invalidToken("The claims of the token are not valid JSON")
	}
	if t.claims.text("iss") != p.URL {
		return nil, invalidToken("The issuer of the token is not %s", p.URL)
	}
	if err := t.claims.checkTimes(now); err != nil {
		return nil, err
	}
	if t.subject = t.claims.text("sub"); t.subject == "" || len(t.subject) > maxSubject {
		return nil, invalidToken("Missing a required claim: sub")
	}
	t.audience, err = t.claims.client(p.ClientIDs)
	return t, err
}

// verifySignature returns the payload of a token that the provider has signed.
func (s *Service) verifySignature(ctx context.Context, p storedProvider, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, tokenAlgorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, invalidToken("The ID Token provided is not a valid JWT, or is signed with an algorithm that is not accepted")
	}
	header := signed.Signatures[0].Protected
	key, err := s.sts.keySets.find(ctx, p, header.KeyID)
	switch {
	case errors.Is(err, errNoKey):
		return nil, invalidToken("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements")
	case err != nil:
		return nil, stsapi.IDPCommunicationErrorException("Couldn't retrieve verification key from your identity provider").WithCause(err)
	case key.Algorithm != "" && key.Algorithm != header.Algorithm:
		return nil, invalidToken("The token is not signed with the algorithm of its key")
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, invalidToken("Token signature invalid")
	}
	return payload, nil
}

// checkTimes checks that a token is not over, and has begun. Without an end it is none.
func (c claims) checkTimes(now time.Time) error {
	expires, ok := c.seconds("exp")
	if !ok {
		return invalidToken("Missing a required claim: exp")
	}
	if !now.Before(expires) {
		return stsapi.ExpiredTokenException("Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), expires.Unix())
	}
	issued, ok := c.seconds("iat")
	if !ok {
		return invalidToken("Missing a required claim: iat")
	}
	begins, later := c.seconds("nbf")
	if issued.After(now.Add(tokenLeeway)) || later && begins.After(now.Add(tokenLeeway)) || c["nbf"] != nil && !later {
		return invalidToken("The token is not valid yet")
	}
	return nil
}

// client returns the client that a token was issued to: its authorized party, or else its only audience. A token for several
// that does not say to whom it was issued could come from any of them.
func (c claims) client(registered []string) (string, error) {
	client := c.text("azp")
	if client == "" {
		if c["azp"] != nil {
			return "", invalidToken("Incorrect token audience")
		}
		audiences := c.texts("aud")
		if len(audiences) != 1 {
			return "", invalidToken("Incorrect token audience")
		}
		client = audiences[0]
	} else if len(c.texts("aud")) == 0 {
		return "", invalidToken("Missing a required claim: aud")
	}
	if !slices.Contains(registered, client) {
		return "", invalidToken("Incorrect token audience")
	}
	return client, nil
}

// conditions returns the condition keys that a token gives: the provider's issuer, a colon and a claim's name (IAM User
// Guide, "Available keys for AWS OIDC federation"). Texts, numbers and truth values are single-valued, lists of texts
// multi-valued; anything else is no key. aud is the client that the token was issued to; oaud the audience, if that is
// another.
func (t *identityToken) conditions(p *provider) map[string]policy.Values {
	prefix := policy.Fold(p.issuer()) + ":"
	keys := map[string]policy.Values{"aws:federatedprovider": policy.One(p.ARN())}
	for _, name := range slices.Sorted(maps.Keys(t.claims)) { // of two that differ in case, always the same one counts
		if v, ok := claimValue(t.claims[name]); ok {
			keys[prefix+policy.Fold(name)] = v
		}
	}
	delete(keys, prefix+"oaud")
	if t.claims.text("azp") != "" {
		keys[prefix+"oaud"] = keys[prefix+"aud"]
	}
	keys[prefix+"aud"], keys[prefix+"sub"] = policy.One(t.audience), policy.One(t.subject)
	return keys
}

func claimValue(value jsontext.Value) (policy.Values, bool) {
	switch value.Kind() {
	case '"':
		var s string
		err := json.Unmarshal(value, &s)
		return policy.One(s), err == nil
	case '0', 't', 'f':
		return policy.One(string(value)), true
	case '[':
		var list []string
		err := json.Unmarshal(value, &list)
		return policy.Many(list), err == nil
	}
	return policy.Values{}, false
}
