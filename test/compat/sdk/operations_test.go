package sdk

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/test/internal/harness"
)

// story goes through every operation with one server, which is killed and started again in between: what a step made,
// the later ones find, whoever was killed meanwhile.
type story struct {
	whole  *testing.T // a server lives longer than the step that started it
	server *harness.Server
	calls  *recorder
	kms    *kms.Client

	key, second string // ids
	ciphertext  []byte
}

// crash kills the server and starts it again.
func (s *story) crash(t *testing.T) {
	t.Helper()
	if err := s.server.Kill(); err != nil {
		t.Fatal(err)
	}
	s.restart()
}

func (s *story) restart() {
	s.server = s.server.Restart(s.whole)
	s.connect()
}

// make creates a key and returns its id.
func (s *story) make(t *testing.T, in kms.CreateKeyInput) string {
	t.Helper()
	return *must(s.kms.CreateKey(t.Context(), &in))(t).KeyMetadata.KeyId
}

func TestEveryOperation(t *testing.T) {
	s := &story{whole: t, server: harness.Start(t, "--dev", "--data-dir", t.TempDir()), calls: newRecorder(http.DefaultTransport)}
	s.connect()
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"keys are made and described", s.keys},
		{"keys are enabled and disabled", s.states},
		{"aliases name keys", s.aliases},
		{"tags", s.tags},
		{"policies", s.policies},
		{"encrypt, decrypt, move", s.encryption},
		{"data keys and random bytes", s.dataKeys},
		{"keys of services", s.managed},
		{"deletion waits and can be cancelled", s.deletion},
		{"pages", s.pages},
		{"keys sign", s.signing},
		{"RSA keys encrypt", s.rsaEncryption},
		{"message authentication codes", s.macs},
		{"key agreement", s.agreement},
		{"key encapsulation", s.encapsulation},
		{"pairs of data keys", s.dataKeyPairs},
		{"grants", s.grants},
		{"material is imported", s.imports},
		{"multi-Region keys", s.regions},
		{"last usage", s.lastUsage},
		{"rotation", s.rotation},
	} {
		if !t.Run(step.name, step.run) {
			t.FailNow()
		}
		s.crash(t)
	}
	for _, name := range harness.Built() {
		if s.calls.succeeded[name] == 0 {
			t.Errorf("%s was never answered with success", name)
		}
	}
	if n := len(s.calls.succeeded); n < 50 {
		t.Errorf("only %d operations were called", n)
	}
}

func (s *story) connect() { s.kms = newClient(s.server, through(s.calls)) }

func arn(id string) string { return "arn:aws:kms:" + region + ":" + account + ":key/" + id }

func (s *story) describe(t *testing.T, id string) *types.KeyMetadata {
	t.Helper()
	return must(s.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id}))(t).KeyMetadata
}

func (s *story) keys(t *testing.T) {
	made := must(s.kms.CreateKey(t.Context(), &kms.CreateKeyInput{
		Description: aws.String("first"), Tags: []types.Tag{{TagKey: aws.String("made"), TagValue: aws.String("here")}},
	}))(t).KeyMetadata
	s.key = *made.KeyId
	if since := time.Since(*made.CreationDate); since < 0 || since > time.Minute {
		t.Errorf("created %s ago", since)
	}
	want := &types.KeyMetadata{
		AWSAccountId: aws.String(account), KeyId: made.KeyId, Arn: aws.String(arn(s.key)), CreationDate: made.CreationDate,
		Enabled: true, Description: aws.String("first"), KeyUsage: types.KeyUsageTypeEncryptDecrypt,
		KeyState: types.KeyStateEnabled, Origin: types.OriginTypeAwsKms, KeyManager: types.KeyManagerTypeCustomer,
		KeySpec:              types.KeySpecSymmetricDefault,
		EncryptionAlgorithms: []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecSymmetricDefault},
		MultiRegion:          aws.Bool(false), CurrentKeyMaterialId: made.CurrentKeyMaterialId,
	}
	//lint:ignore SA1019 old programs read it, so it has to be there
	want.CustomerMasterKeySpec = types.CustomerMasterKeySpecSymmetricDefault
	if diff := cmp.Diff(want, made, noDocument); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(made, s.describe(t, arn(s.key)), noDocument); diff != "" {
		t.Errorf("DescribeKey says otherwise than CreateKey: %s", diff)
	}
	if len(aws.ToString(made.CurrentKeyMaterialId)) != 64 {
		t.Errorf("key material id %q", aws.ToString(made.CurrentKeyMaterialId))
	}
	must(s.kms.UpdateKeyDescription(t.Context(), &kms.UpdateKeyDescriptionInput{KeyId: &s.key, Description: aws.String("")}))(t)
	if d := s.describe(t, s.key).Description; aws.ToString(d) != "" {
		t.Errorf("description %q", *d)
	}
	s.second = *must(s.kms.CreateKey(t.Context(), &kms.CreateKeyInput{}))(t).KeyMetadata.KeyId
}

