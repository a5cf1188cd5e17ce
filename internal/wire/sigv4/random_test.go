package sigv4

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// Random requests, signed by the reference, verify after a trip over the wire; with one thing changed they do not.
func TestRandomRequestsAgreeWithTheReference(t *testing.T) {
	v := newVerifier(t, Config{})
	rng := rand.New(rand.NewPCG(4, 2026))
	accepted, refused := 0, 0
	for range 3000 {
		wire, s := randomRequest(rng)
		r, body := receive(t, wire)
		form := "header"
		if rng.IntN(3) == 0 {
			form, s.expires = "query", "300"
			s.presign(r, body)
		} else {
			r.Header.Set("X-Amz-Date", s.timestamp)
			s.sign(r, body)
		}
		if _, err := v.Verify(t.Context(), r, body); err != nil {
			t.Fatalf("%s form refused: %v\n%s", form, err, wire)
		}
		accepted++
		what, body := change(rng, r, body)
		if _, err := v.Verify(t.Context(), r, body); err == nil {
			t.Fatalf("%s form verifies with %s changed\n%s", form, what, wire)
		}
		refused++
	}
	if accepted < 3000 || refused < 3000 {
		t.Fatalf("only %d accepted and %d refused", accepted, refused)
	}
}

// randomRequest returns an unsigned request and who is to sign it.
func randomRequest(rng *rand.Rand) (string, reference) {
	s := example()
	s.region = fmt.Sprint("region-", rng.IntN(5))
	if rng.IntN(3) == 0 {
		s.id, s.secret, s.token = sessionKey, sessionSecret, sessionToken
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", pick(rng, "GET", "POST", "PUT", "DELETE"), randomTarget(rng),
		pick(rng, "kms.eu-central-1.amazonaws.com", "127.0.0.1:4599", "[::1]:4599", "KMS.Example"))
	for i := range rng.IntN(4) {
		fmt.Fprintf(&b, "X-Amz-H%d:%s%s\r\n", i, strings.Repeat(" ", rng.IntN(3)), randomText(rng, "ab  ,;=:\"é"))
	}
	body := randomText(rng, "{}\":,abc\x00\n")
	fmt.Fprintf(&b, "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return b.String(), s
}

func randomTarget(rng *rand.Rand) string {
	target := ""
	for range 1 + rng.IntN(4) {
		target += "/" + refEscape(randomText(rng, "ab.~-_ %+é"))
	}
	for i := range rng.IntN(5) {
		sep := "&"
		if i == 0 {
			sep = "?"
		}
		target += fmt.Sprintf("%s%s%d=%s", sep, refEscape(randomText(rng, "aB~-.é&= ")), i, refEscape(randomText(rng, "xY+% /&=")))
	}
	return target
}

func randomText(rng *rand.Rand, alphabet string) string {
	runes := []rune(alphabet)
	var b strings.Builder
	for range rng.IntN(12) {
		b.WriteRune(runes[rng.IntN(len(runes))])
	}
	return b.String()
}

func pick(rng *rand.Rand, s ...string) string { return s[rng.IntN(len(s))] }

// change alters one signed thing of a signed request and says which.
func change(rng *rand.Rand, r *http.Request, body []byte) (string, []byte) {
	switch rng.IntN(6) {
	case 0:
		r.Method += "X"
		return "the method", body
	case 1:
		r.Host += "0"
		return "the host", body
	case 2:
		r.URL.Path, r.URL.RawPath = r.URL.Path+"x", ""
		r.RequestURI = r.URL.RequestURI()
		return "the path", body
	case 3:
		setQuery(r, r.URL.RawQuery+"&new=1")
		return "the query", body
	case 4:
		r.Header.Set("X-Amz-New", "1")
		return "the headers", body
	default:
		return "the body", append(body[:len(body):len(body)], 'x')
	}
}
