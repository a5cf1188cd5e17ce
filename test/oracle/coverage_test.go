package oracle_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// coverage counts what was seen.
type coverage map[string]int

// decision counts what decided a case.
func (c coverage) decision(s *scenario, answer string, d authz.Decision) {
	account := "same account"
	switch {
	case s.Caller.Type == caller.Service:
		account = "service"
	case !s.own():
		account = "cross-account"
	}
	c["answer "+answer]++
	c[fmt.Sprintf("%s %s %s", s.Caller.Type, account, answer)]++
	c[fmt.Sprintf("%s by %s", answer, d.Layer)]++
	if answer == allowed && d.Layer == authz.IdentityBased && s.KeyPolicy != nil {
		c["delegated "+account]++
	}
	if answer == allowed && d.Layer == authz.Resource {
		c["direct "+account]++
	}
	if s.KeyPolicy == nil {
		c["no key "+answer]++
	}
}

// elements counts the parts of the documents, and for each form of each condition operator how often it held and how
// often not.
func (c coverage) elements(s *scenario) error {
	facts := keys(s.facts())
	var failed error
	s.documents(func(kind policy.Kind, d *document) {
		p, err := parse(kind, d)
		if err != nil {
			failed = err
			return
		}
		c["version "+d.Version]++
		if len(d.Statements) > 1 {
			c["several statements"]++
		}
		for i, t := range p.Trace(&policy.Request{Action: s.Action, Resource: s.Resource, Context: facts}) {
			st := &d.Statements[i]
			c.parts(st, t.Action, t.Resource)
			for _, test := range t.Tests {
				held := "fails"
				if test.Met {
					held = "holds"
				}
				c[test.Operator+" "+held]++
			}
		}
	})
	return failed
}

func (c coverage) parts(st *statement, action, resource bool) {
	c[fmt.Sprintf("Action %t %t", st.NotAction == nil, action)]++
	c[fmt.Sprintf("Resource %t %t", st.NotResource == nil, resource)]++
	if st.NotPrincipal != nil {
		c["NotPrincipal "+st.Effect]++
	}
	if st.Principal != nil {
		c["Principal "+st.Effect]++
	}
	for _, cond := range st.Conditions {
		for _, v := range cond.Values {
			if strings.Contains(v, "${") {
				c["variable"]++
			}
			if strings.Contains(v, ", '") {
				c["variable with default"]++
			}
		}
	}
}

// floors are how often each thing must be seen in 100,000 cases, of which the elements of one in five are counted.
func floors() map[string]int {
	all := map[string]int{
		"answer " + allowed: 15000, "answer " + implicitly: 15000, "answer " + explicitly: 10000,
		"delegated same account": 1000, "delegated cross-account": 300, "direct same account": 2000, "direct service": 500,
		"no key " + allowed: 2000, "no key " + implicitly: 1000, "no key " + explicitly: 1000,
		"several statements": 5000, "version ": 500, "version 2008-10-17": 500, "version 2012-10-17": 5000,
		"Action true true": 1000, "Action true false": 1000, "Action false true": 100, "Action false false": 100,
		"Resource true true": 1000, "Resource true false": 1000, "Resource false true": 100, "Resource false false": 100,
		"NotPrincipal Allow": 100, "NotPrincipal Deny": 100, "Principal Allow": 5000, "Principal Deny": 1000,
		"variable": 500, "variable with default": 100,
	}
	for _, layer := range []authz.Layer{authz.ServiceControl, authz.VPCEndpoint, authz.Resource, authz.IdentityBased, authz.Boundary, authz.SessionBased} {
		all[implicitly+" by "+layer.String()] = 300
		all[explicitly+" by "+layer.String()] = 300
	}
	all[explicitly+" by "+authz.ResourceControl.String()] = 300 // the one that AWS attaches always allows
	for _, who := range []caller.Type{caller.User, caller.Role, caller.Federated, caller.Root} {
		for _, account := range []string{"same account", "cross-account"} {
			for _, answer := range []string{allowed, implicitly, explicitly} {
				all[fmt.Sprintf("%s %s %s", who, account, answer)] = 50
			}
		}
	}
	for _, answer := range []string{allowed, implicitly, explicitly} {
		all[fmt.Sprintf("%s service %s", caller.Service, answer)] = 300
	}
	for _, o := range operators() {
		for _, form := range formsOf(o) {
			all[form+" holds"], all[form+" fails"] = 10, 10
		}
	}
	return all
}

// formsOf are an operator with each prefix, with and without suffix.
func formsOf(o operator) []string {
	if o.family == presence {
		return []string{o.name}
	}
	var all []string
	for _, prefix := range []string{"", "ForAllValues:", "ForAnyValue:"} {
		all = append(all, prefix+o.name, prefix+o.name+"IfExists")
	}
	return all
}

// check fails if something was seen too seldom, and logs what was seen least for its floor.
func (c coverage) check(t *testing.T, cases int) {
	t.Helper()
	want := floors()
	rarest, margin := "", 0.0
	for _, what := range slices.Sorted(maps.Keys(want)) {
		if floor := want[what] * cases / 100_000; c[what] < floor {
			t.Errorf("%q was seen %d times, want at least %d", what, c[what], floor)
		} else if m := float64(c[what]) / float64(floor); rarest == "" || m < margin {
			rarest, margin = what, m
		}
	}
	t.Logf("%d things were counted; %q was nearest to its floor with %d", len(want), rarest, c[rarest])
}
