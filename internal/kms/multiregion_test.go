package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

const farther = "ap-southeast-2"

// createPrimary makes a multi-Region primary key.
func (u user) createPrimary() string {
	u.t.Helper()
	return *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{MultiRegion: new(true)}).KeyMetadata.KeyId
}

// replicate makes a replica and waits until it can be used.
func (u user) replicate(key, region string) *kmsapi.ReplicateKeyResponse {
	u.t.Helper()
	out := do[kmsapi.ReplicateKeyResponse](u, &kmsapi.ReplicateKeyRequest{KeyId: &key, ReplicaRegion: &region})
	u.advance("1m")
	return out
}

func TestMultiRegionKey(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createPrimary()
	if !strings.HasPrefix(id, "mrk-") || len(id) != 36 {
		t.Errorf("key id %s", id)
	}
	m := u.describe(id)
	c := m.MultiRegionConfiguration
	if !*m.MultiRegion || *c.MultiRegionKeyType != "PRIMARY" || *c.PrimaryKey.Arn != u.keyARN(id) || *c.PrimaryKey.Region != region || len(c.ReplicaKeys) != 0 || c.ReplicaKeys == nil {
		t.Errorf("got %+v", c)
	}
	if single := u.describe(u.createKey()); *single.MultiRegion || single.MultiRegionConfiguration != nil {
		t.Errorf("a single-Region key has %+v", single.MultiRegionConfiguration)
	}
}

// What a new replica shares with its primary, and what is its own (KMS Developer Guide, "Multi-Region keys").
func TestReplica(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id := u.createPrimary()
	u.must(&kmsapi.UpdateKeyDescriptionRequest{KeyId: &id, Description: new("primary")})
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: []kmsapi.Tag{{TagKey: new("k"), TagValue: new("v")}}})
	u.must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: new(allow(u.principal(), "kms:*"))})
	u.createAlias("alias/primary", id)
	u.enableRotation(id, 90)
	u.advance("1h")

	out := do[kmsapi.ReplicateKeyResponse](u, &kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(abroad)})
	m := out.ReplicaKeyMetadata
	if *m.KeyState != "Creating" || *m.Enabled || m.CurrentKeyMaterialId != nil || *m.Arn != v.keyARN(id) || *m.Description != "" || *m.MultiRegionConfiguration.MultiRegionKeyType != "REPLICA" {
		t.Errorf("ReplicateKey answers %+v", m)
	}
	if !strings.Contains(*out.ReplicaPolicy, "Enable IAM User Permissions") || out.ReplicaTags == nil || len(out.ReplicaTags) != 0 {
		t.Errorf("policy %s, tags %v", *out.ReplicaPolicy, out.ReplicaTags)
	}
	if state := v.keyState(id); state != "Creating" {
		t.Errorf("the replica is %s at once", state)
	}
	v.refused(&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte("x")}, "KMSInvalidStateException", v.keyARN(id)+" is creating.")
	u.advance("1m")
	primary, replica := u.describe(id), v.describe(id)
	if *replica.KeyState != "Enabled" || *replica.CurrentKeyMaterialId != *primary.CurrentKeyMaterialId || !replica.CreationDate.After(*primary.CreationDate) {
		t.Errorf("the replica is %+v", replica)
	}
	for _, c := range []*kmsapi.MultiRegionConfiguration{primary.MultiRegionConfiguration, replica.MultiRegionConfiguration} {
		if *c.PrimaryKey.Region != region || len(c.ReplicaKeys) != 1 || *c.ReplicaKeys[0].Arn != v.keyARN(id) || *c.ReplicaKeys[0].Region != abroad {
			t.Errorf("got %+v", c)
		}
	}
	if s := v.rotationStatus(id); !*s.KeyRotationEnabled || *s.RotationPeriodInDays != 90 {
		t.Error("rotation is not shared")
	}
	if tags := do[kmsapi.ListResourceTagsResponse](v, &kmsapi.ListResourceTagsRequest{KeyId: &id}).Tags; len(tags) != 0 {
		t.Errorf("tags %v were copied", tags)
	}
	if aliases := do[kmsapi.ListAliasesResponse](v, &kmsapi.ListAliasesRequest{KeyId: &id}).Aliases; len(aliases) != 0 {
		t.Errorf("aliases %v were copied", aliases)
	}
	if e := u.eventsNamed("CreateKey"); len(e) != 2 || e[1].AWSRegion != abroad || e[1].EventType != "AwsServiceEvent" {
		t.Errorf("records of CreateKey: %+v", e)
	}
}

