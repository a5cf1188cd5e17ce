package kms_test

import (
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// TestKeyIdentifierForms is rules C2 to C2h: which forms each operation takes, and what it says to the others.
func TestKeyIdentifierForms(t *testing.T) {
	tested := map[string]bool{}
	for _, s := range anyKey() {
		tested[operation(s.operation)] = true
		t.Run(s.operation, func(t *testing.T) {
			w := newWorld(t)
			u := w.as(alice)
			u.createAlias(spareAlias, u.createKey())
			u.in(abroad).createAlias(spareAlias, u.in(abroad).createKey())
			testForms(t, u, s.operation)
			testWrongForms(t, u, s)
		})
	}
	if len(tested) != 45 {
		t.Errorf("%d operations, want 45", len(tested))
	}
}

// testForms sends the operation with each form, each time to a key of its own that the operation takes.
func testForms(t *testing.T, u user, name string) {
	t.Helper()
	for _, form := range []struct {
		name    string
		of      func(s *specimen) string
		isAlias bool
	}{
		{"key id", func(s *specimen) string { return s.id }, false},
		{"key ARN", func(s *specimen) string { return s.arn() }, false},
		{"alias name", func(s *specimen) string { return s.made.aliases[0] }, true},
		{"alias ARN", func(s *specimen) string { return s.user.arn(s.made.aliases[0]) }, true},
	} {
		key := u.specimen(kindFor(name))
		if name == "CancelKeyDeletion" {
			key.schedule(key.id)
		}
		s := key.sample(name)
		id := form.of(key)
		a := key.send(s.make(key.user, id))
		u.send(&kmsapi.DeleteAliasRequest{AliasName: new("alias/new")})
		want := "NotFoundException Invalid keyId '" + id + "'"
		switch {
		case !form.isAlias && name != "RetireGrant", form.isAlias && s.anyForm, form.name == "key ARN":
			if !a.accepted() {
				t.Errorf("%s: %s %s", form.name, a.code, a.message)
			}
			continue
		case name == "RetireGrant" && !strings.HasPrefix(id, "arn:"): // key ARNs only
			want = "InvalidArnException Invalid arn " + id
		}
		if got := a.code + " " + a.message; got != want {
			t.Errorf("%s: got %q, want %q", form.name, got, want)
		}
	}
}

// sample is the key's own sample of an operation.
func (s *specimen) sample(name string) sample {
	all := samples(s.kind, &s.made)
	return all[slices.IndexFunc(all, func(one sample) bool { return one.operation == name })]
}

// anyKey are samples for whom it does not matter which key they name, for it is going to be refused.
func anyKey() []sample {
	return samples(keyKinds()[0], &evidence{signature: []byte("x"), mac: []byte("x"), encapsulated: []byte("x"), token: []byte("x"), wrapped: []byte("x")})
}

func testWrongForms(t *testing.T, u user, s sample) {
	t.Helper()
	absent, absentARN := u.nobody()
	errors, err := modeled()
	if err != nil {
		t.Fatal(err)
	}
	malformed := "NotFoundException"
	if slices.Contains(errors[operation(s.operation)], "InvalidArnException") {
		malformed = "InvalidArnException"
	}
	const mrk = "mrk-1234567890abcdef1234567890abcdef"
	rows := []struct{ name, id, code, message string }{
		{"absent key id (C2f)", absent, "NotFoundException", "Key '" + absentARN + "' does not exist"},
		{"absent key ARN (C2f)", absentARN, "NotFoundException", "Key '" + absentARN + "' does not exist"},
		{"absent multi-Region key", mrk, "NotFoundException", "Key '" + u.keyARN(mrk) + "' does not exist"},
		{"neither id nor alias nor ARN (C2e)", "not-a-key", "NotFoundException", "Invalid keyId 'not-a-key'"},
		{"key id in upper case", strings.ToUpper(absent), "NotFoundException", "Invalid keyId '" + strings.ToUpper(absent) + "'"},
		{"key id without dashes", strings.ReplaceAll(absent, "-", ""), "NotFoundException", "Invalid keyId '" + strings.ReplaceAll(absent, "-", "") + "'"},
		{"key id with a line break", absent + "\n", "NotFoundException", "Invalid keyId '" + absent + "\n'"},
		{"path instead of an id", "../" + absent, "NotFoundException", "Invalid keyId '../" + absent + "'"},
		{"resource part of an ARN", "key/" + absent, "NotFoundException", "Invalid keyId 'key/" + absent + "'"},
		{"another Region (C2d)", u.in(abroad).keyARN(absent), "NotFoundException", "Invalid arn " + abroad},
		{"another Region of the partition", strings.Replace(absentARN, region, "us-west-2", 1), "NotFoundException", "Invalid arn us-west-2"},
		{"another partition", strings.Replace(absentARN, "arn:aws:", "arn:aws-cn:", 1), "NotFoundException", "Invalid arn " + region},
		{"another Region, alias", u.in(abroad).arn("alias/x"), "NotFoundException", "Invalid arn " + abroad},
		{"ARN of another service", strings.Replace(absentARN, ":kms:", ":s3:", 1), malformed, ""},
		{"ARN without a Region and account", "arn:aws:kms:key/" + absent, malformed, ""},
		{"ARN with an account that is none", strings.Replace(absentARN, alice, "12345", 1), malformed, ""},
		{"ARN without a resource", u.arn(""), malformed, ""},
		{"ARN of something else", u.arn("grant/" + absent), malformed, ""},
		{"ARN of a bare id", u.arn(absent), malformed, ""},
		{"ARN of an alias under key/", u.arn("key/" + spareAlias), malformed, ""},
		{"arn: alone", "arn:", malformed, ""},
		{"key ARN with a bad id", u.keyARN("x"), "NotFoundException", "Invalid keyId '" + u.keyARN("x") + "'"},
		{"empty", "", "ValidationException", ""},
		{"longer than 2048", strings.Repeat("k", 2049), "ValidationException", ""},
	}
	if s.anyForm {
		rows = append(rows, []struct{ name, id, code, message string }{
			{"absent alias (C2g)", "alias/absent", "NotFoundException", "Alias " + u.arn("alias/absent") + " is not found."},
			{"absent alias ARN (C2g)", u.arn("alias/absent"), "NotFoundException", "Alias " + u.arn("alias/absent") + " is not found."},
			{"alias names are case-sensitive", "alias/Spare", "NotFoundException", "Alias " + u.arn("alias/Spare") + " is not found."},
			{"alias without a name", "alias/", "NotFoundException", "Invalid keyId 'alias/'"},
			{"alias with other characters", "alias/a b", "NotFoundException", "Invalid keyId 'alias/a b'"},
			{"alias longer than 256", "alias/" + strings.Repeat("a", 251), "NotFoundException", "Invalid keyId 'alias/" + strings.Repeat("a", 251) + "'"},
			{"alias that no service has", "alias/aws/nosuchservice", "NotFoundException", "Alias " + u.arn("alias/aws/nosuchservice") + " is not found."},
		}...)
	}
	for _, r := range rows {
		if s.operation == "RetireGrant" && !strings.HasPrefix(r.id, "arn:") && r.code != "ValidationException" {
			r.code, r.message = "InvalidArnException", "Invalid arn "+r.id // it takes key ARNs only
		}
		a := u.send(s.make(u, r.id))
		if a.code != r.code || r.message != "" && a.message != r.message {
			t.Errorf("%s: got %q %q, want %q %q", r.name, a.code, a.message, r.code, r.message)
		}
	}
}

// A name resolves in the caller's own account and Region only (C2c), and an alias in its own (C2i).
func TestNamesResolveInTheCallersAccountAndRegion(t *testing.T) {
	w := newWorld(t)
	u, other := w.as(alice), w.as(bob)
	id := u.createKey()
	u.createAlias("alias/app", id)
	u.in(abroad).createAlias("alias/app", u.in(abroad).createKey())
	if got := *u.describe("alias/app").Arn; got != u.keyARN(id) {
		t.Errorf("alias/app is %s, want %s", got, u.keyARN(id))
	}
	if got := *u.in(abroad).describe("alias/app").KeyId; got == id {
		t.Error("alias/app of another Region is the same key")
	}
	other.refused(&kmsapi.DescribeKeyRequest{KeyId: new("alias/app")}, "NotFoundException", "Alias "+other.arn("alias/app")+" is not found.")
	other.refused(&kmsapi.DescribeKeyRequest{KeyId: &id}, "NotFoundException", "Key '"+other.keyARN(id)+"' does not exist")
	u.in(abroad).refused(&kmsapi.DescribeKeyRequest{KeyId: &id}, "NotFoundException", "Key '"+u.in(abroad).keyARN(id)+"' does not exist")
	u.in("cn-north-1").refused(&kmsapi.DescribeKeyRequest{KeyId: &id}, "NotFoundException", "Key 'arn:aws-cn:kms:cn-north-1:"+alice+":key/"+id+"' does not exist")
}

// Whether a key of another account exists, and behind which alias, is told by neither the answer nor the audit record.
func TestAnotherAccountsKeysCannotBeSearched(t *testing.T) {
	w := newWorld(t)
	owner, stranger := w.as(alice), w.as(bob)
	there := owner.createKey()
	owner.createAlias("alias/there", there)
	pending := owner.createKey()
	owner.schedule(pending)
	stranger.createAlias(spareAlias, stranger.createKey())
	absent, _ := owner.nobody()
	for _, s := range anyKey() {
		ids := []string{owner.keyARN(there), owner.keyARN(pending), owner.keyARN(absent)}
		if s.anyForm {
			ids = append(ids, owner.arn("alias/there"), owner.arn("alias/absent"), owner.arn("alias/aws/s3"))
		}
		action := "kms:" + operation(s.operation)
		for _, id := range ids {
			a := stranger.send(s.make(stranger, id))
			if operation(s.operation) == "ReEncrypt" {
				action = "kms:ReEncryptFrom"
				if strings.Contains(a.message, "kms:ReEncryptTo") {
					action = "kms:ReEncryptTo"
				}
			}
			want := "User: " + stranger.principal() + " is not authorized to perform: " + action + " on resource: " + id +
				" because no resource-based policy allows the " + action + " action"
			if a.code != "AccessDeniedException" || a.message != want {
				t.Errorf("%s %s: got %q\n%q, want\n%q", s.operation, id, a.code, a.message, want)
			}
			for _, r := range w.eventOf(a).Resources {
				if r.AccountID == alice {
					t.Errorf("%s %s: the record names %s", s.operation, id, r.ARN)
				}
			}
		}
	}
	if a := owner.send(&kmsapi.ListKeysRequest{}); strings.Contains(string(a.body), "alias") || len(w.readRecords().keys) != 3 {
		t.Error("a stranger's request made a key")
	}
}
