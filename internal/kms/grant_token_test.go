package kms_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

const invalidToken = "The grant token is not valid, or its grant does not exist any more."

// What is a token, and what is none, is the same for every operation that takes one (C5).
func TestGrantTokensOfEveryKind(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	ciphertext := u.encrypt(id, secret, nil)
	_, token := u.createGrant(grantRequest(id))
	_, ofOther := u.createGrant(grantRequest(other))
	_, abroadToken := u.in(abroad).createGrant(grantRequest(u.in(abroad).createKey()))
	_, bobs := w.as(bob).createGrant(grantRequest(w.as(bob).createKey()))
	revokedID, revoked := u.createGrant(grantRequest(id))
	u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &revokedID})
	_, strange := grantWorld(t).as(alice).createGrantOnNewKey()
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) string {
		b := slices.Clone(sealed)
		b[(at+len(b))%len(b)] ^= 1
		return base64.StdEncoding.EncodeToString(b)
	}
	rows := []struct {
		name, token string
		good        bool
	}{
		{"of this key", token, true}, {"of another key", ofOther, true}, {"of another account's key", bobs, true},
		{"of another Region", abroadToken, false}, {"of a revoked grant", revoked, false}, {"of another deployment", strange, false},
		{"no token", "some-grant-token", false}, {"one character", "x", false}, {"cut off", token[:len(token)-4], false},
		{"longer", token + "AAAA", false}, {"twice", token + token, false}, {"line end", token + "\n", false},
		{"line end inside", token[:8] + "\r\n" + token[8:], false}, {"space", " " + token, false},
		{"base64url", strings.NewReplacer("+", "-", "/", "_").Replace(token) + "-", false}, {"padding", token + "=", false},
		{"longest", strings.Repeat("A", 8192), false}, {"grant id", strings.Repeat("0", 64), false}, {"ciphertext", base64.StdEncoding.EncodeToString(ciphertext), false},
		{"format", flip(0), false}, {"kind", flip(1), false}, {"domain key", flip(5), false}, {"salt", flip(6), false}, {"nonce", flip(22), false},
		{"address", flip(40), false}, {"tag", flip(-1), false}, {"not ASCII", "ключ", false},
	}
	for _, row := range rows {
		tokens := []string{row.token}
		create := grantRequest(id)
		create.GrantTokens = tokens
		for _, in := range []request{
			&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: tokens}, &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret), GrantTokens: tokens},
			&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, GrantTokens: tokens}, create,
			&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &other, GrantTokens: tokens},
			&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret), GrantTokens: []string{token, ofOther, row.token}},
		} {
			if row.good {
				u.must(in)
				continue
			}
			if a := u.refused(in, "InvalidGrantTokenException", invalidToken); a.ok() {
				t.Errorf("%s: accepted", row.name)
			}
		}
		if !row.good {
			u.refused(&kmsapi.RetireGrantRequest{GrantToken: &row.token}, "InvalidGrantTokenException", invalidToken)
		}
	}
	if len(rows) != 27 {
		t.Errorf("%d kinds of token, want 27", len(rows))
	}
	u.must(&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: slices.Repeat([]string{token}, 10)})
	u.refusedAs(&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: slices.Repeat([]string{token}, 11)}, "ValidationException")
	u.refusedAs(&kmsapi.RetireGrantRequest{GrantToken: new("")}, "ValidationException")
	u.refusedAs(&kmsapi.RetireGrantRequest{GrantToken: new(strings.Repeat("A", 8193))}, "ValidationException")
	w.checkGrants()
}

func (u user) createGrantOnNewKey() (id, token string) {
	return u.createGrant(grantRequest(u.createKey()))
}

// A token is no permission by itself: it does not open the key to anybody but the grant's grantee.
func TestGrantTokenGivesNothingByItself(t *testing.T) {
	w := grantWorld(t)
	u, b := w.as(alice), w.as(bob)
	id := u.createKey()
	arn := u.keyARN(id)
	_, token := u.createGrant(grantRequest(id))
	describe := &kmsapi.DescribeKeyRequest{KeyId: &arn, GrantTokens: []string{token}}
	b.refusedAs(describe, "AccessDeniedException")
	u.newUser("carol").refusedAs(describe, "AccessDeniedException")
	in := grantRequest(id)
	in.GranteePrincipal = new(b.principal())
	_, bobs := u.createGrant(in)
	b.must(&kmsapi.DescribeKeyRequest{KeyId: &arn, GrantTokens: []string{bobs}})
	b.refusedAs(&kmsapi.RetireGrantRequest{GrantToken: &bobs}, "AccessDeniedException") // it has not been granted that
	a := b.refusedAs(&kmsapi.RetireGrantRequest{GrantToken: &token}, "AccessDeniedException")
	if strings.Contains(a.message, id) || strings.Contains(a.message, alice) {
		t.Errorf("a refusal tells what is in a token: %s", a.message)
	}
	if e := w.eventOf(a); len(e.Resources) != 0 {
		t.Errorf("its audit record tells it: %v", e.Resources)
	}
	w.checkGrants()
}
