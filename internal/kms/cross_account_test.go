package kms_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// abroadOperations can be done on the key of another account (Service Authorization Reference, and the "Cross-account use" of
// each operation in the API reference). RetireGrant is too, by the grant (TestWhoMayRetire).
var abroadOperations = strings.Fields("CreateGrant Decapsulate Decrypt DeriveSharedSecret DescribeKey Encapsulate Encrypt GenerateDataKey " +
	"GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GetKeyRotationStatus GetPublicKey " +
	"ListGrants ReEncrypt RevokeGrant Sign Verify VerifyMac")

// TestCrossAccount asks every operation of another account's key, with the four combinations of what the key's policy and
// the caller's own policies say: it takes both. What has to stay in the account is refused whatever they say.
func TestCrossAccount(t *testing.T) {
	cells, allowed, local := 0, 0, map[string]bool{}
	for _, name := range sampleNames() {
		op := operation(name)
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u, v := w.as(alice), w.as(bob)
			for _, owner := range []user{u, v} {
				owner.createAlias(spareAlias, owner.createKey())
			}
			s := u.specimen(kindFor(name))
			s.made.foreign = v.encrypt(spareAlias, secret, nil)
			for _, who := range []struct {
				user
				name     string // of the policy's principal
				identity bool
			}{
				{v.newUser("with", allowing("kms:*")), "user", true}, {v.newUser("without"), "user", false},
				{v.newUser("with2", allowing("kms:*")), "account", true}, {v.newUser("without2"), "account", false},
				{v.newUser("with3", allowing("kms:*")), "everyone", true}, {v.newUser("without3"), "everyone", false},
				{v, "account", true}, {v.assume(v.newRole("app", allowing("kms:*")), "session"), "account", true},
			} {
				for _, policy := range []bool{true, false} {
					cells++
					statement := rule("Allow", aws(map[string]string{"user": who.principal(), "account": bob, "everyone": "*"}[who.name]), "*", "", "kms:*")
					if !policy {
						statement = rule("Allow", aws(alice), "*", "", "kms:*") // the owner's own statement lets nobody else in
					}
					u.putPolicy(s.id, closed(alice, statement))
					s.bring(kmsapi.KeyStateEnabled)
					a := who.send(s.fresh(name, who.user))
					want := policy && who.identity && slices.Contains(abroadOperations, op)
					if !slices.Contains(abroadOperations, op) {
						local[op] = true
					}
					if want {
						allowed++
					}
					if want && !a.accepted() || !want && a.code != "AccessDeniedException" {
						t.Errorf("key policy names %s: %v, identity policies: %v: %q %q", who.name, policy, who.identity, a.code, a.message)
					}
					if !want && !policy {
						s.testLikeMissing(who.user, name, a)
					}
				}
			}
		})
	}
	t.Logf("%d requests, %d of them allowed, %d operations stay in the account", cells, allowed, len(local))
	if cells != len(sampleNames())*16 || allowed != (len(abroadOperations)+1)*5 || len(local) != 25 {
		t.Errorf("%d requests, %d of them allowed, %d operations stay in the account", cells, allowed, len(local))
	}
}

// sampleNames are of all operations that name a key.
func sampleNames() (names []string) {
	for _, s := range samples(keyKinds()[0], new(evidence)) {
		names = append(names, s.operation)
	}
	return names
}

// fresh is a request on the key by its ARN, with a grant that there is.
func (s *specimen) fresh(name string, who user) request {
	s.t.Helper()
	s.grant()
	s.made.grants = s.made.grants[len(s.made.grants)-1:]
	return s.sample(name).make(who, s.arn())
}

