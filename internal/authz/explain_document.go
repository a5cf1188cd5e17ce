package authz

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// fullAccess is the only statement by which a resource control policy can allow, AWS's RCPFullAWSAccess.
const fullAccess = `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`

// statement is the narrowest statement that allows the access in a kind of policy.
func (e *evaluation) statement(kind policy.Kind) string {
	s := struct {
		Effect    string
		Principal map[string]string `json:",omitempty"`
		Action    string
		Resource  string `json:",omitempty"`
	}{Effect: string(policy.Allow), Action: e.access.Action, Resource: e.access.Resource}
	if hasPrincipals(kind) {
		s.Principal = e.principalElement()
	}
	switch kind {
	case policy.Key:
		s.Resource = "*" // the key that the policy belongs to
	case policy.Trust:
		s.Resource = ""
	}
	text, _ := json.Marshal(s, json.Deterministic(true)) // strings always encode
	return string(text)
}

// principalElement names the caller as narrowly as the language can for good: a role and not one session of it, whose name
// whoever begins the next one chooses.
func (e *evaluation) principalElement() map[string]string {
	c := e.Caller
	switch c.Type {
	case caller.Service:
		return map[string]string{"Service": c.ARN}
	case caller.WebIdentity:
		return map[string]string{"Federated": c.Source}
	case caller.Role:
		return map[string]string{"AWS": c.Source}
	}
	return map[string]string{"AWS": c.ARN}
}

// newBoundary names a boundary that takes the place of one that cannot be changed.
const newBoundary = "a new boundary"

// document is what a plan makes of a document.
type document struct {
	text    string         // empty: nothing is left of it
	policy  *policy.Policy // nil as well then
	dropped []string       // unique ids of principals that are gone: no document that names them is taken
}

// edited makes a plan's steps in one document. ok is false when that is no valid policy, or one that would be refused.
func (x *Explainer) edited(ctx context.Context, e *evaluation, id string, p plan) (d document, ok bool, err error) {
	var kind policy.Kind
	var remove []int
	for _, s := range p.steps {
		if s.in.id() != id {
			continue
		}
		if d.text == "" {
			if kind = kindOf(s.in); s.in.document != nil {
				if d.text, err = x.shown(ctx, s.in.document.Text(), kind); err != nil {
					return document{}, false, err
				}
			}
		}
		switch s.kind {
		case ExemptPrincipal:
			d.text, err = policy.ExemptPrincipal(d.text, s.statement, e.exempted())
		case RemoveStatement:
			remove = append(remove, s.statement)
		default:
			d.text, err = appended(d.text, s.text)
		}
		if err != nil {
			return document{}, false, nil
		}
	}
	if d, remove, ok, err = x.withoutGone(ctx, kind, d, remove); err != nil || !ok {
		return document{}, false, err
	}
	if d.text, ok = removed(d.text, kind, remove); !ok || d.text == "" {
		return d, ok, nil
	}
	if d.policy, err = policy.Parse(kind, d.text); err != nil {
		return document{}, false, nil
	}
	return d, e.fits(p, id, d.text), nil
}

// withoutGone drops the principals that do not exist any more, which only a document that is stored can name. Statements that
// are about nobody else are to be removed as well. ok is false if the document would say something else then.
func (x *Explainer) withoutGone(ctx context.Context, kind policy.Kind, d document, remove []int) (_ document, _ []int, ok bool, _ error) {
	if x.ARNOf == nil || !hasPrincipals(kind) {
		return d, remove, true, nil
	}
	var failed error
	text, empty, err := policy.DropPrincipals(d.text, func(kind, name string) bool {
		if kind != "AWS" || !isUniqueID(name) {
			return false
		}
		_, exists, err := x.ARNOf(ctx, name)
		if failed = errors.Join(failed, err); err == nil && !exists {
			if !slices.Contains(d.dropped, name) {
				d.dropped = append(d.dropped, name)
			}
			return true
		}
		return false
	})
	if failed != nil || err != nil {
		return d, remove, false, failed
	}
	d.text = text
	return d, append(remove, empty...), true, nil
}

// isUniqueID says whether a principal's name is the unique id of a user or a role.
func isUniqueID(name string) bool {
	return strings.HasPrefix(name, "AIDA") || strings.HasPrefix(name, "AROA")
}

