package policy

import (
	"fmt"
	"testing"
)

// sample has one value in a policy, one in a request that matches it, and one that does not.
type sample struct{ operator, policy, match, differ string }

// samples has every operator that looks at values. Negated operators have the samples of their positive forms.
func samples() []sample {
	return []sample{
		{"StringEquals", `"blue"`, "blue", "Blue"},
		{"StringNotEquals", `"blue"`, "blue", "Blue"},
		{"StringEqualsIgnoreCase", `"blue"`, "BLUE", "red"},
		{"StringNotEqualsIgnoreCase", `"blue"`, "BLUE", "red"},
		{"StringLike", `"b*e"`, "blue", "red"},
		{"StringNotLike", `"b*e"`, "blue", "red"},
		{"ArnEquals", `"arn:aws:iam::*:role/a?p"`, "arn:aws:iam::111122223333:role/app", "arn:aws:iam::111122223333:role/web"},
		{"ArnLike", `"arn:aws:iam::*:role/a?p"`, "arn:aws:iam::111122223333:role/app", "arn:aws:iam::111122223333:role/web"},
		{"ArnNotEquals", `"arn:aws:iam::*:role/a?p"`, "arn:aws:iam::111122223333:role/app", "app"},
		{"ArnNotLike", `"arn:aws:iam::*:role/a?p"`, "arn:aws:iam::111122223333:role/app", "app"},
		{"NumericEquals", `10`, "10.0", "11"},
		{"NumericNotEquals", `"10"`, "+010", "ten"},
		{"NumericLessThan", `"10"`, "9.99", "10"},
		{"NumericLessThanEquals", `"10"`, "10.00", "10.01"},
		{"NumericGreaterThan", `"10"`, "10.01", "10"},
		{"NumericGreaterThanEquals", `"10"`, "10", "-11"},
		{"DateEquals", `"2026-01-31T12:00:00Z"`, "1769860800", "2026-01-31T12:00:01Z"},
		{"DateNotEquals", `"2026-01-31T12:00:00Z"`, "2026-01-31T13:00:00+01:00", "yesterday"},
		{"DateLessThan", `"2026-01-31"`, "2026-01-30T23:59:59.9Z", "2026-01-31T00:00:00Z"},
		{"DateLessThanEquals", `"2026-01-31"`, "2026-01-31T00:00Z", "2026-02"},
		{"DateGreaterThan", `"2026-01"`, "2026-01-01T00:00:01Z", "2026-01-01"},
		{"DateGreaterThanEquals", `0`, "1970-01-01T00:00:00Z", "-1"},
		{"Bool", `true`, "True", "false"},
		{"BinaryEquals", `"a2V5"`, "a2V5", "a2V6"},
		{"IpAddress", `"203.0.113.0/24"`, "::ffff:203.0.113.7", "203.0.114.7"},
		{"NotIpAddress", `"2001:db8::/32"`, "2001:db8:1::1", "kms.amazonaws.com"},
	}
}

// verdict is what a request makes of a condition, by operators as they are and by negated ones.
type verdict struct {
	request           string
	plain             [2]bool // without a set operator: positive, negated
	plainIfExists     [2]bool
	all, allIfExists  [2]bool // ForAllValues
	some, anyIfExists [2]bool // ForAnyValue
}

// verdicts is the truth table of authorization.md §8.5. M is a value that matches the policy's, D one that does not.
func verdicts() []verdict {
	both, neither, is, not := [2]bool{true, true}, [2]bool{}, [2]bool{true, false}, [2]bool{false, true}
	return []verdict{
		// The key is absent: a positive operator is false, a negated one true, IfExists true, all of nothing true, any false.
		{"", not, both, both, both, neither, both},
		{"[]", not, both, both, both, neither, both},
		// One value.
		{"M", is, is, is, is, is, is},
		{"D", not, not, not, not, not, not},
		// Several values need a set operator.
		{"[M]", neither, neither, is, is, is, is},
		{"[D]", neither, neither, not, not, not, not},
		{"[M M]", neither, neither, is, is, is, is},
		{"[D D]", neither, neither, not, not, not, not},
		{"[M D]", neither, neither, neither, neither, both, both},
		{"[D M]", neither, neither, neither, neither, both, both},
		{"[D D M]", neither, neither, neither, neither, both, both},
	}
}

func (s sample) context(request string) keys {
	many := func(v ...string) keys { return keys{"test:key": Many(v)} }
	switch request {
	case "":
		return keys{}
	case "[]":
		return many()
	case "M":
		return keys{"test:key": One(s.match)}
	case "D":
		return keys{"test:key": One(s.differ)}
	case "[M]":
		return many(s.match)
	case "[D]":
		return many(s.differ)
	case "[M M]":
		return many(s.match, s.match)
	case "[D D]":
		return many(s.differ, s.differ)
	case "[M D]":
		return many(s.match, s.differ)
	case "[D M]":
		return many(s.differ, s.match)
	}
	return many(s.differ, s.differ, s.match)
}

