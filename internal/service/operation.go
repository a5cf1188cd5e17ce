// Package service is the way of one request, the same for every service of the listener: who signed, what is asked,
// which resources, may they, do it, write it down, answer.
//
// A service is a table of operations; an operation is a Row: the few lines that are its own. pipeline.go has the way
// itself.
package service

import (
	"context"
	"errors"
	"time"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// Call is one authenticated request on its way. It lasts until the answer is made, and nobody may keep it or its Event.
type Call struct {
	Caller    caller.Caller
	Region    string // the Region that the signature names, one that this server serves
	RequestID string
	Operation string
	DryRun    bool      // nothing may change, and nothing may come into being
	Now       time.Time // domain time, read once, so that a request happens at one moment
	Event     *audit.Event
	Input     api.Input // the request, decoded
	Target    any       // what Resolve has found

	authorizer *authz.Authorizer
	request    authz.Request // the call as authz sees it, but for the caller
	decisions  []authz.Decision
}

// authorize decides, and writes down what was decided, whatever it was.
func (c *Call) authorize(ctx context.Context, accesses []authz.Access) (err error) {
	c.request.Caller, c.request.Now, c.request.Region = &c.Caller, c.Now, c.Region
	c.decisions, err = c.authorizer.Authorize(ctx, &c.request, accesses, c.decisions[:0])
	c.Event.Authorization = appendDecisions(c.Event.Authorization[:0], accesses, c.decisions)
	return err
}

// Says returns what a policy that is not in force yet would say of an access by this call's caller.
func (c *Call) Says(ctx context.Context, p *policy.Policy, x authz.Access) (policy.Result, error) {
	r := c.request
	r.Caller, r.Now, r.Region = &c.Caller, c.Now, c.Region
	if c.authorizer == nil { // a call that nobody has sent
		return authz.Says(&r, &x, p), nil
	}
	return c.authorizer.Says(ctx, &r, &x, p)
}

// Target is what an operation acts on, resolved before anything is decided.
type Target interface {
	// Access lists everything the caller must be allowed. It is evaluated before Row.Check and Row.Handle.
	Access(c *Call) []authz.Access
}

// Row describes an operation. In is the request's type, Out the answer's, T what it acts on.
//
// The steps run in the order of the fields. When one of them fails with store.ErrConflict, somebody else changed what
// was read: all of them run again, from Resolve, so that every decision is taken on what the commit is checked against.
// A step must therefore change nothing but by its last act, a commit.
type Row[In, Out any, T Target] struct {
	Name string
	// ReadOnly is what audit records say of the operation.
	ReadOnly bool
	// Unsigned lets requests in without a signature: Resolve then has to find out who is asking, and set Call.Caller.
	Unsigned bool
	// Resolve finds what the request names.
	Resolve func(ctx context.Context, c *Call, in *In) (T, error)
	// Check refuses what the target's type or state does not allow. Optional. The call has been authorized by then.
	Check func(ctx context.Context, c *Call, in *In, t T) error
	// Handle does it.
	Handle func(ctx context.Context, c *Call, in *In, t T) (*Out, error)
	// LogAnswer returns what the audit record shows as responseElements, as JSON. Optional; without it, null.
	LogAnswer func(out *Out, t T) []byte
}

// Operation is a row made ready to serve.
type Operation struct {
	Name     string
	ReadOnly bool
	Unsigned bool
	serve    func(ctx context.Context, c *Call, decode func(api.Input) error) (api.Output, error)
}

// maxAttempts bounds how often an operation starts again after a conflict. Each round of conflicts lets at least one
// writer through, so only a storm of more writers than this on one record ends in an error.
const maxAttempts = 128

// Define makes an Operation of a row.
func Define[In, Out any, T Target, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](r Row[In, Out, T]) Operation {
	attempt := func(ctx context.Context, c *Call, in *In) (*Out, error) {
		t, err := r.Resolve(ctx, c, in)
		if err != nil {
			return nil, err
		}
		c.Target = t
		if err := c.authorize(ctx, t.Access(c)); err != nil {
			return nil, err
		}
		if r.Check != nil {
			if err := r.Check(ctx, c, in, t); err != nil {
				return nil, err
			}
		}
		out, err := r.Handle(ctx, c, in, t)
		if err == nil && r.LogAnswer != nil {
			c.Event.ResponseElements = r.LogAnswer(out, t)
		}
		return out, err
	}
	serve := func(ctx context.Context, c *Call, decode func(api.Input) error) (api.Output, error) {
		in := PIn(new(In))
		if err := decode(in); err != nil {
			return nil, err
		}
		c.Input, c.DryRun = in, in.Common().DryRun
		// Handlers fill in defaults, so the parameters are written down at the end.
		defer func() { c.Event.RequestParameters = in.AppendAudit(c.Event.RequestParameters[:0]) }()
		if err := api.Check(in); err != nil {
			return nil, err
		}
		sent := *in // handlers fill in defaults, and the next attempt must not take them for what was sent
		for range maxAttempts {
			*in = sent
			out, err := attempt(ctx, c, (*In)(in))
			switch {
			case err == nil:
				return POut(out), nil
			case !errors.Is(err, store.ErrConflict):
				return nil, err
			}
			c.Event.Resources, c.Event.AdditionalEventData = c.Event.Resources[:0], nil
			c.Event.Authorization, c.Event.Defaults = c.Event.Authorization[:0], nil
		}
		return nil, errors.New("service: too many conflicting changes")
	}
	return Operation{Name: r.Name, ReadOnly: r.ReadOnly, Unsigned: r.Unsigned, serve: serve}
}

// Own is the target of operations that act on no resource but on the caller's account itself.
type Own struct{ Action string }

// Access is the action on "*" in the caller's own account.
func (o Own) Access(c *Call) []authz.Access {
	return []authz.Access{{Action: o.Action, Resource: "*", Account: c.Caller.Account}}
}

// NoResource returns a Resolve step for such operations.
func NoResource[In any](action string) func(context.Context, *Call, *In) (Own, error) {
	return func(context.Context, *Call, *In) (Own, error) { return Own{action}, nil }
}
