package sdk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/test/internal/harness"
)

// TestEveryIdentityOperation calls every operation of IAM, STS and Organizations that the models mark as built: in the
// order in which Terraform does for its resources, and the others after that.
func TestEveryIdentityOperation(t *testing.T) {
	p := newPopulation(t)
	u, boss := p.root(account), p.root("555566667777")
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Terraform configures its provider", func(t *testing.T) { configureProvider(t, u) }},
		{"Terraform: aws_iam_user", func(t *testing.T) { terraformUser(t, u) }},
		{"Terraform: aws_iam_policy", func(t *testing.T) { terraformPolicy(t, u) }},
		{"Terraform: aws_iam_role", func(t *testing.T) { terraformRole(t, u) }},
		{"Terraform: aws_iam_openid_connect_provider", func(t *testing.T) { terraformProvider(t, u) }},
		{"Terraform: aws_iam_group", func(t *testing.T) { terraformGroup(t, u) }},
		{"Terraform: aws_kms_key", func(t *testing.T) { terraformKey(t, u) }},
		{"Terraform: aws_organizations_organization", func(t *testing.T) { terraformOrganization(t, boss) }},
		{"the account", func(t *testing.T) { accountOperations(t, u) }},
		{"pages", func(t *testing.T) { identityPages(t, u) }},
		{"policies of users", func(t *testing.T) { userPolicies(t, u) }},
		{"waiters", func(t *testing.T) { identityWaiters(t, u) }},
		{"sessions", func(t *testing.T) { p.sessions(t) }},
		{"sessions for tokens of an identity provider", func(t *testing.T) { p.federation(t) }},
		{"simulations", func(t *testing.T) { simulations(t, u) }},
		{"the organization", func(t *testing.T) { p.organization(t) }},
	} {
		t.Run(step.name, step.run)
	}
	if !t.Failed() {
		p.checkEverythingWasCalled(t)
	}
}

// accountOperations are of the account as a whole.
func accountOperations(t *testing.T, u person) {
	ctx := t.Context()
	must(u.iam.CreateAccountAlias(ctx, &iam.CreateAccountAliasInput{AccountAlias: aws.String("our-company")}))(t)
	if got := must(u.iam.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{}))(t).AccountAliases; !cmp.Equal(got, []string{"our-company"}) {
		t.Errorf("aliases %v", got)
	}
	must(u.iam.DeleteAccountAlias(ctx, &iam.DeleteAccountAliasInput{AccountAlias: aws.String("our-company")}))(t)
	before := must(u.iam.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{}))(t).SummaryMap
	must(u.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("counted")}))(t)
	after := must(u.iam.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{}))(t).SummaryMap
	if after["Users"] != before["Users"]+1 || after["UsersQuota"] == 0 {
		t.Errorf("users: %d before, %d after, quota %d", before["Users"], after["Users"], after["UsersQuota"])
	}
	var names []string
	for pages := iam.NewGetAccountAuthorizationDetailsPaginator(u.iam, &iam.GetAccountAuthorizationDetailsInput{Filter: []iamtypes.EntityType{iamtypes.EntityTypeUser}}); pages.HasMorePages(); {
		for _, d := range must(pages.NextPage(ctx))(t).UserDetailList {
			names = append(names, *d.UserName)
		}
	}
	if !cmp.Equal(names, []string{"counted"}) {
		t.Errorf("details of %v", names)
	}
	must(u.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("counted")}))(t)
}