// testLikeMissing asks the same of a key that there is not: the answer, and what the audit log says, differ in its id alone.
func (s *specimen) testLikeMissing(who user, name string, a answer) {
	s.t.Helper()
	_, missing := s.nobody()
	s.grant()
	s.made.grants = s.made.grants[len(s.made.grants)-1:]
	b := who.send(s.sample(name).make(who, missing))
	same := strings.NewReplacer(missing, "KEY", s.arn(), "KEY", strings.TrimPrefix(missing, s.keyARN("")), "ID", s.id, "ID")
	if diff := cmp.Diff(same.Replace(a.code+" "+a.message), same.Replace(b.code+" "+b.message)); diff != "" {
		s.t.Errorf("%s: a missing key is told from one that is not the caller's: %s", name, diff)
	}
	if diff := cmp.Diff(recorded(s, same, a), recorded(s, same, b)); diff != "" {
		s.t.Errorf("%s: the audit records differ: %s", name, diff)
	}
}

// recorded is an audit record without what differs between any two requests.
func recorded(s *specimen, same *strings.Replacer, a answer) map[string]any {
	s.t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(same.Replace(string(s.recordOf(a)))), &all); err != nil {
		s.t.Fatal(err)
	}
	for _, member := range []string{"eventID", "eventTime", "requestID", "requestParameters"} {
		delete(all, member)
	}
	if trent, ok := all["trent"].(map[string]any); ok { // its place in the log
		for _, member := range []string{"chain", "sequence", "synced"} {
			delete(trent, member)
		}
	}
	return all
}

// The alias of another account's key serves like the key's ARN to whom the key is allowed, and tells nobody else what it
// points to, nor whether it is there.
func TestAliasOfAnotherAccount(t *testing.T) {
	w := newWorld(t)
	u, v := w.as(alice), w.as(bob)
	id := u.createKey()
	u.createAlias("alias/app", id)
	alias, missing := u.arn("alias/app"), u.arn("alias/nobody")
	in, out := v.newUser("in", allowing("kms:*")), v.newUser("out")
	text := func(who user, arn string) string {
		return "User: " + who.principal() + " is not authorized to perform: kms:Encrypt on resource: " + arn + " because no resource-based policy allows the kms:Encrypt action"
	}
	for _, who := range []user{in, out, v} {
		for _, arn := range []string{alias, missing} {
			a := who.refused(encrypts(arn), "AccessDeniedException", text(who, arn))
			if e := w.eventOf(a); len(e.Resources) != 0 {
				t.Errorf("%s: the record names %v", arn, e.Resources)
			}
		}
	}
	u.putPolicy(id, closed(alice, rule("Allow", aws(bob), "*", "", "kms:*")))
	if got := *do[kmsapi.EncryptResponse](in, encrypts(alias)).KeyId; got != u.keyARN(id) {
		t.Errorf("KeyId %s", got)
	}
	if out.may(encrypts(alias)) || in.may(encrypts(missing)) {
		t.Error("allowed")
	}
	// kms:RequestAlias is the alias's name; policies are about the key, and not about the alias's ARN.
	only := conditionJSON(condition{"StringEquals", "kms:RequestAlias", []string{"alias/app"}})
	u.putPolicy(id, closed(alice, rule("Allow", aws(bob), "*", only, "kms:*")))
	if !in.may(encrypts(alias)) || in.may(encrypts(u.keyARN(id))) {
		t.Error("kms:RequestAlias does not decide")
	}
	u.putPolicy(id, closed(alice, rule("Allow", aws(bob), "*", "", "kms:*")))
	byKey := v.newUser("key", identity("Allow", u.keyARN(id), "", "kms:*"))
	byAlias := v.newUser("alias", identity("Allow", alias, "", "kms:*"))
	if !byKey.may(encrypts(alias)) || byAlias.may(encrypts(alias)) {
		t.Error("an identity policy is about the alias's ARN")
	}
	// A name without an account is the caller's own.
	in.refused(encrypts("alias/app"), "NotFoundException", "Alias "+v.arn("alias/app")+" is not found.")
}

