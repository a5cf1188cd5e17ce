package kms_test

import (
	"fmt"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/store"
)

// aliasOperations are the operations that name an alias to change it.
func aliasOperations(name, target string) []request {
	return []request{
		&kmsapi.CreateAliasRequest{AliasName: &name, TargetKeyId: &target},
		&kmsapi.UpdateAliasRequest{AliasName: &name, TargetKeyId: &target},
		&kmsapi.DeleteAliasRequest{AliasName: &name},
	}
}

func TestAliasNames(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	const prefix = `Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`
	for _, row := range []struct {
		name, alias string
		code        string // of all three operations
		message     string // "": any
	}{
		{"no prefix", "app", "ValidationException", prefix},
		{"prefix in another case", "Alias/app", "ValidationException", prefix},
		{"another prefix", "/alias/app", "ValidationException", prefix},
		{"a key id", id, "ValidationException", prefix},
		{"an alias ARN", u.arn("alias/app"), "ValidationException", prefix},
		{"reserved for AWS", "alias/aws/app", "NotAuthorizedException", ""},
		{"reserved for AWS, one that exists there", "alias/aws/s3", "NotAuthorizedException", ""},
		{"reserved for AWS, no name", "alias/aws/", "NotAuthorizedException", ""},
		{"space", "alias/a b", "ValidationException", "1 validation error detected: Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
		{"line break at the end", "alias/a\n", "ValidationException", ""},
		{"not ASCII", "alias/é", "ValidationException", ""},
		{"asterisk", "alias/*", "ValidationException", ""},
		{"empty", "", "ValidationException", ""},
		{"too long", "alias/" + strings.Repeat("a", 251), "ValidationException", ""},
	} {
		for _, in := range aliasOperations(row.alias, id) {
			a := u.send(in)
			if a.code != row.code || row.message != "" && a.message != row.message {
				t.Errorf("%s %s: got %q %q, want %q %q", row.name, a.operation, a.code, a.message, row.code, row.message)
			}
		}
	}
	for _, ok := range []string{"alias/a", "alias/" + strings.Repeat("a", 250), "alias/aws", "alias/aws-x", "alias/AZaz09:/_-", "alias//", "alias/a//b/", "alias/alias/a"} {
		for _, in := range aliasOperations(ok, id) {
			u.must(in)
		}
	}
	u.refusedAs(aliasOperations("alias/", id)[0], "InvalidAliasNameException")
	for _, in := range aliasOperations("alias/", id)[1:] { // whose models have no InvalidAliasNameException
		u.refused(in, "NotFoundException", "Alias "+u.arn("alias/")+" is not found.")
	}
}

func TestAliasNameIsUniqueInAccountAndRegion(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	u.createAlias("alias/app", id)
	for _, target := range []string{id, other} {
		u.refused(aliasOperations("alias/app", target)[0], "AlreadyExistsException", "An alias with the name "+u.arn("alias/app")+" already exists")
	}
	u.createAlias("alias/App", other)
	for _, elsewhere := range []user{w.as(bob), u.in(abroad)} {
		elsewhere.createAlias("alias/app", elsewhere.createKey())
	}
	if got := *u.describe("alias/app").KeyId; got != id {
		t.Errorf("alias/app is key %s, want %s", got, id)
	}
}

func TestMissingAlias(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, in := range aliasOperations("alias/absent", u.createKey())[1:] {
		u.refused(in, "NotFoundException", "Alias "+u.arn("alias/absent")+" is not found.")
	}
}

func TestFiftyAliasesForOneKey(t *testing.T) {
	u := newWorld(t).as(alice)
	full, other := u.createKey(), u.createKey()
	for i := range 50 {
		u.createAlias(fmt.Sprintf("alias/%d", i), full)
	}
	u.createAlias("alias/other", other)
	u.refusedAs(aliasOperations("alias/51", full)[0], "LimitExceededException")
	u.refusedAs(aliasOperations("alias/other", full)[1], "LimitExceededException")
	u.must(aliasOperations("alias/7", full)[1]) // stays where it is
	u.must(aliasOperations("alias/7", other)[1])
	u.must(aliasOperations("alias/other", full)[1])
	u.must(aliasOperations("alias/8", "")[2])
	u.createAlias("alias/51", full)
	u.refusedAs(aliasOperations("alias/52", full)[0], "LimitExceededException")
}

func TestUpdateAliasPointsToAnotherKey(t *testing.T) {
	u := newWorld(t).as(alice)
	first, second := u.createKey(), u.createKey()
	u.createAlias("alias/app", first)
	before := do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{}).Aliases[0]
	ciphertext := u.encrypt("alias/app", secret, nil)
	u.advance("1h")
	u.must(aliasOperations("alias/app", u.keyARN(second))[1])
	after := do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{}).Aliases[0]
	if *after.TargetKeyId != second || *u.describe("alias/app").KeyId != second {
		t.Errorf("the alias points to %s, want %s", *after.TargetKeyId, second)
	}
	if !after.CreationDate.Equal(*before.CreationDate) || after.LastUpdatedDate.Sub(*before.LastUpdatedDate).Hours() < 1 {
		t.Errorf("created %s, now %s; updated %s, now %s", before.CreationDate, after.CreationDate, before.LastUpdatedDate, after.LastUpdatedDate)
	}
	if got := u.decrypt(ciphertext, nil); got != secret {
		t.Errorf("what the alias encrypted before decrypts to %q", got)
	}
	for key, want := range map[string]int{first: 0, second: 1} {
		if got := len(do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{KeyId: &key}).Aliases); got != want {
			t.Errorf("key %s has %d aliases, want %d", key, got, want)
		}
	}
	u.must(aliasOperations("alias/app", second)[1]) // to the key it points to
}

