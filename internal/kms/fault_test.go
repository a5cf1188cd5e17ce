package kms_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

// changes has a sample of every change, on the key that id names; the key has spareAlias, a tag, and is pending deletion
// for CancelKeyDeletion.
func changes(t *testing.T) []sample {
	t.Helper()
	reads := map[string]bool{"DescribeKey": true, "GetKeyPolicy": true, "ListAliases": true, "ListKeyPolicies": true, "ListResourceTags": true, "EnableKey": true}
	all := []sample{
		{"CreateKey", false, func(user, string) request { return &kmsapi.CreateKeyRequest{} }},
		{"DeleteAlias", false, func(user, string) request { return &kmsapi.DeleteAliasRequest{AliasName: new("alias/of-key")} }},
		{"EnableKey of a disabled key", false, func(_ user, id string) request { return &kmsapi.EnableKeyRequest{KeyId: &id} }},
		{"first use of a managed key", true, func(user, string) request { return &kmsapi.DescribeKeyRequest{KeyId: new("alias/aws/s3")} }},
	}
	for _, s := range administration() {
		if !reads[s.operation] {
			all = append(all, s)
		}
	}
	if len(all) != 13 {
		t.Fatalf("%d changes", len(all))
	}
	return all
}

// prepare makes the key that a change needs, and another one with spareAlias.
func prepare(u user, s sample) (id string) {
	u.t.Helper()
	id = u.createKey()
	u.createAlias("alias/of-key", id)
	u.createAlias(spareAlias, u.createKey())
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags("k=old")})
	switch s.operation {
	case "CancelKeyDeletion":
		u.schedule(id)
	case "EnableKey of a disabled key":
		u.disable(id)
	}
	return id
}

var ignoreInternals = cmp.Options{cmp.AllowUnexported(records{}), cmpopts.IgnoreUnexported(kms.Key{})}

// TestChangesMeetStoreFaults has every change meet every fault: applied or not, told or not.
func TestChangesMeetStoreFaults(t *testing.T) {
	for _, s := range changes(t) {
		for _, f := range []struct {
			name string
			fault
			ok        bool // the caller is told that it succeeded
			unchanged bool // nothing has happened
		}{
			{"write lost", fault{false, errDisk}, false, true},
			{"answer lost", fault{true, errDisk}, false, false},
			{"conflict with nobody", fault{false, store.ErrConflict}, true, false},
		} {
			t.Run(s.operation+"/"+f.name, func(t *testing.T) {
				w := newWorld(t)
				u := w.as(alice)
				id := prepare(u, s)
				before := w.readRecords()
				w.setFaulty(true)
				w.faults.fail(f.fault)
				a := u.send(s.make(u, id))
				switch {
				case w.faults.left() != 0:
					t.Fatal("the change committed nothing")
				case f.ok && !a.ok():
					t.Errorf("%s %s", a.code, a.message)
				case !f.ok && (a.code != "KMSInternalException" || strings.Contains(a.message, "disk")):
					t.Errorf("got %d %q %q, want KMSInternalException without its cause", a.status, a.code, a.message)
				}
				if diff := cmp.Diff(before, w.readRecords(), ignoreInternals); (diff == "") != f.unchanged {
					t.Errorf("records changed: %s", diff)
				}
				w.setFaulty(false)
				testSeesItsOwnWrites(t, u, id)
			})
		}
	}
}

// testSeesItsOwnWrites asks for what is in the store, which a cache must not hide, and changes it.
func testSeesItsOwnWrites(t *testing.T, u user, id string) {
	t.Helper()
	k := u.readRecords().keys[u.keyPath(id)]
	shown := u.describe(id)
	if *shown.KeyState != k.State || *shown.Description != k.Description || u.tagsOf(id) != tagsText(k.Tags) {
		t.Errorf("shown: %s %q, stored: %s %q", *shown.KeyState, *shown.Description, k.State, k.Description)
	}
	u.must(&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: new(allow("*", "kms:*"))})
	if got := u.policyOf(id); got != allow("*", "kms:*") {
		t.Errorf("the next change is lost: %s", got)
	}
}

func tagsText(list []kms.Tag) string {
	var parts []string
	for _, t := range list {
		parts = append(parts, t.Key+"="+t.Value)
	}
	return strings.Join(parts, " ")
}

// A store that never stops conflicting is an error in the end, not a request that hangs.
func TestEndlessConflictsEnd(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.setFaulty(true)
	for range 200 {
		u.faults.fail(fault{false, store.ErrConflict})
	}
	u.refusedAs(&kmsapi.UpdateKeyDescriptionRequest{KeyId: &id, Description: new("d")}, "KMSInternalException")
}

// A store that answers to one key with the record of another, as its owner could arrange, gives nobody a key.
func TestRecordsInTheWrongPlaceAreRefused(t *testing.T) {
	w := newWorld(t)
	u, thief := w.as(alice), w.as(bob)
	id, other := u.createKey(), u.createKey()
	ciphertext := u.encrypt(id, secret, nil)
	record, err := w.store.Get(t.Context(), u.keyPath(id))
	if err != nil {
		t.Fatal(err)
	}
	w.setFaulty(true)
	for name, where := range map[string]user{"another account": thief, "another Region": u.in(abroad)} {
		path := where.keyPath(id)
		commit(t, w.store, store.Txn{Puts: []store.Put{{Key: path, Value: record.Value}}})
		for _, in := range []request{
			&kmsapi.DescribeKeyRequest{KeyId: &id}, &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: &id},
			&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret)}, &kmsapi.ListKeysRequest{}, &kmsapi.GetKeyPolicyRequest{KeyId: &id},
		} {
			if a := where.send(in); a.code != "KMSInternalException" {
				t.Errorf("%s: %s got %d %q", name, a.operation, a.status, a.code)
			}
		}
		if a := where.send(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext}); a.ok() {
			t.Errorf("%s: decrypted", name)
		}
		commit(t, w.store, store.Txn{Deletes: []string{path}})
	}
	// Material under another key's name does not open.
	mixed := strings.ReplaceAll(string(record.Value), id, other)
	commit(t, w.store, store.Txn{Puts: []store.Put{{Key: u.keyPath(other), Value: []byte(mixed)}}})
	u.refusedAs(&kmsapi.EncryptRequest{KeyId: &other, Plaintext: []byte(secret)}, "KMSInternalException")
}

func commit(t *testing.T, s store.Store, txn store.Txn) {
	t.Helper()
	if _, err := s.Commit(context.WithoutCancel(t.Context()), txn); err != nil {
		t.Fatal(err)
	}
}

// A record that cannot be read is an error for its own key; all else goes on.
func TestDamagedRecordHurtsItsOwnKeyOnly(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	good, err := w.store.Get(t.Context(), u.keyPath(id))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"", "x", "{}", `{"v":2}`, `{"v":1}`, "null"} {
		commit(t, w.store, store.Txn{Puts: []store.Put{{Key: u.keyPath(id), Value: []byte(value)}}})
		w.setFaulty(true)
		a := u.refusedAs(&kmsapi.DescribeKeyRequest{KeyId: &id}, "KMSInternalException")
		w.setFaulty(false)
		if strings.Contains(a.message, "record") {
			t.Errorf("the caller is told about records: %s", a.message)
		}
		u.describe(other)
	}
	commit(t, w.store, store.Txn{Puts: []store.Put{{Key: u.keyPath(id), Value: good.Value}}})
	u.describe(id)
}
