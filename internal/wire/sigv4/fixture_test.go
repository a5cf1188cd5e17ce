package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/material"
)

// The credentials of AWS's examples, and a temporary pair beside them.
const (
	exampleKey    = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	sessionKey    = "ASIAEXAMPLE"
	sessionSecret = "bPxRfiCYEXAMPLEKEY+wJalrXUtnFEMI/K7MDENG"
	sessionToken  = "FwoGZXIvYXdzEXAMPLE//////////wEaDEXAMPLE=="
	account       = "111122223333"
)

// exampleTime is when everything here is signed, and what the verifier takes for now.
func exampleTime() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }

func credential(id, secret string) Credential {
	return Credential{AccessKeyID: id, Secret: material.Take([]byte(secret)), Caller: caller.RootOf(account, id)}
}

func lookupExample(_ context.Context, id, token string) (Credential, error) {
	switch {
	case id == exampleKey && token == "":
		return credential(exampleKey, exampleSecret), nil
	case id == sessionKey && token == sessionToken:
		return credential(sessionKey, sessionSecret), nil
	case id == sessionKey && token == "expired":
		return Credential{}, api.ExpiredTokenException("The security token included in the request is expired")
	}
	return Credential{}, ErrUnknownKey
}

func newVerifier(tb testing.TB, c Config) *Verifier {
	tb.Helper()
	if c.Lookup == nil {
		c.Lookup = lookupExample
	}
	if c.Now == nil {
		c.Now = exampleTime
	}
	v, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// newDecrypt returns the request of a Decrypt call, unsigned, as a server would have received it.
func newDecrypt(tb testing.TB) (*http.Request, []byte) {
	tb.Helper()
	body := `{"CiphertextBlob":"` + strings.Repeat("QUJD", 60) + `","EncryptionContext":{"tenant":"blue"}}`
	return receive(tb, "POST / HTTP/1.1\r\n"+
		"Host: kms.eu-central-1.amazonaws.com:4599\r\n"+
		"Content-Type: application/x-amz-json-1.1\r\n"+
		"User-Agent: example/1.0\r\n"+
		"X-Amz-Date: 20150830T123600Z\r\n"+
		"X-Amz-Target: TrentService.Decrypt\r\n"+
		"Content-Length: "+itoa(len(body))+"\r\n\r\n"+body)
}

// receive reads a request from the wire, as net/http's server does.
func receive(tb testing.TB, wire string) (*http.Request, []byte) {
	tb.Helper()
	r, body, err := parseWire(tb.Context(), []byte(wire))
	if err != nil {
		tb.Fatal(err)
	}
	return r, body
}

func parseWire(ctx context.Context, wire []byte) (*http.Request, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r.WithContext(ctx), body, err
}

// wantError checks an error's code and the beginning of its text.
func wantError(tb testing.TB, err error, code, text string) {
	tb.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		tb.Fatalf("got error %v, want %s", err, code)
	}
	if e.Code != code || !strings.HasPrefix(e.Message, text) {
		tb.Errorf("got  %s: %s\nwant %s: %s", e.Code, e.Message, code, text)
	}
}

func lookupAlways(c Credential, err error) func(context.Context, string, string) (Credential, error) {
	return func(context.Context, string, string) (Credential, error) { return c, err }
}

func mustUnescape(s string) string {
	p, err := url.PathUnescape(s)
	if err != nil {
		panic(err)
	}
	return p
}