// noDocument compares SDK structures by what they say.
var noDocument = cmp.FilterPath(func(p cmp.Path) bool { return strings.HasPrefix(p.Last().String(), ".noSmithy") }, cmp.Ignore())

func (s *story) states(t *testing.T) {
	must(s.kms.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &s.key}))(t)
	if k := s.describe(t, s.key); k.Enabled || k.KeyState != types.KeyStateDisabled {
		t.Errorf("state %s, enabled %t", k.KeyState, k.Enabled)
	}
	must(s.kms.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &s.key}))(t)
	if k := s.describe(t, s.key); !k.Enabled || k.KeyState != types.KeyStateEnabled {
		t.Errorf("state %s, enabled %t", k.KeyState, k.Enabled)
	}
}

func (s *story) aliases(t *testing.T) {
	name := aws.String("alias/sdk")
	must(s.kms.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: name, TargetKeyId: &s.second}))(t)
	must(s.kms.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: name, TargetKeyId: aws.String(arn(s.key))}))(t)
	for _, id := range []string{*name, "arn:aws:kms:" + region + ":" + account + ":alias/sdk"} {
		if k := s.describe(t, id); *k.KeyId != s.key {
			t.Errorf("%s is key %s", id, *k.KeyId)
		}
	}
	must(s.kms.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/gone"), TargetKeyId: &s.key}))(t)
	must(s.kms.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: aws.String("alias/gone")}))(t)
	all := must(s.kms.ListAliases(t.Context(), &kms.ListAliasesInput{}))(t)
	of := must(s.kms.ListAliases(t.Context(), &kms.ListAliasesInput{KeyId: &s.key}))(t)
	for _, list := range []*kms.ListAliasesOutput{all, of} {
		if len(list.Aliases) != 1 || list.Truncated || list.NextMarker != nil {
			t.Fatalf("aliases %+v", list)
		}
		a := list.Aliases[0]
		if *a.AliasName != *name || *a.AliasArn != "arn:aws:kms:us-east-1:000000000000:alias/sdk" || *a.TargetKeyId != s.key ||
			a.LastUpdatedDate.Before(*a.CreationDate) {
			t.Errorf("alias %+v", a)
		}
	}
}

func (s *story) tags(t *testing.T) {
	tag := func(k, v string) types.Tag { return types.Tag{TagKey: aws.String(k), TagValue: aws.String(v)} }
	must(s.kms.TagResource(t.Context(), &kms.TagResourceInput{KeyId: &s.key, Tags: []types.Tag{tag("a", "1"), tag("ü b", ""), tag("made", "there")}}))(t)
	must(s.kms.UntagResource(t.Context(), &kms.UntagResourceInput{KeyId: &s.key, TagKeys: []string{"a", "never"}}))(t)
	got := must(s.kms.ListResourceTags(t.Context(), &kms.ListResourceTagsInput{KeyId: &s.key}))(t)
	if diff := cmp.Diff([]types.Tag{tag("made", "there"), tag("ü b", "")}, got.Tags, noDocument); diff != "" {
		t.Error(diff)
	}
}

func (s *story) policies(t *testing.T) {
	first := must(s.kms.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: &s.key}))(t)
	if !strings.Contains(*first.Policy, `"arn:aws:iam::000000000000:root"`) || *first.PolicyName != "default" {
		t.Errorf("policy %q: %s", *first.PolicyName, *first.Policy)
	}
	// Kept as it was sent, to the byte.
	text := "{ \"Version\":\"2012-10-17\",\n\t\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":[\"kms:*\"],\"Resource\":\"*\"}]}  "
	must(s.kms.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &s.key, Policy: &text}))(t)
	if got := must(s.kms.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: &s.key, PolicyName: aws.String("default")}))(t); *got.Policy != text {
		t.Errorf("got %q, want %q", *got.Policy, text)
	}
	names := must(s.kms.ListKeyPolicies(t.Context(), &kms.ListKeyPoliciesInput{KeyId: &s.key}))(t)
	if diff := cmp.Diff([]string{"default"}, names.PolicyNames); diff != "" || names.Truncated {
		t.Error(diff, names.Truncated)
	}
}

