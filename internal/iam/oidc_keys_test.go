package iam

import (
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyClock is the clock of the keys of identity providers.
func (w *stsWorld) keyClock() (advance func(time.Duration)) {
	now := time.Now()
	w.s.sts.keySets.now = func() time.Time { return now }
	return func(d time.Duration) { now = now.Add(d) }
}

// A provider is asked once, and again when its keys are old or a token names one that is not known; whatever callers send,
// never more often than every half minute.
func TestKeysAreRemembered(t *testing.T) {
	w, i, role := app(t)
	advance := w.keyClock()
	token := i.token(i.with(nil))
	asked := func(want int, why string) {
		t.Helper()
		if got := i.fetches() / 2; got != want {
			t.Errorf("%s: asked %d times, want %d", why, got, want)
		}
	}
	for range 5 {
		w.web(role, token).get("AccessKeyId")
	}
	asked(1, "known key")
	i.add("new", ecKey(t, elliptic.P256()))
	rotated := i.signed("new", jose.ES256, i.with(nil))
	w.web(role, rotated).fails("InvalidIdentityToken", "verification key")
	asked(1, "new key within half a minute")
	advance(keysPause)
	w.web(role, rotated).get("AccessKeyId")
	asked(2, "new key")
	unknown := signJWT(t, jose.ES256, ecKey(t, elliptic.P256()), "unknown", []byte(`{"iss":"`+idpURL+`"}`))
	for range 100 {
		w.web(role, unknown).fails("InvalidIdentityToken", "verification key")
		advance(time.Second)
	}
	if n := i.fetches() / 2; n < 5 || n > 6 {
		t.Errorf("asked %d times for unknown keys within 100 seconds", n-2)
	}
	w.web(role, token).get("AccessKeyId")
}

// A key that the provider has withdrawn is good for an hour at most.
func TestWithdrawnKey(t *testing.T) {
	w, i, role := app(t)
	advance := w.keyClock()
	i.add("second", ecKey(t, elliptic.P256()))
	token := i.token(i.with(nil))
	w.web(role, token).get("AccessKeyId")
	delete(i.keys, "ec")
	advance(keysLast - time.Second)
	w.web(role, token).get("AccessKeyId")
	advance(time.Second)
	w.web(role, token).fails("InvalidIdentityToken", "verification key")
}

func TestProviderThatIsDown(t *testing.T) {
	w, i, role := app(t)
	advance := w.keyClock()
	token := i.token(i.with(nil))
	i.down = true
	for range 3 {
		w.web(role, token).fails("IDPCommunicationError", "Couldn't retrieve verification key from your identity provider")
	}
	if i.fetches() != 1 {
		t.Errorf("asked %d times", i.fetches())
	}
	i.down = false
	advance(keysPause)
	w.web(role, token).get("AccessKeyId")
	i.down = true
	advance(keysLast - time.Second)
	w.web(role, token).get("AccessKeyId")
	advance(time.Second)
	w.web(role, token).fails("IDPCommunicationError", "")
	advance(keysPause)
	w.web(role, token).fails("IDPCommunicationError", "")
}

func TestConfigurationOfAnotherIssuer(t *testing.T) {
	for _, claimed := range []string{"https://other.example", idpURL + "/", strings.ToUpper(idpURL)} {
		w, i, role := app(t)
		i.claimed = claimed
		w.web(role, i.token(i.with(nil))).fails("IDPCommunicationError", "")
		if i.fetches() != 1 {
			t.Errorf("%s: %v were fetched", claimed, i.fetched)
		}
	}
}

func TestIssuerThatEndsWithASlash(t *testing.T) {
	w := newSTSWorld(t)
	i := newIdentityProvider(t, "https://tenant.example/")
	role := w.role(home, "app", trustingProvider(w.register(i)))
	w.web(role, i.token(i.with(nil))).get("AccessKeyId")
	if i.fetched[0] != "https://tenant.example/.well-known/openid-configuration" {
		t.Errorf("fetched %v", i.fetched)
	}
}

// Another account's provider of the same issuer has its own thumbprints, so it has its own keys.
func TestAccountsShareNoKeys(t *testing.T) {
	w, i, role := app(t)
	w.web(role, i.token(i.with(nil))).get("AccessKeyId")
	foreign := w.rootOf(abroad).must("CreateOpenIDConnectProvider", "Url", idpURL, "ClientIDList.member.1", "client-1", "ThumbprintList.member.1", strings.Repeat("a", 40)).get("OpenIDConnectProviderArn")
	r := w.role(abroad, "app", trustingProvider(foreign))
	w.web(r, i.token(i.with(nil))).get("AccessKeyId")
	if i.fetches() != 4 || strings.Join(i.given, " ") != strings.Repeat("a", 40) {
		t.Errorf("%d fetches, the last with %v", i.fetches(), i.given)
	}
	// A provider that changes is asked anew.
	w.rootOf(abroad).must("UpdateOpenIDConnectProviderThumbprint", "OpenIDConnectProviderArn", foreign, "ThumbprintList.member.1", strings.Repeat("b", 40))
	w.web(r, i.token(i.with(nil))).get("AccessKeyId")
	if i.fetches() != 6 || strings.Join(i.given, " ") != strings.Repeat("b", 40) {
		t.Errorf("%d fetches, the last with %v", i.fetches(), i.given)
	}
}

// Many callers at once cause one fetch, and one that goes away does not end it for the others.
func TestManyCallersFetchOnce(t *testing.T) {
	w, i, role := app(t)
	p, err := w.s.provider(t.Context(), home, idpName)
	if err != nil {
		t.Fatal(err)
	}
	started, release := make(chan struct{}), make(chan struct{})
	fetch := i.fetch
	var once sync.Once
	w.s.sts.keySets.fetch = func(ctx context.Context, url string, thumbprints []string) ([]byte, error) {
		once.Do(func() { close(started) })
		<-release
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return fetch(ctx, url, thumbprints)
	}
	ctx, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _, _ = w.s.sts.keySets.find(ctx, p, "ec") })
	<-started
	waits, stop := context.WithCancel(t.Context())
	stop()
	if _, err := w.s.sts.keySets.find(waits, p, "ec"); !errors.Is(err, context.Canceled) {
		t.Errorf("one that stops waiting: %v", err)
	}
	for range 20 {
		all.Go(func() {
			if _, err := w.s.sts.keySets.find(t.Context(), p, "ec"); err != nil {
				t.Error(err)
			}
		})
	}
	leave()
	close(release)
	all.Wait()
	if i.fetches() != 2 {
		t.Errorf("%d fetches", i.fetches())
	}
	w.web(role, i.token(i.with(nil))).get("AccessKeyId")
}

// Tokens with keys that are not known cannot keep others from their sessions, however slow the provider is.
func TestKnownKeysDoNotWait(t *testing.T) {
	w, i, role := app(t)
	advance := w.keyClock()
	token := i.token(i.with(nil))
	w.web(role, token).get("AccessKeyId")
	advance(keysPause)
	started, release := make(chan struct{}), make(chan struct{})
	w.s.sts.keySets.fetch = func(context.Context, string, []string) ([]byte, error) {
		close(started)
		<-release
		return nil, errors.New("too late")
	}
	var slow sync.WaitGroup
	slow.Go(func() {
		w.web(role, signJWT(t, jose.ES256, ecKey(t, elliptic.P256()), "unknown", []byte(`{"iss":"`+idpURL+`"}`))).fails("InvalidIdentityToken", "")
	})
	<-started
	w.web(role, token).get("AccessKeyId")
	close(release)
	slow.Wait()
}

// A bug in reading what a provider sends fails those who ask, and blocks nobody.
func TestPanicWhileFetching(t *testing.T) {
	w, i, role := app(t)
	advance := w.keyClock()
	w.fetch = func(context.Context, string, []string) ([]byte, error) { panic("bug") }
	w.web(role, i.token(i.with(nil))).fails("InternalFailure", "")
	w.fetch = i.fetch
	w.web(role, i.token(i.with(nil))).fails("IDPCommunicationError", "")
	advance(keysPause)
	w.web(role, i.token(i.with(nil))).get("AccessKeyId")
}

func TestKeySets(t *testing.T) {
	jwk := func(key any, change func(map[string]any)) string {
		b, err := jose.JSONWebKey{Key: key, KeyID: "k"}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(m)
		}
		b, err = json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	set := func(name string, value any) func(map[string]any) { return func(m map[string]any) { m[name] = value } }
	ec, long := ecKey(t, elliptic.P256()), rsaKey(t, 2048)
	tests := []struct {
		name, key string
		ok        bool
	}{
		{"P-256", jwk(ec.Public(), nil), true},
		{"P-521", jwk(ecKey(t, elliptic.P521()).Public(), nil), true},
		{"RSA", jwk(long.Public(), nil), true},
		{"Ed25519", jwk(edKey(t).Public(), nil), true},
		{"for signatures", jwk(ec.Public(), set("use", "sig")), true},
		{"for encryption", jwk(ec.Public(), set("use", "enc")), false},
		{"private, of which the public half counts", jwk(ec, nil), true},
		{"with certificates, which do not count", jwk(ec.Public(), set("x5c", []string{"garbage"})), true},
		{"with an address, which does not count", jwk(ec.Public(), set("x5u", "https://evil.example/")), true},
		{"secret", jwk([]byte(strings.Repeat("s", 32)), nil), false},
		{"short RSA", jwk(rsaKey(t, 1024).Public(), nil), false},
		{"huge RSA", jwk(long.Public(), set("n", strings.Repeat("q", 4000))), false},
		{"RSA over the limit", jwk(long.Public(), set("n", strings.Repeat("_", 1372))), false},
		{"RSA with exponent 1", jwk(long.Public(), set("e", "AQ")), false},
		{"point that is not on the curve", jwk(ec.Public(), set("x", strings.Repeat("A", 43))), false},
		{"unknown type", `{"kty":"X","kid":"k"}`, false},
		{"no type", `{"kid":"k"}`, false},
		{"unknown curve", jwk(ec.Public(), set("crv", "X")), false},
		{"no object", `"key"`, false},
	}
	for _, test := range tests {
		keys, err := parseKeys([]byte(`{"keys":[` + test.key + `]}`))
		if err != nil || (len(keys) == 1) != test.ok {
			t.Errorf("%s: %d keys, %v", test.name, len(keys), err)
		}
		for _, k := range keys {
			if !k.IsPublic() {
				t.Errorf("%s: a private key was kept", test.name)
			}
		}
	}
	many := `{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"X"},`, maxKeys+1), ",") + `]}`
	for _, bad := range []string{"", "[]", "{", `{"keys":{}}`, many} {
		if keys, err := parseKeys([]byte(bad)); err == nil {
			t.Errorf("%.20q: %d keys", bad, len(keys))
		}
	}
	if keys, err := parseKeys([]byte(`{}`)); err != nil || len(keys) != 0 {
		t.Errorf("no keys: %d, %v", len(keys), err)
	}
}

// A token without a key's name is good only if there is no choice.
func TestTokenWithoutKeyID(t *testing.T) {
	w, i, role := app(t)
	advance := w.keyClock()
	payload, err := json.Marshal(i.with(nil))
	if err != nil {
		t.Fatal(err)
	}
	token := signJWT(t, jose.ES256, i.keys["ec"], "", payload)
	w.web(role, token).get("AccessKeyId")
	i.add("second", ecKey(t, elliptic.P256()))
	advance(keysLast)
	w.web(role, token).fails("InvalidIdentityToken", "verification key")
}

func TestKeyForAnotherAlgorithm(t *testing.T) {
	w, i, role := app(t)
	key := rsaKey(t, 2048)
	b, err := jose.JSONWebKey{Key: key.Public(), KeyID: "rsa", Algorithm: "RS512"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	i.more = []string{string(b)}
	payload, err := json.Marshal(i.with(nil))
	if err != nil {
		t.Fatal(err)
	}
	w.web(role, signJWT(t, jose.RS512, key, "rsa", payload)).get("AccessKeyId")
	w.web(role, signJWT(t, jose.RS256, key, "rsa", payload)).fails("InvalidIdentityToken", "algorithm")
}

func TestWithoutFetch(t *testing.T) {
	w, i, role := app(t)
	w.s.sts.keySets.fetch = nil
	w.web(role, i.token(i.with(nil))).fails("IDPCommunicationError", "")
}

func FuzzParseKeys(f *testing.F) {
	i := newIdentityProvider(f, idpURL)
	f.Add(i.set())
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AA"},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if err != nil && keys != nil || len(keys) > maxKeys {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if !k.IsPublic() || !k.Valid() {
				t.Errorf("kept %v", fmt.Sprintf("%T", k.Key))
			}
		}
	})
}
