package sigv4

import (
	"bytes"
	"strings"

	"github.com/trent-kms/trent/internal/api"
)

// appendCanonical appends the canonical request. It fails when signedHeaders breaks a rule of the package comment.
func (r *request) appendCanonical(dst []byte, signedHeaders string, payloadHex []byte) ([]byte, error) {
	dst = append(append(dst, r.method...), '\n')
	dst = append(appendPath(dst, r.path), '\n')
	dst = append(appendQuery(dst, r.query), '\n')
	dst, err := r.appendHeaders(dst, signedHeaders)
	if err != nil {
		return dst, err
	}
	dst = append(append(dst, '\n'), signedHeaders...)
	return append(append(dst, '\n'), payloadHex...), nil
}

// appendPath appends the path without empty and dot segments (RFC 3986, section 5.2.4), each segment encoded once more.
// Dots are those of the path as sent: an encoded one is a name.
func appendPath(dst []byte, path string) []byte {
	start := len(dst)
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			if i := bytes.LastIndexByte(dst[start:], '/'); i >= 0 {
				dst = dst[:start+i]
			}
		default:
			dst = appendEscaped(append(dst, '/'), segment)
		}
	}
	if len(dst) == start || strings.HasSuffix(path, "/") {
		dst = append(dst, '/')
	}
	return dst
}

// appendHeaders appends the canonical headers that signedHeaders names and checks that these are all that must be
// signed.
func (r *request) appendHeaders(dst []byte, signedHeaders string) ([]byte, error) {
	var previous string
	var host bool
	var amz int
	for name := range strings.SplitSeq(signedHeaders, ";") {
		if !validName(name) || name <= previous {
			return dst, api.IncompleteSignatureException(
				"SignedHeaders must name headers in lower case, in order and once each, separated by ';'.")
		}
		previous = name
		host = host || name == "host"
		if mustSign(name) {
			amz++
		}
		var ok bool
		if dst, ok = r.appendHeader(dst, name); !ok {
			return dst, api.InvalidSignatureException(
				"The signed header '%.64s' is missing or has a value that cannot be verified.", name)
		}
	}
	if !host {
		return dst, api.InvalidSignatureException("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return dst, r.checkUnsigned(amz)
}

// checkUnsigned refuses x-amz-* headers besides the signed ones, of which there are so many, and those with several
// values.
func (r *request) checkUnsigned(signed int) error {
	for name, values := range r.header {
		if !mustSign(name) {
			continue
		}
		if len(values) != 1 {
			return api.InvalidSignatureException("The header '%s' is repeated.", strings.ToLower(name))
		}
		signed--
	}
	if signed != 0 {
		return api.InvalidSignatureException("There were headers present in the request which were not signed.")
	}
	return nil
}

// mustSign reports whether a request may not carry this header without signing it. It ignores case.
func mustSign(name string) bool {
	const prefix, exception = "x-amz-", "x-amz-user-agent"
	return len(name) >= len(prefix) && name[0]|0x20 == 'x' && // most are told by their first letter
		strings.EqualFold(name[:len(prefix)], prefix) && !strings.EqualFold(name, exception)
}

// appendHeader appends "name:value\n". It is false when the request lacks the header.
func (r *request) appendHeader(dst []byte, name string) ([]byte, bool) {
	dst = append(append(dst, name...), ':')
	if name == "host" {
		dst, ok := appendValue(dst, r.host)
		return append(dst, '\n'), ok
	}
	var buf [64]byte
	values := r.header[string(appendCanonicalName(buf[:0], name))]
	ok := len(values) > 0
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		var valid bool
		dst, valid = appendValue(dst, v)
		ok = ok && valid
	}
	return append(dst, '\n'), ok
}

// appendCanonicalName appends a lower-case name in the form that net/http keeps it: X-Amz-Date.
func appendCanonicalName(dst []byte, name string) []byte {
	upper := true
	for i := range len(name) {
		c := name[i]
		if upper && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst = append(dst, c)
		upper = c == '-'
	}
	return dst
}

// appendValue appends a header value without spaces at its ends and with each run of spaces inside as one. It is false
// for control characters.
func appendValue(dst []byte, v string) ([]byte, bool) {
	fold := v != "" && (v[0] == ' ' || v[len(v)-1] == ' ')
	for i := range len(v) {
		c := v[i]
		if c < ' ' || c == 0x7f {
			return dst, false
		}
		if c == ' ' && i > 0 && v[i-1] == ' ' {
			fold = true
		}
	}
	if !fold {
		return append(dst, v...), true
	}
	for i, word := range strings.FieldsFunc(v, func(c rune) bool { return c == ' ' }) {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, word...)
	}
	return dst, true
}

// validName reports whether name is a header name (RFC 9110, section 5.6.2, token) in lower case.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if 'a' <= c && c <= 'z' || c == '-' || '0' <= c && c <= '9' {
			continue
		}
		if strings.IndexByte("!#$%&'*+.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}
