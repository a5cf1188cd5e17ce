package kms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/kms"
)

// The default key policy has this text, to the byte, as AWS makes it through the API.
func TestDefaultKeyPolicy(t *testing.T) {
	u := newWorld(t).as(alice)
	const want = `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
	if got := u.policyOf(u.createKey()); got != want {
		t.Errorf("got %s", got)
	}
	id := u.createKey()
	u.must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: new(kms.DefaultPolicy(alice))}) // which passes its own checks
}

func (u user) policyOf(id string) string {
	u.t.Helper()
	out := do[kmsapi.GetKeyPolicyResponse](u, &kmsapi.GetKeyPolicyRequest{KeyId: &id})
	if *out.PolicyName != "default" {
		u.t.Errorf("the policy is called %q", *out.PolicyName)
	}
	return *out.Policy
}

func TestPolicyIsKeptAsItWasWritten(t *testing.T) {
	u := newWorld(t).as(alice)
	text := "\t\r\n " + strings.Replace(allow(u.principal(), "kms:*"), "{", `{ "Id" : "é<>\u0026ÿ" ,`, 1) + "\n"
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Policy: &text}).KeyMetadata.KeyId
	if diff := cmp.Diff(text, u.policyOf(id)); diff != "" {
		t.Error(diff)
	}
	other := allow("*", "kms:*")
	u.must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, PolicyName: new("default"), Policy: &other})
	if got := u.policyOf(id); got != other { // replaced whole
		t.Errorf("got %s", got)
	}
}

func TestOnlyPolicyNameIsDefault(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	if got := do[kmsapi.ListKeyPoliciesResponse](u, &kmsapi.ListKeyPoliciesRequest{KeyId: &id}); fmt.Sprint(got.PolicyNames) != "[default]" || *got.Truncated {
		t.Errorf("ListKeyPolicies: %v", got.PolicyNames)
	}
	policy := allow(u.principal(), "kms:*")
	for _, name := range []string{"other", "Default"} {
		u.refused(&kmsapi.GetKeyPolicyRequest{KeyId: &id, PolicyName: &name}, "NotFoundException", "No such policy exists")
		u.refused(&kmsapi.PutKeyPolicyRequest{KeyId: &id, PolicyName: &name, Policy: &policy}, "NotFoundException", "No such policy exists")
	}
	u.refusedAs(&kmsapi.GetKeyPolicyRequest{KeyId: &id, PolicyName: new("no-word")}, "ValidationException")
}

const (
	malformed        = "MalformedPolicyDocumentException"
	invalidPrincipal = "Policy contains a statement with one or more invalid principals."
	lockedOut        = "The new key policy will not allow you to update the key policy in the future."
)

// policyCase is a policy and what both operations that take one say to it.
type policyCase struct{ name, policy, code, message string }

func (u user) testPolicies(t *testing.T, rows []policyCase) {
	t.Helper()
	id := u.createKey()
	keys := len(u.readRecords().keys)
	for _, row := range rows {
		for _, in := range []request{&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &row.policy}, &kmsapi.CreateKeyRequest{Policy: &row.policy}} {
			a := u.send(in)
			if a.code != row.code || row.message != "" && a.message != row.message {
				t.Errorf("%s, %s: got %q %q, want %q %q", row.name, a.operation, a.code, a.message, row.code, row.message)
			}
		}
		switch got := u.policyOf(id); {
		case row.code == "" && got != row.policy:
			t.Errorf("%s: accepted, but the policy is %s", row.name, got)
		case row.code != "" && got == row.policy, row.code != "" && len(u.readRecords().keys) != keys:
			t.Errorf("%s: refused, but it has happened", row.name)
		}
		keys = len(u.readRecords().keys)
	}
}

func TestPolicyForm(t *testing.T) {
	u := newWorld(t).as(alice)
	root := statement("Allow", u.principal(), "kms:*")
	with := func(more string) string { return `{"Version":"2012-10-17","Statement":[` + root + "," + more + `]}` }
	u.testPolicies(t, []policyCase{
		{"one statement without a list", `{"Statement":` + root + `}`, "", ""},
		{"the older version", `{"Version":"2008-10-17","Statement":[` + root + `]}`, "", ""},
		{"lists of one and of many", with(`{"Sid":"a b","Effect":"Deny","Principal":{"AWS":["444455556666","arn:aws:iam::444455556666:user/x"]},"NotAction":["kms:*"],"NotResource":["x"],"Condition":{"StringEquals":{"a":["1",2,true]},"Bool":{"b":"true"}}}`), "", ""},
		{"no action: no effect", with(`{"Effect":"Deny","Principal":"*","Resource":"*"}`), "", ""},
		{"no resource: no effect", with(`{"Effect":"Deny","Principal":"*","Action":"*"}`), "", ""},
		{"another resource", with(`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:kms:us-east-1:111122223333:key/x"}`), "", ""},
		{"not JSON", `x`, malformed, ""},
		{"half JSON", with(root)[:60], malformed, ""},
		{"more than JSON", with(root) + "x", malformed, ""},
		{"a list", `[` + root + `]`, malformed, ""},
		{"a string", `"x"`, malformed, ""},
		{"null", `null`, malformed, ""},
		{"no statement", `{"Version":"2012-10-17"}`, malformed, ""},
		{"empty list of statements", `{"Statement":[]}`, malformed, ""},
		{"null for a statement", `{"Statement":[null]}`, malformed, ""},
		{"statement is a number", `{"Statement":7}`, malformed, ""},
		{"unknown version", `{"Version":"2013-10-17","Statement":[` + root + `]}`, malformed, ""},
		{"unknown element", `{"Statements":[],"Statement":[` + root + `]}`, malformed, ""},
		{"unknown element of a statement", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Foo":1}`), malformed, ""},
		{"element in another case", `{"statement":[` + root + `]}`, malformed, ""},
		{"element twice", `{"Statement":[` + root + `],"Statement":[` + root + `]}`, malformed, ""},
		{"no effect", with(`{"Principal":"*","Action":"*","Resource":"*"}`), malformed, ""},
		{"effect in another case", with(`{"Effect":"allow","Principal":"*","Action":"*","Resource":"*"}`), malformed, ""},
		{"no principal", with(`{"Effect":"Allow","Action":"*","Resource":"*"}`), malformed, ""},
		{"both kinds of principal", with(`{"Effect":"Allow","Principal":"*","NotPrincipal":"*","Action":"*","Resource":"*"}`), malformed, ""},
		{"both kinds of action", with(`{"Effect":"Allow","Principal":"*","Action":"*","NotAction":"*","Resource":"*"}`), malformed, ""},
		{"both kinds of resource", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","NotResource":"*"}`), malformed, ""},
		{"action is a number", with(`{"Effect":"Allow","Principal":"*","Action":7,"Resource":"*"}`), malformed, ""},
		{"action is a list of lists", with(`{"Effect":"Allow","Principal":"*","Action":[["*"]],"Resource":"*"}`), malformed, ""},
		{"condition is a string", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":"x"}`), malformed, ""},
		{"condition without an operator", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"a":"b"}}`), malformed, ""},
		{"condition value is an object", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"a":{"b":"c"}}}}`), malformed, ""},
		{"condition value is a list of lists", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"a":[["b"]]}}}`), malformed, ""},
		{"condition value is null", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"a":[null]}}}`), malformed, ""},
		{"character beyond U+00FF", strings.Replace(with(root), "Version", "Id\":\"Ā\",\"Version", 1), "ValidationException", ""},
		{"control character", strings.Replace(with(root), "Version", "\x0bVersion", 1), "ValidationException", ""},
		{"empty", "", "ValidationException", ""},
	})
}

