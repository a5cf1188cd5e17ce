package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

// Decisions is what explaining and rehearsing decisions needs of the services that have principals and resources. Nothing in
// it changes anything.
type Decisions struct {
	Explainer *authz.Explainer
	// Log is the audit log of this server.
	Log audit.Reader
	// Caller returns who made a recorded call. issued finds the record of the call that gave out temporary credentials.
	// unknown says in sentences what the log does not tell.
	Caller func(ctx context.Context, r *audit.Record, issued func(context.Context, string) (*audit.Record, error)) (c caller.Caller, unknown []string, err error)
	// Recall has, for each eventSource, what returns the accesses of a recorded call, in the order of its decisions, with the
	// resources as they are now.
	Recall map[string]func(context.Context, *service.Call, *audit.Record) (accesses []authz.Access, unknown []string, err error)
	// Endpoint returns the VPC endpoint with an id, or nil.
	Endpoint func(id string) *authz.Endpoint

	// KeyARN returns the ARN and the account of a key by any of its identifiers.
	KeyARN func(ctx context.Context, c *service.Call, id string) (arn, account string, err error)
	// Suppose returns the access of an action of KMS in a request that nobody has made. open takes the constraints of grants
	// as met.
	Suppose func(ctx context.Context, c *service.Call, action, resource string, open bool) (authz.Access, error)
	// Named returns the principals that a key's policy and its grants for an action name, having looked at no more grants than
	// limit.
	Named func(ctx context.Context, keyARN, action string, limit int) (names []string, more bool, err error)
	// Principal returns a principal as the caller of a request that it has not made; ok is false if there is none.
	Principal func(ctx context.Context, arn string) (c caller.Caller, ok bool, err error)
	// EachPrincipal does so for the users and roles of an account, until f returns false.
	EachPrincipal func(ctx context.Context, account string, f func(caller.Caller) bool) error
}

// maxThinking bounds how many calls search the audit log or try out policies at the same time.
const maxThinking = 2

// decisionOperations explain and rehearse decisions. Whoever is allowed them sees what concerns its own account; the
// administrators of the deployment see everything.
func (s *Service) decisionOperations() []service.Operation {
	return []service.Operation{
		defineDecision("ExplainDecision", s.explainDecision), defineDecision("LintPolicy", s.lintPolicy),
		defineDecision("ReplayPolicy", s.replayPolicy), defineDecision("SimulatePolicy", s.simulatePolicy),
		defineDecision("WhoCan", s.whoCan),
	}
}

// defineDecision makes the row of an operation on the caller's own account.
func defineDecision[In, Out any, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](name string, handle func(context.Context, *service.Call, *In) (*Out, error)) service.Operation {
	return service.Define[In, Out, service.Own, PIn, POut](service.Row[In, Out, service.Own]{
		Name: name, ReadOnly: true, Resolve: service.NoResource[In]("trent:" + name),
		Handle: func(ctx context.Context, c *service.Call, in *In, _ service.Own) (*Out, error) {
			return handle(ctx, c, in)
		},
	})
}

// administers says whether a caller may see every account's decisions.
func (s *Service) administers(c *service.Call) bool {
	return s.Account == "" || s.Account == c.Caller.Account
}

// think waits for a turn at what takes long: one for each account, so that none takes the turns of all others.
func (s *Service) think(ctx context.Context, c *service.Call) (done func(), err error) {
	own, _ := s.queues.LoadOrStore(c.Caller.Account, make(chan struct{}, 1))
	queue := own.(chan struct{})
	select {
	case queue <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case s.thinking <- struct{}{}:
		return func() { <-s.thinking; <-queue }, nil
	case <-ctx.Done():
		<-queue
		return nil, ctx.Err()
	}
}

