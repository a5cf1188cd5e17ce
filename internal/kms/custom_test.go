package kms_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/uuid"
)

const (
	chosenID    = "11111111-2222-3333-4444-555555555555"
	chosenMulti = "mrk-11111111222233334444555555555555"
)

// chooseID and chooseMaterial are tags of the convention.
func chooseID(id string) kmsapi.Tag {
	return kmsapi.Tag{TagKey: new("_custom_id_"), TagValue: &id}
}

func (w *world) chooseMaterial(material []byte) kmsapi.Tag {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets[string(material)] = "the chosen material"
	return kmsapi.Tag{TagKey: new("_custom_key_material_"), TagValue: new(base64.StdEncoding.EncodeToString(material))}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestACallerChoosesTheKeyID(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, tt := range []struct {
		id    string
		multi bool
	}{{chosenID, false}, {chosenMulti, true}} {
		in := &kmsapi.CreateKeyRequest{MultiRegion: &tt.multi, Tags: append(tags("team=blue"), chooseID(tt.id))}
		a := u.must(in)
		if got := *u.describe(tt.id).KeyId; got != tt.id {
			t.Errorf("the key id is %s", got)
		}
		kept := do[kmsapi.ListResourceTagsResponse](u, &kmsapi.ListResourceTagsRequest{KeyId: &tt.id}).Tags
		if diff := cmp.Diff(tags("team=blue"), kept); diff != "" {
			t.Errorf("tags of the key: %s", diff)
		}
		if e := u.eventOf(a); strings.Contains(string(e.RequestParameters), "_custom_") || !strings.Contains(string(e.RequestParameters), "team") {
			t.Errorf("the audit record shows %s", e.RequestParameters)
		}
	}
	// A single-Region key of the same id in another Region, or of another account, is another key.
	u.in(abroad).must(&kmsapi.CreateKeyRequest{Tags: []kmsapi.Tag{chooseID(chosenID)}})
	u.as(bob).must(&kmsapi.CreateKeyRequest{Tags: []kmsapi.Tag{chooseID(chosenID)}})
}

func TestKeyIDsThatCannotBeChosen(t *testing.T) {
	u := newWorld(t).as(alice)
	u.must(&kmsapi.CreateKeyRequest{Tags: []kmsapi.Tag{chooseID(chosenID)}})
	u.must(&kmsapi.CreateKeyRequest{Tags: []kmsapi.Tag{chooseID(chosenMulti)}, MultiRegion: new(true)})
	const form = "_custom_id_ must be a UUID, or mrk- and 32 hexadecimal digits for a multi-Region key, in lower case."
	for name, tt := range map[string]struct {
		u             user
		multi         bool
		tags          []kmsapi.Tag
		code, message string
	}{
		"taken":                       {u, false, []kmsapi.Tag{chooseID(chosenID)}, "TagException", "The key " + u.keyARN(chosenID) + " already exists."},
		"taken by a relative":         {u.in(abroad), true, []kmsapi.Tag{chooseID(chosenMulti)}, "TagException", "The multi-Region key " + chosenMulti + " already exists in us-east-1."},
		"of a multi-Region key":       {u, false, []kmsapi.Tag{chooseID("mrk-" + strings.Repeat("0", 32))}, "ValidationException", form},
		"of a single-Region key":      {u, true, []kmsapi.Tag{chooseID(uuid.New())}, "ValidationException", form},
		"a word":                      {u, false, []kmsapi.Tag{chooseID("orders")}, "ValidationException", form},
		"a path":                      {u, false, []kmsapi.Tag{chooseID("../../alias/x")}, "ValidationException", form},
		"upper case":                  {u, false, []kmsapi.Tag{chooseID(strings.ToUpper(uuid.New()))}, "ValidationException", form},
		"upper case, multi-Region":    {u, true, []kmsapi.Tag{chooseID("mrk-" + strings.Repeat("A", 32))}, "ValidationException", form},
		"empty":                       {u, false, []kmsapi.Tag{chooseID("")}, "ValidationException", form},
		"no value":                    {u, false, []kmsapi.Tag{{TagKey: new("_custom_id_")}}, "ValidationException", form},
		"two ids":                     {u, false, []kmsapi.Tag{chooseID(uuid.New()), chooseID(uuid.New())}, "TagException", "Duplicate tag keys"},
		"material that is not base64": {u, false, []kmsapi.Tag{{TagKey: new("_custom_key_material_"), TagValue: new("!")}}, "ValidationException", "The key material is not what SYMMETRIC_DEFAULT needs: base64 of 32 bytes."},
	} {
		t.Run(name, func(t *testing.T) {
			tt.u.refused(&kmsapi.CreateKeyRequest{Tags: tt.tags, MultiRegion: &tt.multi}, tt.code, tt.message)
		})
	}
}

// The id of a key whose waiting period is over is free at once, whether or not the sweeper has been there.
func TestAKeyIDIsFreeAfterItsKeyIsDeleted(t *testing.T) {
	u := newWorld(t).as(alice)
	in := &kmsapi.CreateKeyRequest{Tags: []kmsapi.Tag{chooseID(chosenID)}}
	u.must(in)
	u.schedule(chosenID)
	u.advance("6d")
	u.refusedAs(in, "TagException")
	u.advance("1d")
	u.must(in)
	if got := u.keyState(chosenID); got != "Enabled" {
		t.Errorf("the new key is %q", got)
	}
}

// Two servers that are given the same id and material have the same key.
func TestChosenMaterialIsTheKey(t *testing.T) {
	secret := random(32)
	var ciphertext []byte
	for n := range 2 {
		u := newWorld(t).as(alice)
		u.must(&kmsapi.CreateKeyRequest{Tags: []kmsapi.Tag{chooseID(chosenID), u.chooseMaterial(secret)}})
		if n == 0 {
			ciphertext = u.encrypt(chosenID, "attack at dawn", nil)
		} else if got := u.decrypt(ciphertext, nil); got != "attack at dawn" {
			t.Errorf("decrypted %q", got)
		}
	}
}

func TestChosenMaterialOfEachKind(t *testing.T) {
	u := newWorld(t).as(alice)
	create := func(spec kmsapi.KeySpec, usage kmsapi.KeyUsageType, material []byte) string {
		in := &kmsapi.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage, Tags: []kmsapi.Tag{u.chooseMaterial(material)}}
		return *do[kmsapi.CreateKeyResponse](u, in).KeyMetadata.KeyId
	}
	t.Run("HMAC", func(t *testing.T) {
		secret := random(48)
		id := create(kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac, secret)
		in := &kmsapi.GenerateMacRequest{KeyId: &id, Message: []byte("message"), MacAlgorithm: new(kmsapi.MacAlgorithmSpecHmacSha256)}
		h := hmac.New(sha256.New, secret)
		h.Write(in.Message)
		if got := do[kmsapi.GenerateMacResponse](u, in).Mac; !bytes.Equal(got, h.Sum(nil)) {
			t.Errorf("the MAC is %x", got)
		}
	})
	rsaKey, ecKey := testRSA(t), testEC(t)
	public, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		spec        kmsapi.KeySpec
		key, public any
	}{
		{kmsapi.KeySpecRsa2048, rsaKey, rsaKey.Public()}, // longer than a tag's value can be
		{kmsapi.KeySpecEccNistP256, ecKey, ecKey.Public()},
		{kmsapi.KeySpecEccNistEdwards25519, edKey, public},
	} {
		t.Run(string(tt.spec), func(t *testing.T) {
			id := create(tt.spec, kmsapi.KeyUsageTypeSignVerify, pkcs8(t, tt.key))
			want := spki(t, tt.public)
			if got := do[kmsapi.GetPublicKeyResponse](u, &kmsapi.GetPublicKeyRequest{KeyId: &id}).PublicKey; !bytes.Equal(got, want) {
				t.Error("the public key is another's")
			}
		})
	}
	t.Run("imported", func(t *testing.T) {
		in := &kmsapi.CreateKeyRequest{Origin: new(kmsapi.OriginTypeExternal), Tags: []kmsapi.Tag{u.chooseMaterial(random(32))}}
		k := do[kmsapi.CreateKeyResponse](u, in).KeyMetadata
		if *k.KeyState != kmsapi.KeyStateEnabled || *k.ExpirationModel != kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire {
			t.Errorf("the key is %s, %v", *k.KeyState, k.ExpirationModel)
		}
		u.decrypt(u.encrypt(*k.KeyId, "x", nil), nil)
	})
}

