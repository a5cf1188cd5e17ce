package kms_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/uuid"
)

// seedKey is a key of alice's with nothing special, but for what change does.
func seedKey(change func(*kms.SeedKey)) kms.SeedKey {
	k := kms.SeedKey{Account: alice, Region: region, ID: uuid.New()}
	change(&k)
	return k
}

func plain(*kms.SeedKey) {}

func seeded(keys ...kms.SeedKey) func(*server.Config) {
	return func(c *server.Config) { c.Seed = keys }
}

func TestSeededKeysAreThereFromTheStart(t *testing.T) {
	policy := allow("arn:aws:iam::"+alice+":root", "kms:*")
	all := seedKey(func(k *kms.SeedKey) {
		k.ID, k.Description, k.Policy, k.RotationPeriod, k.Disabled = chosenID, "orders", policy, 90, true
		k.Tags, k.Aliases = map[string]string{"team": "blue", "a": ""}, []string{"alias/z", "alias/a"}
		k.Material = base64.StdEncoding.EncodeToString(random(32))
	})
	multi := seedKey(func(k *kms.SeedKey) { k.ID, k.MultiRegion = chosenMulti, true })
	waiting := seedKey(func(k *kms.SeedKey) { k.Origin = "EXTERNAL" })
	u := newWorldWith(t, seeded(all, multi, waiting)).as(alice)

	m := u.describe("alias/a")
	if *m.KeyId != chosenID || *m.Description != "orders" || *m.KeyState != kmsapi.KeyStateDisabled {
		t.Errorf("alias/a is %s %q %s", *m.KeyId, *m.Description, *m.KeyState)
	}
	u.must(&kmsapi.EnableKeyRequest{KeyId: new(chosenID)})
	u.encrypt("alias/z", "x", nil)
	if got := do[kmsapi.GetKeyRotationStatusResponse](u, &kmsapi.GetKeyRotationStatusRequest{KeyId: new(chosenID)}); *got.RotationPeriodInDays != 90 {
		t.Errorf("the rotation period is %d days", *got.RotationPeriodInDays)
	}
	if got := do[kmsapi.GetKeyPolicyResponse](u, &kmsapi.GetKeyPolicyRequest{KeyId: new(chosenID)}); *got.Policy != policy {
		t.Errorf("the policy is %s", *got.Policy)
	}
	if diff := cmp.Diff(tags("a=", "team=blue"), do[kmsapi.ListResourceTagsResponse](u, &kmsapi.ListResourceTagsRequest{KeyId: new(chosenID)}).Tags); diff != "" {
		t.Error(diff)
	}
	if m := u.describe(chosenMulti); !*m.MultiRegion || *m.KeyState != kmsapi.KeyStateEnabled {
		t.Errorf("the multi-Region key is %s", *m.KeyState)
	}
	if got := u.keyState(waiting.ID); got != "PendingImport" {
		t.Errorf("the key of origin EXTERNAL is %s", got)
	}
	// Nobody has asked for them, so the records are the service's own.
	var named []string
	for _, e := range u.events() {
		if e.EventName == "CreateKey" && e.EventType == "AwsServiceEvent" {
			named = append(named, strings.TrimPrefix(e.Resources[0].ARN, u.keyARN("")))
		}
	}
	if diff := cmp.Diff([]string{chosenID, chosenMulti, waiting.ID}, named); diff != "" {
		t.Errorf("audit records: %s", diff)
	}
}

// All kinds of material, as base64 and as PEM, are those of another program.
func TestSeededMaterial(t *testing.T) {
	rsaKey, ecKey := testRSA(t), testEC(t)
	asPEM := func(key any) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8(t, key)}))
	}
	sign := func(spec, material string) kms.SeedKey {
		return seedKey(func(k *kms.SeedKey) { k.Spec, k.Usage, k.Material = spec, "SIGN_VERIFY", material })
	}
	keys := []kms.SeedKey{
		sign("RSA_2048", asPEM(rsaKey)), sign("RSA_2048", base64.StdEncoding.EncodeToString(pkcs8(t, rsaKey))),
		sign("ECC_NIST_P256", asPEM(ecKey)),
	}
	u := newWorldWith(t, seeded(keys...)).as(alice)
	for i, want := range []any{rsaKey.Public(), rsaKey.Public(), ecKey.Public()} {
		got := do[kmsapi.GetPublicKeyResponse](u, &kmsapi.GetPublicKeyRequest{KeyId: &keys[i].ID}).PublicKey
		if !cmp.Equal(got, spki(t, want)) {
			t.Errorf("key %d has another public key", i+1)
		}
	}
}

