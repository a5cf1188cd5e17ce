package iam

import (
	"context"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// sts is what the Security Token Service remembers.
type sts struct {
	sessions  *sessionCache
	providers *store.Table[provider]
	counts    *store.Table[providerCount]
	keySets   *keySets
}

func newSTS(c Config) *sts {
	return &sts{
		sessions:  newSessionCache(),
		providers: newTable(c.Store, providerPrefix, decodeProvider, smallCacheBytes),
		counts:    newTable(c.Store, providerCountPrefix, decodeProviderCount, smallCacheBytes),
		keySets:   newKeySets(c.Fetch),
	}
}

// STS is the table of the Security Token Service.
func (s *Service) STS() []service.Operation {
	return []service.Operation{
		service.Define(service.Row[stsapi.AssumeRoleRequest, stsapi.AssumeRoleResponse, *roleTarget]{
			Name: "AssumeRole", ReadOnly: true, LogAnswer: logAnswer[stsapi.AssumeRoleResponse, *roleTarget],
			Resolve: s.resolveAssumeRole, Check: s.checkRoleSession, Handle: s.assumeRole,
		}),
		service.Define(service.Row[stsapi.AssumeRoleWithWebIdentityRequest, stsapi.AssumeRoleWithWebIdentityResponse, *webIdentityTarget]{
			Name: "AssumeRoleWithWebIdentity", ReadOnly: true, Unsigned: true,
			LogAnswer: logAnswer[stsapi.AssumeRoleWithWebIdentityResponse, *webIdentityTarget],
			Resolve:   s.resolveWebIdentity, Check: s.checkWebIdentitySession, Handle: s.assumeRoleWithWebIdentity,
		}),
		service.Define(service.Row[stsapi.GetAccessKeyInfoRequest, stsapi.GetAccessKeyInfoResponse, service.Own]{
			Name: "GetAccessKeyInfo", ReadOnly: true, Resolve: resolveAccessKeyInfo, Handle: s.getAccessKeyInfo,
		}),
		service.Define(service.Row[stsapi.GetCallerIdentityRequest, stsapi.GetCallerIdentityResponse, whoAmI]{
			Name: "GetCallerIdentity", ReadOnly: true, Resolve: resolveSelf, Handle: getCallerIdentity,
		}),
		service.Define(service.Row[stsapi.GetFederationTokenRequest, stsapi.GetFederationTokenResponse, *federationTarget]{
			Name: "GetFederationToken", ReadOnly: true, LogAnswer: logAnswer[stsapi.GetFederationTokenResponse, *federationTarget],
			Resolve: s.resolveFederationToken, Check: s.checkFederation, Handle: s.getFederationToken,
		}),
		service.Define(service.Row[stsapi.GetSessionTokenRequest, stsapi.GetSessionTokenResponse, whoAmI]{
			Name: "GetSessionToken", ReadOnly: true, LogAnswer: logAnswer[stsapi.GetSessionTokenResponse, whoAmI],
			Resolve: resolveSessionToken, Handle: s.getSessionToken,
		}),
	}
}

// logAnswer shows an answer in the audit record, but for what its model keeps out: the secret and the token.
func logAnswer[Out any, T service.Target, POut interface {
	*Out
	api.Output
}](out *Out, _ T) []byte {
	return POut(out).AppendAudit(nil)
}

// whoAmI is the target of operations on the caller itself, which need no permission (STS API Reference).
type whoAmI struct{}

// Access is empty: whoever can sign may ask who it is.
func (whoAmI) Access(*service.Call) []authz.Access { return nil }

func resolveSelf(context.Context, *service.Call, *stsapi.GetCallerIdentityRequest) (whoAmI, error) {
	return whoAmI{}, nil
}

func getCallerIdentity(_ context.Context, c *service.Call, _ *stsapi.GetCallerIdentityRequest, _ whoAmI) (*stsapi.GetCallerIdentityResponse, error) {
	return &stsapi.GetCallerIdentityResponse{Account: &c.Caller.Account, Arn: &c.Caller.ARN, UserId: &c.Caller.UserID}, nil
}

func resolveAccessKeyInfo(_ context.Context, c *service.Call, _ *stsapi.GetAccessKeyInfoRequest) (service.Own, error) {
	if ofSessionToken(&c.Caller) || c.Caller.Type == caller.Federated {
		return service.Own{}, cannotCall(c, "session")
	}
	return service.Own{Action: "sts:GetAccessKeyInfo"}, nil
}

// getAccessKeyInfo says whose account an access key is of. A temporary one says so itself; of others it must be known,
// whether it is active or not.
func (s *Service) getAccessKeyInfo(ctx context.Context, _ *service.Call, in *stsapi.GetAccessKeyInfoRequest, _ service.Own) (*stsapi.GetAccessKeyInfoResponse, error) {
	id := *in.AccessKeyId
	if strings.HasPrefix(id, sessionPrefix) {
		if account := accountOfSessionKey(id); account != "" {
			return &stsapi.GetAccessKeyInfoResponse{Account: &account}, nil
		}
		return nil, noSuchAccessKey(id)
	}
	k, err := s.accessKey(ctx, id)
	if err != nil {
		return nil, err
	}
	if k.accessKey == nil {
		return nil, noSuchAccessKey(id)
	}
	return &stsapi.GetAccessKeyInfoResponse{Account: &k.account}, nil
}

func noSuchAccessKey(id string) error {
	return api.ValidationException("The access key id %s belongs to no account.", id)
}
