package iam

import (
	"context"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// accountRecord returns what IAM keeps of an account; of one that has nothing, an empty record.
func (s *Service) accountRecord(ctx context.Context, account string) (*Account, error) {
	a, _, err := s.accounts.Get(ctx, accountPrefix+account)
	if a == nil || a.Account != account {
		a = &Account{}
	}
	return a, err
}

// createAccountAlias gives the caller's account a name, in the place of the one that it has. No two accounts have the same.
func (s *Service) createAccountAlias(ctx context.Context, c *service.Call, in *iamapi.CreateAccountAliasRequest, _ service.Own) (*iamapi.CreateAccountAliasResponse, error) {
	out, alias, account := new(iamapi.CreateAccountAliasResponse), *in.AccountAlias, c.Caller.Account
	if arn.IsAccount(alias) {
		return nil, iamapi.EntityAlreadyExistsException("The account alias %s is the id of an account.", alias)
	}
	taken, _, err := s.aliases.Get(ctx, aliasPrefix+alias)
	switch {
	case err != nil:
		return nil, err
	case taken != nil && taken.ID == account:
		return out, nil
	case taken != nil:
		return nil, iamapi.EntityAlreadyExistsException("The account alias %s already exists.", alias)
	}
	ch := s.change()
	write(ch, s.aliases, aliasPrefix+alias, 0, &reference{Version: recordVersion, ID: account})
	ch.count(ctx, account, func(a *Account) error {
		if a.Alias != "" {
			ch.unindex(aliasPrefix + a.Alias)
		}
		a.Alias = alias
		return nil
	})
	return out, ch.commit(ctx)
}

func (s *Service) deleteAccountAlias(ctx context.Context, c *service.Call, in *iamapi.DeleteAccountAliasRequest, _ service.Own) (*iamapi.DeleteAccountAliasResponse, error) {
	ch := s.change()
	ch.count(ctx, c.Caller.Account, func(a *Account) error {
		if a.Alias != *in.AccountAlias {
			return iamapi.NoSuchEntityException("The account alias %s cannot be found.", *in.AccountAlias)
		}
		a.Alias = ""
		return nil
	})
	ch.unindex(aliasPrefix + *in.AccountAlias)
	return new(iamapi.DeleteAccountAliasResponse), ch.commit(ctx)
}

func (s *Service) listAccountAliases(ctx context.Context, c *service.Call, _ *iamapi.ListAccountAliasesRequest, _ service.Own) (*iamapi.ListAccountAliasesResponse, error) {
	a, err := s.accountRecord(ctx, c.Caller.Account)
	out := &iamapi.ListAccountAliasesResponse{AccountAliases: []string{}, IsTruncated: new(false)}
	if a.Alias != "" {
		out.AccountAliases = append(out.AccountAliases, a.Alias)
	}
	return out, err
}

// getAccountSummary counts what the account has, and says how much it may have.
func (s *Service) getAccountSummary(ctx context.Context, c *service.Call, _ *iamapi.GetAccountSummaryRequest, _ service.Own) (*iamapi.GetAccountSummaryResponse, error) {
	account := c.Caller.Account
	a, err := s.accountRecord(ctx, account)
	if err != nil {
		return nil, err
	}
	rootKeys, err := s.countRecords(ctx, rootKeyPath(account, ""))
	if err != nil {
		return nil, err
	}
	versions, err := s.countVersions(ctx, account)
	if err != nil {
		return nil, err
	}
	providers, err := s.countRecords(ctx, providerPrefix+account+"/")
	return &iamapi.GetAccountSummaryResponse{SummaryMap: map[iamapi.SummaryKeyType]int32{
		iamapi.SummaryKeyTypeUsers: int32(a.Users), iamapi.SummaryKeyTypeUsersQuota: int32(aUser.limits().count),
		iamapi.SummaryKeyTypeGroups: int32(a.Groups), iamapi.SummaryKeyTypeGroupsQuota: int32(aGroup.limits().count),
		iamapi.SummaryKeyTypeRoles: int32(a.Roles), iamapi.SummaryKeyTypeRolesQuota: int32(aRole.limits().count),
		iamapi.SummaryKeyTypePolicies: int32(a.Policies), iamapi.SummaryKeyTypePoliciesQuota: maxPolicies,
		iamapi.SummaryKeyTypePolicyVersionsInUse: versions, iamapi.SummaryKeyTypePolicyVersionsInUseQuota: maxPolicies * maxVersions,
		iamapi.SummaryKeyTypeUserPolicySizeQuota:          int32(aUser.limits().inline),
		iamapi.SummaryKeyTypeGroupPolicySizeQuota:         int32(aGroup.limits().inline),
		iamapi.SummaryKeyTypeRolePolicySizeQuota:          int32(aRole.limits().inline),
		iamapi.SummaryKeyTypePolicySizeQuota:              policy.ManagedSize,
		iamapi.SummaryKeyTypeAssumeRolePolicySizeQuota:    policy.TrustSize,
		iamapi.SummaryKeyTypeVersionsPerPolicyQuota:       maxVersions,
		iamapi.SummaryKeyTypeGroupsPerUserQuota:           maxGroups,
		iamapi.SummaryKeyTypeAccessKeysPerUserQuota:       maxAccessKeys,
		iamapi.SummaryKeyTypeAttachedPoliciesPerUserQuota: maxAttached, iamapi.SummaryKeyTypeAttachedPoliciesPerGroupQuota: maxAttached,
		iamapi.SummaryKeyTypeAttachedPoliciesPerRoleQuota: maxAttached,
		iamapi.SummaryKeyTypeAccountAccessKeysPresent:     min(rootKeys, 1), iamapi.SummaryKeyTypeProviders: providers,
		// What Trent does not have.
		iamapi.SummaryKeyTypeMFADevices: 0, iamapi.SummaryKeyTypeMFADevicesInUse: 0, iamapi.SummaryKeyTypeAccountMFAEnabled: 0,
		iamapi.SummaryKeyTypeAccountPasswordPresent: 0, iamapi.SummaryKeyTypeServerCertificates: 0, iamapi.SummaryKeyTypeServerCertificatesQuota: 0,
		iamapi.SummaryKeyTypeAccountSigningCertificatesPresent: 0, iamapi.SummaryKeyTypeSigningCertificatesPerUserQuota: 0,
		iamapi.SummaryKeyTypeInstanceProfiles: 0, iamapi.SummaryKeyTypeInstanceProfilesQuota: 0, iamapi.SummaryKeyTypeGlobalEndpointTokenVersion: 2,
	}}, err
}

// countVersions counts the versions of an account's managed policies.
func (s *Service) countVersions(ctx context.Context, account string) (int32, error) {
	var n int32
	p := pager{limit: maxLooked}
	for {
		truncated, _, err := s.scanOwnPolicies(ctx, p, account, func(m *Managed) (bool, error) {
			n += int32(len(m.Versions))
			p.after = strings.ToLower(m.Name)
			return true, nil
		})
		if err != nil || !*truncated {
			return n, err
		}
	}
}
