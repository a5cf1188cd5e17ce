package wire_test

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/wire"
)

var sts = wire.Query{Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}

func TestJSONRecognisesItsTarget(t *testing.T) {
	tests := map[string]string{ // target: operation, "" for not recognised
		"TrentService.Encrypt": "Encrypt", "TrentService.": "", "TrentService": "", "": "", "trentservice.Encrypt": "",
		"TrentServiceX.Encrypt": "", "TrentService.Encrypt.Twice": "Encrypt.Twice", " TrentService.Encrypt": "",
	}
	for target, want := range tests {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("X-Amz-Target", target)
		req, ok, err := wire.JSON{TargetPrefix: "TrentService"}.Recognise(r, nil)
		if err != nil || req.Operation != want || ok && !strings.HasPrefix(target, "TrentService.") {
			t.Errorf("%q: got %q, %t, %v", target, req.Operation, ok, err)
		}
	}
}

func TestQueryRecognisesItsVersion(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	tests := []struct {
		name, method, target, contentType, body string
		want                                    string
	}{
		{"form", "POST", "/", form, "Action=GetCallerIdentity&Version=2011-06-15", "GetCallerIdentity"},
		{"form with charset", "POST", "/", form + "; charset=utf-8", "Action=GetCallerIdentity&Version=2011-06-15", "GetCallerIdentity"},
		{"presigned", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=x", "", "", "GetCallerIdentity"},
		{"another API", "POST", "/", form, "Action=ListUsers&Version=2010-05-08", ""},
		{"no form", "POST", "/", "text/plain", "Action=GetCallerIdentity&Version=2011-06-15", ""},
		{"form in the URL of a POST", "POST", "/?Action=GetCallerIdentity&Version=2011-06-15", form, "", ""},
		{"broken version", "POST", "/", form, "Action=GetCallerIdentity&Version=%zz", ""},
		{"PUT", "PUT", "/", form, "Action=GetCallerIdentity&Version=2011-06-15", ""},
	}
	for _, test := range tests {
		r := httptest.NewRequest(test.method, test.target, nil)
		r.Header.Set("Content-Type", test.contentType)
		req, ok, err := sts.Recognise(r, []byte(test.body))
		if err != nil || ok != (test.want != "") || req.Operation != test.want {
			t.Errorf("%s: got %q, %t, %v", test.name, req.Operation, ok, err)
		}
	}
}

func TestQueryErrorsHaveTheQueryServicesNames(t *testing.T) {
	tests := []struct {
		err    *api.Error
		status int
		code   string
		fault  string
	}{
		{api.InvalidSignatureException("<&>"), 403, "SignatureDoesNotMatch", "Sender"},
		{api.UnrecognizedClientException("x"), 403, "InvalidClientTokenId", "Sender"},
		{api.MissingAuthenticationTokenException("x"), 403, "MissingAuthenticationToken", "Sender"},
		{api.IncompleteSignatureException("x"), 400, "IncompleteSignature", "Sender"},
		{api.ExpiredTokenException("x"), 403, "ExpiredToken", "Sender"},
		{api.AccessDeniedException("x"), 403, "AccessDenied", "Sender"},
		{api.SerializationException("x"), 400, "MalformedInput", "Sender"},
		{stsapi.ExpiredTokenException("x"), 400, "ExpiredTokenException", "Sender"},
		{iamapi.NoSuchEntityException("x"), 404, "NoSuchEntity", "Sender"},
		{iamapi.ServiceFailureException("x"), 500, "ServiceFailure", "Receiver"},
		{api.UnknownOperationException("x"), 400, "InvalidAction", "Sender"},
		{api.From(errors.New("x")), 500, "InternalFailure", "Receiver"},
		{api.ThrottlingException("x"), 400, "ThrottlingException", "Sender"},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		sts.Fail(w, "id", test.err)
		var got struct {
			XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
			Error   struct{ Type, Code, Message string }
			ID      string `xml:"RequestId"`
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		if w.Code != test.status || got.Error.Code != test.code || got.Error.Type != test.fault || got.Error.Message != test.err.Message || got.ID != "id" {
			t.Errorf("%s: got %d %+v", test.err.Code, w.Code, got)
		}
		if code := sts.Code(test.err); code != test.code { // what the audit record says
			t.Errorf("%s: the code is %s, %s was told", test.err.Code, code, test.code)
		}
	}
}

func TestJSONErrorWithoutTextHasNoMessage(t *testing.T) {
	for _, test := range []struct {
		err  *api.Error
		want string
	}{
		{api.UnknownOperationException(""), `{"__type":"UnknownOperationException"}`},
		{api.ValidationException("a \"b\"\n"), `{"__type":"ValidationException","message":"a \"b\"\n"}`},
	} {
		w := httptest.NewRecorder()
		wire.JSON{}.Fail(w, "id", test.err)
		if got := w.Body.String(); got != test.want || w.Code != 400 {
			t.Errorf("got %d %s, want %s", w.Code, got, test.want)
		}
	}
}

// A service's own failures have the name of its own model.
func TestJSONCodeIsTheOneThatIsTold(t *testing.T) {
	failure := api.From(errors.New("x"))
	for _, test := range []struct {
		protocol wire.JSON
		err      *api.Error
		want     string
	}{
		{wire.JSON{}, failure, "KMSInternalException"},
		{wire.JSON{Internal: "ServiceException"}, failure, "ServiceException"},
		{wire.JSON{Internal: "ServiceException"}, api.AccessDeniedException("x"), "AccessDeniedException"},
	} {
		w := httptest.NewRecorder()
		test.protocol.Fail(w, "id", test.err)
		if code := test.protocol.Code(test.err); code != test.want || !strings.HasPrefix(w.Body.String(), `{"__type":"`+test.want+`"`) {
			t.Errorf("%+v: the code is %s, told was %s, want %s", test.protocol, code, w.Body, test.want)
		}
	}
}

func TestQueryReadsParameters(t *testing.T) {
	const form = "Action=GetFederationToken&Version=2011-06-15&Name=bob&PolicyArns.member.1.arn=arn%3Aaws%3Aa&DurationSeconds=900"
	post := httptest.NewRequest(http.MethodPost, "/", nil)
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, r := range []*http.Request{post, httptest.NewRequest(http.MethodGet, "/?"+form+"&X-Amz-Signature=x", nil)} {
		req, ok, err := sts.Recognise(r, []byte(form))
		if !ok || err != nil {
			t.Fatalf("%s: got %t, %v", r.Method, ok, err)
		}
		var in stsapi.GetFederationTokenRequest
		if err := req.Decode(&in); err != nil {
			t.Fatal(err)
		}
		if *in.Name != "bob" || *in.PolicyArns[0].Arn != "arn:aws:a" || *in.DurationSeconds != 900 {
			t.Errorf("%s: got %+v", r.Method, in.PolicyArns)
		}
	}
	req, _, _ := sts.Recognise(post, []byte(form+"&Version=2010-05-08"))
	if e := api.From(req.Decode(new(stsapi.GetFederationTokenRequest))); e == nil || e.Code != "SerializationException" {
		t.Errorf("two versions: got %v", e)
	}
}

type timeout struct{}

func (timeout) Error() string { return "timeout" }
func (timeout) Timeout() bool { return true }

func TestBodies(t *testing.T) {
	request := func(change func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
		change(r)
		return r
	}
	tests := []struct {
		name string
		r    *http.Request
		want string // the body, or the error's code
	}{
		{"declared length", request(func(*http.Request) {}), "body"},
		{"chunked", request(func(r *http.Request) { r.ContentLength = -1 }), "body"},
		{"identity", request(func(r *http.Request) { r.Header.Set("Content-Encoding", "identity") }), "body"},
		{"gzip", request(func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }), "MalformedHttpRequestException"},
		{"cut short", request(func(r *http.Request) { r.ContentLength = 5 }), "MalformedHttpRequestException"},
		{"slow", request(func(r *http.Request) { r.Body = &erring{} }), "RequestTimeoutException"},
		{"a byte too many", request(func(r *http.Request) {
			r.Body, r.ContentLength = body(wire.MaxBodyBytes+1), wire.MaxBodyBytes+1
		}), "RequestEntityTooLargeException"},
	}
	for _, test := range tests {
		b, err := new(wire.Bodies).Read(test.r, nil)
		got := string(b)
		if e := api.From(err); e != nil {
			got = e.Code
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Body, r.ContentLength = body(wire.MaxBodyBytes), wire.MaxBodyBytes
	if b, err := new(wire.Bodies).Read(r, nil); len(b) != wire.MaxBodyBytes || err != nil {
		t.Errorf("largest body: %d bytes, %v", len(b), err)
	}
}

func body(n int) *limited { return &limited{strings.NewReader(strings.Repeat(" ", n))} }

type limited struct{ *strings.Reader }

func (*limited) Close() error { return nil }

type erring struct{}

func (*erring) Read(p []byte) (int, error) { return iotest.ErrReader(timeout{}).Read(p) }
func (*erring) Close() error               { return nil }

// Bodies that are announced, and withheld, are what somebody without credentials can send.
func TestLargeBodiesAreBounded(t *testing.T) {
	var bodies wire.Bodies
	read := func(n int) ([]byte, error) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body, r.ContentLength = body(n), int64(n)
		return bodies.Read(r, make([]byte, 0, 4096))
	}
	var held [][]byte
	for {
		b, err := read(20_000)
		if err != nil {
			if e := api.From(err); e.Code != "ServiceUnavailable" || e.Status != 503 {
				t.Fatalf("got %v", err)
			}
			break
		}
		if held = append(held, b); len(held) > 5000 {
			t.Fatal("no bound")
		}
	}
	if len(held) != 128<<20/(32<<10) {
		t.Errorf("%d large bodies of 32 KiB at a time, want 4096", len(held))
	}
	for _, n := range []int{0, 1, 8190, 8191} {
		if b, err := read(n); err != nil || len(b) != n {
			t.Errorf("a body of %d bytes: %v", n, err)
		} else {
			bodies.Done(b)
		}
	}
	for _, b := range held {
		bodies.Done(b)
	}
	// Refused bodies give their place back too.
	for range 200 {
		if _, err := read(wire.MaxBodyBytes + 1); err == nil {
			t.Fatal("too large a body was read")
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body, r.ContentLength = body(20_000), 30_000
		if _, err := bodies.Read(r, nil); err == nil {
			t.Fatal("a body cut short was read")
		}
	}
	if b, err := read(wire.MaxBodyBytes); err != nil || len(b) != wire.MaxBodyBytes {
		t.Errorf("afterwards: %v", err)
	}
}

// keeper is a connection that fails a write and still holds what it was given, as HTTP/2 may.
type keeper struct {
	*httptest.ResponseRecorder
	held []byte
}

func (k *keeper) Write(b []byte) (int, error) {
	k.held = b
	return 0, errors.New("stream closed")
}

type answer string

func (a answer) AppendJSON(b []byte) []byte  { return append(b, a...) }
func (a answer) AppendAudit(b []byte) []byte { return b }

func TestFailedWriteGivesItsMemoryToNobody(t *testing.T) {
	k := &keeper{ResponseRecorder: httptest.NewRecorder()}
	wire.JSON{}.Reply(k, "id", answer("first"))
	for range 100 {
		wire.JSON{}.Reply(httptest.NewRecorder(), "id", answer("other"))
	}
	if string(k.held) != "first" {
		t.Errorf("the connection now holds %q", k.held)
	}
}
