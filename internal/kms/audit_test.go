package kms_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// audited is what the record of a call must show besides what is the same for all. Placeholders: $key and $arn of the
// key, $spare of the other key, $new of the key that the call made, $material of the key and $other of the other key.
type audited struct {
	in         request
	parameters string
	answer     string // responseElements
	additional string
	resources  string // k: the key, s: the other key, a: the alias, n: the new key
}

// TestAuditRecords has a row for each operation (KMS Developer Guide, "Logging AWS KMS API calls").
func TestAuditRecords(t *testing.T) {
	u := newWorld(t).as(alice)
	id, spare := u.createKey(), u.createKey()
	u.createAlias("alias/app", id)
	u.createAlias(spareAlias, spare)
	ciphertext := u.encrypt(id, secret, map[string]string{"tenant": "blue"})
	policy := allow(u.principal(), "kms:*")
	context := map[string]string{"tenant": "blue", "a": "é\"\u2028"}
	const contextJSON = `{"a":"é\"\u2028","tenant":"blue"}`
	const named, keyID = `{"keyId":"$arn"}`, `{"keyId":"$key"}`
	rows := []audited{
		{&kmsapi.CreateKeyRequest{}, `{"description":"","keyUsage":"ENCRYPT_DECRYPT","keySpec":"SYMMETRIC_DEFAULT","customerMasterKeySpec":"SYMMETRIC_DEFAULT","origin":"AWS_KMS","multiRegion":false,"bypassPolicyLockoutSafetyCheck":false}`, "metadata", "", "n"},
		{&kmsapi.CreateKeyRequest{Description: new("d"), Policy: &policy, Tags: tags("k=v"), BypassPolicyLockoutSafetyCheck: new(true)}, `{"description":"d","keyUsage":"ENCRYPT_DECRYPT","keySpec":"SYMMETRIC_DEFAULT","customerMasterKeySpec":"SYMMETRIC_DEFAULT","origin":"AWS_KMS","multiRegion":false,"bypassPolicyLockoutSafetyCheck":true,"tags":[{"tagKey":"k","tagValue":"v"}],"policy":"$policy"}`, "metadata", "", "n"},
		{&kmsapi.CreateAliasRequest{AliasName: new("alias/new"), TargetKeyId: &id}, `{"aliasName":"alias/new","targetKeyId":"$key"}`, named, "", "ka"},
		{&kmsapi.UpdateAliasRequest{AliasName: new("alias/new"), TargetKeyId: new(u.keyARN(spare))}, `{"aliasName":"alias/new","targetKeyId":"$sparearn"}`, `{"keyId":"$sparearn"}`, "", "sa"},
		{&kmsapi.DeleteAliasRequest{AliasName: new("alias/new")}, `{"aliasName":"alias/new"}`, `{"keyId":"$sparearn"}`, "", "sa"},
		{&kmsapi.DescribeKeyRequest{KeyId: new("alias/app"), GrantTokens: []string{}}, `{"keyId":"alias/app"}`, "null", "", "k"},
		{&kmsapi.EnableKeyRequest{KeyId: &id}, keyID, named, "", "k"},
		{&kmsapi.DisableKeyRequest{KeyId: &id}, keyID, named, "", "k"},
		{&kmsapi.EnableKeyRequest{KeyId: &id}, keyID, named, "", "k"},
		{&kmsapi.UpdateKeyDescriptionRequest{KeyId: &id, Description: new("d2")}, `{"keyId":"$key","description":"d2"}`, "null", "", "k"},
		{&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags("a=1", "b=")}, `{"keyId":"$key","tags":[{"tagKey":"a","tagValue":"1"},{"tagKey":"b","tagValue":""}]}`, named, "", "k"},
		{&kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{"a", "x"}}, `{"keyId":"$key","tagKeys":["a","x"]}`, named, "", "k"},
		{&kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{"x"}}, `{"keyId":"$key","tagKeys":["x"]}`, named, "", "k"},
		{&kmsapi.ListResourceTagsRequest{KeyId: &id, Limit: new(int32(5))}, `{"keyId":"$key","limit":5}`, "null", "", "k"},
		{&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy}, `{"keyId":"$key","policyName":"default","policy":"$policy","bypassPolicyLockoutSafetyCheck":false}`, "null", "", "k"},
		{&kmsapi.GetKeyPolicyRequest{KeyId: &id}, `{"keyId":"$key","policyName":"default"}`, "null", "", "k"},
		{&kmsapi.ListKeyPoliciesRequest{KeyId: &id}, keyID, "null", "", "k"},
		{&kmsapi.ListKeysRequest{Limit: new(int32(7))}, `{"limit":7}`, "null", "", ""},
		{&kmsapi.ListKeysRequest{}, "null", "null", "", ""},
		{&kmsapi.ListAliasesRequest{}, "null", "null", "", ""},
		{&kmsapi.ListAliasesRequest{KeyId: &id}, keyID, "null", "", ""},
		{&kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(32))}, `{"numberOfBytes":32}`, "null", "", ""},
		{&kmsapi.EncryptRequest{KeyId: new(u.arn("alias/app")), Plaintext: []byte(secret), EncryptionContext: context}, `{"keyId":"$aliasarn","encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":` + contextJSON + `}`, "null", `{"keyMaterialId":"$material"}`, "k"},
		{&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: map[string]string{"tenant": "blue"}}, `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"tenant":"blue"}}`, "null", `{"keyMaterialId":"$material"}`, "k"},
		{&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: new("alias/app"), EncryptionContext: map[string]string{"tenant": "blue"}}, `{"keyId":"alias/app","encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"tenant":"blue"}}`, "null", `{"keyMaterialId":"$material"}`, "k"},
		{&kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: new(kmsapi.DataKeySpecAes256), EncryptionContext: context}, `{"keyId":"$key","keySpec":"AES_256","encryptionContext":` + contextJSON + `}`, "null", `{"keyMaterialId":"$material"}`, "k"},
		{&kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &id, NumberOfBytes: new(int32(99))}, `{"keyId":"$key","numberOfBytes":99}`, "null", `{"keyMaterialId":"$material"}`, "k"},
		{&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, SourceEncryptionContext: map[string]string{"tenant": "blue"}, DestinationKeyId: new(spareAlias), DestinationEncryptionContext: context}, `{"sourceEncryptionAlgorithm":"SYMMETRIC_DEFAULT","sourceEncryptionContext":{"tenant":"blue"},"destinationKeyId":"alias/spare","destinationEncryptionAlgorithm":"SYMMETRIC_DEFAULT","destinationEncryptionContext":` + contextJSON + `}`, "null", `{"sourceKeyMaterialId":"$material","destinationKeyMaterialId":"$other"}`, "ks"},
		{&kmsapi.ScheduleKeyDeletionRequest{KeyId: &id}, `{"keyId":"$key","pendingWindowInDays":30}`, "scheduled", "", "k"},
		{&kmsapi.CancelKeyDeletionRequest{KeyId: &id}, keyID, named, "", "k"},
	}
	operations := map[string]bool{}
	for _, row := range rows {
		operations[operationOf(row.in)] = true
		u.testAudited(t, row, id, spare, policy)
	}
	if len(operations) != 24 {
		t.Errorf("rows for %d operations, want 24", len(operations))
	}
}