// identityPages makes some of everything and reads it in pages of one.
func identityPages(t *testing.T, u person) {
	ctx, one := t.Context(), aws.Int32(1)
	tags := []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}
	var policy, provider *string
	for n := range 3 {
		name := aws.String(fmt.Sprint("page-", n))
		must(u.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: name, Path: aws.String("/pages/"), Tags: tags}))(t)
		must(u.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: name, Path: aws.String("/pages/")}))(t)
		must(u.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, Path: aws.String("/pages/"), AssumeRolePolicyDocument: aws.String(trustsAccount), Tags: tags}))(t)
		policy = must(u.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: name, Path: aws.String("/pages/"), PolicyDocument: aws.String(allowsDescribe), Tags: tags}))(t).Policy.Arn
		provider = must(u.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://issuer.example.com/" + *name), Tags: tags}))(t).OpenIDConnectProviderArn
		for _, inline := range []string{"x", "y"} {
			must(u.iam.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: name, PolicyName: &inline, PolicyDocument: aws.String(allowsDescribe)}))(t)
		}
		must(u.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: name, PolicyArn: policy}))(t)
	}
	count := func(what string, want int, next func() (int, bool)) {
		t.Helper()
		n, pages := 0, 0
		for more := true; more; pages++ {
			var got int
			if got, more = next(); got > 1 {
				t.Errorf("%s: a page of %d", what, got)
			}
			n += got
		}
		if n != want || pages < want {
			t.Errorf("%s: %d in %d pages, want %d", what, n, pages, want)
		}
	}
	under := aws.String("/pages/")
	users := iam.NewListUsersPaginator(u.iam, &iam.ListUsersInput{PathPrefix: under, MaxItems: one})
	count("users", 3, func() (int, bool) { return len(must(users.NextPage(ctx))(t).Users), users.HasMorePages() })
	groups := iam.NewListGroupsPaginator(u.iam, &iam.ListGroupsInput{PathPrefix: under, MaxItems: one})
	count("groups", 3, func() (int, bool) { return len(must(groups.NextPage(ctx))(t).Groups), groups.HasMorePages() })
	roles := iam.NewListRolesPaginator(u.iam, &iam.ListRolesInput{PathPrefix: under, MaxItems: one})
	count("roles", 3, func() (int, bool) { return len(must(roles.NextPage(ctx))(t).Roles), roles.HasMorePages() })
	policies := iam.NewListPoliciesPaginator(u.iam, &iam.ListPoliciesInput{PathPrefix: under, MaxItems: one, Scope: iamtypes.PolicyScopeTypeLocal})
	count("policies", 3, func() (int, bool) {
		return len(must(policies.NextPage(ctx))(t).Policies), policies.HasMorePages()
	})
	inline := iam.NewListGroupPoliciesPaginator(u.iam, &iam.ListGroupPoliciesInput{GroupName: aws.String("page-0"), MaxItems: one})
	count("inline policies", 2, func() (int, bool) {
		return len(must(inline.NextPage(ctx))(t).PolicyNames), inline.HasMorePages()
	})
	ofUser := iam.NewListUserTagsPaginator(u.iam, &iam.ListUserTagsInput{UserName: aws.String("page-0"), MaxItems: one})
	count("tags of a user", 2, func() (int, bool) { return len(must(ofUser.NextPage(ctx))(t).Tags), ofUser.HasMorePages() })
	ofRole := iam.NewListRoleTagsPaginator(u.iam, &iam.ListRoleTagsInput{RoleName: aws.String("page-0"), MaxItems: one})
	count("tags of a role", 2, func() (int, bool) { return len(must(ofRole.NextPage(ctx))(t).Tags), ofRole.HasMorePages() })
	ofPolicy := iam.NewListPolicyTagsPaginator(u.iam, &iam.ListPolicyTagsInput{PolicyArn: policy, MaxItems: one})
	count("tags of a policy", 2, func() (int, bool) {
		return len(must(ofPolicy.NextPage(ctx))(t).Tags), ofPolicy.HasMorePages()
	})
	ofProvider := iam.NewListOpenIDConnectProviderTagsPaginator(u.iam, &iam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: provider, MaxItems: one})
	count("tags of a provider", 2, func() (int, bool) {
		return len(must(ofProvider.NextPage(ctx))(t).Tags), ofProvider.HasMorePages()
	})
	if got := must(u.iam.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{}))(t).OpenIDConnectProviderList; len(got) != 3 {
		t.Errorf("%d providers", len(got))
	}
	entities := iam.NewListEntitiesForPolicyPaginator(u.iam, &iam.ListEntitiesForPolicyInput{PolicyArn: policy})
	if got := must(entities.NextPage(ctx))(t).PolicyUsers; len(got) != 1 || *got[0].UserName != "page-2" {
		t.Errorf("the policy is attached to %v", got)
	}
}

// userPolicies are a user's policies, as lists.
func userPolicies(t *testing.T, u person) {
	ctx, name := t.Context(), aws.String("page-0")
	must(u.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("inline"), PolicyDocument: aws.String(allowsDecrypt)}))(t)
	if got := must(u.iam.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: name}))(t).PolicyNames; !cmp.Equal(got, []string{"inline"}) {
		t.Errorf("inline policies %v", got)
	}
	attached := must(u.iam.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: name}))(t).AttachedPolicies
	if len(attached) != 1 || *attached[0].PolicyName != "page-0" {
		t.Fatalf("attached policies %v", attached)
	}
	fails[*iam.DeletePolicyOutput](t, "DeleteConflict")(u.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: attached[0].PolicyArn}))
	fails[*iam.DeleteUserOutput](t, "DeleteConflict")(u.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name}))
	must(u.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: name, PolicyArn: attached[0].PolicyArn}))(t)
}

