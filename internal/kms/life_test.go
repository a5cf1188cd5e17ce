package kms_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/uuid"
)

// wantMetadata is the metadata of a new symmetric key (KMS API Reference, KeyMetadata): these members and no others.
func wantMetadata(u user, id string) *kmsapi.KeyMetadata {
	return &kmsapi.KeyMetadata{
		AWSAccountId: &u.account, KeyId: &id, Arn: new(u.keyARN(id)), Enabled: new(true), Description: new(""),
		KeyUsage: new(kmsapi.KeyUsageTypeEncryptDecrypt), KeyState: new(kmsapi.KeyStateEnabled), Origin: new(kmsapi.OriginTypeAwsKms),
		KeyManager: new(kmsapi.KeyManagerTypeCustomer), KeySpec: new(kmsapi.KeySpecSymmetricDefault),
		CustomerMasterKeySpec: new(kmsapi.CustomerMasterKeySpecSymmetricDefault), MultiRegion: new(false),
		EncryptionAlgorithms: []kmsapi.EncryptionAlgorithmSpec{kmsapi.EncryptionAlgorithmSpecSymmetricDefault},
	}
}

var ignoreMade = cmpopts.IgnoreFields(kmsapi.KeyMetadata{}, "CreationDate", "CurrentKeyMaterialId")

func TestCreateKeyMakesAnEnabledSymmetricKey(t *testing.T) {
	u := newWorld(t).as(alice)
	before := u.now()
	got := do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{}).KeyMetadata
	if diff := cmp.Diff(wantMetadata(u, *got.KeyId), got, ignoreMade); diff != "" {
		t.Error(diff)
	}
	if !uuid.Valid(*got.KeyId) || len(*got.CurrentKeyMaterialId) != 64 || strings.Trim(*got.CurrentKeyMaterialId, "0123456789abcdef") != "" {
		t.Errorf("key id %q, key material id %q", *got.KeyId, *got.CurrentKeyMaterialId)
	}
	if at := *got.CreationDate; at.Before(before.Truncate(time.Millisecond)) || at.After(u.now()) {
		t.Errorf("created at %s", at)
	}
	if diff := cmp.Diff(got, u.describe(*got.KeyId)); diff != "" {
		t.Errorf("DescribeKey shows another key: %s", diff)
	}
	if again := u.createKey(); again == *got.KeyId {
		t.Error("CreateKey is idempotent")
	}
}

