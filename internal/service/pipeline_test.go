package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/wire"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

const account = "111122223333"

// target is what the test's operation acts on.
type target struct{ account string }

func (t target) Access(c *service.Call) []authz.Access {
	return []authz.Access{{Action: "kms:" + c.Operation, Resource: "*", Account: t.account}}
}

// rootsOnly is a directory without users and organizations.
type rootsOnly struct{}

func (rootsOnly) Identity(context.Context, *caller.Caller) (*authz.Identity, error) { return nil, nil }
func (rootsOnly) Membership(context.Context, string) (*authz.Membership, error)     { return nil, nil }

// bench is a pipeline with one operation, DescribeKey, whose steps the test chooses.
type bench struct {
	row      service.Row[kmsapi.DescribeKeyRequest, kmsapi.DescribeKeyResponse, target]
	auditErr error
	events   []audit.Event
	log      bytes.Buffer
	regions  []string
}

func newBench() *bench {
	b := &bench{}
	b.row.Name = "DescribeKey"
	b.row.Resolve = func(context.Context, *service.Call, *kmsapi.DescribeKeyRequest) (target, error) {
		return target{account}, nil
	}
	b.row.Handle = func(context.Context, *service.Call, *kmsapi.DescribeKeyRequest, target) (*kmsapi.DescribeKeyResponse, error) {
		return &kmsapi.DescribeKeyResponse{}, nil
	}
	return b
}

var credential = sigv4.Credential{AccessKeyID: account, Secret: material.Take([]byte("test"))}

func (b *bench) do(t *testing.T, change func(*http.Request)) (int, string, string) {
	t.Helper()
	return b.ask(t, b.pipeline(t), change)
}