func TestDeleteAliasLeavesTheKey(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.createAlias("alias/app", id)
	u.createAlias("alias/app2", id)
	u.must(aliasOperations("alias/app", "")[2])
	if u.keyState(id) != "Enabled" || u.keyState("alias/app") != "" || u.keyState("alias/app2") != "Enabled" {
		t.Error("the key or the other alias has suffered")
	}
	u.refused(aliasOperations("alias/app", "")[2], "NotFoundException", "Alias "+u.arn("alias/app")+" is not found.")
	u.createAlias("alias/app", u.createKey())
}

func TestAliasTargets(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	u.createAlias("alias/app", u.createKey())
	u.createAlias("alias/other", u.createKey())
	managed := *u.describe("alias/aws/s3").KeyId
	foreign := w.as(bob).keyARN(w.as(bob).createKey())
	for _, row := range []struct{ name, target, code string }{
		{"an alias", "alias/other", "NotFoundException"},
		{"an alias ARN", u.arn("alias/other"), "NotFoundException"},
		{"a key of another account", foreign, "AccessDeniedException"},
		{"a key of another Region", u.in(abroad).keyARN(u.in(abroad).createKey()), "NotFoundException"},
		{"a key that AWS manages", managed, "AccessDeniedException"},
		{"no key", "00000000-0000-4000-8000-000000000000", "NotFoundException"},
	} {
		for i, name := range []string{"alias/new", "alias/app"} {
			if a := u.send(aliasOperations(name, row.target)[i]); a.code != row.code {
				t.Errorf("%s, %s: got %q %q, want %q", row.name, a.operation, a.code, a.message, row.code)
			}
		}
	}
}

// An alias that has gone, or gone elsewhere, between the reading of a key and of its aliases is not shown as the key's.
func TestListAliasesOfAKeyShowsOnlyItsOwn(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	path := u.aliasPath("alias/b")
	for _, name := range []string{"alias/a", "alias/b", "alias/c"} {
		u.createAlias(name, id)
	}
	own, err := w.store.Get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := strings.Replace(string(own.Value), id, "00000000-0000-4000-8000-000000000000", 1)
	for _, txn := range []store.Txn{{Deletes: []string{path}}, {Puts: []store.Put{{Key: path, Value: []byte(elsewhere)}}}} {
		commit(t, w.store, txn)
		out := do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{KeyId: &id})
		if len(out.Aliases) != 2 || *out.Aliases[0].AliasName != "alias/a" || *out.Aliases[1].AliasName != "alias/c" {
			t.Errorf("%d aliases", len(out.Aliases))
		}
	}
	commit(t, w.store, store.Txn{Puts: []store.Put{{Key: path, Value: own.Value}}})
}

func TestListAliasesShowsAll(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	u.createAlias("alias/b", id)
	u.createAlias("alias/a", id)
	u.createAlias("alias/c", u.createKey())
	w.as(bob).createAlias("alias/d", w.as(bob).createKey())
	u.in(abroad).createAlias("alias/e", u.in(abroad).createKey())
	for _, row := range []struct {
		name string
		in   kmsapi.ListAliasesRequest
		want string
	}{
		{"of the account and Region", kmsapi.ListAliasesRequest{}, "[alias/a alias/b alias/c]"},
		{"of a key", kmsapi.ListAliasesRequest{KeyId: &id}, "[alias/a alias/b]"},
		{"of a key by ARN", kmsapi.ListAliasesRequest{KeyId: new(u.keyARN(id))}, "[alias/a alias/b]"},
		{"of a key without", kmsapi.ListAliasesRequest{KeyId: new(u.createKey())}, "[]"},
	} {
		out := do[kmsapi.ListAliasesResponse](u, &row.in)
		var names []string
		for _, a := range out.Aliases {
			names = append(names, *a.AliasName)
			if *a.AliasArn != u.arn(*a.AliasName) || a.TargetKeyId == nil || a.CreationDate == nil || !a.CreationDate.Equal(*a.LastUpdatedDate) {
				t.Errorf("%s: entry %+v", row.name, a)
			}
		}
		if got := fmt.Sprint(names); got != row.want || *out.Truncated {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}
