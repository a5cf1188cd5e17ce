package authz

import (
	"context"
	"sync"

	"github.com/trent-kms/trent/policy"
)

// Explainer says how decisions come about, and what would change a denial. It asks the same code that enforces, and tries
// every change that it suggests before it does. Safe for concurrent use.
type Explainer struct {
	Authorizer *Authorizer
	// ARNOf returns the ARN that the user or role with a unique id has now. Stored policies name them by id, and people
	// want to read, and give back, ARNs. nil leaves ids as they are.
	ARNOf func(ctx context.Context, id string) (arn string, exists bool, err error)
}

// Question is an access to be decided, and what is to be supposed of it.
type Question struct {
	Request *Request
	Access  *Access
	// Extra are identity policies that the caller is supposed to have as well.
	Extra []Attached
	// Outside leaves the caller's own side out: its account's policies are not looked at, and are supposed to allow.
	Outside bool
	// ResourceSide supposes that the caller's own side allows, whatever it says, and nothing is told of it.
	ResourceSide bool
	// Viewer is the account that asks, which is not told more of other accounts than it may know; empty for who may know all.
	Viewer string
}

// Explanation is how an access was decided: every layer, every policy, every statement, whether or not it mattered. Its
// members are in a fixed order, and so are its lists.
type Explanation struct {
	Principal string `json:"principal"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Allowed   bool   `json:"allowed"`
	// Rule says in a sentence what decided.
	Rule     string       `json:"rule"`
	Decision DecisionText `json:"decision"`
	Layers   []LayerTrace `json:"layers"`
	// Changes is the smallest set of changes that would allow what was denied: all of them are needed. It is empty for what is
	// allowed, and when no change of a policy helps, which Hint explains.
	Changes []Change `json:"changes,omitempty"`
	Hint    string   `json:"hint,omitzero"`
	// Truncated says that parts of the trace were left out to keep it small.
	Truncated bool `json:"truncated,omitzero"`

	account, owner string // of the caller, and of the resource
	hidden         bool   // it is explained as the caller was told, who gets nothing from the resource
}

// DecisionText is a Decision in words.
type DecisionText struct {
	Layer    string `json:"layer"`
	Explicit bool   `json:"explicit,omitzero"` // a statement denies
	Policy   string `json:"policy,omitzero"`
	// Statement is an index, -1 for none, and Sid its name.
	Statement int    `json:"statement"`
	Sid       string `json:"sid,omitzero"`
	Grant     string `json:"grant,omitzero"`
}

// everything is an identity policy that allows everything.
var everything = sync.OnceValues(func() (*policy.Policy, error) {
	return policy.Parse(policy.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
})

// Explain decides an access and says why.
func (x *Explainer) Explain(ctx context.Context, q Question) (*Explanation, error) {
	call, err := x.ExplainCall(ctx, []Question{q})
	if err != nil {
		return nil, err
	}
	out := call.Decisions[0]
	out.Changes, out.Hint = call.Changes, call.Hint
	return out, nil
}

// CallExplanation is how all accesses of one call were decided, which must all be allowed.
type CallExplanation struct {
	Decisions []*Explanation
	// Changes and Hint are those of an Explanation, for the whole call.
	Changes []Change
	Hint    string
}

// ExplainCall decides all accesses of a call and says why. The viewer of all is the same.
func (x *Explainer) ExplainCall(ctx context.Context, questions []Question) (*CallExplanation, error) {
	out := new(CallExplanation)
	var all []*evaluation
	denied := false
	for _, q := range questions {
		e, one, err := x.explain(ctx, q)
		if err != nil {
			return nil, err
		}
		all, out.Decisions = append(all, e), append(out.Decisions, one)
		denied = denied || !one.Allowed
	}
	if denied {
		var err error
		if out.Changes, out.Hint, err = x.changes(ctx, all); err != nil {
			return nil, err
		}
	}
	for i, q := range questions {
		if q.Viewer != "" {
			out.viewFrom(q.Viewer, out.Decisions[i])
		}
	}
	return out, nil
}

// explain decides an access and says why, but not what would change it.
func (x *Explainer) explain(ctx context.Context, q Question) (*evaluation, *Explanation, error) {
	e, err := x.evaluation(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	hidden, err := e.hiddenFrom(ctx, q.Viewer)
	if err != nil {
		return nil, nil, err
	}
	side, err := e.resourceSide(ctx, &q)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case hidden:
		e.access = new(e.access.unseen())
		e.request.Resource = e.access.Resource
	case side:
		if e, err = e.trusting(); err != nil {
			return nil, nil, err
		}
	}
	d, err := e.decide(ctx)
	if err != nil {
		return nil, nil, err
	}
	out := &Explanation{
		Principal: e.Caller.ARN, Action: e.access.Action, Resource: e.access.Resource, Allowed: d.Allowed,
		account: e.Caller.Account, owner: e.access.Account, hidden: hidden || side,
	}
	out.Decision = e.describe(d)
	out.Rule = e.rule(d, out.Decision)
	out.Layers, err = e.layers(ctx, d)
	return e, out, err
}

// hiddenFrom says whether an account is not to know that the resource exists: it is another's, which gives the caller nothing.
func (e *evaluation) hiddenFrom(ctx context.Context, viewer string) (bool, error) {
	if viewer == "" || viewer == e.access.Account {
		return false, nil
	}
	return e.hidden(ctx)
}

// resourceSide says whether only the resource's side is to be looked at: because the question wants it, or because the viewer is
// the owner of a resource that gives the caller of another account nothing. Who is refused so is told just that, and the owner
// does not find out, by giving the resource other tags, what the caller's policies say.
func (e *evaluation) resourceSide(ctx context.Context, q *Question) (bool, error) {
	if q.ResourceSide || q.Viewer == "" || q.Viewer == e.Caller.Account || q.Viewer != e.access.Account {
		return q.ResourceSide, nil
	}
	return e.hidden(ctx)
}

// trusting returns the evaluation as if the caller's own side allowed everything: its account's policies, its session's, and those
// of the endpoint. What it is called, and its tags, stay.
func (e *evaluation) trusting() (*evaluation, error) {
	all, err := everything()
	if err != nil {
		return nil, err
	}
	c := e.copy()
	id := &Identity{Policies: []Attached{{Name: "supposed", Policy: all}}}
	if e.Identity != nil {
		id.Tags = e.Identity.Tags
	}
	c.Identity = id
	if e.Caller.Session != nil {
		c.begin(all)
	}
	if e.member != nil {
		c.member = new(*e.member)
		c.member.Services = nil
	}
	if e.Endpoint != nil {
		c.Endpoint = new(*e.Endpoint)
		c.Endpoint.Policy = nil
	}
	c.principal = principal(c.Request)
	return c, nil
}

// Decide decides an access without saying why.
func (x *Explainer) Decide(ctx context.Context, q Question) (Decision, error) {
	e, err := x.evaluation(ctx, q)
	if err == nil && q.ResourceSide {
		e, err = e.trusting()
	}
	if err != nil {
		return Decision{}, err
	}
	return e.decide(ctx)
}

// evaluation is the question, ready to be decided.
func (x *Explainer) evaluation(ctx context.Context, q Question) (*evaluation, error) {
	r := *q.Request
	var member *Membership
	var err error
	if q.Outside {
		all, err := everything()
		if err != nil {
			return nil, err
		}
		r.Identity = &Identity{Policies: []Attached{{Name: "supposed", Policy: all}}}
	} else if member, err = x.Authorizer.identify(ctx, &r); err != nil {
		return nil, err
	}
	if len(q.Extra) > 0 && r.Identity != nil {
		id := *r.Identity
		id.Policies = append(id.Policies[:len(id.Policies):len(id.Policies)], q.Extra...)
		r.Identity = &id
	}
	return x.Authorizer.evaluation(ctx, &r, member, q.Access)
}

// copy returns an evaluation that can be changed and decided by itself.
func (e *evaluation) copy() *evaluation {
	c := &evaluation{Request: new(*e.Request), access: new(*e.access), member: e.member, owner: e.owner, source: e.source, principal: e.principal}
	c.request = e.request
	c.request.Principal, c.request.Context = &c.principal, c
	return c
}

// describe puts a decision into words.
func (e *evaluation) describe(d Decision) DecisionText {
	t := DecisionText{Layer: d.Layer.String(), Explicit: d.Explicit, Policy: d.Policy, Statement: d.Statement, Grant: d.Grant}
	if d.Statement < 0 {
		return t
	}
	for p := range e.policies() {
		if p.layer == d.Layer && p.name == d.Policy && p.document.Len() > d.Statement {
			t.Sid = p.document.Sid(d.Statement)
			break
		}
	}
	if t.Policy == "" && d.Layer == Resource {
		t.Policy = e.access.Resource
	}
	return t
}
