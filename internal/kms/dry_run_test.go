package kms_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// A dry run says what the call would say, and the word for success is an error of its own (C6).
func TestDryRun(t *testing.T) {
	u := newWorld(t).as(alice)
	id, disabled := u.createKey(), u.createKey()
	ciphertext, stuck := u.encrypt(id, secret, nil), u.encrypt(disabled, secret, nil)
	u.disable(disabled)
	yes := new(true)
	size := new(kmsapi.DataKeySpecAes256)
	for _, row := range []struct {
		name string
		in   request
		code string
	}{
		{"Encrypt", &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret), DryRun: yes}, ""},
		{"Decrypt", &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, DryRun: yes}, ""},
		{"ReEncrypt", &kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &id, DryRun: yes}, ""},
		{"GenerateDataKey", &kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: size, DryRun: yes}, ""},
		{"GenerateDataKeyWithoutPlaintext", &kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &id, KeySpec: size, DryRun: yes}, ""},
		{"constraint", &kmsapi.EncryptRequest{KeyId: &id, DryRun: yes}, "ValidationException"},
		{"no such key", &kmsapi.EncryptRequest{KeyId: new("alias/absent"), Plaintext: []byte(secret), DryRun: yes}, "NotFoundException"},
		{"disabled key", &kmsapi.EncryptRequest{KeyId: &disabled, Plaintext: []byte(secret), DryRun: yes}, "DisabledException"},
		{"ciphertext of a disabled key", &kmsapi.DecryptRequest{CiphertextBlob: stuck, DryRun: yes}, "DisabledException"},
		{"disabled destination", &kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &disabled, DryRun: yes}, "DisabledException"},
		{"wrong context", &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: map[string]string{"a": "b"}, DryRun: yes}, "InvalidCiphertextException"},
		{"no size", &kmsapi.GenerateDataKeyRequest{KeyId: &id, DryRun: yes}, "ValidationException"},
	} {
		a := u.send(row.in)
		if row.code == "" && !a.accepted() || row.code != "" && a.code != row.code || a.ok() {
			t.Errorf("%s: got %d %q %q, want %q", row.name, a.status, a.code, a.message, row.code)
		}
	}
	if a := u.must(&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret), DryRun: new(false)}); !strings.Contains(string(a.body), "CiphertextBlob") {
		t.Error("DryRun false is no dry run")
	}
}

// setDryRun sets the member DryRun.
func setDryRun(in request, to *bool) request {
	reflect.ValueOf(in).Elem().FieldByName("DryRun").Set(reflect.ValueOf(to))
	return in
}

// unchanged calls f and tests that it has left all records as they were, but those of use, which are written late.
func (w *world) unchanged(what string, f func()) {
	w.t.Helper()
	dump := func() map[string]int64 {
		page, err := w.store.Range(context.Background(), "", "", 1<<20)
		if err != nil || page.More {
			w.t.Fatal(err, page.More)
		}
		all := map[string]int64{}
		for _, r := range page.Records {
			if !strings.HasPrefix(r.Key, "kms/usage/") {
				all[r.Key] = r.Revision
			}
		}
		return all
	}
	before := dump()
	f()
	if diff := cmp.Diff(before, dump()); diff != "" {
		w.t.Errorf("%s has changed the records: %s", what, diff)
	}
}

// lastUsage is what the API tells of a key's use.
func (s *specimen) lastUsage() string {
	s.t.Helper()
	return string(s.must(&kmsapi.GetKeyLastUsageRequest{KeyId: &s.id}).body)
}

// TestDryRunOfEveryOperation is rule C6 for all that the model gives a DryRun: whatever is asked, a dry run says what the
// call says when it is sent next; and where that succeeds, that it would have. It changes nothing and is no use.
func TestDryRunOfEveryOperation(t *testing.T) {
	operations, compared := map[string]bool{}, 0
	for _, named := range anyKey() {
		if info, _ := findOperation(operation(named.operation)); !reflect.ValueOf(info.NewInput()).Elem().FieldByName("DryRun").IsValid() {
			continue
		}
		operations[operation(named.operation)] = true
		t.Run(named.operation, func(t *testing.T) {
			w := newWorld(t)
			u := w.as(alice)
			u.createAlias(spareAlias, u.createKey())
			key := u.specimen(kindFor(named.operation))
			for range 64 {
				key.grant()
			}
			var others []string
			for _, k := range keyKinds() {
				if !k.external() && k.role == "" && k.spec != kmsapi.KeySpecRsa2048 {
					others = append(others, *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: &k.spec, KeyUsage: &k.usage}).KeyMetadata.Arn)
				}
			}
			compared += testDryRuns(t, key, key.sample(named.operation), others)
		})
	}
	if len(operations) != 17 || compared < 480 {
		t.Errorf("%d operations, want 17; %d dry runs compared with the real call", len(operations), compared)
	}
}

