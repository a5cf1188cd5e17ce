package policy

import "strings"

// stringTest is StringEquals, StringEqualsIgnoreCase and StringLike. The latter alone knows wildcards.
type stringTest struct {
	patterns []pattern
}

func newStringTest(values []string, f family, vars bool) (test, error) {
	t := &stringTest{make([]pattern, len(values))}
	for i, v := range values {
		tokens, err := tokenize(v, f == likeFamily, vars)
		if err != nil {
			return nil, err
		}
		t.patterns[i] = newPattern(v, tokens)
		t.patterns[i].fold = f == foldFamily
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

func (t *stringTest) matches(got string, c Context) bool {
	for i := range t.patterns {
		p := &t.patterns[i]
		if p.fold && p.form == variables {
			if p.foldedIn(got, c) {
				return true
			}
		} else if p.matchesIn(got, c) {
			return true
		}
	}
	return false
}

// foldedIn is matchesIn without regard to case. Characters change their length with their case, so that the whole has to
// be compared at once.
func (p *pattern) foldedIn(got string, c Context) bool {
	tokens, ok := resolve(p.tokens, c)
	return ok && strings.EqualFold(got, concat(tokens))
}

func (t *stringTest) wanted(c Context) []string { return renderAll(t.patterns, c) }

func renderAll(patterns []pattern, c Context) []string {
	all := make([]string, len(patterns))
	for i := range patterns {
		all[i] = patterns[i].render(c)
	}
	return all
}
