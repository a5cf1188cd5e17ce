package sdk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

// exampleStage is what an example's calls find: a key with the policy, another with the default one, and ciphertexts.
type exampleStage struct {
	exampleCast
	key, other  *string           // ARNs
	ciphertexts map[string][]byte // of key, by the call that is going to decrypt it
	imports     kms.ImportKeyMaterialInput
}

// prepare sets the stage. What the calls need of the key is made before it has the example's policy.
func (c exampleCast) prepare(t *testing.T, e example) exampleStage {
	t.Helper()
	ctx, kind := t.Context(), kms.CreateKeyInput{Tags: []types.Tag{{TagKey: aws.String("Purpose"), TagValue: aws.String("Test")}}}
	if len(e.kind) >= 2 {
		kind.KeySpec, kind.KeyUsage = types.KeySpec(e.kind[0]), types.KeyUsageType(e.kind[1])
	}
	special := strings.Join(e.kind[min(2, len(e.kind)):], " ")
	kind.MultiRegion = aws.Bool(special == "multi-region")
	if special == "external" {
		kind.Origin = types.OriginTypeExternal
	}
	s := exampleStage{exampleCast: c, ciphertexts: map[string][]byte{}}
	s.key = must(c.root.kms.CreateKey(ctx, &kind))(t).KeyMetadata.Arn
	s.other = must(c.root.kms.CreateKey(ctx, &kms.CreateKeyInput{}))(t).KeyMetadata.Arn
	must(c.root.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/ExampleAlias"), TargetKeyId: s.key}))(t)
	for _, call := range e.calls {
		if call.operation == "Decrypt" || call.operation == "ReEncrypt" {
			s.ciphertexts[call.line] = must(c.root.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: s.key, Plaintext: []byte("x"), EncryptionContext: call.encryptionContext()}))(t).CiphertextBlob
		}
	}
	if special == "external" {
		s.imports = wrap(t, c.root.kms, *s.key, types.AlgorithmSpecRsaesOaepSha256, bytes.Repeat([]byte{1}, 32))
	}
	if e.user != "" {
		document := wrapped(statements(strings.ReplaceAll(e.user, "@KEY@", *s.key)))
		must(c.root.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("ExampleUser"), PolicyName: aws.String("example"), PolicyDocument: &document}))(t)
	}
	if e.key != "" {
		s.putPolicy(t, e)
	}
	return s
}

// defaultStatement is the one of the default key policy.
const defaultStatement = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + exampleAccount + `:root"},"Action":"kms:*","Resource":"*"}`

func (s exampleStage) putPolicy(t *testing.T, e example) {
	t.Helper()
	_, err := s.root.kms.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: s.key, Policy: aws.String(wrapped(defaultStatement, statements(e.key)))})
	switch refusal, ok := errors.AsType[*types.MalformedPolicyDocumentException](err); {
	case e.refused == "" && err != nil:
		t.Fatal(err)
	case e.refused != "" && (!ok || !strings.HasPrefix(refusal.ErrorMessage(), e.refused)):
		t.Errorf("got %v, want %s", err, e.refused)
	}
}

// statements takes the brackets from a list of statements.
func statements(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "["), "]")
}

// clear takes away what the next example must not find.
func (c exampleCast) clear(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	must(c.root.kms.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/ExampleAlias")}))(t)
	_, err := c.root.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: aws.String("ExampleUser"), PolicyName: aws.String("example")})
	if err != nil && code(err) != "NoSuchEntity" {
		t.Error(err)
	}
}

// check makes a call and compares.
func (s exampleStage) check(t *testing.T, c exampleCall) {
	t.Helper()
	by, ok := s.people[c.who]
	if !ok {
		t.Fatalf("%s: who is %s?", c.line, c.who)
	}
	err := s.make(t, by, c)
	if c.allowed {
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		return
	}
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != "AccessDeniedException" {
		t.Errorf("%s: got %v", c.line, err)
	} else if says := strings.ReplaceAll(c.says, "@KEY@", *s.key); !strings.Contains(e.ErrorMessage(), says) {
		t.Errorf("%s: got %s", c.line, e.ErrorMessage())
	}
}

// parametersOfOperations are those that are no pair of an encryption context.
var parametersOfOperations = []string{"alias", "algorithm", "spec", "to"}

func (c exampleCall) encryptionContext() map[string]string {
	context := map[string]string{}
	for name, value := range c.parameters {
		context[name] = value
	}
	for _, name := range parametersOfOperations {
		delete(context, name)
	}
	return context
}

// prefixed are the parameters whose names begin so, without that.
func (c exampleCall) prefixed(prefix string) map[string]string {
	some := map[string]string{}
	for name, value := range c.parameters {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			some[rest] = value
		}
	}
	return some
}

func (c exampleCall) number(t *testing.T, name string) *int32 {
	t.Helper()
	if c.parameters[name] == "" {
		return nil
	}
	return aws.Int32(int32(must(strconv.Atoi(c.parameters[name]))(t)))
}

func (c exampleCall) tags() []types.Tag {
	var all []types.Tag
	for name, value := range c.prefixed("tag:") {
		all = append(all, types.Tag{TagKey: &name, TagValue: &value})
	}
	return all
}

func (c exampleCall) principal(name string) *string {
	if c.parameters[name] == "" {
		return nil
	}
	return aws.String("arn:aws:iam::" + exampleAccount + ":" + c.parameters[name])
}