// identityWaiters are the SDK's own: they ask until something is there.
func identityWaiters(t *testing.T, u person) {
	ctx, wait := t.Context(), time.Minute
	if err := iam.NewUserExistsWaiter(u.iam).Wait(ctx, &iam.GetUserInput{UserName: aws.String("page-0")}, wait); err != nil {
		t.Error(err)
	}
	if err := iam.NewRoleExistsWaiter(u.iam).Wait(ctx, &iam.GetRoleInput{RoleName: aws.String("page-0")}, wait); err != nil {
		t.Error(err)
	}
	if err := iam.NewPolicyExistsWaiter(u.iam).Wait(ctx, &iam.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::" + account + ":policy/pages/page-0")}, wait); err != nil {
		t.Error(err)
	}
}

// sessions are temporary credentials of each kind, and who their holder is.
func (p *population) sessions(t *testing.T) {
	ctx, u := t.Context(), p.root(account)
	must(u.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("sam")}))(t)
	must(u.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("sam"), PolicyName: aws.String("all"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)}))(t)
	k := must(u.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("sam")}))(t).AccessKey
	sam := p.as(*k.AccessKeyId, *k.SecretAccessKey, "")
	if got := must(sam.sts.GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: k.AccessKeyId}))(t); *got.Account != account {
		t.Errorf("the access key is of %s", *got.Account)
	}
	must(u.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("guarded"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/sam"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"sts:ExternalId":"1234"}}}}`)}))(t)
	must(u.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("guarded"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}))(t)
	assume := sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/guarded"), RoleSessionName: aws.String("one"), DurationSeconds: aws.Int32(900),
		Tags: []ststypes.Tag{{Key: aws.String("tenant"), Value: aws.String("blue")}}, TransitiveTagKeys: []string{"tenant"},
	}
	fails[*sts.AssumeRoleOutput](t, "AccessDenied")(sam.sts.AssumeRole(ctx, &assume))
	assume.ExternalId = aws.String("1234")
	role := must(sam.sts.AssumeRole(ctx, &assume))(t)
	self := must(sam.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)}))(t).Credentials
	guest := must(sam.sts.GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("guest"), Policy: aws.String(allowsDescribe)}))(t)
	for _, s := range []struct {
		c    *ststypes.Credentials
		want string
	}{
		{role.Credentials, *role.AssumedRoleUser.Arn},
		{self, "arn:aws:iam::" + account + ":user/sam"},
		{guest.Credentials, *guest.FederatedUser.Arn},
	} {
		holder := p.as(*s.c.AccessKeyId, *s.c.SecretAccessKey, *s.c.SessionToken)
		who := must(holder.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
		if *who.Arn != s.want || time.Until(*s.c.Expiration) <= 0 {
			t.Errorf("it is %s until %s, want %s", *who.Arn, s.c.Expiration, s.want)
		}
		without := p.as(*s.c.AccessKeyId, *s.c.SecretAccessKey, "")
		fails[*sts.GetCallerIdentityOutput](t, "InvalidClientTokenId")(without.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))
	}
	// Without multi-factor authentication, a user's own session cannot do anything in IAM; one of a role can.
	member := p.as(*self.AccessKeyId, *self.SecretAccessKey, *self.SessionToken)
	fails[*iam.ListUsersOutput](t, "InvalidClientTokenId")(member.iam.ListUsers(ctx, &iam.ListUsersInput{}))
	assumed := p.as(*role.Credentials.AccessKeyId, *role.Credentials.SecretAccessKey, *role.Credentials.SessionToken)
	must(assumed.iam.ListUsers(ctx, &iam.ListUsersInput{}))(t)
	must(assumed.kms.ListKeys(ctx, &kms.ListKeysInput{}))(t)
	// It ends with the role.
	must(u.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("guarded"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}))(t)
	fails[*kms.ListKeysOutput](t, "AccessDeniedException")(assumed.kms.ListKeys(ctx, &kms.ListKeysInput{}))
	must(u.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("guarded")}))(t)
	_, err := assumed.kms.ListKeys(ctx, &kms.ListKeysInput{})
	if code(err) == "" || code(err) == "InternalFailure" {
		t.Errorf("the session of a deleted role: %v", err)
	}
}

