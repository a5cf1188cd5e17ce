package authz

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// Change is one document that would have to be another.
type Change struct {
	Layer string `json:"layer"`
	// Level is how far below the organization's root a control policy is to be attached.
	Level int `json:"level,omitzero"`
	// Policy names the document: the ARN of a managed policy, user/NAME/POLICY for one that lives in a user, the ARN of a
	// resource for its own policy. For a policy that is to be attached it is where to, and a name to give it.
	Policy string `json:"policy"`
	Edits  []Edit `json:"edits"`
	// Document is the whole new document. It is empty for a policy of which nothing is left, which is to be detached.
	Document string `json:"document"`
	// Hidden says that the document is another account's, whose administrator has to ask for an explanation.
	Hidden bool `json:"hidden,omitzero"`

	account string // whose document it is
}

// Edit is what happens to a document.
type Edit struct {
	Kind EditKind `json:"kind"`
	// Index is the statement that is changed, -1 for one that is added, which Statement holds.
	Index     int    `json:"index"`
	Statement string `json:"statement,omitzero"`
	// Text says it in words.
	Text string `json:"text"`
}

// EditKind is a kind of edit.
type EditKind string

// The kinds of edits.
const (
	AddStatement    EditKind = "add-statement"
	ExemptPrincipal EditKind = "exempt-principal"
	RemoveStatement EditKind = "remove-statement"
	// DropPrincipals takes names out that belong to nobody any more.
	DropPrincipals EditKind = "drop-principals"
	// Attach is a new policy, or a new boundary in the place of one that cannot be changed.
	Attach EditKind = "attach"
	// NewSession is a session that is begun anew with another session policy: one that runs cannot be changed.
	NewSession EditKind = "new-session"
)

// step is one edit of one document.
type step struct {
	kind      EditKind
	in        placed // the policy; without a document one that is to be attached
	statement int    // to exempt or to remove
	text      string // to add
}

// The texts of Hint.
const (
	hintMissing = "No change of a policy helps: the resource does not exist, or is none that another account can do this to."
	hintLocal   = "No change of a policy helps: only principals of the resource's own account can do this."
	hintNone    = "No single document to change was found that would allow it: what denies is not a policy that the account can change, or the policy would become too long."
)

// planned is a plan, and the access that it is for, as it was before.
type planned struct {
	plan
	at *evaluation
}

// maxRounds bounds how often a call's accesses are looked at. A change that allows one of them can deny another, when it
// begins a session that has fewer permissions.
const maxRounds = 4

// changes finds the changes that allow all accesses of a call.
func (x *Explainer) changes(ctx context.Context, all []*evaluation) ([]Change, string, error) {
	var made []planned
	for range maxRounds {
		settled := true
		for _, e := range all {
			e, err := x.after(ctx, e, made)
			if err != nil {
				return nil, "", err
			}
			switch d, err := e.decide(ctx); {
			case err != nil:
				return nil, "", err
			case d.Allowed:
				continue
			}
			p, hint, err := x.plan(ctx, e)
			if err != nil || hint != "" {
				return nil, hint, err
			}
			settled, made = false, append(made, p...)
		}
		if settled {
			changes, err := x.written(ctx, made)
			return changes, "", err
		}
	}
	return nil, hintNone, nil
}

// after is an evaluation as it would be under plans for accesses of the same call.
func (x *Explainer) after(ctx context.Context, e *evaluation, made []planned) (*evaluation, error) {
	for _, p := range made {
		changed, err := x.under(ctx, e, p.concerning(e.access))
		if err != nil {
			return nil, err
		}
		if changed != nil {
			e = changed
		}
	}
	return e, nil
}

// concerning is the part of a plan that concerns another access of the call: all but what is the resource's or its account's.
func (p *planned) concerning(x *Access) plan {
	var part plan
	for _, s := range p.steps {
		same := true
		switch s.in.layer {
		case Resource:
			same = x.Resource == p.at.access.Resource && x.Policy != nil
		case ResourceControl:
			same = x.Account == p.at.access.Account
		}
		if same {
			part.steps = append(part.steps, s)
		}
	}
	return part
}

// maxDenials bounds how many statements that deny a set of changes can mend. Each is an edit of a document.
const maxDenials = 32

