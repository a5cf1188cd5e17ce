package policy

import "strings"

// arnParts is how many parts an ARN has: arn, partition, service, Region, account, and the rest, which may contain colons.
const arnParts = 6

// arnPattern is a pattern of an ARN.
type arnPattern struct {
	source    string
	variables bool // some part has some
	parts     [arnParts]pattern
	split     bool // parts are set
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
		p.variables = p.whole.form == variables
		p.anyWhole = source == "*" || p.variables
		return p, err
	}
	p.split = true
	for i, part := range parts {
		tokens, err := tokenize(part, true, vars)
		if err != nil {
			return p, err
		}
		p.parts[i] = newPattern(part, tokens)
		p.variables = p.variables || p.parts[i].form == variables
	}
	return p, nil
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

// match compares part by part. parts are those of s.
func (p *arnPattern) match(s string, parts *[arnParts]string, w work) (matched bool, left work) {
	if !p.split {
		if !p.anyWhole {
			return false, w - compareWork
		}
		return p.whole.match(s, w)
	}
	// From the end, where ARNs differ.
	for i := arnParts - 1; i >= 0; i-- {
		if matched, w = p.parts[i].match(parts[i], w); !matched || w < 0 {
			return false, w
		}
	}
	return true, w
}

// resolve returns the pattern with values in place of variables.
func (p *arnPattern) resolve(c Context, w work) (arnPattern, resolution, work) {
	r := arnPattern{split: p.split, anyWhole: p.anyWhole}
	var all, how resolution
	r.whole, all, w = p.whole.resolve(c, w)
	for i := range p.parts {
		r.parts[i], how, w = p.parts[i].resolve(c, w)
		all = max(all, how)
	}
	return r, all, w
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
	unknown  bool // it is not known what some of the patterns match
}

func newARNTest(values []string, vars bool) (test, error) {
	t := &arnTest{patterns: make([]arnPattern, len(values))}
	for i, v := range values {
		var err error
		if t.patterns[i], err = newARNPattern(v, vars); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// matches compares ARNs. What is none matches nothing.
func (t *arnTest) matches(got string, c Context, w work) (matched bool, left work) {
	parts, ok := splitARN(got)
	if !ok {
		return false, w - compareWork - work(len(got)>>2)
	}
	unknowns := t.unknown
	for i := range t.patterns {
		p := &t.patterns[i]
		if p.variables {
			resolved, how, left := p.resolve(c, w)
			w, unknowns = left, unknowns || how == unknown
			if how != known {
				continue
			}
			p = &resolved
		}
		if matched, w = p.match(got, &parts, w); matched || w < 0 {
			return matched, w
		}
	}
	return false, w.unless(unknowns)
}

func (t *arnTest) resolve(c Context, w work) (test, work) {
	r := &arnTest{unknown: t.unknown}
	for i := range t.patterns {
		p, how, left := t.patterns[i].resolve(c, w)
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

func (t *arnTest) wanted(c Context) []string {
	all := make([]string, len(t.patterns))
	for i := range t.patterns {
		all[i] = t.patterns[i].render(c)
	}
	return all
}
