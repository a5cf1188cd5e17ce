package oracle_test

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// simulation translates a scenario for the oracle, which knows policies but not everything of who they bind. What it does
// not know is said here in AWS's rules:
//
//   - a root user needs no identity policies: it is given one that allows everything;
//   - a federated user without session policies has none of its user's permissions: the allows are left out, and its user
//     where a key policy allows;
//   - service control policies bind neither the management account nor services;
//   - resource control policies neither the management account's resources, nor keys that services manage, nor
//     kms:RetireGrant, nor (here) what is no key;
//   - an operation that cannot be done across accounts: the key policy's allows are left out;
//   - the principals of endpoint policies, at which the oracle does not look: statements about others are left out.
func simulation(s *scenario) string {
	who := s.Caller.ARN
	in := map[string]any{
		"request": map[string]any{
			"principal": who, "action": s.Action, "resource": map[string]any{"resource": s.Resource, "accountId": s.Account},
			"contextVariables": s.variables(),
		},
		"identityPolicies":        named(s.identityForOracle()),
		"serviceControlPolicies":  organizational(s.servicesForOracle()),
		"resourceControlPolicies": organizational(s.resourcesForOracle()),
	}
	if d := s.keyPolicyForOracle(); d != nil {
		in["resourcePolicy"] = d.json()
	}
	if s.Boundary != nil {
		in["permissionBoundaryPolicies"] = named([]document{*s.Boundary})
	}
	if s.limited() {
		merged := document{Version: s.Session[0].Version}
		for _, d := range s.Session {
			merged.Statements = append(merged.Statements, d.Statements...)
		}
		in["sessionPolicy"] = merged.json()
	}
	if s.Endpoint != nil && s.Endpoint.Policy != nil {
		in["vpcEndpointPolicies"] = named([]document{*s.endpointForOracle()})
	}
	b, _ := json.Marshal(in) // strings, maps and slices only
	// It knows kms:EncryptionContext:${key}, but drops its values.
	return strings.ReplaceAll(string(b), "kms:EncryptionContext:", "aws:PrincipalTag/context-")
}

// variables are the facts that any document uses: the oracle looks each of them up in a database.
func (s *scenario) variables() map[string]any {
	used := s.mentioned()
	out := map[string]any{}
	for name, v := range s.facts() {
		switch {
		case !used[strings.ToLower(name)]:
		case v.Multi:
			out[name] = append([]string{}, v.Many...)
		default:
			out[name] = v.One
		}
	}
	return out
}

func allowEverything() document {
	return document{Version: policy.Version2012, Statements: []statement{{Effect: "Allow", Action: []string{"*"}, Resource: []string{"*"}}}}
}

func (s *scenario) identityForOracle() []document {
	federated := s.Caller.Type == caller.Federated
	switch {
	case s.Caller.Type == caller.Root, federated && s.limited() && s.Caller.Source == root(s.Caller.Account):
		return []document{allowEverything()}
	case federated && !s.limited():
		var denials []document
		for _, d := range s.Identity {
			denials = append(denials, keep(d, func(st *statement) bool { return st.Effect == "Deny" }))
		}
		return denials
	}
	return s.Identity
}

func keep(d document, f func(*statement) bool) document {
	out := document{Version: d.Version, Statements: []statement{}}
	for _, st := range d.Statements {
		if f(&st) {
			out.Statements = append(out.Statements, st)
		}
	}
	return out
}

func (s *scenario) servicesForOracle() [][]document {
	p := s.Places[s.Caller.Account]
	if p == nil || p.Management || s.Caller.Type == caller.Service {
		return nil
	}
	return p.Services
}

func (s *scenario) resourcesForOracle() [][]document {
	p := s.Places[s.Account]
	if p == nil || p.Management || s.Managed || s.Action == "kms:RetireGrant" || s.KeyPolicy == nil {
		return nil
	}
	return p.Resources
}

func (s *scenario) keyPolicyForOracle() *document {
	switch {
	case s.KeyPolicy == nil:
		return nil
	case !s.own() && s.Local:
		return new(keep(*s.KeyPolicy, func(st *statement) bool { return st.Effect == "Deny" }))
	case s.Caller.Type == caller.Federated && !s.limited() && s.Caller.Source != root(s.Caller.Account):
		return new(without(*s.KeyPolicy, s.Caller.Source))
	}
	return s.KeyPolicy
}

// without is a policy that allows nothing to a principal.
func without(d document, name string) document {
	out := document{Version: d.Version, Statements: []statement{}}
	for _, st := range d.Statements {
		if st.Effect == "Allow" && st.Principal != nil && slices.Contains(st.Principal.AWS, name) {
			p := *st.Principal
			p.AWS = slices.DeleteFunc(slices.Clone(p.AWS), func(n string) bool { return n == name })
			if st.Principal = &p; len(p.AWS)+len(p.Service)+len(p.Other) == 0 {
				continue
			}
		}
		out.Statements = append(out.Statements, st)
	}
	return out
}

func (s *scenario) endpointForOracle() *document {
	d := keep(*s.Endpoint.Policy, func(st *statement) bool { return st.Principal.name(&s.Caller) })
	for i := range d.Statements {
		d.Statements[i].Principal = &principals{Everyone: true}
	}
	return &d
}

// name says whether a list has any of the caller's names.
func (p *principals) name(c *caller.Caller) bool {
	if p.everyone() || c.Type == caller.Service && slices.Contains(p.Service, c.ARN) {
		return true
	}
	return slices.ContainsFunc(namesOf(c), func(n string) bool { return slices.Contains(p.AWS, n) })
}

func (p *principals) everyone() bool { return p.Everyone || slices.Contains(p.AWS, "*") }

func named(docs []document) []any {
	out := []any{}
	for i := range docs {
		out = append(out, map[string]any{"name": string(rune('a' + i)), "policy": docs[i].json()})
	}
	return out
}

func organizational(levels [][]document) []any {
	out := []any{}
	for i := range levels {
		out = append(out, map[string]any{"orgIdentifier": string(rune('a' + i)), "policies": named(levels[i])})
	}
	return out
}
