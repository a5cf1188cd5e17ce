package authz

import (
	"strings"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// What lets the caller's own side allow: its identity policies, its boundary and its session.

// openIdentity lets the caller's IAM policies allow: in a policy that lives in it, or in a new one. Policies that others
// have too are left alone.
func (e *evaluation) openIdentity(p *plan) bool {
	federated := e.Caller.Type == caller.Federated && !e.Caller.Limited()
	if federated {
		p.add(step{kind: NewSession, in: placed{layer: SessionBased}, statement: -1, text: e.statement(policy.Identity)})
	}
	switch {
	case e.isRoot() || e.layerAllows(IdentityBased):
		return true
	case e.Identity == nil:
		return false
	}
	prefix, text := e.ownPrefix(), e.statement(policy.Identity)
	at, kind := placed{layer: IdentityBased, name: prefix + "allow-" + actionName(e.access.Action)}, Attach
	for _, a := range e.Identity.Policies {
		if strings.HasPrefix(a.Name, prefix) {
			at, kind = placed{layer: IdentityBased, name: a.Name, document: a.Policy}, AddStatement
			break
		}
	}
	if made, err := appended(at.text(), text); err != nil || policy.Size(made)-policy.Size(at.text()) > e.room(at.name) {
		at, kind = e.managed("allow-" + actionName(e.access.Action))
	}
	p.add(step{kind: kind, in: at, statement: -1, text: text})
	return true
}

// managed is a managed policy of the caller's account: the one with a name that the caller has, or a new one.
func (e *evaluation) managed(name string) (placed, EditKind) {
	arn := "arn:aws:iam::" + e.Caller.Account + ":policy/" + name
	for _, a := range e.Identity.Policies {
		if a.Name == arn {
			return placed{layer: IdentityBased, name: arn, document: a.Policy}, AddStatement
		}
	}
	return placed{layer: IdentityBased, name: arn}, Attach
}

// ownPrefix is what the names of policies begin with that live in the caller: user/NAME/ or role/NAME/.
func (e *evaluation) ownPrefix() string {
	switch e.Caller.Type {
	case caller.Role:
		return "role/" + e.Caller.Name + "/"
	case caller.Federated:
		return "user/" + e.Caller.Source[strings.LastIndexByte(e.Caller.Source, '/')+1:] + "/"
	}
	return "user/" + e.Caller.Name + "/"
}

func (e *evaluation) openBoundary(p *plan) {
	if e.Identity == nil || e.Identity.Boundary == nil || e.layerAllows(Boundary) {
		return
	}
	b := *e.Identity.Boundary
	s := step{kind: AddStatement, in: placed{layer: Boundary, name: b.Name, document: b.Policy}, statement: -1, text: e.statement(policy.Identity)}
	if e.fixed(s.in) {
		s.kind, s.in.name = Attach, newBoundary
	}
	p.add(s)
}

func (e *evaluation) openSession(p *plan) {
	if !e.Caller.Limited() || e.layerAllows(SessionBased) {
		return
	}
	p.add(step{kind: NewSession, in: placed{layer: SessionBased, document: e.Caller.Session.Policy}, statement: -1, text: e.statement(policy.Identity)})
}

// actionName is an action as part of a policy's name.
func actionName(action string) string {
	return strings.Map(func(r rune) rune {
		if r == ':' || r == '*' || r == '?' {
			return '-'
		}
		return r
	}, action)
}
