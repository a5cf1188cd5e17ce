package policy

import "strings"

// arnParts is how many parts an ARN has: arn, partition, service, Region, account, and the rest, which may contain colons.
const arnParts = 6

// arnPattern is a pattern of an ARN.
type arnPattern struct {
	source string
	parts  [arnParts]pattern
	split  bool // parts are set
	// whole matches ARNs in one piece: for "*", and for a variable whose value is an ARN.
	whole    pattern
	anyWhole bool
}

// newARNPattern compiles a value of an ARN operator. The text is split before variables are replaced, so that a colon in
// a value cannot move the rest into another part.
func newARNPattern(source string, vars bool) (arnPattern, error) {
	p := arnPattern{source: source}
	parts, ok := splitPattern(source, vars)
	if !ok {
		tokens, err := tokenize(source, true, vars)
		p.whole = newPattern(source, tokens)
		p.anyWhole = source == "*" || p.whole.form == variables
		return p, err
	}
	p.split = true
	for i, part := range parts {
		tokens, err := tokenize(part, true, vars)
		if err != nil {
			return p, err
		}
		p.parts[i] = newPattern(part, tokens)
	}
	return p, nil
}

// literalARN compiles a pattern without variables.
func literalARN(source string) arnPattern {
	p, _ := newARNPattern(source, false) // only variables can be wrong
	return p
}

// splitPattern cuts a pattern at its first five colons outside variables.
func splitPattern(s string, vars bool) (parts [arnParts]string, ok bool) {
	start, part, depth := 0, 0, false
	for i := 0; i < len(s) && part < arnParts-1; i++ {
		switch {
		case vars && strings.HasPrefix(s[i:], "${"):
			depth = true
		case s[i] == '}':
			depth = false
		case s[i] == ':' && !depth:
			parts[part] = s[start:i]
			part, start = part+1, i+1
		}
	}
	parts[part] = s[start:]
	return parts, part == arnParts-1
}

// splitARN cuts an ARN at its first five colons.
func splitARN(s string) (parts [arnParts]string, ok bool) {
	for i := range arnParts - 1 {
		n := strings.IndexByte(s, ':')
		if n < 0 {
			return parts, false
		}
		parts[i], s = s[:n], s[n+1:]
	}
	parts[arnParts-1] = s
	return parts, true
}

// matches compares part by part. What is not an ARN matches nothing.
func (p *arnPattern) matches(s string, c Context) bool {
	parts, ok := splitARN(s)
	if !ok {
		return false
	}
	if !p.split {
		return p.anyWhole && p.whole.matchesIn(s, c)
	}
	// From the end, where ARNs differ.
	for i := arnParts - 1; i >= 0; i-- {
		if !p.parts[i].matchesIn(parts[i], c) {
			return false
		}
	}
	return true
}

// render returns the pattern with values in place of variables.
func (p *arnPattern) render(c Context) string {
	if !p.split {
		return p.whole.render(c)
	}
	var texts [arnParts]string
	for i := range p.parts {
		texts[i] = p.parts[i].render(c)
	}
	return strings.Join(texts[:], ":")
}

// arnTest is ArnEquals and ArnLike, which are the same.
type arnTest struct {
	patterns []arnPattern
}

func newARNTest(values []string, vars bool) (test, error) {
	t := &arnTest{make([]arnPattern, len(values))}
	for i, v := range values {
		var err error
		if t.patterns[i], err = newARNPattern(v, vars); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *arnTest) matches(got string, c Context) bool {
	for i := range t.patterns {
		if t.patterns[i].matches(got, c) {
			return true
		}
	}
	return false
}

func (t *arnTest) wanted(c Context) []string {
	all := make([]string, len(t.patterns))
	for i := range t.patterns {
		all[i] = t.patterns[i].render(c)
	}
	return all
}