// make makes a call.
func (s exampleStage) make(t *testing.T, by person, c exampleCall) error {
	t.Helper()
	ctx, p, key := t.Context(), c.parameters, s.key
	if p["alias"] != "" {
		key = aws.String(p["alias"])
	}
	var err error
	switch c.operation {
	case "DescribeKey":
		_, err = by.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: key})
	case "Encrypt":
		_, err = by.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: key, Plaintext: []byte("x"), EncryptionContext: c.encryptionContext(), EncryptionAlgorithm: types.EncryptionAlgorithmSpec(p["algorithm"])})
	case "Decrypt":
		_, err = by.kms.Decrypt(ctx, &kms.DecryptInput{KeyId: key, CiphertextBlob: s.ciphertexts[c.line], EncryptionContext: c.encryptionContext()})
	case "ReEncrypt":
		to := s.key
		if p["to"] == "other" {
			to = s.other
		}
		_, err = by.kms.ReEncrypt(ctx, &kms.ReEncryptInput{SourceKeyId: key, CiphertextBlob: s.ciphertexts[c.line], DestinationKeyId: to})
	case "GenerateDataKey":
		_, err = by.kms.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: key, KeySpec: types.DataKeySpecAes256, EncryptionContext: c.encryptionContext()})
	case "GenerateDataKeyPair":
		_, err = by.kms.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{KeyId: key, KeyPairSpec: types.DataKeyPairSpec(p["spec"])})
	case "GenerateMac":
		_, err = by.kms.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: key, Message: []byte("x"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
	case "GetPublicKey":
		_, err = by.kms.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: key})
	case "Sign":
		_, err = by.kms.Sign(ctx, &kms.SignInput{KeyId: key, Message: make([]byte, 32), SigningAlgorithm: types.SigningAlgorithmSpec(p["algorithm"]), MessageType: types.MessageType(p["type"])})
	default:
		err = s.administer(ctx, t, by, c)
	}
	return err
}

// administer makes the calls that look after keys.
func (s exampleStage) administer(ctx context.Context, t *testing.T, by person, c exampleCall) error {
	t.Helper()
	p, key := c.parameters, s.key
	bypass := p["bypass"] == "true"
	var err error
	switch c.operation {
	case "CreateKey":
		_, err = by.kms.CreateKey(ctx, &kms.CreateKeyInput{
			KeySpec: types.KeySpec(p["spec"]), KeyUsage: types.KeyUsageType(p["usage"]), Origin: types.OriginType(p["origin"]),
			MultiRegion: aws.Bool(p["multi-region"] == "true"), Tags: c.tags(), BypassPolicyLockoutSafetyCheck: bypass,
		})
	case "PutKeyPolicy":
		policy := must(s.root.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: key}))(t).Policy
		_, err = by.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: key, Policy: policy, BypassPolicyLockoutSafetyCheck: bypass})
	case "GetKeyPolicy":
		_, err = by.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: key})
	case "ListKeys":
		_, err = by.kms.ListKeys(ctx, &kms.ListKeysInput{})
	case "ListAliases":
		_, err = by.kms.ListAliases(ctx, &kms.ListAliasesInput{})
	case "DisableKey":
		_, err = by.kms.DisableKey(ctx, &kms.DisableKeyInput{KeyId: key})
	case "EnableKeyRotation":
		_, err = by.kms.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: key, RotationPeriodInDays: c.number(t, "days")})
	case "ScheduleKeyDeletion":
		_, err = by.kms.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: c.number(t, "days")})
	case "CreateAlias":
		_, err = by.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String(p["name"]), TargetKeyId: key})
	case "DeleteAlias":
		_, err = by.kms.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String(p["name"])})
	case "TagResource":
		_, err = by.kms.TagResource(ctx, &kms.TagResourceInput{KeyId: key, Tags: c.tags()})
	case "UntagResource":
		_, err = by.kms.UntagResource(ctx, &kms.UntagResourceInput{KeyId: key, TagKeys: []string{p["key"]}})
	case "ReplicateKey":
		_, err = by.kms.ReplicateKey(ctx, &kms.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(p["region"])})
	case "UpdatePrimaryRegion":
		_, err = by.kms.UpdatePrimaryRegion(ctx, &kms.UpdatePrimaryRegionInput{KeyId: key, PrimaryRegion: aws.String(p["region"])})
	case "GetParametersForImport":
		_, err = by.kms.GetParametersForImport(ctx, &kms.GetParametersForImportInput{KeyId: key, WrappingAlgorithm: types.AlgorithmSpec(p["algorithm"]), WrappingKeySpec: types.WrappingKeySpec(p["spec"])})
	case "ImportKeyMaterial":
		in := s.imports
		if hours := c.number(t, "hours"); hours != nil {
			in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, aws.Time(time.Now().Add(time.Duration(*hours)*time.Hour))
		}
		_, err = by.kms.ImportKeyMaterial(ctx, &in)
	case "ListGrants":
		_, err = by.kms.ListGrants(ctx, &kms.ListGrantsInput{KeyId: key})
	case "CreateGrant":
		_, err = by.kms.CreateGrant(ctx, c.grant(key))
	default:
		t.Fatalf("%s: what is %s?", c.line, c.operation)
	}
	return err
}

// grant is the request for one. Without another grantee it is to OtherUser.
func (c exampleCall) grant(key *string) *kms.CreateGrantInput {
	in := &kms.CreateGrantInput{
		KeyId: key, GranteePrincipal: cmp.Or(c.principal("grantee"), aws.String("arn:aws:iam::"+exampleAccount+":user/OtherUser")), RetiringPrincipal: c.principal("retiring"),
	}
	for o := range strings.SplitSeq(c.parameters["operations"], ",") {
		in.Operations = append(in.Operations, types.GrantOperation(o))
	}
	equals, subset := c.prefixed("equals:"), c.prefixed("subset:")
	switch {
	case len(equals) > 0:
		in.Constraints = &types.GrantConstraints{EncryptionContextEquals: equals}
	case len(subset) > 0:
		in.Constraints = &types.GrantConstraints{EncryptionContextSubset: subset}
	}
	return in
}
