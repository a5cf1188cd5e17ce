package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// chance makes documents and requests that often have to do with each other.
type chance struct{ *rand.Rand }

func (c chance) of(all ...string) string { return all[c.IntN(len(all))] }

// list returns one value, or an array of up to three.
func (c chance) list(draw func() string) string {
	n := c.IntN(4)
	if n == 0 {
		return draw()
	}
	all := make([]string, n)
	for i := range all {
		all[i] = draw()
	}
	return "[" + strings.Join(all, ",") + "]"
}

func (c chance) action() string {
	return c.of("kms:Decrypt", "kms:Encrypt", "kms:Sign", "kms:ListKeys", "iam:GetUser")
}

func (c chance) resource() string {
	return c.of("*", key, "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/bob")
}

func (c chance) caller() *Principal {
	switch c.IntN(8) {
	case 0:
		return nil
	case 1:
		return session()
	case 2:
		return federated()
	case 3:
		return root()
	case 4:
		return service()
	case 5:
		return web()
	case 6:
		return &Principal{Account: other, ARN: "arn:aws:iam::444455556666:user/alice"}
	}
	return alice()
}

func (c chance) principal() string {
	if c.IntN(4) == 0 {
		return `"*"`
	}
	return `{"AWS":` + c.list(func() string {
		return strconv.Quote(c.of("*", home, other, root().ARN, alice().ARN, alice().ID, session().ARN, session().Role, session().ID, federated().ARN))
	}) + `,"Service":"s3.amazonaws.com"}`
}

// values are both of policies and of requests, so that they often match.
func (c chance) values() string {
	return c.of("a", "A", "ab", "1", "2", "1.0", "true", "false", "2026-01-31T12:00:00Z", "2026-01-31", "192.0.2.1", "2001:db8::1", "YQ==", "", key,
		"arn:aws:iam::111122223333:user/alice")
}

func (c chance) pattern() string {
	return c.of("a*", "?", "*", "${test:a}", "${test:none, 'a'}", "${test:none}", "x${*}", "arn:aws:iam::*:user/${test:b}", "192.0.2.0/24", "2001:db8::/32")
}

func (c chance) condition() string {
	os := operators()
	o := os[c.IntN(len(os))].name
	if o != "Null" {
		o = c.of("", "", "ForAllValues:", "ForAnyValue:") + o + c.of("", "", "IfExists")
	}
	value := func() string {
		if c.IntN(3) == 0 {
			return strconv.Quote(c.pattern())
		}
		return strconv.Quote(c.values())
	}
	return fmt.Sprintf(`%q:{%q:%s}`, o, c.of("test:A", "test:b", "TEST:c"), c.list(value))
}

func (c chance) statement(kind Kind) string {
	members := []string{`"Effect":"` + c.of("Allow", "Deny") + `"`}
	if kind != Identity {
		members = append(members, c.of(`"Principal":`, `"Principal":`, `"NotPrincipal":`)+c.principal())
	}
	if kind != Key || c.IntN(10) > 0 {
		members = append(members, c.of(`"Action":`, `"Action":`, `"NotAction":`)+c.list(func() string {
			return strconv.Quote(c.of("*", "kms:*", "kms:?ecrypt", "KMS:Sign", "*:*", c.action()))
		}))
	}
	if kind != Key || c.IntN(10) > 0 {
		members = append(members, c.of(`"Resource":`, `"Resource":`, `"NotResource":`)+c.list(func() string {
			return strconv.Quote(c.of("*", "arn:aws:kms:*", "arn:aws:iam::111122223333:user/${test:a}", "arn:aws:iam::*:user/${test:b, 'bob'}", c.resource()))
		}))
	}
	if c.IntN(3) > 0 {
		members = append(members, `"Condition":{`+c.condition()+`}`)
	}
	return `{` + strings.Join(members, ",") + `}`
}

// document returns a valid document and its kind.
func (c chance) document() (Kind, *Policy) {
	for {
		kind := Kind(c.IntN(2)) // Identity or Key
		statements := make([]string, 1+c.IntN(5))
		for i := range statements {
			statements[i] = c.statement(kind)
		}
		if p, err := Parse(kind, document(statements...)); err == nil {
			return kind, p
		}
	}
}

func (c chance) request() *Request {
	context := keys{}
	for _, name := range []string{"test:a", "test:b", "test:c"} {
		switch c.IntN(4) {
		case 0:
		case 1:
			many := make([]string, c.IntN(3))
			for i := range many {
				many[i] = c.values()
			}
			context[name] = Many(many)
		default:
			context[name] = One(c.of("alice", "bob", c.values()))
		}
	}
	return &Request{Action: c.action(), Resource: c.resource(), Principal: c.caller(), Context: context}
}

// traced is the answer that a trace adds up to.
func traced(traces []StatementTrace) Result {
	var result Result
	for i := len(traces) - 1; i >= 0; i-- {
		switch t := traces[i]; {
		case !t.Matched:
		case t.Effect == Deny:
			result.deny = int16(t.Index + 1)
		default:
			result.allows[t.Principal] = int16(t.Index + 1)
		}
	}
	return result
}

// render is a ConditionTrace on a line.
func render(t ConditionTrace) string {
	return fmt.Sprint(t.Operator, " ", t.Key, " ", t.Wanted, " ", t.Present, " ", t.Got, " ", t.Met)
}

// Over random documents and requests: the trace adds up to the answer, conditions to their statement, and the answer follows
// the laws of the language: a Deny added never allows, an Allow taken away never allows.
func TestTraceAgreesWithEvaluate(t *testing.T) {
	c := chance{rand.New(rand.NewPCG(4, 2026))}
	answers := map[string]int{}
	for range 13_000 {
		_, p := c.document()
		for range 4 {
			r := c.request()
			traces, got := p.Trace(r), p.Evaluate(r)
			if want := traced(traces); got != want {
				t.Fatalf("%s\nsays %v of %+v, and its trace %v", p.Text(), got, r, want)
			}
			matching := map[Effect][]int{}
			for _, trace := range traces {
				if trace.Matched {
					matching[trace.Effect] = append(matching[trace.Effect], trace.Index)
				}
			}
			for _, effect := range []Effect{Allow, Deny} {
				if got := p.Matching(r, effect); !slices.Equal(got, matching[effect]) {
					t.Fatalf("%s\nhas %s in statements %v, and its trace in %v", p.Text(), effect, got, matching[effect])
				}
			}
			for _, trace := range traces {
				met := true
				for _, test := range trace.Tests {
					met = met && test.Met
				}
				if met != trace.Conditions {
					t.Fatalf("%s\nhas conditions that do not add up: %+v", p.Text(), trace)
				}
			}
			count(answers, got)
		}
	}
	for answer, n := range answers {
		if n < 1000 {
			t.Errorf("only %d answers are %s", n, answer)
		}
	}
}

func count(answers map[string]int, r Result) {
	_, denied := r.Denied()
	_, _, ok := r.Allowed()
	answers[fmt.Sprintf("allow=%v deny=%v", ok, denied)]++
}
