package kms_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

const (
	workers = 8
	each    = 6
)

// together runs f in workers at the same time.
func together(f func(worker int)) {
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// mustAll is must for goroutines: it fails the test but does not stop it.
func (u user) mustAll(all ...request) {
	for _, in := range all {
		if a := u.send(in); !a.ok() {
			u.t.Errorf("%s: %s %s", a.operation, a.code, a.message)
		}
	}
}

// Whatever changes one key at the same time, nothing that was acknowledged is lost.
func TestNoUpdateOfAKeyIsLost(t *testing.T) {
	u := newWorld(t).as(alice)
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Tags: tags("old=1")}).KeyMetadata.KeyId
	policy := allow("*", "kms:*")
	together(func(w int) {
		for n := range each {
			u.mustAll(
				&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags(fmt.Sprintf("w%d-%d=v", w, n))},
				&kmsapi.CreateAliasRequest{AliasName: new(fmt.Sprintf("alias/w%d/%d", w, n)), TargetKeyId: &id},
			)
		}
		switch w {
		case 0:
			u.mustAll(&kmsapi.UpdateKeyDescriptionRequest{KeyId: &id, Description: new("described")})
		case 1:
			u.mustAll(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy})
		case 2:
			u.mustAll(&kmsapi.DisableKeyRequest{KeyId: &id})
		case 3:
			u.mustAll(&kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{"old"}})
		}
	})
	if n := strings.Count(u.tagsOf(id), "="); n != workers*each || strings.Contains(u.tagsOf(id), "old") {
		t.Errorf("%d tags, want %d: %s", n, workers*each, u.tagsOf(id))
	}
	if n := len(do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{KeyId: &id}).Aliases); n != workers*each {
		t.Errorf("%d aliases, want %d", n, workers*each)
	}
	if k := u.describe(id); *k.Description != "described" || *k.KeyState != kmsapi.KeyStateDisabled || u.policyOf(id) != policy {
		t.Errorf("description %q, state %s", *k.Description, *k.KeyState)
	}
}

