package compat

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// lasting and temporary are the credentials that the SDK signs with.
func lasting() aws.Credentials {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
}

func temporary() aws.Credentials {
	return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "bPxRfiCYEXAMPLEKEY+wJalrXUtnFEMI/K7MDENG", SessionToken: "IQoJb3JpZ2luX2VjEXAMPLE//+=="}
}

// signedAt is two seconds before midnight; requests are verified on the next day.
func signedAt() time.Time { return time.Date(2026, 11, 22, 23, 59, 58, 0, time.UTC) }

func newVerifier(t *testing.T) *sigv4.Verifier {
	t.Helper()
	v, err := sigv4.New(sigv4.Config{
		Now: func() time.Time { return signedAt().Add(3 * time.Second) },
		Lookup: func(_ context.Context, id, token string) (sigv4.Credential, error) {
			for _, c := range []aws.Credentials{lasting(), temporary()} {
				if c.AccessKeyID == id && c.SessionToken == token {
					return sigv4.Credential{AccessKeyID: id, Secret: material.Take([]byte(c.SecretAccessKey)), Caller: caller.RootOf("111122223333", id)}, nil
				}
			}
			return sigv4.Credential{}, sigv4.ErrUnknownKey
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Whatever the SDK signs verifies; with any one thing changed it does not.
func TestVerifyWhatTheSDKSigns(t *testing.T) {
	v := newVerifier(t)
	rng := rand.New(rand.NewPCG(2, 2026))
	accepted, refused := map[string]int{}, map[string]int{}
	for range 2500 {
		s := randomSigning(t, rng)
		wire := s.wire(t)
		signed, err := verify(t, v, wire)
		if err != nil {
			t.Fatalf("%s refused: %v\n%q", s.form, err, wire)
		}
		if signed.Region != s.region || signed.Service != s.service || signed.Caller.AccessKeyID != s.credentials.AccessKeyID || signed.Presigned != (s.form == "presigned") {
			t.Fatalf("got %+v of %+v", signed, s)
		}
		accepted[s.form]++
		for _, m := range mutations() {
			mutated, ok := m.apply(rng, wire)
			if !ok {
				continue
			}
			var e *api.Error
			if _, err := verify(t, v, mutated); err == nil {
				t.Fatalf("%s verifies with %s changed\n%q\n%q", s.form, m.name, wire, mutated)
			} else if errors.As(err, &e) && e.Status != 400 {
				t.Errorf("%s: %v has status %d", m.name, err, e.Status)
			}
			refused[m.name]++
		}
	}
	t.Logf("accepted %v, refused %v", accepted, refused)
	if accepted["header"] < 1500 || accepted["presigned"] < 500 {
		t.Errorf("only %v accepted", accepted)
	}
	for _, m := range mutations() {
		if refused[m.name] < 300 {
			t.Errorf("only %d requests had %s changed", refused[m.name], m.name)
		}
	}
}

// errUnreadable says that net/http did not let a request through to the verifier.
var errUnreadable = errors.New("not a request")

func verify(t *testing.T, v *sigv4.Verifier, wire string) (sigv4.Signed, error) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		return sigv4.Signed{}, errors.Join(errUnreadable, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return sigv4.Signed{}, errors.Join(errUnreadable, err)
	}
	return v.Verify(t.Context(), r, body)
}

// signing is one request that the SDK signed.
type signing struct {
	form            string
	region, service string
	credentials     aws.Credentials
	request         *http.Request
	body            []byte
}

func randomSigning(t *testing.T, rng *rand.Rand) signing {
	t.Helper()
	s := signing{form: "header", region: pick(rng, "eu-central-1", "us-east-1", "local"), service: pick(rng, "kms", "sts"), credentials: lasting()}
	if rng.IntN(3) == 0 {
		s.credentials = temporary()
	}
	s.body = []byte(text(rng, 400, "{}\":,ab é\x00\n"))
	r, err := http.NewRequestWithContext(t.Context(), pick(rng, "GET", "POST", "PUT", "DELETE"), randomURL(rng), bytes.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("User-Agent", "aws-sdk-go-v2/"+text(rng, 8, "0123."))
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	for i := range rng.IntN(4) {
		r.Header.Set("X-Amz-Meta-"+strconv.Itoa(i), text(rng, 20, "ab  ,;=\"é"))
	}
	s.request = r
	if rng.IntN(3) == 0 {
		s.presign(t, rng)
		return s
	}
	r.Header.Set("X-Amz-Target", "TrentService.Decrypt")
	if err := v4.NewSigner().SignHTTP(t.Context(), s.credentials, r, sum(s.body), s.service, s.region, signedAt()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *signing) presign(t *testing.T, rng *rand.Rand) {
	t.Helper()
	s.form = "presigned"
	q := s.request.URL.Query()
	q.Set("X-Amz-Expires", strconv.Itoa(3+rng.IntN(604798)))
	s.request.URL.RawQuery = q.Encode()
	signed, header, err := v4.NewSigner().PresignHTTP(t.Context(), s.credentials, s.request, sum(s.body), s.service, s.region, signedAt())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), s.request.Method, signed, bytes.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = header.Get("Host") // without the default port of the scheme, as clients send it
	for name, values := range header {
		if name != "Host" && name != "Content-Length" {
			r.Header[name] = values
		}
	}
	s.request = r
}

func (s *signing) wire(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	if err := s.request.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// randomURL has no dot segments and no empty ones: the SDK leaves them as they are, which suits S3 alone.
func randomURL(rng *rand.Rand) string {
	u := pick(rng, "https://kms.eu-central-1.amazonaws.com", "http://127.0.0.1:4599", "https://[::1]:4599", "https://Example:443", "http://example:80")
	for range rng.IntN(4) {
		u += "/s" + url.PathEscape(text(rng, 8, "ab.~-_ %+é*!"))
	}
	q := url.Values{}
	for i := range rng.IntN(5) {
		q.Set(text(rng, 5, "aBz~-.é&=+{ ")+strconv.Itoa(i), text(rng, 12, "xY+% /&=é"))
	}
	return u + "/?" + q.Encode()
}

func text(rng *rand.Rand, limit int, alphabet string) string {
	runes := []rune(alphabet)
	var b strings.Builder
	for range rng.IntN(limit) {
		b.WriteRune(runes[rng.IntN(len(runes))])
	}
	return b.String()
}

func pick(rng *rand.Rand, s ...string) string { return s[rng.IntN(len(s))] }

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// mutation changes one thing on the wire. It is false when the request has no such thing.
type mutation struct {
	name  string
	apply func(rng *rand.Rand, wire string) (string, bool)
}

func mutations() []mutation {
	header := func(old, new string) func(*rand.Rand, string) (string, bool) {
		return func(_ *rand.Rand, wire string) (string, bool) {
			head, body, _ := strings.Cut(wire, "\r\n\r\n")
			return strings.Replace(head, old, new, 1) + "\r\n\r\n" + body, strings.Contains(head, old)
		}
	}
	return []mutation{
		{"the method", func(_ *rand.Rand, wire string) (string, bool) { return "X" + wire, true }},
		{"the path", header(" /", " /x/")},
		{"the query", header(" HTTP/1.1", "&new=1 HTTP/1.1")},
		{"the host", header("\r\nHost: ", "\r\nHost: x")},
		{"the date", header("235958Z", "235957Z")},
		{"the day", header("/20261122/", "/20261123/")},
		{"the Region", header("eu-central-1/", "eu-central-2/")},
		{"the service", header("/kms/", "/sts/")},
		{"the access key", header("AKIDEXAMPLE", "ASIAEXAMPLE")},
		{"the session token", header("IQoJb3", "IQoJb4")},
		{"the target", header("TrentService.Decrypt", "TrentService.Encrypt")},
		{"a signed header", header("X-Amz-Meta-0: ", "X-Amz-Meta-0: x")},
		{"the name of a signed header", header("X-Amz-Meta-0: ", "X-Amz-Meta-9: ")},
		{"an unsigned header", header("\r\nHost: ", "\r\nX-Amz-New: 1\r\nHost: ")},
		{"a repeated target", header("\r\nX-Amz-Target: ", "\r\nX-Amz-Target: x\r\nX-Amz-Target: ")},
		{"the content type", header("x-amz-json-1.1", "x-amz-json-1.0")},
		{"the list of signed headers", header("SignedHeaders=", "SignedHeaders=accept;")},
		{"the expiry", header("X-Amz-Expires=", "X-Amz-Expires=1")},
		{"the signature", flipSignature},
		{"the body", flipBody},
		{"the length", dropLastByte},
	}
}

// flipSignature changes one of the 64 digits.
func flipSignature(rng *rand.Rand, wire string) (string, bool) {
	i := strings.Index(wire, "Signature=")
	if i < 0 {
		return "", false
	}
	b := []byte(wire)
	at := i + len("Signature=") + rng.IntN(64)
	if b[at] == '0' {
		b[at] = '1'
	} else {
		b[at] = '0'
	}
	return string(b), true
}

// flipBody changes one bit of the body.
func flipBody(rng *rand.Rand, wire string) (string, bool) {
	start := strings.Index(wire, "\r\n\r\n") + 4
	if start == len(wire) {
		return "", false
	}
	b := []byte(wire)
	b[start+rng.IntN(len(b)-start)] ^= 1 << rng.IntN(8)
	return string(b), true
}

// dropLastByte shortens the body and declares the new length.
func dropLastByte(_ *rand.Rand, wire string) (string, bool) {
	head, body, _ := strings.Cut(wire, "\r\n\r\n")
	if body == "" {
		return "", false
	}
	length := fmt.Sprintf("Content-Length: %d", len(body))
	return strings.Replace(head, length, fmt.Sprintf("Content-Length: %d", len(body)-1), 1) + "\r\n\r\n" + body[:len(body)-1], true
}
