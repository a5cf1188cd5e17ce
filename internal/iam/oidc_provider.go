package iam

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/arn"
)

// provider is an OpenID Connect identity provider that an account's administrators trust, as it is stored. One that came
// from the store is shared by all requests and never changed.
type provider struct {
	Version     int       `json:"v"`
	Account     string    `json:"account"`
	URL         string    `json:"url"` // the issuer, to the letter: https://token.example.com/path
	ClientIDs   []string  `json:"clients,omitempty"`
	Thumbprints []string  `json:"thumbprints,omitempty"` // SHA-1 of certificates, 40 lower-case hexadecimal digits
	Tags        []Tag     `json:"tags,omitempty"`
	Created     time.Time `json:"created"`
}

// providerCount is how many providers an account has. Every transaction that makes or deletes one changes it, so that the
// quota holds.
type providerCount struct {
	Version   int    `json:"v"`
	Account   string `json:"account"`
	Providers int    `json:"providers"`
}

const (
	providerPrefix      = "iam/oidc-provider/" // and account, issuer without scheme
	providerCountPrefix = "iam/oidc-count/"    // and account
)

// Quotas of providers (IAM User Guide, "IAM and AWS STS quotas").
const (
	maxProviders   = 100
	maxClientIDs   = 100
	maxThumbprints = 5
	maxURLBytes    = 255
)

func decodeProvider(b []byte) (*provider, error) {
	return decodeRecord(b, func(p *provider) int { return p.Version })
}

func decodeProviderCount(b []byte) (*providerCount, error) {
	return decodeRecord(b, func(p *providerCount) int { return p.Version })
}

// storedProvider is a provider and the revision that a commit checks it against; zero when there is none.
type storedProvider struct {
	*provider
	revision int64
}

// issuer returns the issuer without its scheme, as ARNs and condition keys name it.
func (p *provider) issuer() string {
	_, rest, _ := strings.Cut(p.URL, "://")
	return rest
}

// ARN returns the provider's ARN.
func (p *provider) ARN() string { return providerARN(p.Account, p.issuer()) }

func providerARN(account, issuer string) string {
	return "arn:aws:iam::" + account + ":oidc-provider/" + issuer
}

func providerPath(account, issuer string) string { return providerPrefix + account + "/" + issuer }

// clone returns a copy that may be changed, down to its lists.
func (p *provider) clone() *provider {
	c := *p
	c.ClientIDs, c.Thumbprints, c.Tags = slices.Clone(p.ClientIDs), slices.Clone(p.Thumbprints), slices.Clone(p.Tags)
	return &c
}

// provider returns an account's provider by its issuer, without scheme. A record in another's place is none.
func (s *Service) provider(ctx context.Context, account, issuer string) (storedProvider, error) {
	if !arn.IsAccount(account) || !isIssuer(issuer) {
		return storedProvider{}, nil
	}
	p, revision, err := s.sts.providers.Get(ctx, providerPath(account, issuer))
	if err != nil || p == nil || p.Account != account || p.issuer() != issuer {
		return storedProvider{}, err
	}
	return storedProvider{p, revision}, nil
}

// parseProviderARN takes the ARN of a provider apart.
func parseProviderARN(s string) (account, issuer string, ok bool) {
	a, err := arn.Parse(s)
	if err != nil || a.Partition != "aws" || a.Service != "iam" || a.Region != "" || !arn.IsAccount(a.Account) {
		return "", "", false
	}
	issuer, ok = strings.CutPrefix(a.Resource, "oidc-provider/")
	return a.Account, issuer, ok && isIssuer(issuer)
}

// isIssuer says whether s has the form of a URL without scheme, query and fragment. It becomes part of a storage key.
func isIssuer(s string) bool {
	if s == "" || len(s) > maxURLBytes {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~:/[]%@!$&'()*+,;=", rune(c)) {
			return false
		}
	}
	return s[0] != '/'
}

// isProviderURL says whether an identity provider can be there: https, a host, perhaps a port and a path, and nothing else.
// Development servers also take http on the loopback interface.
func isProviderURL(s string, dev bool) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURLBytes || u.Hostname() == "" || u.User != nil || strings.ContainsAny(s, "?#") {
		return false
	}
	_, rest, _ := strings.Cut(s, "://")
	if !isIssuer(rest) || slices.Contains(reservedIssuers, strings.ToLower(rest)) {
		return false
	}
	return strings.HasPrefix(s, "https://") || dev && strings.HasPrefix(s, "http://") && isLoopback(u.Hostname())
}

// reservedIssuers begin condition keys of other meaning, which a provider of that name could forge.
var reservedIssuers = []string{"aws", "iam", "kms", "saml", "sts", "trent"}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
