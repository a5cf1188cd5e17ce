package kms_test

import (
	"fmt"
	"strconv"
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
	for _, row := range rows {
		id := u.createKey() // the caller may lose the last one
		keys := len(u.readRecords().keys)
		for _, in := range []request{&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &row.policy}, &kmsapi.CreateKeyRequest{Policy: &row.policy}} {
			a := u.send(in)
			if a.code != row.code || row.message != "" && a.message != row.message {
				t.Errorf("%s, %s: got %q %q, want %q %q", row.name, a.operation, a.code, a.message, row.code, row.message)
			}
		}
		switch got := u.policyNow(id); {
		case row.code == "" && got != row.policy:
			t.Errorf("%s: accepted, but the policy is %s", row.name, got)
		case row.code != "" && got == row.policy, row.code != "" && len(u.readRecords().keys) != keys:
			t.Errorf("%s: refused, but it has happened", row.name)
		}
	}
}

// policyNow is policyOf, even if the policy does not let u see it.
func (u user) policyNow(id string) string {
	u.t.Helper()
	if a := u.send(&kmsapi.GetKeyPolicyRequest{KeyId: &id}); a.code == "AccessDeniedException" {
		return u.readRecords().keys[u.keyPath(id)].Policy
	}
	return u.policyOf(id)
}

func TestPolicyForm(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	w.as(bob).newUser("x")
	root := statement("Allow", u.principal(), "kms:*")
	with := func(more string) string { return `{"Version":"2012-10-17","Statement":[` + root + "," + more + `]}` }
	u.testPolicies(t, []policyCase{
		{"one statement without a list", `{"Statement":` + root + `}`, "", ""},
		{"the older version", `{"Version":"2008-10-17","Statement":[` + root + `]}`, "", ""},
		{"lists of one and of many", with(`{"Sid":"a b","Effect":"Deny","Principal":{"AWS":["444455556666","arn:aws:iam::444455556666:user/x"]},"NotAction":["kms:*"],"NotResource":["x"],"Condition":{"StringEquals":{"aws:a":["1",2,true]},"Bool":{"kms:b":"true"}}}`), "", ""},
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
		{"wildcard for the vendor of an action", with(statement("Allow", "*", "k*:*")), malformed, ""},
		{"action without a vendor", with(statement("Allow", "*", "Encrypt")), malformed, ""},
		{"action is a number", with(`{"Effect":"Allow","Principal":"*","Action":7,"Resource":"*"}`), malformed, ""},
		{"action is a list of lists", with(`{"Effect":"Allow","Principal":"*","Action":[["*"]],"Resource":"*"}`), malformed, ""},
		{"condition is a string", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":"x"}`), malformed, ""},
		{"condition without an operator", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":"b"}}`), malformed, ""},
		{"condition value is an object", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:a":{"b":"c"}}}}`), malformed, ""},
		{"condition value is a list of lists", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:a":[["b"]]}}}`), malformed, ""},
		{"condition key without a vendor", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"a":"b"}}}`), malformed, ""},
		{"unknown condition operator", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringIs":{"aws:a":"b"}}}`), malformed, ""},
		{"number for an address", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"7"}}}`), malformed, ""},
		{"ForAllValues on the encryption context", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"kms:EncryptionContext:a":"b"}}}`), malformed, "OverlyPermissiveCondition: ForAllValues on kms:EncryptionContext:a allows requests that do not have the key"},
		{"condition value is null", with(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:a":[null]}}}`), malformed, ""},
		{"character beyond U+00FF", strings.Replace(with(root), "Version", "Id\":\"Ā\",\"Version", 1), "ValidationException", ""},
		{"control character", strings.Replace(with(root), "Version", "\x0bVersion", 1), "ValidationException", ""},
		{"empty", "", "ValidationException", ""},
	})
}

