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

// viaServiceOnly are the operations on a service's key that only the service lets its users do.
var viaServiceOnly = []string{
	"CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
	"GenerateDataKeyWithoutPlaintext", "ReEncrypt",
}

// A service's key comes into being when its alias is first used, by somebody whom its policy allows that: it may be
// looked at, and used through the service.
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
			aliases := []string{"alias/aws/s3", u.arn("alias/aws/ebs")}
			through := []user{w.registered("s3.amazonaws.com", alice).onBehalfOf(u), w.registered("ec2.amazonaws.com", alice).onBehalfOf(u)}
			for i, alias := range aliases {
				if slices.Contains(viaServiceOnly, s.operation) {
					u.refusedAs(s.make(u, alias), "AccessDeniedException")
					through[1-i].refusedAs(s.make(u, alias), "AccessDeniedException")
					if n := len(w.readRecords().keys); n != 1+i {
						t.Errorf("%s: who is not allowed has made a key: there are %d", alias, n)
					}
				}
				if a := through[i].send(s.make(u, alias)); !a.accepted() {
					t.Errorf("%s: %s %s", alias, a.code, a.message)
				}
			}
			if n := len(w.readRecords().keys); n != 3 {
				t.Errorf("%d keys, want 3", n)
			}
		})
	}
}

// Who is not allowed to look makes no key by looking.
func TestDeniedCallerMakesNoManagedKey(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	nobody, denied := u.newUser("nobody"), u.newUser("denied", allowing("kms:*"), denying("kms:DescribeKey"))
	for _, v := range []user{nobody, denied, w.as(bob)} {
		a := v.refusedAs(&kmsapi.DescribeKeyRequest{KeyId: new(u.arn("alias/aws/s3"))}, "AccessDeniedException")
		if e := w.eventOf(a); len(e.Resources) != 0 {
			t.Errorf("%s: the record names %v, which has never been", v.principal(), e.Resources)
		}
	}
	nobody.refusedAs(&kmsapi.GetPublicKeyRequest{KeyId: new("alias/aws/s3")}, "AccessDeniedException")
	through := w.registered("s3.amazonaws.com", bob).onBehalfOf(u)
	through.send(&kmsapi.EncryptRequest{KeyId: new("alias/aws/s3"), Plaintext: []byte(secret)}) // it may not speak for alice
	if all := w.readRecords(); len(all.keys)+len(all.aliases) != 0 {
		t.Errorf("made: %v", all)
	}
	u.newUser("viewer", allowing("kms:DescribeKey")).describe("alias/aws/s3")
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

// Nobody changes a key that AWS manages (C12); it may be looked at, and used through its service.
func TestManagedKeyCannotBeChanged(t *testing.T) {
	mayBe := []string{
		"DescribeKey", "GetKeyLastUsage", "GetKeyPolicy", "GetKeyRotationStatus", "ListAliases", "ListGrants", "ListKeyPolicies", "ListKeyRotations",
		"ListResourceTags",
	}
	w := newWorld(t)
	u := w.as(alice)
	u.createAlias(spareAlias, u.createKey())
	id := *u.describe("alias/aws/s3").KeyId
	before := w.readRecords()
	carol := u.newUser("carol", allowing("kms:*"))
	s3, ec2 := w.registered("s3.amazonaws.com", alice), w.registered("ec2.amazonaws.com", alice)
	for _, s := range onKey(t) {
		for _, v := range []user{u, carol, s3.onBehalfOf(u), s3.onBehalfOf(carol), ec2.onBehalfOf(u)} {
			a := v.send(s.make(v, id))
			through := v.login != nil && v.login.headers != nil
			may := slices.Contains(mayBe, s.operation) || through && slices.Contains(viaServiceOnly, s.operation) && v.login.credential.AccessKeyID == s3.login.credential.AccessKeyID
			action := "kms:" + s.operation
			if s.operation == "ReEncrypt" {
				action = "kms:ReEncryptFrom"
				if strings.Contains(a.message, "kms:ReEncryptTo") {
					action = "kms:ReEncryptTo"
				}
			}
			want := "User: " + v.principal() + " is not authorized to perform: " + action + " on resource: " + u.keyARN(id) +
				" because no resource-based policy allows the " + action + " action"
			switch {
			case may && !a.accepted():
				t.Errorf("%s by %s: %q %q", s.operation, v.principal(), a.code, a.message)
			case !may && (a.code != "AccessDeniedException" || a.message != want):
				t.Errorf("%s by %s: got %q %q, want %q", s.operation, v.principal(), a.code, a.message, want)
			}
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