func TestReplicaWithItsOwn(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id, policy := u.createPrimary(), allow(u.principal(), "kms:*")
	u.must(&kmsapi.ReplicateKeyRequest{
		KeyId: &id, ReplicaRegion: new(abroad), Policy: &policy, Description: new("mine"), Tags: []kmsapi.Tag{{TagKey: new("a"), TagValue: new("b")}},
	})
	u.advance("1m")
	if got := *do[kmsapi.GetKeyPolicyResponse](v, &kmsapi.GetKeyPolicyRequest{KeyId: &id}).Policy; got != policy {
		t.Errorf("policy %s", got)
	}
	v.disable(id)
	if *v.describe(id).Description != "mine" || u.keyState(id) != "Enabled" {
		t.Error("description or state is not the replica's own")
	}
}

func TestCiphertextsOpenInEveryRegion(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createPrimary()
	u.replicate(id, abroad)
	u.replicate(id, farther)
	everywhere := []user{u, u.in(abroad), u.in(farther)}
	context := map[string]string{"a": "b"}
	for _, from := range everywhere {
		ciphertext := from.encrypt(id, secret, context)
		for _, to := range everywhere {
			if got := to.decrypt(ciphertext, context); got != secret {
				t.Errorf("%s to %s: %q", from.region, to.region, got)
			}
			out := do[kmsapi.DecryptResponse](to, &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: context, KeyId: &id})
			if *out.KeyId != to.keyARN(id) {
				t.Errorf("KeyId %s", *out.KeyId)
			}
		}
	}
	single := u.encrypt(u.createKey(), secret, nil)
	u.in(abroad).refused(&kmsapi.DecryptRequest{CiphertextBlob: single}, "AccessDeniedException", strings.TrimPrefix(isHidden, "AccessDeniedException "))
}

// Asymmetric and HMAC keys have relatives too: what one signs, the other verifies.
func TestRelativesOfOtherSpecs(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	create := func(spec kmsapi.KeySpec, usage kmsapi.KeyUsageType) string {
		id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{MultiRegion: new(true), KeySpec: &spec, KeyUsage: &usage}).KeyMetadata.KeyId
		u.replicate(id, abroad)
		return id
	}
	sign := create(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify)
	ecdsa := new(kmsapi.SigningAlgorithmSpecEcdsaSha256)
	signature := do[kmsapi.SignResponse](u, &kmsapi.SignRequest{KeyId: &sign, Message: []byte("m"), SigningAlgorithm: ecdsa}).Signature
	v.must(&kmsapi.VerifyRequest{KeyId: &sign, Message: []byte("m"), SigningAlgorithm: ecdsa, Signature: signature})
	public := func(u user) string {
		return string(do[kmsapi.GetPublicKeyResponse](u, &kmsapi.GetPublicKeyRequest{KeyId: &sign}).PublicKey)
	}
	if public(u) != public(v) {
		t.Error("the public keys differ")
	}
	mac := create(kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac)
	alg := new(kmsapi.MacAlgorithmSpecHmacSha256)
	code := do[kmsapi.GenerateMacResponse](v, &kmsapi.GenerateMacRequest{KeyId: &mac, Message: []byte("m"), MacAlgorithm: alg}).Mac
	u.must(&kmsapi.VerifyMacRequest{KeyId: &mac, Message: []byte("m"), MacAlgorithm: alg, Mac: code})
}