func (s *story) encryption(t *testing.T) {
	context := map[string]string{"tenant": "blue", "": "empty", "naïve ☂": "\x00\n\"", "order": "none"}
	largest := bytes.Repeat([]byte{0, 255}, 2048)
	e := must(s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/sdk"), Plaintext: largest, EncryptionContext: context}))(t)
	if *e.KeyId != arn(s.key) || e.EncryptionAlgorithm != types.EncryptionAlgorithmSpecSymmetricDefault || len(e.CiphertextBlob) > 6144 {
		t.Errorf("key %s, algorithm %s, %d bytes", *e.KeyId, e.EncryptionAlgorithm, len(e.CiphertextBlob))
	}
	d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: e.CiphertextBlob, EncryptionContext: context}))(t)
	if !bytes.Equal(d.Plaintext, largest) || *d.KeyId != arn(s.key) || *d.KeyMaterialId != *s.describe(t, s.key).CurrentKeyMaterialId {
		t.Errorf("key %s, material %s, %d bytes", *d.KeyId, *d.KeyMaterialId, len(d.Plaintext))
	}
	moved := must(s.kms.ReEncrypt(t.Context(), &kms.ReEncryptInput{
		CiphertextBlob: e.CiphertextBlob, SourceEncryptionContext: context, SourceKeyId: &s.key, DestinationKeyId: &s.second,
	}))(t)
	if *moved.SourceKeyId != arn(s.key) || *moved.KeyId != arn(s.second) || *moved.SourceKeyMaterialId == *moved.DestinationKeyMaterialId {
		t.Errorf("from %s to %s", *moved.SourceKeyId, *moved.KeyId)
	}
	d = must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: moved.CiphertextBlob}))(t)
	if !bytes.Equal(d.Plaintext, largest) || *d.KeyId != arn(s.second) {
		t.Errorf("key %s, %d bytes", *d.KeyId, len(d.Plaintext))
	}
	again := must(s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &s.key, Plaintext: largest, EncryptionContext: context}))(t)
	if bytes.Equal(again.CiphertextBlob, e.CiphertextBlob) {
		t.Error("the same ciphertext twice")
	}
	s.ciphertext = e.CiphertextBlob
}

func (s *story) dataKeys(t *testing.T) {
	context := map[string]string{"file": "1"}
	for _, in := range []*kms.GenerateDataKeyInput{
		{KeySpec: types.DataKeySpecAes128}, {KeySpec: types.DataKeySpecAes256}, {NumberOfBytes: aws.Int32(1)}, {NumberOfBytes: aws.Int32(1024)},
	} {
		want := map[types.DataKeySpec]int{types.DataKeySpecAes128: 16, types.DataKeySpecAes256: 32, "": int(aws.ToInt32(in.NumberOfBytes))}[in.KeySpec]
		in.KeyId, in.EncryptionContext = &s.key, context
		k := must(s.kms.GenerateDataKey(t.Context(), in))(t)
		if len(k.Plaintext) != want || *k.KeyId != arn(s.key) || k.KeyMaterialId == nil {
			t.Errorf("%d bytes, want %d; key %s", len(k.Plaintext), want, *k.KeyId)
		}
		if d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: k.CiphertextBlob, EncryptionContext: context}))(t); !bytes.Equal(d.Plaintext, k.Plaintext) {
			t.Error("the encrypted data key is another one")
		}
	}
	w := must(s.kms.GenerateDataKeyWithoutPlaintext(t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &s.key, KeySpec: types.DataKeySpecAes256}))(t)
	if d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: w.CiphertextBlob}))(t); len(d.Plaintext) != 32 {
		t.Errorf("%d bytes", len(d.Plaintext))
	}
	a := must(s.kms.GenerateRandom(t.Context(), &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1024)}))(t)
	b := must(s.kms.GenerateRandom(t.Context(), &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1024)}))(t)
	if len(a.Plaintext) != 1024 || bytes.Equal(a.Plaintext, b.Plaintext) {
		t.Errorf("%d random bytes, or the same twice", len(a.Plaintext))
	}
}