func TestPolicyPrincipals(t *testing.T) {
	w := newWorld(t)
	u, b := w.as(alice), w.as(bob)
	b.iam("CreateUser", "UserName", "x", "Path", "/path/")
	b.newRole("x")
	root := statement("Allow", u.principal(), "kms:*")
	var rows []policyCase
	for principal, ok := range map[string]bool{
		`"*"`: true, `{"AWS":"*"}`: true, `{"AWS":"444455556666"}`: true, `{"AWS":"arn:aws:iam::444455556666:root"}`: true,
		`{"AWS":"arn:aws:iam::444455556666:user/path/x"}`: true, `{"AWS":["arn:aws:iam::444455556666:role/x","*"]}`: true,
		`{"AWS":"arn:aws:sts::444455556666:assumed-role/x/session"}`: true, `{"AWS":"arn:aws:sts::444455556666:federated-user/x"}`: true,
		`{"Service":"s3.amazonaws.com"}`: true, `{"Service":["logs.eu-west-1.amazonaws.com","ec2.amazonaws.com.cn"]}`: true,
		`{"Federated":"cognito-identity.amazonaws.com"}`: true, `{"AWS":"*","Service":"s3.amazonaws.com"}`: true,

		// Nobody has these names.
		`{"AWS":"arn:aws:iam::444455556666:user/nobody"}`: false, `{"AWS":"arn:aws:iam::444455556666:user/x"}`: false,
		`{"AWS":"arn:aws:iam::444455556666:user/path/X"}`: false, `{"AWS":"arn:aws:iam::444455556666:role/path/x"}`: false,
		`{"AWS":"arn:aws:iam::111122223333:role/x"}`: false, `{"AWS":["*","arn:aws:iam::444455556666:role/y"]}`: false,
		`{"AWS":"arn:aws:sts::444455556666:assumed-role/y/session"}`: false,
		`{"AWS":"AIDAABCDEFGHIJKLMNOP2"}`:                            false, `{"AWS":"AROAABCDEFGHIJKLMNOP2"}`: false,

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
	when := func(condition string) string { return rule("Allow", aws(me), "*", "{"+condition+"}", "kms:*") }
	deny := func(condition string) string { return rule("Deny", `"*"`, "*", "{"+condition+"}", "kms:PutKeyPolicy") }
	about := func(resource string) string {
		return `{"Effect":"Allow","Principal":"*","Action":"kms:*",` + resource + `}`
	}
	u.testPolicies(t, []policyCase{
		{"allows the caller", all(statement("Allow", me, "kms:PutKeyPolicy")), "", ""},
		{"allows the caller's account", all(statement("Allow", alice, "kms:*")), "", ""},
		{"allows everybody", all(statement("Allow", "*", "*")), "", ""},
		{"allows by wildcard, in another case", all(statement("Allow", me, "KMS:putkey?olicy")), "", ""},
		{"allows by wildcards", all(statement("Allow", me, "kms:*Key*Pol*")), "", ""},
		{"allows everybody but another", all(`{"Effect":"Allow","NotPrincipal":{"AWS":"` + other + `"},"Action":"kms:*","Resource":"*"}`), "", ""},
		{"allows all but other actions", all(`{"Effect":"Allow","Principal":"*","NotAction":["kms:Encrypt"],"Resource":"*"}`), "", ""},
		{"denies others", all(statement("Allow", me, "kms:*"), statement("Deny", other, "kms:*")), "", ""},
		{"denies other actions", all(statement("Allow", me, "kms:*"), statement("Deny", "*", "kms:Encrypt*")), "", ""},
		{"allows under a condition that the request meets", all(when(`"StringEquals":{"kms:CallerAccount":"111122223333","kms:KeySpec":"SYMMETRIC_DEFAULT"},"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"Null":{"kms:ViaService":"true"}`)), "", ""},
		{"denies under a condition that the request does not meet", all(statement("Allow", me, "kms:*"), deny(`"DateGreaterThan":{"aws:CurrentTime":"2126-01-01T00:00:00Z"}`)), "", ""},
		{"resource is this kind of key", all(about(`"Resource":["x","arn:aws:kms:*:111122223333:key/*"]`)), "", ""},
		{"resource is all but another key", all(about(`"NotResource":"arn:aws:kms:us-east-1:111122223333:key/x"`)), "", ""},

		{"allows another account only", all(statement("Allow", other, "kms:*")), malformed, lockedOut},
		{"allows other actions only", all(statement("Allow", me, "kms:Put"), statement("Allow", me, "kms:GetKeyPolicy")), malformed, lockedOut},
		{"allows all but this action", all(`{"Effect":"Allow","Principal":"*","NotAction":"kms:Put*","Resource":"*"}`), malformed, lockedOut},
		{"allows all but the caller", all(`{"Effect":"Allow","NotPrincipal":{"AWS":"` + me + `"},"Action":"kms:*","Resource":"*"}`), malformed, lockedOut},
		{"denies the caller", all(statement("Allow", me, "kms:*"), statement("Deny", me, "kms:PutKeyPolicy")), malformed, lockedOut},
		{"denies before it allows", all(statement("Deny", "*", "kms:*"), statement("Allow", me, "kms:*")), malformed, lockedOut},
		{"allows under a condition that the request does not meet", all(when(`"Bool":{"aws:MultiFactorAuthPresent":"true"}`)), malformed, lockedOut},
		{"allows from elsewhere", all(when(`"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}`)), malformed, lockedOut},
		{"allows another kind of key", all(when(`"StringEquals":{"kms:KeySpec":"RSA_2048"}`)), malformed, lockedOut},
		{"allows through a service", all(when(`"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}`)), malformed, lockedOut},
		{"denies under a condition that the request meets", all(statement("Allow", me, "kms:*"), deny(`"DateGreaterThan":{"aws:CurrentTime":"2024-01-01T00:00:00Z"}`)), malformed, lockedOut},
		{"denies all but others", all(statement("Allow", me, "kms:*"), `{"Effect":"Deny","NotPrincipal":{"AWS":"`+other+`"},"Action":"kms:*","Resource":"*"}`), malformed, lockedOut},
		{"allows a service only", all(`{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"kms:*","Resource":"*"}`), malformed, lockedOut},
		{"has no effect without an action", all(`{"Effect":"Allow","Principal":"*","Resource":"*"}`), malformed, lockedOut},
		{"has no effect without a resource", all(`{"Effect":"Allow","Principal":"*","Action":"kms:*"}`), malformed, lockedOut},
		{"is about another key", all(about(`"Resource":"arn:aws:kms:us-east-1:111122223333:key/x"`)), malformed, lockedOut},
		{"is about all but keys", all(about(`"NotResource":"arn:aws:kms:*:*:key/*"`)), malformed, lockedOut},
	})
}

// The check asks about whoever calls: its own name in the policy, its role's, or its account's, whatever its identity
// policies say (KMS API Reference, BypassPolicyLockoutSafetyCheck).
func TestPolicyLockoutOfEveryKindOfCaller(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	const create = "kms:CreateKey"
	carol, dave := u.newUser("carol", allowing(create)), u.newUser("dave", allowing(create))
	role := u.newRole("app", allowing(create))
	session := u.assume(role, "monday")
	through := w.registered("s3.amazonaws.com", alice).onBehalfOf(carol)
	viaS3 := `{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}`
	for _, row := range []struct {
		name   string
		caller user
		policy string
		ok     bool
	}{
		{"user, by name", carol, allow(carol.principal(), "kms:*"), true},
		{"user, by account, without a policy of its own for it", carol, allow(u.principal(), "kms:*"), true},
		{"user, by another's name", carol, allow(dave.principal(), "kms:*"), false},
		{"user, by a role's name", carol, allow(role, "kms:*"), false},
		{"user, by name, and denied by name", carol, rules(statement("Allow", "*", "kms:*"), statement("Deny", carol.principal(), "kms:*")), false},
		{"user, by name, and another denied", carol, rules(statement("Allow", "*", "kms:*"), statement("Deny", dave.principal(), "kms:*")), true},
		{"user, by tag", carol, rules(rule("Allow", `"*"`, "*", `{"StringEquals":{"aws:PrincipalTag/team":"blue"}}`, "kms:*")), false},
		{"user, by its name in a condition", carol, rules(rule("Allow", `"*"`, "*", `{"StringEquals":{"aws:username":"carol"}}`, "kms:*")), true},
		{"user, by what only a service may", carol, rules(rule("Allow", `"*"`, "*", viaS3, "kms:*")), false},
		{"user through a service, by that", through, rules(rule("Allow", `"*"`, "*", viaS3, "kms:*")), true},
		{"session, by role", session, allow(role, "kms:*"), true},
		{"session, by name", session, allow(session.principal(), "kms:*"), true},
		{"session, by another session's name", session, allow(session.principal()+"s", "kms:*"), false},
		{"session, by account", session, allow(alice, "kms:*"), true},
		{"session, by a user's name", session, allow(carol.principal(), "kms:*"), false},
		{"root, by a user's name", u, allow(carol.principal(), "kms:*"), false},
		{"root, by name", u, allow(u.principal(), "kms:*"), true},
	} {
		in := &kmsapi.CreateKeyRequest{Policy: &row.policy}
		if !row.ok {
			row.caller.refused(in, malformed, lockedOut)
			in.BypassPolicyLockoutSafetyCheck = new(true)
		}
		if a := row.caller.send(in); !a.ok() {
			t.Errorf("%s: %s %s", row.name, a.code, a.message)
		}
	}
}

// What a policy says of a tag counts for the check as for every call.
func TestPolicyLockoutByTags(t *testing.T) {
	u := newWorld(t).as(alice)
	carol := u.newUser("carol", allowing("kms:CreateKey"))
	u.iam("TagUser", "UserName", "carol", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")
	for _, row := range []struct {
		team string
		ok   bool
	}{{"blue", true}, {"red", false}} {
		policy := rules(rule("Allow", `"*"`, "*", `{"StringEquals":{"aws:PrincipalTag/team":"`+row.team+`"}}`, "kms:*"))
		if a := carol.send(&kmsapi.CreateKeyRequest{Policy: &policy}); a.ok() != row.ok || !row.ok && a.message != lockedOut {
			t.Errorf("team %s: %d %s %s", row.team, a.status, a.code, a.message)
		}
	}
}

func TestPolicyLockoutCheckCanBeWaived(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	policy := allow(w.as(bob).principal(), "kms:*")
	waived := &kmsapi.CreateKeyRequest{Policy: &policy, BypassPolicyLockoutSafetyCheck: new(true)}
	lost := *do[kmsapi.CreateKeyResponse](u, waived).KeyMetadata.KeyId
	id := u.createKey()
	u.refused(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy, BypassPolicyLockoutSafetyCheck: new(false)}, malformed, lockedOut)
	// It waives nothing else.
	u.refused(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: new(allow("x", "kms:*")), BypassPolicyLockoutSafetyCheck: new(true)}, malformed, invalidPrincipal)
	u.must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy, BypassPolicyLockoutSafetyCheck: new(true)})
	// What was warned of has happened: nobody of the key's account can do anything with it, and nobody else can change it.
	for _, key := range []string{lost, id} {
		arn := u.keyARN(key)
		in := &kmsapi.PutKeyPolicyRequest{KeyId: &arn, Policy: new(kms.DefaultPolicy(alice)), BypassPolicyLockoutSafetyCheck: new(true)}
		u.refusedAs(in, "AccessDeniedException")
		w.as(bob).refusedAs(in, "AccessDeniedException")
		u.refusedAs(&kmsapi.ScheduleKeyDeletionRequest{KeyId: &arn}, "AccessDeniedException")
		w.as(bob).encrypt(arn, secret, nil)
	}
}