func TestReplicateKeyRefusals(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id, single := u.createPrimary(), u.createKey()
	u.replicate(id, abroad)
	notPrimary := " is not a multi-region primary key."
	u.refused(&kmsapi.ReplicateKeyRequest{KeyId: &single, ReplicaRegion: new(abroad)}, "UnsupportedOperationException", u.keyARN(single)+notPrimary)
	v.refused(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(farther)}, "UnsupportedOperationException", v.keyARN(id)+notPrimary)
	u.refusedAs(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(abroad)}, "AlreadyExistsException")
	u.refusedAs(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(region)}, "AlreadyExistsException")
	for _, bad := range []string{"", "Ireland", "eu-west", "eu-west-1/x", "cn-north-1", "us-gov-west-1"} {
		u.refusedAs(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: &bad}, "ValidationException")
	}
	u.refusedAs(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(farther), Policy: new("{")}, "MalformedPolicyDocumentException")
	u.refusedAs(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(farther), Tags: []kmsapi.Tag{{TagKey: new("aws:x"), TagValue: new("")}}}, "TagException")
	v.schedule(id)
	u.refusedAs(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(abroad)}, "AlreadyExistsException")
	v.refused(&kmsapi.EnableKeyRotationRequest{KeyId: &id}, "UnsupportedOperationException", v.keyARN(id)+notPrimary)
	v.refused(&kmsapi.RotateKeyOnDemandRequest{KeyId: &id}, "UnsupportedOperationException", v.keyARN(id)+notPrimary)
	if n := len(u.readRecords().keys); n != 3 {
		t.Errorf("%d keys, want 3", n)
	}
}

func TestRotationIsShared(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id := u.createPrimary()
	u.replicate(id, abroad)
	old := v.encrypt(id, secret, nil)
	u.rotateOnDemand(id)
	if u.material(id) != v.material(id) || len(v.rotations(id, kmsapi.IncludeKeyMaterialRotationsOnly)) != 1 {
		t.Error("the replica did not rotate with its primary")
	}
	u.enableRotation(id, 90)
	u.advance("90d")
	before := u.readRecords().keys[u.keyPath(id)].Materials
	now := v.encrypt(id, secret, nil) // the replica finds the rotation due
	if after := v.material(id); after == before[len(before)-1].ID || after != u.material(id) {
		t.Error("a rotation that is due did not happen in both Regions")
	}
	for _, c := range [][]byte{old, now} {
		if u.decrypt(c, nil) != secret || v.decrypt(c, nil) != secret {
			t.Error("a ciphertext does not open")
		}
	}
	u.replicate(id, farther) // gets all material
	if u.in(farther).decrypt(old, nil) != secret {
		t.Error("a new replica does not open an old ciphertext")
	}
}

// While the primary key is disabled nothing rotates, in no Region.
func TestDisabledPrimaryDoesNotRotate(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id := u.createPrimary()
	u.replicate(id, abroad)
	u.enableRotation(id, 90)
	before := u.material(id)
	u.disable(id)
	u.advance("91d")
	v.encrypt(id, secret, nil)
	if v.material(id) != before {
		t.Error("the replica rotated alone")
	}
	u.must(&kmsapi.EnableKeyRequest{KeyId: &id})
	if after := u.material(id); after == before || after != v.material(id) {
		t.Error("the overdue rotation did not happen in both Regions")
	}
}

