package policy

import (
	"maps"
	"slices"
)

// Statement returns the JSON text of a statement.
func (p *Policy) Statement(i int) string { return p.text[p.statements[i].start:p.statements[i].end] }

// Principals calls f with every name in the document's Principal and NotPrincipal elements, as written, with the member
// that it stands in: AWS, Service, Federated or CanonicalUser. The short form "*" is reported as AWS.
func (p *Policy) Principals(f func(kind, name string)) {
	for i := range p.statements {
		if l := p.statements[i].principals; l != nil {
			for _, name := range l.listed {
				f(name.kind, name.name)
			}
		}
	}
}

// Keys returns the condition keys that the document uses, in conditions and in policy variables: in lower case, sorted,
// each once.
func (p *Policy) Keys() []string {
	keys := map[string]bool{}
	for i := range p.statements {
		s := &p.statements[i]
		for j := range s.conditions {
			keys[s.conditions[j].lookup] = true
		}
		s.patterns(func(q *pattern) { q.addKeys(keys) })
	}
	return slices.Sorted(maps.Keys(keys))
}

// patterns calls f with the patterns of resources and conditions, those that policy variables may be in.
func (s *statement) patterns(f func(*pattern)) {
	for i := range s.resources {
		f(&s.resources[i])
	}
	for i := range s.conditions {
		s.conditions[i].patterns(f)
	}
}

// patterns calls f with the patterns among the values of a condition.
func (c *condition) patterns(f func(*pattern)) {
	switch t := c.test.(type) {
	case *stringTest:
		for i := range t.patterns {
			f(&t.patterns[i])
		}
	case *arnTest:
		for i := range t.patterns {
			f(&t.patterns[i].whole)
			for j := range t.patterns[i].parts {
				f(&t.patterns[i].parts[j])
			}
		}
	}
}

// addKeys adds the variables of a pattern.
func (p *pattern) addKeys(keys map[string]bool) {
	for i := range p.tokens {
		if p.tokens[i].op == variable {
			keys[p.tokens[i].text] = true
		}
	}
}
