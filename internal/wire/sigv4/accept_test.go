package sigv4

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/trent-kms/trent/internal/caller"
)

func TestVerifySaysWhoSigned(t *testing.T) {
	r, body := newDecrypt(t)
	example().sign(r, body)
	got, err := newVerifier(t, Config{}).Verify(t.Context(), r, body)
	if err != nil {
		t.Fatal(err)
	}
	want := Signed{Caller: caller.RootOf(account, exampleKey), Region: "eu-central-1", Service: "kms"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestVerifyPresigned(t *testing.T) {
	r, body := newPresigned(t)
	s := example()
	s.service, s.expires, s.signed = "sts", "900", []string{"host", "x-k8s-aws-id"}
	s.id, s.secret, s.token = sessionKey, sessionSecret, sessionToken
	s.presign(r, body)
	v := newVerifier(t, Config{Now: func() time.Time { return exampleTime().Add(15 * time.Minute) }})
	got, err := v.Verify(t.Context(), r, body)
	if err != nil {
		t.Fatal(err)
	}
	want := Signed{Caller: caller.RootOf(account, sessionKey), Region: "eu-central-1", Service: "sts", Presigned: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Requests that differ from the plain one in ways that real clients have.
func TestVerifyAccepts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		signer func(*reference)
		before func(*http.Request)
		after  func(*http.Request)
	}{
		{name: "no spaces after commas", after: replaceAll(", ", ",")},
		{name: "many spaces after commas", after: replaceAll(", ", ",   ")},
		{name: "another order of parts", after: func(r *http.Request) {
			_, list, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			p := strings.Split(list, ", ")
			authorize(algorithm + " " + p[2] + "," + p[0] + "," + p[1])(r)
		}},
		{name: "content type not signed", signer: func(s *reference) { s.signed = []string{"host", "x-amz-date", "x-amz-target"} }},
		{name: "x-amz-user-agent not signed", signer: func(s *reference) { s.signed = []string{"host", "x-amz-date", "x-amz-target"} }, before: set("X-Amz-User-Agent", "php")},
		{name: "x-amz-user-agent signed", before: set("X-Amz-User-Agent", "js")},
		{name: "x-amzn-trace-id added by a load balancer", after: set("X-Amzn-Trace-Id", "Root=1")},
		{name: "x_amz_target is another header", after: func(r *http.Request) { r.Header["X_amz_target"] = []string{"x"} }},
		{name: "content hash declared", before: func(r *http.Request) {
			_, body := newDecrypt(t)
			set("X-Amz-Content-Sha256", refHash(string(body)))(r)
		}},
		{name: "token", signer: func(s *reference) { s.id, s.secret, s.token = sessionKey, sessionSecret, sessionToken }},
		{name: "Date header in basic format", before: func(r *http.Request) { del("X-Amz-Date")(r); set("Date", "20150830T123600Z")(r) }},
		{name: "Date header of HTTP", before: func(r *http.Request) { del("X-Amz-Date")(r); set("Date", "Sun, 30 Aug 2015 12:36:00 GMT")(r) }},
		{name: "spaces in a signed value", before: set("X-Amz-Meta", "  a   b  ")},
		{name: "empty signed value", before: set("X-Amz-Meta", "")},
		{name: "value of spaces", before: set("X-Amz-Meta", "   ")},
		{name: "UTF-8 in a signed value", before: set("X-Amz-Meta", "größe")},
		{name: "long header name", before: set("X-Amz-"+strings.Repeat("Long-", 40)+"Name", "v")},
		{name: "path", before: target("/a%20b/c+d/%2e%2e/~x/")},
		{name: "path with dots", before: target("/a/./b/../c//d")},
		{name: "query", before: query("b=2&a=1&c&=&%C3%A9=x+y%20z&a-b=*")},
		{name: "GET", before: func(r *http.Request) { r.Method = "GET" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, body := newDecrypt(t)
			apply(tt.before, r)
			s := example()
			if tt.signer != nil {
				tt.signer(&s)
			}
			s.sign(r, body)
			apply(tt.after, r)
			if _, err := newVerifier(t, Config{}).Verify(t.Context(), r, body); err != nil {
				t.Error(err)
			}
		})
	}
}

func replaceAll(old, new string) func(*http.Request) {
	return func(r *http.Request) { authorize(strings.ReplaceAll(r.Header.Get("Authorization"), old, new))(r) }
}

func target(t string) func(*http.Request) {
	return func(r *http.Request) {
		u, err := r.URL.Parse(t)
		if err != nil {
			panic(err)
		}
		// URL.Parse resolves dots; the wire does not.
		u.Path, u.RawPath = mustUnescape(t), t
		r.URL, r.RequestURI = u, t
	}
}

func TestLookupErrorIsPassedOn(t *testing.T) {
	r, body := newDecrypt(t)
	example().sign(r, body)
	broken := errors.New("store is down")
	v := newVerifier(t, Config{Lookup: lookupAlways(Credential{}, broken)})
	if _, err := v.Verify(t.Context(), r, body); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

// A credential without a secret must not make the empty secret a valid one.
func TestEmptySecretIsUnknown(t *testing.T) {
	r, body := newDecrypt(t)
	s := example()
	s.secret = ""
	s.sign(r, body)
	v := newVerifier(t, Config{Lookup: lookupAlways(Credential{AccessKeyID: exampleKey}, nil)})
	_, err := v.Verify(t.Context(), r, body)
	wantError(t, err, unknownCode, unknownText)
}

func TestNewChecksConfig(t *testing.T) {
	for name, c := range map[string]Config{"no Lookup": {}, "negative Keys": {Lookup: lookupExample, Keys: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
