package policy

import (
	"errors"
	"strings"
)

// Policy variables are ${key}, ${key, 'default'}, and ${*}, ${?} and ${$} for the characters themselves (IAM User Guide,
// "IAM policy elements: Variables and tags"). What stands for a variable is text: a * in it is no wildcard.

var (
	errOpenVariable  = errors.New("a policy variable has no closing brace")
	errEmptyVariable = errors.New("a policy variable has no name")
	errDefault       = errors.New("the default value of a policy variable is not in single quotation marks")
)

// appendVariables splits text at variables, and what is between them at * and ? if wild is set.
func appendVariables(tokens []token, text string, wild bool) ([]token, error) {
	for {
		before, rest, found := strings.Cut(text, "${")
		if wild {
			tokens = appendWild(tokens, before)
		} else {
			tokens = appendLiteral(tokens, before)
		}
		if !found {
			return tokens, nil
		}
		t, n, err := cutVariable(rest)
		if err != nil {
			return nil, err
		}
		if t.op == literal {
			tokens = appendLiteral(tokens, t.text)
		} else {
			tokens = append(tokens, t)
		}
		text = rest[n:]
	}
}

// cutVariable reads a variable after its opening brace, and returns how long it is with the closing one.
func cutVariable(s string) (token, int, error) {
	end := strings.IndexAny(s, ",}")
	if end < 0 {
		return token{}, 0, errOpenVariable
	}
	name := strings.TrimSpace(s[:end])
	if name == "" {
		return token{}, 0, errEmptyVariable
	}
	if s[end] == '}' {
		if name == "*" || name == "?" || name == "$" {
			return token{op: literal, text: name}, end + 1, nil
		}
		return token{op: variable, text: Fold(name), name: name}, end + 1, nil
	}
	value, ok := strings.CutPrefix(strings.TrimLeft(s[end+1:], " "), "'")
	if !ok {
		return token{}, 0, errDefault
	}
	value, rest, ok := strings.Cut(value, "'")
	rest = strings.TrimLeft(rest, " ")
	if !ok || !strings.HasPrefix(rest, "}") {
		return token{}, 0, errDefault
	}
	return token{op: variable, text: Fold(name), name: name, fallback: value, hasFallback: true}, len(s) - len(rest) + 1, nil
}

// resolution is what became of the variables of a pattern.
type resolution uint8

const (
	known     resolution = iota // the pattern has none any more
	unknown                     // one has two values where one should be, or no work is left
	valueless                   // one has neither a value nor a default: the pattern matches nothing, whatever the others are
)

// resolve returns a pattern with values in place of its variables. Literals that have become neighbours are one: what is
// to be matched is no more complicated than what was written.
func (p *pattern) resolve(c Context, w work) (pattern, resolution, work) {
	if p.form != variables {
		return *p, known, w
	}
	if len(p.tokens) == 1 {
		text, how := p.tokens[0].value(c)
		return pattern{form: exact, text: text, fold: p.fold}, how, w - lookupWork
	}
	tokens, all := make([]token, 0, len(p.tokens)), known
	for i := range p.tokens {
		t := &p.tokens[i]
		if w -= stepWork; t.op != variable {
			tokens = append(tokens, *t)
			continue
		}
		text, how := t.value(c)
		switch w = (w - lookupWork).joined(len(text)); {
		case w < 0:
			return pattern{}, unknown, spent
		case how == valueless:
			return pattern{}, valueless, w
		}
		all = max(all, how)
		tokens = appendLiteral(tokens, text)
	}
	if all != known {
		return pattern{}, all, w
	}
	r := pattern{form: general, tokens: join(tokens), fold: p.fold}
	r.simplify()
	return r, known, w
}

// value returns what a context has for a variable. Keys with many values are no variables; one that has them and should
// have one has no default either.
func (t *token) value(c Context) (string, resolution) {
	v, ok := lookup(c, t.text)
	switch {
	case ok && v.Ambiguous:
		return "", unknown
	case ok && !v.Multi:
		return v.One, known
	case t.hasFallback:
		return t.fallback, known
	}
	return "", valueless
}

// render returns a pattern with values in place of its variables, as far as there are any, for people to read.
func (p *pattern) render(c Context) string {
	if p.form != variables {
		return p.source
	}
	var b strings.Builder
	for _, t := range p.tokens {
		switch t.op {
		case anyRun:
			b.WriteByte('*')
		case anyOne:
			b.WriteByte('?')
		case literal:
			b.WriteString(t.text)
		case variable:
			if text, how := t.value(c); how == known {
				b.WriteString(text)
			} else {
				b.WriteString("${" + t.text + "}")
			}
		}
	}
	return b.String()
}

// lookup asks a context, which may be nil. A set without members cannot be told from an absent one: IAM calls both null.
func lookup(c Context, key string) (Values, bool) {
	if c == nil {
		return Values{}, false
	}
	v, ok := c.Lookup(key)
	if !ok || v.Multi && len(v.Many) == 0 {
		return Values{}, false
	}
	return v, true
}
