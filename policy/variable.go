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
		return token{op: variable, text: strings.ToLower(name)}, end + 1, nil
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
	return token{op: variable, text: strings.ToLower(name), fallback: value, hasFallback: true}, len(s) - len(rest) + 1, nil
}

// resolve puts values in the place of variables. ok is false if one has neither a value nor a default.
func resolve(tokens []token, c Context) (resolved []token, ok bool) {
	resolved = make([]token, 0, len(tokens))
	for _, t := range tokens {
		if t.op != variable {
			resolved = append(resolved, t)
			continue
		}
		text, ok := t.value(c)
		if !ok {
			return nil, false
		}
		resolved = append(resolved, token{op: literal, text: text})
	}
	return resolved, true
}

// value returns what a context has for a variable. Keys with many values are no variables.
func (t *token) value(c Context) (string, bool) {
	if v, ok := lookup(c, t.text); ok && !v.Multi {
		return v.One, true
	}
	return t.fallback, t.hasFallback
}

// resolvable reports whether every variable of a pattern has a value or a default.
func (p *pattern) resolvable(c Context) bool {
	for i := range p.tokens {
		if t := &p.tokens[i]; t.op == variable {
			if _, ok := t.value(c); !ok {
				return false
			}
		}
	}
	return true
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
			if text, ok := t.value(c); ok {
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
