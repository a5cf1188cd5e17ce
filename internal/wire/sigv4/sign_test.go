package sigv4

import (
	"net/http"
	"strings"
	"testing"
)

// Sign agrees with the reference and with Verify.
func TestSign(t *testing.T) {
	for _, tt := range []struct {
		name, method, url string
		header            http.Header
		body              string
		cred              Credential
	}{
		{"plain", "POST", "http://127.0.0.1:4599", http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"TrentService.ListKeys"}}, "{}", credential(exampleKey, exampleSecret)},
		{"query", "GET", "https://sts.amazonaws.com/?Version=2011-06-15&Action=GetCallerIdentity", nil, "", credential(exampleKey, exampleSecret)},
		{"path", "PUT", "https://h/a%20b/c%2Fd/", http.Header{"Accept": {"*/*"}}, "x", credential(exampleKey, exampleSecret)},
		{"token", "POST", "https://h/", nil, "x", temporary()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range tt.header {
				r.Header[name] = v
			}
			if err := Sign(r, []byte(tt.body), tt.cred, "eu-central-1", "kms", exampleTime()); err != nil {
				t.Fatal(err)
			}
			got, body := overTheWire(t, r)
			if _, err := newVerifier(t, Config{}).Verify(t.Context(), got, body); err != nil {
				t.Error(err)
			}
			s := example()
			s.id, s.secret, s.token = tt.cred.AccessKeyID, string(tt.cred.Secret.Expose()), tt.cred.SessionToken
			want := r.Header.Get("Authorization")
			if s.sign(got, body); got.Header.Get("Authorization") != want {
				t.Errorf("Sign wrote  %s\nreference:  %s", want, got.Header.Get("Authorization"))
			}
		})
	}
}

func temporary() Credential {
	c := credential(sessionKey, sessionSecret)
	c.SessionToken = sessionToken
	return c
}

// overTheWire sends r to a buffer and reads it back.
func overTheWire(t *testing.T, r *http.Request) (*http.Request, []byte) {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return receive(t, b.String())
}

func TestSignTwice(t *testing.T) {
	r, body := newDecrypt(t)
	v := newVerifier(t, Config{})
	for range 2 {
		if err := Sign(r, body, credential(exampleKey, exampleSecret), "eu-central-1", "kms", exampleTime()); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), r, body); err != nil {
			t.Error(err)
		}
	}
}

// What Verify would refuse, Sign does not sign.
func TestSignRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
	}{
		{"repeated parameter", query("a=1&a=2")},
		{"repeated header", add("X-Amz-Target", "x")},
		{"control character", set("X-Amz-Target", "a\x01")},
		{"hash of another body", set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")},
		{"opaque URL", func(r *http.Request) { r.RequestURI, r.URL.Opaque = "", "mailto:x" }},
	} {
		r, body := newDecrypt(t)
		tt.change(r)
		if err := Sign(r, body, credential(exampleKey, exampleSecret), "eu-central-1", "kms", exampleTime()); err == nil {
			t.Errorf("%s: signed", tt.name)
		}
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s: has an Authorization header", tt.name)
		}
	}
}