// Whoever may create keys is not thereby allowed to waive the check.
func TestWaiverOfTheLockoutCheckCanBeForbidden(t *testing.T) {
	u := newWorld(t).as(alice)
	carol := u.newUser("carol", rules(
		`{"Effect":"Allow","Action":"kms:*","Resource":"*"}`,
		`{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}}}`,
	))
	id := u.createKey()
	policy := kms.DefaultPolicy(alice)
	for bypass, code := range map[*bool]string{nil: "", new(false): "", new(true): "AccessDeniedException"} {
		carol.refusedAs(&kmsapi.CreateKeyRequest{Policy: &policy, BypassPolicyLockoutSafetyCheck: bypass}, code)
		carol.refusedAs(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy, BypassPolicyLockoutSafetyCheck: bypass}, code)
	}
}

// A replica's policy is looked at like any other, as one in its own Region.
func TestPolicyLockoutOfAReplica(t *testing.T) {
	u := newWorld(t).as(alice)
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{MultiRegion: new(true)}).KeyMetadata.KeyId
	in := func(region string) *kmsapi.ReplicateKeyRequest {
		policy := rules(rule("Allow", aws(alice), "arn:aws:kms:"+region+":"+alice+":key/*", "", "kms:*"))
		return &kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(abroad), Policy: &policy}
	}
	u.refused(in(region), malformed, lockedOut)
	u.must(in(abroad))
}