// TestSomebodyElseIsFaster lets another change happen between the reading and the writing of one. Whoever comes second
// decides on what the first has left.
func TestSomebodyElseIsFaster(t *testing.T) {
	type setting struct {
		user
		id, other string // two keys; alias/app points to the first
	}
	alias := func(name, key string) *kmsapi.CreateAliasRequest {
		return &kmsapi.CreateAliasRequest{AliasName: &name, TargetKeyId: &key}
	}
	move := func(name, key string) *kmsapi.UpdateAliasRequest {
		return &kmsapi.UpdateAliasRequest{AliasName: &name, TargetKeyId: &key}
	}
	for _, row := range []struct {
		name          string
		slow, fast    func(s setting) request
		path          func(s setting) string // what the slow one writes when the fast one comes
		code          string                 // the slow one's answer
		alias, target string                 // in the end the alias points to "id" or "other"; "": to none
	}{
		{
			"same new alias", func(s setting) request { return alias("alias/new", s.id) }, func(s setting) request { return alias("alias/new", s.other) },
			func(s setting) string { return s.aliasPath("alias/new") }, "AlreadyExistsException", "alias/new", "other",
		},
		{
			"alias moved while it is moved", func(s setting) request { return move("alias/app", s.id) }, func(s setting) request { return move("alias/app", s.other) },
			func(s setting) string { return s.aliasPath("alias/app") }, "", "alias/app", "id",
		},
		{
			"alias moved while it is deleted", func(s setting) request { return move("alias/app", s.other) }, func(setting) request { return &kmsapi.DeleteAliasRequest{AliasName: new("alias/app")} },
			func(s setting) string { return s.aliasPath("alias/app") }, "NotFoundException", "alias/app", "",
		},
		{
			"alias deleted while it is moved", func(setting) request { return &kmsapi.DeleteAliasRequest{AliasName: new("alias/app")} }, func(s setting) request { return move("alias/app", s.other) },
			func(s setting) string { return s.aliasPath("alias/app") }, "", "alias/app", "",
		},
		{
			"alias for a key that is scheduled for deletion", func(s setting) request { return alias("alias/new", s.id) }, func(s setting) request { return &kmsapi.ScheduleKeyDeletionRequest{KeyId: &s.id} },
			func(s setting) string { return s.keyPath(s.id) }, "KMSInvalidStateException", "alias/new", "",
		},
		{
			"deletion scheduled twice", func(s setting) request { return &kmsapi.ScheduleKeyDeletionRequest{KeyId: &s.id} }, func(s setting) request {
				return &kmsapi.ScheduleKeyDeletionRequest{KeyId: &s.id, PendingWindowInDays: new(int32(7))}
			},
			func(s setting) string { return s.keyPath(s.id) }, "KMSInvalidStateException", "alias/app", "id",
		},
		{
			"first use of a managed key", func(setting) request { return &kmsapi.DescribeKeyRequest{KeyId: new("alias/aws/s3")} }, func(setting) request { return &kmsapi.DescribeKeyRequest{KeyId: new("alias/aws/s3")} },
			func(s setting) string { return s.aliasPath("alias/aws/s3") }, "", "alias/app", "id",
		},
		{
			"tags beside a description", func(s setting) request { return &kmsapi.TagResourceRequest{KeyId: &s.id, Tags: tags("k=v")} }, func(s setting) request {
				return &kmsapi.UpdateKeyDescriptionRequest{KeyId: &s.id, Description: new("fast")}
			},
			func(s setting) string { return s.keyPath(s.id) }, "", "alias/app", "id",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			u := newWorld(t).as(alice)
			s := setting{u, u.createKey(), u.createKey()}
			u.createAlias("alias/app", s.id)
			came := false
			u.faults.onWrite(row.path(s), func() {
				came = true
				u.must(row.fast(s))
			})
			if a := u.send(row.slow(s)); a.code != row.code || !came {
				t.Errorf("got %q %q, want %q; somebody was faster: %v", a.code, a.message, row.code, came)
			}
			got := ""
			if a := u.readRecords().aliases[u.aliasPath(row.alias)]; a != nil {
				got = a.Target
			}
			if want := map[string]string{"id": s.id, "other": s.other}[row.target]; got != want {
				t.Errorf("%s points to %q, want %q", row.alias, got, want)
			}
			if row.name == "tags beside a description" && (*u.describe(s.id).Description != "fast" || u.tagsOf(s.id) != "k=v") {
				t.Error("one of the changes is lost")
			}
			if n := len(u.readRecords().keys); row.name == "first use of a managed key" && n != 3 {
				t.Errorf("%d keys, want 3", n)
			}
		})
	}
}

// Of callers that want the same name one gets it.
func TestOneAliasOfManyCallers(t *testing.T) {
	u := newWorld(t).as(alice)
	var keys [workers]string
	for i := range keys {
		keys[i] = u.createKey()
	}
	for n := range each {
		name := fmt.Sprint("alias/", n)
		var won [workers]bool
		together(func(w int) {
			a := u.send(&kmsapi.CreateAliasRequest{AliasName: &name, TargetKeyId: &keys[w]})
			if won[w] = a.ok(); !a.ok() && a.code != "AlreadyExistsException" {
				t.Errorf("%s: %s %s", name, a.code, a.message)
			}
		})
		winner := slices.Index(won[:], true)
		if winner < 0 || slices.Index(won[winner+1:], true) >= 0 {
			t.Fatalf("%s was given %v", name, won)
		}
		if got := *u.describe(name).KeyId; got != keys[winner] {
			t.Errorf("%s is key %s, was given to %s", name, got, keys[winner])
		}
	}
}

