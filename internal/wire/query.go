package wire

import (
	"bytes"
	"encoding/xml"
	"mime"
	"net/http"
	"net/url"

	"github.com/trent-kms/trent/internal/api"
)

// Query is the AWS Query protocol: form parameters in, XML out (Smithy, "AWS Query protocol").
type Query struct {
	Version   string // of the API: 2011-06-15
	Namespace string // of its XML: https://sts.amazonaws.com/doc/2011-06-15/
}

// Recognise goes by the Version parameter, which differs for each service, in the URL of a GET (a presigned request)
// or in the form of a POST. The signature covers both. The other parameters are read when it is known who sent them.
func (q Query) Recognise(r *http.Request, body []byte) (Request, bool, error) {
	raw, ok := parameters(r, body)
	if !ok || parameter(raw, "Version") != q.Version {
		return Request{}, false, nil
	}
	return Request{parameter(raw, "Action"), func(in api.Input) error {
		return api.DecodeQuery(string(raw), in.(api.QueryShape))
	}}, true, nil
}

func parameters(r *http.Request, body []byte) ([]byte, bool) {
	switch {
	case r.Method == http.MethodGet:
		return []byte(r.URL.RawQuery), true
	case r.Method == http.MethodPost && isForm(r):
		return body, true
	}
	return nil, false
}

// parameter returns the value of the first parameter with a name, "" if there is none or it is broken. That there is no
// second one is for the decoder to say.
func parameter(raw []byte, name string) string {
	for pair := range bytes.SplitSeq(raw, []byte("&")) {
		if n, value, _ := bytes.Cut(pair, []byte("=")); string(n) == name {
			text, err := url.QueryUnescape(string(value))
			if err != nil {
				return ""
			}
			return text
		}
	}
	return ""
}

// isForm says whether the body is one of form parameters, as those of the Query protocol are.
func isForm(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "application/x-www-form-urlencoded"
}

// xmlOutput is an answer of a Query service.
type xmlOutput interface {
	AppendXML(b []byte, requestID string) []byte
}

// Reply sends 200 and the answer as XML.
func (q Query) Reply(w http.ResponseWriter, requestID string, out api.Output) {
	_ = write(w, requestID, "text/xml", http.StatusOK, out.(xmlOutput).AppendXML(nil, requestID))
}

// Fail sends AWS's ErrorResponse.
func (q Query) Fail(w http.ResponseWriter, requestID string, e *api.Error) {
	fault := "Sender"
	if e.Status >= 500 {
		fault = "Receiver"
	}
	code, status := errorOf(e)
	var b bytes.Buffer
	b.WriteString(`<ErrorResponse xmlns="` + q.Namespace + `"><Error><Type>` + fault + `</Type><Code>`)
	xml.EscapeText(&b, []byte(code))
	b.WriteString(`</Code><Message>`)
	xml.EscapeText(&b, []byte(e.Message))
	b.WriteString(`</Message></Error><RequestId>` + requestID + `</RequestId></ErrorResponse>`)
	_ = write(w, requestID, "text/xml", status, b.Bytes())
}

// Code is the name that the Query services know an error by.
func (Query) Code(e *api.Error) string {
	code, _ := errorOf(e)
	return code
}

// errorOf gives an error that all services share the name and status that the Query services know it by (IAM and STS API
// references, "Common Errors"): they drop the suffix, and answer 403 to who is not let in. An error of the service's own
// model stays as it is: the ExpiredTokenException of AssumeRoleWithWebIdentity is about another token.
func errorOf(e *api.Error) (code string, status int) {
	if e.Modeled() {
		return e.Code, e.Status
	}
	switch e.Code {
	case "InvalidSignatureException":
		return "SignatureDoesNotMatch", http.StatusForbidden
	case "UnrecognizedClientException":
		return "InvalidClientTokenId", http.StatusForbidden
	case "MissingAuthenticationTokenException":
		return "MissingAuthenticationToken", http.StatusForbidden
	case "IncompleteSignatureException":
		return "IncompleteSignature", http.StatusBadRequest
	case "ExpiredTokenException":
		return "ExpiredToken", http.StatusForbidden
	case "AccessDeniedException":
		return "AccessDenied", http.StatusForbidden
	case "ValidationException":
		return "ValidationError", http.StatusBadRequest
	case "SerializationException":
		return "MalformedInput", http.StatusBadRequest
	case "UnknownOperationException":
		return "InvalidAction", http.StatusBadRequest
	case "KMSInternalException":
		return "InternalFailure", http.StatusInternalServerError
	}
	return e.Code, e.Status
}