// plan finds the smallest set of changes that allows what was denied, in up to two steps: first nothing may deny, then what lacks
// an allow gets one. Whatever it returns was tried: with all of it the access is allowed, and without any one of it not. hint
// says why there is none.
func (x *Explainer) plan(ctx context.Context, e *evaluation) (made []planned, hint string, err error) {
	own := e.own()
	switch {
	case e.access.Missing:
		return nil, hintMissing, nil
	case !own && (e.access.Local || e.access.Policy == nil):
		return nil, hintLocal, nil
	}
	denials, hint := e.denials()
	if hint != "" {
		return nil, hint, nil
	}
	if len(denials.steps) > 0 {
		made = []planned{{denials, e}}
		if e, err = x.under(ctx, e, denials); err != nil || e == nil {
			return nil, hintNone, err
		}
		if d, err := e.decide(ctx); err != nil || d.Allowed {
			return made, "", err
		}
	}
	rest, err := x.allowance(ctx, e, denials)
	if err != nil || rest.steps == nil {
		return nil, hintNone, err
	}
	return append(made, planned{rest, e}), "", nil
}

// allowance is the plan with the fewest new documents by which something allows. before is what changes already.
func (x *Explainer) allowance(ctx context.Context, e *evaluation, before plan) (best plan, err error) {
	options, err := e.options(ctx)
	if err != nil {
		return plan{}, err
	}
	always, fewest := e.controlled(before), 0
	for _, option := range options {
		if err := ctx.Err(); err != nil {
			return plan{}, err
		}
		p, ok := e.planned(always, option)
		if !ok || best.steps != nil && p.documents(before) >= fewest {
			continue
		}
		if p, err = x.tried(ctx, e, p); err != nil {
			return plan{}, err
		}
		if n := p.documents(before); p.steps != nil && (best.steps == nil || n < fewest) {
			best, fewest = p, n
		}
	}
	return best, nil
}

// plan is a set of steps.
type plan struct{ steps []step }

func (p *plan) add(s step) {
	same := func(o step) bool {
		return o.in.id() == s.in.id() && o.kind == s.kind && o.statement == s.statement && o.text == s.text
	}
	if !slices.ContainsFunc(p.steps, same) {
		p.steps = append(p.steps, s)
	}
}

// documents is how many documents change that do not change already.
func (p *plan) documents(before plan) int {
	ids := map[string]bool{}
	for _, s := range p.steps {
		if !before.touches(s.in.id()) {
			ids[s.in.id()] = true
		}
	}
	return len(ids)
}

func (p *plan) touches(id string) bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return s.in.id() == id })
}

// tried returns a plan without the steps that are not needed, or an empty one if it does not help. Steps only ever take
// denials away and add what allows, so what is left after each was tried once is as small as it gets.
func (x *Explainer) tried(ctx context.Context, e *evaluation, p plan) (plan, error) {
	if ok, err := x.helps(ctx, e, p); err != nil || !ok {
		return plan{}, err
	}
	for i := 0; i < len(p.steps); {
		without := plan{slices.Delete(slices.Clone(p.steps), i, i+1)}
		ok, err := x.helps(ctx, e, without)
		if err != nil {
			return plan{}, err
		}
		if ok {
			p = without
		} else {
			i++
		}
	}
	return p, nil
}

func (x *Explainer) helps(ctx context.Context, e *evaluation, p plan) (bool, error) {
	changed, err := x.under(ctx, e, p)
	if err != nil || changed == nil {
		return false, err
	}
	d, err := changed.decide(ctx)
	return d.Allowed, err
}

// denials is what is needed so that no statement denies: every one that does must spare the caller, or go.
func (e *evaluation) denials() (p plan, hint string) {
	kind := RemoveStatement
	if e.canBeExempted() {
		kind = ExemptPrincipal
	}
	for policy := range e.policies() {
		for _, s := range policy.document.Trace(&e.request) {
			if !s.Matched || s.Effect != "Deny" {
				continue
			}
			if e.fixed(policy) {
				return p, hintNone
			}
			p.add(step{kind: kind, in: policy, statement: s.Index})
		}
	}
	if len(p.steps) > maxDenials {
		return p, "More than " + strconv.Itoa(maxDenials) + " statements deny it, too many to say what should become of each."
	}
	return p, ""
}

// controlled is what is needed so that every control allows.
func (e *evaluation) controlled(before plan) plan {
	var p plan
	e.openControls(&p, before, ServiceControl, e.statement(policy.ServiceControl))
	e.openControls(&p, before, ResourceControl, fullAccess)
	if e.Endpoint != nil && e.Endpoint.Policy != nil && !e.layerAllows(VPCEndpoint) {
		p.add(step{kind: AddStatement, in: placed{layer: VPCEndpoint, document: e.Endpoint.Policy}, statement: -1, text: e.statement(policy.Endpoint)})
	}
	return p
}

// fixed says whether a policy cannot be changed by anybody here: it comes with AWS, belongs to a service, or is no document
// but a grant's own rule.
func (e *evaluation) fixed(p placed) bool {
	if p.layer == Resource {
		return e.access.Managed || e.access.Action == "kms:RetireGrant"
	}
	return strings.HasPrefix(p.name, "arn:aws:iam::aws:") || strings.HasPrefix(p.name, "arn:aws:organizations::aws:")
}

