// Package wire puts operations on HTTP: the AWS protocols, how their requests are recognised and read, and how answers
// and errors are written. Who signed a request is wire/sigv4's question.
package wire

import (
	"crypto/tls"
	"net/http"
	"strconv"

	"github.com/trent-kms/trent/internal/api"
)

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
	// Code is the code that Fail tells the caller.
	Code(e *api.Error) string
}

// Guess returns the protocol in which to tell an error when it is not known yet what a request wants.
func Guess(r *http.Request) Protocol {
	if isForm(r) {
		return Query{}
	}
	return JSON{}
}

// write sends a complete answer. The client may have gone; the audit record stands either way, and there is nobody left to
// tell. But after an error HTTP/2 may still hold body, so nobody may use its memory again.
func write(w http.ResponseWriter, requestID, contentType string, status int, body []byte) error {
	h, values := w.Header(), [...]string{requestID, contentType, strconv.Itoa(len(body))}
	h["X-Amzn-Requestid"] = values[0:1:1]
	h["Content-Type"] = values[1:2:2]
	h["Content-Length"] = values[2:3:3]
	h["Cache-Control"] = noStore
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
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