func (u user) testAudited(t *testing.T, row audited, id, spare, policy string) {
	t.Helper()
	describe := func(key string) *kmsapi.KeyMetadata { return u.describe(key) }
	a := u.must(row.in)
	e := u.eventOf(a)
	quoted, _ := json.Marshal(policy)
	fill := strings.NewReplacer(
		"$sparearn", u.keyARN(spare), "$aliasarn", u.arn("alias/app"), "$key", id, "$arn", u.keyARN(id), "$policy", strings.Trim(string(quoted), `"`),
		"$material", *describe(id).CurrentKeyMaterialId, "$other", *describe(spare).CurrentKeyMaterialId,
	)
	made := ""
	switch row.answer {
	case "metadata":
		var out struct{ KeyMetadata map[string]any }
		if err := json.Unmarshal(e.ResponseElements, &out); err != nil {
			t.Fatal(err)
		}
		made = out.KeyMetadata["keyId"].(string)
		at := describe(made).CreationDate.UTC().Format("Jan 2, 2006, 3:04:05 PM")
		row.answer = `{"keyMetadata":{"aWSAccountId":"` + alice + `","keyId":"` + made + `","arn":"` + u.keyARN(made) + `","creationDate":"` + at + `","enabled":true,"description":` + toJSON(*describe(made).Description) + `,"keyUsage":"ENCRYPT_DECRYPT","keyState":"Enabled","origin":"AWS_KMS","keyManager":"CUSTOMER","customerMasterKeySpec":"SYMMETRIC_DEFAULT","keySpec":"SYMMETRIC_DEFAULT","encryptionAlgorithms":["SYMMETRIC_DEFAULT"],"multiRegion":false,"currentKeyMaterialId":"` + *describe(made).CurrentKeyMaterialId + `"}}`
	case "scheduled":
		at := describe(id).DeletionDate.UTC().Format("Jan 2, 2006, 3:04:05 PM")
		row.answer = `{"keyId":"$arn","keyState":"PendingDeletion","deletionDate":"` + at + `","pendingWindowInDays":30}`
	}
	for member, pair := range map[string][2]string{
		"requestParameters":   {string(e.RequestParameters), row.parameters},
		"responseElements":    {string(e.ResponseElements), row.answer},
		"additionalEventData": {string(e.AdditionalEventData), row.additional},
	} {
		if diff := cmp.Diff(fromJSON(t, fill.Replace(pair[1])), fromJSON(t, pair[0])); diff != "" {
			t.Errorf("%s %s: %s", a.operation, member, diff)
		}
	}
	u.testCommonMembers(t, a, e)
	want := []resource{}
	for _, r := range row.resources {
		switch r {
		case 'k':
			want = append(want, resource{alice, "AWS::KMS::Key", u.keyARN(id)})
		case 's':
			want = append(want, resource{alice, "AWS::KMS::Key", u.keyARN(spare)})
		case 'n':
			want = append(want, resource{alice, "AWS::KMS::Key", u.keyARN(made)})
		case 'a':
			want = append(want, resource{alice, "AWS::KMS::Alias", u.arn("alias/new")})
		}
	}
	if !slices.Equal(e.Resources, want) {
		t.Errorf("%s: resources %v, want %v", a.operation, e.Resources, want)
	}
}