func TestUpdatePrimaryRegion(t *testing.T) {
	u := newWorld(t).as(alice)
	v, far := u.in(abroad), u.in(farther)
	id := u.createPrimary()
	u.replicate(id, abroad)
	u.replicate(id, farther)
	u.must(&kmsapi.UpdatePrimaryRegionRequest{KeyId: &id, PrimaryRegion: new(abroad)})
	if u.keyState(id) != "Updating" || v.keyState(id) != "Updating" || far.keyState(id) != "Enabled" {
		t.Errorf("states %s, %s, %s", u.keyState(id), v.keyState(id), far.keyState(id))
	}
	u.encrypt(id, secret, nil) // can be used
	u.refused(&kmsapi.DisableKeyRequest{KeyId: &id}, "KMSInvalidStateException", u.keyARN(id)+" is updating.")
	u.advance("1m")
	for _, w := range []user{u, v, far} {
		c := w.describe(id).MultiRegionConfiguration
		var replicas []string
		for _, r := range c.ReplicaKeys {
			replicas = append(replicas, *r.Region)
		}
		slices.Sort(replicas)
		if *c.PrimaryKey.Region != abroad || !slices.Equal(replicas, []string{farther, region}) || (*c.MultiRegionKeyType == "PRIMARY") != (w.region == abroad) {
			t.Errorf("%s: %+v", w.region, c)
		}
	}
	v.rotateOnDemand(id)
	if u.material(id) != v.material(id) || far.material(id) != v.material(id) {
		t.Error("the new primary's rotation is not shared")
	}
	if e := u.eventsNamed("UpdatePrimaryRegion"); len(e) != 2 || e[0].AWSRegion == e[1].AWSRegion {
		t.Errorf("records %+v", e)
	}
}

func TestUpdatePrimaryRegionRefusals(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id, single := u.createPrimary(), u.createKey()
	u.replicate(id, abroad)
	to := func(key, region string) *kmsapi.UpdatePrimaryRegionRequest {
		return &kmsapi.UpdatePrimaryRegionRequest{KeyId: &key, PrimaryRegion: &region}
	}
	u.refusedAs(to(single, abroad), "UnsupportedOperationException")
	v.refusedAs(to(id, region), "UnsupportedOperationException")
	u.refusedAs(to(id, region), "UnsupportedOperationException")
	u.refusedAs(to(id, farther), "NotFoundException")
	v.disable(id)
	u.refused(to(id, abroad), "DisabledException", v.keyARN(id)+" is disabled.")
	v.must(&kmsapi.EnableKeyRequest{KeyId: &id})
	u.disable(id)
	u.refused(to(id, abroad), "DisabledException", u.keyARN(id)+" is disabled.")
}

// The deletion of a primary key waits for its replicas (KMS Developer Guide, "Deleting multi-Region keys").
func TestDeletionOfPrimary(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id := u.createPrimary()
	u.replicate(id, abroad)
	out := do[kmsapi.ScheduleKeyDeletionResponse](u, &kmsapi.ScheduleKeyDeletionRequest{KeyId: &id, PendingWindowInDays: new(int32(10))})
	if *out.KeyState != "PendingReplicaDeletion" || out.DeletionDate != nil || *out.PendingWindowInDays != 10 {
		t.Errorf("got %+v", out)
	}
	m := u.describe(id)
	if *m.KeyState != "PendingReplicaDeletion" || m.DeletionDate != nil || *m.PendingDeletionWindowInDays != 10 {
		t.Errorf("got %+v", m)
	}
	u.refused(&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte("x")}, "KMSInvalidStateException", u.keyARN(id)+" is pending replica deletion.")
	v.encrypt(id, secret, nil)
	u.advance("1000d")
	if u.keyState(id) != "PendingReplicaDeletion" || v.keyState(id) != "Enabled" {
		t.Fatal("time alone deleted something")
	}
	v.schedule(id) // 7 days
	u.advance("6d")
	if u.keyState(id) != "PendingReplicaDeletion" {
		t.Errorf("state %s", u.keyState(id))
	}
	u.advance("1d")
	m = u.describe(id)
	if v.keyState(id) != "" || *m.KeyState != "PendingDeletion" || u.now().Add(10*day).Sub(*m.DeletionDate).Abs() > time.Minute || m.PendingDeletionWindowInDays != nil {
		t.Errorf("after the replica: %+v", m)
	}
	if len(m.MultiRegionConfiguration.ReplicaKeys) != 0 {
		t.Error("the deleted replica is still shown")
	}
	u.advance("9d")
	if u.keyState(id) != "PendingDeletion" {
		t.Error("deleted a day early")
	}
	u.advance("1d")
	if u.keyState(id) != "" {
		t.Error("not deleted")
	}
}

