package main

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// predicate writes the function that matches a whole string with the pattern of a shape, as AWS does whether or not the
// pattern has anchors. A repeated character class, which most patterns are, becomes a loop; the rest stay regular
// expressions, compiled once.
func (m *model) predicate(s *source, name string) {
	pattern := cmp.Or(m.Shapes[name].Match, m.Shapes[name].Pattern)
	if class, atLeastOne := singleClass(goPattern(pattern)); class != nil {
		s.p("func matches%s(s string) bool {\nfor _, r := range s {", name)
		s.p("switch {\ncase %s:\ndefault:\nreturn false\n}\n}", classCondition(class))
		if atLeastOne {
			s.p("return s != \"\"\n}\n")
		} else {
			s.p("return true\n}\n")
		}
		return
	}
	s.p("var pattern%s = regexp.MustCompile(%q)\n", name, `\A(?:`+goPattern(pattern)+`)\z`)
	s.p("func matches%s(s string) bool { return pattern%s.MatchString(s) }\n", name, name)
}

var javaEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// goPattern translates what Java's syntax and Go's write differently.
func goPattern(pattern string) string { return javaEscape.ReplaceAllString(pattern, `\x{$1}`) }

// singleClass returns the ranges of a pattern that is one character class repeated with + or *.
func singleClass(pattern string) (class []rune, atLeastOne bool) {
	re, err := syntax.Parse(strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$"), syntax.Perl)
	if err != nil || re.Op != syntax.OpPlus && re.Op != syntax.OpStar || re.Sub[0].Op != syntax.OpCharClass {
		return nil, false
	}
	return re.Sub[0].Rune, re.Op == syntax.OpPlus
}

func classCondition(class []rune) string {
	var ranges []string
	for i := 0; i < len(class); i += 2 {
		if class[i] == class[i+1] {
			ranges = append(ranges, fmt.Sprintf("r == %s", quoteRune(class[i])))
		} else {
			ranges = append(ranges, fmt.Sprintf("%s <= r && r <= %s", quoteRune(class[i]), quoteRune(class[i+1])))
		}
	}
	return strings.Join(ranges, ", ")
}

func quoteRune(r rune) string { return fmt.Sprintf("%+q", r) }
