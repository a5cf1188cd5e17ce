package iam

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trent-kms/trent/internal/wire/fetch"
)

const (
	idpURL  = "https://token.example.com/path"
	idpName = "token.example.com/path"
)

// register makes the issuer a provider of the home account, for client-1, and returns its ARN.
func (w *stsWorld) register(i *identityProvider, more ...string) string {
	w.t.Helper()
	w.fetch = i.fetch
	return w.rootOf(home).must("CreateOpenIDConnectProvider", append([]string{"Url", i.url, "ClientIDList.member.1", "client-1"}, more...)...).get("OpenIDConnectProviderArn")
}

// trustingProvider is a trust policy for those that a provider vouches for.
func trustingProvider(provider string, more ...string) string {
	return trustStatement(`{"Federated":"`+provider+`"}`, []string{webIdentityAction, "sts:TagSession", "sts:SetSourceIdentity"}, more...)
}

// web asks for a session of a role without any credentials.
func (w *stsWorld) web(role, token string, more ...string) stsAnswer {
	w.t.Helper()
	return stsUser{stsWorld: w}.do("AssumeRoleWithWebIdentity", append([]string{"RoleArn", role, "RoleSessionName", "session", "WebIdentityToken", token}, more...)...)
}

// app is a world with an identity provider, and a role that trusts it.
func app(t testing.TB, conditions ...string) (w *stsWorld, i *identityProvider, role string) {
	t.Helper()
	w = newSTSWorld(t)
	i = newIdentityProvider(t, idpURL)
	return w, i, w.role(home, "app", trustingProvider(w.register(i), conditions...))
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	w, i, role := app(t)
	token := i.token(i.with(nil))
	w.secrets = append(w.secrets, token)
	a := w.web(role, token, "DurationSeconds", "900", "Policy", allowing("*", "iam:GetUser"))
	provider := "arn:aws:iam::" + home + ":oidc-provider/" + idpName
	for element, want := range map[string]string{
		"SubjectFromWebIdentityToken": "repo:org/app", "Audience": "client-1", "Provider": provider, "Arn": "arn:aws:sts::" + home + ":assumed-role/app/session",
	} {
		if got := a.get(element); got != want {
			t.Errorf("%s: %s, want %s", element, got, want)
		}
	}
	a.lasts(w, 15*time.Minute)
	e := w.event()
	who, _ := e["userIdentity"].(map[string]any)
	if who["type"] != "WebIdentityUser" || who["principalId"] != provider+":client-1:repo:org/app" || e["recipientAccountId"] != home {
		t.Errorf("record: %v", e)
	}
	if request := fmt.Sprint(e["requestParameters"]); !strings.Contains(request, role) || !strings.Contains(request, "iam:GetUser") {
		t.Errorf("parameters: %v", request)
	}
	session := a.as(w)
	session.must("GetCallerIdentity")
	c, err := w.s.Lookup(t.Context(), session.id, session.token)
	if err != nil || c.Caller.Session.Provider != provider || !c.Caller.Session.Limited {
		t.Errorf("%+v, %v", c.Caller.Session, err)
	}
	w.web(role, token, "DurationSeconds", "3601").fails("ValidationError", "MaxSessionDuration")
	w.web(role, token, "Policy", "{").fails("MalformedPolicyDocument", "")
	w.web(role, token, "ProviderId", "www.amazon.com").fails("ValidationError", "ProviderId")
}

func TestAlgorithms(t *testing.T) {
	w, i, role := app(t)
	long := rsaKey(t, 2048)
	i.add("rsa", long)
	i.add("ed", edKey(t))
	i.add("short", rsaKey(t, 1024))
	for id, algorithms := range map[string][]jose.SignatureAlgorithm{
		"ec": {jose.ES256}, "rsa": {jose.RS256, jose.RS384, jose.RS512, jose.PS256}, "ed": {jose.EdDSA},
	} {
		for _, a := range algorithms {
			if answer := w.web(role, i.signed(id, a, i.with(nil))); answer.status != 200 {
				t.Errorf("%s: %s", a, answer.body)
			}
		}
	}
	w.web(role, i.signed("short", jose.RS256, i.with(nil))).fails("InvalidIdentityToken", "verification key")
}

