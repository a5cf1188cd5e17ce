package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// The texts for plaintext, numberOfBytes and tags are what AWS answers (recordings of real answers).
func TestCheckNamesEveryViolationInTheWordsOfAWS(t *testing.T) {
	tag := func(key, value string) kmsapi.Tag { return kmsapi.Tag{TagKey: &key, TagValue: &value} }
	long := strings.Repeat("k", 129)
	for _, tt := range []struct {
		name string
		in   api.Input
		want string
	}{
		{"a valid request", &kmsapi.EncryptRequest{KeyId: ptr("k"), Plaintext: make([]byte, 4096)}, ""},
		{"a blob too long", &kmsapi.EncryptRequest{KeyId: ptr("k"), Plaintext: make([]byte, 4097)},
			"1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"},
		{"a blob too short", &kmsapi.EncryptRequest{KeyId: ptr("k"), Plaintext: []byte{}},
			"1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"a number too small", &kmsapi.GenerateRandomRequest{NumberOfBytes: ptr(int32(0))},
			"1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"a number too large", &kmsapi.GenerateRandomRequest{NumberOfBytes: ptr(int32(1025))},
			"1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024"},
		{"a required member missing", &kmsapi.DescribeKeyRequest{},
			"1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"},
		{"several members", &kmsapi.CreateAliasRequest{AliasName: ptr("a b")},
			"2 validation errors detected: Value 'a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$; " +
				"Value null at 'targetKeyId' failed to satisfy constraint: Member must not be null"},
		{"several rules of one member", &kmsapi.CreateAliasRequest{AliasName: ptr(""), TargetKeyId: ptr("k")},
			"2 validation errors detected: Value '' at 'aliasName' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
				"Value '' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
		{"a value outside its enumeration", &kmsapi.GenerateDataKeyRequest{KeyId: ptr("k"), KeySpec: ptr(kmsapi.DataKeySpec("AES_512"))},
			"1 validation error detected: Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]"},
		{"members of structures in a list", &kmsapi.TagResourceRequest{KeyId: ptr("k"), Tags: []kmsapi.Tag{tag(long, ""), tag("ok", "ok"), {TagKey: ptr("a")}}},
			"2 validation errors detected: Value '" + long + "' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128; " +
				"Value null at 'tags.3.member.tagValue' failed to satisfy constraint: Member must not be null"},
		{"a member of a structure", &kmsapi.DecryptRequest{Recipient: &kmsapi.RecipientInfo{AttestationDocument: []byte{}}},
			"1 validation error detected: Value at 'recipient.attestationDocument' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"strings in a list: one violation, all rules", &kmsapi.UntagResourceRequest{KeyId: ptr("k"), TagKeys: []string{"a", ""}},
			"1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: " +
				"[Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"},
		{"enumerated values in a list", &kmsapi.DecryptRequest{DryRunModifiers: []kmsapi.DryRunModifierType{"IGNORE_CIPHERTEXT", "X"}},
			"1 validation error detected: Value '[IGNORE_CIPHERTEXT, X]' at 'dryRunModifiers' failed to satisfy constraint: Member must satisfy constraint: " +
				"[Member must satisfy enum value set: [IGNORE_CIPHERTEXT]]"},
		{"too many elements, and they are secret", &kmsapi.DescribeKeyRequest{KeyId: ptr("k"), GrantTokens: make([]string, 11)},
			"2 validation errors detected: Value at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10; " +
				"Value at 'grantTokens' failed to satisfy constraint: Member must satisfy constraint: " +
				"[Member must have length less than or equal to 8192, Member must have length greater than or equal to 1]"},
		{"a map as large as can be", &kmsapi.EncryptRequest{KeyId: ptr("k"), Plaintext: []byte("p"), EncryptionContext: map[string]string{"é": strings.Repeat("v", 8180), "k": "éé4...."}}, ""},
		{"a map too large", &kmsapi.EncryptRequest{KeyId: ptr("k"), Plaintext: []byte("p"), EncryptionContext: map[string]string{"é": strings.Repeat("v", 8180), "k": "éé4....."}},
			"1 validation error detected: Value at 'encryptionContext' failed to satisfy constraint: Member must have length less than or equal to 8192"},
		{"a map too large in a structure", &kmsapi.CreateGrantRequest{KeyId: ptr("k"), Operations: []kmsapi.GrantOperation{"Decrypt"}, Constraints: &kmsapi.GrantConstraints{EncryptionContextSubset: map[string]string{"k": strings.Repeat("é", 4096)}}},
			"1 validation error detected: Value at 'constraints.encryptionContextSubset' failed to satisfy constraint: Member must have length less than or equal to 8192"},
		{"too many enumerated values", &kmsapi.CreateGrantRequest{KeyId: ptr("k"), Operations: slices.Repeat([]kmsapi.GrantOperation{"Decrypt"}, 20)},
			"1 validation error detected: Value at 'operations' failed to satisfy constraint: Member must have length less than or equal to 19"},
		{"a secret is not shown", &kmsapi.UpdateCustomKeyStoreRequest{CustomKeyStoreId: ptr("c"), KeyStorePassword: ptr("s3cret"),
			XksProxyAuthenticationCredential: &kmsapi.XksProxyAuthenticationCredentialType{AccessKeyId: ptr("ABCDEFGHIJKLMNOPQRS!"), RawSecretAccessKey: ptr("s3cret!")}},
			"4 validation errors detected: Value at 'keyStorePassword' failed to satisfy constraint: Member must have length greater than or equal to 7; " +
				"Value at 'xksProxyAuthenticationCredential.accessKeyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Z2-7]+$; " +
				"Value at 'xksProxyAuthenticationCredential.rawSecretAccessKey' failed to satisfy constraint: Member must have length greater than or equal to 43; " +
				`Value at 'xksProxyAuthenticationCredential.rawSecretAccessKey' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9\/+=]+$`},
		{"length counts code points: 128 fit", &kmsapi.TagResourceRequest{KeyId: ptr("k"), Tags: []kmsapi.Tag{tag(strings.Repeat("😀", 128), strings.Repeat("é", 256))}}, ""},
		{"length counts code points: 129 do not", &kmsapi.TagResourceRequest{KeyId: ptr("k"), Tags: []kmsapi.Tag{tag(strings.Repeat("é", 129), "")}},
			"1 validation error detected: Value '" + strings.Repeat("é", 129) + "' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{"a pattern matches the whole value", &kmsapi.ListKeysRequest{Marker: ptr("ok\u0100")},
			`1 validation error detected: Value 'ok` + "\u0100" + `' at 'marker' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0020-\u00FF]*`},
		{"a pattern does not forgive a line break at the end", &kmsapi.UpdatePrimaryRegionRequest{KeyId: ptr("k"), PrimaryRegion: ptr("eu-central-1\n")},
			"1 validation error detected: Value 'eu-central-1\n' at 'primaryRegion' failed to satisfy constraint: Member must satisfy regular expression pattern: " + `^([a-z]+-){2,3}\d+$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, want := api.Check(tt.in), ""
			if tt.want == "" {
				if got != nil {
					t.Fatal(got)
				}
				return
			}
			want = "ValidationException: " + tt.want
			if diff := cmp.Diff(want, errorText(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A request of a few kilobytes must not make an answer of megabytes.
func TestCheckBoundsItsMessage(t *testing.T) {
	err := api.Check(&kmsapi.DescribeKeyRequest{KeyId: ptr(strings.Repeat("é", 4096))})
	want := "Value '" + strings.Repeat("é", 512) + "...' at 'keyId'"
	if got := errorText(err); !strings.Contains(got, want) {
		t.Errorf("got %s, want the first 1024 bytes of the value", got)
	}

	in := &kmsapi.TagResourceRequest{KeyId: ptr("k"), Tags: make([]kmsapi.Tag, 5000)}
	got := errorText(api.Check(in))
	if n := strings.Count(got, "Member must not be null"); n != 63 || !strings.HasPrefix(got, "ValidationException: 10001 validation errors detected: ") {
		t.Errorf("%d violations written out in %.80s", n, got)
	}

	keys := make([]string, 100000)
	if got := errorText(api.Check(&kmsapi.UntagResourceRequest{KeyId: ptr("k"), TagKeys: keys})); len(got) > 1500 {
		t.Errorf("%d bytes for a long list", len(got))
	}
}

func TestCheckOfAValidRequestDoesNotAllocate(t *testing.T) {
	in := &kmsapi.DecryptRequest{KeyId: ptr("alias/a"), CiphertextBlob: make([]byte, 100), GrantTokens: []string{"t"},
		EncryptionAlgorithm: ptr(kmsapi.EncryptionAlgorithmSpecSymmetricDefault), Recipient: &kmsapi.RecipientInfo{AttestationDocument: []byte{1}}}
	if err := api.Check(in); err != nil {
		t.Fatal(err)
	}
	v := new(api.Violations)
	v.Enter("x") // room for a path
	v.Leave()
	if n := testing.AllocsPerRun(100, func() { in.Validate(v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
