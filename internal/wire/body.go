package wire

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/trent-kms/trent/internal/api"
)

// MaxBodyBytes is the largest request body that is read. The largest legitimate request is an attestation document of
// 262,144 bytes in base64 with a full encryption context; AWS does not publish its own limit.
const MaxBodyBytes = 1 << 20

// smallBodyBytes is what every body may take, before its sender has shown who it is; nearly all requests fit.
const smallBodyBytes = 8 << 10

// maxHeldBytes is what the larger ones may take together, whoever sends them.
const maxHeldBytes = 128 << 20

// Bodies reads request bodies, and bounds what they take together. Safe for concurrent use.
type Bodies struct{ held atomic.Int64 } // bytes of the larger ones

// Read reads the whole body, into buf as far as that goes. It fails with RequestEntityTooLargeException over
// MaxBodyBytes, with MalformedHttpRequestException for a content encoding (none is accepted: a signature covers the bytes
// as sent), with RequestTimeoutException when the client was too slow, and with ServiceUnavailable when too many large
// bodies are there already. What it returns must be given back to Done.
func (b *Bodies) Read(r *http.Request, buf []byte) (body []byte, err error) {
	if encoding := r.Header["Content-Encoding"]; len(encoding) > 0 && encoding[0] != "" && encoding[0] != "identity" {
		return nil, api.MalformedHttpRequestException("Content encoding is not supported.")
	}
	if r.ContentLength > MaxBodyBytes {
		return nil, tooLarge()
	}
	if buf = buf[:0]; cap(buf) > smallBodyBytes {
		buf = buf[:0:smallBodyBytes]
	}
	// Memory follows what has arrived, not what was announced: a header costs its sender nothing.
	size := int64(smallBodyBytes)
	if r.ContentLength >= 0 {
		size = min(r.ContentLength+1, size) // one more, to read the end without growing
	}
	body, err = b.fill(r, slices.Grow(buf, int(size)))
	if err != nil {
		b.Done(body)
		return nil, err
	}
	return body, nil
}

// Done says that a body is not needed any more.
func (b *Bodies) Done(body []byte) {
	if cap(body) > 2*smallBodyBytes {
		b.held.Add(-int64(cap(body)))
	}
}

func (b *Bodies) fill(r *http.Request, body []byte) ([]byte, error) {
	for {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > MaxBodyBytes:
			return body, tooLarge()
		case errors.Is(err, io.EOF) && r.ContentLength > int64(len(body)):
			return body, readError(io.ErrUnexpectedEOF)
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return body, readError(err)
		case len(body) < cap(body):
			continue
		}
		larger := max(2*cap(body), 4*smallBodyBytes)
		if b.held.Add(int64(larger)) > maxHeldBytes {
			b.held.Add(-int64(larger))
			return body, api.ServiceUnavailable("Too many large requests at a time.")
		}
		old := body
		body = append(make([]byte, 0, larger), old...)
		clear(old) // it may hold plaintext
		b.Done(old)
	}
}

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