// conditional is a statement with one condition.
func conditional(effect Effect, operator, key, values string) string {
	return fmt.Sprintf(`{"Effect":%q,"Action":"*","Resource":"*","Condition":{%q:{%q:%s}}}`, effect, operator, key, values)
}

// holds reports whether a condition lets its statement apply.
func holds(t *testing.T, operator, key, values string, context Context) bool {
	t.Helper()
	r := &Request{Action: "kms:Decrypt", Resource: "*", Context: context}
	got := allowed(mustParse(t, Identity, document(conditional(Allow, operator, key, values))), r)
	result := mustParse(t, Identity, document(conditional(Deny, operator, key, values))).Evaluate(r)
	if _, denied := result.Denied(); denied != got {
		t.Errorf("%s %s of %s: Allow applies: %v, Deny: %v", operator, key, values, got, denied)
	}
	return got
}

func TestConditionOperators(t *testing.T) {
	cells := 0
	negated := map[string]bool{}
	for _, o := range operators() {
		negated[o.name] = o.negated
	}
	if want := len(operators()) - 1; len(samples()) != want { // but for Null
		t.Fatalf("there are samples for %d operators of %d", len(samples()), want)
	}
	for _, s := range samples() {
		for _, v := range verdicts() {
			for operator, want := range map[string][2]bool{
				s.operator:                                v.plain,
				s.operator + "IfExists":                   v.plainIfExists,
				"ForAllValues:" + s.operator:              v.all,
				"ForAllValues:" + s.operator + "IfExists": v.allIfExists,
				"ForAnyValue:" + s.operator:               v.some,
				"ForAnyValue:" + s.operator + "IfExists":  v.anyIfExists,
			} {
				i := 0
				if negated[s.operator] {
					i = 1
				}
				if got := holds(t, operator, "test:Key", s.policy, s.context(v.request)); got != want[i] {
					t.Errorf("%s of %s on %q: %v, want %v", operator, s.policy, v.request, got, want[i])
				}
				cells++
			}
		}
	}
	if cells < 1000 {
		t.Fatalf("the truth table has only %d cells", cells)
	}
}

func TestNull(t *testing.T) {
	one, many, empty := keys{"test:key": One("")}, keys{"test:key": Many([]string{"a"})}, keys{"test:key": Many(nil)}
	for _, tc := range []struct {
		values  string
		context Context
		want    bool
	}{
		{`"true"`, nil, true},
		{`"true"`, keys{}, true},
		{`true`, keys{}, true},
		{`"TRUE"`, keys{}, true},
		{`"true"`, empty, true},
		{`"true"`, one, false},
		{`"true"`, many, false},
		{`"false"`, keys{}, false},
		{`false`, empty, false},
		{`"false"`, one, true},
		{`false`, many, true},
		{`["true","false"]`, one, true},
		{`["true","false"]`, keys{}, true},
	} {
		if got := holds(t, "Null", "test:Key", tc.values, tc.context); got != tc.want {
			t.Errorf("Null of %s in %v: %v, want %v", tc.values, tc.context, got, tc.want)
		}
	}
}

// The values of one key are alternatives: one of them suffices, and none of them may be there for a negated operator.
func TestConditionValuesAreAlternatives(t *testing.T) {
	for _, tc := range []struct {
		operator, values, request string
		want                      bool
	}{
		{"StringEquals", `["a","b"]`, "b", true},
		{"StringEquals", `["a","b"]`, "c", false},
		{"StringNotEquals", `["a","b"]`, "b", false},
		{"StringNotEquals", `["a","b"]`, "c", true},
		{"StringLike", `["a*","b*"]`, "bc", true},
		{"ArnLike", `["arn:aws:iam::1:*","arn:aws:iam::2:*"]`, "arn:aws:iam::2:x", true},
		{"NumericEquals", `[1,2]`, "2", true},
		{"NumericNotEquals", `[1,2]`, "2", false},
		{"NumericLessThan", `[1,5]`, "3", true},
		{"DateEquals", `[1,2]`, "2", true},
		{"Bool", `["true","false"]`, "false", true},
		{"BinaryEquals", `["YQ==","Yg=="]`, "Yg==", true},
		{"IpAddress", `["10.0.0.0/8","192.0.2.1"]`, "192.0.2.1", true},
		{"NotIpAddress", `["10.0.0.0/8","192.0.2.1"]`, "10.1.1.1", false},
	} {
		if got := holds(t, tc.operator, "test:Key", tc.values, keys{"test:key": One(tc.request)}); got != tc.want {
			t.Errorf("%s of %s on %q: %v, want %v", tc.operator, tc.values, tc.request, got, tc.want)
		}
	}
}