// start starts a server on a store that outlives it.
func startSeeded(t *testing.T, st store.Store, r root.Root, keys ...kms.SeedKey) (*server.Server, error) {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{
		Store: lasting{st}, Engine: "memory", Root: r, Audit: audit.Config{Dir: t.TempDir(), Sync: audit.SyncOS},
		Dev: true, Version: "test", Log: slog.New(slog.DiscardHandler), Seed: keys,
	})
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s, err
}

// lasting is a store that stays open.
type lasting struct{ store.Store }

func (lasting) Close() error { return nil }

func revisions(t *testing.T, st store.Store) map[string]int64 {
	t.Helper()
	page, err := st.Range(t.Context(), "kms/", "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int64{}
	for _, r := range page.Records {
		all[r.Key] = r.Revision
	}
	return all
}

func TestASeedMakesOnlyWhatIsMissing(t *testing.T) {
	st, r := memory.New(), root.New()
	first := seedKey(func(k *kms.SeedKey) { k.Aliases = []string{"alias/first"} })
	if _, err := startSeeded(t, st, r, first); err != nil {
		t.Fatal(err)
	}
	before := revisions(t, st)
	// The file's description of a key that exists is not applied to it.
	first.Description = "changed"
	second := seedKey(func(k *kms.SeedKey) { k.Aliases = []string{"alias/second"} })
	if _, err := startSeeded(t, st, r, first, second); err != nil {
		t.Fatal(err)
	}
	after := revisions(t, st)
	if len(before) != 2 || len(after) != 4 {
		t.Errorf("%d records, then %d", len(before), len(after))
	}
	for path, revision := range before {
		if after[path] != revision {
			t.Errorf("%s was written again", path)
		}
	}
}

// Whatever is wrong with one key of a seed, none of them is made, and the error names the key and the field.
func TestSeedsThatAreRefused(t *testing.T) {
	const id = chosenID
	long := strings.Repeat("x", 8193)
	for _, tt := range []struct {
		want   string
		change func(*kms.SeedKey)
	}{
		{`account: "12345" is not twelve digits`, func(k *kms.SeedKey) { k.Account = "12345" }},
		{`region: "nowhere/else" is not a Region's name`, func(k *kms.SeedKey) { k.Region = "nowhere/else" }},
		{`id: "orders" must be a UUID, or mrk- and 32 hexadecimal digits for a multi-Region key, in lower case`, func(k *kms.SeedKey) { k.ID = "orders" }},
		{`id: "` + id + `" must be a UUID, or mrk- and 32 hexadecimal digits for a multi-Region key, in lower case`, func(k *kms.SeedKey) { k.MultiRegion = true }},
		{`spec: 1 validation error detected: Value 'AES' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [`, func(k *kms.SeedKey) { k.Spec = "AES" }},
		{`usage: 1 validation error detected: Value 'SIGN' at 'keyUsage' failed`, func(k *kms.SeedKey) { k.Usage = "SIGN" }},
		{`usage: You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.`, func(k *kms.SeedKey) { k.Spec = "RSA_2048" }},
		{`spec, usage and origin: KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT`, func(k *kms.SeedKey) { k.Usage = "SIGN_VERIFY" }},
		{`origin: 1 validation error detected: Value 'HERE' at 'origin' failed`, func(k *kms.SeedKey) { k.Origin = "HERE" }},
		{`spec, usage and origin: Origin AWS_CLOUDHSM is not built in this version of Trent.`, func(k *kms.SeedKey) { k.Origin = "AWS_CLOUDHSM" }},
		{`description: 1 validation error detected: Value '`, func(k *kms.SeedKey) { k.Description = long }},
		{`policy: `, func(k *kms.SeedKey) { k.Policy = "{}" }},
		{`material: The key material is not what SYMMETRIC_DEFAULT needs: base64 of 32 bytes.`, func(k *kms.SeedKey) { k.Material = "AAAA" }},
		{`material: The key material is not what HMAC_256 needs: base64 of as many bytes as the hash of the HMAC has, up to 128.`, func(k *kms.SeedKey) { k.Spec, k.Usage, k.Material = "HMAC_256", "GENERATE_VERIFY_MAC", "AAAA" }},
		{`material: The key material is not what RSA_2048 needs: base64 of a private key in the form of PKCS #8.`, func(k *kms.SeedKey) { k.Spec, k.Usage, k.Material = "RSA_2048", "SIGN_VERIFY", "AAAA" }},
		{`material: The key material is not what ECC_NIST_P256 needs: base64 of a private key in the form of PKCS #8.`, func(k *kms.SeedKey) {
			k.Spec, k.Usage, k.Material = "ECC_NIST_P256", "SIGN_VERIFY", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
		}},
		{`tags: Tags beginning with aws: are reserved`, func(k *kms.SeedKey) { k.Tags = map[string]string{"aws:x": "y"} }},
		{`aliases: 1 validation error detected: Value 'alias/a b' at 'aliasName' failed`, func(k *kms.SeedKey) { k.Aliases = []string{"alias/a b"} }},
		{`aliases: Alias must start with the prefix "alias/".`, func(k *kms.SeedKey) { k.Aliases = []string{"orders"} }},
		{`aliases: NotAuthorizedException`, func(k *kms.SeedKey) { k.Aliases = []string{"alias/aws/s3"} }},
		{`aliases: alias/twice occurs twice in the seed`, func(k *kms.SeedKey) { k.Aliases = []string{"alias/twice", "alias/twice"} }},
		{`aliases: alias/good occurs twice in the seed`, func(k *kms.SeedKey) { k.Aliases = []string{"alias/good"} }},
		{`aliases: alias/old exists and points to key ` + oldID, func(k *kms.SeedKey) { k.Aliases = []string{"alias/old"} }},
		{`aliases: 51; a key can have 50`, func(k *kms.SeedKey) { k.Aliases = make51() }},
		{`rotation-period: 1 validation error detected: Value '89' at 'rotationPeriodInDays' failed`, func(k *kms.SeedKey) { k.RotationPeriod = 89 }},
		{`rotation-period: `, func(k *kms.SeedKey) { k.Spec, k.Usage, k.RotationPeriod = "HMAC_256", "GENERATE_VERIFY_MAC", 90 }},
		{`disabled: arn:aws:kms:us-east-1:111122223333:key/` + id + ` is pending import.`, func(k *kms.SeedKey) { k.Origin, k.Disabled = "EXTERNAL", true }},
	} {
		t.Run(tt.want, func(t *testing.T) {
			st, r := memory.New(), root.New()
			if _, err := startSeeded(t, st, r, seedKey(func(k *kms.SeedKey) { k.ID, k.Aliases = oldID, []string{"alias/old"} })); err != nil {
				t.Fatal(err)
			}
			before := revisions(t, st)
			bad := seedKey(func(k *kms.SeedKey) {
				k.ID = id
				tt.change(k)
			})
			good := seedKey(func(k *kms.SeedKey) { k.Aliases = []string{"alias/good"} })
			_, err := startSeeded(t, st, r, good, bad)
			var wrong *kms.SeedError
			if want := "key 2 (" + bad.ID + "): " + tt.want; !errors.As(err, &wrong) || !strings.HasPrefix(wrong.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if diff := cmp.Diff(before, revisions(t, st)); diff != "" {
				t.Errorf("something was made: %s", diff)
			}
		})
	}
}

const oldID = "00000000-0000-0000-0000-000000000001"

func make51() []string {
	names := make([]string, 51)
	for i := range names {
		names[i] = "alias/n" + strings.Repeat("n", i)
	}
	return names
}

func TestSeedsOfTwoKeysWithOneName(t *testing.T) {
	for name, tt := range map[string]struct {
		first, second kms.SeedKey
		refused       bool
	}{
		"the same address":         {seedKey(func(k *kms.SeedKey) { k.ID = chosenID }), seedKey(func(k *kms.SeedKey) { k.ID = chosenID }), true},
		"another Region":           {seedKey(func(k *kms.SeedKey) { k.ID = chosenID }), seedKey(func(k *kms.SeedKey) { k.ID, k.Region = chosenID, abroad }), false},
		"another account":          {seedKey(func(k *kms.SeedKey) { k.ID = chosenID }), seedKey(func(k *kms.SeedKey) { k.ID, k.Account = chosenID, bob }), false},
		"relatives are replicated": {seedKey(func(k *kms.SeedKey) { k.ID, k.MultiRegion = chosenMulti, true }), seedKey(func(k *kms.SeedKey) { k.ID, k.MultiRegion, k.Region = chosenMulti, true, abroad }), true},
		"nothing in common":        {seedKey(plain), seedKey(plain), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := startSeeded(t, memory.New(), root.New(), tt.first, tt.second)
			want := "key 2 (" + tt.second.ID + "): id: another key of the seed has it too"
			if tt.refused != (err != nil) || tt.refused && err.Error() != want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A seed goes through what limits every key of the server.
func TestASeedKeyInARegionThatIsNotServed(t *testing.T) {
	_, err := server.New(t.Context(), server.Config{
		Store: memory.New(), Engine: "memory", Root: root.New(), Audit: audit.Config{Dir: t.TempDir(), Sync: audit.SyncOS},
		Dev: true, Version: "test", Log: slog.New(slog.DiscardHandler), Regions: []string{abroad}, Seed: []kms.SeedKey{seedKey(func(k *kms.SeedKey) { k.ID = chosenID })},
	})
	if want := "key 1 (" + chosenID + "): region: us-east-1 is not served"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
