package authz

import (
	"context"
	"sync"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// Layer is a kind of policy that has a say.
type Layer uint8

// The layers, in the order in which AWS names the one that denies.
const (
	NoLayer         Layer = iota
	ServiceControl        // SCPs of the caller's account
	ResourceControl       // RCPs of the resource's account
	VPCEndpoint           // the policy of the endpoint that the request came through
	Resource              // the resource's own policy
	IdentityBased         // policies of the user, its groups, the role
	Boundary              // the permissions boundary
	SessionBased          // session policies
	Granted               // a grant; it allows only
)

// Decision says how an access was decided.
type Decision struct {
	Allowed  bool
	Explicit bool  // a statement denies; else nothing allows
	Layer    Layer // that denies, that lacks an allow, or that allows
	// Policy is the name of the policy that decided, where the layer has several; Statement its statement's index, -1 for none.
	Policy    string
	Statement int
	Grant     string // id of the grant that allows
}

// Authorizer decides. Safe for concurrent use.
type Authorizer struct {
	Directory Directory
	pool      sync.Pool // of *evaluation
}

// New returns an Authorizer that looks callers up in d.
func New(d Directory) *Authorizer {
	return &Authorizer{Directory: d, pool: sync.Pool{New: func() any { return new(evaluation) }}}
}

// Authorize decides every access of a call, in order, and appends the decisions to made. The error is the first denial's
// AccessDeniedException in AWS's words, or says that deciding failed. r.Identity is filled in.
func (a *Authorizer) Authorize(ctx context.Context, r *Request, accesses []Access, made []Decision) ([]Decision, error) {
	if len(accesses) == 0 {
		return made, nil
	}
	member, err := a.identify(ctx, r)
	if err != nil {
		return made, err
	}
	for i := range accesses {
		d, err := a.decide(ctx, r, member, &accesses[i])
		if err != nil {
			return made, err
		}
		if made = append(made, d); !d.Allowed {
			return made, a.refusal(ctx, r, member, &accesses[i], d)
		}
	}
	return made, nil
}

// identify finds out who the caller is to its account and to its organization.
func (a *Authorizer) identify(ctx context.Context, r *Request) (member *Membership, err error) {
	if r.Identity, err = a.Directory.Identity(ctx, r.Caller); err != nil || r.Caller.Account == "" {
		return nil, err
	}
	member, err = a.Directory.Membership(ctx, r.Caller.Account)
	if err == nil && member != nil && member.Suspended {
		err = api.AccessDeniedException("The account %s is suspended.", r.Caller.Account)
	}
	return member, err
}

func (a *Authorizer) decide(ctx context.Context, r *Request, member *Membership, x *Access) (Decision, error) {
	e, err := a.evaluation(ctx, r, member, x)
	if err != nil {
		return Decision{}, err
	}
	defer a.release(e)
	return e.decide(ctx)
}

// evaluation is one access on its way to a decision. It answers for all condition keys.
type evaluation struct {
	*Request
	access    *Access
	member    *Membership // of the caller's account
	owner     *Membership // of the resource's account
	source    *Membership // of the account for whose resource a service acts
	principal policy.Principal
	request   policy.Request
	says      opinions
	paths     [3]string // memory of Lookup: the caller's place in its organization, the resource's, the source's
}

// opinions is what the layers say.
type opinions struct {
	service, resourceControl, endpoint opinion
	resource                           policy.Result
	identity, boundary, session        opinion
}

// opinion is what the policies of one layer say.
type opinion struct {
	allowed, denied bool
	policy          string // whose statement allows, or denies
	statement       int
}

// noObjection is the opinion of a layer that does not limit.
var noObjection = opinion{allowed: true, statement: -1}

func (a *Authorizer) evaluation(ctx context.Context, r *Request, member *Membership, x *Access) (*evaluation, error) {
	owner := member
	if x.Account != r.Caller.Account {
		var err error
		if owner, err = a.Directory.Membership(ctx, x.Account); err != nil {
			return nil, err
		}
	}
	source, err := a.source(ctx, r.Caller, x, owner)
	if err != nil {
		return nil, err
	}
	e := a.pool.Get().(*evaluation)
	e.Request, e.access, e.member, e.owner, e.source, e.principal = r, x, member, owner, source, principal(r)
	e.request = policy.Request{Action: x.Action, Resource: x.Resource, Principal: &e.principal, Context: e}
	return e, nil
}

// source is the place of the account for whose resource a service acts; nil if it acts for none.
func (a *Authorizer) source(ctx context.Context, c *caller.Caller, x *Access, owner *Membership) (*Membership, error) {
	switch {
	case c.Type != caller.Service || c.SourceAccount == "":
		return nil, nil
	case c.SourceAccount == x.Account:
		return owner, nil
	}
	return a.Directory.Membership(ctx, c.SourceAccount)
}

// principal is the caller as policies see it.
func principal(r *Request) policy.Principal {
	p := r.Caller.Principal()
	p.Bounded = r.Identity != nil && r.Identity.Boundary != nil
	return p
}

func (a *Authorizer) release(e *evaluation) {
	*e = evaluation{}
	a.pool.Put(e)
}

func (e *evaluation) decide(ctx context.Context) (Decision, error) {
	e.listen()
	if d, denies := e.denial(); denies {
		return d, nil
	}
	if d, lacks := e.uncontrolled(); lacks {
		return d, nil
	}
	d := e.permission()
	if d.Allowed || e.access.Grants == nil || e.closed() {
		return d, nil
	}
	g, err := e.access.Grants.Grant(ctx)
	if err != nil || g.By == policy.None {
		return d, err
	}
	return e.granted(g), nil
}

// listen asks every layer.
func (e *evaluation) listen() {
	s := &e.says
	s.service, s.resourceControl, s.endpoint = noObjection, noObjection, noObjection
	s.boundary, s.session = noObjection, noObjection
	if e.bindsCaller() {
		s.service = e.every(e.member.Services)
	}
	if e.bindsResource() {
		s.resourceControl = e.every(e.owner.Resources)
	}
	if e.Endpoint != nil && e.Endpoint.Policy != nil {
		s.endpoint = e.ask(Attached{Policy: e.Endpoint.Policy}, opinion{})
	}
	if e.access.Policy != nil {
		s.resource = e.access.Policy.Evaluate(&e.request)
	}
	e.listenToIdentity()
}

// listenToIdentity asks the policies that are the caller's own.
func (e *evaluation) listenToIdentity() {
	s, id := &e.says, e.Identity
	s.identity = opinion{statement: -1}
	if id != nil {
		s.identity = e.any(id.Policies)
		if id.Boundary != nil {
			s.boundary = e.ask(*id.Boundary, opinion{statement: -1})
		}
	}
	if e.Caller.Limited() {
		s.session = opinion{statement: -1}
		if id != nil {
			s.session = e.any(id.Session)
		}
		if p := e.Caller.Session.Policy; p != nil {
			s.session = e.ask(Attached{Policy: p}, s.session)
		}
	}
	if e.isRoot() {
		// What is given to an account is its root user's, without any policy.
		s.identity = noObjection
	}
	if e.Caller.Type == caller.Federated && !e.Caller.Limited() {
		// A federated user without session policies has none of its user's permissions (IAM User Guide,
		// "Permissions for GetFederationToken").
		s.identity.allowed = false
	}
}

// isRoot says that the caller is an account's root user, or acts on its behalf.
func (e *evaluation) isRoot() bool {
	c := e.Caller
	return c.Type == caller.Root || c.Type == caller.Federated && c.Source == caller.RootARN(c.Account)
}

// bindsCaller says whether service control policies bind the caller. They bind an account's root user too, but neither
// the management account, nor services, nor who comes from outside.
func (e *evaluation) bindsCaller() bool {
	if e.member == nil || e.member.Management || e.member.Services == nil {
		return false
	}
	return e.Caller.Type != caller.Service && e.Caller.Type != caller.WebIdentity
}

// bindsResource says whether resource control policies apply. RetireGrant is not theirs to control (KMS Developer
// Guide, "Resource control policies").
func (e *evaluation) bindsResource() bool {
	return e.owner != nil && !e.owner.Management && e.owner.Resources != nil && e.access.Policy != nil && !e.access.Managed &&
		e.access.Action != "kms:RetireGrant"
}

// ask adds what one policy says to an opinion.
func (e *evaluation) ask(a Attached, so opinion) opinion {
	if so.denied {
		return so
	}
	r := a.Evaluate(&e.request)
	if n, ok := r.Denied(); ok {
		return opinion{denied: true, policy: a.Name, statement: n}
	}
	if n, _, ok := r.Allowed(); ok && !so.allowed {
		return opinion{allowed: true, policy: a.Name, statement: n}
	}
	return so
}

// any is the opinion of policies of which one must allow, and none deny.
func (e *evaluation) any(policies []Attached) opinion {
	so := opinion{statement: -1}
	for i := range policies {
		so = e.ask(policies[i], so)
	}
	return so
}

// every is the opinion of levels, each of which must allow.
func (e *evaluation) every(levels [][]Attached) opinion {
	all := noObjection
	for _, level := range levels {
		one := e.any(level)
		if one.denied {
			return one
		}
		if !one.allowed {
			all.allowed = false
		}
	}
	return all
}

// denial looks for a statement that denies.
func (e *evaluation) denial() (Decision, bool) {
	s := &e.says
	for _, l := range [...]struct {
		layer Layer
		says  *opinion
	}{{ServiceControl, &s.service}, {ResourceControl, &s.resourceControl}, {VPCEndpoint, &s.endpoint}} {
		if l.says.denied {
			return l.says.denial(l.layer), true
		}
	}
	if n, ok := s.resource.Denied(); ok {
		return Decision{Explicit: true, Layer: Resource, Statement: n}, true
	}
	for _, l := range [...]struct {
		layer Layer
		says  *opinion
	}{{IdentityBased, &s.identity}, {Boundary, &s.boundary}, {SessionBased, &s.session}} {
		if l.says.denied {
			return l.says.denial(l.layer), true
		}
	}
	return Decision{}, false
}

func (o *opinion) denial(l Layer) Decision {
	return Decision{Explicit: true, Layer: l, Policy: o.policy, Statement: o.statement}
}

// uncontrolled looks for a control that lets nothing through.
func (e *evaluation) uncontrolled() (Decision, bool) {
	switch s := &e.says; {
	case !s.resourceControl.allowed:
		return lacks(ResourceControl), true
	case !s.service.allowed:
		return lacks(ServiceControl), true
	case !s.endpoint.allowed:
		return lacks(VPCEndpoint), true
	}
	return Decision{}, false
}

// lacks is the denial by a layer in which nothing allows.
func lacks(l Layer) Decision { return Decision{Layer: l, Statement: -1} }

func (e *evaluation) own() bool { return e.access.Account == e.Caller.Account }

// closed says that the resource is out of the caller's reach, whatever policies and grants say.
func (e *evaluation) closed() bool { return e.access.Missing || e.access.Local && !e.own() }

// permission decides by the resource's own policy and the caller's.
func (e *evaluation) permission() Decision {
	own := e.own()
	switch {
	case e.closed(), !own && e.access.Policy == nil:
		return lacks(Resource)
	case e.access.Policy == nil:
		return e.delegated(-1)
	}
	missing := lacks(Resource)
	for by := policy.ByCaller; by >= policy.ByAccount; by-- {
		n, ok := e.says.resource.AllowedBy(by)
		if !ok {
			continue
		}
		d := e.resourceAllows(by, n, own)
		if d.Allowed {
			return d
		}
		missing = d
	}
	return missing
}

// resourceAllows decides when the resource's side allows, by a policy or by a grant. The caller's own policies decide if
// only its account is named, and whenever the resource is another account's.
func (e *evaluation) resourceAllows(by policy.Match, statement int, own bool) Decision {
	switch {
	case e.Caller.Account == "": // a service: there are no policies of its own
		return Decision{Allowed: by == policy.ByCaller || by == policy.ByEveryone, Layer: Resource, Statement: statement}
	case !own || by == policy.ByAccount:
		return e.delegated(statement)
	case by == policy.ByUser && !e.Caller.Limited():
		// What its user is given goes to a federated user as far as session policies allow it (IAM User Guide,
		// "Permissions for GetFederationToken").
		return lacks(SessionBased)
	case by == policy.ByRole || by == policy.ByUser:
		if d, limits := e.limits(); limits {
			return d
		}
	}
	return Decision{Allowed: true, Layer: Resource, Statement: statement}
}

// delegated decides by the caller's own policies. statement is the one of the resource's policy that leaves it to them.
func (e *evaluation) delegated(statement int) Decision {
	id := &e.says.identity
	if !id.allowed {
		return lacks(IdentityBased)
	}
	if d, limits := e.limits(); limits {
		return d
	}
	if id.policy == "" && e.access.Policy != nil { // a root user: the account's permissions are its own
		return Decision{Allowed: true, Layer: Resource, Statement: statement}
	}
	return Decision{Allowed: true, Layer: IdentityBased, Policy: id.policy, Statement: id.statement}
}

// limits says whether the boundary or the session's policies let nothing through.
func (e *evaluation) limits() (Decision, bool) {
	switch s := &e.says; {
	case !s.boundary.allowed:
		return lacks(Boundary), true
	case !s.session.allowed:
		return lacks(SessionBased), true
	}
	return Decision{}, false
}

// granted decides when a grant stands for the resource's policy.
func (e *evaluation) granted(g Grant) Decision {
	d := e.resourceAllows(g.By, -1, e.own())
	if d.Allowed {
		d.Layer, d.Policy, d.Statement, d.Grant = Granted, "", -1, g.ID
	}
	return d
}

// Says returns what one policy says of an access, whatever the others say. It is for policies that are not in force yet.
func Says(r *Request, x *Access, p *policy.Policy) policy.Result {
	return p.Evaluate(seen(r, x))
}

// Matching returns the indexes of a policy's statements with an effect that match an access.
func Matching(r *Request, x *Access, p *policy.Policy, effect policy.Effect) []int {
	return p.Matching(seen(r, x), effect)
}

// seen is an access as one policy sees it.
func seen(r *Request, x *Access) *policy.Request {
	e := &evaluation{Request: r, access: x, principal: principal(r)}
	e.request = policy.Request{Action: x.Action, Resource: x.Resource, Principal: &e.principal, Context: e}
	return &e.request
}

// Says is the function Says for a caller who is looked up.
func (a *Authorizer) Says(ctx context.Context, r *Request, x *Access, p *policy.Policy) (policy.Result, error) {
	member, err := a.identify(ctx, r)
	if err != nil {
		return policy.Result{}, err
	}
	e, err := a.evaluation(ctx, r, member, x)
	if err != nil {
		return policy.Result{}, err
	}
	defer a.release(e)
	return p.Evaluate(&e.request), nil
}
