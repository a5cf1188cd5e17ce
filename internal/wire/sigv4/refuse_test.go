package sigv4

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	missingCode    = "MissingAuthenticationTokenException"
	incompleteCode = "IncompleteSignatureException"
	invalidCode    = "InvalidSignatureException"
	unknownCode    = "UnrecognizedClientException"

	mismatchText = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	unknownText = "The security token included in the request is invalid."
	hashedText  = "(Hashed with SHA-256 and encoded with Base64) Authorization="
)

// refusal changes a request for the worse. Header form: before is done before signing, after is done after.
type refusal struct {
	name       string
	signer     func(*reference)
	before     func(*http.Request)
	after      func(*http.Request)
	code, text string
}

func TestHeaderFormRefuses(t *testing.T) {
	for _, tt := range headerRefusals() {
		t.Run(tt.name, func(t *testing.T) {
			r, body := newDecrypt(t)
			apply(tt.before, r)
			s := example()
			if tt.signer != nil {
				tt.signer(&s)
			}
			s.sign(r, body)
			apply(tt.after, r)
			_, err := newVerifier(t, Config{}).Verify(t.Context(), r, body)
			wantError(t, err, tt.code, tt.text)
		})
	}
}

func apply(change func(*http.Request), r *http.Request) {
	if change != nil {
		change(r)
	}
}

// replace changes the Authorization header, which must contain old.
func replace(old, new string) func(*http.Request) {
	return func(r *http.Request) {
		v := r.Header.Get("Authorization")
		if !strings.Contains(v, old) {
			panic("no " + old + " in " + v)
		}
		r.Header.Set("Authorization", strings.Replace(v, old, new, 1))
	}
}

func authorize(value string) func(*http.Request) { return set("Authorization", value) }

