package oracle_test

import (
	"encoding/json"
	"fmt"
	"slices"
)

// judge explains disagreements. It has an oracle of its own to ask again.
type judge struct {
	oracle  *oracle
	classes []class
}

// explain returns the names of the classes that together explain a disagreement: as few as possible, nil for none.
func (j *judge) explain(s *scenario) ([]string, error) {
	var relevant []class
	for _, c := range j.classes {
		if c.restate(s.clone()) {
			relevant = append(relevant, c)
		}
	}
	for _, some := range subsets(relevant) {
		if ok, err := j.settles(s, some); ok || err != nil {
			var names []string
			for _, c := range some {
				names = append(names, c.name)
			}
			return names, err
		}
	}
	return nil, nil
}

// subsets are all of a list's but the empty one, the small ones first.
func subsets(list []class) [][]class {
	var all [][]class
	for bits := 1; bits < 1<<len(list); bits++ {
		var some []class
		for i, c := range list {
			if bits&(1<<i) != 0 {
				some = append(some, c)
			}
		}
		all = append(all, some)
	}
	slices.SortStableFunc(all, func(a, b []class) int { return len(a) - len(b) })
	return all
}

// settles says whether both engines give Trent's answer once the rules of some classes are written out.
func (j *judge) settles(s *scenario, by []class) (bool, error) {
	want, _, err := trent(s)
	if err != nil {
		return false, err
	}
	restated := s.clone()
	for _, c := range by {
		c.restate(restated)
	}
	again, _, err := trent(restated)
	if err != nil || again != want {
		return false, err
	}
	got, err := j.oracle.ask(restated)
	return got == want, err
}

// disagree says whether the engines differ on a scenario and no class explains it.
func (j *judge) disagree(s *scenario) bool {
	want, _, err := trent(s)
	if err != nil {
		return false
	}
	got, err := j.oracle.ask(s)
	if err != nil || got == want {
		return false
	}
	names, err := j.explain(s)
	return err == nil && names == nil
}

// minimise leaves out of a scenario whatever is not needed for an unexplained disagreement.
func (j *judge) minimise(s *scenario) *scenario {
	for again := true; again; {
		again = false
		for _, smaller := range reductions(s) {
			if j.disagree(smaller) {
				s, again = smaller, true
				break
			}
		}
	}
	return s
}

// reductions are scenarios with one thing less.
func reductions(s *scenario) []*scenario {
	var all []*scenario
	without := func(change func(c *scenario)) {
		c := s.clone()
		change(c)
		all = append(all, c)
	}
	for account := range s.Places {
		without(func(c *scenario) { delete(c.Places, account) })
		without(func(c *scenario) { c.Places[account].Services = nil })
		without(func(c *scenario) { c.Places[account].Resources = nil })
	}
	without(func(c *scenario) { c.Endpoint = nil })
	without(func(c *scenario) { c.Boundary = nil })
	if s.limited() {
		without(func(c *scenario) { c.Caller.Session.Limited = false })
	}
	for i := range s.Identity {
		without(func(c *scenario) { c.Identity = slices.Delete(c.Identity, i, i+1) })
	}
	for key := range s.Context {
		without(func(c *scenario) { delete(c.Context, key) })
	}
	n := 0
	s.statements(func(*document, *statement) { n++ })
	for i := range n {
		without(func(c *scenario) {
			c.edit(i, func(d *document, k int) { d.Statements = slices.Delete(d.Statements, k, k+1) })
		})
		for drop := range 3 {
			without(func(c *scenario) {
				c.edit(i, func(d *document, k int) {
					if st := &d.Statements[k]; drop < len(st.Conditions) {
						st.Conditions = slices.Delete(st.Conditions, drop, drop+1)
					}
				})
			})
		}
	}
	before, _ := json.Marshal(s)
	return slices.DeleteFunc(all, func(c *scenario) bool {
		after, _ := json.Marshal(c)
		return len(after) >= len(before)
	})
}

// edit calls f with the document of the nth statement, and the statement's index there. A document keeps its last one.
func (s *scenario) edit(n int, f func(d *document, k int)) {
	found := (*document)(nil)
	at := 0
	s.statements(func(d *document, st *statement) {
		if n == 0 {
			found = d
			for k := range d.Statements {
				if &d.Statements[k] == st {
					at = k
				}
			}
		}
		n--
	})
	if found != nil && len(found.Statements) > 1 || found != nil && len(found.Statements[0].Conditions) > 0 {
		f(found, at)
	}
}

// String is a scenario for people: what matters of it, as JSON.
func (s *scenario) String() string {
	used := s.variables()
	out := map[string]any{"caller": s.Caller, "action": s.Action, "resource": s.Resource, "account": s.Account, "context": used}
	add := func(name string, docs ...document) {
		for i := range docs {
			out[fmt.Sprintf("%s %d", name, i)] = docs[i].json()
		}
	}
	if s.KeyPolicy != nil {
		add("key policy", *s.KeyPolicy)
	}
	add("identity", s.Identity...)
	if s.Boundary != nil {
		add("boundary", *s.Boundary)
	}
	if s.limited() {
		add("session", s.Session...)
	}
	for account, p := range s.Places {
		for i, l := range p.Services {
			add(fmt.Sprintf("service control %s level %d", account, i), l...)
		}
		for i, l := range p.Resources {
			add(fmt.Sprintf("resource control %s level %d", account, i), l...)
		}
		out["organization "+account] = []any{p.Organization, p.Path, p.Management}
	}
	if s.Endpoint != nil && s.Endpoint.Policy != nil {
		add("endpoint", *s.Endpoint.Policy)
	}
	b, _ := json.MarshalIndent(out, "", " ")
	return string(b)
}
