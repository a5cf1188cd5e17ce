package policy

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// seeds are documents of all kinds, good and bad.
func seeds(f *testing.F) {
	f.Helper()
	for _, r := range refusals() {
		if len(r.text) < 4096 {
			f.Add(uint8(r.kind), r.text)
		}
	}
	f.Add(uint8(Key), fiveStatements)
	c := chance{rand.New(rand.NewPCG(1, 1))}
	for range 20 {
		kind, p := c.document()
		f.Add(uint8(kind), p.Text())
	}
}

// Any text is refused with a reason or understood, and understood in the same way again.
func FuzzParse(f *testing.F) {
	seeds(f)
	c := chance{rand.New(rand.NewPCG(2, 2))}
	r := c.request()
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		p, err := Parse(Kind(kind%6), text)
		findings := Lint(Kind(kind%6), text)
		if err != nil {
			var m *Malformed
			if p != nil || !errors.As(err, &m) || m.Detail == "" || len(findings) != 1 || findings[0].Code != m.Reason.String() {
				t.Fatalf("%q: %v, %v, %v", text, p, err, findings)
			}
			return
		}
		again := mustParse(t, p.Kind(), p.Text())
		if again.Text() != text || again.Evaluate(r) != p.Evaluate(r) || p.Evaluate(r) != traced(p.Trace(r)) {
			t.Fatalf("%q is understood in two ways", text)
		}
		p.Keys()
		for i := range p.Len() {
			if _, err := readTree(p.Statement(i)); err != nil {
				t.Fatalf("statement %d is %q: %v", i, p.Statement(i), err)
			}
		}
	})
}

// Deny wins; a Deny added never allows; an Allow taken away never allows.
func FuzzEvaluate(f *testing.F) {
	for i := range uint64(20) {
		f.Add(uint8(Key), fiveStatements, i)
		c := chance{rand.New(rand.NewPCG(i, 3))}
		kind, p := c.document()
		f.Add(uint8(kind), p.Text(), i)
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string, seed uint64) {
		p, err := Parse(Kind(kind%6), text)
		if err != nil {
			return
		}
		c := chance{rand.New(rand.NewPCG(seed, 5))}
		for range 4 {
			r := c.request()
			laws(t, p, r, c.statement(p.Kind()))
		}
	})
}

// laws checks what holds of every document and request, with any statement added to it.
func laws(t *testing.T, p *Policy, r *Request, added string) {
	t.Helper()
	before, was := p.Evaluate(r), allowed(p, r)
	text, err := AppendStatement(p.Text(), added)
	if err != nil {
		t.Fatalf("adding %s to %s: %v", added, p.Text(), err)
	}
	if more, err := Parse(p.Kind(), text); err == nil {
		last := more.statements[more.Len()-1]
		if last.deny && !was && allowed(more, r) {
			t.Fatalf("%s\nallows more with %s", p.Text(), added)
		}
		if _, denied := before.Denied(); denied && allowed(more, r) {
			t.Fatalf("%s\ndenies no more with %s", p.Text(), added)
		}
	}
	for i := range p.statements {
		if p.statements[i].deny {
			continue
		}
		fewer := &Policy{kind: p.kind, text: p.text, statements: append(append([]statement{}, p.statements[:i]...), p.statements[i+1:]...)}
		if !was && allowed(fewer, r) {
			t.Fatalf("%s\nallows more without statement %d", p.Text(), i)
		}
	}
}

// Names are replaced and put back, and nothing else changes.
func FuzzRewrite(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		same, err := RewritePrincipals(text, func(_, name string) string { return name })
		if err != nil {
			return
		}
		if same != text {
			t.Fatalf("%q became %q", text, same)
		}
		there, err := RewritePrincipals(text, func(_, name string) string { return "x" + name })
		if err != nil {
			t.Fatal(err)
		}
		back, err := RewritePrincipals(there, func(_, name string) string { return name[1:] })
		if err != nil {
			t.Fatal(err)
		}
		again, err := RewritePrincipals(back, func(_, name string) string { return "x" + name })
		if err != nil || again != there {
			t.Fatalf("%q became %q, %q and %q (%v)", text, there, back, again, err)
		}
		if p, err := Parse(Kind(kind%6), text); err == nil {
			exempted(t, p)
			dropped(t, p)
		}
	})
}

// dropped checks that a document without some principals is valid, and names none of them but where a statement names nobody
// else.
func dropped(t *testing.T, p *Policy) {
	t.Helper()
	for _, gone := range []func(string) bool{func(string) bool { return false }, func(n string) bool { return len(n)%2 == 0 }, func(string) bool { return true }} {
		text, _, err := DropPrincipals(p.Text(), func(_, name string) bool { return gone(name) })
		if errors.Is(err, errNobodyLeft) {
			continue
		} else if err != nil {
			t.Fatalf("%s: %v", p.Text(), err)
		}
		after := mustParse(t, p.Kind(), text)
		again, _, err := DropPrincipals(text, func(_, name string) bool { return gone(name) })
		if err != nil || again != text || after.Len() != p.Len() {
			t.Fatalf("%s became %s and %s (%v)", p.Text(), text, again, err)
		}
	}
}

// exempted checks that a principal can be exempted from any denying statement, and that the result is valid.
func exempted(t *testing.T, p *Policy) {
	t.Helper()
	for i := range p.statements {
		text, err := ExemptPrincipal(p.Text(), i, session().Role)
		if err != nil {
			if p.statements[i].deny {
				t.Fatalf("%s: statement %d: %v", p.Text(), i, err)
			}
			continue
		}
		after := mustParse(t, p.Kind(), text)
		r := &Request{Context: keys{"aws:principalarn": One(session().Role)}}
		if after.statements[i].matchConditions(r.Context) {
			t.Fatalf("%s\nstatement %d still applies", text, i)
		}
	}
}