func (u user) testCommonMembers(t *testing.T, a answer, e event) {
	t.Helper()
	identity := map[string]any{"type": "Root", "principalId": u.account, "arn": u.principal(), "accountId": u.account, "accessKeyId": u.account}
	if diff := cmp.Diff(identity, e.UserIdentity); diff != "" {
		t.Errorf("%s: userIdentity %s", a.operation, diff)
	}
	if e.EventName != a.operation || e.AWSRegion != u.region || e.EventType != "AwsApiCall" || e.RecipientAccountID != u.account || e.SourceIPAddress != "192.0.2.1" {
		t.Errorf("%s: %+v", a.operation, e)
	}
}

func toJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func fromJSON(t *testing.T, s string) (v any) {
	t.Helper()
	if s == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	return v
}

// The record of a failure has the error's code and text, no responseElements, and the key if it is known.
func TestAuditRecordsOfFailures(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, disabled, another := u.createKey(), u.createKey(), u.createKey()
	ciphertext, stuck := u.encrypt(id, secret, nil), u.encrypt(disabled, secret, nil)
	u.disable(disabled)
	key := func(id string) []resource { return []resource{{alice, "AWS::KMS::Key", u.keyARN(id)}} }
	for _, row := range []struct {
		name       string
		in         request
		code       string
		parameters string
		resources  []resource
	}{
		{"key state", &kmsapi.EncryptRequest{KeyId: &disabled, Plaintext: []byte(secret)}, "DisabledException", `{"keyId":"` + disabled + `"}`, key(disabled)},
		{"key state, from the ciphertext", &kmsapi.DecryptRequest{CiphertextBlob: stuck}, "DisabledException", `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`, key(disabled)},
		{"wrong context", &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: map[string]string{"a": "b"}}, "InvalidCiphertextException", `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"a":"b"}}`, key(id)},
		{"no ciphertext at all", &kmsapi.DecryptRequest{CiphertextBlob: []byte("not a ciphertext")}, "InvalidCiphertextException", `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`, nil},
		{"wrong key", &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: &another}, "IncorrectKeyException", `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","keyId":"` + another + `"}`, key(another)},
		{"a service's key", &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: new(*u.describe("alias/aws/s3").KeyId)}, "AccessDeniedException", `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","keyId":"` + *u.describe("alias/aws/s3").KeyId + `"}`, key(*u.describe("alias/aws/s3").KeyId)},
		{"dry run", &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret), DryRun: new(true)}, "DryRunOperationException", `{"keyId":"` + id + `","encryptionAlgorithm":"SYMMETRIC_DEFAULT","dryRun":true}`, key(id)},
		{"no such key", &kmsapi.DescribeKeyRequest{KeyId: new("alias/absent")}, "NotFoundException", `{"keyId":"alias/absent"}`, nil},
		{"no permission", &kmsapi.DescribeKeyRequest{KeyId: new(w.as(bob).keyARN(w.as(bob).createKey()))}, "AccessDeniedException", "", nil},
		{"constraint", &kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(0))}, "ValidationException", `{"numberOfBytes":0}`, nil},
		{"grant token", &kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: []string{"a-grant-token"}}, "InvalidGrantTokenException", `{"keyId":"` + id + `"}`, key(id)},
		{"tag", &kmsapi.TagResourceRequest{KeyId: &id, Tags: tags("aws:x=y")}, "TagException", `{"keyId":"` + id + `","tags":[{"tagKey":"aws:x","tagValue":"y"}]}`, key(id)},
		{"CreateKey", &kmsapi.CreateKeyRequest{Policy: new("{}")}, malformed, "", nil},
	} {
		a := u.refusedAs(row.in, row.code)
		e := w.eventOf(a)
		if e.ErrorCode != a.code || e.ErrorMessage != a.message || string(e.ResponseElements) != "null" || !slices.Equal(e.Resources, row.resources) {
			t.Errorf("%s: record %q %q, responseElements %s, resources %v", row.name, e.ErrorCode, e.ErrorMessage, e.ResponseElements, e.Resources)
		}
		if row.parameters != "" {
			if diff := cmp.Diff(fromJSON(t, row.parameters), fromJSON(t, string(e.RequestParameters))); diff != "" {
				t.Errorf("%s: %s", row.name, diff)
			}
		}
	}
	a := u.post("Encrypt", []byte(`{"KeyId":7}`))
	if e := w.eventOf(a); a.code != "SerializationException" || e.ErrorCode != a.code || string(e.RequestParameters) != "null" {
		t.Errorf("broken body: %q, record %q %s", a.code, e.ErrorCode, e.RequestParameters)
	}
}

