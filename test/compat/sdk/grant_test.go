package sdk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/test/internal/harness"
)

const (
	root  = "arn:aws:iam::000000000000:root"
	alice = "arn:aws:iam::000000000000:user/alice"
	bob   = "arn:aws:iam::000000000000:role/team/bob"
)

// makePeople creates alice, and bob, who she may become. Nothing else is allowed to them. It returns alice's credentials.
func makePeople(t *testing.T, s *harness.Server) func(*aws.Config) {
	t.Helper()
	c := iam.NewFromConfig(configuration(s))
	must(c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("alice")}))(t)
	must(c.CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: aws.String("bob"), Path: aws.String("/team/"),
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + alice + `"},"Action":"sts:AssumeRole"}}`),
	}))(t)
	key := must(c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("alice")}))(t).AccessKey
	return as(*key.AccessKeyId, *key.SecretAccessKey)
}

// asBob returns the credentials of a session that alice has as bob.
func asBob(t *testing.T, s *harness.Server, asAlice func(*aws.Config)) func(*aws.Config) {
	t.Helper()
	config := configuration(s)
	asAlice(&config)
	out := must(sts.NewFromConfig(config).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(bob), RoleSessionName: aws.String("compat")}))(t)
	return func(c *aws.Config) {
		c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			k := out.Credentials
			return aws.Credentials{AccessKeyID: *k.AccessKeyId, SecretAccessKey: *k.SecretAccessKey, SessionToken: *k.SessionToken}, nil
		})
	}
}

// grants makes grants, finds them in pages, uses their tokens and ends them.
func (s *story) grants(t *testing.T) {
	id, asAlice := s.make(t, kms.CreateKeyInput{}), makePeople(t, s.server)
	operations := []types.GrantOperation{types.GrantOperationEncrypt, types.GrantOperationDecrypt, types.GrantOperationRetireGrant}
	in := &kms.CreateGrantInput{
		KeyId: &id, GranteePrincipal: aws.String(alice), RetiringPrincipal: aws.String(bob), Operations: operations, Name: aws.String("ours"),
		Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"tenant": "blue"}},
	}
	first := must(s.kms.CreateGrant(t.Context(), in))(t)
	s.crash(t)
	again := must(s.kms.CreateGrant(t.Context(), in))(t)
	if len(*first.GrantId) != 64 || *again.GrantId != *first.GrantId || *again.GrantToken == *first.GrantToken {
		t.Errorf("grant %s with token %s, asked for again: %s with %s", *first.GrantId, *first.GrantToken, *again.GrantId, *again.GrantToken)
	}
	got := must(s.kms.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &id, GrantId: first.GrantId}))(t).Grants
	if len(got) != 1 || time.Since(*got[0].CreationDate) > time.Minute {
		t.Fatalf("%+v", got)
	}
	want := types.GrantListEntry{
		KeyId: aws.String(arn(id)), GrantId: first.GrantId, GranteePrincipal: in.GranteePrincipal, RetiringPrincipal: in.RetiringPrincipal,
		Operations: operations, Name: in.Name, Constraints: in.Constraints, IssuingAccount: aws.String(root), CreationDate: got[0].CreationDate,
	}
	if diff := cmp.Diff(want, got[0], noDocument); diff != "" {
		t.Error(diff)
	}
	// The grantee may do what the grant allows, with its tokens and without, and nothing else.
	encrypt := func(tenant string, tokens ...string) error {
		_, err := newClient(s.server, asAlice).Encrypt(t.Context(), &kms.EncryptInput{
			KeyId: &id, Plaintext: []byte("x"), EncryptionContext: map[string]string{"tenant": tenant}, GrantTokens: tokens,
		})
		return err
	}
	if err := errors.Join(encrypt("blue", *first.GrantToken, *again.GrantToken), encrypt("blue")); err != nil {
		t.Error(err)
	}
	refuseAll(t, []refusal{
		{"a grant in another context", "AccessDeniedException", ours, func() error { return encrypt("red", *first.GrantToken) }},
		{"an operation that is not in the grant", "AccessDeniedException", ours, attempt(t, newClient(s.server, asAlice).DescribeKey, kms.DescribeKeyInput{
			KeyId: &id, GrantTokens: []string{*first.GrantToken}})},
	})

	all := []string{*first.GrantId}
	for range 4 {
		g := must(s.kms.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: aws.String(arn(id)), GranteePrincipal: aws.String(root), RetiringPrincipal: aws.String(bob), Operations: operations[:1]}))(t)
		all = append(all, *g.GrantId)
	}
	s.listed(t, id, all)

	// By token, by key and id, and by leave of the key: by who was named for it and by the account, and by nobody else.
	asRetiring := newClient(s.server, asBob(t, s.server, asAlice))
	refuseAll(t, []refusal{{"a grant that is for somebody else to retire", "AccessDeniedException", ours,
		attempt(t, newClient(s.server, asAlice).RetireGrant, kms.RetireGrantInput{KeyId: aws.String(arn(id)), GrantId: &all[1]})}})
	must(asRetiring.RetireGrant(t.Context(), &kms.RetireGrantInput{GrantToken: again.GrantToken}))(t)
	must(s.kms.RetireGrant(t.Context(), &kms.RetireGrantInput{KeyId: aws.String(arn(id)), GrantId: &all[1]}))(t)
	must(s.kms.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &id, GrantId: &all[2]}))(t)
	s.crash(t)
	s.listed(t, id, all[3:])
	_, err := s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x"), GrantTokens: []string{*first.GrantToken}})
	refuseAll(t, []refusal{
		{"the token of a grant that has ended", "InvalidGrantTokenException", ours, func() error { return err }},
		{"a grant that has ended", "AccessDeniedException", ours, func() error { return encrypt("blue") }},
	})
}

