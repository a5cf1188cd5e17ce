package sdk

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/trent-kms/trent/test/internal/harness"
)

// cast is who plays in the table of errors.
type cast struct {
	enabled, disabled, pending, managed, foreign string // key ids; foreign is another account's
	ciphertext                                   []byte // of enabled, context a=b
	offCiphertext, pendingCiphertext             []byte // of disabled and of pending
	foreignCiphertext                            []byte
	grants                                       map[string]string          // a grant's id, by key id
	reimport                                     kms.ImportKeyMaterialInput // what gives a disabled EXTERNAL key its material once more
}

// newCast makes keys of one kind. Those of another kind than SYMMETRIC_DEFAULT have no ciphertexts; those for imported
// material have it only where it is needed.
func newCast(t *testing.T, c, alien *kms.Client, kind kms.CreateKeyInput) cast {
	t.Helper()
	p := cast{grants: map[string]string{}}
	key := func(c *kms.Client, grantee string) string {
		id := *must(c.CreateKey(t.Context(), &kind))(t).KeyMetadata.KeyId
		if kind.Origin == types.OriginTypeExternal {
			return id // none can be granted before there is material
		}
		p.grants[id] = *must(c.CreateGrant(t.Context(), &kms.CreateGrantInput{
			KeyId: &id, GranteePrincipal: &grantee, Operations: []types.GrantOperation{types.GrantOperationDescribeKey},
		}))(t).GrantId
		return id
	}
	encrypt := func(c *kms.Client, id string) []byte {
		if kind.KeySpec != "" || kind.Origin != "" {
			return nil
		}
		return must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x"), EncryptionContext: map[string]string{"a": "b"}}))(t).CiphertextBlob
	}
	p.enabled, p.disabled, p.pending = key(c, root), key(c, root), key(c, root)
	p.foreign = key(alien, "arn:aws:iam::"+other+":root") // and to nobody here
	p.ciphertext, p.offCiphertext, p.pendingCiphertext = encrypt(c, p.enabled), encrypt(c, p.disabled), encrypt(c, p.pending)
	p.foreignCiphertext = encrypt(alien, p.foreign)
	if kind.Origin == types.OriginTypeExternal { // or it could not be disabled
		p.reimport = wrap(t, c, p.disabled, types.AlgorithmSpecRsaesOaepSha256, bytes.Repeat([]byte{1}, 32))
		must(c.ImportKeyMaterial(t.Context(), &p.reimport))(t)
	}
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &p.disabled}))(t)
	must(c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &p.pending}))(t)
	must(c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/taken"), TargetKeyId: &p.enabled}))(t)
	p.managed = *must(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/aws/ebs")}))(t).KeyMetadata.KeyId
	return p
}

const nobody = "11111111-2222-4333-8444-555555555555" // a key id that no key has

// calls are the operations on a key, each in the form in which it succeeds when the key lets it.
func calls(t *testing.T, c *kms.Client, p cast) map[string]func(id string) error {
	ctx := t.Context()
	ab := map[string]string{"a": "b"}
	policy := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}]}`)
	all := map[string]func(id string) error{
		"CancelKeyDeletion": func(id string) error {
			_, err := c.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &id})
			return err
		},
		"CreateAlias": func(id string) error {
			_, err := c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: &id})
			return err
		},
		"Decrypt": func(id string) error {
			_, err := c.Decrypt(ctx, &kms.DecryptInput{KeyId: &id, CiphertextBlob: p.ciphertext, EncryptionContext: ab})
			return err
		},
		"DescribeKey": func(id string) error {
			_, err := c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
			return err
		},
		"DisableKey": func(id string) error {
			_, err := c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &id})
			return err
		},
		"EnableKey": func(id string) error {
			_, err := c.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &id})
			return err
		},
		"Encrypt": func(id string) error {
			_, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x")})
			return err
		},
		"GenerateDataKey": func(id string) error {
			_, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256})
			return err
		},
		"GenerateDataKeyWithoutPlaintext": func(id string) error {
			_, err := c.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &id, KeySpec: types.DataKeySpecAes256})
			return err
		},
		"GetKeyPolicy": func(id string) error {
			_, err := c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &id})
			return err
		},
		"ListKeyPolicies": func(id string) error {
			_, err := c.ListKeyPolicies(ctx, &kms.ListKeyPoliciesInput{KeyId: &id})
			return err
		},
		"ListResourceTags": func(id string) error {
			_, err := c.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &id})
			return err
		},
		"PutKeyPolicy": func(id string) error {
			_, err := c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &id, Policy: policy})
			return err
		},
		"ReEncrypt": func(id string) error {
			_, err := c.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: p.ciphertext, SourceEncryptionContext: ab, DestinationKeyId: &id})
			return err
		},
		"ScheduleKeyDeletion": func(id string) error {
			_, err := c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &id})
			return err
		},
		"TagResource": func(id string) error {
			_, err := c.TagResource(ctx, &kms.TagResourceInput{KeyId: &id, Tags: []types.Tag{{TagKey: aws.String("k"), TagValue: aws.String("v")}}})
			return err
		},
		"UntagResource": func(id string) error {
			_, err := c.UntagResource(ctx, &kms.UntagResourceInput{KeyId: &id, TagKeys: []string{"k"}})
			return err
		},
		"UpdateAlias": func(id string) error {
			_, err := c.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: aws.String("alias/taken"), TargetKeyId: &id})
			return err
		},
		"UpdateKeyDescription": func(id string) error {
			_, err := c.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: &id, Description: aws.String("d")})
			return err
		},
	}
	maps.Copy(all, pairCalls(t, c))
	maps.Copy(all, lifeCalls(t, c, p))
	return all
}

// anyForm are the operations that take aliases (KMS Developer Guide, "Key identifiers").
var anyForm = map[string]bool{
	"Decapsulate": true, "Decrypt": true, "DeriveSharedSecret": true, "DescribeKey": true, "Encapsulate": true, "Encrypt": true,
	"GenerateDataKey": true, "GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true, "GenerateDataKeyWithoutPlaintext": true,
	"GenerateMac": true, "GetPublicKey": true, "ReEncrypt": true, "Sign": true, "Verify": true, "VerifyMac": true,
}

// action is what an operation is called in policies.
func action(operation string) string {
	if operation == "ReEncrypt" {
		return "kms:ReEncryptTo"
	}
	return "kms:" + operation
}

// invalidArnNotModeled are the operations whose model has no InvalidArnException (KMS API Reference, Errors of each).
var invalidArnNotModeled = map[string]bool{
	"CreateAlias": true, "Decapsulate": true, "Decrypt": true, "DeriveSharedSecret": true, "Encapsulate": true, "Encrypt": true,
	"GenerateDataKey": true, "GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true, "GenerateDataKeyWithoutPlaintext": true,
	"GenerateMac": true, "ReEncrypt": true, "Sign": true, "UpdateAlias": true, "Verify": true, "VerifyMac": true,
}

// member is what an operation calls the key that it is given.
func member(operation string) string {
	switch operation {
	case "CreateAlias", "UpdateAlias":
		return "targetKeyId"
	case "ReEncrypt":
		return "destinationKeyId"
	}
	return "keyId"
}

// TestWhatEveryKeyOperationRefuses holds every operation that names a key against every kind of key that it may be
// given: one that does not exist, or that the caller may not know of, or named in a wrong way.
func TestWhatEveryKeyOperationRefuses(t *testing.T) {
	s := harness.Start(t, "--dev", "--data-dir", t.TempDir())
	makePeople(t, s)
	alien := newClient(s, as(other, "test"))
	rec := newRecorder(http.DefaultTransport)
	c := newClient(s, through(rec))
	p := newCast(t, c, alien, kms.CreateKeyInput{})
	all := calls(t, c, p)
	foreignARN := strings.Replace(arn(p.foreign), account, other, 1)
	absentARN := strings.Replace(arn(nobody), account, other, 1)
	n := 0
	check := func(operation, id, code, text string) {
		t.Helper()
		n++
		t.Run(fmt.Sprintf("%s %.80s", operation, id), func(t *testing.T) { refused(t, all[operation](id), code, text) })
	}
	for operation := range all {
		check(operation, nobody, "NotFoundException", "Key '"+arn(nobody)+"' does not exist")
		check(operation, "nonsense", "NotFoundException", "Invalid keyId 'nonsense'")
		check(operation, strings.ToUpper(p.enabled), "NotFoundException", "Invalid keyId '"+strings.ToUpper(p.enabled)+"'")
		check(operation, p.foreign, "NotFoundException", "Key '"+arn(p.foreign)+"' does not exist")
		check(operation, strings.Replace(arn(p.enabled), region, "eu-west-3", 1), "NotFoundException", "Invalid arn eu-west-3")
		malformed := "InvalidArnException"
		if invalidArnNotModeled[operation] {
			malformed = "NotFoundException"
		}
		check(operation, "arn:aws:kms:us-east-1", malformed, "Invalid arn arn:aws:kms:us-east-1")
		// Another account's key looks the same, whether it is there or not.
		check(operation, foreignARN, "AccessDeniedException", denied(action(operation), foreignARN))
		check(operation, absentARN, "AccessDeniedException", denied(action(operation), absentARN))
		if anyForm[operation] {
			check(operation, "alias/none", "NotFoundException", "Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.")
		} else {
			check(operation, "alias/taken", "NotFoundException", "Invalid keyId 'alias/taken'")
		}
		check(operation, strings.Repeat("k", 2049), "ValidationException", fmt.Sprintf(
			"1 validation error detected: Value '%s...' at '%s' failed to satisfy constraint: Member must have length less than or equal to 2048",
			strings.Repeat("k", 1024), member(operation)))
	}
	if n < 43*10 {
		t.Errorf("only %d cases", n)
	}
}

// TestKeyStates holds every operation against a key in every state (KMS Developer Guide, "Key states of AWS KMS keys").
func TestKeyStates(t *testing.T) {
	s := harness.Start(t, "--dev")
	makePeople(t, s)
	c := newClient(s)
	alien := newClient(s, as(other, "test"))
	const ok, off, pending, notPending = "", "DisabledException", "pending", "not pending"
	rules := map[string]struct{ disabled, pending string }{
		"CancelKeyDeletion": {notPending, ok}, "CreateAlias": {ok, pending}, "Decrypt": {off, pending}, "DescribeKey": {ok, ok},
		"DisableKey": {ok, pending}, "EnableKey": {ok, pending}, "Encrypt": {off, pending}, "GenerateDataKey": {off, pending},
		"GenerateDataKeyWithoutPlaintext": {off, pending}, "GetKeyPolicy": {ok, ok}, "ListKeyPolicies": {ok, ok},
		"ListResourceTags": {ok, ok}, "PutKeyPolicy": {ok, ok}, "ReEncrypt": {off, pending}, "ScheduleKeyDeletion": {ok, pending},
		"TagResource": {ok, pending}, "UntagResource": {ok, pending}, "UpdateAlias": {ok, pending}, "UpdateKeyDescription": {ok, pending},

		"CreateGrant": {off, pending}, "Decapsulate": {off, pending}, "DeleteImportedKeyMaterial": {ok, ok}, "DeriveSharedSecret": {off, pending},
		"DisableKeyRotation": {off, pending}, "EnableKeyRotation": {off, pending}, "Encapsulate": {off, pending}, "GenerateDataKeyPair": {off, pending},
		"GenerateDataKeyPairWithoutPlaintext": {off, pending}, "GenerateMac": {off, pending}, "GetKeyLastUsage": {ok, ok},
		"GetKeyRotationStatus": {ok, ok}, "GetParametersForImport": {ok, pending}, "GetPublicKey": {ok, pending}, "ImportKeyMaterial": {ok, pending},
		"ListGrants": {ok, ok}, "ListKeyRotations": {ok, ok}, "ReplicateKey": {off, pending}, "RevokeGrant": {ok, ok},
		"RotateKeyOnDemand": {off, pending}, "Sign": {off, pending}, "UpdatePrimaryRegion": {off, pending}, "Verify": {off, pending}, "VerifyMac": {off, pending},
	}
	want := func(t *testing.T, err error, result, id string) {
		t.Helper()
		switch result {
		case ok:
			if err != nil {
				t.Error(err)
			}
		case off:
			refused(t, err, off, arn(id)+" is disabled.")
		default:
			refused(t, err, "KMSInvalidStateException", arn(id)+" is "+result+" deletion.")
		}
	}
	for operation, rule := range rules {
		t.Run(operation, func(t *testing.T) {
			// A key of its own in each state, since some of the calls change it.
			p := newCast(t, c, alien, kinds[operation])
			defer c.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: aws.String("alias/taken")})
			defer c.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: aws.String("alias/new")})
			p.ciphertext = p.offCiphertext
			if operation == "ReEncrypt" {
				p.ciphertext = must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &p.enabled, Plaintext: []byte("x"), EncryptionContext: map[string]string{"a": "b"}}))(t).CiphertextBlob
			}
			want(t, calls(t, c, p)[operation](p.disabled), rule.disabled, p.disabled)
			if operation == "Decrypt" {
				p.ciphertext = p.pendingCiphertext
			}
			want(t, calls(t, c, p)[operation](p.pending), rule.pending, p.pending)
		})
	}
	if len(rules) != len(calls(t, c, cast{})) {
		t.Errorf("%d rules", len(rules))
	}
}

// TestErrors are the refusals that belong to one operation each.
func TestErrors(t *testing.T) {
	s := harness.Start(t, "--dev", "--data-dir", t.TempDir())
	rec := newRecorder(http.DefaultTransport)
	c, alien := newClient(s, through(rec)), newClient(s, as(other, "test"))
	p := newCast(t, c, alien, kms.CreateKeyInput{})
	second := *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{}))(t).KeyMetadata.KeyId
	ctx := t.Context()
	ab := map[string]string{"a": "b"}
	const (
		incorrect = "The key ID in the request does not identify a CMK that can perform this operation."
		size      = "Please specify either number of bytes or key spec."
		malformed = "MalformedPolicyDocumentException"
	)
	flipped := bytes.Clone(p.ciphertext)
	flipped[len(flipped)-1] ^= 1
	newer := bytes.Clone(p.ciphertext)
	newer[0] = 99
	tags := func(kv ...string) []types.Tag {
		var all []types.Tag
		for i := 0; i < len(kv); i += 2 {
			all = append(all, types.Tag{TagKey: &kv[i], TagValue: &kv[i+1]})
		}
		return all
	}
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprint("k", i), "v")
	}
	createKey := func(in kms.CreateKeyInput) func() error {
		return func() error { _, err := c.CreateKey(ctx, &in); return err }
	}
	createAlias := func(name string) func() error {
		return func() error {
			_, err := c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &name, TargetKeyId: &p.enabled})
			return err
		}
	}
	encrypt := func(in kms.EncryptInput) func() error {
		return func() error { _, err := c.Encrypt(ctx, &in); return err }
	}
	decrypt := func(in kms.DecryptInput) func() error {
		return func() error { _, err := c.Decrypt(ctx, &in); return err }
	}
	reEncrypt := func(in kms.ReEncryptInput) func() error {
		return func() error { _, err := c.ReEncrypt(ctx, &in); return err }
	}
	dataKey := func(in kms.GenerateDataKeyInput) func() error {
		return func() error { _, err := c.GenerateDataKey(ctx, &in); return err }
	}
	putPolicy := func(text string) func() error {
		return func() error {
			_, err := c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &p.enabled, Policy: &text})
			return err
		}
	}
	list := func(marker string) func() error {
		return func() error { _, err := c.ListKeys(ctx, &kms.ListKeysInput{Marker: &marker}); return err }
	}
	tag := func(kv ...string) func() error {
		return func() error {
			_, err := c.TagResource(ctx, &kms.TagResourceInput{KeyId: &p.enabled, Tags: tags(kv...)})
			return err
		}
	}
	refuseAll(t, []refusal{
		{"CreateKey without the usage that its spec needs", "ValidationException",
			"You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
			createKey(kms.CreateKeyInput{KeySpec: types.KeySpecRsa4096})},
		{"CreateKey with a usage that does not fit", "ValidationException",
			"KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec SYMMETRIC_DEFAULT",
			createKey(kms.CreateKeyInput{KeyUsage: types.KeyUsageTypeGenerateVerifyMac})},
		{"CreateKey with two tags of one name", "TagException", "Duplicate tag keys", createKey(kms.CreateKeyInput{Tags: tags("a", "1", "a", "2")})},
		{"CreateKey with a reserved tag", "TagException", "Tags beginning with aws: are reserved", createKey(kms.CreateKeyInput{Tags: tags("aws:x", "1")})},
		{"CreateKey with 51 tags", "TagException", "Too many tags", createKey(kms.CreateKeyInput{Tags: tags(many...)})},
		{"CreateKey with a policy that locks out", malformed, "The new key policy will not allow you to update the key policy in the future.",
			createKey(kms.CreateKeyInput{Policy: aws.String(`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}]}`)})},
		{"CreateKey with several constraints broken", "ValidationException",
			"2 validation errors detected: Value '" + strings.Repeat("d", 1024) + "...' at 'description' failed to satisfy constraint: Member must have length less than or equal to 8192; " +
				"Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
			createKey(kms.CreateKeyInput{Description: aws.String(strings.Repeat("d", 8193)), Tags: tags("", "v")})},

		{"CreateAlias without the prefix", "ValidationException",
			`Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`, createAlias("app")},
		{"CreateAlias in AWS's own space", "NotAuthorizedException", "", createAlias("alias/aws/s3")},
		{"CreateAlias that is there", "AlreadyExistsException", "An alias with the name arn:aws:kms:us-east-1:000000000000:alias/taken already exists", createAlias("alias/taken")},
		{"CreateAlias with a space", "ValidationException",
			"1 validation error detected: Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$", createAlias("alias/a b")},
		{"CreateAlias with nothing but the prefix", "InvalidAliasNameException", ours, createAlias("alias/")},
		{"UpdateAlias that is not there", "NotFoundException", "Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.", func() error {
			_, err := c.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: aws.String("alias/none"), TargetKeyId: &p.enabled})
			return err
		}},
		{"DeleteAlias that is not there", "NotFoundException", "Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.", func() error {
			_, err := c.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/none")})
			return err
		}},
		{"DeleteAlias of a service", "NotAuthorizedException", "", func() error {
			_, err := c.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/aws/ebs")})
			return err
		}},

		{"Encrypt nothing", "ValidationException",
			"1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1",
			encrypt(kms.EncryptInput{KeyId: &p.enabled, Plaintext: []byte{}})},
		{"Encrypt too much", "ValidationException",
			"1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
			encrypt(kms.EncryptInput{KeyId: &p.enabled, Plaintext: make([]byte, 4097)})},
		{"Encrypt with an algorithm of other keys", "InvalidKeyUsageException",
			"Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.",
			encrypt(kms.EncryptInput{KeyId: &p.enabled, Plaintext: []byte("x"), EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha1})},
		{"Encrypt with a grant token that nobody gave", "InvalidGrantTokenException", ours,
			encrypt(kms.EncryptInput{KeyId: &p.enabled, Plaintext: []byte("x"), GrantTokens: []string{"t"}})},
		{"Encrypt with a service's key", "AccessDeniedException", denied("kms:Encrypt", arn(p.managed)),
			encrypt(kms.EncryptInput{KeyId: &p.managed, Plaintext: []byte("x")})},
		{"Encrypt with a service's key by its alias", "AccessDeniedException", denied("kms:Encrypt", arn(p.managed)),
			encrypt(kms.EncryptInput{KeyId: aws.String("alias/aws/ebs"), Plaintext: []byte("x")})},
		{"Encrypt for show with a service's key", "AccessDeniedException", denied("kms:Encrypt", arn(p.managed)),
			encrypt(kms.EncryptInput{KeyId: &p.managed, Plaintext: []byte("x"), DryRun: aws.Bool(true)})},
		{"Encrypt for show", "DryRunOperationException", dry, encrypt(kms.EncryptInput{KeyId: &p.enabled, Plaintext: []byte("x"), DryRun: aws.Bool(true)})},
		{"Encrypt for show with a key that is off", "DisabledException", arn(p.disabled) + " is disabled.",
			encrypt(kms.EncryptInput{KeyId: &p.disabled, Plaintext: []byte("x"), DryRun: aws.Bool(true)})},

		{"Decrypt with a bit wrong", "InvalidCiphertextException", "", decrypt(kms.DecryptInput{CiphertextBlob: flipped, EncryptionContext: ab})},
		{"Decrypt of another format", "InvalidCiphertextException", "", decrypt(kms.DecryptInput{CiphertextBlob: newer, EncryptionContext: ab})},
		{"Decrypt a piece", "InvalidCiphertextException", "", decrypt(kms.DecryptInput{CiphertextBlob: p.ciphertext[:40], EncryptionContext: ab})},
		{"Decrypt noise with a key", "InvalidCiphertextException", "", decrypt(kms.DecryptInput{KeyId: &p.enabled, CiphertextBlob: []byte("noise")})},
		{"Decrypt without its context", "InvalidCiphertextException", "", decrypt(kms.DecryptInput{CiphertextBlob: p.ciphertext})},
		{"Decrypt with its context in other letters", "InvalidCiphertextException", "",
			decrypt(kms.DecryptInput{CiphertextBlob: p.ciphertext, EncryptionContext: map[string]string{"A": "b"}})},
		{"Decrypt with another key", "IncorrectKeyException", incorrect, decrypt(kms.DecryptInput{KeyId: &second, CiphertextBlob: p.ciphertext, EncryptionContext: ab})},
		{"Decrypt with a service's key", "AccessDeniedException", denied("kms:Decrypt", arn(p.managed)),
			decrypt(kms.DecryptInput{KeyId: &p.managed, CiphertextBlob: p.ciphertext, EncryptionContext: ab})},
		{"Decrypt what another account encrypted", "AccessDeniedException", hidden, decrypt(kms.DecryptInput{CiphertextBlob: p.foreignCiphertext, EncryptionContext: ab})},
		{"Decrypt what another account encrypted, with a key", "IncorrectKeyException", incorrect,
			decrypt(kms.DecryptInput{KeyId: &p.enabled, CiphertextBlob: p.foreignCiphertext, EncryptionContext: ab})},
		{"Decrypt with a key that is off", "DisabledException", arn(p.disabled) + " is disabled.", decrypt(kms.DecryptInput{CiphertextBlob: p.offCiphertext, EncryptionContext: ab})},
		{"Decrypt with a key that waits", "KMSInvalidStateException", arn(p.pending) + " is pending deletion.", decrypt(kms.DecryptInput{CiphertextBlob: p.pendingCiphertext, EncryptionContext: ab})},
		{"Decrypt for show", "DryRunOperationException", dry, decrypt(kms.DecryptInput{CiphertextBlob: p.ciphertext, EncryptionContext: ab, DryRun: aws.Bool(true)})},
		{"Decrypt for show without a ciphertext", "DryRunOperationException", dry, decrypt(kms.DecryptInput{
			KeyId: &p.enabled, DryRun: aws.Bool(true), DryRunModifiers: []types.DryRunModifierType{types.DryRunModifierTypeIgnoreCiphertext}})},
		{"Decrypt too much", "ValidationException",
			"1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length less than or equal to 6144", decrypt(kms.DecryptInput{CiphertextBlob: make([]byte, 6145)})},

		{"ReEncrypt to a key that is off", "DisabledException", arn(p.disabled) + " is disabled.",
			reEncrypt(kms.ReEncryptInput{CiphertextBlob: p.ciphertext, SourceEncryptionContext: ab, DestinationKeyId: &p.disabled})},
		{"ReEncrypt from a key that waits", "KMSInvalidStateException", arn(p.pending) + " is pending deletion.",
			reEncrypt(kms.ReEncryptInput{CiphertextBlob: p.pendingCiphertext, SourceEncryptionContext: ab, DestinationKeyId: &p.enabled})},
		{"ReEncrypt from another key than said", "IncorrectKeyException", incorrect,
			reEncrypt(kms.ReEncryptInput{CiphertextBlob: p.ciphertext, SourceEncryptionContext: ab, SourceKeyId: &second, DestinationKeyId: &p.enabled})},
		{"ReEncrypt from a service's key", "AccessDeniedException", denied("kms:ReEncryptFrom", arn(p.managed)),
			reEncrypt(kms.ReEncryptInput{CiphertextBlob: p.ciphertext, SourceEncryptionContext: ab, SourceKeyId: &p.managed, DestinationKeyId: &p.enabled})},
		{"ReEncrypt to a service's key", "AccessDeniedException", denied("kms:ReEncryptTo", arn(p.managed)),
			reEncrypt(kms.ReEncryptInput{CiphertextBlob: p.ciphertext, SourceEncryptionContext: ab, DestinationKeyId: &p.managed})},
		{"ReEncrypt without the context", "InvalidCiphertextException", "", reEncrypt(kms.ReEncryptInput{CiphertextBlob: p.ciphertext, DestinationKeyId: &p.enabled})},
		{"ReEncrypt what another account encrypted", "AccessDeniedException", hidden,
			reEncrypt(kms.ReEncryptInput{CiphertextBlob: p.foreignCiphertext, SourceEncryptionContext: ab, DestinationKeyId: &p.enabled})},
		{"ReEncrypt for show", "DryRunOperationException", dry,
			reEncrypt(kms.ReEncryptInput{CiphertextBlob: p.ciphertext, SourceEncryptionContext: ab, DestinationKeyId: &p.enabled, DryRun: aws.Bool(true)})},

		{"GenerateDataKey of no size", "ValidationException", size, dataKey(kms.GenerateDataKeyInput{KeyId: &p.enabled})},
		{"GenerateDataKey of two sizes", "ValidationException", size,
			dataKey(kms.GenerateDataKeyInput{KeyId: &p.enabled, KeySpec: types.DataKeySpecAes256, NumberOfBytes: aws.Int32(32)})},
		{"GenerateDataKey of a wrong spec", "ValidationException",
			"1 validation error detected: Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]",
			dataKey(kms.GenerateDataKeyInput{KeyId: &p.enabled, KeySpec: "AES_512"})},
		{"GenerateDataKey under a service's key", "AccessDeniedException", denied("kms:GenerateDataKey", arn(p.managed)),
			dataKey(kms.GenerateDataKeyInput{KeyId: &p.managed, KeySpec: types.DataKeySpecAes256})},
		{"GenerateDataKey for show", "DryRunOperationException", dry,
			dataKey(kms.GenerateDataKeyInput{KeyId: &p.enabled, KeySpec: types.DataKeySpecAes256, DryRun: aws.Bool(true)})},
		{"GenerateDataKeyWithoutPlaintext for show", "DryRunOperationException", dry, func() error {
			_, err := c.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &p.enabled, NumberOfBytes: aws.Int32(1), DryRun: aws.Bool(true)})
			return err
		}},
		{"GenerateRandom of no size", "ValidationException", "NumberOfBytes is required.", func() error {
			_, err := c.GenerateRandom(ctx, &kms.GenerateRandomInput{})
			return err
		}},
		{"GenerateRandom from a store that is not there", "CustomKeyStoreNotFoundException", ours, func() error {
			_, err := c.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1), CustomKeyStoreId: aws.String("cks-1234567890abcdef0")})
			return err
		}},
		{"GenerateRandom of nothing", "ValidationException",
			"1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1", func() error {
				_, err := c.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(0)})
				return err
			}},

		{"PutKeyPolicy that locks out", malformed, "The new key policy will not allow you to update the key policy in the future.",
			putPolicy(`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"kms:Get*","Resource":"*"}]}`)},
		{"PutKeyPolicy for principals that cannot be", malformed, "Policy contains a statement with one or more invalid principals.",
			putPolicy(`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::12:root"},"Action":"kms:*","Resource":"*"}]}`)},
		{"PutKeyPolicy of 32769 bytes", "LimitExceededException", ours, putPolicy(strings.Repeat(" ", 32769))},
		{"GetKeyPolicy of another name", "NotFoundException", "No such policy exists", func() error {
			_, err := c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &p.enabled, PolicyName: aws.String("other")})
			return err
		}},
		{"PutKeyPolicy for a service's key", "AccessDeniedException", denied("kms:PutKeyPolicy", arn(p.managed)),
			func() error {
				_, err := c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &p.managed, Policy: aws.String("{}")})
				return err
			}},

		{"TagResource twice the same", "TagException", "Duplicate tag keys", tag("a", "1", "a", "1")},
		{"TagResource with a reserved name", "TagException", "Tags beginning with aws: are reserved", tag("AWS:a", "1")},
		{"ListKeys with somebody else's marker", "InvalidMarkerException", ours, list("bm9uc2Vuc2U")},
		{"ListKeys with too long a page", "ValidationException",
			"1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000", func() error {
				_, err := c.ListKeys(ctx, &kms.ListKeysInput{Limit: aws.Int32(1001)})
				return err
			}},
		{"ScheduleKeyDeletion too soon", "ValidationException", ours, func() error {
			_, err := c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &p.enabled, PendingWindowInDays: aws.Int32(6)})
			return err
		}},
		{"an operation that is not built", "UnsupportedOperationException", "CreateCustomKeyStore is not built in this version of Trent; docs/compatibility.md lists what is.", func() error {
			_, err := c.CreateCustomKeyStore(ctx, &kms.CreateCustomKeyStoreInput{CustomKeyStoreName: aws.String("store")})
			return err
		}},
	})
	if len(rec.failed) < 19 {
		t.Errorf("only %d error codes: %v", len(rec.failed), rec.failed)
	}
	// None of it has changed anything.
	if got := must(c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &p.enabled}))(t); !strings.Contains(*got.Policy, "key-default-1") {
		t.Errorf("policy %s", *got.Policy)
	}
	if got := must(c.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &p.enabled}))(t); len(got.Tags) != 0 {
		t.Errorf("tags %v", got.Tags)
	}
}