// A policy keeps users and roles by what they are, not by what they are called: one that is gone shows as its unique id,
// matches nobody any more, and whoever is given its name has nothing of it (IAM User Guide, "Principal").
func TestDeletedPrincipalsOfPolicies(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	carol, role := u.newUser("carol"), u.newRole("app")
	carolID, roleID := u.iam("GetUser", "UserName", "carol")["UserId"], u.iam("GetRole", "RoleName", "app")["RoleId"]
	policy := rules(statement("Allow", u.principal(), "kms:*"), rule("Allow", aws(carol.principal(), role), "*", "", "kms:Encrypt", "kms:DescribeKey"),
		rule("Deny", aws(role, alice), "*", "", "kms:GenerateMac"))
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Policy: &policy}).KeyMetadata.KeyId
	session := u.assume(role, "monday")
	carol.encrypt(id, secret, nil)
	session.encrypt(id, secret, nil)
	if got := u.policyOf(id); got != policy {
		t.Errorf("the policy is shown as %s", got)
	}
	if stored := u.readRecords().keys[u.keyPath(id)].Policy; strings.Contains(stored, carol.principal()) || strings.Contains(stored, role) {
		t.Errorf("the policy is kept as %s", stored)
	}

	u.deleteUser(carol, 0)
	u.iam("DeleteRole", "RoleName", "app")
	gone := strings.NewReplacer(carol.principal(), carolID, role, roleID).Replace(policy)
	if got := u.policyOf(id); got != gone {
		t.Errorf("after their end the policy is shown as %s", got)
	}
	u.refused(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &gone}, malformed, invalidPrincipal)
	u.refused(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy}, malformed, invalidPrincipal)

	again, roleAgain := u.newUser("carol"), u.newRole("app")
	if again.principal() != carol.principal() || roleAgain != role {
		t.Fatal("the names are others")
	}
	for _, heir := range []user{again, u.assume(roleAgain, "tuesday")} {
		heir.refusedAs(&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret)}, "AccessDeniedException")
		heir.refusedAs(&kmsapi.DescribeKeyRequest{KeyId: &id}, "AccessDeniedException")
	}
	if got := u.policyOf(id); got != gone {
		t.Errorf("after their names were given away the policy is shown as %s", got)
	}
	u.must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy})
	again.encrypt(id, secret, nil) // now it is meant
}

