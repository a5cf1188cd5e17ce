package policy

// stringTest is StringEquals, StringEqualsIgnoreCase and StringLike. The latter alone knows wildcards.
type stringTest struct {
	patterns []pattern
	fold     bool // case does not matter: the texts of patterns are folded
	unknown  bool // it is not known what some of the patterns match
}

func newStringTest(values []string, f family, vars bool) (test, error) {
	t := &stringTest{patterns: make([]pattern, len(values)), fold: f == foldFamily}
	for i, v := range values {
		tokens, err := tokenize(v, f == likeFamily, vars)
		if err != nil {
			return nil, err
		}
		t.patterns[i] = newPattern(v, tokens)
		if p := &t.patterns[i]; t.fold {
			p.fold, p.text = true, Fold(p.text)
		}
	}
	return t, nil
}

// tokenize splits a value at its wildcards and variables, if it may have them.
func tokenize(v string, wild, vars bool) ([]token, error) {
	switch {
	case vars:
		return appendVariables(nil, v, wild)
	case wild:
		return appendWild(nil, v), nil
	default:
		return appendLiteral(nil, v), nil
	}
}

func (t *stringTest) matches(got string, c Context, w work) (matched bool, left work) {
	unknowns := t.unknown
	for i := range t.patterns {
		p := &t.patterns[i]
		if p.form == variables {
			resolved, how, left := t.resolved(p, c, w)
			w, unknowns = left, unknowns || how == unknown
			if how != known {
				continue
			}
			p = &resolved
		}
		if matched, w = p.match(got, w); matched || w < 0 {
			return matched, w
		}
	}
	return false, w.unless(unknowns)
}

// resolved is resolve for a pattern of the test.
func (t *stringTest) resolved(p *pattern, c Context, w work) (pattern, resolution, work) {
	r, how, w := p.resolve(c, w)
	if t.fold && how == known {
		r.text, w = Fold(r.text), w.folded(r.text)
	}
	return r, how, w
}

func (t *stringTest) resolve(c Context, w work) (test, work) {
	r := &stringTest{fold: t.fold, unknown: t.unknown}
	for i := range t.patterns {
		p, how, left := t.resolved(&t.patterns[i], c, w)
		if w = left; how == known {
			r.patterns = append(r.patterns, p)
		}
		r.unknown = r.unknown || how == unknown
		if w < 0 {
			break
		}
	}
	return r, w
}

func (t *stringTest) wanted(c Context) []string { return renderAll(t.patterns, c) }

func renderAll(patterns []pattern, c Context) []string {
	all := make([]string, len(patterns))
	for i := range patterns {
		all[i] = patterns[i].render(c)
	}
	return all
}