// The record of a call says how each part of it was decided, and who asked.
func TestAuditRecordsOfDecisions(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	ciphertext := u.encrypt(id, secret, nil)
	carol := u.newUser("carol", identity("Allow", u.keyARN(id), "", "kms:*"), denying("kms:ScheduleKeyDeletion"))
	session := u.assume(role, "monday")
	grant, _ := u.createGrant(grantRequest(id))
	through := w.registered("s3.amazonaws.com", alice).onBehalfOf(carol)
	decided := func(action, key, rest string) string {
		return `{"action":"kms:` + action + `","resource":"` + u.keyARN(key) + `",` + rest + `}`
	}
	const byAccount = `"allowed":true,"layer":"resource-based policy","statement":0`
	const byIdentity = `"allowed":true,"layer":"identity-based policy","policy":"user/carol/p0","statement":0`
	for _, row := range []struct {
		name     string
		who      user
		in       request
		want     string
		identity map[string]any // a part of it
	}{
		{"root user", u, &kmsapi.DescribeKeyRequest{KeyId: &id}, decided("DescribeKey", id, byAccount), map[string]any{"type": "Root"}},
		{"user", carol, &kmsapi.DescribeKeyRequest{KeyId: &id}, decided("DescribeKey", id, byIdentity), map[string]any{"type": "IAMUser", "userName": "carol", "arn": carol.principal()}},
		{"user without permission", carol, &kmsapi.DescribeKeyRequest{KeyId: &other}, decided("DescribeKey", other, `"allowed":false,"layer":"identity-based policy"`), nil},
		{"user who is denied", carol, &kmsapi.ScheduleKeyDeletionRequest{KeyId: &id}, decided("ScheduleKeyDeletion", id, `"allowed":false,"layer":"identity-based policy","policy":"user/carol/p1","statement":0`), nil},
		{"user through a service", through, &kmsapi.DescribeKeyRequest{KeyId: &id}, decided("DescribeKey", id, byIdentity), map[string]any{"type": "IAMUser", "arn": carol.principal(), "invokedBy": "s3.amazonaws.com"}},
		{"session by a grant", session, &kmsapi.DescribeKeyRequest{KeyId: &id}, decided("DescribeKey", id, `"allowed":true,"layer":"grant","grant":"`+grant+`"`), map[string]any{"type": "AssumedRole", "arn": session.principal()}},
		{"two keys", u, &kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &other}, decided("ReEncryptFrom", id, byAccount) + "," + decided("ReEncryptTo", other, byAccount), nil},
		{"the second is denied", carol, &kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &other}, decided("ReEncryptFrom", id, byIdentity) + "," + decided("ReEncryptTo", other, `"allowed":false,"layer":"identity-based policy"`), nil},
		{"nothing was decided", u, &kmsapi.DescribeKeyRequest{KeyId: new("alias/absent")}, "", nil},
	} {
		a := row.who.send(row.in)
		var got struct {
			Authorization json.RawMessage
			UserIdentity  map[string]any
		}
		if err := json.Unmarshal(w.recordOf(a), &got); err != nil {
			t.Fatal(err)
		}
		want := ""
		if row.want != "" {
			want = "[" + row.want + "]"
		}
		if diff := cmp.Diff(fromJSON(t, want), fromJSON(t, string(got.Authorization))); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
		for member, value := range row.identity {
			if got.UserIdentity[member] != value {
				t.Errorf("%s: userIdentity.%s is %v, want %v", row.name, member, got.UserIdentity[member], value)
			}
		}
	}
}

// The search for secrets in the audit log would find one.
func TestSearchForSecretsFindsThem(t *testing.T) {
	for name, text := range map[string]string{
		"plain": "x" + secret + "y", "base64": base64Of([]byte(secret)), "hex": strings.ToUpper("73717565616d697368206f73736966726167650a"),
	} {
		inner := &recorder{TB: t}
		w := &world{t: inner, secrets: map[string]string{secret: "here"}}
		w.checkNoSecrets([]byte(text))
		if !inner.failed {
			t.Errorf("%s: not found", name)
		}
	}
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }
