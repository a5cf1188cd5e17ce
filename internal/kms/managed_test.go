package kms_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/kms"
)

func TestManagedKeyAppearsWhenItsAliasIsFirstUsed(t *testing.T) {
	for _, s := range onKey(t) {
		if !s.anyForm {
			continue
		}
		t.Run(s.operation, func(t *testing.T) {
			w := newWorld(t)
			u := w.as(alice)
			if in, ok := s.make(u, "alias/aws/s3").(api.Input); !ok || in.Common().DryRun {
				return // TestDryRunMakesNoManagedKey
			}
			u.createAlias(spareAlias, u.createKey())
			for _, alias := range []string{"alias/aws/s3", u.arn("alias/aws/ebs")} {
				if a := u.send(s.make(u, alias)); !a.accepted() {
					t.Errorf("%s: %s %s", alias, a.code, a.message)
				}
			}
			if n := len(w.readRecords().keys); n != 3 {
				t.Errorf("%d keys, want 3", n)
			}
		})
	}
}

func TestDryRunMakesNoManagedKey(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	a := u.send(&kmsapi.EncryptRequest{KeyId: new("alias/aws/s3"), Plaintext: []byte("x"), DryRun: new(true)})
	if a.code != "NotFoundException" {
		t.Errorf("got %s %s", a.code, a.message)
	}
	if n := len(w.readRecords().keys); n != 0 {
		t.Errorf("a dry run made %d keys", n)
	}
}

func TestManagedKeyIsTheServices(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	got := u.describe("alias/aws/s3")
	want := wantMetadata(u, *got.KeyId)
	want.KeyManager = new(kmsapi.KeyManagerTypeAws)
	want.Description = new("Default key that protects my S3 objects when no other key is defined")
	if diff := cmp.Diff(want, got, ignoreMade); diff != "" {
		t.Error(diff)
	}
	if again := u.describe(u.arn("alias/aws/s3")); *again.KeyId != *got.KeyId {
		t.Error("a second key was made")
	}
	for _, elsewhere := range []user{u.in(abroad), w.as(bob)} {
		if *elsewhere.describe("alias/aws/s3").KeyId == *got.KeyId {
			t.Errorf("account %s in %s has the same key", elsewhere.account, elsewhere.region)
		}
	}
	if keys := do[kmsapi.ListKeysResponse](u, &kmsapi.ListKeysRequest{}).Keys; len(keys) != 1 {
		t.Errorf("ListKeys has %d keys", len(keys))
	}
	aliases := do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{KeyId: got.KeyId}).Aliases
	if len(aliases) != 1 || *aliases[0].AliasName != "alias/aws/s3" || *aliases[0].TargetKeyId != *got.KeyId {
		t.Errorf("aliases %+v", aliases)
	}
	policy := u.policyOf(*got.KeyId)
	for _, part := range []string{`"kms:ViaService" : "s3.us-east-1.amazonaws.com"`, `"kms:CallerAccount" : "111122223333"`, `"Id" : "auto-s3-1"`} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy has no %s: %s", part, policy)
		}
	}
}

// Nobody changes a key that AWS manages (C12); it may be looked at and used.
func TestManagedKeyCannotBeChanged(t *testing.T) {
	mayBe := []string{
		"DescribeKey", "GetKeyLastUsage", "GetKeyPolicy", "GetKeyRotationStatus", "ListAliases", "ListGrants", "ListKeyPolicies", "ListKeyRotations",
		"ListResourceTags", "CreateGrant", "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
		"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
	}
	w := newWorld(t)
	u := w.as(alice)
	u.createAlias(spareAlias, u.createKey())
	id := *u.describe("alias/aws/s3").KeyId
	before := w.readRecords()
	for _, s := range onKey(t) {
		a := u.send(s.make(u, id))
		want := "User: " + u.principal() + " is not authorized to perform: kms:" + s.operation + " on resource: " + u.keyARN(id) +
			" because no resource-based policy allows the kms:" + s.operation + " action"
		switch {
		case slices.Contains(mayBe, s.operation):
			if !a.accepted() {
				t.Errorf("%s: %q %q", s.operation, a.code, a.message)
			}
		case a.code != "AccessDeniedException" || a.message != want:
			t.Errorf("%s: got %q %q, want %q", s.operation, a.code, a.message, want)
		}
	}
	if diff := cmp.Diff(before, w.readRecords(), cmp.AllowUnexported(records{}), cmpopts.IgnoreUnexported(kms.Key{})); diff != "" {
		t.Errorf("the records have changed: %s", diff)
	}
}

func TestUnknownServicesHaveNoKey(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	for _, name := range []string{"nosuchservice", "S3", "s3/", "s3/x", "s", ""} {
		alias := "alias/aws/" + name
		u.refused(&kmsapi.DescribeKeyRequest{KeyId: &alias}, "NotFoundException", "Alias "+u.arn(alias)+" is not found.")
	}
	for _, s := range onKey(t) {
		if !s.anyForm {
			u.send(s.make(u, "alias/aws/s3")) // operations that take no alias make no key
		}
	}
	w.as(bob).refusedAs(&kmsapi.DescribeKeyRequest{KeyId: new(u.arn("alias/aws/s3"))}, "AccessDeniedException")
	if all := w.readRecords(); len(all.keys)+len(all.aliases) != 0 {
		t.Errorf("made: %v", all)
	}
}

// Of callers that are first at the same moment all see one key.
func TestManagedKeyIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	const callers = 32
	var wg sync.WaitGroup
	ids := make([]string, callers)
	for i := range callers {
		wg.Go(func() { ids[i] = string(u.send(&kmsapi.DescribeKeyRequest{KeyId: new("alias/aws/sqs")}).body) })
	}
	wg.Wait()
	if n := len(slices.Compact(slices.Sorted(slices.Values(ids)))); n != 1 {
		t.Errorf("%d different answers", n)
	}
	if all := w.readRecords(); len(all.keys) != 1 || len(all.aliases) != 1 {
		t.Errorf("%d keys and %d aliases", len(all.keys), len(all.aliases))
	}
}
