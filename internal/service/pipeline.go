package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/uuid"
	"github.com/trent-kms/trent/internal/wire"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// Service is one AWS service, or Trent's own administration.
type Service struct {
	Name     string // in the signature's scope: kms
	Source   string // eventSource of audit records: kms.amazonaws.com
	Protocol wire.Protocol
	Table    []Operation
	// API is the whole API, to tell an operation that is not built yet from one that does not exist.
	API []api.OperationInfo
}

// Config is what a Pipeline works with. All fields are needed.
type Config struct {
	Services []Service
	Verifier *sigv4.Verifier
	// Regions are the Regions served; nil serves any.
	Regions []string
	Clock   *clock.Clock
	// Audit writes one record and returns when it is as durable as this server promises.
	Audit func(context.Context, *audit.Event) error
	Log   *slog.Logger
}

// Pipeline answers requests. Safe for concurrent use.
type Pipeline struct {
	Config
	services []entry
	regions  map[string]bool
}

type entry struct {
	Service
	operations map[string]*Operation
}

// New prepares the services' tables.
func New(c Config) *Pipeline {
	p := &Pipeline{Config: c}
	for _, s := range c.Services {
		e := entry{Service: s, operations: make(map[string]*Operation, len(s.Table))}
		for i := range s.Table {
			e.operations[s.Table[i].Name] = &s.Table[i]
		}
		p.services = append(p.services, e)
	}
	if c.Regions != nil {
		p.regions = make(map[string]bool)
		for _, r := range c.Regions {
			p.regions[r] = true
		}
	}
	return p
}

// ServeHTTP takes one request the whole way. No answer leaves before its audit record is written; when that fails, the
// request has failed.
func (p *Pipeline) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := uuid.New()
	protocol := wire.Protocol(wire.JSON{})
	out, err := p.run(r, requestID, &protocol)
	if err != nil {
		e := api.From(err)
		if e.Status >= 500 {
			p.Log.Error("request failed", "request_id", requestID, "error", err)
		}
		protocol.Fail(w, requestID, e)
		return
	}
	protocol.Reply(w, requestID, out)
}

// run is the way itself. It sets protocol as soon as it is known, so that an error is told in the caller's language.
func (p *Pipeline) run(r *http.Request, requestID string, protocol *wire.Protocol) (api.Output, error) {
	body, err := wire.ReadBody(r)
	if err != nil {
		return nil, err
	}
	svc, req, err := p.route(r, body, protocol)
	if err != nil {
		return nil, err
	}
	signed, err := p.Verifier.Verify(r.Context(), r, body)
	if err != nil {
		return nil, err
	}
	if err := p.checkScope(signed, svc.Name); err != nil {
		return nil, err
	}
	op := svc.operations[req.Operation]
	if op == nil {
		return nil, unknown(svc, req.Operation)
	}
	call := &Call{
		Caller: signed.Caller, Region: signed.Region, RequestID: requestID, Operation: op.Name, Now: p.Clock.Now(),
	}
	call.Event = event(r, svc, op, call)
	out, err := serve(r.Context(), op, call, req.Decode)
	return p.record(r.Context(), call, out, err)
}

// route finds the service that the request speaks to, by the form of the request alone: no header that a signature
// does not cover may choose what the signature is good for.
func (p *Pipeline) route(r *http.Request, body []byte, protocol *wire.Protocol) (*entry, wire.Request, error) {
	for i := range p.services {
		s := &p.services[i]
		req, ok, err := s.Protocol.Recognise(r, body)
		if !ok {
			continue
		}
		*protocol = s.Protocol
		return s, req, err
	}
	return nil, wire.Request{}, api.UnknownOperationException("")
}

// serve runs the operation. A panic is a bug of ours: it fails this request and no other, and is written down like any
// other failure.
func serve(ctx context.Context, op *Operation, c *Call, decode func(api.Input) error) (out api.Output, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			out, err = nil, fmt.Errorf("service: %s panicked: %v\n%s", op.Name, bug, debug.Stack())
		}
	}()
	return op.serve(ctx, c, decode)
}

func (p *Pipeline) checkScope(s sigv4.Signed, service string) error {
	if s.Service != service {
		return api.InvalidSignatureException("Credential should be scoped to correct service: '%s'.", service)
	}
	// A Region's name becomes part of storage keys, so a server of any Region still looks at its form.
	if !arn.IsRegion(s.Region) || p.regions != nil && !p.regions[s.Region] {
		return api.InvalidSignatureException("Credential should be scoped to a valid region.")
	}
	return nil
}

func unknown(svc *entry, operation string) error {
	if slices.ContainsFunc(svc.API, func(o api.OperationInfo) bool { return o.Name == operation }) {
		return api.NewError("UnsupportedOperationException", http.StatusBadRequest,
			"%s is not built in this version of Trent; docs/compatibility.md lists what is.", operation)
	}
	return api.UnknownOperationException("")
}

func event(r *http.Request, svc *entry, op *Operation, c *Call) *audit.Event {
	e := &audit.Event{
		Time: c.Now, Source: svc.Source, Name: op.Name, Region: c.Region, RequestID: c.RequestID, Caller: c.Caller,
		SourceIP: host(r.RemoteAddr), UserAgent: r.UserAgent(), ReadOnly: op.ReadOnly, Account: c.Caller.Account,
	}
	if r.TLS != nil {
		e.TLS = &audit.TLSDetails{Version: wire.TLSVersion(r.TLS), CipherSuite: wire.CipherSuite(r.TLS), HostHeader: r.Host}
	}
	return e
}

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}

// record writes the audit record of a call that has ended one way or the other.
func (p *Pipeline) record(ctx context.Context, c *Call, out api.Output, err error) (api.Output, error) {
	if err != nil {
		e := api.From(err)
		c.Event.ErrorCode, c.Event.ErrorMessage = e.Code, e.Message
		c.Event.ResponseElements = nil
	}
	if auditErr := p.Audit(context.WithoutCancel(ctx), c.Event); auditErr != nil {
		return nil, errors.Join(errors.New("service: audit record not written"), auditErr)
	}
	return out, err
}