func TestCancelledDeletionsOfRelatives(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id := u.createPrimary()
	u.replicate(id, abroad)
	u.schedule(id)
	v.schedule(id)
	u.advance("5d")
	v.must(&kmsapi.CancelKeyDeletionRequest{KeyId: &id})
	u.advance("30d")
	if u.keyState(id) != "PendingReplicaDeletion" || v.keyState(id) != "Disabled" {
		t.Errorf("states %s, %s", u.keyState(id), v.keyState(id))
	}
	u.must(&kmsapi.CancelKeyDeletionRequest{KeyId: &id})
	if u.keyState(id) != "Disabled" {
		t.Errorf("state %s", u.keyState(id))
	}
	v.schedule(id)
	u.schedule(id)
	u.advance("7d") // the replica is gone, and the primary waits by itself
	u.must(&kmsapi.CancelKeyDeletionRequest{KeyId: &id})
	if u.keyState(id) != "Disabled" {
		t.Errorf("state %s", u.keyState(id))
	}
}

// A replica that was deleted can be made again, with the same key id and material, before and after the sweep.
func TestReplicaMadeAgain(t *testing.T) {
	u := newWorld(t).as(alice)
	v := u.in(abroad)
	id := u.createPrimary()
	ciphertext := u.encrypt(id, secret, nil)
	for range 2 {
		u.replicate(id, abroad)
		v.schedule(id)
		u.advance("7d")
		v.refusedAs(&kmsapi.DescribeKeyRequest{KeyId: &id}, "NotFoundException")
	}
	u.replicate(id, abroad)
	if v.decrypt(ciphertext, nil) != secret || v.keyState(id) != "Enabled" {
		t.Error("the replica is not what it was")
	}
}

// Replicas are many, and all their records change in one transaction.
func TestManyReplicas(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createPrimary()
	regions := manyRegions(35)
	for _, r := range regions {
		u.must(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: &r})
	}
	u.refusedAs(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new("xx-last-1")}, "LimitExceededException")
	u.advance("1m")
	u.rotateOnDemand(id)
	want := u.material(id)
	for _, r := range regions {
		if u.in(r).material(id) != want {
			t.Errorf("%s did not rotate", r)
		}
	}
	u.must(&kmsapi.UpdatePrimaryRegionRequest{KeyId: &id, PrimaryRegion: &regions[0]})
}

func manyRegions(n int) []string {
	var all []string
	for i := range n {
		all = append(all, "xx-"+string(rune('a'+i%26))+string(rune('a'+i/26))+"-1")
	}
	return all
}

// Policies of all relatives can be too large together to be written in one transaction. Then a rotation that is due has to
// wait, and nothing else: everybody goes on, and smaller policies let it happen.
func TestRotationThatHasNoRoom(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createPrimary()
	u.enableRotation(id, 365)
	before, ciphertext := u.material(id), u.encrypt(id, secret, nil)
	everywhere := []string{region}
	for _, r := range manyRegions(35) {
		u.must(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: &r})
		everywhere = append(everywhere, r)
	}
	u.advance("1m")
	small := allow(u.principal(), "kms:*")
	large := small + strings.Repeat(" ", 32<<10-len(small))
	for _, r := range everywhere {
		u.in(r).must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &large})
	}
	u.advance("365d")
	if u.decrypt(ciphertext, nil) != secret || u.material(id) != before {
		t.Error("it cannot be used, or rotated all the same")
	}
	u.disable(id) // does not touch the others
	u.must(&kmsapi.EnableKeyRequest{KeyId: &id})
	u.refusedAs(&kmsapi.RotateKeyOnDemandRequest{KeyId: &id}, "ConflictException")
	for _, r := range everywhere {
		u.in(r).must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &small})
	}
	if u.material(id) == before || u.decrypt(ciphertext, nil) != secret {
		t.Error("the rotation did not happen when there was room")
	}
}