// A ciphertext's key is not told to whom it is not allowed, of whichever account it is (rule of Decrypt without KeyId).
func TestDecryptHidesTheKey(t *testing.T) {
	w := newWorld(t)
	u, v := w.as(alice), w.as(bob)
	id, gone := u.createClosed(), u.createKey()
	ciphertext, orphan := u.encrypt(id, secret, nil), u.encrypt(gone, secret, nil)
	u.schedule(gone)
	u.advance("8d")
	w.untilGone(u.keyPath(gone))
	v.createAlias(spareAlias, v.createKey())
	u.createAlias(spareAlias, u.createKey())
	_, hidden, _ := strings.Cut(isHidden, " ")
	for _, who := range []user{u.newUser("app", allowing("kms:*")), u.newUser("none"), v, v.newUser("app", allowing("kms:*"))} {
		for _, blob := range [][]byte{ciphertext, orphan} {
			a := who.refused(&kmsapi.DecryptRequest{CiphertextBlob: blob}, "AccessDeniedException", hidden)
			who.refused(&kmsapi.ReEncryptRequest{CiphertextBlob: blob, DestinationKeyId: new(spareAlias)}, "AccessDeniedException", hidden)
			if e := w.eventOf(a); who.account == bob && len(e.Resources) != 0 {
				t.Errorf("the record names %v", e.Resources)
			}
		}
	}
	// Who names the key is told what is missing.
	app := u.newUser("named")
	app.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: &id}, "AccessDeniedException",
		"User: "+app.principal()+" is not authorized to perform: kms:Decrypt on resource: "+u.keyARN(id)+" because no resource-based policy allows the kms:Decrypt action")
}

// ReEncrypt across accounts takes the permission of both keys' accounts, and of the caller's own.
func TestReEncryptAcrossAccounts(t *testing.T) {
	w := newWorld(t)
	u, v := w.as(alice), w.as(bob)
	const own = "333344445555"
	third := w.as(own)
	for _, row := range []struct{ from, to, identity bool }{
		{true, true, true}, {true, true, false}, {true, false, true}, {false, true, true}, {false, false, true}, {false, false, false},
	} {
		from, to := u.createKey(), v.createKey()
		ciphertext := u.encrypt(from, secret, nil)
		if row.from {
			u.putPolicy(from, closed(alice, rule("Allow", aws(own), "*", "", "kms:ReEncryptFrom")))
		}
		if row.to {
			v.putPolicy(to, closed(bob, rule("Allow", aws(own), "*", "", "kms:ReEncryptTo")))
		}
		name := "app-" + from[:8]
		who := third.newUser(name)
		if row.identity {
			third.iam("PutUserPolicy", "UserName", name, "PolicyName", "p", "PolicyDocument", rules(
				rule("Allow", "", u.keyARN(from), "", "kms:ReEncryptFrom"), rule("Allow", "", v.keyARN(to), "", "kms:ReEncryptTo")))
		}
		in := &kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, SourceKeyId: new(u.keyARN(from)), DestinationKeyId: new(v.keyARN(to))}
		if got, want := who.may(in), row.from && row.to && row.identity; got != want {
			t.Errorf("%+v: allowed %v", row, got)
		}
		in.SourceKeyId = nil
		if got, want := who.may(in), row.from && row.to && row.identity; got != want {
			t.Errorf("%+v, source unnamed: allowed %v", row, got)
		}
	}
}

// A grant that another account's principal creates has that account as its issuer, whose root user may retire it.
func TestIssuingAccount(t *testing.T) {
	w := newWorld(t)
	u, v := w.as(alice), w.as(bob)
	id := u.createClosed(rule("Allow", aws(bob), "*", "", "kms:CreateGrant"))
	creator, grantee := v.newUser("creator", allowing("kms:CreateGrant")), v.newUser("grantee", allowing("kms:Encrypt"))
	arn := u.keyARN(id)
	grant, token := creator.createGrant(&kmsapi.CreateGrantRequest{KeyId: &arn, GranteePrincipal: new(grantee.principal()), Operations: operations{"Encrypt"}})
	if got := *u.grant(id, grant).IssuingAccount; got != v.principal() {
		t.Errorf("issuing account %s", got)
	}
	grantee.must(encrypts(arn))
	if u.may(&kmsapi.RetireGrantRequest{KeyId: &arn, GrantId: &grant}) {
		t.Error("the key's account has not issued the grant, and retires it")
	}
	v.must(&kmsapi.RetireGrantRequest{GrantToken: &token})
	if grantee.may(encrypts(arn)) {
		t.Error("the grant has not ended")
	}
}
