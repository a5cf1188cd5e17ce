package iam

import (
	"context"
	"slices"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

func (c *change) provider(old storedProvider, p *provider) {
	write(c, c.s.sts.providers, providerPath(p.Account, p.issuer()), old.revision, p)
}

// countProviders changes how many providers an account has, by one.
func (c *change) countProviders(ctx context.Context, account string, by int) {
	path := providerCountPrefix + account
	n, revision, err := c.s.sts.counts.Get(ctx, path)
	if n == nil || n.Account != account {
		n = &providerCount{Version: recordVersion, Account: account}
	}
	changed := *n
	changed.Providers += by
	if err == nil && changed.Providers > maxProviders {
		err = iamapi.LimitExceededException("Cannot exceed quota for OpenIdConnectProvidersPerAccount: %d", maxProviders)
	}
	if err != nil && c.err == nil {
		c.err = err
	}
	write(c, c.s.sts.counts, path, revision, &changed)
}

// saveProvider commits a changed provider.
func (s *Service) saveProvider(ctx context.Context, t *providerTarget, p *provider) error {
	c := s.change()
	c.provider(t.storedProvider, p)
	return c.commit(ctx)
}

func (s *Service) createProvider(ctx context.Context, _ *service.Call, in *iamapi.CreateOpenIDConnectProviderRequest, t *providerTarget) (*iamapi.CreateOpenIDConnectProviderResponse, error) {
	c := s.change()
	c.countProviders(ctx, t.account, 1)
	c.provider(storedProvider{}, t.new)
	return &iamapi.CreateOpenIDConnectProviderResponse{OpenIDConnectProviderArn: &t.arn, Tags: in.Tags}, c.commit(ctx)
}

// deleteProvider has nothing to do for a provider that does not exist, as at AWS.
func (s *Service) deleteProvider(ctx context.Context, _ *service.Call, _ *iamapi.DeleteOpenIDConnectProviderRequest, t *providerTarget) (*iamapi.DeleteOpenIDConnectProviderResponse, error) {
	if t.provider == nil {
		return &iamapi.DeleteOpenIDConnectProviderResponse{}, nil
	}
	c := s.change()
	c.countProviders(ctx, t.account, -1)
	c.remove(providerPath(t.account, t.issuer()), t.revision)
	return &iamapi.DeleteOpenIDConnectProviderResponse{}, c.commit(ctx)
}

func (s *Service) addClientID(ctx context.Context, _ *service.Call, in *iamapi.AddClientIDToOpenIDConnectProviderRequest, t *providerTarget) (*iamapi.AddClientIDToOpenIDConnectProviderResponse, error) {
	p := t.provider.clone()
	if err := p.addClient(*in.ClientID); err != nil {
		return nil, err
	}
	return &iamapi.AddClientIDToOpenIDConnectProviderResponse{}, s.saveProvider(ctx, t, p)
}

func (s *Service) removeClientID(ctx context.Context, _ *service.Call, in *iamapi.RemoveClientIDFromOpenIDConnectProviderRequest, t *providerTarget) (*iamapi.RemoveClientIDFromOpenIDConnectProviderResponse, error) {
	p := t.provider.clone()
	p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(id string) bool { return id == *in.ClientID })
	return &iamapi.RemoveClientIDFromOpenIDConnectProviderResponse{}, s.saveProvider(ctx, t, p)
}

func (s *Service) updateThumbprint(ctx context.Context, _ *service.Call, in *iamapi.UpdateOpenIDConnectProviderThumbprintRequest, t *providerTarget) (_ *iamapi.UpdateOpenIDConnectProviderThumbprintResponse, err error) {
	p := t.provider.clone()
	if p.Thumbprints, err = thumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	return &iamapi.UpdateOpenIDConnectProviderThumbprintResponse{}, s.saveProvider(ctx, t, p)
}

func (s *Service) tagProvider(ctx context.Context, _ *service.Call, in *iamapi.TagOpenIDConnectProviderRequest, t *providerTarget) (_ *iamapi.TagOpenIDConnectProviderResponse, err error) {
	p := t.provider.clone()
	if p.Tags, err = tagged(p.Tags, in.Tags); err != nil {
		return nil, err
	}
	return &iamapi.TagOpenIDConnectProviderResponse{}, s.saveProvider(ctx, t, p)
}

func (s *Service) untagProvider(ctx context.Context, _ *service.Call, in *iamapi.UntagOpenIDConnectProviderRequest, t *providerTarget) (*iamapi.UntagOpenIDConnectProviderResponse, error) {
	p := t.provider.clone()
	p.Tags = untagged(p.Tags, in.TagKeys)
	return &iamapi.UntagOpenIDConnectProviderResponse{}, s.saveProvider(ctx, t, p)
}

func getProvider(_ context.Context, _ *service.Call, _ *iamapi.GetOpenIDConnectProviderRequest, t *providerTarget) (*iamapi.GetOpenIDConnectProviderResponse, error) {
	return &iamapi.GetOpenIDConnectProviderResponse{
		Url: new(t.issuer()), ClientIDList: t.ClientIDs, ThumbprintList: t.Thumbprints, CreateDate: &t.Created, Tags: shownTags(t.Tags),
	}, nil
}

func listProviderTags(_ context.Context, c *service.Call, in *iamapi.ListOpenIDConnectProviderTagsRequest, t *providerTarget) (*iamapi.ListOpenIDConnectProviderTagsResponse, error) {
	p, err := newPager(c, in.Marker, in.MaxItems, t.arn)
	if err != nil {
		return nil, err
	}
	page, truncated, marker := slicePage(p, t.Tags, func(t *Tag) string { return policy.Fold(t.Key) })
	return &iamapi.ListOpenIDConnectProviderTagsResponse{Tags: append([]iamapi.Tag{}, shownTags(page)...), IsTruncated: truncated, Marker: marker}, nil
}

// listProviders lists all providers of the caller's account: the API has no pages here, and the quota bounds them.
func (s *Service) listProviders(ctx context.Context, c *service.Call, _ *iamapi.ListOpenIDConnectProvidersRequest, _ service.Own) (*iamapi.ListOpenIDConnectProvidersResponse, error) {
	out := &iamapi.ListOpenIDConnectProvidersResponse{OpenIDConnectProviderList: []iamapi.OpenIDConnectProviderListEntry{}}
	prefix := providerPath(c.Caller.Account, "")
	page, err := s.Store.Range(ctx, prefix, "", maxProviders)
	if err != nil {
		return nil, err
	}
	for _, r := range page.Records {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, iamapi.OpenIDConnectProviderListEntry{
			Arn: new(providerARN(c.Caller.Account, strings.TrimPrefix(r.Key, prefix))),
		})
	}
	return out, nil
}
