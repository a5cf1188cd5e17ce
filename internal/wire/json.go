package wire

import (
	"net/http"
	"strings"
	"sync"

	"github.com/trent-kms/trent/internal/api"
)

// jsonType is the media type of AWS JSON 1.1 (Smithy, "AWS JSON 1.1 protocol").
const jsonType = "application/x-amz-json-1.1"

// JSON is AWS JSON 1.1: POST /, X-Amz-Target: Prefix.Operation.
type JSON struct {
	TargetPrefix string
	// Internal is the code of the service's own failures, where it is not KMS's.
	Internal string
}

// Recognise goes by X-Amz-Target. The content type is not looked at: clients send several, and the signature covers
// the target.
func (j JSON) Recognise(r *http.Request, body []byte) (Request, bool, error) {
	if r.Method != http.MethodPost {
		return Request{}, false, nil
	}
	prefix, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok || prefix != j.TargetPrefix {
		return Request{}, false, nil
	}
	return Request{operation, func(in api.Input) error { return api.Decode(body, in) }}, true, nil
}

// Reply sends 200 and the answer as JSON.
func (JSON) Reply(w http.ResponseWriter, requestID string, out api.Output) {
	buf := buffers.Get().(*[]byte)
	body := out.AppendJSON((*buf)[:0])
	if write(w, requestID, jsonType, http.StatusOK, body) != nil {
		return
	}
	clear(body) // it may hold plaintext
	if cap(body) <= maxPooledBytes {
		*buf = body
		buffers.Put(buf)
	}
}

// buffers are those of answers that have been sent.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, 1<<10)) }}

// maxPooledBytes lets go of the buffers of the rare large answers.
const maxPooledBytes = 16 << 10

// Fail sends {"__type": code, "message": text}; without a text only the code, as AWS does.
func (j JSON) Fail(w http.ResponseWriter, requestID string, e *api.Error) {
	body := api.AppendText([]byte(`{"__type":`), j.Code(e))
	if e.Message != "" {
		body = api.AppendText(append(body, `,"message":`...), e.Message)
	}
	if e.Reason != "" {
		body = api.AppendText(append(body, `,"Reason":`...), e.Reason)
	}
	_ = write(w, requestID, jsonType, e.Status, append(body, '}'))
}

// Code is e's own, but for the service's own failures.
func (j JSON) Code(e *api.Error) string {
	if e.Code == "KMSInternalException" && j.Internal != "" {
		return j.Internal
	}
	return e.Code
}