func set(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func add(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func del(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(name) }
}

func query(raw string) func(*http.Request) {
	return func(r *http.Request) { setQuery(r, raw) }
}

func headerRefusals() []refusal {
	return []refusal{
		// Nobody signed.
		{name: "no authorization", after: del("Authorization"), code: missingCode, text: "Missing Authentication Token"},
		{name: "basic authorization", after: authorize("Basic dXNlcjpwYXNz"), code: missingCode, text: "Missing Authentication Token"},
		{name: "bearer token", after: authorize("Bearer AWS4-HMAC-SHA256"), code: missingCode, text: "Missing Authentication Token"},
		{name: "signature version 2", after: authorize("AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo="), code: missingCode, text: "Missing Authentication Token"},
		{name: "empty authorization", after: authorize(""), code: missingCode, text: "Missing Authentication Token"},
		{name: "lower-case scheme", after: replace("AWS4-HMAC", "aws4-hmac"), code: missingCode, text: "Missing Authentication Token"},
		{name: "leading space", after: replace("AWS4", " AWS4"), code: missingCode, text: "Missing Authentication Token"},

		// Signed twice.
		{name: "two authorizations", after: add("Authorization", "AWS4-HMAC-SHA256"), code: incompleteCode, text: "A request has one Authorization header."},
		{name: "two authorizations, the same", after: func(r *http.Request) { add("Authorization", r.Header.Get("Authorization"))(r) },
			code: incompleteCode, text: "A request has one Authorization header."},
		{name: "header and query", before: query("X-Amz-Signature=00"), code: incompleteCode, text: "A request is signed in the Authorization header or in the query string, not in both."},
		{name: "header and query token", before: query("X-Amz-Security-Token=x"), code: incompleteCode, text: "A request is signed in the Authorization header or"},
		{name: "header and encoded query", before: query("X%2DAmz-Algorithm=x"), code: incompleteCode, text: "A request is signed in the Authorization header or"},

		// The algorithm.
		{name: "SigV4A", after: replace(algorithm, "AWS4-ECDSA-P256-SHA256"), code: incompleteCode,
			text: "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now)."},
		{name: "truncated algorithm", after: replace(algorithm, "AWS4-HMAC-SHA25"), code: incompleteCode, text: "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only"},
		{name: "streaming algorithm", after: replace(algorithm, algorithm+"-PAYLOAD"), code: incompleteCode, text: "Unsupported AWS 'algorithm'"},
		{name: "tab after algorithm", after: replace(algorithm+" ", algorithm+"\t"), code: incompleteCode, text: "Unsupported AWS 'algorithm'"},

		// The parts.
		{name: "algorithm alone", after: authorize(algorithm), code: incompleteCode,
			text: "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): "},
		{name: "space in the credential", after: replace("Credential=AKID", "Credential= AKID"), code: unknownCode, text: unknownText},
		{name: "no equal-sign", after: replace("Credential=", "Credential:"), code: incompleteCode, text: "Invalid key=value pair (missing equal-sign)"},
		{name: "trailing comma", after: func(r *http.Request) { authorize(r.Header.Get("Authorization") + ",")(r) }, code: incompleteCode, text: "Invalid key=value pair (missing equal-sign)"},
		{name: "no credential", after: replace("Credential="+exampleKey+"/20150830/eu-central-1/kms/aws4_request, ", ""), code: incompleteCode,
			text: "Authorization header requires 'Credential' parameter. " + hashedText},
		{name: "no signed headers", after: replace("SignedHeaders=content-type;host;x-amz-date;x-amz-target, ", ""), code: incompleteCode,
			text: "Authorization header requires 'SignedHeaders' parameter. " + hashedText},
		{name: "empty signed headers", after: replace("SignedHeaders=content-type;host;x-amz-date;x-amz-target, ", "SignedHeaders=, "), code: incompleteCode,
			text: "Authorization header requires 'SignedHeaders' parameter. " + hashedText},
		{name: "no signature", after: func(r *http.Request) {
			v, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature=")
			authorize(v)(r)
		}, code: incompleteCode, text: "Authorization header requires 'Signature' parameter. " + hashedText},
		{name: "nothing but a date", after: authorize(algorithm + " Credential="), code: incompleteCode,
			text: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
				"Authorization header requires 'SignedHeaders' parameter. " + hashedText},
		{name: "no date", after: del("X-Amz-Date"), code: incompleteCode,
			text: "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. " + hashedText},
		{name: "unknown part", after: replace("Signature=", "Extra=1, Signature="), code: incompleteCode, text: "Authorization header has an unknown or repeated parameter."},
		{name: "lower-case part", after: replace("Signature=", "signature="), code: incompleteCode, text: "Authorization header has an unknown or repeated parameter."},
		{name: "repeated part", after: replace("Signature=", "Credential=x, Signature="), code: incompleteCode, text: "Authorization header has an unknown or repeated parameter."},
		{name: "repeated part, empty first", after: replace("Credential=", "Credential=, Credential="), code: incompleteCode, text: "Authorization header has an unknown or repeated parameter."},

		// The time.
		{name: "date of another format", signer: func(s *reference) { s.timestamp = "2015-08-30T12:36:00Z" }, after: set("X-Amz-Date", "2015-08-30T12:36:00Z"), code: incompleteCode,
			text: "Date must be in ISO-8601 'basic format'. Got '2015-08-30T12:36:00Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{name: "date with a fraction", after: set("X-Amz-Date", "20150830T123600.0Z"), code: incompleteCode, text: "Date must be in ISO-8601 'basic format'. Got '20150830T123600.0Z'."},
		{name: "date that does not exist", after: set("X-Amz-Date", "20150231T123600Z"), code: incompleteCode, text: "Date must be in ISO-8601 'basic format'. Got '20150231T123600Z'."},
		{name: "date in another zone", after: set("X-Amz-Date", "20150830T1236+0200"), code: incompleteCode, text: "Date must be in ISO-8601 'basic format'."},
		{name: "too old", before: set("X-Amz-Date", "20150830T123059Z"), signer: func(s *reference) { s.timestamp = "20150830T123059Z" }, code: invalidCode,
			text: "Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"},
		{name: "too new", before: set("X-Amz-Date", "20150830T124101Z"), signer: func(s *reference) { s.timestamp = "20150830T124101Z" }, code: invalidCode,
			text: "Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)"},
		{name: "time changed", after: set("X-Amz-Date", "20150830T123601Z"), code: invalidCode, text: mismatchText},
		{name: "time repeated", before: add("X-Amz-Date", "20150830T123600Z"), code: invalidCode, text: "The header 'x-amz-date' is repeated."},

		// The scope.
		{name: "four elements", after: replace("/kms/", "/"), code: incompleteCode,
			text: "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term. (Hashed with SHA-256 and encoded with Base64) Credential="},
		{name: "six elements", after: replace("aws4_request", "aws4_request/"), code: incompleteCode, text: "Credential must have exactly 5 slash-delimited elements"},
		{name: "wrong terminator", after: replace("aws4_request", "aws5_request"), code: invalidCode, text: "Credential should be scoped with a valid terminator: 'aws4_request'."},
		{name: "other day", after: replace("/20150830/", "/20150829/"), code: invalidCode,
			text: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from '20150830T123600Z'."},
		{name: "longer day", after: replace("/20150830/", "/20150830T/"), code: invalidCode, text: "Date in Credential scope does not match"},
		{name: "empty Region", after: replace("/eu-central-1/", "//"), code: invalidCode, text: "Credential should be scoped to a valid region."},
		{name: "odd Region", after: replace("/eu-central-1/", "/eu central/"), code: invalidCode, text: "Credential should be scoped to a valid region."},
		{name: "long Region", after: replace("/eu-central-1/", "/"+strings.Repeat("a", 65)+"/"), code: invalidCode, text: "Credential should be scoped to a valid region."},
		{name: "empty service", after: replace("/kms/", "//"), code: invalidCode, text: "Credential should be scoped to correct service."},
		{name: "other Region", after: replace("/eu-central-1/", "/eu-central-2/"), code: invalidCode, text: mismatchText},
		{name: "other service", after: replace("/kms/", "/sts/"), code: invalidCode, text: mismatchText},

		// The key.
		{name: "unknown key", signer: func(s *reference) { s.id = "AKIDOTHER" }, code: unknownCode, text: unknownText},
		{name: "empty key id", signer: func(s *reference) { s.id = "" }, code: unknownCode, text: unknownText},
		{name: "odd key id", signer: func(s *reference) { s.id = "AKID-EXAMPLE" }, code: unknownCode, text: unknownText},
		{name: "long key id", signer: func(s *reference) { s.id = strings.Repeat("A", 129) }, code: unknownCode, text: unknownText},
		{name: "key id in another case", signer: func(s *reference) { s.id = "akidexample" }, code: unknownCode, text: unknownText},
		{name: "temporary key without its token", signer: func(s *reference) { s.id, s.secret = sessionKey, sessionSecret }, code: unknownCode, text: unknownText},
		{name: "temporary key with another token", signer: func(s *reference) { s.id, s.secret, s.token = sessionKey, sessionSecret, "x" }, code: unknownCode, text: unknownText},
		{name: "lasting key with a token", signer: func(s *reference) { s.token = sessionToken }, code: unknownCode, text: unknownText},
		{name: "expired token", signer: func(s *reference) { s.id, s.secret, s.token = sessionKey, sessionSecret, "expired" },
			code: "ExpiredTokenException", text: "The security token included in the request is expired"},
		{name: "unsigned token", signer: func(s *reference) { s.id, s.secret = sessionKey, sessionSecret }, after: set("X-Amz-Security-Token", sessionToken),
			code: invalidCode, text: "There were headers present in the request which were not signed."},

		// The signature.
		{name: "wrong secret", signer: func(s *reference) { s.secret = "wrong" }, code: invalidCode, text: mismatchText},
		{name: "empty secret", signer: func(s *reference) { s.secret = "" }, code: invalidCode, text: mismatchText},
		{name: "short signature", after: replace("Signature=", "Signature=00, x="), code: incompleteCode, text: "Authorization header has an unknown"},
		{name: "signature too short", after: signature(func(s string) string { return s[:63] }), code: invalidCode, text: mismatchText},
		{name: "signature too long", after: signature(func(s string) string { return s + "0" }), code: invalidCode, text: mismatchText},
		{name: "signature in upper case", after: signature(strings.ToUpper), code: invalidCode, text: mismatchText},
		{name: "signature of zeros", after: signature(func(string) string { return strings.Repeat("0", 64) }), code: invalidCode, text: mismatchText},
		{name: "signature not hexadecimal", after: signature(func(s string) string { return "g" + s[1:] }), code: invalidCode, text: mismatchText},

		// What must be signed.
		{name: "host not signed", signer: func(s *reference) { s.signed = []string{"content-type", "x-amz-date", "x-amz-target"} }, code: invalidCode,
			text: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{name: "target not signed", signer: func(s *reference) { s.signed = []string{"host", "x-amz-date"} }, code: invalidCode,
			text: "There were headers present in the request which were not signed."},
		{name: "date not signed", signer: func(s *reference) { s.signed = []string{"host", "x-amz-target"} }, code: invalidCode,
			text: "There were headers present in the request which were not signed."},
		{name: "x-amz header added", after: set("X-Amz-Anything", "1"), code: invalidCode, text: "There were headers present in the request which were not signed."},
		{name: "x-amz header added in lower case", after: func(r *http.Request) { r.Header["x-amz-target"] = []string{"TrentService.Encrypt"} }, code: invalidCode,
			text: "There were headers present in the request which were not signed."},
		{name: "signed header absent", signer: func(s *reference) { s.signed = []string{"host", "my-header", "x-amz-date", "x-amz-target"} }, code: invalidCode,
			text: "The signed header 'my-header' is missing or has a value that cannot be verified."},
		{name: "target removed", after: del("X-Amz-Target"), code: invalidCode, text: "The signed header 'x-amz-target' is missing"},
		{name: "target repeated", before: add("X-Amz-Target", "TrentService.Encrypt"), code: invalidCode, text: "The header 'x-amz-target' is repeated."},
		{name: "target split", before: set("X-Amz-Target", "a,b"), after: func(r *http.Request) { r.Header["X-Amz-Target"] = []string{"a", "b"} }, code: invalidCode, text: "The header 'x-amz-target' is repeated."},
		{name: "signed headers in upper case", signer: func(s *reference) { s.signed = []string{"Host", "x-amz-date", "x-amz-target"} }, code: incompleteCode, text: "SignedHeaders must name headers in lower case"},
		{name: "signed headers unsorted", signer: func(s *reference) { s.signed = []string{"x-amz-date", "host", "x-amz-target"} }, code: incompleteCode, text: "SignedHeaders must name headers in lower case"},
		{name: "signed header twice", signer: func(s *reference) { s.signed = []string{"host", "host", "x-amz-date", "x-amz-target"} }, code: incompleteCode, text: "SignedHeaders must name headers in lower case"},
		{name: "signed headers with a gap", signer: func(s *reference) { s.signed = []string{"host", "", "x-amz-date", "x-amz-target"} }, code: incompleteCode, text: "SignedHeaders must name headers in lower case"},
		{name: "signed headers with a space", signer: func(s *reference) { s.signed = []string{"host", " x-amz-date", "x-amz-target"} }, code: incompleteCode, text: "SignedHeaders must name headers in lower case"},

		// What was signed.
		{name: "target changed", after: set("X-Amz-Target", "TrentService.Encrypt"), code: invalidCode, text: mismatchText},
		{name: "content type changed", after: set("Content-Type", "application/json"), code: invalidCode, text: mismatchText},
		{name: "host changed", after: func(r *http.Request) { r.Host = "sts.eu-central-1.amazonaws.com:4599" }, code: invalidCode, text: mismatchText},
		{name: "port dropped", after: func(r *http.Request) { r.Host = "kms.eu-central-1.amazonaws.com" }, code: invalidCode, text: mismatchText},
		{name: "method changed", after: func(r *http.Request) { r.Method = "PUT" }, code: invalidCode, text: mismatchText},
		{name: "method in lower case", after: func(r *http.Request) { r.Method = "post" }, code: invalidCode, text: mismatchText},
		{name: "path changed", after: func(r *http.Request) { r.RequestURI, r.URL.Path = "/a", "/a" }, code: invalidCode, text: mismatchText},
		{name: "query added", after: query("a=b"), code: invalidCode, text: mismatchText},
		{name: "tab in a signed value", before: set("X-Amz-Target", "a\tb"), code: invalidCode, text: "The signed header 'x-amz-target' is missing or has a value that cannot be verified."},
		{name: "line feed in a signed value", before: set("X-Amz-Target", "a\nb:c"), code: invalidCode, text: "The signed header 'x-amz-target' is missing or has"},
		{name: "control character in the host", before: func(r *http.Request) { r.Host = "a\x7f" }, code: invalidCode, text: "The signed header 'host' is missing or has"},

		// The target and its reading.
		{name: "absolute-form", after: func(r *http.Request) { r.RequestURI = "http://" + r.Host + "/" }, code: invalidCode, text: "The request target must be an absolute path."},
		{name: "asterisk-form", after: func(r *http.Request) { r.RequestURI = "*" }, code: invalidCode, text: "The request target must be an absolute path."},
		{name: "rewritten path", after: func(r *http.Request) { r.URL.Path = "/other" }, code: invalidCode, text: mismatchText},
		{name: "rewritten query", after: func(r *http.Request) { r.URL.RawQuery = "Action=Other" }, code: invalidCode, text: mismatchText},
		{name: "two hosts", after: func(r *http.Request) { r.Header.Set("Host", "other") }, code: invalidCode, text: "The request names more than one host."},
		{name: "semicolon in the query", before: query("a=b;c=d"), code: invalidCode, text: "The query string cannot be verified: a semicolon must be encoded."},
		{name: "broken encoding in the query", before: query("a=%zz"), code: invalidCode, text: "The query string cannot be verified: a percent-encoding is broken."},
		{name: "truncated encoding in the query", before: query("a=%4"), code: invalidCode, text: "The query string cannot be verified: a percent-encoding is broken."},
		{name: "repeated parameter", before: query("Action=a&Action=b"), code: invalidCode, text: "The query string cannot be verified: a parameter is repeated."},
		{name: "repeated parameter, encoded", before: query("Action=a&Act%69on=a"), code: invalidCode, text: "The query string cannot be verified: a parameter is repeated."},
		{name: "repeated parameter, empty", before: query("=&="), code: invalidCode, text: "The query string cannot be verified: a parameter is repeated."},
		{name: "too many parameters", before: query(strings.Repeat("&", 256)), code: invalidCode, text: "The query string cannot be verified: too many parameters."},

		// The payload hash.
		{name: "unsigned payload", before: set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), signer: func(s *reference) { s.payload = "UNSIGNED-PAYLOAD" }, code: invalidCode,
			text: "The payload must be signed: x-amz-content-sha256 may not be 'UNSIGNED-PAYLOAD'."},
		{name: "streaming payload", before: set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), code: invalidCode, text: "The payload must be signed: x-amz-content-sha256 may not be 'STREAMING-AWS4"},
		{name: "hash of another body", before: set("X-Amz-Content-Sha256", refHash("other")), signer: func(s *reference) { s.payload = refHash("other") }, code: invalidCode,
			text: "The provided 'x-amz-content-sha256' header does not match what was computed."},
		{name: "hash in upper case", before: set("X-Amz-Content-Sha256", strings.ToUpper(refHash(""))), code: invalidCode, text: "The provided 'x-amz-content-sha256' header does not match"},
		{name: "unsigned payload without saying so", signer: func(s *reference) { s.payload = "UNSIGNED-PAYLOAD" }, code: invalidCode, text: mismatchText},
	}
}

// signature changes the signature in the Authorization header.
func signature(change func(string) string) func(*http.Request) {
	return func(r *http.Request) {
		head, sig, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		authorize(head + "Signature=" + change(sig))(r)
	}
}

func TestBodyIsSigned(t *testing.T) {
	r, body := newDecrypt(t)
	example().sign(r, body)
	v := newVerifier(t, Config{})
	for i := range body {
		body[i] ^= 1
		if _, err := v.Verify(t.Context(), r, body); err == nil {
			t.Fatalf("verifies with byte %d changed", i)
		}
		body[i] ^= 1
	}
	for _, b := range [][]byte{nil, body[:len(body)-1], append(body[:len(body):len(body)], ' ')} {
		_, err := v.Verify(t.Context(), r, b)
		wantError(t, err, invalidCode, mismatchText)
	}
}

func TestPresignedFormRefuses(t *testing.T) {
	for _, tt := range presignedRefusals() {
		t.Run(tt.name, func(t *testing.T) {
			r, body := newPresigned(t)
			apply(tt.before, r)
			s := example()
			s.service, s.expires = "sts", "60"
			if tt.signer != nil {
				tt.signer(&s)
			}
			s.presign(r, body)
			apply(tt.after, r)
			_, err := newVerifier(t, Config{}).Verify(t.Context(), r, body)
			wantError(t, err, tt.code, tt.text)
		})
	}
}

func newPresigned(tb testing.TB) (*http.Request, []byte) {
	tb.Helper()
	return receive(tb, "GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nHost: sts.amazonaws.com\r\nX-K8s-Aws-Id: blue\r\n\r\n")
}

// parameter changes or, with an empty value, removes a parameter of the query.
func parameter(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		q := r.URL.Query()
		if q.Set(name, value); value == "" {
			q.Del(name)
		}
		setQuery(r, q.Encode())
	}
}

func presignedRefusals() []refusal {
	const must = "AWS query-string parameters must include "
	return []refusal{
		{name: "no algorithm", after: parameter("X-Amz-Algorithm", ""), code: incompleteCode, text: must + "'X-Amz-Algorithm'. Re-examine the query-string parameters."},
		{name: "no credential", after: parameter("X-Amz-Credential", ""), code: incompleteCode, text: must + "'X-Amz-Credential'. Re-examine"},
		{name: "no date", after: parameter("X-Amz-Date", ""), code: incompleteCode, text: must + "'X-Amz-Date'. Re-examine"},
		{name: "no signed headers", after: parameter("X-Amz-SignedHeaders", ""), code: incompleteCode, text: must + "'X-Amz-SignedHeaders'. Re-examine"},
		{name: "no signature", after: parameter("X-Amz-Signature", ""), code: incompleteCode, text: must + "'X-Amz-Signature'. Re-examine"},
		{name: "nothing but a signature", after: query("X-Amz-Signature=00"), code: incompleteCode,
			text: must + "'X-Amz-Algorithm'. " + must + "'X-Amz-Credential'. " + must + "'X-Amz-SignedHeaders'. " + must + "'X-Amz-Date'. Re-examine"},
		{name: "lower-case parameters", after: func(r *http.Request) { setQuery(r, strings.ReplaceAll(r.URL.RawQuery, "X-Amz-", "x-amz-")) }, code: missingCode, text: "Missing"},
		{name: "SigV4A", after: parameter("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), code: incompleteCode, text: "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'"},
		{name: "repeated signature", after: func(r *http.Request) { setQuery(r, r.URL.RawQuery+"&X-Amz-Signature=00") }, code: invalidCode, text: "The query string cannot be verified: a parameter is repeated."},
		{name: "also in the header", after: authorize("AWS4-HMAC-SHA256"), code: incompleteCode, text: "A request is signed in the Authorization header or in the query string, not in both."},
		{name: "also another scheme in the header", after: authorize("Bearer x"), code: incompleteCode, text: "A request is signed in the Authorization header or"},

		{name: "expires zero", signer: func(s *reference) { s.expires = "0" }, code: incompleteCode, text: "X-Amz-Expires must be a number of seconds from 1 to 604800."},
		{name: "expires after more than a week", signer: func(s *reference) { s.expires = "604801" }, code: incompleteCode, text: "X-Amz-Expires must be"},
		{name: "expires negative", signer: func(s *reference) { s.expires = "-1" }, code: incompleteCode, text: "X-Amz-Expires must be"},
		{name: "expires with a sign", signer: func(s *reference) { s.expires = "+60" }, code: incompleteCode, text: "X-Amz-Expires must be"},
		{name: "expires not a number", signer: func(s *reference) { s.expires = "1h" }, code: incompleteCode, text: "X-Amz-Expires must be"},
		{name: "expires huge", signer: func(s *reference) { s.expires = "18446744073709551617" }, code: incompleteCode, text: "X-Amz-Expires must be"},
		{name: "expires empty", after: func(r *http.Request) { setQuery(r, strings.Replace(r.URL.RawQuery, "Expires=60", "Expires=", 1)) }, code: incompleteCode, text: "X-Amz-Expires must be"},
		{name: "expires changed", after: parameter("X-Amz-Expires", "61"), code: invalidCode, text: mismatchText},
		{name: "expired", signer: func(s *reference) { s.timestamp = "20150830T123459Z" }, code: invalidCode,
			text: "Signature expired: 20150830T123459Z is now earlier than 20150830T123500Z (20150830T123600Z - 1 min.)"},
		{name: "expired, without an expiry", signer: func(s *reference) { s.timestamp, s.expires = "20150830T123059Z", "" }, code: invalidCode,
			text: "Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"},
		{name: "from the future", signer: func(s *reference) { s.timestamp, s.expires = "20150830T124101Z", "604800" }, code: invalidCode,
			text: "Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)"},
		{name: "date of HTTP's format elsewhere", after: parameter("X-Amz-Date", "yesterday"), code: incompleteCode, text: "Date must be in ISO-8601 'basic format'. Got 'yesterday'."},

		{name: "four elements", after: parameter("X-Amz-Credential", "AKIDEXAMPLE/20150830/eu-central-1/aws4_request"), code: incompleteCode, text: "Credential must have exactly 5 slash-delimited elements"},
		{name: "other day", after: parameter("X-Amz-Credential", "AKIDEXAMPLE/20150829/eu-central-1/sts/aws4_request"), code: invalidCode, text: "Date in Credential scope does not match"},
		{name: "unknown key", signer: func(s *reference) { s.id = "AKIDOTHER" }, code: unknownCode, text: unknownText},
		{name: "token in the header", signer: func(s *reference) { s.id, s.secret = sessionKey, sessionSecret }, before: set("X-Amz-Security-Token", sessionToken), code: unknownCode, text: unknownText},
		{name: "unsigned token", signer: func(s *reference) { s.id, s.secret = sessionKey, sessionSecret }, after: parameter("X-Amz-Security-Token", sessionToken), code: invalidCode, text: mismatchText},
		{name: "wrong secret", signer: func(s *reference) { s.secret = "wrong" }, code: invalidCode, text: mismatchText},
		{name: "host not signed", signer: func(s *reference) { s.signed = []string{"x-k8s-aws-id"} }, code: invalidCode, text: "'Host' or ':authority' must be a 'SignedHeader'"},
		{name: "signed header changed", signer: func(s *reference) { s.signed = []string{"host", "x-k8s-aws-id"} }, after: set("X-K8s-Aws-Id", "red"), code: invalidCode, text: mismatchText},
		{name: "x-amz header added", after: set("X-Amz-Target", "TrentService.Decrypt"), code: invalidCode, text: "There were headers present in the request which were not signed."},
		{name: "action changed", after: parameter("Action", "AssumeRole"), code: invalidCode, text: mismatchText},
		{name: "parameter added", after: parameter("RoleArn", "x"), code: invalidCode, text: mismatchText},
		{name: "method changed", after: func(r *http.Request) { r.Method = "POST" }, code: invalidCode, text: mismatchText},
		{name: "unsigned payload", before: query("X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"), signer: func(s *reference) { s.payload = "UNSIGNED-PAYLOAD" }, code: invalidCode,
			text: "The payload must be signed: x-amz-content-sha256 may not be 'UNSIGNED-PAYLOAD'."},
	}
}

func TestNegativeTablesAreLong(t *testing.T) {
	if h, p := len(headerRefusals()), len(presignedRefusals()); h < 95 || p < 35 {
		t.Errorf("%d and %d refusals", h, p)
	}
}

// What a client's clock may be off by, to the second and on both sides.
func TestClockSkewIsFiveMinutes(t *testing.T) {
	for _, tt := range []struct {
		offset time.Duration
		ok     bool
	}{
		{-5*time.Minute - time.Second, false}, {-5 * time.Minute, true}, {0, true},
		{5 * time.Minute, true}, {5*time.Minute + time.Second, false},
	} {
		r, body := newDecrypt(t)
		s := example()
		s.timestamp = exampleTime().Add(tt.offset).Format(basicFormat)
		r.Header.Set("X-Amz-Date", s.timestamp)
		s.sign(r, body)
		// The server's clock has fractions; they decide nothing.
		v := newVerifier(t, Config{Now: func() time.Time { return exampleTime().Add(999 * time.Millisecond) }})
		if _, err := v.Verify(t.Context(), r, body); (err == nil) != tt.ok {
			t.Errorf("at %v: got %v", tt.offset, err)
		}
	}
}