func TestPolicyPrincipals(t *testing.T) {
	u := newWorld(t).as(alice)
	root := statement("Allow", u.principal(), "kms:*")
	var rows []policyCase
	for principal, ok := range map[string]bool{
		`"*"`: true, `{"AWS":"*"}`: true, `{"AWS":"444455556666"}`: true, `{"AWS":"arn:aws:iam::444455556666:root"}`: true,
		`{"AWS":"arn:aws:iam::444455556666:user/path/x"}`: true, `{"AWS":["arn:aws:iam::444455556666:role/x","*"]}`: true,
		`{"AWS":"arn:aws:sts::444455556666:assumed-role/x/session"}`: true, `{"AWS":"arn:aws:sts::444455556666:federated-user/x"}`: true,
		`{"Service":"s3.amazonaws.com"}`: true, `{"Service":["logs.eu-west-1.amazonaws.com","ec2.amazonaws.com.cn"]}`: true,
		`{"Federated":"cognito-identity.amazonaws.com"}`: true, `{"AWS":"*","Service":"s3.amazonaws.com"}`: true,

		`"444455556666"`: false, `{}`: false, `{"AWS":[]}`: false, `{"AWS":""}`: false, `{"AWS":"4444"}`: false, `{"aws":"*"}`: false, `{"User":"x"}`: false,
		`{"AWS":"arn:aws:iam::444455556666:user/*"}`: false, `{"AWS":"arn:aws:iam::*:root"}`: false, `{"AWS":"arn:aws:iam::444455556666:group/x"}`: false,
		`{"AWS":"arn:aws:iam::444455556666:user/"}`: false, `{"AWS":"arn:aws:iam::444455556666"}`: false, `{"AWS":"arn:aws:iam:us-east-1:444455556666:root"}`: false,
		`{"AWS":"arn:aws:kms::444455556666:root"}`: false, `{"AWS":"root"}`: false, `{"AWS":"arn:aws:iam::444455556666:rootx"}`: false,
		`{"Service":"s3"}`: false, `{"Service":".amazonaws.com"}`: false, `{"Service":"s3.amazonaws.com.example.org"}`: false, `{"Service":"S3 x.amazonaws.com"}`: false,
		`{"AWS":["*","x"]}`: false, `{"AWS":"*","Service":"x"}`: false,
	} {
		row := policyCase{principal, `{"Statement":[` + root + `,{"Effect":"Allow","Principal":` + principal + `,"Action":"kms:Encrypt","Resource":"*"}]}`, "", ""}
		if !ok {
			row.code = malformed
			if principal != `"444455556666"` { // which is not even the right form
				row.message = invalidPrincipal
			}
		}
		rows = append(rows, row)
	}
	u.testPolicies(t, rows)
}

