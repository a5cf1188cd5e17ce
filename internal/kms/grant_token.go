package kms

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/service"
)

// A grant token is the address of a grant, ACCOUNT/REGION/KEY-ID/GRANT-ID, sealed by the hsm, in base64. So it needs no
// record of its own, a grant has as many as are asked for, nobody can make one, and it tells its holder nothing.

// tokenPurpose binds tokens to what they are and to their Region.
func tokenPurpose(region string) string { return "kms/grant-token/" + region }

// maxTokenBytes is more than any token has. What is longer is refused before any work is done on it.
const maxTokenBytes = 512

// newToken returns a fresh token for a grant.
func (s *Service) newToken(ctx context.Context, g *Grant) (string, error) {
	sealed, err := s.hsm.Seal(ctx, tokenPurpose(g.Region), []byte(strings.TrimPrefix(g.path(), grantRoot)))
	return base64.StdEncoding.EncodeToString(sealed), err
}

// openToken returns the address in a token of a Region. ok is false for anything that newToken has not made there.
func (s *Service) openToken(ctx context.Context, region, token string) (r ref, grantID string, ok bool, err error) {
	if len(token) > maxTokenBytes {
		return r, "", false, nil
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || base64.StdEncoding.EncodedLen(len(sealed)) != len(token) { // line ends are no part of a token
		return r, "", false, nil
	}
	address, err := s.hsm.Unseal(ctx, tokenPurpose(region), sealed)
	if errors.Is(err, hsm.ErrWrapped) {
		return r, "", false, nil
	}
	part := strings.Split(string(address), "/")
	if err != nil || len(part) != 4 || part[1] != region {
		return r, "", false, err
	}
	return ref{account: part[0], region: region, id: part[2]}, part[3], true, nil
}

// invalidToken is one answer for all that can be wrong with a token, so that nobody learns from it.
func invalidToken() error {
	return kmsapi.InvalidGrantTokenException("The grant token is not valid, or its grant does not exist any more.")
}

// tokenTarget returns the grant of a token and its key, of any account.
func (s *Service) tokenTarget(ctx context.Context, c *service.Call, token string) (*grantTarget, error) {
	r, id, ok, err := s.openToken(ctx, c.Region, token)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, invalidToken()
	}
	t := &grantTarget{keyTarget: &keyTarget{service: s, action: retireAction, ref: r}}
	if t.key, t.revision, err = s.get(ctx, c.Now, r.account, r.region, r.id); err != nil {
		return nil, err
	}
	if t.key == nil { // and with it all its grants
		return nil, invalidToken()
	}
	if t.grant, t.grantRevision, err = s.grant(ctx, grantPrefix(r.account, r.region, r.id)+id); err != nil {
		return nil, err
	}
	if t.grant == nil {
		return nil, invalidToken()
	}
	t.policy, err = t.grant.retirement()
	return t, err
}

// checkGrantTokens refuses tokens that are not, or no longer, tokens of a grant. One for another key or another grantee
// is none of the request's business: it gives nothing, and does no harm.
func (s *Service) checkGrantTokens(ctx context.Context, c *service.Call, tokens []string) error {
	for _, token := range tokens {
		if _, err := s.tokenTarget(ctx, c, token); err != nil {
			return err
		}
	}
	return nil
}