// fits says whether the document with an id, as a plan makes it, is short enough to be kept.
func (e *evaluation) fits(p plan, id, text string) bool {
	i := slices.IndexFunc(p.steps, func(s step) bool { return s.in.id() == id })
	switch in := p.steps[i].in; in.layer {
	case Resource:
		return (kindOf(in) != policy.Key || len(text) <= policy.KeyBytes) && (kindOf(in) != policy.Trust || policy.Size(text) <= policy.TrustSize)
	case ServiceControl, ResourceControl:
		return utf8.RuneCountInString(text) <= policy.ControlCharacters
	case IdentityBased, Boundary:
		if in.layer == Boundary || isARN(in.name) || !strings.Contains(in.name, "/") { // a name without / is of a simulation
			return policy.Size(text) <= policy.ManagedSize
		}
		return e.room(in.name)+policy.Size(in.text()) >= policy.Size(text)
	}
	return true
}

// room is how much an inline policy can grow where it lives.
func (e *evaluation) room(name string) int {
	home := name[:strings.LastIndexByte(name, '/')+1]
	room := policy.UserSize
	switch {
	case strings.HasPrefix(home, "group/"):
		room = policy.GroupSize
	case strings.HasPrefix(home, "role/"):
		room = policy.RoleSize
	}
	for _, a := range e.Identity.Policies {
		if !isARN(a.Name) && strings.HasPrefix(a.Name, home) {
			room -= policy.Size(a.Text())
		}
	}
	return room
}

// kindOf is the kind of a policy, or of one that is to be attached.
func kindOf(p placed) policy.Kind {
	switch {
	case p.document != nil:
		return p.document.Kind()
	case p.layer == ServiceControl:
		return policy.ServiceControl
	case p.layer == ResourceControl:
		return policy.ResourceControl
	}
	return policy.Identity
}

// shown is a document with ARNs in the place of the unique ids of users and roles.
func (x *Explainer) shown(ctx context.Context, text string, kind policy.Kind) (string, error) {
	if x.ARNOf == nil || !hasPrincipals(kind) {
		return text, nil
	}
	var failed error
	shown, err := policy.RewritePrincipals(text, func(kind, name string) string {
		if kind != "AWS" || !isUniqueID(name) {
			return name
		}
		arn, exists, err := x.ARNOf(ctx, name)
		if err != nil {
			failed = err
		}
		if !exists {
			return name
		}
		return arn
	})
	if err != nil {
		return text, failed
	}
	return shown, failed
}

// appended adds a statement to a document, or makes one.
func appended(text, statement string) (string, error) {
	if text == "" {
		return `{"Version":"2012-10-17","Statement":[` + statement + `]}`, nil
	}
	return policy.AppendStatement(text, statement)
}

// removed takes statements out of a document, of which nothing may be left.
func removed(text string, kind policy.Kind, statements []int) (string, bool) {
	if len(statements) == 0 {
		return text, true
	}
	p, err := policy.Parse(kind, text)
	if err != nil {
		return "", false
	}
	var rest []string
	for i := range p.Len() {
		if !slices.Contains(statements, i) {
			rest = append(rest, p.Statement(i))
		}
	}
	if rest == nil {
		return "", true
	}
	var members struct {
		Version, Id string
	}
	if json.Unmarshal([]byte(text), &members) != nil {
		return "", false
	}
	head := "{"
	for _, m := range []struct{ name, value string }{{"Version", members.Version}, {"Id", members.Id}} {
		if m.value != "" {
			quoted, _ := jsontext.AppendQuote(nil, m.value)
			head += `"` + m.name + `":` + string(quoted) + ","
		}
	}
	return head + `"Statement":[` + strings.Join(rest, ",") + "]}", true
}

// under returns the evaluation as it would be under a plan, or nil if the plan makes a document that is not valid.
func (x *Explainer) under(ctx context.Context, e *evaluation, p plan) (*evaluation, error) {
	changed := make(map[string]document)
	c := e.copy()
	for _, s := range p.steps {
		id := s.in.id()
		if _, done := changed[id]; done {
			continue
		}
		d, ok, err := x.edited(ctx, e, id, p)
		if err != nil || !ok {
			return nil, err
		}
		changed[id] = d
	}
	c.replace(changed)
	for _, s := range p.steps {
		if d := changed[s.in.id()]; s.in.document == nil && d.policy != nil {
			c.attach(s.in, d.policy)
			delete(changed, s.in.id())
		}
	}
	return c, nil
}