// Operators and keys are joined by and; names of operators and keys do not look at case.
func TestConditionsAreJoined(t *testing.T) {
	text := document(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
		"StringEquals":{"test:A":"1","test:B":"2"},"stringlike":{"TEST:a":"1*"},"forAnyValue:StringEqualsIFEXISTS":{"test:C":"3"}}}`)
	p := mustParse(t, Identity, text)
	for _, tc := range []struct {
		rule    string
		context keys
		want    bool
	}{
		{"all hold", keys{"test:a": One("1"), "test:b": One("2")}, true},
		{"all hold, with the optional one", keys{"test:a": One("1"), "test:b": One("2"), "test:c": Many([]string{"3"})}, true},
		{"the optional one does not", keys{"test:a": One("1"), "test:b": One("2"), "test:c": Many([]string{"4"})}, false},
		{"one key lacks", keys{"test:a": One("1")}, false},
		{"one key differs", keys{"test:a": One("1"), "test:b": One("3")}, false},
		{"the other operator fails", keys{"test:a": One("2"), "test:b": One("2")}, false},
	} {
		if got := allowed(p, &Request{Action: "kms:Sign", Resource: "*", Context: tc.context}); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.rule, got, tc.want)
		}
	}
}

// Single values, compared as their family compares.
func TestValues(t *testing.T) {
	for _, tc := range []struct {
		rule, operator, values, request string
		want                            bool
	}{
		{"wildcards are plain characters", "StringEquals", `"a*"`, "ab", false},
		{"wildcards are plain characters", "StringEquals", `"a*"`, "a*", true},
		{"case folds beyond ASCII", "StringEqualsIgnoreCase", `"straße"`, "STRAßE", true},
		{"an empty string is a value", "StringEquals", `""`, "", true},
		{"an empty string is a value", "StringLike", `"?*"`, "", false},
		{"numbers in JSON are values", "StringEquals", `1.50`, "1.50", true},
		{"booleans in JSON are values", "StringEquals", `true`, "true", true},
		{"integers are exact", "NumericEquals", `"9007199254740993"`, "9007199254740992", false},
		{"integers are exact", "NumericGreaterThan", `"9007199254740992"`, "9007199254740993", true},
		{"decimals are exact", "NumericEquals", `"0.1"`, "0.1000000000000000055", false},
		{"zero has no sign", "NumericEquals", `"-0"`, "0.0", true},
		{"negative numbers", "NumericLessThan", `"-1"`, "-1.5", true},
		{"negative numbers", "NumericLessThan", `"-1.5"`, "-1", false},
		{"negative and positive", "NumericLessThan", `"0.5"`, "-3", true},
		{"positive and negative", "NumericGreaterThan", `"-3"`, "0.5", true},
		{"long and short", "NumericLessThan", `"100"`, "99", true},
		{"short and long", "NumericGreaterThan", `"99"`, "100", true},
		{"no exponents", "NumericEquals", `"1000"`, "1e3", false},
		{"no blanks", "NumericEquals", `"1"`, " 1", false},
		{"no number at all", "NumericLessThan", `"1"`, "", false},
		{"a lone sign", "NumericLessThan", `"1"`, "-", false},
		{"no digits after the dot", "NumericLessThan", `"2"`, "1.", false},
		{"four digits are seconds", "DateEquals", `"2026"`, "1970-01-01T00:33:46Z", true},
		{"fractions of seconds", "DateLessThan", `"1.5"`, "1970-01-01T00:00:01.499Z", true},
		{"negative fractions", "DateGreaterThan", `"-1.5"`, "-1.4", true},
		{"a time needs a zone", "DateEquals", `"2026-01-31T12:00:00Z"`, "2026-01-31T12:00:00", false},
		{"no such day", "DateGreaterThan", `"2026-01-01"`, "2026-02-30T00:00:00Z", false},
		{"no such month", "DateGreaterThan", `"2026-01-01"`, "2026-13", false},
		{"far too long for seconds", "DateGreaterThan", `"0"`, "99999999999999999999", false},
		{"host bits do not count", "IpAddress", `"10.1.2.3/8"`, "10.9.9.9", true},
		{"an address alone", "IpAddress", `"192.0.2.1"`, "192.0.2.2", false},
		{"IPv4 in IPv6 in the policy", "IpAddress", `"::ffff:192.0.2.0/120"`, "192.0.2.9", true},
		{"IPv6 is not IPv4", "IpAddress", `"0.0.0.0/0"`, "2001:db8::1", false},
		{"zones are no part of an address", "IpAddress", `"fe80::/10"`, "fe80::1%eth0", false},
		{"no address at all", "IpAddress", `"0.0.0.0/0"`, "s3.amazonaws.com", false},
		{"no boolean at all", "Bool", `"false"`, "no", false},
		{"base64 is compared as it is", "BinaryEquals", `"YQ=="`, "YQ", false},
		{"every ARN", "ArnLike", `"*"`, "arn:aws:iam::1:x", true},
		{"not an ARN", "ArnLike", `"alice"`, "alice", false},
	} {
		if got := holds(t, tc.operator, "test:Key", tc.values, keys{"test:key": One(tc.request)}); got != tc.want {
			t.Errorf("%s: %s of %s on %q: %v, want %v", tc.rule, tc.operator, tc.values, tc.request, got, tc.want)
		}
	}
}