// The quotas of a key hold when its last places are wanted by many at once.
func TestQuotasHoldUnderConcurrency(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	for i := range 47 {
		u.createAlias(fmt.Sprint("alias/", i), id)
	}
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(0, 47)})
	together(func(w int) {
		for _, in := range []request{
			&kmsapi.CreateAliasRequest{AliasName: new(fmt.Sprint("alias/more", w)), TargetKeyId: &id},
			&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(100+w, 1)},
		} {
			if a := u.send(in); !a.ok() && a.code != "LimitExceededException" {
				t.Errorf("%s: %s %s", a.operation, a.code, a.message)
			}
		}
	})
	if n := strings.Count(u.tagsOf(id), "="); n != 50 {
		t.Errorf("%d tags", n)
	}
	if n := len(do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{KeyId: &id}).Aliases); n != 50 {
		t.Errorf("%d aliases", n)
	}
}

// Random operations on few keys and few aliases by many callers: every answer is one that its rules allow, and at the
// end (see checkRecords) the records of keys, aliases and deletions agree.
func TestRandomOperationsLeaveRecordsThatAgree(t *testing.T) {
	u := newWorld(t).as(alice)
	var keys [4]string
	for i := range keys {
		keys[i] = u.createKey()
	}
	allowed := []string{"", "AlreadyExistsException", "NotFoundException", "KMSInvalidStateException", "DisabledException"}
	together(func(w int) {
		r := rand.New(rand.NewPCG(uint64(w), 7))
		for range 60 {
			key, name := keys[r.IntN(len(keys))], fmt.Sprint("alias/", r.IntN(4))
			in := []request{
				&kmsapi.CreateAliasRequest{AliasName: &name, TargetKeyId: &key}, &kmsapi.CreateAliasRequest{AliasName: &name, TargetKeyId: &key},
				&kmsapi.UpdateAliasRequest{AliasName: &name, TargetKeyId: &key}, &kmsapi.UpdateAliasRequest{AliasName: &name, TargetKeyId: &key},
				&kmsapi.DeleteAliasRequest{AliasName: &name}, &kmsapi.ScheduleKeyDeletionRequest{KeyId: &key, PendingWindowInDays: new(int32(7 + r.IntN(24)))},
				&kmsapi.CancelKeyDeletionRequest{KeyId: &key}, &kmsapi.EnableKeyRequest{KeyId: &key}, &kmsapi.DisableKeyRequest{KeyId: &key},
				&kmsapi.ListAliasesRequest{KeyId: &key}, &kmsapi.ListAliasesRequest{}, &kmsapi.EncryptRequest{KeyId: &name, Plaintext: []byte(secret)},
				&kmsapi.TagResourceRequest{KeyId: &key, Tags: tags("k=v")}, &kmsapi.UntagResourceRequest{KeyId: &key, TagKeys: []string{"k"}},
			}[r.IntN(14)]
			if a := u.send(in); !slices.Contains(allowed, a.code) {
				t.Errorf("%s: %s %s", a.operation, a.code, a.message)
			}
		}
	})
}

// Time runs while others work: keys are destroyed between the steps of their last operations.
func TestOperationsWhileKeysAreDestroyed(t *testing.T) {
	u := newWorld(t).as(alice)
	keep := u.createKey()
	for range 10 {
		id := u.createKey()
		u.createAlias("alias/app", id)
		u.schedule(id)
		together(func(w int) {
			if w == 0 {
				u.advance("7d")
			}
			for _, in := range []request{
				&kmsapi.CreateAliasRequest{AliasName: new("alias/app"), TargetKeyId: &keep}, &kmsapi.CancelKeyDeletionRequest{KeyId: &id},
				&kmsapi.DeleteAliasRequest{AliasName: new("alias/app")}, &kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: new(allow("*", "kms:*"))},
				&kmsapi.ListAliasesRequest{},
			} {
				u.send(in)
			}
		})
		u.send(&kmsapi.DeleteAliasRequest{AliasName: new("alias/app")})
		u.send(&kmsapi.ScheduleKeyDeletionRequest{KeyId: &id, PendingWindowInDays: new(int32(7))})
		u.advance("7d")
		u.untilGone(u.keyPath(id))
	}
	if n := len(u.readRecords().keys); n != 1 {
		t.Errorf("%d keys are left, want 1", n)
	}
}