// ExplainedCall is the answer of ExplainDecision, as JSON.
type ExplainedCall struct {
	RequestID string    `json:"requestId"`
	Time      time.Time `json:"time"`
	Principal string    `json:"principal"`
	Service   string    `json:"service"` // kms.amazonaws.com
	Operation string    `json:"operation"`
	Region    string    `json:"region"`
	// ErrorCode and Message are those that the caller got.
	ErrorCode string `json:"errorCode,omitzero"`
	Message   string `json:"errorMessage,omitzero"`
	// Recorded is how the call was decided when it was made, and Decisions how it would be now, in the same order: all that it
	// needs, also what was not decided any more because something before was denied.
	Recorded  []audit.Authorized   `json:"recorded"`
	Decisions []*authz.Explanation `json:"decisions"`
	// Changes is the smallest set of changes that would allow the whole call, and Hint says why there is none.
	Changes []authz.Change `json:"changes,omitempty"`
	Hint    string         `json:"hint,omitzero"`
	// Changed says that the two differ: policies have changed since.
	Changed bool `json:"changed"`
	// Unknown says what the log does not tell, so that it could not be taken into account.
	Unknown []string `json:"unknown,omitempty"`
}

func (s *Service) explainDecision(ctx context.Context, c *service.Call, in *trentapi.ExplainDecisionRequest) (*trentapi.ExplainDecisionResponse, error) {
	done, err := s.think(ctx, c)
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := s.Decisions.Log.Find(ctx, *in.RequestId)
	if err != nil {
		return nil, err
	}
	if r == nil || !s.mayExplain(c, r) {
		return nil, api.NewError("NotFoundException", 400, "No call with the request id %s is in the audit log of this server.", *in.RequestId)
	}
	x, err := s.explained(ctx, r, s.viewer(c))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(x)
	return &trentapi.ExplainDecisionResponse{Trace: new(string(text))}, err
}

// viewer is the account that is told only what it may know, empty for the administrators.
func (s *Service) viewer(c *service.Call) string {
	if s.administers(c) {
		return ""
	}
	return c.Caller.Account
}

// mayExplain says whether a record concerns the caller's account: as the one who asked, or as the owner of what was asked for.
func (s *Service) mayExplain(c *service.Call, r *audit.Record) bool {
	account := c.Caller.Account
	return s.administers(c) || account != "" && (r.Account == account || r.Identity.AccountID == account ||
		slices.ContainsFunc(r.Authorized, func(d audit.Authorized) bool { return accountOf(d.Resource) == account }))
}

// explained decides a recorded call again, for a viewer's eyes, and says no more than an answer can hold.
func (s *Service) explained(ctx context.Context, r *audit.Record, viewer string) (*ExplainedCall, error) {
	out := &ExplainedCall{
		RequestID: r.RequestID, Time: r.Time, Principal: r.Identity.ARN, Service: r.Source, Operation: r.Name, Region: r.Region,
		ErrorCode: r.ErrorCode, Message: r.Message, Recorded: r.Authorized, Decisions: []*authz.Explanation{},
	}
	if out.Principal == "" {
		out.Principal = r.Identity.InvokedBy
	}
	if len(r.Authorized) == 0 {
		out.Recorded = []audit.Authorized{}
		out.Unknown = []string{"The call was not decided by policies: it ended before, or needs no permission."}
		return out, nil
	}
	questions, unknown, err := s.recall(ctx, r, s.Decisions.Log.Issued)
	if err != nil {
		return nil, err
	}
	out.Unknown = unknown
	for i := range questions {
		questions[i].Viewer = viewer
	}
	switch call, err := s.Decisions.Explainer.ExplainCall(ctx, questions); {
	case isGone(err):
		out.Unknown = append(out.Unknown, "The principal does not exist any more, so the call cannot be decided again.")
	case err != nil:
		return nil, err
	default:
		call.Bound(authz.MaxExplanationBytes)
		out.Decisions = append(out.Decisions, call.Decisions...)
		out.Changes, out.Hint = call.Changes, call.Hint
	}
	out.compare(viewer)
	return out, nil
}