// A user that is given another name stays the one that a policy names.
func TestRenamedPrincipalsOfPolicies(t *testing.T) {
	u := newWorld(t).as(alice)
	carol := u.newUser("carol")
	policy := rules(statement("Allow", u.principal(), "kms:*"), statement("Allow", carol.principal(), "kms:Encrypt"))
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Policy: &policy}).KeyMetadata.KeyId
	u.iam("UpdateUser", "UserName", "carol", "NewUserName", "caroline")
	carol.encrypt(id, secret, nil)
	if got, want := u.policyOf(id), strings.Replace(policy, ":user/carol", ":user/caroline", 1); got != want {
		t.Errorf("got %s", got)
	}
	heir := u.newUser("carol")
	heir.refusedAs(&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret)}, "AccessDeniedException")
}

// A principal can be given by its unique id too, as a policy with a deleted one shows it.
func TestPrincipalsByUniqueID(t *testing.T) {
	u := newWorld(t).as(alice)
	carol := u.newUser("carol")
	uniqueID := u.iam("GetUser", "UserName", "carol")["UserId"]
	policy := rules(statement("Allow", u.principal(), "kms:*"), statement("Allow", uniqueID, "kms:Encrypt"))
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Policy: &policy}).KeyMetadata.KeyId
	carol.encrypt(id, secret, nil)
	if got, want := u.policyOf(id), strings.Replace(policy, uniqueID, carol.principal(), 1); got != want {
		t.Errorf("got %s", got)
	}
}

