package sigv4

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever the Authorization header says, parsing ends with an error or with parts that hold every rule.
func FuzzAuthorizationHeader(f *testing.F) {
	r, body := newDecrypt(f)
	example().sign(r, body)
	valid := r.Header.Get("Authorization")
	for _, seed := range []string{
		valid, strings.ReplaceAll(valid, ", ", ","), algorithm, algorithm + " ", algorithm + " =,=,=", "AWS4-", "Bearer x",
		algorithm + " Credential=////,SignedHeaders=;,Signature=", algorithm + " Credential=a/20150830/b/c/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64),
	} {
		f.Add(seed, "20150830T123600Z")
	}
	f.Add(valid, "Sun, 30 Aug 2015 12:36:00 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		a, err := parseHeader(value, http.Header{"X-Amz-Date": {date}})
		if err == nil {
			checkParts(t, a)
		}
	})
}

// The same for the query.
func FuzzPresignedQuery(f *testing.F) {
	r, body := newPresigned(f)
	s := example()
	s.expires, s.token = "60", sessionToken
	s.presign(r, body)
	for _, seed := range []string{
		r.URL.RawQuery, "X-Amz-Signature=", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=-1", "a=b&a=b", "%", "a=%4", "=&=", "&&&", "a;b", "+=+",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		params, err := parseQuery(raw)
		want, stdErr := url.ParseQuery(raw)
		if err != nil {
			return
		}
		got := url.Values{}
		for _, p := range params {
			got.Add(p.name, p.value)
		}
		// Handlers read the query with net/url; what was verified must be what they read.
		if diff := cmp.Diff(want, got); diff != "" || stdErr != nil {
			t.Fatalf("net/url reads something else: %v\n%s", stdErr, diff)
		}
		if got.Get("X-Amz-Signature") == "" && string(appendQuery(nil, params)) != refQueryWithoutSignature(want) {
			t.Errorf("canonical query of %q is %q", raw, appendQuery(nil, params))
		}
		req := request{query: params, header: http.Header{}}
		if a, err := req.readAuthorization(); err == nil {
			checkParts(t, a)
		}
	})
}

func refQueryWithoutSignature(v url.Values) string {
	v.Del("X-Amz-Signature")
	return refQuery(v.Encode())
}

// checkParts holds for everything that the parsers let through.
func checkParts(t *testing.T, a authorization) {
	t.Helper()
	if len(a.timestamp) != basicLength || a.timestamp[:8] != a.day || a.at.Format(basicFormat) != a.timestamp {
		t.Errorf("timestamp %q, day %q, time %v", a.timestamp, a.day, a.at)
	}
	if !validAccessKeyID(a.accessKeyID) || !validPart(a.region) || !validPart(a.service) {
		t.Errorf("scope %+v", a.scope)
	}
	if a.signedHeaders == "" || a.validFor < 0 || a.validFor.Seconds() > maxExpires || a.validFor > 0 && !a.presigned {
		t.Errorf("%+v", a)
	}
}

// Bytes of a signed request are replaced by others. If it still verifies, it still means the same.
func FuzzVerifyMutatedRequest(f *testing.F) {
	wires := signedWires(f)
	for i := range wires {
		f.Add(i, 0, 0, "")
		for _, cut := range []string{" / ", "Host: ", "X-Amz-Target: ", "Signature=", "SignedHeaders=", "Credential=", "\r\n\r\n"} {
			at := strings.Index(wires[i], cut) + len(cut)
			f.Add(i, at, 0, " ")
			f.Add(i, at, 1, "x")
			f.Add(i, at, 0, "\r\n")
			f.Add(i, at-1, 1, "?a=b ")
		}
	}
	v, err := New(Config{Lookup: lookupExample, Now: exampleTime})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which, at, remove int, insert string) {
		if which < 0 || which >= len(wires) || at < 0 || at > len(wires[which]) || remove < 0 || remove > len(wires[which])-at {
			return
		}
		wire := wires[which]
		checkMutation(t, v, wire, wire[:at]+insert+wire[at+remove:])
	})
}

func checkMutation(t *testing.T, v *Verifier, wire, mutated string) {
	t.Helper()
	r, body, err := parseWire(context.Background(), []byte(mutated))
	if err != nil {
		return
	}
	if _, err := v.Verify(t.Context(), r, body); err != nil {
		return
	}
	original, originalBody := receive(t, wire)
	if diff := cmp.Diff(meaningOf(original, originalBody), meaningOf(r, body)); diff != "" {
		t.Errorf("verifies, but means something else (-signed +verified):\n%s\n%q", diff, mutated)
	}
}

// signedWires are valid signed requests as they are sent: header form, presigned, and with a session token.
func signedWires(tb testing.TB) []string {
	tb.Helper()
	decrypt, body := newDecrypt(tb)
	example().sign(decrypt, body)
	presigned, none := newPresigned(tb)
	s := example()
	s.service, s.expires = "sts", "900"
	s.presign(presigned, none)
	session, sessionBody := newDecrypt(tb)
	s = example()
	s.id, s.secret, s.token = sessionKey, sessionSecret, sessionToken
	s.sign(session, sessionBody)
	return []string{wireOf(tb, decrypt, body), wireOf(tb, presigned, nil), wireOf(tb, session, sessionBody)}
}

func wireOf(tb testing.TB, r *http.Request, body []byte) string {
	tb.Helper()
	var b strings.Builder
	b.WriteString(r.Method + " " + r.RequestURI + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
	if err := r.Header.Write(&b); err != nil {
		tb.Fatal(err)
	}
	return b.String() + "\r\n" + string(body)
}

// meaning is what a server acts upon.
type meaning struct {
	Method, Host, Path string
	Query              url.Values
	Header             map[string]string
	Body               string
}

func meaningOf(r *http.Request, body []byte) meaning {
	m := meaning{Method: r.Method, Host: r.Host, Body: string(body), Header: map[string]string{}}
	m.Path = strings.TrimSuffix(path.Clean(r.URL.Path), "/")
	m.Query, _ = url.ParseQuery(r.URL.RawQuery)
	for name := range r.Header {
		if mustSign(name) {
			m.Header[name] = strings.Join(strings.Fields(r.Header.Get(name)), " ")
		}
	}
	return m
}
