package policy

import (
	"strings"
	"unicode/utf8"
)

// MatchWildcard reports whether s matches a pattern, in which * stands for any number of characters and ? for one.
// It compares case. Memory is linear in the pattern, time at most the product of the lengths.
func MatchWildcard(pattern, s string) bool {
	p := compileWild(pattern)
	return p.matches(s)
}

// MatchARN reports whether an ARN matches a pattern, comparing the six parts of both separately, so that * and ? do not
// stand for the colons between the first five parts. "*" matches every ARN.
func MatchARN(pattern, s string) bool {
	p := literalARN(pattern)
	return p.matches(s, nil)
}

// op is what a token of a pattern stands for.
type op uint8

const (
	literal  op = iota
	anyRun      // *
	anyOne      // ?
	variable    // ${key}
)

// token is a piece of a pattern.
type token struct {
	op   op
	text string // of a literal; the key of a variable, in lower case
	// fallback stands in for a variable without a value, if it has one.
	fallback    string
	hasFallback bool
}

// form says how a pattern is best matched.
type form uint8

const (
	exact     form = iota // equal to text
	prefix                // begins with text
	general               // tokens
	variables             // tokens, among them variables
)

// pattern is a compiled pattern.
type pattern struct {
	form   form
	fold   bool   // text and tokens are in lower case, and case does not matter
	text   string // for exact and prefix
	source string // as it was written
	tokens []token
}

// compileWild compiles * and ? and nothing else.
func compileWild(source string) pattern {
	return newPattern(source, appendWild(nil, source))
}

// compileFolded is compileWild for patterns that do not look at case.
func compileFolded(source string) pattern {
	p := compileWild(strings.ToLower(source))
	p.source, p.fold = source, true
	return p
}

func newPattern(source string, tokens []token) pattern {
	tokens = join(tokens)
	p := pattern{source: source, tokens: tokens, form: general}
	for _, t := range tokens {
		if t.op == variable {
			p.form = variables
			return p
		}
	}
	switch {
	case len(tokens) == 0:
		p.form = exact
	case len(tokens) == 1 && tokens[0].op == literal:
		p.form, p.text = exact, tokens[0].text
	case len(tokens) == 1 && tokens[0].op == anyRun:
		p.form = prefix
	case len(tokens) == 2 && tokens[0].op == literal && tokens[1].op == anyRun:
		p.form, p.text = prefix, tokens[0].text
	}
	return p
}

// appendWild splits text at * and ?.
func appendWild(tokens []token, text string) []token {
	for text != "" {
		i := strings.IndexAny(text, "*?")
		if i < 0 {
			return appendLiteral(tokens, text)
		}
		tokens = appendLiteral(tokens, text[:i])
		if text[i] == '?' {
			tokens = append(tokens, token{op: anyOne})
		} else if n := len(tokens); n == 0 || tokens[n-1].op != anyRun {
			tokens = append(tokens, token{op: anyRun})
		}
		text = text[i+1:]
	}
	return tokens
}

// appendLiteral adds text that stands for itself.
func appendLiteral(tokens []token, text string) []token {
	if text == "" {
		return tokens
	}
	return append(tokens, token{op: literal, text: text})
}

// join makes one literal of neighbours, in linear time however many there are.
func join(tokens []token) []token {
	joined := tokens[:0]
	for i := 0; i < len(tokens); {
		n := i
		for n < len(tokens) && tokens[n].op == literal {
			n++
		}
		if n-i < 2 {
			joined = append(joined, tokens[i])
			i++
			continue
		}
		joined = append(joined, token{op: literal, text: concat(tokens[i:n])})
		i = n
	}
	return joined
}

// concat returns the text of literals.
func concat(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.text)
	}
	return b.String()
}

// matches matches a pattern without variables.
func (p *pattern) matches(s string) bool {
	switch p.form {
	case exact:
		return equal(s, p.text, p.fold)
	case prefix:
		return hasPrefix(s, p.text, p.fold)
	default:
		return matchTokens(p.tokens, s, p.fold)
	}
}

// matchesIn matches a pattern whose variables a context knows. A pattern with a variable that has no value matches nothing.
func (p *pattern) matchesIn(s string, c Context) bool {
	if p.form != variables {
		return p.matches(s)
	}
	tokens, ok := resolve(p.tokens, c)
	return ok && matchTokens(tokens, s, p.fold)
}

func equal(s, text string, fold bool) bool {
	if fold {
		return strings.EqualFold(s, text)
	}
	return s == text
}

func hasPrefix(s, text string, fold bool) bool {
	return len(s) >= len(text) && equal(s[:len(text)], text, fold)
}

// matchTokens is the usual greedy match: where it fails, the last * takes more. It never looks back further, because what
// an earlier * could take the last one can take as well.
func matchTokens(tokens []token, s string, fold bool) bool {
	t, i := 0, 0
	star, mark := -1, 0
	for {
		switch {
		case t == len(tokens):
			if i == len(s) || t > 0 && tokens[t-1].op == anyRun {
				return true
			}
		case tokens[t].op == anyRun:
			star, mark = t, i
			t++
			continue
		default:
			if n := tokens[t].width(s[i:], fold); n >= 0 {
				i += n
				t++
				continue
			}
		}
		if star < 0 || mark >= len(s) {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[mark:])
		mark += n
		if n = tokens[star+1].seek(s[mark:], fold); n < 0 {
			return false
		}
		mark += n
		t, i = star+1, mark
	}
}

// width returns how much of the beginning of s a token takes, -1 if it does not match.
func (t *token) width(s string, fold bool) int {
	switch {
	case t.op == anyOne && s != "":
		_, n := utf8.DecodeRuneInString(s)
		return n
	case t.op == literal && hasPrefix(s, t.text, fold):
		return len(t.text)
	}
	return -1
}

// seek returns how far into s a token may first match, -1 for nowhere.
func (t *token) seek(s string, fold bool) int {
	if t.op != literal || fold {
		return 0
	}
	return strings.Index(s, t.text)
}