// A replica with as many aliases as it can have, among many relatives, is destroyed all the same.
func TestDestructionOfMuch(t *testing.T) {
	u := newWorld(t).as(alice)
	id, regions := u.createPrimary(), manyRegions(35)
	for _, r := range regions {
		u.must(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: &r})
	}
	u.advance("1m")
	v := u.in(regions[0])
	for i := range 50 {
		v.createAlias("alias/a"+string(rune('a'+i/26))+string(rune('a'+i%26)), id)
	}
	v.schedule(id)
	u.advance("7d")
	u.must(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: &regions[0]})
	u.advance("1m")
	if v.keyState(id) != "Enabled" {
		t.Errorf("state %q", v.keyState(id))
	}
	if aliases := do[kmsapi.ListAliasesResponse](v, &kmsapi.ListAliasesRequest{}).Aliases; len(aliases) != 0 {
		t.Errorf("%d aliases came back", len(aliases))
	}
}

// Who replicates a key makes one in the other Region, and must be allowed both, there (KMS Developer Guide, "Controlling
// access to multi-Region keys").
func TestReplicateKeyNeedsLeaveToMakeAKey(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	in := func(action, region string) string {
		return rule("Allow", "", "*", `{"StringEquals":{"aws:RequestedRegion":"`+region+`"}}`, action)
	}
	replicate := in("kms:ReplicateKey", region)
	for i, row := range []struct {
		name   string
		rules  []string
		tags   []kmsapi.Tag
		denied string // the action
	}{
		{"all", []string{replicate, in("kms:CreateKey", abroad)}, nil, ""},
		{"all, with tags", []string{replicate, in("kms:CreateKey", abroad), in("kms:TagResource", abroad)}, tags("a=1"), ""},
		{"no replication", []string{in("kms:CreateKey", abroad)}, nil, "kms:ReplicateKey"},
		{"replication of keys in the other Region", []string{in("kms:ReplicateKey", abroad), in("kms:CreateKey", abroad)}, nil, "kms:ReplicateKey"},
		{"no making", []string{replicate}, nil, "kms:CreateKey"},
		{"making at home", []string{replicate, in("kms:CreateKey", region)}, nil, "kms:CreateKey"},
		{"no tagging", []string{replicate, in("kms:CreateKey", abroad)}, tags("a=1"), "kms:TagResource"},
		{"tagging at home", []string{replicate, in("kms:CreateKey", abroad), in("kms:TagResource", region)}, tags("a=1"), "kms:TagResource"},
		{"no tags, so no need to tag", []string{replicate, in("kms:CreateKey", abroad)}, []kmsapi.Tag{}, ""},
	} {
		carol := u.newUser(fmt.Sprint("carol", i), rules(row.rules...))
		id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{MultiRegion: new(true)}).KeyMetadata.KeyId
		a := carol.send(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(abroad), Tags: row.tags})
		resource := "*"
		if row.denied == "kms:ReplicateKey" {
			resource = u.keyARN(id)
		}
		want := "User: " + carol.principal() + " is not authorized to perform: " + row.denied + " on resource: " + resource +
			" because no identity-based policy allows the " + row.denied + " action"
		if row.denied == "" && !a.ok() || row.denied != "" && (a.code != "AccessDeniedException" || a.message != want) {
			t.Errorf("%s: got %q %q, want %q", row.name, a.code, a.message, want)
		}
		if made := u.in(abroad).keyState(id) != ""; made != (row.denied == "") {
			t.Errorf("%s: there is a replica: %v", row.name, made)
		}
	}
}
