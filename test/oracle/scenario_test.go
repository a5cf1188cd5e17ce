package oracle_test

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// scenario is a generated case: a caller, what it asks for, and everything that has a say. It belongs to neither engine.
type scenario struct {
	Caller caller.Caller
	// Tags are the principal's.
	Tags map[string]string

	Action, Resource, Account string
	// Local: the operation cannot be done on another account's resources. Managed: an AWS service manages the key.
	Local, Managed bool

	KeyPolicy *document
	Identity  []document
	Boundary  *document
	Session   []document // counts if Caller.Session.Limited
	Places    map[string]*place
	Endpoint  *endpoint

	Now            int64 // seconds since 1970
	Region         string
	SourceIP       string
	UserAgent      string
	Referer        string
	TLS            bool
	ResourceRegion string

	// Context are the condition keys of the resource and of the request's parameters.
	Context map[string]policy.Values
}

// place is an account's place in an organization. nil levels: the policy type is not enabled. Resources are without the
// full-access policy that is attached to every level.
type place struct {
	Organization, Path  string
	Management          bool
	Services, Resources [][]document
}

type endpoint struct {
	ID, VPC string
	Policy  *document
}

// document is a policy, and statement one of its statements.
type document struct {
	Version    string // may be empty
	Statements []statement
}

type statement struct {
	Effect                  string
	Principal, NotPrincipal *principals
	Action, NotAction       []string
	Resource, NotResource   []string
	Conditions              []condition
}

type principals struct {
	Everyone            bool // the short form "*"
	AWS, Service, Other []string
}

type condition struct {
	Operator, Key string
	Values        []string
}

// json returns the document as the policy language writes it.
func (d *document) json() map[string]any {
	all := make([]any, len(d.Statements))
	for i := range d.Statements {
		all[i] = d.Statements[i].json()
	}
	out := map[string]any{"Statement": all}
	if d.Version != "" {
		out["Version"] = d.Version
	}
	return out
}

func (s *statement) json() map[string]any {
	out := map[string]any{"Effect": s.Effect}
	for name, list := range map[string][]string{
		"Action": s.Action, "NotAction": s.NotAction, "Resource": s.Resource, "NotResource": s.NotResource,
	} {
		if list != nil {
			out[name] = oneOrMany(list)
		}
	}
	for name, p := range map[string]*principals{"Principal": s.Principal, "NotPrincipal": s.NotPrincipal} {
		if p != nil {
			out[name] = p.json()
		}
	}
	if len(s.Conditions) > 0 {
		operators := map[string]map[string]any{}
		for _, c := range s.Conditions {
			if operators[c.Operator] == nil {
				operators[c.Operator] = map[string]any{}
			}
			operators[c.Operator][c.Key] = oneOrMany(c.Values)
		}
		out["Condition"] = operators
	}
	return out
}

func (p *principals) json() any {
	if p.Everyone {
		return "*"
	}
	out := map[string]any{}
	for kind, names := range map[string][]string{"AWS": p.AWS, "Service": p.Service, "Federated": p.Other} {
		if len(names) > 0 {
			out[kind] = oneOrMany(names)
		}
	}
	return out
}

func oneOrMany(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// text is the document as JSON text.
func (d *document) text() string {
	b, _ := json.Marshal(d.json()) // strings, maps and slices only
	return string(b)
}

// documents calls f with every document that has a say.
func (s *scenario) documents(f func(kind policy.Kind, d *document)) {
	one := func(kind policy.Kind, d *document) {
		if d != nil {
			f(kind, d)
		}
	}
	one(policy.Key, s.KeyPolicy)
	for i := range s.Identity {
		f(policy.Identity, &s.Identity[i])
	}
	one(policy.Identity, s.Boundary)
	for i := range s.Session {
		f(policy.Identity, &s.Session[i])
	}
	for _, account := range []string{ours, theirs} {
		p := s.Places[account]
		if p == nil {
			continue
		}
		for _, level := range p.Services {
			for i := range level {
				f(policy.ServiceControl, &level[i])
			}
		}
		for _, level := range p.Resources {
			for i := range level {
				f(policy.ResourceControl, &level[i])
			}
		}
	}
	if s.Endpoint != nil {
		one(policy.Endpoint, s.Endpoint.Policy)
	}
}

// statements calls f with every statement.
func (s *scenario) statements(f func(d *document, st *statement)) {
	s.documents(func(_ policy.Kind, d *document) {
		for i := range d.Statements {
			f(d, &d.Statements[i])
		}
	})
}

// clone copies a scenario, so that the copy may be changed.
func (s *scenario) clone() *scenario {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	c := new(scenario)
	if err := json.Unmarshal(b, c); err != nil {
		panic(err)
	}
	return c
}

// own says whether the resource is the caller's account's.
func (s *scenario) own() bool { return s.Account == s.Caller.Account }

// limited says whether session policies were passed.
func (s *scenario) limited() bool { return s.Caller.Session != nil && s.Caller.Session.Limited }

// mentioned returns the condition keys that any document uses, in lower case.
func (s *scenario) mentioned() map[string]bool {
	keys := map[string]bool{}
	add := func(list []string) {
		for _, v := range list {
			for _, name := range variablesOf(v) {
				keys[strings.ToLower(name)] = true
			}
		}
	}
	s.statements(func(_ *document, st *statement) {
		add(st.Resource)
		add(st.NotResource)
		for _, c := range st.Conditions {
			keys[strings.ToLower(c.Key)] = true
			add(c.Values)
		}
	})
	return keys
}

// variablesOf returns the names of the policy variables in a text, without ${*}, ${?} and ${$}.
func variablesOf(text string) []string {
	var names []string
	for {
		_, rest, ok := strings.Cut(text, "${")
		if !ok {
			return names
		}
		inside, after, ok := strings.Cut(rest, "}")
		if !ok {
			return names
		}
		name, _, _ := strings.Cut(inside, ",")
		if !slices.Contains([]string{"*", "?", "$"}, name) {
			names = append(names, name)
		}
		text = after
	}
}