// federation is a session for an ID token.
func (p *population) federation(t *testing.T) {
	ctx, u := t.Context(), p.root(account)
	issuer := must(harness.NewIssuer())(t)
	t.Cleanup(issuer.Close)
	provider := must(u.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &issuer.URL, ClientIDList: []string{"trent"}}))(t).OpenIDConnectProviderArn
	host := strings.TrimPrefix(issuer.URL, "http://")
	must(u.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("federated"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"` + *provider + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"` + host + `:sub":"me"}}}}`)}))(t)
	token := func(subject string) *string {
		return aws.String(must(issuer.Token(map[string]any{"aud": "trent", "sub": subject, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}))(t))
	}
	in := sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String("arn:aws:iam::" + account + ":role/federated"), RoleSessionName: aws.String("one"), WebIdentityToken: token("me")}
	nobody := p.as("", "", "")
	out := must(nobody.sts.AssumeRoleWithWebIdentity(ctx, &in))(t)
	if *out.SubjectFromWebIdentityToken != "me" || *out.Audience != "trent" || *out.Provider != *provider {
		t.Errorf("%s, %s, %s", *out.SubjectFromWebIdentityToken, *out.Audience, *out.Provider)
	}
	who := must(p.as(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	if *who.Arn != *out.AssumedRoleUser.Arn {
		t.Errorf("it is %s", *who.Arn)
	}
	in.WebIdentityToken = token("somebody else")
	fails[*sts.AssumeRoleWithWebIdentityOutput](t, "AccessDenied")(nobody.sts.AssumeRoleWithWebIdentity(ctx, &in))
}

// simulations ask what would be decided, and which keys a policy's conditions look at.
func simulations(t *testing.T, u person) {
	ctx := t.Context()
	conditional := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:tenant":"blue","aws:PrincipalTag/team":"x"}}}}`
	got := must(u.iam.GetContextKeysForCustomPolicy(ctx, &iam.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{conditional}}))(t).ContextKeyNames
	slices.Sort(got)
	if !slices.Equal(got, []string{"aws:PrincipalTag/team", "kms:EncryptionContext:tenant"}) {
		t.Errorf("context keys %v", got)
	}
	name, id := aws.String("page-0"), aws.String("arn:aws:iam::"+account+":user/pages/page-0")
	must(u.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("inline"), PolicyDocument: &conditional}))(t)
	if got := must(u.iam.GetContextKeysForPrincipalPolicy(ctx, &iam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: id}))(t).ContextKeyNames; len(got) != 2 {
		t.Errorf("context keys of the user: %v", got)
	}
	decide := func(tenant string) iamtypes.PolicyEvaluationDecisionType {
		t.Helper()
		entry := func(key, value string) iamtypes.ContextEntry {
			return iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{value}}
		}
		out := must(u.iam.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: id, ActionNames: []string{"kms:Decrypt"},
			ContextEntries: []iamtypes.ContextEntry{entry("kms:EncryptionContext:tenant", tenant), entry("aws:PrincipalTag/team", "x")},
		}))(t)
		return out.EvaluationResults[0].EvalDecision
	}
	if blue, red := decide("blue"), decide("red"); blue != iamtypes.PolicyEvaluationDecisionTypeAllowed || red != iamtypes.PolicyEvaluationDecisionTypeImplicitDeny {
		t.Errorf("blue is %s, red is %s", blue, red)
	}
	custom := must(u.iam.SimulateCustomPolicy(ctx, &iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowsDescribe}, ActionNames: []string{"kms:DescribeKey", "kms:Decrypt"}}))(t).EvaluationResults
	if len(custom) != 2 || custom[0].EvalDecision != iamtypes.PolicyEvaluationDecisionTypeAllowed || custom[1].EvalDecision != iamtypes.PolicyEvaluationDecisionTypeImplicitDeny {
		t.Errorf("%+v", custom)
	}
}

