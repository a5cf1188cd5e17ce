package sigv4

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/trent-kms/trent/internal/api"
)

// request is an HTTP request as signatures see it.
type request struct {
	method string
	path   string  // as sent: percent-encoded, not normalised
	query  []param // decoded
	host   string
	header http.Header
}

// received takes r apart. What is verified are the bytes of the request line, so r.URL, which the rest of the server
// acts upon, must say the same.
func received(r *http.Request) (request, error) {
	target := r.RequestURI
	if target == "" { // a request that was made, not received
		target = r.URL.RequestURI()
	}
	path, rawQuery, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") {
		// Absolute-form, authority-form and * have their uses with proxies; no AWS client sends them to a service.
		return request{}, api.InvalidSignatureException("The request target must be an absolute path.")
	}
	if rawQuery != r.URL.RawQuery || !samePath(path, r.URL.Path) {
		return request{}, mismatch()
	}
	if !soleHost(r) {
		return request{}, api.InvalidSignatureException("The request names more than one host.")
	}
	query, err := parseQuery(rawQuery)
	if err != nil {
		return request{}, err
	}
	return request{method: r.Method, path: path, query: query, host: r.Host, header: r.Header}, nil
}

func samePath(sent, decoded string) bool {
	if sent == decoded && strings.IndexByte(sent, '%') < 0 || sent == "/" && decoded == "" {
		return true // without a path, as clients may write it, is the root
	}
	p, err := url.PathUnescape(sent)
	return err == nil && p == decoded
}

// soleHost is false for an HTTP/2 request whose Host header contradicts its :authority. net/http sees to HTTP/1.
func soleHost(r *http.Request) bool {
	for _, h := range r.Header["Host"] {
		if h != r.Host {
			return false
		}
	}
	return true
}

// checkContentHash refuses a declared payload hash other than the SHA-256 of the body in hexadecimal.
func (r *request) checkContentHash(want []byte) error {
	declared := r.header["X-Amz-Content-Sha256"]
	for _, p := range r.query {
		if p.name == "X-Amz-Content-Sha256" {
			declared = append(declared[:len(declared):len(declared)], p.value)
		}
	}
	for _, d := range declared {
		switch {
		case d == string(want):
		case d == "UNSIGNED-PAYLOAD" || strings.HasPrefix(d, "STREAMING-"):
			return api.InvalidSignatureException("The payload must be signed: x-amz-content-sha256 may not be '%s'.", d)
		default:
			return api.InvalidSignatureException(
				"The provided 'x-amz-content-sha256' header does not match what was computed.")
		}
	}
	return nil
}
