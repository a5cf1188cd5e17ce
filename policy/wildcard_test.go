package policy

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

// matchWildcard reports whether s matches a pattern without variables.
func matchWildcard(pattern, s string) bool {
	p := compileWild(pattern)
	return p.matches(s)
}

// matchARN reports whether an ARN matches a pattern without variables, part by part.
func matchARN(pattern, s string) bool {
	t, _ := newARNTest([]string{pattern}, false) // only variables can be wrong
	matched, _ := t.matches(s, nil, maxWork)
	return matched
}

func TestMatchWildcard(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "a", true},
		{"a", "A", false},
		{"a", "ab", false},
		{"*", "", true},
		{"*", "anything:at/all", true},
		{"**", "x", true},
		{"?", "", false},
		{"?", "a", true},
		{"?", "ab", false},
		{"?", "é", true},
		{"??", "é", false},
		{"*?", "é", true},
		{"*??", "é", false},
		{"???", "日本語", true},
		{"a*", "a", true},
		{"a*", "abc", true},
		{"a*", "ba", false},
		{"*c", "abc", true},
		{"*c", "abcd", false},
		{"*c", "ccc", true},
		{"a*c", "ac", true},
		{"a*c", "abcbc", true},
		{"a*c", "abcb", false},
		{"*b*", "abc", true},
		{"*b*", "ac", false},
		{"a*b*c", "a1b2b3c", true},
		{"a*b?c", "abbxc", true},
		{"a*b?c", "abc", false},
		{"*ab*ab", "abab", true},
		{"*ab*ab", "aba", false},
		{"arn:*:key/*", "arn:aws:kms:us-east-1:1:key/x", true},
		{"${*}", "${anything}", true},
	} {
		if got := matchWildcard(tc.pattern, tc.s); got != tc.want {
			t.Errorf("%q matches %q: %v, want %v", tc.pattern, tc.s, got, tc.want)
		}
	}
}

// The reference is a regular expression, which says the same in another language.
func TestMatchWildcardAgreesWithRegexp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(alphabet string, n int) string {
		var b strings.Builder
		letters := []rune(alphabet)
		for range r.IntN(n) {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	matched := 0
	for range 20_000 {
		pattern, s := draw("ab:é*?*", 9), draw("ab:é", 12)
		quoted := regexp.QuoteMeta(pattern)
		re := regexp.MustCompile(`(?s)^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(quoted) + `$`)
		want := re.MatchString(s)
		if got := matchWildcard(pattern, s); got != want {
			t.Fatalf("%q matches %q: %v, want %v", pattern, s, got, want)
		}
		folded := compileFolded(pattern)
		if got := folded.matches(strings.ToUpper(s)); got != want && !strings.Contains(pattern+s, "é") { // actions are ASCII
			t.Fatalf("%q matches %q without regard to case: %v, want %v", pattern, s, got, want)
		}
		if want {
			matched++
		}
	}
	if matched < 2000 {
		t.Fatalf("only %d patterns matched", matched)
	}
}

func TestMatchARN(t *testing.T) {
	for _, tc := range []struct {
		rule, pattern, s string
		want             bool
	}{
		{"equal", key, key, true},
		{"everything", "*", key, true},
		{"everything is still an ARN", "*", "alice", false},
		{"last part", "arn:aws:kms:us-east-1:111122223333:key/*", key, true},
		{"any account", "arn:aws:kms:*:*:key/*", key, true},
		{"a wildcard does not stand for a colon", "arn:aws:kms:*:key/*", key, false},
		{"but in the last part it does", "arn:aws:sns:us-east-1:111122223333:*", "arn:aws:sns:us-east-1:111122223333:a:b", true},
		{"one character", "arn:aws:iam::11112222333?:root", "arn:aws:iam::111122223333:root", true},
		{"one character is not a colon", "arn:aws:iam?:111122223333:root", "arn:aws:iam::111122223333:root", false},
		{"parts have to be there", "arn:aws:iam:::root", "arn:aws:iam::111122223333:root", false},
		{"case counts", "arn:aws:iam::111122223333:ROOT", "arn:aws:iam::111122223333:root", false},
		{"not an ARN", "alice", "alice", false},
		{"five parts are not an ARN", "arn:aws:iam::root", "arn:aws:iam::root", false},
		{"a prefix is no ARN pattern", "arn:aws:iam*", "arn:aws:iam::111122223333:root", false},
	} {
		if got := matchARN(tc.pattern, tc.s); got != tc.want {
			t.Errorf("%s: %q matches %q: %v, want %v", tc.rule, tc.pattern, tc.s, got, tc.want)
		}
	}
}

// Patterns that make careless matchers take exponential time. The bound is far above what is needed, and far below what
// such a matcher would take.
func TestWildcardsTakeLittleTime(t *testing.T) {
	start := time.Now()
	s := strings.Repeat("a", 8<<10)
	for _, pattern := range []string{
		strings.Repeat("*a", 4<<10) + "b",
		strings.Repeat("*", 16<<10) + "b",
		strings.Repeat("?*", 4<<10) + "b",
		strings.Repeat("*?a", 2<<10) + "b",
		"*" + strings.Repeat("a", 4<<10) + "b",
		"*?" + strings.Repeat("a", 4<<10) + "b",
	} {
		if matchWildcard(pattern, s) {
			t.Errorf("%.20q… matches", pattern)
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	// The worst document that Parse takes: all of the question marks that it may have.
	long := `"*?` + strings.Repeat("a", 60) + `b"`
	p := mustParse(t, Identity, document(conditional(Allow, "StringLike", "test:Key", "["+strings.Repeat(long+",", maxWildcards-1)+long+"]")))
	start = time.Now()
	p.Evaluate(&Request{Action: "kms:Encrypt", Resource: "*", Context: keys{"test:key": One(s)}})
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the worst document took %v", took)
	}
}