// organization is what Terraform has not called.
func (p *population) organization(t *testing.T) {
	ctx, boss := t.Context(), p.root("555566667777")
	must(boss.org.CreateOrganization(ctx, &organizations.CreateOrganizationInput{FeatureSet: orgtypes.OrganizationFeatureSetAll}))(t)
	id := must(boss.org.ListRoots(ctx, &organizations.ListRootsInput{}))(t).Roots[0].Id
	must(boss.org.EnablePolicyType(ctx, &organizations.EnablePolicyTypeInput{RootId: id, PolicyType: orgtypes.PolicyTypeServiceControlPolicy}))(t)
	unit := must(boss.org.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: id, Name: aws.String("teams")}))(t).OrganizationalUnit.Id
	if got := must(boss.org.ListOrganizationalUnitsForParent(ctx, &organizations.ListOrganizationalUnitsForParentInput{ParentId: id}))(t).OrganizationalUnits; len(got) != 1 || *got[0].Id != *unit {
		t.Errorf("units %v", got)
	}
	var members []string
	for _, name := range []string{"shop", "bank"} {
		status := must(boss.org.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: &name, Email: aws.String(name + "@second.example.com")}))(t).CreateAccountStatus
		if status.State != orgtypes.CreateAccountStateSucceeded {
			t.Fatalf("%s: %s, %s", name, status.State, status.FailureReason)
		}
		members = append(members, *status.AccountId)
	}
	if got := must(boss.org.ListCreateAccountStatus(ctx, &organizations.ListCreateAccountStatusInput{}))(t).CreateAccountStatuses; len(got) < 2 {
		t.Errorf("%d accounts were asked for", len(got))
	}
	if got := must(boss.org.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: id, ChildType: orgtypes.ChildTypeAccount}))(t).Children; len(got) != 3 {
		t.Errorf("children %v", got)
	}
	listed := 0
	for pages := organizations.NewListAccountsPaginator(boss.org, &organizations.ListAccountsInput{MaxResults: aws.Int32(1)}); pages.HasMorePages(); {
		listed += len(must(pages.NextPage(ctx))(t).Accounts)
	}
	if listed != 3 {
		t.Errorf("%d accounts", listed)
	}

	// A user of the management account comes into a new account by the role that it was made with.
	shop := members[0]
	must(boss.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("ops")}))(t)
	must(boss.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("ops"), PolicyName: aws.String("assumes"), PolicyDocument: aws.String(wrapped(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`))}))(t)
	k := must(boss.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("ops")}))(t).AccessKey
	in := must(p.session(ctx, p.as(*k.AccessKeyId, *k.SecretAccessKey, ""), "arn:aws:iam::"+shop+":role/OrganizationAccountAccessRole"))(t)
	if who := must(in.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t); *who.Account != shop {
		t.Errorf("it is in %s", *who.Account)
	}
	key := must(in.kms.CreateKey(ctx, &kms.CreateKeyInput{}))(t).KeyMetadata.KeyId
	deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:Encrypt","Resource":"*"}]}`
	policy := must(boss.org.CreatePolicy(ctx, &organizations.CreatePolicyInput{Name: aws.String("no"), Description: aws.String(""), Type: orgtypes.PolicyTypeServiceControlPolicy, Content: &deny}))(t).Policy.PolicySummary.Id
	must(boss.org.AttachPolicy(ctx, &organizations.AttachPolicyInput{PolicyId: policy, TargetId: &shop}))(t)
	if got := must(boss.org.ListPolicies(ctx, &organizations.ListPoliciesInput{Filter: orgtypes.PolicyTypeServiceControlPolicy}))(t).Policies; len(got) != 2 {
		t.Errorf("%d policies", len(got))
	}
	if got := must(boss.org.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: &shop, Filter: orgtypes.PolicyTypeServiceControlPolicy}))(t).Policies; len(got) != 2 {
		t.Errorf("%d policies of the account", len(got))
	}
	fails[*kms.EncryptOutput](t, "AccessDeniedException")(in.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: key, Plaintext: []byte("x")}))

	// One account leaves, and is bound no more; the other is closed, and its principals can do nothing.
	must(p.root(shop).org.LeaveOrganization(ctx, &organizations.LeaveOrganizationInput{}))(t)
	must(in.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: key, Plaintext: []byte("x")}))(t)
	must(boss.org.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: &members[1]}))(t)
	if _, err := p.root(members[1]).kms.CreateKey(ctx, &kms.CreateKeyInput{}); err == nil {
		t.Error("a closed account makes keys")
	}
}

// session assumes a role.
func (p *population) session(ctx context.Context, by person, role string) (person, error) {
	out, err := by.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("test")})
	if err != nil {
		return person{}, err
	}
	return p.as(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken), nil
}