// listed fails unless both listings have just these grants, in pages of two.
func (s *story) listed(t *testing.T, key string, want []string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	var ofKey, retirable []string
	pages := 0
	for p := kms.NewListGrantsPaginator(s.kms, &kms.ListGrantsInput{KeyId: &key, Limit: aws.Int32(2)}); p.HasMorePages(); pages++ {
		for _, g := range must(p.NextPage(t.Context()))(t).Grants {
			ofKey = append(ofKey, *g.GrantId)
		}
	}
	for p := kms.NewListRetirableGrantsPaginator(s.kms, &kms.ListRetirableGrantsInput{RetiringPrincipal: aws.String(bob), Limit: aws.Int32(2)}); p.HasMorePages(); {
		for _, g := range must(p.NextPage(t.Context()))(t).Grants {
			if *g.RetiringPrincipal != bob || *g.KeyId != arn(key) {
				t.Errorf("%s on %s", *g.RetiringPrincipal, *g.KeyId)
			}
			retirable = append(retirable, *g.GrantId)
		}
	}
	slices.Sort(ofKey)
	slices.Sort(retirable)
	if diff := cmp.Diff(want, ofKey); diff != "" || pages < (len(want)+1)/2 {
		t.Errorf("ListGrants, %d pages: %s", pages, diff)
	}
	if diff := cmp.Diff(want, retirable); diff != "" {
		t.Errorf("ListRetirableGrants: %s", diff)
	}
}

