package kms

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/caller"
)

// Wildcards match as the regular expression that they stand for.
func TestWildcardsMatchAsTheirRegularExpression(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(alphabet string, most int) string {
		var b strings.Builder
		for range r.IntN(most + 1) {
			b.WriteByte(alphabet[r.IntN(len(alphabet))])
		}
		return b.String()
	}
	matched := 0
	for range 20_000 {
		pattern, s := text("ab*?", 7), text("ab", 7)
		want := regexp.MustCompile("^" + strings.NewReplacer("*", ".*", "?", ".").Replace(pattern) + "$").MatchString(s)
		if got := matches(pattern, s); got != want {
			t.Fatalf("matches(%q, %q) is %v", pattern, s, got)
		}
		if want {
			matched++
		}
	}
	if matched < 1000 {
		t.Fatalf("only %d matched", matched)
	}
}

// FuzzParsePolicy reads any text as a key policy: it never panics, and gives a document or an error.
func FuzzParsePolicy(f *testing.F) {
	for _, seed := range []string{
		defaultPolicy("111122223333"), managedPolicy("s3", ref{account: "111122223333", region: "us-east-1"}),
		`{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["*"]},"NotAction":["kms:*"],"NotResource":"*","Condition":{"StringLike":{"a":["b",1,true]}}}]}`,
		`{"Statement":{"Effect":"Allow","Principal":null,"Action":null,"Resource":null,"Condition":null}}`, `{"Statement":[null]}`, `{"Statement":[[]]}`,
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":null},"Condition":{"a":{"b":null,"c":[]}}}}`, `{"Version":null,"Id":7}`, "[[[[", `"\ud800"`, "",
	} {
		f.Add(seed)
	}
	c := caller.RootOf("111122223333", "")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parsePolicy(text)
		if (d == nil) == (err == nil) {
			t.Fatalf("%v and %v", d, err)
		}
		if d != nil {
			d.letsChange(c, "arn:aws:kms:us-east-1:111122223333:key/x")
		}
	})
}