// Whatever is wrong with a request that brings material along, its audit record and its answer do not show the material.
func TestChosenMaterialIsInNoRecordAndNoMessage(t *testing.T) {
	u := newWorld(t).as(alice)
	material := random(1200) // too long for a symmetric key, and for a tag
	tag := u.chooseMaterial(material)
	long := strings.Repeat("x", 9000)
	refusals := 0
	for name, in := range map[string]*kmsapi.CreateKeyRequest{
		"wrong material":     {Tags: []kmsapi.Tag{tag}},
		"twice":              {Tags: []kmsapi.Tag{tag, tag}},
		"another constraint": {Tags: []kmsapi.Tag{tag}, Description: &long},
		"another tag":        {Tags: append(tags("aws:x=y"), tag)},
		"unknown spec":       {Tags: []kmsapi.Tag{tag}, KeySpec: new(kmsapi.KeySpec("X"))},
		"bad policy":         {Tags: []kmsapi.Tag{tag}, Policy: new("{}")},
		"wrong spec":         {Tags: []kmsapi.Tag{tag}, KeySpec: new(kmsapi.KeySpecRsa2048), KeyUsage: new(kmsapi.KeyUsageTypeSignVerify)},
	} {
		a := u.send(in)
		if a.ok() || strings.Contains(a.message, (*tag.TagValue)[:16]) || strings.Contains(u.eventOf(a).ErrorMessage, (*tag.TagValue)[:16]) {
			t.Errorf("%s: %d %s", name, a.status, a.message)
		}
		refusals++
	}
	if refusals < 7 {
		t.Errorf("only %d refusals", refusals)
	}
	// The end of the test searches the whole audit log for the material.
}

// A replica of an unrelated key of the same id cannot come about.
func TestAReplicaOfAKeyWithAChosenID(t *testing.T) {
	u := newWorld(t).as(alice)
	u.must(&kmsapi.CreateKeyRequest{Tags: []kmsapi.Tag{chooseID(chosenMulti)}, MultiRegion: new(true)})
	ciphertext := u.encrypt(chosenMulti, "x", nil)
	a := do[kmsapi.ReplicateKeyResponse](u, &kmsapi.ReplicateKeyRequest{KeyId: new(chosenMulti), ReplicaRegion: new(abroad)})
	if *a.ReplicaKeyMetadata.KeyState != kmsapi.KeyStateCreating {
		t.Errorf("the replica is %s", *a.ReplicaKeyMetadata.KeyState)
	}
	u.advance("1s")
	if got := u.in(abroad).decrypt(ciphertext, nil); got != "x" {
		t.Errorf("decrypted %q", got)
	}
}

func testRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testEC(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func spki(t *testing.T, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
