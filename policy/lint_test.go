package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sane is a key policy that Lint has nothing to say of; the rows below change one thing or add one statement.
const sane = `{"Sid":"IAM","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`

// about writes a finding in a word: error NeverMatches 1.
func about(findings []Finding) string {
	all := make([]string, len(findings))
	for i, f := range findings {
		all[i] = fmt.Sprintf("%s %s %d", f.Severity, f.Code, f.Statement)
	}
	return strings.Join(all, ", ")
}

func TestLintKeyPolicies(t *testing.T) {
	const (
		app   = `"Principal":{"AWS":"arn:aws:iam::111122223333:role/app"}`
		admin = `"Principal":{"AWS":"arn:aws:iam::111122223333:role/admin"}`
	)
	for _, tc := range []struct{ rule, statement, want string }{
		{"users of a key", `{"Effect":"Allow",` + app + `,"Action":["kms:Decrypt","kms:GenerateDataKey*"],"Resource":"*"}`, ""},
		{"administrators", `{"Effect":"Allow",` + admin + `,"Action":["kms:Put*","kms:Describe*"],"Resource":"*"}`, ""},
		{"a guard", `{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"},"BoolIfExists":{"aws:PrincipalIsAWSService":false}}}`, ""},

		{"everyone", `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}`, "error EveryoneAllowed 1"},
		{"everyone without effect", `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt"}`, "warning NoEffect 1"},
		{"everyone of an organization", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}`, ""},
		{"everyone from an address", `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`, "warning EveryoneAllowed 1"},
		{"everyone but an account", `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringNotEquals":{"kms:CallerAccount":"111122223333"}}}`, "error EveryoneAllowed 1"},
		{"everyone of an organization, if any", `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}}`, "error EveryoneAllowed 1"},
		{"everyone of any account", `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringLike":{"kms:CallerAccount":"*"}}}`, "error EveryoneAllowed 1"},
		{"everyone with any ARN", `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":["*","arn:aws:iam::1:x"]}}}`, "error EveryoneAllowed 1"},
		{"everyone with any ARN of IAM", `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:*"}}}`, "error EveryoneAllowed 1"},
		{"everybody else", `{"Effect":"Allow","NotPrincipal":{"AWS":"444455556666"},"Action":"kms:Decrypt","Resource":"*"}`, "error AllowNotPrincipal 1"},
		{"everybody else is denied", `{"Effect":"Deny","NotPrincipal":{"AWS":"444455556666"},"Action":"kms:Decrypt","Resource":"*"}`, "note DenyNotPrincipal 1"},
		{"everything", `{"Effect":"Allow",` + app + `,"Action":"kms:*","Resource":"*"}`, "warning PolicyAndUse -1, note AllActions 1"},
		{"all else", `{"Effect":"Allow",` + app + `,"NotAction":["kms:PutKeyPolicy","kms:ScheduleKeyDeletion"],"Resource":"*"}`, "warning AllowNotAction 1"},
		{"policy and use in one", `{"Effect":"Allow",` + app + `,"Action":["kms:PutKeyPolicy","kms:Decrypt"],"Resource":"*"}`, "warning PolicyAndUse -1"},
		{"policy and use in two", `{"Effect":"Allow",` + app + `,"Action":"kms:P*","Resource":"*"},{"Effect":"Allow",` + app + `,"Action":"kms:De*","Resource":"*"}`, "warning PolicyAndUse -1"},
		{"policy and use, by two", `{"Effect":"Allow",` + admin + `,"Action":"kms:P*","Resource":"*"},{"Effect":"Allow",` + app + `,"Action":"kms:De*","Resource":"*"}`, ""},
		{"no action", `{"Effect":"Deny","Principal":"*","Resource":"*"}`, "warning NoEffect 1"},
		{"another resource", `{"Effect":"Allow",` + app + `,"Action":"kms:Sign","Resource":"arn:aws:kms:us-east-1:1:key/x"}`, "note KeyResource 1"},

		{"misspelt", `{"Effect":"Allow",` + app + `,"Action":["kms:Decypt","kms:Sign"],"Resource":"*"}`, "warning UnknownAction 1"},
		{"a pattern of nothing", `{"Effect":"Allow",` + app + `,"Action":"kms:Destroy*","Resource":"*"}`, "warning UnknownAction 1"},
		{"ReEncrypt", `{"Effect":"Allow",` + app + `,"Action":"kms:ReEncrypt","Resource":"*"}`, "warning UnknownAction 1"},
		{"ReEncrypt, both halves", `{"Effect":"Allow",` + app + `,"Action":"kms:ReEncrypt*","Resource":"*"}`, ""},
		{"on no key", `{"Effect":"Allow",` + app + `,"Action":"kms:CreateKey","Resource":"*"}`, "note NotOnKeys 1"},
		{"of another service", `{"Effect":"Allow",` + app + `,"Action":"s3:GetObject","Resource":"*"}`, "warning OtherService 1"},
	} {
		findings := Lint(Key, document(sane, tc.statement))
		if got := about(findings); got != tc.want {
			t.Errorf("%s: %q, want %q: %+v", tc.rule, got, tc.want, findings)
		}
		for _, f := range findings {
			if f.Message == "" {
				t.Errorf("%s: %s has no message", tc.rule, f.Code)
			}
		}
	}
	if got := about(Lint(Key, document(`{"Effect":"Allow",`+admin+`,"Action":"kms:PutKeyPolicy","Resource":"*"}`))); got != "warning NoDelegation -1" {
		t.Errorf("no delegation: %q", got)
	}
}

