package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
)

// authorization is what a request says about its signature, in either form.
type authorization struct {
	scope
	signedHeaders string
	signature     string // as sent: only 64 lower-case hexadecimal digits can be right
	timestamp     string // of the string to sign: 20150830T123600Z
	at            time.Time
	sessionToken  string
	presigned     bool
	validFor      time.Duration // 0: as long as a clock may be off
}

// readAuthorization reads the signature from the header or from the query, never from both.
func (r *request) readAuthorization() (authorization, error) {
	var q presigned
	inQuery := len(r.query) > 0 && q.collect(r.query)
	values := r.header["Authorization"]
	switch {
	case inQuery && len(values) > 0:
		return authorization{}, api.IncompleteSignatureException(
			"A request is signed in the Authorization header or in the query string, not in both.")
	case len(values) > 1:
		return authorization{}, api.IncompleteSignatureException("A request has one Authorization header.")
	case inQuery:
		return q.authorization()
	case len(values) == 0:
		return authorization{}, missing()
	}
	return parseHeader(values[0], r.header)
}

func missing() error {
	return api.MissingAuthenticationTokenException("Missing Authentication Token")
}

// header is the value of an Authorization header in its parts.
type header struct{ credential, signedHeaders, signature string }

// parseHeader reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func parseHeader(value string, h http.Header) (authorization, error) {
	name, list, _ := strings.Cut(value, " ")
	if !strings.HasPrefix(name, "AWS4-") {
		return authorization{}, missing() // another scheme is nothing that AWS calls a token
	}
	if err := checkAlgorithm(name); err != nil {
		return authorization{}, err
	}
	var parts header
	if err := parts.parse(list, value); err != nil {
		return authorization{}, err
	}
	var timestamp string
	if timestamp = first(h["X-Amz-Date"]); timestamp == "" {
		timestamp = first(h["Date"])
	}
	if err := parts.complete(timestamp, value); err != nil {
		return authorization{}, err
	}
	a := authorization{signedHeaders: parts.signedHeaders, sessionToken: first(h["X-Amz-Security-Token"])}
	return a, a.set(parts.credential, parts.signature, timestamp)
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func checkAlgorithm(name string) error {
	if name == algorithm {
		return nil
	}
	return api.IncompleteSignatureException("Unsupported AWS 'algorithm': '%.64s' (only %s for now).", name, algorithm)
}

// parse reads comma-separated key=value pairs. Nothing may be unknown or repeated: three pairs that leave no part empty
// are one of each.
func (p *header) parse(list, whole string) error {
	n := 0
	for pair := range strings.SplitSeq(list, ",") {
		key, value, ok := strings.Cut(strings.Trim(pair, " "), "=")
		if !ok {
			// AWS tells the header's hash: what was pasted in the wrong place may be a secret.
			return api.IncompleteSignatureException("Invalid key=value pair (missing equal-sign) in Authorization header "+
				"(hashed with SHA-256 and encoded with Base64): '%s'.", digest(whole))
		}
		var part *string
		switch key {
		case "Credential":
			part = &p.credential
		case "SignedHeaders":
			part = &p.signedHeaders
		case "Signature":
			part = &p.signature
		}
		if n++; part == nil || n > 3 {
			return api.IncompleteSignatureException(
				"Authorization header has an unknown or repeated parameter. %s", hashed(whole))
		}
		*part = value
	}
	return nil
}

// complete names every part that is missing, as AWS does.
func (p *header) complete(timestamp, whole string) error {
	var text strings.Builder
	for _, part := range []struct{ name, value string }{
		{"Credential", p.credential}, {"Signature", p.signature}, {"SignedHeaders", p.signedHeaders},
	} {
		if part.value == "" {
			text.WriteString("Authorization header requires '" + part.name + "' parameter. ")
		}
	}
	if timestamp == "" {
		text.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if text.Len() == 0 {
		return nil
	}
	return api.IncompleteSignatureException("%s%s", text.String(), hashed(whole))
}

func hashed(header string) string {
	return "(Hashed with SHA-256 and encoded with Base64) Authorization=" + digest(header)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// set reads the parts that both forms have in common.
func (a *authorization) set(credential, signature, timestamp string) error {
	if err := a.setTime(timestamp); err != nil {
		return err
	}
	if err := a.scope.parse(credential); err != nil {
		return err
	}
	if a.day != a.timestamp[:8] {
		return api.InvalidSignatureException("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "+
			"date from HTTP: '%.64s' != '%s', from '%s'.", a.day, a.timestamp[:8], a.timestamp)
	}
	a.signature = signature
	return nil
}
