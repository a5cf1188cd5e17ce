package sigv4

import (
	"cmp"
	"slices"
	"strings"

	"github.com/trent-kms/trent/internal/api"
)

// maxParams bounds the sorting that an unverified request can ask for. The longest query requests of IAM and STS go in
// the body; a presigned one has some ten parameters.
const maxParams = 256

// param is one parameter of a query string.
type param struct {
	name, value string // decoded
	encoded     string // the name as the canonical request has it
}

// parseQuery reads a query string as net/url does, so that what is verified is what handlers see, and returns its
// parameters in canonical order. It refuses what net/url would skip or what signing would reorder.
func parseQuery(raw string) ([]param, error) {
	if raw == "" {
		return nil, nil
	}
	if strings.IndexByte(raw, ';') >= 0 {
		return nil, badQuery("a semicolon must be encoded")
	}
	if strings.Count(raw, "&") >= maxParams {
		return nil, badQuery("too many parameters")
	}
	var params []param
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		p, ok := parseParam(pair)
		if !ok {
			return nil, badQuery("a percent-encoding is broken")
		}
		params = append(params, p)
	}
	slices.SortFunc(params, func(a, b param) int { return cmp.Compare(a.encoded, b.encoded) })
	for i := 1; i < len(params); i++ {
		if params[i].name == params[i-1].name {
			return nil, badQuery("a parameter is repeated")
		}
	}
	return params, nil
}

func badQuery(why string) error {
	return api.InvalidSignatureException("The query string cannot be verified: %s.", why)
}

func parseParam(pair string) (param, bool) {
	name, value, _ := strings.Cut(pair, "=")
	name, nameOK := unescape(name)
	value, valueOK := unescape(value)
	return param{name: name, value: value, encoded: string(appendEscaped(nil, name))}, nameOK && valueOK
}

// unescape decodes %XX, and + as a space, as net/url.QueryUnescape does.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c != '%':
			b = append(b, c)
		default:
			if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
				return "", false
			}
			b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		}
	}
	return string(b), true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// appendQuery appends the canonical query string: every parameter but the signature itself.
func appendQuery(dst []byte, params []param) []byte {
	sep := false
	for _, p := range params {
		if p.name == paramSignature {
			continue
		}
		if sep {
			dst = append(dst, '&')
		}
		sep = true
		dst = append(append(dst, p.encoded...), '=')
		dst = appendEscaped(dst, p.value)
	}
	return dst
}

// appendEscaped appends s percent-encoded: everything but RFC 3986's unreserved characters, in upper-case hexadecimal.
func appendEscaped(dst []byte, s string) []byte {
	const hexDigits = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; isWord(c) || c == '-' || c == '.' || c == '~' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

// isWord reports whether c is one of A-Z a-z 0-9 _.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}
