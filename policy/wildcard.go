package policy

import (
	"math"
	"strings"
	"unicode/utf8"
)

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
	text string // of a literal; the key of a variable, folded
	name string // the key of a variable, as it was written
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
	fold   bool   // text and tokens are in small letters, and case does not matter
	text   string // for exact and prefix
	source string // as it was written
	tokens []token
}

// compileWild compiles * and ? and nothing else.
func compileWild(source string) pattern {
	return newPattern(source, appendWild(nil, source))
}

// compileFolded is compileWild for patterns of ASCII that do not look at case.
func compileFolded(source string) pattern {
	p := compileWild(strings.ToLower(source))
	p.source, p.fold = source, true
	return p
}

func newPattern(source string, tokens []token) pattern {
	p := pattern{source: source, tokens: join(tokens), form: general}
	p.simplify()
	return p
}

// simplify finds the best form.
func (p *pattern) simplify() {
	tokens := p.tokens
	for i := range tokens {
		if tokens[i].op == variable {
			p.form = variables
			return
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

// matches matches a pattern without variables, whatever it costs.
func (p *pattern) matches(s string) bool {
	matched, _ := p.match(s, math.MaxInt)
	return matched
}

// match matches a pattern without variables. What it returns is not known if no work is left.
func (p *pattern) match(s string, w work) (bool, work) {
	switch p.form {
	case exact:
		if p.fold {
			equal, cost := foldsTo(s, p.text)
			return equal, w - compareWork - cost
		}
		return s == p.text, w.compared(s, p.text, false)
	case prefix:
		return hasPrefix(s, p.text, p.fold), w.compared(s, p.text, p.fold)
	default:
		return matchTokens(p.tokens, s, p.fold, w)
	}
}

func equal(s, text string, fold bool) bool {
	if fold {
		return equalLower(s, text)
	}
	return s == text
}

func hasPrefix(s, text string, fold bool) bool {
	return len(s) >= len(text) && equal(s[:len(text)], text, fold)
}

func hasSuffix(s, text string, fold bool) bool {
	return len(s) >= len(text) && equal(s[len(s)-len(text):], text, fold)
}

// matchTokens is the usual greedy match: where it fails, the last * takes more. It never looks back further, because what
// an earlier * could take the last one can take as well. Time is at most the product of the lengths, and without ? little
// more than their sum.
func matchTokens(tokens []token, s string, fold bool, w work) (bool, work) {
	t, i := 0, 0
	star, mark := -1, 0
	for w >= 0 {
		switch {
		case t == len(tokens):
			if i == len(s) || t > 0 && tokens[t-1].op == anyRun {
				return true, w
			}
		case tokens[t].op == anyRun:
			if t+2 == len(tokens) && tokens[t+1].op == literal {
				return hasSuffix(s[i:], tokens[t+1].text, fold), w.compared(s[i:], tokens[t+1].text, fold)
			}
			star, mark = t, i
			t++
			continue
		default:
			n := tokens[t].width(s[i:], fold)
			if w = w.compared(s[i:], tokens[t].text, fold) - stepWork; n >= 0 {
				i += n
				t++
				continue
			}
		}
		if star < 0 || mark >= len(s) {
			return false, w
		}
		_, n := utf8.DecodeRuneInString(s[mark:])
		mark += n
		if n = tokens[star+1].seek(s[mark:], fold); n < 0 {
			return false, w.searched(len(s) - mark)
		}
		w = w.searched(n)
		mark += n
		t, i = star+1, mark
	}
	return false, spent
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
