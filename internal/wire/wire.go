// Package wire puts operations on HTTP: the AWS protocols, how their requests are recognised and read, and how answers
// and errors are written. Who signed a request is wire/sigv4's question.
package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/trent-kms/trent/internal/api"
)

// MaxBodyBytes is the largest request body that is read. The largest legitimate request is an attestation document of
// 262,144 bytes in base64 with a full encryption context; AWS does not publish its own limit.
const MaxBodyBytes = 1 << 20

// Request is a recognised request: the operation that it names and how to read its parameters.
type Request struct {
	Operation string
	Decode    func(api.Input) error
}

// Protocol is one way of putting a service's operations on HTTP.
type Protocol interface {
	// Recognise says whether r speaks to this protocol's service. An error comes with true: the request is for this
	// service, and wrong.
	Recognise(r *http.Request, body []byte) (Request, bool, error)
	Reply(w http.ResponseWriter, requestID string, out api.Output)
	Fail(w http.ResponseWriter, requestID string, e *api.Error)
}

// ReadBody reads the whole body. It fails with RequestEntityTooLargeException over MaxBodyBytes, with
// MalformedHttpRequestException for a content encoding (none is accepted: a signature covers the bytes as sent), and
// with RequestTimeoutException when the client was too slow.
func ReadBody(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" && r.Header.Get("Content-Encoding") != "identity" {
		return nil, api.MalformedHttpRequestException("Content encoding is not supported.")
	}
	if r.ContentLength > MaxBodyBytes {
		return nil, tooLarge()
	}
	// Memory follows what has arrived, not what was announced: a header costs its sender nothing.
	size := int64(firstReadBytes)
	if r.ContentLength >= 0 {
		size = min(r.ContentLength+1, size) // one more, to read the end without growing
	}
	body := make([]byte, 0, size)
	for {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > MaxBodyBytes:
			return nil, tooLarge()
		case errors.Is(err, io.EOF) && r.ContentLength > int64(len(body)):
			return nil, readError(io.ErrUnexpectedEOF)
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, readError(err)
		case len(body) == cap(body):
			body = slices.Grow(body, len(body))
		}
	}
}

// firstReadBytes is what a body gets before its sender has sent anything; nearly all requests fit.
const firstReadBytes = 8 << 10

func tooLarge() error {
	return api.RequestEntityTooLargeException("Request body is larger than %d bytes.", MaxBodyBytes)
}

func readError(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return api.RequestTimeoutException("The request body was not received in time.")
	}
	return api.MalformedHttpRequestException("The request body could not be read.")
}

// write sends a complete answer.
func write(w http.ResponseWriter, requestID, contentType string, status int, body []byte) {
	h := w.Header()
	h["X-Amzn-Requestid"] = []string{requestID}
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["Cache-Control"] = noStore
	w.WriteHeader(status)
	// The client may have gone; the audit record stands either way, and there is nobody left to tell.
	_, _ = w.Write(body)
}

// noStore keeps answers, which may hold plaintext, out of every cache on the way.
var noStore = []string{"no-cache, no-store"}

// TLSVersion returns the protocol version as CloudTrail writes it: TLSv1.3.
func TLSVersion(s *tls.ConnectionState) string {
	switch s.Version {
	case tls.VersionTLS13:
		return "TLSv1.3"
	case tls.VersionTLS12:
		return "TLSv1.2"
	}
	return tls.VersionName(s.Version)
}

// CipherSuite returns the suite's IANA name.
func CipherSuite(s *tls.ConnectionState) string { return tls.CipherSuiteName(s.CipherSuite) }
