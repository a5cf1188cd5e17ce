package kms

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
)

// FuzzGrantToken opens only the tokens that were made, written exactly as they were given out.
func FuzzGrantToken(f *testing.F) {
	r := root.New()
	domain, err := hsm.Create(f.Context(), r, "test")
	if err != nil {
		f.Fatal(err)
	}
	h, err := hsm.Open(f.Context(), hsm.Config{Root: r, Deployment: "test", Domain: domain})
	if err != nil {
		f.Fatal(err)
	}
	s := &Service{hsm: h}
	made := map[string]bool{}
	for _, g := range []*Grant{&someGrant, &someServiceGrant} {
		token, err := s.newToken(f.Context(), g)
		if err != nil {
			f.Fatal(err)
		}
		made[token] = true
		got, id, ok, err := s.openToken(f.Context(), g.Region, token)
		if want := (ref{account: g.Account, region: g.Region, id: g.KeyID}); err != nil || !ok || got != want || id != g.ID {
			f.Fatalf("got %+v %s %v %v", got, id, ok, err)
		}
		if _, _, ok, _ := s.openToken(f.Context(), "eu-west-1", token); ok {
			f.Fatal("a token opens in another Region")
		}
		for _, seed := range []string{token, token[:len(token)-1], token + "\n", token + "=", strings.ToLower(token), token[4:]} {
			f.Add(seed)
		}
	}
	for _, purpose := range []string{"kms/grant-token/", "kms/grant-token/us-east-1/", "iam/access-key/us-east-1", "kms/grant-token/us-east-1"} {
		for _, address := range []string{"a/b", "", "111122223333/eu-west-1/k/g", "1/us-east-1/2/3/4"} {
			sealed, err := h.Seal(f.Context(), purpose, []byte(address))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(base64.StdEncoding.EncodeToString(sealed))
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		r, id, ok, err := s.openToken(t.Context(), "us-east-1", token)
		if err != nil || ok != made[token] || !ok && (r != ref{} || id != "") {
			t.Errorf("%q: %+v %q %v %v", token, r, id, ok, err)
		}
	})
}
