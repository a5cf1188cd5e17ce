package sdk

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/test/internal/harness"
)

const elsewhere = "eu-west-1"

func arnIn(region, id string) string { return strings.Replace(arn(id), "us-east-1", region, 1) }

// settled waits until a key has left the state that ReplicateKey or UpdatePrimaryRegion put it in, as programs do.
func settled(t *testing.T, c *kms.Client, id string) *types.KeyMetadata {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for again := time.NewTicker(50 * time.Millisecond); ; {
		k := must(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id}))(t).KeyMetadata
		if k.KeyState != types.KeyStateCreating && k.KeyState != types.KeyStateUpdating {
			again.Stop()
			return k
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s is still %s", *k.Arn, k.KeyState)
		}
	}
}

// regions makes a multi-Region key here and elsewhere, uses it in both places, and makes the other one the primary.
func (s *story) regions(t *testing.T) {
	there := func() *kms.Client { return newClient(s.server, through(s.calls), inRegion(elsewhere)) }
	id := s.make(t, kms.CreateKeyInput{MultiRegion: aws.Bool(true), Description: aws.String("of us")})
	if len(id) != 36 || !strings.HasPrefix(id, "mrk-") {
		t.Errorf("id %s", id)
	}
	sealed := must(s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte("here")}))(t).CiphertextBlob
	tag := types.Tag{TagKey: aws.String("where"), TagValue: aws.String("there")}
	made := must(s.kms.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{
		KeyId: &id, ReplicaRegion: aws.String(elsewhere), Description: aws.String("of eu"), Tags: []types.Tag{tag},
	}))(t)
	if k := made.ReplicaKeyMetadata; k.KeyState != types.KeyStateCreating || k.Enabled || *k.Arn != arnIn(elsewhere, id) || k.CurrentKeyMaterialId != nil ||
		!strings.Contains(*made.ReplicaPolicy, "kms:*") || len(made.ReplicaTags) != 1 || *made.ReplicaTags[0].TagKey != "where" {
		t.Errorf("%+v", made)
	}
	k := settled(t, there(), id)
	want := &types.MultiRegionConfiguration{
		MultiRegionKeyType: types.MultiRegionKeyTypeReplica, PrimaryKey: &types.MultiRegionKey{Arn: aws.String(arn(id)), Region: aws.String(region)},
		ReplicaKeys: []types.MultiRegionKey{{Arn: aws.String(arnIn(elsewhere, id)), Region: aws.String(elsewhere)}},
	}
	if diff := cmp.Diff(want, k.MultiRegionConfiguration, noDocument); diff != "" {
		t.Error(diff)
	}
	primary := s.describe(t, id)
	if k.KeyState != types.KeyStateEnabled || *k.Description != "of eu" || *k.CurrentKeyMaterialId != *primary.CurrentKeyMaterialId {
		t.Errorf("%+v", k)
	}
	if want.MultiRegionKeyType = types.MultiRegionKeyTypePrimary; cmp.Diff(want, primary.MultiRegionConfiguration, noDocument) != "" {
		t.Error(cmp.Diff(want, primary.MultiRegionConfiguration, noDocument))
	}

	s.crash(t)
	if d := must(there().Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: sealed}))(t); !bytes.Equal(d.Plaintext, []byte("here")) || *d.KeyId != arnIn(elsewhere, id) {
		t.Errorf("%q with %s", d.Plaintext, *d.KeyId)
	}
	back := must(there().Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte("there")}))(t).CiphertextBlob
	if d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: back}))(t); !bytes.Equal(d.Plaintext, []byte("there")) || *d.KeyId != arn(id) {
		t.Errorf("%q with %s", d.Plaintext, *d.KeyId)
	}
	must(s.kms.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &id}))(t)
	now := *s.describe(t, id).CurrentKeyMaterialId
	if k := settled(t, there(), id); now == *primary.CurrentKeyMaterialId || *k.CurrentKeyMaterialId != now {
		t.Errorf("material %s there, %s here, %s before", *k.CurrentKeyMaterialId, now, *primary.CurrentKeyMaterialId)
	}

	must(s.kms.UpdatePrimaryRegion(t.Context(), &kms.UpdatePrimaryRegionInput{KeyId: &id, PrimaryRegion: aws.String(elsewhere)}))(t)
	s.crash(t)
	for region, want := range map[string]types.MultiRegionKeyType{region: types.MultiRegionKeyTypeReplica, elsewhere: types.MultiRegionKeyTypePrimary} {
		k := settled(t, newClient(s.server, inRegion(region)), id)
		if got := k.MultiRegionConfiguration; got.MultiRegionKeyType != want || *got.PrimaryKey.Region != elsewhere || k.KeyState != types.KeyStateEnabled {
			t.Errorf("%s: %+v", region, got)
		}
	}
	// A primary key outlives its replicas: its waiting period begins when they are gone.
	d := must(there().ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)}))(t)
	if d.KeyState != types.KeyStatePendingReplicaDeletion || d.DeletionDate != nil || *d.PendingWindowInDays != 7 {
		t.Errorf("%+v", d)
	}
	must(there().CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &id}))(t)
}