// replace puts changed documents in the place of those that are there.
func (e *evaluation) replace(changed map[string]document) {
	list := func(l Layer, level int, all []Attached) []Attached {
		var kept []Attached
		for _, a := range all {
			if d, ok := changed[placed{layer: l, level: level, name: a.Name}.id()]; ok {
				a.Policy = d.policy
			}
			if a.Policy != nil {
				kept = append(kept, a)
			}
		}
		return kept
	}
	control := func(m *Membership, l Layer) *Membership {
		if m == nil {
			return nil
		}
		c := *m
		levels := &c.Services
		if l == ResourceControl {
			levels = &c.Resources
		}
		*levels = slices.Clone(*levels)
		for n := range *levels {
			(*levels)[n] = list(l, n, (*levels)[n])
		}
		return &c
	}
	e.member, e.owner = control(e.member, ServiceControl), control(e.owner, ResourceControl)
	if d, ok := changed[placed{layer: VPCEndpoint}.id()]; ok {
		before := e.Endpoint.Policy
		e.Endpoint = new(*e.Endpoint)
		if e.Endpoint.Policy = d.policy; d.policy == nil { // without a policy, everything would pass
			e.Endpoint.Policy = before.Emptied()
		}
	}
	if d, ok := changed[placed{layer: Resource}.id()]; ok {
		before := e.access.Policy
		if e.access.Policy = d.policy; d.policy == nil {
			e.access.Policy = before.Emptied()
		}
	}
	e.replacePersonal(changed, list)
}

func (e *evaluation) replacePersonal(changed map[string]document, list func(Layer, int, []Attached) []Attached) {
	if e.Identity != nil {
		id := *e.Identity
		id.Policies, id.Session = list(IdentityBased, 0, id.Policies), list(SessionBased, 0, id.Session)
		if b := id.Boundary; b != nil {
			for _, name := range []string{b.Name, newBoundary} {
				if d, ok := changed[placed{layer: Boundary, name: name}.id()]; ok {
					id.Boundary = &Attached{b.Name, d.policy}
				}
			}
		}
		e.Identity = &id
	}
	d, ok := changed[placed{layer: SessionBased}.id()]
	if session := e.Caller.Session; ok && session != nil && session.Policy != nil {
		e.begin(d.policy)
	}
}

// begin gives the caller another session, with another session policy.
func (e *evaluation) begin(p *policy.Policy) {
	c := *e.Caller
	session := caller.Session{}
	if c.Session != nil {
		session = *c.Session
	}
	session.Policy, session.Limited = p, true
	c.Session, e.Caller = &session, &c
}

// attach adds a new policy where a step wants it.
func (e *evaluation) attach(at placed, p *policy.Policy) {
	a := Attached{at.name, p}
	switch at.layer {
	case ServiceControl:
		e.member.Services[at.level] = append(e.member.Services[at.level], a)
	case ResourceControl:
		e.owner.Resources[at.level] = append(e.owner.Resources[at.level], a)
	case IdentityBased:
		e.Identity.Policies = append(e.Identity.Policies, a)
	case SessionBased:
		e.begin(p)
	}
}

// written is what was planned as it is handed out: each document once, as it is in the end.
func (x *Explainer) written(ctx context.Context, made []planned) ([]Change, error) {
	var all []Change
	done := map[string]int{}
	for _, p := range made {
		for _, s := range p.steps {
			account := p.at.accountOf(s.in.layer)
			id := account + " " + s.in.id() + " " + s.in.shown(p.at)
			at, ok := done[id]
			if !ok {
				at, done[id] = len(all), len(all)
				all = append(all, Change{Layer: s.in.layer.String(), Level: s.in.level, Policy: s.in.shown(p.at), account: account})
			}
			d, _, err := x.edited(ctx, p.at, s.in.id(), p.plan)
			if err != nil {
				return nil, err
			}
			if all[at].Document = d.text; !ok && d.dropped != nil {
				all[at].Edits = append(all[at].Edits, Edit{Kind: DropPrincipals, Index: -1, Text: "drop " + strings.Join(d.dropped, ", ") +
					", who do not exist any more: no policy that names them is taken"})
			}
			all[at].Edits = append(all[at].Edits, p.at.edit(s))
		}
	}
	return all, nil
}

// accountOf is the account whose administrators a layer's policies are for.
func (e *evaluation) accountOf(l Layer) string {
	if ownSide[l] {
		return e.Caller.Account
	}
	return e.access.Account
}

func (e *evaluation) edit(s step) Edit {
	out := Edit{Kind: s.kind, Index: s.statement, Statement: s.text}
	if s.in.layer == SessionBased && !isARN(s.in.name) {
		out.Kind = NewSession
	}
	where := s.in.layer.String() + " " + s.in.shown(e)
	switch s.kind {
	case ExemptPrincipal:
		out.Text = "let statement " + strconv.Itoa(s.statement) + " of the " + where + " not apply to " + e.exempted()
	case RemoveStatement:
		out.Text = "remove statement " + strconv.Itoa(s.statement) + " of the " + where
	case Attach:
		out.Text = "attach the " + where
	default:
		out.Text = "add a statement to the " + where
	}
	if out.Kind == NewSession {
		out.Text += ": the session that made the call cannot be changed, so a new one has to be begun"
	}
	return out
}
