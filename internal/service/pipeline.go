package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
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
	// Global marks a service that is the same in all Regions. Its clients sign for whichever they like.
	Global bool
	// Forwarded lets registered services make requests on behalf of principals. What they may do so is to use keys, and
	// not to make credentials.
	Forwarded bool
}

// Config is what a Pipeline works with. All fields are needed.
type Config struct {
	Services []Service
	Verifier *sigv4.Verifier
	// Authorizer decides every call.
	Authorizer *authz.Authorizer
	// Forward returns who the caller of a registered service's request is, or refuses what the service says of it.
	Forward func(ctx context.Context, by *caller.Caller, f Forwarded) (caller.Caller, error)
	// Regions are the Regions served; nil serves any.
	Regions []string
	Clock   *clock.Clock
	// Audit writes one record and returns when it is as durable as this server promises. It does not keep the event.
	Audit func(context.Context, *audit.Event) error
	Log   *slog.Logger
}

// Forwarded is what a registered service says of a request: whose it is, or for which resource the service makes it by
// itself. What is not said is empty.
type Forwarded struct {
	AccessKeyID, SessionToken string // the credentials that the service was called with
	SourceARN, SourceAccount  string // the resource, and whose it is
}

// Pipeline answers requests. Safe for concurrent use.
type Pipeline struct {
	Config
	services []entry
	regions  map[string]bool
	// unrecorded is set while the last record could not be written.
	unrecorded atomic.Bool
	bodies     wire.Bodies
	exchanges  sync.Pool // of *exchange
}

// exchange is the memory of one request, which the next one uses again.
type exchange struct {
	body      []byte
	call      Call
	event     audit.Event
	decisions []authz.Decision
}

// maxPooledBytes lets go of the bodies of the rare large requests.
const maxPooledBytes = 16 << 10

// release gives x back, with nothing of the request in it: a body may hold plaintext.
func (p *Pipeline) release(x *exchange) {
	body, parameters, resources := x.body[:cap(x.body)], x.event.RequestParameters[:0], x.event.Resources
	decided, decisions := x.event.Authorization[:0], x.call.decisions
	clear(body)
	clear(resources)
	clear(decisions)
	p.bodies.Done(body)
	*x = exchange{
		body: body[:0], decisions: decisions[:0],
		event: audit.Event{RequestParameters: parameters, Resources: resources[:0], Authorization: decided},
	}
	if cap(body) <= maxPooledBytes && cap(parameters) <= maxPooledBytes && cap(decided) <= maxPooledBytes {
		p.exchanges.Put(x)
	}
}

type entry struct {
	Service
	operations map[string]*Operation
}

// New prepares the services' tables.
func New(c Config) *Pipeline {
	p := &Pipeline{Config: c, exchanges: sync.Pool{New: func() any { return new(exchange) }}}
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
	protocol := wire.Guess(r)
	x := p.exchanges.Get().(*exchange)
	defer p.release(x)
	out, err := p.run(r, x, requestID, &protocol)
	if err != nil {
		e := api.From(err)
		if e.Status == http.StatusInternalServerError { // our own failures; that there is too much to do is none
			p.Log.Error("request failed", "request_id", requestID, "error", err)
		}
		protocol.Fail(w, requestID, e)
		return
	}
	protocol.Reply(w, requestID, out)
}

// run is the way itself. It sets protocol as soon as it is known, so that an error is told in the caller's language.
func (p *Pipeline) run(r *http.Request, x *exchange, requestID string, protocol *wire.Protocol) (out api.Output, err error) {
	defer rescue(&err)
	body, err := p.bodies.Read(r, x.body)
	if err != nil {
		return nil, err
	}
	x.body = body
	svc, req, err := p.route(r, body, protocol)
	if err != nil {
		return nil, err
	}
	op := svc.operations[req.Operation]
	signed, err := p.authenticate(r, svc, op, body)
	if err != nil {
		return nil, err
	}
	if op == nil {
		return nil, unknown(svc, req.Operation)
	}
	call := &x.call
	*call = Call{
		Caller: signed.Caller, Region: signed.Region, RequestID: requestID, Operation: op.Name, Now: p.Clock.Now(), Event: &x.event,
		authorizer: p.Authorizer, decisions: x.decisions,
		request: authz.Request{
			SourceIP: host(r.RemoteAddr), UserAgent: r.UserAgent(), Referer: r.Referer(), TLS: r.TLS != nil, Endpoint: endpoint(r.Context()),
		},
	}
	begin(call, r, svc, op)
	if err := p.resume(r.Context(), call); err != nil {
		return nil, err
	}
	if call.Caller.Type == caller.Service {
		if call.Caller, err = p.forward(r, svc, call.Caller); err != nil {
			return p.record(r.Context(), svc.Protocol, call, nil, err)
		}
	}
	out, err = serve(r.Context(), op, call, req.Decode)
	return p.record(r.Context(), svc.Protocol, call, out, err)
}

// authenticate finds out who is asking.
func (p *Pipeline) authenticate(r *http.Request, svc *entry, op *Operation, body []byte) (sigv4.Signed, error) {
	if op != nil && op.Unsigned {
		return sigv4.Signed{Caller: caller.Caller{Type: caller.WebIdentity}, Region: globalRegion, Service: svc.Name}, nil
	}
	signed, err := p.Verifier.Verify(r.Context(), r, body)
	if err != nil {
		return signed, err
	}
	return signed, p.checkScope(signed, svc)
}

// globalRegion is where AWS has the services that are the same everywhere.
const globalRegion = "us-east-1"