// Keys in every state are listed, those of AWS services too.
func TestListKeysShowsEveryKey(t *testing.T) {
	u := newWorld(t).as(alice)
	want := []string{u.createKey(), u.createKey(), u.createKey(), *u.describe("alias/aws/s3").KeyId}
	u.disable(want[1])
	u.schedule(want[2])
	var got []string
	for _, k := range do[kmsapi.ListKeysResponse](u, &kmsapi.ListKeysRequest{}).Keys {
		got = append(got, *k.KeyId)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// C1a: member names are exact, unknown members are ignored, times are numbers.
func TestMembersOfRequestsAndAnswers(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	for body, code := range map[string]string{
		`{"KeyId":"` + id + `","Unknown":{"KeyId":[1]}}`: "", `{"keyId":"` + id + `"}`: "ValidationException", `{"KEYID":"` + id + `"}`: "ValidationException",
		`{"KeyId":["` + id + `"]}`: "SerializationException", `{"KeyId":7}`: "SerializationException", `[]`: "SerializationException", ``: "SerializationException",
		`{"KeyId":"` + id + `"`: "SerializationException", `{"KeyId":null}`: "ValidationException",
	} {
		if a := u.post("DescribeKey", []byte(body)); a.code != code {
			t.Errorf("%s: got %q %q, want %q", body, a.code, a.message, code)
		}
	}
	a := u.post("DescribeKey", []byte(`{"KeyId":"`+id+`"}`))
	if !regexp.MustCompile(`"CreationDate":\d{10}(\.\d{1,3})?[,}]`).Match(a.body) {
		t.Errorf("CreationDate: %s", a.body)
	}
	for _, in := range []request{&kmsapi.ListAliasesRequest{}, &kmsapi.ListResourceTagsRequest{KeyId: &id}} {
		if a := u.must(in); !bytes.Contains(a.body, []byte(`[]`)) || !bytes.Contains(a.body, []byte(`"Truncated":false`)) {
			t.Errorf("an empty list: %s", a.body)
		}
	}
}

func TestCreateKeyParameters(t *testing.T) {
	u := newWorld(t).as(alice)
	rsa := kmsapi.KeySpecRsa2048
	long := strings.Repeat("é", 8192)
	for _, row := range []struct {
		name          string
		in            kmsapi.CreateKeyRequest
		code, message string // message "": any
	}{
		{"all defaults said", kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecSymmetricDefault), KeyUsage: new(kmsapi.KeyUsageTypeEncryptDecrypt), Origin: new(kmsapi.OriginTypeAwsKms), MultiRegion: new(false), Description: new("")}, "", ""},
		{"deprecated name of the spec", kmsapi.CreateKeyRequest{CustomerMasterKeySpec: new(kmsapi.CustomerMasterKeySpecSymmetricDefault)}, "", ""},
		{"both names of the spec", kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecSymmetricDefault), CustomerMasterKeySpec: new(kmsapi.CustomerMasterKeySpecSymmetricDefault)}, "ValidationException", ""},
		{"longest description, in characters", kmsapi.CreateKeyRequest{Description: &long}, "", ""},
		{"description too long", kmsapi.CreateKeyRequest{Description: new(long + "x")}, "ValidationException", ""},
		{"usage missing", kmsapi.CreateKeyRequest{KeySpec: &rsa}, "ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."},
		{"usage missing, deprecated name", kmsapi.CreateKeyRequest{CustomerMasterKeySpec: new(kmsapi.CustomerMasterKeySpecHmac256)}, "ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."},
		{"usage does not fit", kmsapi.CreateKeyRequest{KeyUsage: new(kmsapi.KeyUsageTypeSignVerify)}, "ValidationException", "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"},
		{"unknown spec", kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpec("AES_512"))}, "ValidationException", ""},
		{"key store id without a key store", kmsapi.CreateKeyRequest{CustomKeyStoreId: new("cks-1")}, "ValidationException", ""},
		{"external key id without a key store", kmsapi.CreateKeyRequest{XksKeyId: new("x")}, "ValidationException", ""},
		{"imported post-quantum material", kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecMlDsa44), KeyUsage: new(kmsapi.KeyUsageTypeSignVerify), Origin: new(kmsapi.OriginTypeExternal)}, "UnsupportedOperationException", ""},
		{"not built: key stores", kmsapi.CreateKeyRequest{Origin: new(kmsapi.OriginTypeAwsCloudhsm)}, "UnsupportedOperationException", "Origin AWS_CLOUDHSM is not built in this version of Trent."},
	} {
		a := u.send(&row.in)
		if a.code != row.code || row.message != "" && a.message != row.message {
			t.Errorf("%s: got %q %q, want %q %q", row.name, a.code, a.message, row.code, row.message)
		}
	}
	if n := len(u.readRecords().keys); n != 3 {
		t.Errorf("%d keys were made, want 3", n)
	}
}

func TestEnableAndDisable(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	for _, step := range []struct {
		in   request
		want kmsapi.KeyState
	}{
		{&kmsapi.EnableKeyRequest{KeyId: &id}, kmsapi.KeyStateEnabled},   // enabled already: success
		{&kmsapi.DisableKeyRequest{KeyId: &id}, kmsapi.KeyStateDisabled}, //
		{&kmsapi.DisableKeyRequest{KeyId: &id}, kmsapi.KeyStateDisabled}, // disabled already: success
		{&kmsapi.EnableKeyRequest{KeyId: new(u.keyARN(id))}, kmsapi.KeyStateEnabled},
	} {
		u.must(step.in)
		k := u.describe(id)
		if *k.KeyState != step.want || *k.Enabled != (step.want == kmsapi.KeyStateEnabled) {
			t.Errorf("after %s: %s, enabled %v", operationOf(step.in), *k.KeyState, *k.Enabled)
		}
	}
}

func TestUpdateKeyDescriptionReplacesIt(t *testing.T) {
	u := newWorld(t).as(alice)
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Description: new("first")}).KeyMetadata.KeyId
	for _, d := range []string{"second", "", "\x00\u2028<é>\U0001F511\"\\", strings.Repeat("d", 8192)} {
		u.must(&kmsapi.UpdateKeyDescriptionRequest{KeyId: &id, Description: &d})
		if got := *u.describe(id).Description; got != d {
			t.Errorf("got %q, want %q", got, d)
		}
	}
	u.refused(&kmsapi.UpdateKeyDescriptionRequest{KeyId: &id}, "ValidationException",
		"1 validation error detected: Value null at 'description' failed to satisfy constraint: Member must not be null")
	u.refusedAs(&kmsapi.UpdateKeyDescriptionRequest{KeyId: &id, Description: new(strings.Repeat("d", 8193))}, "ValidationException")
}