// canBeExempted says whether a statement that denies can spare the caller by its ARN.
func (e *evaluation) canBeExempted() bool {
	v, ok := e.request.Context.Lookup("aws:principalarn")
	return ok && !v.Multi && v.One == e.exempted()
}

// exempted is the caller as aws:PrincipalArn has it.
func (e *evaluation) exempted() string {
	v, _ := e.Lookup("aws:principalarn")
	return v.One
}

// openControls lets every level that allows nothing allow the access: in a policy that is there, one for as many levels as
// possible, or in a new one. Resource control policies cannot allow part of something, so for them it is AWS's own.
func (e *evaluation) openControls(p *plan, before plan, l Layer, statement string) {
	for n, level := range e.lacking(l) {
		best, most := placed{layer: l, level: n, name: "allow-" + actionName(e.access.Action)}, 0
		if l == ResourceControl {
			best.name = "RCPFullAWSAccess"
		} else {
			best, most = e.bestControl(p, before, n, level, best)
		}
		kind := AddStatement
		if most == 0 {
			kind = Attach
		}
		p.add(step{kind: kind, in: best, statement: -1, text: statement})
	}
}

// bestControl finds the policy of a level whose change opens most levels. One that changes already comes first.
func (e *evaluation) bestControl(p *plan, before plan, n int, level []Attached, best placed) (placed, int) {
	most := 0
	for _, a := range level {
		c := placed{ServiceControl, n, a.Name, a.Policy}
		if e.fixed(c) {
			continue
		}
		opens := 1
		for _, other := range e.lacking(ServiceControl) {
			if slices.ContainsFunc(other, func(o Attached) bool { return isARN(o.Name) && o.Name == a.Name }) {
				opens++
			}
		}
		if p.touches(c.id()) || before.touches(c.id()) {
			opens += 1000
		}
		if opens > most {
			best, most = c, opens
		}
	}
	return best, most
}

// option is a way to be allowed: what the resource's side needs, and whether the caller's own side has to agree.
type option struct {
	resource *step // nil: the resource's side allows already, or has no say
	// identity and limits say whether the caller's identity policies, and its boundary and session policies, must allow.
	identity, limits bool
}

// options are all ways to be allowed, those that leave the resource's policy as it is first.
func (e *evaluation) options(ctx context.Context) ([]option, error) {
	if e.access.Policy == nil {
		return []option{{identity: true, limits: true}}, nil
	}
	var all []option
	for by := policy.ByCaller; by >= policy.ByAccount; by-- {
		if _, ok := e.says.resource.AllowedBy(by); ok {
			all = e.appendOption(all, nil, by)
		}
	}
	if e.access.Grants != nil {
		g, err := e.access.Grants.Grant(ctx)
		if err != nil {
			return nil, err
		}
		if g.By != policy.None {
			all = e.appendOption(all, nil, g.By)
		}
	}
	if at := (placed{layer: Resource, document: e.access.Policy}); !e.fixed(at) {
		s := &step{kind: AddStatement, in: at, statement: -1, text: e.statement(e.access.Policy.Kind())}
		all = e.appendOption(all, s, e.namedBy())
	}
	return all, nil
}

// appendOption adds the way by which the resource's side names the caller. It is what resourceAllows asks for.
func (e *evaluation) appendOption(all []option, s *step, by policy.Match) []option {
	switch own := e.own(); {
	case e.Caller.Account == "" && by != policy.ByCaller && by != policy.ByEveryone:
		return all
	case e.Caller.Account == "":
		return append(all, option{resource: s})
	case !own || by == policy.ByAccount:
		return append(all, option{s, true, true})
	}
	return append(all, option{s, false, by == policy.ByRole || by == policy.ByUser})
}

// namedBy is how a new statement of a resource's policy names the caller (see principalElement).
func (e *evaluation) namedBy() policy.Match {
	switch e.Caller.Type {
	case caller.Root:
		return policy.ByAccount
	case caller.Role:
		return policy.ByRole
	}
	return policy.ByCaller
}

// planned is everything that an option needs.
func (e *evaluation) planned(always plan, o option) (plan, bool) {
	p := plan{slices.Clone(always.steps)}
	if o.resource != nil {
		p.add(*o.resource)
	}
	ok := true
	if o.identity {
		ok = e.openIdentity(&p)
	}
	if o.limits {
		e.openBoundary(&p)
		e.openSession(&p)
	}
	return p, ok && len(p.steps) > 0
}
