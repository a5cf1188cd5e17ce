package policy

// Evaluate says what the document says of a request: every statement that matches counts, denying and allowing ones.
// It allocates memory only for policy variables, and may be called by many goroutines at once.
func (p *Policy) Evaluate(r *Request) Result {
	var result Result
	for i := range p.statements {
		s := &p.statements[i]
		if s.inert || !s.matchAction(r.Action) {
			continue
		}
		m := s.matchPrincipal(r.Principal)
		if m == None || result.has(s, m) {
			continue
		}
		if !s.matchResource(r.Resource, r.Context) || !s.matchConditions(r.Context) {
			continue
		}
		result.add(s, m, i)
	}
	return result
}

// Matching returns the indexes of all statements with an effect that match a request, in order. Evaluate tells of one.
func (p *Policy) Matching(r *Request, effect Effect) []int {
	var all []int
	for i := range p.statements {
		s := &p.statements[i]
		if !s.inert && s.effect() == effect && s.matchAction(r.Action) && s.matchPrincipal(r.Principal) != None &&
			s.matchResource(r.Resource, r.Context) && s.matchConditions(r.Context) {
			all = append(all, i)
		}
	}
	return all
}

// has reports whether the answer would not change if a statement matched.
func (r *Result) has(s *statement, m Match) bool {
	if s.deny {
		return r.deny > 0
	}
	return r.allows[m] > 0
}

func (r *Result) add(s *statement, m Match, i int) {
	n := int16(i + 1) // Parse refuses more statements than that
	if s.deny {
		r.deny = n
	} else {
		r.allows[m] = n
	}
}