// Whether the policy can be changed again is asked of a PutKeyPolicy like the present request, also when a key is made: tags and
// Regions of that request are none of the next, and a parameter that was not sent is absent.
func TestLockOutIsAskedOfTheNextRequest(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	primary := u.createPrimary()
	with := func(effect, condition string) *string {
		other := statement("Allow", u.principal(), "kms:*")
		text := `{"Effect":"` + effect + `","Principal":{"AWS":"` + u.principal() + `"},"Action":"kms:PutKeyPolicy","Resource":"*","Condition":{` + condition + `}}`
		if effect == "Allow" {
			other = statement("Allow", u.principal(), "kms:Get*")
		}
		return new(`{"Version":"2012-10-17","Statement":[` + other + "," + text + `]}`)
	}
	const bypass, tagged, requested = `"kms:BypassPolicyLockoutSafetyCheck"`, `"aws:ResourceTag/x"`, `"aws:RequestTag/x"`
	ran := 0
	for _, row := range []struct {
		policy *string
		bypass *bool
		tags   []kmsapi.Tag
		fits   bool
	}{
		{with("Deny", `"Null":{`+bypass+`:"false"}`), nil, nil, true},
		{with("Deny", `"Null":{`+bypass+`:"false"}`), new(false), nil, false},
		{with("Deny", `"Null":{`+bypass+`:"false"}`), new(true), nil, true}, // whoever waives the check
		{with("Deny", `"Null":{`+bypass+`:"true"}`), nil, nil, false},
		{with("Allow", `"Bool":{`+bypass+`:"false"}`), nil, nil, false},
		{with("Allow", `"Bool":{`+bypass+`:"false"}`), new(false), nil, true},
		{with("Allow", `"StringEquals":{`+requested+`:"y"}`), nil, tags("x=y"), false},
		{with("Allow", `"StringEquals":{`+tagged+`:"y"}`), nil, tags("x=y"), true},
		{with("Allow", `"StringEquals":{`+tagged+`:"z"}`), nil, tags("x=y"), false},
		{with("Allow", `"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"}`), nil, nil, true},
		{with("Allow", `"Null":{"kms:ReplicaRegion":"false"}`), nil, nil, false},
	} {
		ran++
		id := u.createClosed()
		u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags("x=y")})
		for _, in := range []request{
			&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: row.policy, BypassPolicyLockoutSafetyCheck: row.bypass},
			&kmsapi.CreateKeyRequest{Policy: row.policy, BypassPolicyLockoutSafetyCheck: row.bypass, Tags: row.tags},
			&kmsapi.ReplicateKeyRequest{KeyId: &primary, ReplicaRegion: new(regionOf(ran)), Policy: row.policy, BypassPolicyLockoutSafetyCheck: row.bypass, Tags: row.tags},
		} {
			switch a := u.send(in); {
			case row.fits && !a.ok():
				t.Errorf("%s with %s: %s %s", a.operation, *row.policy, a.code, a.message)
			case !row.fits && (a.code != malformed || a.message != lockedOut):
				t.Errorf("%s with %s: %s %s", a.operation, *row.policy, a.code, a.message)
			}
		}
	}
	if ran < 11 {
		t.Errorf("only %d rows", ran)
	}
}

// regionOf is a Region for the replica with a number.
func regionOf(n int) string { return "eu-north-" + strconv.Itoa(n) }
