package policy_test

import (
	"testing"

	"github.com/trent-kms/trent/policy"
)

// twice has two values for the one key that should have one.
type twice struct{}

func (twice) Lookup(string) (policy.Values, bool) {
	return policy.Values{Many: []string{"blue", "red"}, Multi: true, Ambiguous: true}, true
}

// Whoever sends two values where one should be must not get past a Deny by it, nor through an Allow.
func TestAmbiguousValuesGainNothing(t *testing.T) {
	n := 0
	for _, operator := range []string{
		"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIfExists", "StringNotEqualsIfExists",
		"ForAnyValue:StringEquals", "ForAllValues:StringEquals", "ForAllValues:StringNotEquals", "ArnNotLike", "NumericLessThan",
	} {
		for _, value := range []string{"blue", "red", "green", "7"} {
			if operator == "NumericLessThan" && value != "7" {
				continue
			}
			for _, effect := range []string{"Allow", "Deny"} {
				text := `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":"kms:*","Resource":"*","Condition":{"` + operator + `":{"aws:SourceAccount":"` + value + `"}}}]}`
				p, err := policy.Parse(policy.Identity, text)
				if err != nil {
					t.Fatal(err)
				}
				r := p.Evaluate(&policy.Request{Action: "kms:Encrypt", Resource: "*", Context: twice{}})
				_, denied := r.Denied()
				_, _, allowed := r.Allowed()
				if allowed || denied != (effect == "Deny") {
					t.Errorf("%s %s %s: allowed %v, denied %v", effect, operator, value, allowed, denied)
				}
				n++
			}
		}
	}
	if n < 80 {
		t.Errorf("only %d cases", n)
	}
}