func testDryRuns(t *testing.T, key *specimen, s sample, others []string) (compared int) {
	t.Helper()
	compare := func(name string, change func(request)) {
		t.Helper()
		compared++
		in := s.make(key.user, key.arn())
		change(in)
		used, rehearsed := key.lastUsage(), answer{}
		key.unchanged(s.operation+" "+name, func() { rehearsed = key.send(setDryRun(in, new(true))) })
		if key.lastUsage() != used {
			t.Errorf("%s: a dry run counts as use", name)
		}
		called := key.send(setDryRun(in, nil))
		switch {
		case rehearsed.ok():
			t.Errorf("%s: a dry run answered %s", name, rehearsed.body)
		case called.ok() && !rehearsed.accepted(), !called.ok() && (rehearsed.code != called.code || rehearsed.message != called.message):
			t.Errorf("%s: the dry run said %q %q, the call %q %q", name, rehearsed.code, rehearsed.message, called.code, called.message)
		}
	}
	key.bring(kmsapi.KeyStateEnabled)
	compare("as it is", func(request) {})
	for name, change := range variations(s.make(key.user, key.arn()), others) {
		compare(name, change)
	}
	for _, state := range []kmsapi.KeyState{kmsapi.KeyStateDisabled, kmsapi.KeyStatePendingDeletion} {
		key.bring(state)
		compare("key "+string(state), func(request) {})
	}
	return compared
}

// variations are ways to change a request, member by member, some of which leave it right. others are more keys to name.
func variations(in request, others []string) iter.Seq2[string, func(request)] {
	return func(yield func(string, func(request)) bool) {
		v := reflect.ValueOf(in).Elem()
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if strings.HasPrefix(name, "DryRun") {
				continue
			}
			texts := others
			if name == "GrantToken" { // a secret: one that is found nowhere else
				texts = []string{rand.Text()}
			}
			for _, value := range values(v.Field(i), texts) {
				change := func(in request) { reflect.ValueOf(in).Elem().Field(i).Set(value) }
				if !yield(fmt.Sprintf("%s = %.80v", name, reflect.Indirect(value)), change) {
					return
				}
			}
		}
	}
}

// values are what a member is changed to.
func values(member reflect.Value, others []string) (all []reflect.Value) {
	add := func(v any) { all = append(all, reflect.ValueOf(v)) }
	switch is := member.Interface().(type) {
	case []byte:
		add([]byte("x"))
		add([]byte{})
		add(make([]byte, 4097))
		if len(is) > 0 {
			flipped := slices.Clone(is)
			flipped[len(is)-1] ^= 1
			add(flipped)
		}
	case map[string]string:
		add(map[string]string{"a": "b"})
	case []string:
		add([]string{"x"})
	case *string:
		for _, id := range slices.Concat(others, []string{"x", "absent"}) {
			add(&id)
		}
	case *int32:
		add(new(int32(16)))
	default:
		return enumValues(member)
	}
	return all
}

// enumValues are all values of a member that has an enumeration; of sizes of RSA keys, which are dear, the first.
func enumValues(member reflect.Value) (all []reflect.Value) {
	if member.Kind() != reflect.Pointer {
		return nil
	}
	of, is := member.Type().Elem().MethodByName("Values")
	if !is {
		return nil
	}
	values := of.Func.Call([]reflect.Value{reflect.Zero(member.Type().Elem())})[0]
	for i := range values.Len() {
		if v := values.Index(i); v.String() != "RSA_3072" && v.String() != "RSA_4096" {
			p := reflect.New(v.Type())
			p.Elem().Set(v)
			all = append(all, p)
		}
	}
	return all
}