// compare leaves of the decisions recorded what the viewer may know, and says whether those of now differ.
func (x *ExplainedCall) compare(viewer string) {
	for i := range x.Recorded {
		was := &x.Recorded[i]
		if i >= len(x.Decisions) {
			if viewer != "" && accountOf(was.Resource) != viewer {
				*was = audit.Authorized{Action: was.Action, Allowed: was.Allowed, Undecided: was.Undecided}
			}
			continue
		}
		now := x.Decisions[i]
		switch {
		case viewer == "":
		case now.Hidden() && !was.Allowed:
			*was = audit.Authorized{Action: was.Action, Resource: now.Resource, Layer: now.Decision.Layer, Undecided: was.Undecided}
		case now.Hides(was.Layer, viewer):
			was.Policy, was.Statement, was.Grant = "", nil, ""
			if !was.Allowed && !strings.Contains(x.Message, was.Layer) { // the caller was not told either
				was.Layer = authz.Resource.String()
			}
		}
		x.Changed = x.Changed || !was.Undecided && (was.Allowed != now.Allowed || was.Layer != now.Decision.Layer)
	}
}

// isGone says whether a decision failed because its principal was deleted.
func isGone(err error) bool {
	e, ok := errors.AsType[*api.Error](err)
	return ok && e.Code == "UnrecognizedClientException"
}

// recall makes the questions of a recorded call, one for each of its decisions.
func (s *Service) recall(ctx context.Context, r *audit.Record, issued func(context.Context, string) (*audit.Record, error)) ([]authz.Question, []string, error) {
	who, unknown, err := s.Decisions.Caller(ctx, r, issued)
	if err != nil {
		return nil, nil, err
	}
	c := &service.Call{Caller: who, Region: r.Region, RequestID: r.RequestID, Operation: r.Name, Now: r.Time, Event: new(audit.Event)}
	var accesses []authz.Access
	switch recall := s.Decisions.Recall[r.Source]; {
	case recall != nil:
		var more []string
		if accesses, more, err = recall(ctx, c, r); err != nil {
			return nil, nil, err
		}
		unknown = append(unknown, more...)
	case r.Source == source:
		accesses = s.ownAccesses(c, r)
	}
	if len(accesses) != len(r.Authorized) {
		return nil, append(unknown, "This version cannot tell any more what the call was about."), nil
	}
	request := &authz.Request{
		Caller: &c.Caller, Region: r.Region, Now: r.Time, SourceIP: r.SourceIP, UserAgent: r.UserAgent, TLS: r.TLS.Kind() == '{',
		Endpoint: s.endpoint(r.EndpointID),
	}
	questions := make([]authz.Question, len(accesses))
	for i := range accesses {
		questions[i] = authz.Question{Request: request, Access: &accesses[i]}
	}
	return questions, unknown, nil
}

// source is the eventSource of this package's own operations.
const source = "trent"

// ownAccesses are those of this package's own operations.
func (s *Service) ownAccesses(c *service.Call, r *audit.Record) []authz.Access {
	all := make([]authz.Access, len(r.Authorized))
	for i, d := range r.Authorized {
		all[i] = authz.Access{Action: d.Action, Resource: d.Resource, Account: c.Caller.Account}
		if !slices.ContainsFunc(s.decisionOperations(), func(o service.Operation) bool { return o.Name == r.Name }) {
			all[i] = deployment{s.Account}.Access(c)[0]
		}
	}
	return all
}

// endpoint is the VPC endpoint with an id as it is now. One that is gone has no policy.
func (s *Service) endpoint(id string) *authz.Endpoint {
	if id == "" {
		return nil
	}
	if s.Decisions.Endpoint != nil {
		if e := s.Decisions.Endpoint(id); e != nil {
			return e
		}
	}
	return &authz.Endpoint{ID: id}
}