func (s *story) managed(t *testing.T) {
	k := s.describe(t, "alias/aws/secretsmanager")
	if k.KeyManager != types.KeyManagerTypeAws || s.describe(t, "alias/aws/secretsmanager").KeyId == nil || *s.describe(t, "alias/aws/secretsmanager").KeyId != *k.KeyId {
		t.Errorf("key %+v", k)
	}
	// It is there for the service alone.
	_, err := s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/aws/secretsmanager"), Plaintext: []byte("x")})
	refused(t, err, "AccessDeniedException", denied("kms:Encrypt", *k.Arn))
}

func (s *story) deletion(t *testing.T) {
	d := must(s.kms.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &s.second, PendingWindowInDays: aws.Int32(7)}))(t)
	in := time.Until(*d.DeletionDate)
	if *d.KeyId != arn(s.second) || d.KeyState != types.KeyStatePendingDeletion || *d.PendingWindowInDays != 7 ||
		in > 7*24*time.Hour || in < 7*24*time.Hour-time.Minute {
		t.Errorf("%+v, in %s", d, in)
	}
	if k := s.describe(t, s.second); !k.DeletionDate.Equal(*d.DeletionDate) || k.KeyState != types.KeyStatePendingDeletion {
		t.Errorf("%+v", k)
	}
	if c := must(s.kms.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &s.second}))(t); *c.KeyId != arn(s.second) {
		t.Errorf("cancelled %s", *c.KeyId)
	}
	if k := s.describe(t, s.second); k.KeyState != types.KeyStateDisabled || k.DeletionDate != nil {
		t.Errorf("%+v", k)
	}
	// What was made at the beginning still opens, several kills later.
	context := map[string]string{"tenant": "blue", "": "empty", "naïve ☂": "\x00\n\"", "order": "none"}
	must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: s.ciphertext, EncryptionContext: context}))(t)
}

func (s *story) pages(t *testing.T) {
	want := []string{s.key, s.second, *s.describe(t, "alias/aws/secretsmanager").KeyId}
	for range 9 {
		want = append(want, *must(s.kms.CreateKey(t.Context(), &kms.CreateKeyInput{}))(t).KeyMetadata.KeyId)
	}
	var got []string
	pages := 0
	for p := kms.NewListKeysPaginator(s.kms, &kms.ListKeysInput{Limit: aws.Int32(5)}); p.HasMorePages(); pages++ {
		for _, k := range must(p.NextPage(t.Context()))(t).Keys {
			got = append(got, *k.KeyId)
			if *k.KeyArn != arn(*k.KeyId) {
				t.Errorf("%s is %s", *k.KeyId, *k.KeyArn)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages: %s", pages, diff)
	}

	tags := make([]types.Tag, 0, 48)
	for i := range cap(tags) {
		tags = append(tags, types.Tag{TagKey: aws.String(fmt.Sprintf("page%d", i)), TagValue: aws.String("x")})
	}
	must(s.kms.TagResource(t.Context(), &kms.TagResourceInput{KeyId: &s.key, Tags: tags}))(t)
	n := 0
	for p := kms.NewListResourceTagsPaginator(s.kms, &kms.ListResourceTagsInput{KeyId: &s.key, Limit: aws.Int32(20)}); p.HasMorePages(); {
		n += len(must(p.NextPage(t.Context()))(t).Tags)
	}
	if n != 50 {
		t.Errorf("%d tags", n)
	}
	for _, name := range []string{"alias/p1", "alias/p2", "alias/p3"} {
		must(s.kms.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String(name), TargetKeyId: &s.key}))(t)
	}
	for _, in := range []*kms.ListAliasesInput{{Limit: aws.Int32(1)}, {Limit: aws.Int32(1), KeyId: &s.key}} {
		var names []string
		for p := kms.NewListAliasesPaginator(s.kms, in); p.HasMorePages(); {
			for _, a := range must(p.NextPage(t.Context()))(t).Aliases {
				names = append(names, *a.AliasName)
			}
		}
		want := []string{"alias/aws/secretsmanager", "alias/p1", "alias/p2", "alias/p3", "alias/sdk"}
		if in.KeyId != nil {
			want = want[1:]
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Error(diff)
		}
	}
	p := kms.NewListKeyPoliciesPaginator(s.kms, &kms.ListKeyPoliciesInput{KeyId: &s.key})
	if must(p.NextPage(t.Context()))(t); p.HasMorePages() {
		t.Error("a second page of policies")
	}
}