// TestWhatGrantsRefuse are the errors of the five operations of grants.
func TestWhatGrantsRefuse(t *testing.T) {
	s := harness.Start(t, "--dev")
	makePeople(t, s)
	c, alien := newClient(s), newClient(s, as(other, "test"))
	key := func(spec types.KeySpec, usage types.KeyUsageType) string {
		return *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage}))(t).KeyMetadata.KeyId
	}
	id, off, mac := key("", ""), key("", ""), key(types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &off}))(t)
	good := kms.CreateGrantInput{KeyId: &id, GranteePrincipal: aws.String(alice), Operations: []types.GrantOperation{types.GrantOperationDecrypt}}
	made := must(c.CreateGrant(t.Context(), &good))(t)
	create := func(change func(*kms.CreateGrantInput)) func() error {
		in := good
		change(&in)
		return attempt(t, c.CreateGrant, in)
	}
	on := func(key string, operations ...types.GrantOperation) func(*kms.CreateGrantInput) {
		return func(in *kms.CreateGrantInput) { in.KeyId, in.Operations = &key, operations }
	}
	within := func(equals, subset map[string]string) func(*kms.CreateGrantInput) {
		return func(in *kms.CreateGrantInput) {
			in.Constraints = &types.GrantConstraints{EncryptionContextEquals: equals, EncryptionContextSubset: subset}
		}
	}
	grantee := func(who string) func() error {
		return create(func(in *kms.CreateGrantInput) { in.GranteePrincipal = &who })
	}
	revoke := func(in kms.RevokeGrantInput) func() error { return attempt(t, c.RevokeGrant, in) }
	retire := func(in kms.RetireGrantInput) func() error { return attempt(t, c.RetireGrant, in) }
	ab, many := map[string]string{"a": "b"}, map[string]string{}
	for i := range 9 {
		many[fmt.Sprint(i)] = "x"
	}
	absent, yes := strings.Repeat("0", 64), aws.Bool(true)
	const either = "Grant token OR (grant ID, key ID) must be specified"
	refuseAll(t, []refusal{
		{"CreateGrant of what the key cannot do", "ValidationException", ours, create(on(id, types.GrantOperationSign))},
		{"CreateGrant of what an HMAC key cannot do", "ValidationException", ours, create(on(mac, types.GrantOperationGetPublicKey))},
		{"CreateGrant of no such operation", "ValidationException", ours, create(on(id, "ScheduleKeyDeletion"))},
		{"CreateGrant of nothing", "ValidationException", ours, create(func(in *kms.CreateGrantInput) { in.Operations = []types.GrantOperation{} })},
		{"CreateGrant of nothing but grants", "ValidationException", "Grants must not contain only the CreateGrant operation.", create(on(id, types.GrantOperationCreateGrant))},
		{"CreateGrant on a key that is off", "DisabledException", arn(off) + " is disabled.", create(on(off, types.GrantOperationDecrypt))},
		{"CreateGrant to everybody", "ValidationException", ours, grantee("*")},
		{"CreateGrant to a group", "InvalidArnException", ours, grantee("arn:aws:iam::000000000000:group/friends")},
		{"CreateGrant to a user that is not there", "InvalidArnException", "GranteePrincipal does not exist: " + alice + "2", grantee(alice + "2")},
		{"CreateGrant to an account's number", "InvalidArnException", ours, grantee(account)},
		{"CreateGrant to nobody", "ValidationException", ours, create(func(in *kms.CreateGrantInput) { in.GranteePrincipal = nil })},
		{"CreateGrant to be retired by nobody", "InvalidArnException", ours, create(func(in *kms.CreateGrantInput) { in.RetiringPrincipal = aws.String("bob") })},
		{"CreateGrant to be retired by a role that is not there", "InvalidArnException", ours, create(func(in *kms.CreateGrantInput) { in.RetiringPrincipal = aws.String(bob + "2") })},
		{"CreateGrant to a service, without a source", "ValidationException", ours, create(func(in *kms.CreateGrantInput) {
			in.GranteePrincipal, in.GranteeServicePrincipal = nil, aws.String("s3.amazonaws.com")
		})},
		{"CreateGrant with two constraints on the context", "ValidationException", ours, create(within(ab, ab))},
		{"CreateGrant with too many pairs", "ValidationException", ours, create(within(many, nil))},
		{"CreateGrant with a context for a key that has none", "ValidationException", ours, create(func(in *kms.CreateGrantInput) {
			on(mac, types.GrantOperationGenerateMac)(in)
			within(ab, nil)(in)
		})},
		{"CreateGrant with a name that is none", "ValidationException",
			"1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
			create(func(in *kms.CreateGrantInput) { in.Name = aws.String("a b") })},
		{"CreateGrant for show", "DryRunOperationException", dry, create(func(in *kms.CreateGrantInput) { in.DryRun = yes })},
		{"CreateGrant with a token that is none", "InvalidGrantTokenException", ours, create(func(in *kms.CreateGrantInput) { in.GrantTokens = []string{"token"} })},

		{"ListGrants with an id that is none", "InvalidGrantIdException", ours, attempt(t, c.ListGrants, kms.ListGrantsInput{KeyId: &id, GrantId: aws.String("id")})},
		{"ListGrants with somebody else's marker", "InvalidMarkerException", ours, attempt(t, c.ListGrants, kms.ListGrantsInput{KeyId: &id, Marker: aws.String("mine")})},
		{"ListRetirableGrants of another account", "AccessDeniedException", ours, attempt(t, alien.ListRetirableGrants, kms.ListRetirableGrantsInput{RetiringPrincipal: aws.String(bob)})},
		{"ListRetirableGrants of nobody", "InvalidArnException", ours, attempt(t, c.ListRetirableGrants, kms.ListRetirableGrantsInput{RetiringPrincipal: aws.String("bob")})},
		{"ListRetirableGrants with somebody else's marker", "InvalidMarkerException", ours, attempt(t, c.ListRetirableGrants, kms.ListRetirableGrantsInput{
			RetiringPrincipal: aws.String(bob), Marker: aws.String("mine")})},

		{"RetireGrant of nothing", "ValidationException", either, retire(kms.RetireGrantInput{})},
		{"RetireGrant of half a name", "ValidationException", either, retire(kms.RetireGrantInput{KeyId: aws.String(arn(id))})},
		{"RetireGrant by both names", "ValidationException", either, retire(kms.RetireGrantInput{KeyId: aws.String(arn(id)), GrantId: made.GrantId, GrantToken: made.GrantToken})},
		{"RetireGrant by a bare key id", "InvalidArnException", "Invalid arn " + id, retire(kms.RetireGrantInput{KeyId: &id, GrantId: made.GrantId})},
		{"RetireGrant of a grant that is not there", "NotFoundException", ours, retire(kms.RetireGrantInput{KeyId: aws.String(arn(id)), GrantId: &absent})},
		{"RetireGrant with a token that is none", "InvalidGrantTokenException", ours, retire(kms.RetireGrantInput{GrantToken: aws.String("token")})},
		{"RetireGrant of another account", "AccessDeniedException", ours, attempt(t, alien.RetireGrant, kms.RetireGrantInput{GrantToken: made.GrantToken})},
		{"RetireGrant for show", "DryRunOperationException", dry, retire(kms.RetireGrantInput{GrantToken: made.GrantToken, DryRun: yes})},
		{"RevokeGrant of a grant that is not there", "NotFoundException", ours, revoke(kms.RevokeGrantInput{KeyId: &id, GrantId: &absent})},
		{"RevokeGrant of another key", "NotFoundException", ours, revoke(kms.RevokeGrantInput{KeyId: &mac, GrantId: made.GrantId})},
		{"RevokeGrant with an id that is none", "InvalidGrantIdException", ours, revoke(kms.RevokeGrantInput{KeyId: &id, GrantId: aws.String("id")})},
		{"RevokeGrant for show", "DryRunOperationException", dry, revoke(kms.RevokeGrantInput{KeyId: &id, GrantId: made.GrantId, DryRun: yes})},
	})
	// None of it made a grant, or ended one.
	got := must(c.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &id, GranteePrincipal: aws.String(alice)}))(t)
	if len(got.Grants) != 1 || *got.Grants[0].GrantId != *made.GrantId {
		t.Errorf("%+v", got.Grants)
	}
	if got := must(c.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &id, GranteePrincipal: aws.String(bob)}))(t); len(got.Grants) != 0 {
		t.Errorf("%+v", got.Grants)
	}
}