func TestLintConditions(t *testing.T) {
	for _, tc := range []struct{ rule, actions, condition, want string }{
		{"well", `"kms:Decrypt"`, `"StringEquals":{"kms:EncryptionContext:tenant":"blue"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-1/*"}`, ""},
		{"for IAM policies only", `"kms:Decrypt"`, `"ForAnyValue:StringLike":{"kms:ResourceAliases":"alias/*"}`, "warning IdentityOnly 1"},
		{"always there", `"kms:Decrypt"`, `"Null":{"aws:SecureTransport":true}`, "error NeverMatches 1"},
		{"always there, of a key", `"kms:Decrypt"`, `"Null":{"kms:KeySpec":"true"}`, "error NeverMatches 1"},
		{"always there, of a role", `"kms:Decrypt"`, `"Null":{"aws:PrincipalArn":"true"}`, "error NeverMatches 1"},
		{"always there, and must be", `"kms:Decrypt"`, `"Null":{"aws:PrincipalArn":"false"}`, ""},
		{"there or not", `"kms:Decrypt"`, `"Null":{"aws:PrincipalArn":["true","false"]}`, ""},
		{"not ours", `"kms:Decrypt"`, `"StringEquals":{"token.example.com:sub":"x","sts:ExternalId":"y","iam:PassedToService":"z"}`, ""},
		{"unknown kms key", `"kms:Decrypt"`, `"StringEquals":{"kms:Tenant":"blue"}`, "warning UnknownKey 1"},
		{"unknown global key", `"kms:Decrypt"`, `"StringNotEquals":{"aws:PrincipleArn":"x"}`, "warning UnknownKey 1"},
		{"a name is missing", `"kms:Decrypt"`, `"StringEquals":{"aws:PrincipalTag/":"x"}`, "warning UnknownKey 1"},
		{"wildcards in equals", `"kms:Decrypt"`, `"StringEquals":{"kms:ViaService":["s3.*.amazonaws.com","ec2.us-east-1.amazonaws.com"]}`, "warning WildcardInEquals 1"},
		{"wildcards meant", `"kms:Decrypt"`, `"StringEquals":{"kms:EncryptionContext:a":"${*}${?}"}`, ""},
		{"wildcards in like", `"kms:Decrypt"`, `"StringLike":{"kms:ViaService":"s3.*.amazonaws.com"}`, ""},
		{"number of a text", `"kms:Decrypt"`, `"NumericEquals":{"kms:KeySpec":1}`, "error NeverMatches 1"},
		{"number of a text, negated", `"kms:Decrypt"`, `"NumericNotEquals":{"kms:KeySpec":1}`, "warning AlwaysMatches 1"},
		{"date of an address", `"kms:Decrypt"`, `"DateLessThan":{"aws:SourceIp":1}`, "error NeverMatches 1"},
		{"address of a date", `"kms:Decrypt"`, `"IpAddress":{"aws:CurrentTime":"10.0.0.0/8"}`, "error NeverMatches 1"},
		{"boolean of a text", `"kms:Decrypt"`, `"Bool":{"kms:ViaService":true}`, "error NeverMatches 1"},
		{"binary of anything", `"kms:Decrypt"`, `"BinaryEquals":{"kms:KeySpec":"YQ=="}`, "error NeverMatches 1"},
		{"ARN of a text", `"kms:Decrypt"`, `"ArnLike":{"aws:PrincipalOrgID":"arn:aws:iam::1:x"}`, "error NeverMatches 1"},
		{"number of a date", `"kms:ImportKeyMaterial"`, `"NumericLessThan":{"kms:ValidTo":1}`, ""},
		{"boolean as text", `"kms:Decrypt"`, `"StringEquals":{"aws:SecureTransport":"true"}`, ""},
		{"boolean as another text", `"kms:Decrypt"`, `"StringEquals":{"aws:SecureTransport":"yes"}`, "error NeverMatches 1"},
		{"boolean in capitals", `"kms:Decrypt"`, `"StringEqualsIgnoreCase":{"aws:SecureTransport":"TRUE"}`, ""},
		{"no account", `"kms:Decrypt"`, `"StringEquals":{"kms:CallerAccount":["1111-2222-3333","root"]}`, "error NeverMatches 1"},
		{"no account, negated", `"kms:Decrypt"`, `"StringNotEquals":{"kms:CallerAccount":"root"}`, "warning AlwaysMatches 1"},
		{"account from a variable", `"kms:Decrypt"`, `"StringEquals":{"kms:CallerAccount":"${aws:PrincipalAccount}"}`, ""},
		{"no alias", `"kms:Decrypt"`, `"StringEquals":{"kms:RequestAlias":"arn:aws:kms:us-east-1:111122223333:alias/a"}`, "error NeverMatches 1"},
		{"an alias", `"kms:Decrypt"`, `"StringEquals":{"kms:RequestAlias":["alias/a","a"]}`, ""},
		{"service in no Region", `"kms:Decrypt"`, `"StringEquals":{"kms:ViaService":"s3.amazonaws.com"}`, "error NeverMatches 1"},
		{"service in a Region", `"kms:Decrypt"`, `"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}`, ""},
		{"no ARN as text", `"kms:Decrypt"`, `"StringEquals":{"aws:PrincipalArn":"alice"}`, "error NeverMatches 1"},
		{"no ARN", `"kms:Decrypt"`, `"ArnEquals":{"aws:PrincipalArn":["alice","role/app"]}`, "error NeverMatches 1"},
		{"no ARN, negated", `"kms:Decrypt"`, `"ArnNotEquals":{"aws:PrincipalArn":"alice"}`, "warning AlwaysMatches 1"},
		{"one ARN", `"kms:Decrypt"`, `"ArnEquals":{"aws:PrincipalArn":["alice","arn:aws:iam::1:user/a"]}`, ""},
		{"many values, no set", `"kms:CreateGrant"`, `"StringEquals":{"kms:GrantOperations":"Decrypt"}`, "error NeverMatches 1"},
		{"many values, absent", `"kms:CreateGrant"`, `"Null":{"kms:GrantOperations":true}`, ""},
		{"one value, a set", `"kms:Decrypt"`, `"ForAnyValue:StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}`, "warning SetOnSingle 1"},
		{"all of nothing", `"kms:CreateGrant"`, `"ForAllValues:StringEquals":{"kms:GrantOperations":"Decrypt"}`, "warning AbsentSet 1"},
		{"all of something", `"kms:CreateGrant"`, `"ForAllValues:StringEquals":{"kms:GrantOperations":"Decrypt"},"Null":{"kms:GrantOperations":false}`, ""},
		{"never there", `"kms:Sign"`, `"StringEquals":{"kms:EncryptionContext:a":"b"}`, "error NeverMatches 1"},
		{"never there, negated", `"kms:Sign"`, `"StringNotEquals":{"kms:EncryptionContext:a":"b"}`, ""},
		{"never there, if it is", `"kms:Sign"`, `"StringEqualsIfExists":{"kms:EncryptionContext:a":"b"}`, ""},
		{"never there, and must not be", `"kms:Sign"`, `"Null":{"kms:EncryptionContext:a":true}`, ""},
		{"never there, and must be", `"kms:Sign"`, `"Null":{"kms:EncryptionContext:a":false}`, "error NeverMatches 1"},
		{"there for some", `["kms:Encrypt","kms:DescribeKey"]`, `"StringEquals":{"kms:EncryptionContext:a":"b"}`, "note SometimesMatches 1"},
		{"other services too", `"*"`, `"StringEquals":{"kms:EncryptionContext:a":"b"}`, ""},
		{"the rest of the actions", `["kms:Encrypt","kms:*Grant"]`, `"StringEquals":{"kms:DataKeyPairSpec":"RSA_2048"}`, "error NeverMatches 1"},
		{"contradiction", `"kms:Decrypt"`, `"StringEquals":{"kms:KeySpec":"a"},"StringNotEquals":{"kms:KeySpec":"a"}`, "error NeverMatches 1"},
		{"contradiction of two lists", `"kms:Decrypt"`, `"StringEquals":{"kms:KeySpec":["a","b"]},"StringLike":{"kms:KeySpec":"c*"}`, "error NeverMatches 1"},
		{"contradiction of numbers", `"kms:ScheduleKeyDeletion"`, `"NumericEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":7},"NumericGreaterThan":{"kms:ScheduleKeyDeletionPendingWindowInDays":7}`, "error NeverMatches 1"},
		{"contradiction of presence", `"kms:Decrypt"`, `"Null":{"aws:SourceVpce":true},"StringLike":{"aws:SourceVpce":"vpce-*"}`, "error NeverMatches 1"},
		{"no contradiction", `"kms:Decrypt"`, `"StringEquals":{"kms:KeySpec":["a","b"]},"StringNotEquals":{"kms:KeySpec":"a"}`, ""},
		{"no contradiction, absent", `"kms:Decrypt"`, `"StringEqualsIfExists":{"kms:KeySpec":"a"},"StringNotEquals":{"kms:KeySpec":"a"}`, ""},
		{"no contradiction, unknown", `"kms:Decrypt"`, `"StringEquals":{"kms:KeySpec":"a","aws:userid":"b"},"StringNotEquals":{"kms:KeySpec":"${aws:PrincipalTag/spec}"}`, ""},
		{"not decided", `"kms:Decrypt"`, `"StringLike":{"kms:KeySpec":"a*"},"StringNotLike":{"kms:KeySpec":"a*"}`, ""},
		{"a variable that is unknown", `"kms:Decrypt"`, `"StringEquals":{"kms:ViaService":"${aws:Via}"}`, "warning UnknownKey 1"},
		{"a variable of many values", `"kms:Decrypt"`, `"ArnLike":{"aws:PrincipalArn":"${aws:CalledVia}"}`, "error NeverMatches 1"},
		{"a variable in an ARN", `"kms:Decrypt"`, `"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::1:user/${kms:TagKey}"}`, "warning UnknownKey 1"},
		{"a variable with a default", `"kms:Decrypt"`, `"StringEquals":{"kms:ViaService":"${aws:CalledVia, 'x'}"}`, ""},
	} {
		text := document(sane, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/app"},"Action":`+tc.actions+`,"Resource":"*","Condition":{`+tc.condition+`}}`)
		findings := slices.DeleteFunc(Lint(Key, text), func(f Finding) bool { return f.Code == "AllActions" || f.Code == "PolicyAndUse" })
		if got := about(findings); got != tc.want {
			t.Errorf("%s: %q, want %q: %+v", tc.rule, got, tc.want, findings)
		}
	}
}

func TestLintOtherKinds(t *testing.T) {
	for _, tc := range []struct {
		rule string
		kind Kind
		text string
		want string
	}{
		{"malformed", Key, `{`, "error Syntax -1"},
		{"malformed statement", Identity, st(permit, what), "error MissingResource 0"},
		{"identity", Identity, st(permit, what, `"Resource":"arn:aws:kms:*:111122223333:key/*"`), ""},
		{"identity, policy and use", Identity, st(permit, `"Action":"kms:*"`, which), "warning PolicyAndUse -1"},
		{"identity, use", Identity, st(permit, `"Action":["kms:Decrypt","iam:PassRole","trent:GetStatus"]`, which), ""},
		{"identity, unknown service", Identity, st(permit, `"Action":"s3:GetObject"`, which), "note OtherService 0"},
		{"identity, on no key", Identity, st(permit, `"Action":"kms:CreateKey"`, which), ""},
		{"identity, unknown variable", Identity, st(permit, `"Action":"iam:GetUser"`, `"Resource":"arn:aws:iam::1:user/${aws:user}"`), "warning UnknownKey 0"},
		{"identity, variable in the older version", Identity, `{"Statement":` + `{` + permit + `,"Action":"iam:GetUser","Resource":"arn:aws:iam::1:user/${aws:username}","Condition":{"StringEquals":{"aws:username":"${*}"}}}}`,
			"warning OldVersion 0, warning OldVersion 0, warning WildcardInEquals 0"},
		{"identity, all but an action, with a key of some", Identity, st(forbid, `"NotAction":"kms:Decrypt"`, which, `"Condition":{"StringEquals":{"kms:EncryptionContext:a":"b"}}`), ""},
		{"trust of everyone", Trust, st(permit, who, `"Action":"sts:AssumeRole"`), "error EveryoneAllowed 0"},
		{"trust of everyone who knows", Trust, st(permit, who, `"Action":"sts:AssumeRole"`, `"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`), ""},
		{"trust", Trust, st(permit, `"Principal":{"AWS":"111122223333"}`, `"Action":"sts:AssumeRole"`), ""},
		{"SCP", ServiceControl, st(permit, `"Action":"*"`, which), ""},
		{"SCP in all of the language", ServiceControl, st(permit, `"NotAction":"kms:*Grant"`, `"NotResource":"arn:aws:kms:*:*:key/x"`, `"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`), "warning AllowNotAction 0"},
		{"SCP of the older version", ServiceControl, `{"Version":"2008-10-17","Statement":{` + permit + `,"Action":"*",` + which + `}}`, "error InvalidVersion -1"},
		{"RCP that allows", ResourceControl, st(permit, who, `"Action":"*"`, which), "error InvalidEffect 0"},
		{"RCP", ResourceControl, st(forbid, who, what, which), ""},
		{"principals always have an ARN", Identity, st(permit, what, which, `"Condition":{"Null":{"aws:PrincipalArn":"true"}}`), "error NeverMatches 0"},
		{"services have none", Key, document(sane, `{`+strings.Join([]string{forbid, who, what, which}, ",")+`,"Condition":{"Null":{"aws:PrincipalArn":"true"}}}`), ""},
		{"a service has none", Key, document(sane, `{`+strings.Join([]string{permit, `"Principal":{"Service":"s3.amazonaws.com"}`, what, which}, ",")+`,"Condition":{"Null":{"aws:PrincipalArn":"true"}}}`), ""},
		{"operations on no key have none of its keys", Identity, st(permit, what, which, `"Condition":{"Null":{"kms:KeySpec":"true"}}`), ""},
		{"aliases in an IAM policy", Identity, st(permit, what, which, `"Condition":{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/a"}}`), ""},
		{"endpoint", Endpoint, st(permit, who, `"Action":"*"`, which), ""},
	} {
		if got := about(Lint(tc.kind, tc.text)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.rule, got, tc.want)
		}
	}
}

