package kms_test

import (
	"strings"
	"testing"

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

// IGNORE_CIPHERTEXT tests authorization alone: it needs a key to ask about, and no ciphertext (C6b).
func TestDryRunThatIgnoresTheCiphertext(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, disabled := u.createKey(), u.createKey()
	foreign := w.as(bob).keyARN(w.as(bob).createKey())
	ciphertext := u.encrypt(id, secret, nil)
	u.disable(disabled)
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

// No grant can be made in this version, so no grant token is one (C5); none at all, or an empty list, is no token.
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
