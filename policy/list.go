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

// EachKey calls f with every condition key that the document uses, in conditions and in policy variables, as written: one that
// is used twice comes twice.
func (p *Policy) EachKey(f func(key string)) {
	for i := range p.statements {
		s := &p.statements[i]
		for j := range s.conditions {
			f(s.conditions[j].key)
		}
		s.patterns(func(q *pattern) { q.eachKey(f) })
	}
}

// Keys returns the condition keys of EachKey folded, sorted, each once.
func (p *Policy) Keys() []string {
	keys := map[string]bool{}
	p.EachKey(func(key string) { keys[Fold(key)] = true })
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

// eachKey calls f with the variables of a pattern.
func (p *pattern) eachKey(f func(key string)) {
	for i := range p.tokens {
		if p.tokens[i].op == variable {
			f(p.tokens[i].name)
		}
	}
}