func (b *bench) pipeline(t *testing.T) *service.Pipeline {
	t.Helper()
	verifier, err := sigv4.New(sigv4.Config{Lookup: func(_ context.Context, id, _ string) (sigv4.Credential, error) {
		if id != account {
			return sigv4.Credential{}, sigv4.ErrUnknownKey
		}
		c := credential
		c.Caller = caller.RootOf(account, id)
		return c, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return service.New(service.Config{
		Services: []service.Service{{
			Name: "kms", Source: "kms.amazonaws.com", Protocol: wire.JSON{TargetPrefix: "TrentService"},
			Table: []service.Operation{service.Define(b.row)}, API: kmsapi.Operations(),
		}},
		Verifier: verifier, Authorizer: authz.New(rootsOnly{}), Regions: b.regions, Clock: new(clock.Clock), Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		Audit: func(_ context.Context, e *audit.Event) error {
			b.events = append(b.events, *e)
			return b.auditErr
		},
	})
}

func (b *bench) ask(t *testing.T, p *service.Pipeline, change func(*http.Request)) (int, string, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("X-Amz-Target", "TrentService.DescribeKey")
	setBody(r, `{"KeyId":"k"}`)
	sign(t, r, "us-east-1", "kms")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("answer is not JSON: %q", w.Body)
	}
	if id := w.Header().Get("x-amzn-RequestId"); len(id) != 36 {
		t.Errorf("request id %q", id)
	}
	if got := w.Header().Get("Content-Type"); got != "application/x-amz-json-1.1" {
		t.Errorf("content type %q", got)
	}
	return w.Code, e.Type, e.Message
}

func setBody(r *http.Request, body string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

func body(r *http.Request) []byte {
	b, _ := io.ReadAll(r.Body)
	setBody(r, string(b))
	return b
}

func sign(t *testing.T, r *http.Request, region, service string) {
	t.Helper()
	if err := sigv4.Sign(r, body(r), credential, region, service, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestProtocolErrors(t *testing.T) {
	resign := func(change func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) { change(r); sign(t, r, "us-east-1", "kms") }
	}
	tests := []struct {
		name   string
		change func(*http.Request)
		status int
		code   string
		text   string
	}{
		{"all is well", nil, 200, "", ""},
		{"no target", func(r *http.Request) { r.Header.Del("X-Amz-Target") }, 400, "UnknownOperationException", ""},
		{"another service's target", func(r *http.Request) { r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables") }, 400, "UnknownOperationException", ""},
		{"GET", func(r *http.Request) { r.Method = "GET" }, 400, "UnknownOperationException", ""},
		{"unknown operation", resign(func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.Nonsense") }), 400, "UnknownOperationException", ""},
		{"unknown operation, unsigned", func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "TrentService.Nonsense")
			r.Header.Del("Authorization")
		}, 400, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"operation not built", resign(func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.ConnectCustomKeyStore") }), 400,
			"UnsupportedOperationException", "ConnectCustomKeyStore is not built in this version of Trent; docs/compatibility.md lists what is."},
		{"unsigned", func(r *http.Request) { r.Header.Del("Authorization") }, 400, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"body changed after signing", func(r *http.Request) { setBody(r, `{"KeyId":"l"}`) }, 400, "InvalidSignatureException",
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."},
		{"target changed after signing", func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.Decrypt") }, 400, "InvalidSignatureException",
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."},
		{"unknown access key", func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), account, "AKIAUNKNOWN", 1))
		}, 400, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"scope of another service", func(r *http.Request) { sign(t, r, "us-east-1", "s3") }, 400, "InvalidSignatureException", "Credential should be scoped to correct service: 'kms'."},
		{"scope of no Region", func(r *http.Request) { sign(t, r, "UPPER", "kms") }, 400, "InvalidSignatureException", "Credential should be scoped to a valid region."},
		{"not JSON", resign(func(r *http.Request) { setBody(r, `{"KeyId":`) }), 400, "SerializationException", ""},
		{"wrong type", resign(func(r *http.Request) { setBody(r, `{"KeyId":7}`) }), 400, "SerializationException", ""},
		{"no body", resign(func(r *http.Request) { setBody(r, ``) }), 400, "SerializationException", ""},
		{"constraint", resign(func(r *http.Request) { setBody(r, `{}`) }), 400, "ValidationException",
			"1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"},
		{"body too large, declared", func(r *http.Request) { r.ContentLength = wire.MaxBodyBytes + 1 }, 413, "RequestEntityTooLargeException", ""},
		{"body too large, chunked", func(r *http.Request) {
			setBody(r, strings.Repeat(" ", wire.MaxBodyBytes+1))
			r.ContentLength = -1
		}, 413, "RequestEntityTooLargeException", ""},
		{"body shorter than declared", func(r *http.Request) { r.ContentLength++ }, 400, "MalformedHttpRequestException", ""},
		{"compressed", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 400, "MalformedHttpRequestException", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, code, text := newBench().do(t, test.change)
			if status != test.status || code != test.code || test.text != "" && text != test.text {
				t.Errorf("got %d %s %q, want %d %s %q", status, code, text, test.status, test.code, test.text)
			}
		})
	}
}

func TestOnlyConfiguredRegionsAreServed(t *testing.T) {
	b := newBench()
	b.regions = []string{"eu-central-1"}
	if _, code, text := b.do(t, nil); code != "InvalidSignatureException" || text != "Credential should be scoped to a valid region." {
		t.Errorf("us-east-1: got %s %q", code, text)
	}
	if status, code, _ := b.do(t, func(r *http.Request) { sign(t, r, "eu-central-1", "kms") }); status != 200 {
		t.Errorf("eu-central-1: got %d %s", status, code)
	}
}

func TestEveryAuthenticatedCallIsRecorded(t *testing.T) {
	b := newBench()
	b.do(t, nil)
	b.do(t, func(r *http.Request) { setBody(r, `{`); sign(t, r, "us-east-1", "kms") })
	b.row.Resolve = func(context.Context, *service.Call, *kmsapi.DescribeKeyRequest) (target, error) {
		return target{"999999999999"}, nil
	}
	b.do(t, nil)
	b.do(t, func(r *http.Request) { r.Header.Del("Authorization") })
	want := []string{"", "SerializationException", "AccessDeniedException"}
	if len(b.events) != len(want) {
		t.Fatalf("%d records, want %d: unsigned requests are not recorded", len(b.events), len(want))
	}
	for i, e := range b.events {
		if e.ErrorCode != want[i] || e.Name != "DescribeKey" || e.Caller.Account != account {
			t.Errorf("record %d: error %q of %s by %s", i, e.ErrorCode, e.Name, e.Caller.ARN)
		}
	}
}

func TestNoAnswerWithoutRecord(t *testing.T) {
	b := newBench()
	b.auditErr = errors.New("disk full")
	status, code, text := b.do(t, nil)
	if status != 500 || code != "KMSInternalException" || strings.Contains(text, "disk") {
		t.Errorf("got %d %s %q", status, code, text)
	}
	if !strings.Contains(b.log.String(), "disk full") {
		t.Error("the cause is not in the log")
	}
}

func TestNothingHappensThatCannotBeRecorded(t *testing.T) {
	b := newBench()
	handled := 0
	b.row.Handle = func(context.Context, *service.Call, *kmsapi.DescribeKeyRequest, target) (*kmsapi.DescribeKeyResponse, error) {
		handled++
		return &kmsapi.DescribeKeyResponse{}, nil
	}
	p := b.pipeline(t)
	b.auditErr = errors.New("disk full")
	for range 3 {
		if status, _, _ := b.ask(t, p, nil); status != 500 {
			t.Errorf("got %d", status)
		}
	}
	if handled != 1 {
		t.Errorf("%d operations ran, want the one that found the disk full", handled)
	}
	b.auditErr = nil
	if status, code, _ := b.ask(t, p, nil); status != 200 || handled != 2 {
		t.Errorf("with space again: %d %s, %d ran", status, code, handled)
	}
	if e := b.events[len(b.events)-2]; e.Name != "ResumeAudit" || e.EventType != audit.ServiceEvent {
		t.Errorf("recorded before the operation: %s", e.Name)
	}
}

func TestConflictStartsAgainFromResolution(t *testing.T) {
	b := newBench()
	resolved, handled := 0, 0
	b.row.Resolve = func(_ context.Context, c *service.Call, _ *kmsapi.DescribeKeyRequest) (target, error) {
		resolved++
		c.Event.Resources = append(c.Event.Resources, audit.Resource{ARN: "arn"})
		return target{account}, nil
	}
	b.row.Handle = func(context.Context, *service.Call, *kmsapi.DescribeKeyRequest, target) (*kmsapi.DescribeKeyResponse, error) {
		if handled++; handled < 3 {
			return nil, store.ErrConflict
		}
		return &kmsapi.DescribeKeyResponse{}, nil
	}
	if status, code, _ := b.do(t, nil); status != 200 || resolved != 3 {
		t.Errorf("got %d %s after %d resolutions, want 200 after 3", status, code, resolved)
	}
	if n := len(b.events[0].Resources); n != 1 {
		t.Errorf("%d resources recorded, want 1", n)
	}
}

func TestEndlessConflictIsAnError(t *testing.T) {
	b := newBench()
	b.row.Handle = func(context.Context, *service.Call, *kmsapi.DescribeKeyRequest, target) (*kmsapi.DescribeKeyResponse, error) {
		return nil, store.ErrConflict
	}
	if status, code, _ := b.do(t, nil); status != 500 || code != "KMSInternalException" {
		t.Errorf("got %d %s", status, code)
	}
}

func TestPanicFailsTheRequestAndIsRecorded(t *testing.T) {
	b := newBench()
	b.row.Check = func(context.Context, *service.Call, *kmsapi.DescribeKeyRequest, target) error { panic("bug") }
	if status, code, _ := b.do(t, nil); status != 500 || code != "KMSInternalException" {
		t.Errorf("got %d %s", status, code)
	}
	if len(b.events) != 1 || b.events[0].ErrorCode != "KMSInternalException" {
		t.Errorf("records: %+v", b.events)
	}
}

func TestErrorOfTheStoreIsNotShown(t *testing.T) {
	b := newBench()
	b.row.Resolve = func(context.Context, *service.Call, *kmsapi.DescribeKeyRequest) (target, error) {
		return target{}, errors.New("etcd at 10.1.2.3 refused")
	}
	status, code, text := b.do(t, nil)
	if status != 500 || code != "KMSInternalException" || strings.Contains(text, "etcd") {
		t.Errorf("got %d %s %q", status, code, text)
	}
	if got := b.events[0].ErrorMessage; strings.Contains(got, "etcd") {
		t.Errorf("recorded %q", got)
	}
}

// A service that may not speak for a principal is refused, and that is written down as the service's call.
func TestRefusedForwardingIsRecorded(t *testing.T) {
	for _, forwarded := range []bool{true, false} {
		b := newBench()
		p := b.pipeline(t)
		p.Services[0].Forwarded = forwarded
		p = service.New(p.Config)
		refusal := api.AccessDeniedException("not for you")
		p.Forward = func(_ context.Context, by *caller.Caller, f service.Forwarded) (caller.Caller, error) {
			if by.ARN != "s3.amazonaws.com" || f != (service.Forwarded{AccessKeyID: "AKIA", SessionToken: "token"}) {
				t.Errorf("asked for %s %+v", by.ARN, f)
			}
			return caller.Caller{}, refusal
		}
		p.Verifier = ofService(t)
		status, code, _ := b.ask(t, p, func(r *http.Request) {
			r.Header.Set("X-Amz-Trent-On-Behalf-Of", "AKIA")
			r.Header.Set("X-Amz-Trent-On-Behalf-Of-Token", "token")
			sign(t, r, "us-east-1", "kms")
		})
		if status != http.StatusBadRequest || code != "AccessDeniedException" {
			t.Errorf("got %d %s", status, code)
		}
		if len(b.events) != 1 || b.events[0].ErrorCode != code || b.events[0].Caller.ARN != "s3.amazonaws.com" || b.events[0].Name != "DescribeKey" {
			t.Errorf("recorded %+v", b.events)
		}
	}
}

// ofService verifies requests as those of a registered service.
func ofService(t *testing.T) *sigv4.Verifier {
	t.Helper()
	verifier, err := sigv4.New(sigv4.Config{Lookup: func(context.Context, string, string) (sigv4.Credential, error) {
		c := credential
		c.Caller = caller.Caller{Type: caller.Service, ARN: "s3.amazonaws.com"}
		return c, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// What a service says of the resource that it acts for counts only if it may say so.
func TestSourceOfAServiceIsChecked(t *testing.T) {
	const bucket = "arn:aws:s3:::bucket"
	for _, tt := range []struct {
		name    string
		headers map[string]string
		asked   service.Forwarded // the zero value: nothing is asked
		refusal error
	}{
		{"itself", nil, service.Forwarded{}, nil},
		{"a resource", map[string]string{"X-Amz-Source-Arn": bucket}, service.Forwarded{SourceARN: bucket}, nil},
		{"an account", map[string]string{"X-Amz-Source-Account": account}, service.Forwarded{SourceAccount: account}, nil},
		{"refused", map[string]string{"X-Amz-Source-Arn": bucket}, service.Forwarded{SourceARN: bucket}, api.AccessDeniedException("not for you")},
	} {
		b := newBench()
		p := b.pipeline(t)
		p.Verifier = ofService(t)
		var asked service.Forwarded
		p.Forward = func(_ context.Context, by *caller.Caller, f service.Forwarded) (caller.Caller, error) {
			asked = f
			c := *by
			c.SourceARN, c.SourceAccount = f.SourceARN, f.SourceAccount
			return c, tt.refusal
		}
		_, code, message := b.ask(t, p, func(r *http.Request) {
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
			sign(t, r, "us-east-1", "kms")
		})
		// No policy lets a service in here, so one that may say what it says is refused later.
		if code != "AccessDeniedException" || (message == "not for you") != (tt.refusal != nil) {
			t.Errorf("%s: got %s %s", tt.name, code, message)
		}
		e := &b.events[0]
		said := service.Forwarded{SourceARN: e.Caller.SourceARN, SourceAccount: e.Caller.SourceAccount}
		if asked != tt.asked || tt.refusal == nil && said != tt.asked || tt.refusal != nil && said != (service.Forwarded{}) {
			t.Errorf("%s: asked for %+v, recorded %+v", tt.name, asked, said)
		}
	}
}