// What an action is decided on: a key, an alias or nothing. A statement that brings together what does not belong together has
// no effect, or less than it seems to have.
func TestLintResources(t *testing.T) {
	const (
		key   = `"arn:aws:kms:us-east-1:111122223333:key/1234"`
		alias = `"arn:aws:kms:us-east-1:111122223333:alias/app"`
	)
	cases := []struct{ rule, actions, resources, want string }{
		{"use of a key", `"kms:Decrypt"`, key, ""},
		{"use of a key by its alias", `"kms:Decrypt"`, alias, "error NoEffect 0"},
		{"use of a key by any alias", `["kms:Encrypt","kms:GenerateDataKey*"]`, `"arn:aws:kms:*:*:alias/*"`, "error NoEffect 0, error NoEffect 0"},
		{"an alias besides", `"kms:Decrypt"`, `[` + key + `,` + alias + `]`, "warning NoEffect 0"},
		{"a pattern of both", `"kms:Decrypt"`, `"arn:aws:kms:*:111122223333:*"`, ""},
		{"a pattern across colons", `"kms:Decrypt"`, `"arn:*"`, ""},
		{"a pattern that can be a key", `"kms:Decrypt"`, `"arn:aws:kms:us-east-1:111122223333:?e*4"`, ""},
		{"a pattern that can be no key", `"kms:Decrypt"`, `"arn:aws:kms:us-east-1:111122223333:?f*"`, "error NoEffect 0"},
		{"a variable", `"kms:Decrypt"`, `"arn:aws:kms:us-east-1:111122223333:${aws:PrincipalTag/key}"`, ""},
		{"a variable in an alias", `"kms:Decrypt"`, `"arn:aws:kms:us-east-1:111122223333:alias/${aws:PrincipalTag/key}"`, "error NoEffect 0"},
		{"of another service", `"kms:Decrypt"`, `"arn:aws:s3:::reports"`, "error NoEffect 0"},
		{"aliases", `["kms:CreateAlias","kms:DeleteAlias"]`, `[` + key + `,` + alias + `]`, ""},
		{"half of an alias", `"kms:UpdateAlias"`, alias, ""},
		{"a pattern of actions, some on aliases", `"kms:Create*"`, alias, ""},
		{"everything on keys", `"kms:*"`, key, ""},
		{"everything", `"*"`, `"arn:aws:s3:::reports"`, "error NoEffect 0"},
		{"on no key", `"kms:CreateKey"`, `"*"`, ""},
		{"on no key, with a key", `"kms:CreateKey"`, key, "error NoEffect 0"},
		{"on no key, with all keys", `["kms:ListKeys","kms:DescribeKey"]`, `"arn:aws:kms:*:*:key/*"`, "error NoEffect 0"},
		{"on no key, with all of KMS", `"kms:GenerateRandom"`, `"arn:aws:kms:*"`, "error NoEffect 0"},
		{"another service besides", `["iam:GetUser","kms:Decrypt"]`, `["arn:aws:iam::111122223333:user/a",` + key + `]`, ""},
		{"an unknown action", `"kms:Destroy"`, alias, "warning UnknownAction 0"},
	}
	for _, tc := range cases {
		for _, kind := range []Kind{Identity, ServiceControl} {
			findings := slices.DeleteFunc(Lint(kind, st(forbid, `"Action":`+tc.actions, `"Resource":`+tc.resources)), func(f Finding) bool { return f.Code == "OtherService" })
			if got := about(findings); got != tc.want {
				t.Errorf("%s: %q, want %q: %+v", tc.rule, got, tc.want, findings)
			}
		}
	}
	for _, st := range []string{
		st(forbid, `"Action":"kms:Decrypt"`, `"NotResource":`+alias), st(forbid, `"NotAction":"kms:Decrypt"`, `"Resource":`+alias),
	} {
		if got := about(Lint(Identity, st)); got != "" {
			t.Errorf("all but some: %q", got)
		}
	}
}