// What only looks like a token of the provider lets nobody in.
func TestForgedTokens(t *testing.T) {
	w, i, role := app(t)
	payload, err := json.Marshal(i.with(nil))
	if err != nil {
		t.Fatal(err)
	}
	good := i.token(i.with(nil))
	signature := good[strings.LastIndexByte(good, '.')+1:]
	mine := ecKey(t, elliptic.P256())
	public, err := jose.JSONWebKey{Key: mine.Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := jose.JSONWebKey{Key: i.keys["ec"].Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	unsigned := func(header string) string { return part(header) + "." + part(string(payload)) + "." }
	resigned := func(header string) string {
		text := part(header) + "." + part(string(payload))
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, mine, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	tests := map[string]string{
		"no signature":                       unsigned(`{"alg":"none","kid":"ec"}`),
		"no signature, in other letters":     unsigned(`{"alg":"nOnE","kid":"ec"}`),
		"no algorithm":                       unsigned(`{"kid":"ec"}`),
		"public key as a secret":             signJWT(t, jose.HS256, theirs, "ec", payload),
		"another's key":                      signJWT(t, jose.ES256, mine, "ec", payload),
		"another's key, in the token":        resigned(`{"alg":"ES256","jwk":` + string(public) + `}`),
		"another's key, in the token, named": resigned(`{"alg":"ES256","kid":"ec","jwk":` + string(public) + `}`),
		"another's key, where it says":       resigned(`{"alg":"ES256","kid":"ec","jku":"https://evil.example/jwks"}`),
		"a key that is not there":            signJWT(t, jose.ES256, mine, "other", payload),
		"a key without a name":               signJWT(t, jose.ES256, mine, "", payload),
		"another algorithm":                  signJWT(t, jose.RS256, rsaKey(t, 2048), "ec", payload),
		"critical header":                    resigned(`{"alg":"ES256","kid":"ec","crit":["x"],"x":1}`),
		"other claims":                       strings.Replace(good, good[strings.IndexByte(good, '.')+1:strings.LastIndexByte(good, '.')], part(string(payload)+" "), 1),
		"signature of zeros":                 unsigned(`{"alg":"ES256","kid":"ec"}`) + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"signature of other size":            unsigned(`{"alg":"ES256","kid":"ec"}`) + signature[:40],
		"two parts":                          good[:strings.LastIndexByte(good, '.')],
		"four parts":                         good + ".x",
		"JSON form":                          `{"payload":"` + part(string(payload)) + `","signatures":[]}`,
		"no token":                           "text",
		"line end":                           good + "\n",
		"padding":                            good + "==",
	}
	for name, token := range tests {
		a := w.web(role, token)
		if a.status == 200 {
			t.Errorf("%s: let in", name)
			continue
		}
		a.fails("InvalidIdentityToken", "")
		if c := w.event()["userIdentity"]; strings.Contains(fmt.Sprint(c), "repo:org/app") {
			t.Errorf("%s: recorded as %v", name, c)
		}
	}
	for i := range good {
		changed := good[:i] + string(rune('A'+(good[i]-'A'+1)%26)) + good[i+1:]
		if changed != good && w.web(role, changed).status == 200 && !sameBits(changed, good) {
			t.Errorf("changed at %d: let in", i)
		}
	}
	w.web(role, good).get("AccessKeyId")
	for _, url := range i.fetched {
		if strings.Contains(url, "evil") {
			t.Errorf("fetched %s", url)
		}
	}
}

// sameBits says whether two tokens differ only in bits that base64 has too many.
func sameBits(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range x {
		p, err := base64.RawURLEncoding.DecodeString(x[i])
		q, _ := base64.RawURLEncoding.DecodeString(y[i])
		if err != nil || string(p) != string(q) {
			return false
		}
	}
	return true
}

func TestClaims(t *testing.T) {
	w, i, role := app(t)
	now := time.Now()
	const invalid = "InvalidIdentityToken"
	tests := []struct {
		name       string
		claims     map[string]any
		code, text string
	}{
		{"another issuer", map[string]any{"iss": "https://other.example"}, invalid, "No OpenIDConnect provider found in your account for https://other.example"},
		{"issuer with a slash", map[string]any{"iss": idpURL + "/"}, invalid, "No OpenIDConnect provider found"},
		{"issuer without TLS", map[string]any{"iss": "http://" + idpName}, invalid, "No OpenIDConnect provider found"},
		{"issuer without scheme", map[string]any{"iss": idpName}, invalid, "No OpenIDConnect provider found"},
		{"issuer that leads elsewhere", map[string]any{"iss": "https://../" + abroad + "/x"}, invalid, "No OpenIDConnect provider found"},
		{"no issuer", map[string]any{"iss": nil}, invalid, "iss"},
		{"issuer that is no text", map[string]any{"iss": []string{idpURL}}, invalid, "iss"},
		{"another client", map[string]any{"aud": "client-2"}, invalid, "Incorrect token audience"},
		{"no client", map[string]any{"aud": nil}, invalid, "Incorrect token audience"},
		{"client that is no text", map[string]any{"aud": 1}, invalid, "Incorrect token audience"},
		{"one client in a list", map[string]any{"aud": []string{"client-1"}}, "", ""},
		{"several clients", map[string]any{"aud": []string{"client-1", "client-2"}}, invalid, "Incorrect token audience"},
		{"several clients and to whom", map[string]any{"aud": []string{"client-1", "client-2"}, "azp": "client-1"}, "", ""},
		{"for another, issued to ours", map[string]any{"aud": "client-2", "azp": "client-1"}, "", ""},
		{"for ours, issued to another", map[string]any{"aud": "client-1", "azp": "client-2"}, invalid, "Incorrect token audience"},
		{"issued to what is no text", map[string]any{"azp": []string{"client-1"}}, invalid, "Incorrect token audience"},
		{"issued to ours, for nobody", map[string]any{"aud": nil, "azp": "client-1"}, invalid, "aud"},
		{"no subject", map[string]any{"sub": nil}, invalid, "sub"},
		{"long subject", map[string]any{"sub": strings.Repeat("x", 256)}, invalid, "sub"},
		{"over", map[string]any{"exp": now.Add(-time.Second).Unix()}, "ExpiredTokenException", "Token expired"},
		{"no end", map[string]any{"exp": nil}, invalid, "exp"},
		{"end that is no time", map[string]any{"exp": "tomorrow"}, invalid, "exp"},
		{"end before time began", map[string]any{"exp": -1}, invalid, "exp"},
		{"no beginning", map[string]any{"iat": nil}, invalid, "iat"},
		{"issued in the future", map[string]any{"iat": now.Add(2 * time.Minute).Unix()}, invalid, "not valid yet"},
		{"issued by a clock that is a little fast", map[string]any{"iat": now.Add(30 * time.Second).Unix()}, "", ""},
		{"not yet", map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}, invalid, "not valid yet"},
		{"now", map[string]any{"nbf": now.Unix()}, "", ""},
		{"beginning that is no time", map[string]any{"nbf": "now"}, invalid, "not valid yet"},
		{"fraction of a second", map[string]any{"exp": float64(now.Add(time.Hour).Unix()) + 0.5}, "", ""},
	}
	for _, test := range tests {
		a := w.web(role, i.token(i.with(test.claims)))
		if test.code == "" {
			if a.status != 200 {
				t.Errorf("%s: %s", test.name, a.body)
			}
			continue
		}
		if a.status == 200 {
			t.Errorf("%s: let in", test.name)
			continue
		}
		a.fails(test.code, test.text)
	}
	twice := `{"iss":"` + idpURL + `","aud":"client-1","sub":"a","sub":"b","iat":1,"exp":99999999999}`
	w.web(role, signJWT(t, jose.ES256, i.keys["ec"], "ec", []byte(twice))).fails(invalid, "")
}

// The development clock is no clock of the provider's: what counts is the real time.
func TestTokensEndByTheRealTime(t *testing.T) {
	w, i, role := app(t)
	token := i.token(i.with(nil))
	w.clock.Advance(1000 * time.Hour)
	w.web(role, token).as(w).must("GetCallerIdentity")
}

// A trust policy decides over what the provider says, and over nothing that the caller says.
func TestConditionKeysOfWebIdentities(t *testing.T) {
	w, i, _ := app(t)
	provider := "arn:aws:iam::" + home + ":oidc-provider/" + idpName
	tests := []struct {
		name, condition string
		claims          map[string]any
		ok              bool
	}{
		{"subject", `"StringEquals":{"` + idpName + `:sub":"repo:org/app"}`, nil, true},
		{"another subject", `"StringEquals":{"` + idpName + `:sub":"repo:org/other"}`, nil, false},
		{"any of a group", `"StringLike":{"` + idpName + `:sub":"repo:org/*"}`, nil, true},
		{"client", `"StringEquals":{"` + idpName + `:aud":"client-1"}`, nil, true},
		{"client that it was issued to", `"StringEquals":{"` + idpName + `:aud":"client-1","` + idpName + `:oaud":"api"}`, map[string]any{"aud": "api", "azp": "client-1"}, true},
		{"oaud cannot be claimed", `"StringEquals":{"` + idpName + `:oaud":"api"}`, map[string]any{"oaud": "api"}, false},
		{"methods", `"ForAnyValue:StringEquals":{"` + idpName + `:amr":"authenticated"}`, map[string]any{"amr": []string{"pwd", "authenticated"}}, true},
		{"no methods", `"ForAnyValue:StringEquals":{"` + idpName + `:amr":"authenticated"}`, nil, false},
		{"own claim", `"StringEquals":{"` + idpName + `:repository_owner":"org"}`, map[string]any{"repository_owner": "org"}, true},
		{"own claim, any case", `"StringEquals":{"` + idpName + `:Email":"a@b"}`, map[string]any{"EMAIL": "x@y", "email": "a@b"}, true},
		{"truth value", `"Bool":{"` + idpName + `:email_verified":"true"}`, map[string]any{"email_verified": true}, true},
		{"number", `"NumericEquals":{"` + idpName + `:level":"3"}`, map[string]any{"level": 3}, true},
		{"structure is no key", `"Null":{"` + idpName + `:structure":"true"}`, map[string]any{"structure": map[string]any{"a": 1}}, true},
		{"provider", `"StringEquals":{"aws:FederatedProvider":"` + provider + `"}`, nil, true},
		{"another provider", `"StringEquals":{"aws:FederatedProvider":"` + provider + `x"}`, nil, false},
		{"another provider's key", `"StringEquals":{"other.example:sub":"repo:org/app"}`, map[string]any{"other.example:sub": "repo:org/app"}, false},
		{"session name", `"StringEquals":{"sts:RoleSessionName":"session"}`, nil, true},
		{"no account", `"Null":{"aws:PrincipalAccount":"true"}`, nil, true},
		{"claims are no global keys", `"StringEquals":{"aws:PrincipalTag/team":"blue"}`, map[string]any{"aws:PrincipalTag/team": "blue"}, false},
	}
	for n, test := range tests {
		role := w.role(home, fmt.Sprintf("role%d", n), trustingProvider(provider, `"Condition":{`+test.condition+`}`))
		a := w.web(role, i.token(i.with(test.claims)))
		if test.ok {
			if a.status != 200 {
				t.Errorf("%s: %s", test.name, a.body)
			}
			continue
		}
		if a.status == 200 {
			t.Errorf("%s: let in", test.name)
			continue
		}
		a.fails("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
}

// A good token is good for the roles that trust its provider alone.
func TestRolesThatDoNotTrustTheProvider(t *testing.T) {
	w, i, role := app(t)
	token := i.token(i.with(nil))
	other := w.rootOf(home).must("CreateOpenIDConnectProvider", "Url", "https://other.example", "ClientIDList.member.1", "client-1").get("OpenIDConnectProviderArn")
	for name, r := range map[string]string{
		"another provider": w.role(home, "other", trustingProvider(other)), "the account": w.role(home, "account", trusting(accountARN(home))),
		"the account, with the action": w.role(home, "action", trustStatement(`{"AWS":"`+accountARN(home)+`"}`, []string{webIdentityAction})),
		"missing":                      "arn:aws:iam::" + home + ":role/missing",
	} {
		w.web(r, token).fails("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// Another account does not have the provider.
	foreign := w.role(abroad, "app", trustingProvider("arn:aws:iam::"+home+":oidc-provider/"+idpName))
	w.web(foreign, token).fails("InvalidIdentityToken", "No OpenIDConnect provider found in your account")
	w.rootOf(home).must("DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", "arn:aws:iam::"+home+":oidc-provider/"+idpName)
	w.web(role, token).fails("InvalidIdentityToken", "No OpenIDConnect provider found in your account")
}

// The provider can give the session tags and a source identity, as a caller of AssumeRole can.
func TestTagsOfWebIdentities(t *testing.T) {
	w, i, role := app(t)
	tags := func(principal map[string]any, transitive ...string) map[string]any {
		return i.with(map[string]any{tagsClaim: map[string]any{"principal_tags": principal, "transitive_tag_keys": transitive}, sourceClaim: "me"})
	}
	a := w.web(role, i.token(tags(map[string]any{"Team": []string{"blue"}, "Cost": []string{"1"}}, "Team")))
	if a.get("SourceIdentity") != "me" {
		t.Errorf("%s", a.body)
	}
	session := a.as(w)
	c, err := w.s.Lookup(t.Context(), session.id, session.token)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Caller.Session.Tags, c.Caller.Session.Transitive, c.Caller.Session.SourceIdentity); got != "[{Cost 1} {Team blue}] [Team]me" {
		t.Errorf("got %s", got)
	}
	for name, claims := range map[string]map[string]any{
		"several values":     tags(map[string]any{"Team": []string{"a", "b"}}),
		"no value":           tags(map[string]any{"Team": []string{}}),
		"a text":             i.with(map[string]any{tagsClaim: "x"}),
		"of the system":      tags(map[string]any{"aws:Team": []string{"a"}}),
		"twice":              tags(map[string]any{"Team": []string{"a"}, "TEAM": []string{"b"}}),
		"transitive unknown": tags(map[string]any{"Team": []string{"a"}}, "Other"),
		"long key":           tags(map[string]any{strings.Repeat("k", 129): []string{"a"}}),
		"source no text":     i.with(map[string]any{sourceClaim: 1}),
		"source malformed":   i.with(map[string]any{sourceClaim: "a b"}),
	} {
		if a := w.web(role, i.token(claims)); a.status == 200 {
			t.Errorf("%s: let in", name)
		} else {
			a.fails("IDPRejectedClaim", "")
		}
	}
	plain := w.role(home, "plain", trustStatement(`{"Federated":"arn:aws:iam::`+home+`:oidc-provider/`+idpName+`"}`, []string{webIdentityAction}))
	w.web(plain, i.token(i.with(nil))).get("AccessKeyId")
	w.web(plain, i.token(tags(map[string]any{"Team": []string{"blue"}}))).fails("AccessDenied", "")
}

// From the token to the provider's web server, over TLS, with the provider's certificate let in by its thumbprint.
func TestWebIdentityOverHTTPS(t *testing.T) {
	w := newSTSWorld(t)
	i := newIdentityProvider(t, "")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/realm/.well-known/openid-configuration":
			fmt.Fprintf(rw, `{"issuer":%q,"jwks_uri":%q}`, i.url, "https://"+r.Host+"/keys")
		case "/keys":
			rw.Write(i.set())
		default:
			http.NotFound(rw, r)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // that we do not trust it is no news
	s.StartTLS()
	defer s.Close()
	i.url = s.URL + "/realm"
	sum := sha1.Sum(s.Certificate().Raw)
	provider := w.register(i, "ThumbprintList.member.1", strings.ToUpper(hex.EncodeToString(sum[:])))
	w.fetch = fetch.New(true).Get
	role := w.role(home, "app", trustingProvider(provider))
	w.web(role, i.token(i.with(nil))).as(w).must("GetCallerIdentity")
	w.rootOf(home).must("UpdateOpenIDConnectProviderThumbprint", "OpenIDConnectProviderArn", provider, "ThumbprintList.member.1", strings.Repeat("0", 40))
	w.web(role, i.token(i.with(nil))).fails("IDPCommunicationError", "Couldn't retrieve verification key")
}

func FuzzWebIdentityToken(f *testing.F) {
	w, i, role := app(f)
	good := i.token(i.with(nil))
	f.Add(good)
	f.Add(i.token(i.with(map[string]any{"azp": "client-1", tagsClaim: map[string]any{}})))
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		a, _, _ := strings.Cut(role, ":role/")
		p, err := w.s.providerOf(t.Context(), strings.TrimPrefix(a, "arn:aws:iam::"), token)
		if err != nil {
			return
		}
		got, err := w.s.verifyToken(t.Context(), p, token, time.Now())
		if (got == nil) != (err != nil) {
			t.Fatalf("%v, %v", got, err)
		}
		if got != nil && got.subject != "repo:org/app" {
			t.Errorf("%q: let in as %s", token, got.subject)
		}
	})
}