// IGNORE_CIPHERTEXT tests authorization alone: it needs a key to ask about, and no ciphertext (C6b).
func TestDryRunThatIgnoresTheCiphertext(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, disabled := u.createKey(), u.createKey()
	foreign := w.as(bob).keyARN(w.as(bob).createKey())
	ciphertext := u.encrypt(id, secret, nil)
	u.disable(disabled)
	pair := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecEccNistP256), KeyUsage: new(signing)}).KeyMetadata.KeyId
	yes, ignore := new(true), []kmsapi.DryRunModifierType{kmsapi.DryRunModifierTypeIgnoreCiphertext}
	for _, row := range []struct {
		name string
		in   request
		code string // "": would succeed
	}{
		{"no ciphertext", &kmsapi.DecryptRequest{KeyId: &id, DryRun: yes, DryRunModifiers: ignore}, ""},
		{"any ciphertext", &kmsapi.DecryptRequest{KeyId: &id, CiphertextBlob: []byte("x"), DryRun: yes, DryRunModifiers: ignore}, ""},
		{"of another key", &kmsapi.DecryptRequest{KeyId: &disabled, CiphertextBlob: ciphertext, DryRun: yes, DryRunModifiers: ignore}, ""},
		{"by alias", &kmsapi.DecryptRequest{KeyId: new(u.keyARN(id)), DryRun: yes, DryRunModifiers: ignore}, ""},
		{"ReEncrypt, no ciphertext", &kmsapi.ReEncryptRequest{SourceKeyId: &id, DestinationKeyId: &disabled, DryRun: yes, DryRunModifiers: ignore}, ""},
		{"of a key that is for signing", &kmsapi.DecryptRequest{KeyId: &pair, DryRun: yes, DryRunModifiers: ignore}, ""},
		{"an algorithm that the key does not have", &kmsapi.DecryptRequest{KeyId: &id, EncryptionAlgorithm: new(kmsapi.EncryptionAlgorithmSpecSm2pke), DryRun: yes, DryRunModifiers: ignore}, ""},
		{"ReEncrypt, to a key that is for signing", &kmsapi.ReEncryptRequest{SourceKeyId: &id, DestinationKeyId: &pair, DryRun: yes, DryRunModifiers: ignore}, ""},
		{"no key", &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, DryRun: yes, DryRunModifiers: ignore}, "ValidationException"},
		{"ReEncrypt, no key", &kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &id, DryRun: yes, DryRunModifiers: ignore}, "ValidationException"},
		{"no such key", &kmsapi.DecryptRequest{KeyId: new("alias/absent"), DryRun: yes, DryRunModifiers: ignore}, "NotFoundException"},
		{"another account's key", &kmsapi.DecryptRequest{KeyId: &foreign, DryRun: yes, DryRunModifiers: ignore}, "AccessDeniedException"},
		{"another account's destination", &kmsapi.ReEncryptRequest{SourceKeyId: &id, DestinationKeyId: &foreign, DryRun: yes, DryRunModifiers: ignore}, "AccessDeniedException"},
		{"no modifier in the list", &kmsapi.DecryptRequest{KeyId: &id, DryRun: yes, DryRunModifiers: []kmsapi.DryRunModifierType{}}, "ValidationException"},
		{"unknown modifier", &kmsapi.DecryptRequest{KeyId: &id, DryRun: yes, DryRunModifiers: []kmsapi.DryRunModifierType{"X"}}, "ValidationException"},
		{"modifier without a dry run", &kmsapi.DecryptRequest{KeyId: &id, DryRunModifiers: ignore}, "ValidationException"},
		{"modifier with DryRun false", &kmsapi.ReEncryptRequest{SourceKeyId: &id, DestinationKeyId: &id, DryRun: new(false), DryRunModifiers: ignore}, "ValidationException"},
	} {
		a := u.send(row.in)
		if row.code == "" && !a.accepted() || row.code != "" && a.code != row.code || a.ok() {
			t.Errorf("%s: got %d %q %q, want %q", row.name, a.status, a.code, a.message, row.code)
		}
	}
	if out := do[kmsapi.DecryptResponse](u, &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, DryRunModifiers: ignore}); string(out.Plaintext) != secret {
		t.Error("without DryRun a modifier means something")
	}
}

// What is no token of a grant is refused (C5); none at all, or an empty list, is no token.
func TestGrantTokens(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	ciphertext := u.encrypt(id, secret, nil)
	size := new(kmsapi.DataKeySpecAes256)
	with := func(tokens []string) []request {
		return []request{
			&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: tokens},
			&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret), GrantTokens: tokens},
			&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, GrantTokens: tokens},
			&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &id, GrantTokens: tokens},
			&kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: size, GrantTokens: tokens},
			&kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &id, KeySpec: size, GrantTokens: tokens},
		}
	}
	many := make([]string, 11)
	for i := range many {
		many[i] = "some-grant-token"
	}
	for _, in := range with(nil) {
		u.must(in)
	}
	for _, in := range with([]string{}) {
		u.must(in)
	}
	for _, in := range append(with([]string{"some-grant-token"}), with(many[:10])...) {
		u.refusedAs(in, "InvalidGrantTokenException")
	}
	for _, tokens := range [][]string{many, {""}, {strings.Repeat("t", 8193)}} {
		for _, in := range with(tokens) {
			if a := u.refusedAs(in, "ValidationException"); strings.Contains(a.message, "some-grant-token") {
				t.Errorf("%s repeats a grant token: %s", a.operation, a.message)
			}
		}
	}
}
