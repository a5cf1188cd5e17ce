package iam_test

import (
	"net/http"
	"strings"
	"testing"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

func TestAccessKeysStopAtOnce(t *testing.T) {
	root := newWorld(t).root(account)
	root.furnish()
	root.putUserPolicy("bob", "self", allow("iam:*AccessKey*", root.arn("user/${aws:username}"), ""))
	bob := root.as("bob")
	id := bob.credential.AccessKeyID
	bob.must(&iamapi.ListAccessKeysRequest{})
	set := func(s iamapi.StatusType) {
		root.must(&iamapi.UpdateAccessKeyRequest{UserName: new("bob"), AccessKeyId: &id, Status: &s})
		got := do[iamapi.ListAccessKeysResponse](root, &iamapi.ListAccessKeysRequest{UserName: new("bob")}).AccessKeyMetadata
		if len(got) != 1 || *got[0].Status != s || *got[0].AccessKeyId != id || *got[0].UserName != "bob" {
			t.Errorf("%d keys, %s", len(got), *got[0].Status)
		}
	}
	set(iamapi.StatusTypeInactive)
	bob.refused(&iamapi.ListAccessKeysRequest{}, "InvalidClientTokenId", "The security token included in the request is invalid.")
	set(iamapi.StatusTypeInactive)
	set(iamapi.StatusTypeActive)
	second := bob.asSelf()
	second.must(&iamapi.DeleteAccessKeyRequest{AccessKeyId: &id})
	bob.refusedAs(&iamapi.ListAccessKeysRequest{}, "InvalidClientTokenId")
	used := do[iamapi.GetAccessKeyLastUsedResponse](root, &iamapi.GetAccessKeyLastUsedRequest{AccessKeyId: &second.credential.AccessKeyID})
	if *used.UserName != "bob" || *used.AccessKeyLastUsed.ServiceName != "N/A" || used.AccessKeyLastUsed.LastUsedDate != nil {
		t.Errorf("got %s %s", *used.UserName, *used.AccessKeyLastUsed.ServiceName)
	}
	root.root(other).refusedAs(&iamapi.GetAccessKeyLastUsedRequest{AccessKeyId: &second.credential.AccessKeyID}, "NoSuchEntity")
}

// asSelf makes another access key for the caller itself.
func (p principal) asSelf() principal {
	p.t.Helper()
	k := do[iamapi.CreateAccessKeyResponse](p, &iamapi.CreateAccessKeyRequest{}).AccessKey
	return p.with(k)
}

func TestRootHasAccessKeys(t *testing.T) {
	w := newWorld(t)
	dev := w.root(account)
	k, txn, err := w.iam.NewRootKey(account, w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Commit(t.Context(), txn); err != nil {
		t.Fatal(err)
	}
	first := principal{w, account, sigv4.Credential{AccessKeyID: k.ID, Secret: k.Secret}}
	second := first.asSelf()
	if got := second.whoAmI(); got != dev.arn("root") {
		t.Errorf("the key is of %s", got)
	}
	dev.refused(&iamapi.CreateAccessKeyRequest{}, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	if got := do[iamapi.ListAccessKeysResponse](first, &iamapi.ListAccessKeysRequest{}).AccessKeyMetadata; len(got) != 2 {
		t.Errorf("%d keys", len(got))
	}
	if got := do[iamapi.GetAccountSummaryResponse](dev, &iamapi.GetAccountSummaryRequest{}).SummaryMap["AccountAccessKeysPresent"]; got != 1 {
		t.Errorf("AccountAccessKeysPresent is %d", got)
	}
	if got := do[iamapi.GetUserResponse](first, &iamapi.GetUserRequest{}).User; *got.Arn != dev.arn("root") || *got.UserId != account {
		t.Errorf("root is %s", *got.Arn)
	}
	// Nobody deletes another's key under the wrong name, and no other account's.
	w.root(other).refusedAs(&iamapi.DeleteAccessKeyRequest{AccessKeyId: &k.ID}, "NoSuchEntity")
	dev.createUser("bob")
	dev.refusedAs(&iamapi.DeleteAccessKeyRequest{UserName: new("bob"), AccessKeyId: &k.ID}, "NoSuchEntity")
	second.must(&iamapi.DeleteAccessKeyRequest{AccessKeyId: &k.ID})
	first.refusedAs(&iamapi.GetUserRequest{}, "InvalidClientTokenId")
	dev.asSelf()
}

// Secrets are shown once: in the answer that made them, and nowhere else.
func TestSecretsAreShownOnce(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	root.createUser("bob")
	bob := root.as("bob")
	secret := string(bob.credential.Secret.Expose())
	if len(secret) != 40 {
		t.Errorf("a secret of %d characters", len(secret))
	}
	for _, in := range []request{
		&iamapi.ListAccessKeysRequest{UserName: new("bob")}, &iamapi.GetAccessKeyLastUsedRequest{AccessKeyId: &bob.credential.AccessKeyID},
		&iamapi.GetAccountAuthorizationDetailsRequest{}, &iamapi.GetUserRequest{UserName: new("bob")},
	} {
		if a := root.must(in); strings.Contains(a.body, secret) {
			t.Errorf("%s shows the secret", a.operation)
		}
	}
	for key, value := range w.records("") {
		if strings.Contains(string(value), secret) {
			t.Errorf("%s shows the secret", key)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	made := 0
	for _, e := range w.events {
		if strings.Contains(e, `"eventName":"CreateAccessKey"`) && strings.Contains(e, bob.credential.AccessKeyID) {
			made++
		}
	}
	if made != 1 || len(w.secrets) != 1 {
		t.Errorf("%d records of the key, %d secrets", made, len(w.secrets))
	}
}

// A store that is not trusted can move and change records. It must not make one user of another, nor raise the dead.
func TestMovedRecordsMakeNobodyElse(t *testing.T) {
	w := newWorld(t)
	w.crooked = true
	root := w.root(account)
	admin, bob := root.createUser("admin"), root.createUser("bob")
	root.putUserPolicy("admin", "all", allowAll)
	a, b := root.as("admin"), root.as("bob")
	path := func(p principal) string { return "iam/access-key/" + p.credential.AccessKeyID }
	records := w.records("iam/")
	restore := func() {
		for key, value := range records {
			w.set(key, string(value))
		}
	}
	w.setFaulty(true)
	for _, tt := range []struct {
		name       string
		key, value string
	}{
		{"bob's key given to the admin", path(b), strings.Replace(string(records[path(b)]), *bob.UserId, *admin.UserId, 1)},
		{"bob's key given to the root user", path(b), strings.Replace(string(records[path(b)]), `"user":"`+*bob.UserId+`",`, "", 1)},
		{"bob's key given to the root user of what is no account", path(b), strings.Replace(strings.Replace(string(records[path(b)]),
			`"user":"`+*bob.UserId+`",`, "", 1), account, account+"/"+*bob.UserId, 1)},
		{"bob's key given to another account", path(b), strings.Replace(string(records[path(b)]), account, other, 1)},
		{"the admin's key under bob's name", path(b), string(records[path(a)])},
		{"the admin under bob's id", "iam/entity/" + *bob.UserId, string(records["iam/entity/"+*admin.UserId])},
		{"bob in another account", "iam/entity/" + *bob.UserId, strings.Replace(string(records["iam/entity/"+*bob.UserId]), account, other, 1)},
	} {
		restore()
		w.set(tt.key, tt.value)
		if got := b.send(&iamapi.ListUsersRequest{}); got.status == http.StatusOK || got.code == "AccessDenied" {
			t.Errorf("%s: bob is let in: %d %s", tt.name, got.status, got.code)
		}
	}
	restore()
	w.set("iam/name/user/"+account+"/bob", string(records["iam/name/user/"+account+"/admin"]))
	root.refusedAs(&iamapi.GetUserRequest{UserName: new("bob")}, "NoSuchEntity")
	restore()
	b.refusedAs(&iamapi.ListUsersRequest{}, "AccessDenied") // as it should be
	root.must(&iamapi.DeleteAccessKeyRequest{UserName: new("bob"), AccessKeyId: &b.credential.AccessKeyID})
	w.set(path(b), string(records[path(b)]))
	b.refusedAs(&iamapi.ListUsersRequest{}, "InvalidClientTokenId")
}

// set writes a record as it is.
func (w *world) set(key, value string) {
	w.t.Helper()
	if _, err := w.store.Commit(w.t.Context(), store.Txn{Puts: []store.Put{{Key: key, Value: []byte(value)}}}); err != nil {
		w.t.Fatal(err)
	}
}

// lose deletes a record.
func (w *world) lose(key string) {
	w.t.Helper()
	if _, err := w.store.Commit(w.t.Context(), store.Txn{Deletes: []string{key}}); err != nil {
		w.t.Fatal(err)
	}
}

// with is the principal with another access key.
func (p principal) with(k *iamapi.AccessKey) principal {
	p.mu.Lock()
	p.secrets = append(p.secrets, *k.SecretAccessKey)
	p.mu.Unlock()
	return principal{p.world, p.account, sigv4.Credential{AccessKeyID: *k.AccessKeyId, Secret: material.Take([]byte(*k.SecretAccessKey))}}
}