// Headers that a registered service may send. As all x-amz- headers they are signed, and from anybody else they mean
// nothing.
const (
	onBehalfOf    = "X-Amz-Trent-On-Behalf-Of"       // access key id that signed the request that the service carries out
	onBehalfToken = "X-Amz-Trent-On-Behalf-Of-Token" // and the session token that came with it, if any
	sourceARN     = "X-Amz-Source-Arn"               // resource for which the service acts by itself
	sourceAccount = "X-Amz-Source-Account"           // account of that resource
)

// forward returns who a registered service asks for: itself, perhaps for a resource, or a principal that has asked it. A
// service that may not say so stays itself.
func (p *Pipeline) forward(r *http.Request, svc *entry, service caller.Caller) (caller.Caller, error) {
	f := Forwarded{
		AccessKeyID: r.Header.Get(onBehalfOf), SessionToken: r.Header.Get(onBehalfToken),
		SourceARN: r.Header.Get(sourceARN), SourceAccount: r.Header.Get(sourceAccount),
	}
	switch {
	case f.AccessKeyID == "" && f.SourceARN == "" && f.SourceAccount == "":
		return service, nil
	case f.AccessKeyID != "" && !svc.Forwarded:
		return service, api.AccessDeniedException("%s may not make requests to %s on behalf of others.", service.ARN, svc.Name)
	}
	c, err := p.Forward(r.Context(), &service, f)
	if err != nil {
		return service, err
	}
	return c, nil
}

// endpointKey is where a connection's context has the endpoint that it came through.
type endpointKey struct{}

// WithEndpoint marks all requests under ctx as coming through a VPC endpoint.
func WithEndpoint(ctx context.Context, e *authz.Endpoint) context.Context {
	return context.WithValue(ctx, endpointKey{}, e)
}

func endpoint(ctx context.Context) *authz.Endpoint {
	e, _ := ctx.Value(endpointKey{}).(*authz.Endpoint)
	return e
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
	defer rescue(&err)
	return op.serve(ctx, c, decode)
}

// rescue makes a panic an error.
func rescue(err *error) {
	if bug := recover(); bug != nil {
		*err = fmt.Errorf("service: panic: %v\n%s", bug, debug.Stack())
	}
}

func (p *Pipeline) checkScope(s sigv4.Signed, svc *entry) error {
	if s.Service != svc.Name {
		return api.InvalidSignatureException("Credential should be scoped to correct service: '%s'.", svc.Name)
	}
	// A Region's name becomes part of storage keys, so a server of any Region still looks at its form.
	if !arn.IsRegion(s.Region) || p.regions != nil && !p.regions[s.Region] && !svc.Global {
		return api.InvalidSignatureException("Credential should be scoped to a valid region.")
	}
	return nil
}

func unknown(svc *entry, operation string) error {
	if slices.ContainsFunc(svc.API, func(o api.OperationInfo) bool { return o.Name == operation }) {
		return api.NewError("UnsupportedOperationException", http.StatusBadRequest,
			"%s is not built in this version of Trent; docs/compatibility.md lists what is.", operation)
	}
	if q, ok := svc.Protocol.(wire.Query); ok && len(operation) <= 128 {
		return api.UnknownOperationException("Could not find operation %s for version %s", operation, q.Version)
	}
	return api.UnknownOperationException("")
}

// begin writes into the call's event what is known before the operation runs.
func begin(c *Call, r *http.Request, svc *entry, op *Operation) {
	e := c.Event
	e.Time, e.Source, e.Name, e.Region, e.RequestID, e.ReadOnly = c.Now, svc.Source, op.Name, c.Region, c.RequestID, op.ReadOnly
	e.Caller, e.Account, e.SourceIP, e.UserAgent = c.Caller, c.Caller.Account, c.request.SourceIP, c.request.UserAgent
	if c.request.Endpoint != nil {
		e.EndpointID = c.request.Endpoint.ID
	}
	if r.TLS != nil {
		e.TLS = &audit.TLSDetails{Version: wire.TLSVersion(r.TLS), CipherSuite: wire.CipherSuite(r.TLS), HostHeader: r.Host}
	}
}

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}

// resume lets nothing happen that could not be written down: after a record could not be written, every call first
// writes one that says so, and is refused if it cannot.
func (p *Pipeline) resume(ctx context.Context, c *Call) error {
	if !p.unrecorded.Load() {
		return nil
	}
	err := p.Audit(context.WithoutCancel(ctx), &audit.Event{
		Time: c.Now, Source: "trent", Name: "ResumeAudit", Region: c.Region, Account: c.Caller.Account,
		EventType: audit.ServiceEvent, RequestID: c.RequestID,
	})
	if err != nil {
		return fmt.Errorf("service: refused, because it could not be recorded: %w", err)
	}
	p.unrecorded.Store(false)
	return nil
}

// record writes the audit record of a call that has ended one way or the other. An error has the code that the caller gets.
func (p *Pipeline) record(ctx context.Context, protocol wire.Protocol, c *Call, out api.Output, err error) (api.Output, error) {
	// Of an unsigned request it is known only now who has made it; a service's own resource may be in any account.
	c.Event.Caller, c.Event.Account = c.Caller, cmp.Or(c.Caller.Account, c.Event.Account)
	if err != nil {
		e := api.From(err)
		c.Event.ErrorCode, c.Event.ErrorMessage = protocol.Code(e), e.Message
		c.Event.ResponseElements = nil
	}
	if c.Caller.Type == caller.WebIdentity && c.Caller.UserID == "" && err != nil {
		// Nobody vouched for who has sent it. Like a request with a bad signature, it does not get to fill the log.
		return out, err
	}
	if auditErr := p.Audit(context.WithoutCancel(ctx), c.Event); auditErr != nil {
		p.unrecorded.Store(true)
		return nil, errors.Join(errors.New("service: audit record not written"), auditErr)
	}
	return out, err
}
