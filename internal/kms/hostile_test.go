package kms_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// tooLarge is the answer to a member that is bounded before anybody's permissions are looked at.
func tooLarge(member string, max int) string {
	return fmt.Sprintf("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", member, max)
}

// What policies look at is bounded before they do: in names and values together, in UTF-8, and in elements of lists.
func TestWhatPoliciesLookAtIsBounded(t *testing.T) {
	w := newWorld(t)
	id := w.as(alice).createKey()
	arn := w.as(alice).keyARN(id)
	stranger := w.as(bob).newUser("nobody")
	context := map[string]string{"tenants": strings.Repeat("é", 4093)}
	constraint := kmsapi.GrantConstraints{EncryptionContextEquals: context}
	grant := &kmsapi.CreateGrantRequest{KeyId: &arn, GranteePrincipal: new(w.as(alice).principal()), Operations: []kmsapi.GrantOperation{"Decrypt"}}
	constrained, subset, repeated := *grant, *grant, *grant
	constrained.Constraints = &constraint
	subset.Constraints = &kmsapi.GrantConstraints{EncryptionContextSubset: context}
	repeated.Operations = slices.Repeat(grant.Operations, 20)
	all := make([]string, 201)
	for i := range all {
		all[i] = fmt.Sprint("k", i)
	}
	spec, pair := kmsapi.DataKeySpecAes256, kmsapi.DataKeyPairSpecEccNistP256
	for _, row := range []struct {
		in     request
		member string
		max    int
	}{
		{&kmsapi.EncryptRequest{KeyId: &arn, Plaintext: []byte(secret), EncryptionContext: context}, "encryptionContext", 8192},
		{&kmsapi.DecryptRequest{KeyId: &arn, CiphertextBlob: []byte("c"), EncryptionContext: context}, "encryptionContext", 8192},
		{&kmsapi.ReEncryptRequest{DestinationKeyId: &arn, CiphertextBlob: []byte("c"), SourceEncryptionContext: context}, "sourceEncryptionContext", 8192},
		{&kmsapi.ReEncryptRequest{DestinationKeyId: &arn, CiphertextBlob: []byte("c"), DestinationEncryptionContext: context}, "destinationEncryptionContext", 8192},
		{&kmsapi.GenerateDataKeyRequest{KeyId: &arn, KeySpec: &spec, EncryptionContext: context}, "encryptionContext", 8192},
		{&kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &arn, KeySpec: &spec, EncryptionContext: context}, "encryptionContext", 8192},
		{&kmsapi.GenerateDataKeyPairRequest{KeyId: &arn, KeyPairSpec: &pair, EncryptionContext: context}, "encryptionContext", 8192},
		{&kmsapi.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: &arn, KeyPairSpec: &pair, EncryptionContext: context}, "encryptionContext", 8192},
		{&constrained, "constraints.encryptionContextEquals", 8192},
		{&subset, "constraints.encryptionContextSubset", 8192},
		{&repeated, "operations", 19},
		{&kmsapi.TagResourceRequest{KeyId: &arn, Tags: tags(all...)}, "tags", 200},
		{&kmsapi.CreateKeyRequest{Tags: tags(all...)}, "tags", 200},
		{&kmsapi.UntagResourceRequest{KeyId: &arn, TagKeys: all}, "tagKeys", 200},
		{&kmsapi.DescribeKeyRequest{KeyId: &arn, GrantTokens: all[:11]}, "grantTokens", 10},
	} {
		stranger.refused(row.in, "ValidationException", tooLarge(row.member, row.max))
	}
	u := w.as(alice)
	fits := map[string]string{"tenant": strings.Repeat("é", 4093)}
	if got := u.decrypt(u.encrypt(id, secret, fits), fits); got != secret {
		t.Errorf("got %q back", got)
	}
}

// manyPairs is a context with as many pairs as fit.
func manyPairs(name string) map[string]string {
	pairs := map[string]string{"zz": "v", name: "v"}
	for i := range 1600 {
		pairs[fmt.Sprintf("%04d", i)] = "v"
	}
	return pairs
}

