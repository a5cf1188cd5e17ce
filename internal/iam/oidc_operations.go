package iam

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
)

// oidcOperations are the rows of OpenID Connect providers in IAM's table.
func (s *Service) oidcOperations() []service.Operation {
	return []service.Operation{
		onProvider(s, "AddClientIDToOpenIDConnectProvider", writes,
			func(in *iamapi.AddClientIDToOpenIDConnectProviderRequest) askedOfProvider {
				return askedOfProvider{arn: in.OpenIDConnectProviderArn}
			}, s.addClientID),
		define("CreateOpenIDConnectProvider", writes|creates, s.resolveNewProvider, checkNewProvider, s.createProvider),
		onProvider(s, "DeleteOpenIDConnectProvider", writes,
			func(in *iamapi.DeleteOpenIDConnectProviderRequest) askedOfProvider {
				return askedOfProvider{arn: in.OpenIDConnectProviderArn, mayBeGone: true}
			}, s.deleteProvider),
		onProvider(s, "GetOpenIDConnectProvider", reads,
			func(in *iamapi.GetOpenIDConnectProviderRequest) askedOfProvider {
				return askedOfProvider{arn: in.OpenIDConnectProviderArn}
			}, getProvider),
		onProvider(s, "ListOpenIDConnectProviderTags", reads,
			func(in *iamapi.ListOpenIDConnectProviderTagsRequest) askedOfProvider {
				return askedOfProvider{arn: in.OpenIDConnectProviderArn}
			}, listProviderTags),
		define("ListOpenIDConnectProviders", reads, service.NoResource[iamapi.ListOpenIDConnectProvidersRequest]("iam:ListOpenIDConnectProviders"),
			nil, s.listProviders),
		onProvider(s, "RemoveClientIDFromOpenIDConnectProvider", writes,
			func(in *iamapi.RemoveClientIDFromOpenIDConnectProviderRequest) askedOfProvider {
				return askedOfProvider{arn: in.OpenIDConnectProviderArn}
			}, s.removeClientID),
		onProvider(s, "TagOpenIDConnectProvider", writes,
			func(in *iamapi.TagOpenIDConnectProviderRequest) askedOfProvider {
				return askedOfProvider{arn: in.OpenIDConnectProviderArn, conditions: conditions{tags: in.Tags}}
			}, s.tagProvider),
		onProvider(s, "UntagOpenIDConnectProvider", writes,
			func(in *iamapi.UntagOpenIDConnectProviderRequest) askedOfProvider {
				return askedOfProvider{arn: in.OpenIDConnectProviderArn, conditions: conditions{tagKeys: in.TagKeys}}
			}, s.untagProvider),
		onProvider(s, "UpdateOpenIDConnectProviderThumbprint", writes,
			func(in *iamapi.UpdateOpenIDConnectProviderThumbprintRequest) askedOfProvider {
				return askedOfProvider{arn: in.OpenIDConnectProviderArn}
			}, s.updateThumbprint),
	}
}

// askedOfProvider is what requests say of the provider that they act on.
type askedOfProvider struct {
	arn        *string
	conditions conditions
	mayBeGone  bool // to an operation that can be repeated
}

// providerTarget is a provider that an operation acts on.
type providerTarget struct {
	storedProvider // the zero value if there is none
	arn            string
	account        string
	actions        []string
	conditions     conditions
	new            *provider // to come into being
}

// Access is the operation on the provider, and what making one with tags needs besides.
func (t *providerTarget) Access(*service.Call) []authz.Access {
	all := make([]authz.Access, len(t.actions))
	for i, action := range t.actions {
		all[i] = authz.Access{Action: action, Resource: t.arn, Account: t.account, Local: true, Context: &t.conditions}
	}
	return all
}

// onProvider makes the row of an operation on a provider that exists.
func onProvider[In, Out any, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](s *Service, name string, is traits, ask func(*In) askedOfProvider,
	handle func(context.Context, *service.Call, *In, *providerTarget) (*Out, error),
) service.Operation {
	resolve := func(ctx context.Context, c *service.Call, in *In) (*providerTarget, error) {
		return s.resolveProvider(ctx, c, ask(in))
	}
	check := func(_ context.Context, _ *service.Call, in *In, t *providerTarget) error {
		if t.provider == nil && !ask(in).mayBeGone {
			return iamapi.NoSuchEntityException("OpenIDConnect Provider not found for arn %s", t.arn)
		}
		return nil
	}
	return define[In, Out, *providerTarget, PIn, POut](name, is, resolve, check, handle)
}

func (s *Service) resolveProvider(ctx context.Context, c *service.Call, a askedOfProvider) (*providerTarget, error) {
	account, issuer, ok := parseProviderARN(*a.arn)
	if !ok {
		return nil, invalidARN(*a.arn)
	}
	t := &providerTarget{arn: *a.arn, account: account, actions: []string{"iam:" + c.Operation}, conditions: a.conditions}
	var err error
	if t.storedProvider, err = s.provider(ctx, account, issuer); err == nil && t.provider != nil {
		t.conditions.resource = t.Tags
	}
	return t, err
}

func (s *Service) resolveNewProvider(ctx context.Context, c *service.Call, in *iamapi.CreateOpenIDConnectProviderRequest) (*providerTarget, error) {
	if !isProviderURL(*in.Url, s.Dev) {
		return nil, api.ValidationException("Invalid Open ID Connect Provider URL")
	}
	p := &provider{Version: recordVersion, Account: c.Caller.Account, URL: *in.Url, Created: c.Now}
	t := &providerTarget{
		new: p, arn: p.ARN(), account: p.Account, actions: []string{"iam:CreateOpenIDConnectProvider"}, conditions: conditions{tags: in.Tags},
	}
	if len(in.Tags) > 0 {
		t.actions = append(t.actions, "iam:TagOpenIDConnectProvider")
	}
	var err error
	t.storedProvider, err = s.provider(ctx, p.Account, p.issuer())
	return t, err
}

func checkNewProvider(_ context.Context, _ *service.Call, in *iamapi.CreateOpenIDConnectProviderRequest, t *providerTarget) (err error) {
	if t.provider != nil {
		return iamapi.EntityAlreadyExistsException("Provider with url %s already exists.", *in.Url)
	}
	if t.new.Thumbprints, err = thumbprints(in.ThumbprintList); err != nil {
		return err
	}
	for _, id := range in.ClientIDList {
		if err := t.new.addClient(id); err != nil {
			return err
		}
	}
	t.new.Tags, err = newTags(in.Tags)
	return err
}

// thumbprints checks a list of SHA-1 thumbprints of certificates.
func thumbprints(in []string) ([]string, error) {
	if len(in) > maxThumbprints {
		return nil, iamapi.InvalidInputException("Thumbprint list must contain fewer than %d entries.", maxThumbprints+1)
	}
	var list []string
	for _, t := range in {
		if _, err := hex.DecodeString(t); err != nil {
			return nil, iamapi.InvalidInputException("Invalid thumbprint.")
		}
		if t = strings.ToLower(t); !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	return list, nil
}

func (p *provider) addClient(id string) error {
	switch {
	case slices.Contains(p.ClientIDs, id):
		return nil
	case len(p.ClientIDs) >= maxClientIDs:
		return iamapi.LimitExceededException("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	p.ClientIDs = append(p.ClientIDs, id)
	return nil
}