// Whether a pattern can match a text of a form, put to texts.
func TestCanBeAgreesWithTexts(t *testing.T) {
	var texts []string
	for n, from := 0, []string{""}; n < 6; n++ {
		texts = append(texts, from...)
		var next []string
		for _, s := range from {
			next = append(next, s+"a", s+"b", s+":")
		}
		from = next
	}
	yes := 0
	for _, source := range []string{"", "*", "?", "a", "a*", "*a", "*b*", "?a", "a?", "a*b", "?*", "*?b", "**", "b?*a", "*:", "a:*", "*:*a", "?:b*", "::*", "a*:?"} {
		for _, form := range []string{"", "*", "a", "a*", "*b", ":", "*:*", "a:*", "*:b", "*a*", "a*:b*", "::", "*:*:*"} {
			all := regexp.MustCompile("^" + strings.ReplaceAll(form, "*", "[^:]*") + "$")
			want := slices.ContainsFunc(texts, func(s string) bool { return matchWildcard(source, s) && all.MatchString(s) })
			p := compileWild(source)
			if got := p.canBe(form); got != want {
				t.Errorf("%q can be %q: %v, want %v", source, form, got, want)
			}
			if want {
				yes++
			}
		}
	}
	if yes < 80 {
		t.Errorf("only %d patterns can be what they are asked", yes)
	}
}