// Key policies and encryption contexts that were made to take minutes together are decided at once: by what they say if
// they are only large, and else against whoever sent them.
func TestHostileContextsGainNothing(t *testing.T) {
	u := newWorld(t).as(alice)
	app := u.newUser("app", allowing("kms:Encrypt"))
	names := func(operator, values string) string {
		return `{"` + operator + `":{"kms:EncryptionContextKeys":[` + values + `]}}`
	}
	variables := `"` + strings.Repeat(`${kms:EncryptionContext:zz}","`, 900) + `${kms:EncryptionContext:zz}"`
	slow := `{"StringLike":{"kms:EncryptionContext:long":"*?` + strings.Repeat("a?", 60) + `b"}}`
	long := map[string]string{"long": strings.Repeat("a", 8000)}
	for _, tc := range []struct {
		effect, condition string
		context           map[string]string
		want              bool
	}{
		{"Deny", names("ForAnyValue:StringEquals", variables), manyPairs("u"), true},
		{"Deny", names("ForAnyValue:StringEquals", variables), manyPairs("v"), false},
		{"Allow", names("ForAllValues:StringNotEquals", variables), manyPairs("u"), true},
		{"Allow", names("ForAllValues:StringNotEquals", variables), manyPairs("v"), false},
		{"Deny", slow, nil, true},
		{"Deny", slow, map[string]string{"long": "aaab"}, true},
		{"Deny", slow, long, false},
		{"Allow", slow, long, false},
		{"Allow", strings.Replace(slow, "StringLike", "StringNotLike", 1), long, false},
	} {
		statements := []string{rule(tc.effect, aws(app.principal()), "*", tc.condition, "kms:Encrypt")}
		if tc.effect == "Deny" {
			statements = append(statements, rule("Allow", aws(app.principal()), "*", "", "kms:Encrypt"))
		}
		in := encrypts(u.keyARN(u.createClosed(statements...)))
		in.EncryptionContext = tc.context
		if got := app.may(in); got != tc.want {
			t.Errorf("%s %.60s, %d pairs: allowed %v", tc.effect, tc.condition, len(tc.context), got)
		}
	}
}

// A pair whose name comes twice, in another case, gets past no variable either.
func TestPairsThatDifferInCaseInVariables(t *testing.T) {
	u := newWorld(t).as(alice)
	app := u.newUser("app", allowing("kms:Encrypt"))
	same := func(variable string) string {
		return `{"StringEquals":{"kms:EncryptionContext:a":"${` + variable + `}"}}`
	}
	everyone := aws(app.principal())
	anything := rule("Allow", everyone, "*", "", "kms:Encrypt")
	for _, variable := range []string{"kms:EncryptionContext:b", "kms:EncryptionContext:b, '1'", "kms:EncryptionContext:b, '2'"} {
		denied := u.keyARN(u.createClosed(anything, rule("Deny", everyone, "*", same(variable), "kms:Encrypt")))
		allowed := u.keyARN(u.createClosed(rule("Allow", everyone, "*", same(variable), "kms:Encrypt")))
		for _, row := range []struct {
			context       map[string]string
			allow, passes bool // the key that allows on the condition, the one that denies
		}{
			{map[string]string{"a": "1", "b": "1"}, true, false},
			{map[string]string{"a": "1", "B": "1"}, true, false},
			{map[string]string{"a": "1", "b": "3"}, false, true},
			{map[string]string{"a": "1", "b": "1", "B": "2"}, false, false},
			{map[string]string{"a": "1", "b": "2", "B": "1"}, false, false},
			{map[string]string{"a": "1", "b": "2", "B": "3"}, false, false},
		} {
			in := encrypts(allowed)
			in.EncryptionContext = row.context
			if got := app.may(in); got != row.allow {
				t.Errorf("%s, %v: allowed by the condition: %v", variable, row.context, got)
			}
			in.KeyId = &denied
			if got := app.may(in); got != row.passes {
				t.Errorf("%s, %v: passes the denial: %v", variable, row.context, got)
			}
		}
	}
}

// Condition keys are found by names in any script: by names of pairs, of tags, and of principals' tags.
func TestConditionKeysInAnyScript(t *testing.T) {
	u := newWorld(t).as(alice)
	for i, name := range []string{"İd", "ıd", "ſ", "\u212a", "ẞ", "Σ"} {
		app := u.newUser(fmt.Sprint("app", i), allowing("kms:*"))
		u.iam("TagUser", "UserName", fmt.Sprint("app", i), "Tags.member.1.Key", name, "Tags.member.1.Value", "blue")
		anything := rule("Allow", aws(app.principal()), "*", "", "kms:*")
		for _, key := range []string{"kms:EncryptionContext:" + name, "aws:ResourceTag/" + name, "aws:PrincipalTag/" + name} {
			is := `{"StringEquals":{` + strconv.QuoteToASCII(key) + `:"blue"}}` // a key policy is in Latin-1
			id := u.createClosed(anything, rule("Deny", aws(app.principal()), "*", is, "kms:Encrypt"))
			in := encrypts(u.keyARN(id))
			if strings.HasPrefix(key, "aws:ResourceTag/") {
				u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags(name + "=blue")})
			}
			in.EncryptionContext = map[string]string{name: "blue"}
			if app.may(in) {
				t.Errorf("a denial on %s does not deny", key)
			}
		}
	}
}