// TestWhatRegionsRefuse are the errors of ReplicateKey and UpdatePrimaryRegion, and of replicas.
func TestWhatRegionsRefuse(t *testing.T) {
	s := harness.Start(t, "--dev", "--region", region+","+elsewhere+",eu-west-2,ap-southeast-2")
	c, there := newClient(s), newClient(s, inRegion(elsewhere))
	single := *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{}))(t).KeyMetadata.KeyId
	many := *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)}))(t).KeyMetadata.KeyId
	off := *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)}))(t).KeyMetadata.KeyId
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &off}))(t)
	sealed := must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &single, Plaintext: []byte("x")}))(t).CiphertextBlob
	replicate := func(c *kms.Client, id, region string) func() error {
		return attempt(t, c.ReplicateKey, kms.ReplicateKeyInput{KeyId: &id, ReplicaRegion: &region})
	}
	move := func(c *kms.Client, id, region string) func() error {
		return attempt(t, c.UpdatePrimaryRegion, kms.UpdatePrimaryRegionInput{KeyId: &id, PrimaryRegion: &region})
	}
	if err := replicate(c, many, elsewhere)(); err != nil {
		t.Fatal(err)
	}
	settled(t, there, many)
	const primary = " is not a multi-region primary key."
	refuseAll(t, []refusal{
		{"ReplicateKey of a single-Region key", "UnsupportedOperationException", arn(single) + primary, replicate(c, single, elsewhere)},
		{"ReplicateKey of a replica", "UnsupportedOperationException", arnIn(elsewhere, many) + primary, replicate(there, many, "eu-west-2")},
		{"ReplicateKey to where one is", "AlreadyExistsException", ours, replicate(c, many, elsewhere)},
		{"ReplicateKey to where the primary is", "AlreadyExistsException", ours, replicate(c, many, region)},
		{"ReplicateKey to a Region that is not served", "ValidationException", ours, replicate(c, many, "sa-east-1")},
		{"ReplicateKey to no Region", "ValidationException", ours, replicate(c, many, "EU")},
		{"ReplicateKey of a key that is off", "DisabledException", arn(off) + " is disabled.", replicate(c, off, elsewhere)},
		{"ReplicateKey with a policy that locks out", "MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.",
			attempt(t, c.ReplicateKey, kms.ReplicateKeyInput{KeyId: &many, ReplicaRegion: aws.String("eu-west-2"), Policy: aws.String(
				`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}]}`)})},
		{"ReplicateKey with a reserved tag", "TagException", "Tags beginning with aws: are reserved", attempt(t, c.ReplicateKey, kms.ReplicateKeyInput{
			KeyId: &many, ReplicaRegion: aws.String("eu-west-2"), Tags: []types.Tag{{TagKey: aws.String("aws:a"), TagValue: aws.String("")}}})},
		{"UpdatePrimaryRegion of a single-Region key", "UnsupportedOperationException", arn(single) + primary, move(c, single, elsewhere)},
		{"UpdatePrimaryRegion of a replica", "UnsupportedOperationException", arnIn(elsewhere, many) + primary, move(there, many, region)},
		{"UpdatePrimaryRegion to where none is", "NotFoundException", "Key '" + arnIn("eu-west-2", many) + "' does not exist", move(c, many, "eu-west-2")},
		{"UpdatePrimaryRegion to where it is", "UnsupportedOperationException", ours, move(c, many, region)},
		{"UpdatePrimaryRegion of a key that is off", "DisabledException", arn(off) + " is disabled.", move(c, off, elsewhere)},
		{"RotateKeyOnDemand of a replica", "UnsupportedOperationException", arnIn(elsewhere, many) + primary,
			attempt(t, there.RotateKeyOnDemand, kms.RotateKeyOnDemandInput{KeyId: &many})},
		{"EnableKeyRotation of a replica", "UnsupportedOperationException", arnIn(elsewhere, many) + primary,
			attempt(t, there.EnableKeyRotation, kms.EnableKeyRotationInput{KeyId: &many})},
		{"DescribeKey of a single-Region key elsewhere", "NotFoundException", "Key '" + arnIn(elsewhere, single) + "' does not exist",
			attempt(t, there.DescribeKey, kms.DescribeKeyInput{KeyId: &single})},
		{"Decrypt of a single-Region key elsewhere", "AccessDeniedException", hidden, attempt(t, there.Decrypt, kms.DecryptInput{CiphertextBlob: sealed})},
	})
	// A replica that is off cannot become the primary.
	must(there.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &many}))(t)
	refused(t, move(c, many, elsewhere)(), "DisabledException", arnIn(elsewhere, many)+" is disabled.")
}