func TestMultiValued(t *testing.T) {
	for key, want := range map[string]bool{
		"kms:GrantOperations": true, "aws:sourceorgpaths": true, "aws:TagKeys": true, "aws:SourceOrgID": false,
		"aws:PrincipalTag/team": false, "kms:EncryptionContext:a": false, "kms:Unknown": false, "sts:ExternalId": false,
	} {
		if got := MultiValued(key); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}

// Every action and every condition key of the vocabulary is known, by the table that Lint looks in.
func TestVocabulary(t *testing.T) {
	names := slices.Concat(keyActions(), accountActions())
	if len(names) != 58 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		// 56 operations; ReEncrypt has two permissions in place of one; SynchronizeMultiRegionKey has no operation.
		t.Errorf("there are %d actions", len(names))
	}
	rows := slices.Concat(globalKeys(), kmsKeys())
	for _, row := range rows {
		name := row.name
		if strings.HasSuffix(name, ":") || strings.HasSuffix(name, "/") {
			name += "x"
		}
		if found, ok := find(rows, name); !ok || found.name != row.name {
			t.Errorf("%s is not found", name)
		}
		for _, a := range row.actions {
			if !slices.Contains(names, a) {
				t.Errorf("%s has the action %s, which does not exist", row.name, a)
			}
		}
	}
}
