package kms_test

import (
	"bytes"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// onSameKey are conditions on kms:ReEncryptOnSameKey, each of which tells two of its states apart.
func onSameKey() []string {
	return []string{
		`{"Null":{"kms:ReEncryptOnSameKey":"true"}}`, `{"Null":{"kms:ReEncryptOnSameKey":"false"}}`,
		`{"Bool":{"kms:ReEncryptOnSameKey":"true"}}`, `{"Bool":{"kms:ReEncryptOnSameKey":"false"}}`,
		`{"BoolIfExists":{"kms:ReEncryptOnSameKey":"true"}}`, `{"BoolIfExists":{"kms:ReEncryptOnSameKey":"false"}}`,
	}
}

// reEncrypts is ReEncrypt of a ciphertext that may have to do with neither key.
func reEncrypts(from *string, to string, ciphertext []byte) *kmsapi.ReEncryptRequest {
	return &kmsapi.ReEncryptRequest{SourceKeyId: from, DestinationKeyId: &to, CiphertextBlob: ciphertext}
}

// Whoever decides on the source of ReEncrypt learns nothing about another account's keys and aliases: neither whether there
// are any, nor where an alias leads.
func TestReEncryptTellsNothingOfAnotherAccount(t *testing.T) {
	w := newWorld(t)
	u, owner := w.as(alice), w.as(bob)
	app := u.newUser("app", allowing("kms:*"))
	own := u.createKey()
	id, other := owner.createKey(), owner.createKey()
	owner.putPolicy(other, rules(rule("Allow", aws(owner.principal()), "*", "", "kms:*"), rule("Allow", aws(u.principal()), "*", "", "kms:ReEncryptFrom")))
	foreign := owner.encrypt(other, secret, nil)
	ciphertext := u.encrypt(own, secret, nil)
	owner.createAlias("alias/elsewhere", id)
	owner.createAlias("alias/same", other)
	otherARN := owner.keyARN(other)
	destinations := []string{owner.keyARN(id), owner.arn("alias/elsewhere"), owner.arn("alias/same")}
	var requests []*kmsapi.ReEncryptRequest
	for _, to := range destinations {
		requests = append(requests, reEncrypts(nil, to, ciphertext), reEncrypts(&own, to, ciphertext), reEncrypts(nil, to, foreign), reEncrypts(&otherARN, to, foreign))
	}
	// Where an alias leads is not to be asked by the source's alias either.
	fromAlias := owner.arn("alias/same")
	requests = append(requests, reEncrypts(&fromAlias, owner.keyARN(id), foreign), reEncrypts(&fromAlias, owner.arn("alias/elsewhere"), foreign))

	ask := func() (bodies [][]byte) {
		for i, condition := range onSameKey() {
			for _, effect := range []string{"Allow", "Deny"} {
				statement := rule(effect, "", "*", condition, "kms:ReEncryptFrom")
				more := "kms:ReEncryptTo"
				if effect == "Deny" {
					more = "kms:ReEncrypt*"
				}
				u.iam("PutUserPolicy", "UserName", "app", "PolicyName", "p0", "PolicyDocument", rules(statement, rule("Allow", "", "*", "", more)))
				u.putPolicy(own, rules(rule("Allow", aws(u.principal()), "*", "", "kms:*")))
				for _, in := range requests {
					a := app.send(in)
					if a.ok() {
						t.Errorf("condition %d, %s: ReEncrypt to %s is allowed", i, effect, *in.DestinationKeyId)
					}
					bodies = append(bodies, a.body)
				}
			}
		}
		return bodies
	}
	before := ask()
	owner.must(&kmsapi.UpdateAliasRequest{AliasName: new("alias/elsewhere"), TargetKeyId: &other})
	led := ask()
	owner.must(&kmsapi.DeleteAliasRequest{AliasName: new("alias/elsewhere")})
	deleted := ask()
	owner.schedule(id)
	u.advance("31d")
	gone := ask()
	for i := range before {
		for name, now := range map[string][]byte{"elsewhere": led[i], "without its alias": deleted[i], "gone": gone[i]} {
			if !bytes.Equal(before[i], now) {
				t.Errorf("answer %d, %s: %s, and was %s", i, name, now, before[i])
			}
		}
	}
	if len(before) < 100 {
		t.Errorf("only %d answers", len(before))
	}
}

// What the caller may know decides: two keys of its own by whatever name, another account's by their ids.
func TestReEncryptOnSameKey(t *testing.T) {
	w := newWorld(t)
	u, owner := w.as(alice), w.as(bob)
	app := u.newUser("app", allowing("kms:*"))
	own, second := u.createKey(), u.createKey()
	u.createAlias("alias/own", own)
	u.createAlias("alias/second", second)
	id, other := owner.createKey(), owner.createKey()
	owner.createAlias("alias/app", id)
	reach := rules(rule("Allow", aws(owner.principal(), u.principal()), "*", "", "kms:*"))
	owner.putPolicy(id, reach)
	owner.putPolicy(other, reach)
	mine, theirs := u.encrypt(own, secret, nil), owner.encrypt(id, secret, nil)
	for _, row := range []struct {
		name, from, to string
		same, differs  bool // what conditions on the source alone let through
		ciphertext     []byte
	}{
		{"own key, by id", own, own, true, false, mine},
		{"own key, by alias", own, "alias/own", true, false, mine},
		{"own key, not named", "", u.arn("alias/own"), true, false, mine},
		{"own keys", own, second, false, true, mine},
		{"own keys, by alias", "alias/own", "alias/second", false, true, mine},
		{"to another account", own, owner.keyARN(id), false, true, mine},
		{"to another account's alias", own, owner.arn("alias/app"), false, true, mine},
		{"another account's key", owner.keyARN(id), owner.keyARN(id), true, false, theirs},
		{"another account's key, not named", "", owner.keyARN(id), true, false, theirs},
		{"another account's keys", "", owner.keyARN(other), false, true, theirs},
		{"to the caller's account", "", own, false, true, theirs},
		{"another account's alias settles nothing", "", owner.arn("alias/app"), false, false, theirs},
		{"another account's alias at the source neither", owner.arn("alias/app"), owner.keyARN(id), false, false, theirs},
	} {
		in := reEncrypts(nil, row.to, row.ciphertext)
		if row.from != "" {
			in.SourceKeyId = &row.from
		}
		for value, want := range map[string]bool{"true": row.same, "false": row.differs} {
			condition := `{"Bool":{"kms:ReEncryptOnSameKey":"` + value + `"}}`
			u.iam("PutUserPolicy", "UserName", "app", "PolicyName", "p0", "PolicyDocument",
				rules(rule("Allow", "", "*", condition, "kms:ReEncryptFrom"), rule("Allow", "", "*", "", "kms:ReEncryptTo")))
			if got := app.may(in); got != want {
				t.Errorf("%s: allowed if it is %s: %v", row.name, value, got)
			}
		}
	}
}
