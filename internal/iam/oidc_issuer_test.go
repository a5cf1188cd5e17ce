package iam

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// identityProvider is an OpenID Connect identity provider, as far as those need it who trust it.
type identityProvider struct {
	t   testing.TB
	url string

	mu      sync.Mutex
	keys    map[string]crypto.Signer // by id
	more    []string                 // keys of the set as JSON, after those
	claimed string                   // issuer in the configuration, if not url
	down    bool
	fetched []string // URLs
	given   []string // thumbprints of the last fetch
}

func newIdentityProvider(t testing.TB, url string) *identityProvider {
	i := &identityProvider{t: t, url: url, keys: map[string]crypto.Signer{}}
	i.add("ec", ecKey(t, elliptic.P256()))
	return i
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (i *identityProvider) add(id string, key crypto.Signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[id] = key
}

// fetch is Config.Fetch.
func (i *identityProvider) fetch(_ context.Context, url string, thumbprints []string) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetched, i.given = append(i.fetched, url), thumbprints
	base := strings.TrimSuffix(i.url, "/")
	switch {
	case i.down:
		return nil, errors.New("the provider is down")
	case url == base+"/.well-known/openid-configuration":
		claimed := i.url
		if i.claimed != "" {
			claimed = i.claimed
		}
		return json.Marshal(map[string]string{"issuer": claimed, "jwks_uri": "https://keys.example/jwks"})
	case url == "https://keys.example/jwks":
		return i.set(), nil
	}
	return nil, errors.New("no such document: " + url)
}

func (i *identityProvider) set() []byte {
	var keys []json.RawMessage
	for id, key := range i.keys {
		b, err := jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig"}.MarshalJSON()
		if err != nil {
			i.t.Error(err)
		}
		keys = append(keys, b)
	}
	for _, k := range i.more {
		keys = append(keys, json.RawMessage(k))
	}
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		i.t.Error(err)
	}
	return b
}

// fetches is how often something was fetched.
func (i *identityProvider) fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.fetched)
}

// with returns the claims of a good token with some of them changed; nil takes one away.
func (i *identityProvider) with(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.url, "aud": "client-1", "sub": "repo:org/app", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// token signs claims with one of the issuer's keys.
func (i *identityProvider) token(claims map[string]any) string {
	return i.signed("ec", jose.ES256, claims)
}

func (i *identityProvider) signed(id string, algorithm jose.SignatureAlgorithm, claims map[string]any) string {
	i.t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		i.t.Fatal(err)
	}
	return signJWT(i.t, algorithm, i.keys[id], id, b)
}

func signJWT(t testing.TB, algorithm jose.SignatureAlgorithm, key any, id string, payload []byte) string {
	t.Helper()
	o := &jose.SignerOptions{}
	if id != "" {
		o.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, o.WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
