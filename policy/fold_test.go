package policy

import (
	"strings"
	"testing"
)

// words differ in case alone, or in more.
func words() []string {
	return []string{
		"", "id", "ID", "İd", "ıd", "K", "k", "\u212a", "s", "S", "ſ", "ß", "ẞ", "ss", "Å", "å", "\u212b", "Σ", "σ", "ς", "ǅ", "ǆ", "Ǆ",
		"aws:PrincipalTag/İd", "AWS:principaltag/İD", "aws:principaltag/id", "é", "É", "日本", "\xff", "\ufffd",
	}
}

// Texts have the same folded form exactly if they are equal without regard to case.
func TestFoldAgreesWithEqualFold(t *testing.T) {
	same := 0
	for _, a := range words() {
		for _, b := range words() {
			want := strings.EqualFold(a, b)
			if got := Fold(a) == Fold(b); got != want {
				t.Errorf("%q and %q fold to %q and %q", a, b, Fold(a), Fold(b))
			}
			if got, _ := foldsTo(a, Fold(b)); got != want {
				t.Errorf("%q folds to %q: %v", a, Fold(b), got)
			}
			if want && a != b {
				same++
			}
		}
	}
	if same < 20 {
		t.Errorf("only %d pairs differ in case alone", same)
	}
	for _, w := range []string{"kms:EncryptionContext:Tenant", "ABCXYZ@[`{"} {
		if got := Fold(w); got != strings.ToLower(w) {
			t.Errorf("%q folds to %q", w, got)
		}
	}
}

// equalFolded is a context that compares names of keys by strings.EqualFold.
type equalFolded map[string]string

// Lookup implements Context.
func (c equalFolded) Lookup(key string) (Values, bool) {
	for name, v := range c {
		if strings.EqualFold(name, key) {
			return One(v), true
		}
	}
	return Values{}, false
}

// Whatever letters a key has, the condition on it finds it, in conditions and in variables.
func TestKeysAreFoundWhateverTheirLetters(t *testing.T) {
	for _, name := range []string{"id", "İd", "ıd", "ſ", "\u212a", "ẞ", "Σ", "ς"} {
		c := equalFolded{"kms:EncryptionContext:" + name: "blue", "test:other": "blue"}
		for _, condition := range []string{
			`{"StringEquals":{"kms:EncryptionContext:` + name + `":"blue"}}`,
			`{"StringEquals":{"test:other":"${kms:EncryptionContext:` + name + `}"}}`,
			`{"Null":{"kms:EncryptionContext:` + name + `":"false"}}`,
		} {
			p := mustParse(t, Identity, document(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":`+condition+`}`))
			r := p.Evaluate(&Request{Action: "kms:Decrypt", Resource: "*", Context: c})
			if _, denied := r.Denied(); !denied {
				t.Errorf("%s does not deny", condition)
			}
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, w := range words() {
		f.Add(w, strings.ToUpper(w))
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := Fold(a) == Fold(b), strings.EqualFold(a, b); got != want {
			t.Errorf("%q and %q: folded %q and %q", a, b, Fold(a), Fold(b))
		}
		if Fold(Fold(a)) != Fold(a) {
			t.Errorf("%q folds twice", a)
		}
		if got, _ := foldsTo(a, Fold(b)); got != (Fold(a) == Fold(b)) {
			t.Errorf("%q and %q: %v", a, b, got)
		}
	})
}