func TestPolicySize(t *testing.T) {
	u := newWorld(t).as(alice)
	base := allow(u.principal(), "kms:*")
	of := func(bytes int, fill string) string {
		return base + strings.Repeat(" ", (bytes-len(base))%len(fill)) + strings.Repeat(fill, (bytes-len(base))/len(fill))
	}
	// Two bytes each: 32 KB are bytes, the shape's 131,072 are characters.
	wide := strings.Replace(base, `{`, `{"Id":"`+strings.Repeat("ÿ", 16384)+`",`, 1)
	u.testPolicies(t, []policyCase{
		{"32 KB", of(32768, " "), "", ""},
		{"one byte more", of(32769, " "), "LimitExceededException", ""},
		{"32 K characters that are more bytes", wide, "LimitExceededException", ""},
		{"the most that the shape allows", of(131072, " "), "LimitExceededException", ""},
		{"more", of(131073, " "), "ValidationException", ""},
	})
}

func TestPolicyLockout(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	all := func(list ...string) string { return `{"Statement":[` + strings.Join(list, ",") + `]}` }
	me, other := u.principal(), w.as(bob).principal()
	about := func(resource string) string {
		return `{"Effect":"Allow","Principal":"*","Action":"kms:*",` + resource + `}`
	}
	u.testPolicies(t, []policyCase{
		{"allows the caller", all(statement("Allow", me, "kms:PutKeyPolicy")), "", ""},
		{"allows the caller's account", all(statement("Allow", alice, "kms:*")), "", ""},
		{"allows everybody", all(statement("Allow", "*", "*")), "", ""},
		{"allows by wildcard, in another case", all(statement("Allow", me, "KMS:putkey?olicy")), "", ""},
		{"allows by wildcards", all(statement("Allow", me, "k*:*Key*Pol*")), "", ""},
		{"allows everybody but another", all(`{"Effect":"Allow","NotPrincipal":{"AWS":"` + other + `"},"Action":"kms:*","Resource":"*"}`), "", ""},
		{"allows all but other actions", all(`{"Effect":"Allow","Principal":"*","NotAction":["kms:Encrypt"],"Resource":"*"}`), "", ""},
		{"denies others", all(statement("Allow", me, "kms:*"), statement("Deny", other, "kms:*")), "", ""},
		{"denies other actions", all(statement("Allow", me, "kms:*"), statement("Deny", "*", "kms:Encrypt*")), "", ""},
		{"resource is this kind of key", all(about(`"Resource":["x","arn:aws:kms:*:111122223333:key/*"]`)), "", ""},
		{"resource is all but another key", all(about(`"NotResource":"arn:aws:kms:us-east-1:111122223333:key/x"`)), "", ""},

		{"allows another account only", all(statement("Allow", other, "kms:*")), malformed, lockedOut},
		{"allows other actions only", all(statement("Allow", me, "kms:Put"), statement("Allow", me, "kms:GetKeyPolicy")), malformed, lockedOut},
		{"allows all but this action", all(`{"Effect":"Allow","Principal":"*","NotAction":"kms:Put*","Resource":"*"}`), malformed, lockedOut},
		{"allows all but the caller", all(`{"Effect":"Allow","NotPrincipal":{"AWS":"` + me + `"},"Action":"kms:*","Resource":"*"}`), malformed, lockedOut},
		{"denies the caller", all(statement("Allow", me, "kms:*"), statement("Deny", me, "kms:PutKeyPolicy")), malformed, lockedOut},
		{"denies before it allows", all(statement("Deny", "*", "kms:*"), statement("Allow", me, "kms:*")), malformed, lockedOut},
		{"allows under a condition", all(strings.Replace(statement("Allow", me, "kms:*"), `"Resource"`, `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}},"Resource"`, 1)), malformed, lockedOut},
		{"allows a service only", all(`{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"kms:*","Resource":"*"}`), malformed, lockedOut},
		{"has no effect without an action", all(`{"Effect":"Allow","Principal":"*","Resource":"*"}`), malformed, lockedOut},
		{"has no effect without a resource", all(`{"Effect":"Allow","Principal":"*","Action":"kms:*"}`), malformed, lockedOut},
		{"is about another key", all(about(`"Resource":"arn:aws:kms:us-east-1:111122223333:key/x"`)), malformed, lockedOut},
		{"is about all but keys", all(about(`"NotResource":"arn:aws:kms:*:*:key/*"`)), malformed, lockedOut},
	})
}

func TestPolicyLockoutCheckCanBeWaived(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	policy := allow(w.as(bob).principal(), "kms:*")
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Policy: &policy, BypassPolicyLockoutSafetyCheck: new(true)}).KeyMetadata.KeyId
	u.must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy, BypassPolicyLockoutSafetyCheck: new(true)})
	u.refused(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy, BypassPolicyLockoutSafetyCheck: new(false)}, malformed, lockedOut)
	// It waives nothing else.
	u.refused(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: new(allow("x", "kms:*")), BypassPolicyLockoutSafetyCheck: new(true)}, malformed, invalidPrincipal)
}
