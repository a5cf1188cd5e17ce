package policy

// StatementTrace says what one statement says of a request, part by part.
type StatementTrace struct {
	Index  int
	Sid    string
	Effect Effect
	// Principal, Action, Resource and Conditions say of each part alone whether it matches. A part that a statement does not
	// have matches if it need not have it.
	Principal                    Match
	Action, Resource, Conditions bool
	// Matched is whether all of them match, so that the effect counts.
	Matched bool
	Tests   []ConditionTrace
}

// ConditionTrace says what became of one operator on one key.
type ConditionTrace struct {
	Operator, Key string // as the document has them
	// Wanted are the values of the document, with values in the place of policy variables.
	Wanted []string
	// Present is whether the request has the key, and Got its values.
	Present bool
	Got     []string
	Met     bool
}

// Trace makes the decision of Evaluate again, and returns how each statement came to it. Nothing is left out because
// something else has decided already.
func (p *Policy) Trace(r *Request) []StatementTrace {
	all := make([]StatementTrace, len(p.statements))
	for i := range p.statements {
		s := &p.statements[i]
		t := StatementTrace{
			Index: i, Sid: s.sid, Effect: s.effect(),
			Principal: s.matchPrincipal(r.Principal),
			// Without any actions or resources a key policy's statement has no effect.
			Action:     len(s.actions) > 0 && s.matchAction(r.Action),
			Resource:   (s.anyResource || len(s.resources) > 0) && s.matchResource(r.Resource, r.Context),
			Conditions: s.matchConditions(r.Context),
			Tests:      s.tests(r.Context),
		}
		t.Matched = t.Principal != None && t.Action && t.Resource && t.Conditions
		all[i] = t
	}
	return all
}

func (s *statement) effect() Effect {
	if s.deny {
		return Deny
	}
	return Allow
}

func (s *statement) tests(c Context) []ConditionTrace {
	all := make([]ConditionTrace, len(s.conditions))
	for i := range s.conditions {
		all[i] = s.conditions[i].trace(c)
	}
	return all
}

func (c *condition) trace(context Context) ConditionTrace {
	t := ConditionTrace{Operator: c.operator, Key: c.key, Wanted: c.values(context), Met: c.met(context)}
	var v Values
	if v, t.Present = lookup(context, c.lookup); t.Present {
		t.Got = v.Many
		if !v.Multi {
			t.Got = []string{v.One}
		}
	}
	return t
}

// values returns what the condition wants, for people to read.
func (c *condition) values(context Context) []string {
	switch {
	case !c.null:
		if r, ok := c.test.(resolver); ok && c.variables {
			if _, left := r.resolve(context, c.work); left < 0 { // nor is there room to write it down
				context = nil
			}
		}
		return c.test.wanted(context)
	case c.wantAbsent && c.wantThere:
		return []string{"true", "false"}
	case c.wantAbsent:
		return []string{"true"}
	}
	return []string{"false"}
}
