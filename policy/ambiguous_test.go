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

// pairs is a context in which b has two values, and every other key one.
type pairs map[string]string

// Lookup implements policy.Context.
func (p pairs) Lookup(key string) (policy.Values, bool) {
	if key == "kms:encryptioncontext:b" {
		return twice{}.Lookup(key)
	}
	v, ok := p[key]
	return policy.One(v), ok
}

// A variable with two values has no default, and no condition or resource with it can be got past.
func TestAmbiguousVariablesGainNothing(t *testing.T) {
	const any = `"Resource":"*"`
	condition := func(operator, value string) string {
		return any + `,"Condition":{"` + operator + `":{"kms:EncryptionContext:a":"` + value + `"}}`
	}
	n := 0
	for _, tc := range []struct {
		rule, rest string
		decided    bool // whatever the variable stands for
		matches    bool // then
	}{
		{"its value", condition("StringEquals", "${kms:EncryptionContext:b}"), false, false},
		{"its default", condition("StringEquals", "${kms:EncryptionContext:b, 'blue'}"), false, false},
		{"another default", condition("StringEquals", "${kms:EncryptionContext:b, 'green'}"), false, false},
		{"negated", condition("StringNotEquals", "${kms:EncryptionContext:b}"), false, false},
		{"negated, default", condition("StringNotEquals", "${kms:EncryptionContext:b, 'green'}"), false, false},
		{"in any case", condition("StringEqualsIgnoreCase", "${kms:EncryptionContext:b, 'blue'}"), false, false},
		{"within a text", condition("StringLike", "bl${kms:EncryptionContext:b, 'u'}*"), false, false},
		{"of a set", condition("ForAllValues:StringEquals", "${kms:EncryptionContext:b, 'blue'}"), false, false},
		{"IfExists", condition("StringEqualsIfExists", "${kms:EncryptionContext:b, 'blue'}"), false, false},
		{"of an ARN", any + `,"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:a:b:c:d:${kms:EncryptionContext:b, 'e'}"}}`, false, false},
		{"of a whole ARN", any + `,"Condition":{"ArnNotLike":{"aws:PrincipalArn":"${kms:EncryptionContext:b}"}}`, false, false},
		{"of many names", any + `,"Condition":{"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":["${kms:EncryptionContext:b, 'a'}"]}}`, false, false},
		{"of a resource", `"Resource":"arn:aws:kms:*:*:key/${kms:EncryptionContext:b, '*'}"`, false, false},
		{"of what is spared", `"NotResource":"arn:aws:kms:*:*:key/${kms:EncryptionContext:b, 'x'}"`, false, false},
		{"with another that decides, a match", any + `,"Condition":{"StringEquals":{"kms:EncryptionContext:a":["${kms:EncryptionContext:b}","blue"]}}`, true, true},
		{"with another that decides, first", any + `,"Condition":{"StringEquals":{"kms:EncryptionContext:a":["blue","${kms:EncryptionContext:b}"]}}`, true, true},
		{"with another that decides, negated", any + `,"Condition":{"StringNotEquals":{"kms:EncryptionContext:a":["${kms:EncryptionContext:b}","blue"]}}`, true, false},
		{"with another that has no value", condition("StringEquals", "${kms:EncryptionContext:b}${kms:EncryptionContext:c}"), true, false},
		{"with another resource", `"Resource":["arn:aws:kms:*:*:key/${kms:EncryptionContext:b}","arn:aws:kms:*:*:key/k"]`, true, true},
		{"of a key that is not there", any + `,"Condition":{"StringEquals":{"kms:EncryptionContext:c":"${kms:EncryptionContext:b}"}}`, true, false},
	} {
		for _, effect := range []policy.Effect{policy.Allow, policy.Deny} {
			p, err := policy.Parse(policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"`+string(effect)+`","Action":"kms:*",`+tc.rest+`}]}`)
			if err != nil {
				t.Fatalf("%s: %v", tc.rule, err)
			}
			r := p.Evaluate(&policy.Request{Action: "kms:Encrypt", Resource: "arn:aws:kms:us-east-1:111122223333:key/k", Context: several{pairs{
				"kms:encryptioncontext:a": "blue", "aws:principalarn": "arn:a:b:c:d:e",
			}}})
			_, denied := r.Denied()
			_, _, allowed := r.Allowed()
			want := effect == policy.Deny
			if tc.decided {
				want = tc.matches
			}
			if denied != (want && effect == policy.Deny) || allowed != (want && effect == policy.Allow) {
				t.Errorf("%s, %s: allowed %v, denied %v", effect, tc.rule, allowed, denied)
			}
			n++
		}
	}
	if n < 40 {
		t.Errorf("only %d cases", n)
	}
}

// several is a context with a key of many values besides.
type several struct{ pairs }

// Lookup implements policy.Context.
func (s several) Lookup(key string) (policy.Values, bool) {
	if key == "kms:encryptioncontextkeys" {
		return policy.Many([]string{"a", "b"}), true
	}
	return s.pairs.Lookup(key)
}
