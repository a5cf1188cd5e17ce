package policy

import (
	"fmt"
	"strings"
	"testing"
)

// hostile is a document that is about as long as a key policy can be, and a request that passes validation, made to take
// long together.
type hostile struct {
	name    string
	text    string
	context keys
}

// keyPolicyBytes is the size of the longest key policy, contextBytes that of the largest encryption context.
const (
	keyPolicyBytes = 32 << 10
	contextBytes   = 8 << 10
)

// filled is a Deny with one condition on one key, whose values fill a key policy.
func filled(operator, key, value string) string {
	before, after := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"`+operator+`":{"`+key+`":[`, `]}}}]}`
	value = `"` + value + `"`
	n := (keyPolicyBytes - len(before) - len(after)) / (len(value) + 1)
	if ones := strings.Count(value, "?"); ones > 0 {
		n = min(n, maxWildcards/(ones+strings.Count(value, "$")))
	}
	return before + strings.TrimSuffix(strings.Repeat(value+",", n), ",") + after
}

// statements is as many statements as fit, each with a condition.
func statements(condition string) string {
	s := `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":` + condition + `}`
	n := min((keyPolicyBytes-len(document()))/(len(s)+1), maxWildcards/max(1, strings.Count(s, "?")+strings.Count(s, "$")))
	return document(strings.TrimSuffix(strings.Repeat(s+",", n), ","))
}

// names are so many different names of n letters each.
func names(count, n int, letter string) Values {
	all := make([]string, count)
	for i := range all {
		all[i] = strings.Repeat(letter, n/len(letter))[:max(0, n-4)] + fmt.Sprintf("%04d", i)
		all[i] = all[i][len(all[i])-n:]
	}
	return Many(all)
}

func hostiles() []hostile {
	a := func(n int) string { return strings.Repeat("a", n) }
	one := func(v string) keys { return keys{"test:key": One(v)} }
	many := func(count, n int) keys { return keys{"test:key": names(count, n, "a")} }
	with := func(k keys, pairs ...string) keys {
		for i := 0; i < len(pairs); i += 2 {
			k[pairs[i]] = One(pairs[i+1])
		}
		return k
	}
	greek := keys{"test:key": names(1000, 8, "α")}
	return []hostile{
		{"values × names", filled("ForAnyValue:StringEquals", "test:key", "abc"), many(2000, 4)},
		{"long values × names", filled("ForAnyValue:StringEquals", "test:key", a(76)+"bbbb"), many(100, 80)},
		{"prefixes × names", filled("ForAnyValue:StringLike", "test:key", a(60)+"b*"), many(100, 80)},
		{"variables × names", filled("ForAnyValue:StringEquals", "test:key", "${test:zz}"), with(many(1200, 6), "test:zz", a(6))},
		{"long variables × names", filled("ForAnyValue:StringEquals", "test:key", "${test:zz}"), with(many(60, 60), "test:zz", a(4000))},
		{"variables that are joined", filled("StringEquals", "test:key", "${test:zz}${test:zz}"), with(one("b"), "test:zz", a(8000))},
		{"two variables after *", filled("StringLike", "test:key", "*${test:x}${test:y}c"), with(one(a(4000)), "test:x", "a", "test:y", a(4000))},
		{"a variable before ?", filled("StringLike", "test:key", "*${test:x}"+a(90)+"?b"), with(one(a(6000)), "test:x", a(2000))},
		{"? and long literals", filled("StringLike", "test:key", "*?"+a(60)+"b"), one(a(8000))},
		{"? and short literals", filled("StringLike", "test:key", "*?"+strings.Repeat("a?", 1)+a(58)+"b"), one(a(8000))},
		{"only ?", filled("StringLike", "test:key", "*"+strings.Repeat("?", 400)+a(30000)+"b"), one(a(8000))},
		{"many *", filled("StringLike", "test:key", strings.Repeat("*a", 30)+"*b*"), one(a(8000))},
		{"long literals between *", filled("StringLike", "test:key", "*"+a(500)+"b*"), one(a(8000))},
		{"literals between *", filled("StringLike", "test:key", "*b*"), one(a(8000))},
		{"without case", filled("ForAnyValue:StringEqualsIgnoreCase", "test:key", "Αbc"), greek},
		{"long, without case", filled("ForAnyValue:StringEqualsIgnoreCase", "test:key", strings.Repeat("Α", 30)), keys{"test:key": names(100, 80, "α")}},
		{"variables without case", filled("ForAnyValue:StringEqualsIgnoreCase", "test:key", "${test:zz}"), with(greek, "test:zz", strings.Repeat("Α", 100))},
		{"numbers", filled("ForAnyValue:NumericEquals", "test:key", "7"), keys{"test:key": names(2000, 4, "1")}},
		{"long numbers", filled("ForAnyValue:NumericEquals", "test:key", strings.Repeat("1", 76)+"2222"), keys{"test:key": names(100, 80, "1")}},
		{"dates", filled("ForAnyValue:DateEquals", "test:key", "2026-01-31"), keys{"test:key": Many(slicesOf("2026-01-30", 800))}},
		{"addresses", filled("ForAnyValue:IpAddress", "test:key", "10.0.0.0/8"), keys{"test:key": Many(slicesOf("1.1.1.1", 1100))}},
		{"base64", filled("ForAnyValue:BinaryEquals", "test:key", "YWFh"), many(2000, 4)},
		{"ARNs", filled("ForAnyValue:ArnLike", "test:key", "a:a:a:a:a:*a?b"), keys{"test:key": Many(slicesOf("a:a:a:a:a:"+a(70), 100))}},
		{"ARNs with variables", filled("ForAnyValue:ArnLike", "test:key", "a:a:a:a:${test:x}:${test:x}b"), with(keys{"test:key": Many(slicesOf("a:a:a:a:a:"+a(70), 100))}, "test:x", "a")},
		{"many conditions", statements(`{"StringLike":{"test:key":"*?a?b"}}`), one(a(8000))},
		{"many conditions on sets", statements(`{"ForAllValues:StringLike":{"test:key":["*b*","*?c"]}}`), many(2000, 4)},
		{"many conditions with variables", statements(`{"StringLike":{"test:key":"*${test:x}?b"}}`), with(one(a(6000)), "test:x", a(2000))},
		{"resources", document(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":["arn:a:a:a:a:`+strings.Repeat(`*${test:x}?${test:x}`, 1)+`"]}`, `{"Effect":"Allow","Principal":"*","Action":"*","Resource":["`+strings.Repeat(`arn:a:a:a:a:a*${test:x}${test:x}b","`, 850)+`a"]}`), keys{"test:x": One(a(8000))}},
	}
}

func slicesOf(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func BenchmarkWorst(b *testing.B) {
	for _, h := range hostiles() {
		p, err := Parse(Key, h.text)
		if err != nil {
			b.Fatalf("%s: %v", h.name, err)
		}
		r := &Request{Action: "kms:Encrypt", Resource: "arn:a:a:a:a:" + strings.Repeat("a", 2000), Principal: session(), Context: h.context}
		b.Run(h.name, func(b *testing.B) {
			for b.Loop() {
				p.Evaluate(r)
			}
		})
	}
}

// counted counts the questions that a document asks.
type counted struct {
	keys
	asked int
}

// Lookup implements Context.
func (c *counted) Lookup(name string) (Values, bool) {
	c.asked++
	return c.keys.Lookup(name)
}

// parts is how many conditions and variables a document has: each may be asked for once in an evaluation.
func (p *Policy) parts() (conditions, variables int) {
	for i := range p.statements {
		s := &p.statements[i]
		conditions += len(s.conditions)
		s.patterns(func(q *pattern) { q.eachKey(func(string) { variables++ }) })
	}
	return conditions, variables
}

// allotted is the work that all parts of a document may take together.
func (p *Policy) allotted() work {
	var all work
	for i := range p.statements {
		s := &p.statements[i]
		all += s.actionWork + s.resourceWork
		for j := range s.conditions {
			all += s.conditions[j].work
		}
	}
	return all
}

// takes is the work that a condition takes on a request.
func (c *condition) takes(context Context) work {
	v, _ := lookup(context, c.lookup)
	t, left := c.test, c.work
	set := v.Many
	if !v.Multi {
		set = []string{v.One}
	} else if r, ok := t.(resolver); ok && c.variables {
		t, left = r.resolve(context, left)
	}
	for _, got := range set {
		if left >= 0 {
			_, left = t.matches(got, context, left)
		}
	}
	return c.work - left
}

// No request can make a document take more work than its length allows, whatever there is in both. The last step may take
// a little more than is left.
func TestWorkIsBounded(t *testing.T) {
	const step = 128 << 10
	spenders := 0
	for _, h := range hostiles() {
		p := mustParse(t, Key, h.text)
		if len(h.text) > keyPolicyBytes {
			t.Errorf("%s: %d bytes are no key policy", h.name, len(h.text))
		}
		if got := p.allotted(); got > work(len(h.text))*workPerByte || got > maxWork {
			t.Errorf("%s: %d units for %d bytes", h.name, got, len(h.text))
		}
		for i := range p.statements {
			for j := range p.statements[i].conditions {
				c := &p.statements[i].conditions[j]
				if took := c.takes(h.context); took > c.work+step {
					t.Errorf("%s: %d units, and %d there are", h.name, took, c.work)
				} else if took > c.work {
					spenders++
				}
			}
		}
		context := &counted{keys: h.context}
		p.Evaluate(&Request{Action: "kms:Encrypt", Resource: "*", Principal: session(), Context: context})
		if conditions, variables := p.parts(); context.asked > conditions+variables {
			t.Errorf("%s: %d questions of %d conditions and %d variables", h.name, context.asked, conditions, variables)
		}
	}
	if spenders < 8 {
		t.Errorf("only %d conditions spend all their work", spenders)
	}
}

// A document of a mebibyte has no more work than one of 32 KiB.
func TestWorkOfLongDocuments(t *testing.T) {
	long := `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"test:key":["` + strings.Repeat(`abc","`, 150_000) + `"]}}}`
	if got := mustParse(t, Identity, document(long)).allotted(); got > maxWork || got < maxWork/2 {
		t.Errorf("%d units", got)
	}
}

// Where no work is left, a statement that denies does, and one that allows does not: with any operator, in conditions and
// in resources.
func TestSpentWorkGainsNothing(t *testing.T) {
	a := strings.Repeat("a", 8000)
	set := names(4000, 4, "a")
	long := strings.Repeat("${test:long}", 2)
	n := 0
	for _, tc := range []struct{ element, value string }{
		{"Condition", `{"StringLike":{"test:one":"*?aa?ab"}}`},
		{"Condition", `{"StringNotLike":{"test:one":"*?aa?ab"}}`},
		{"Condition", `{"StringLikeIfExists":{"test:one":"*?aa?ab"}}`},
		{"Condition", `{"StringEquals":{"test:one":"` + long + `"}}`},
		{"Condition", `{"ForAnyValue:StringEquals":{"test:set":"x"}}`},
		{"Condition", `{"ForAnyValue:StringNotEquals":{"test:set":["x","aa","` + long + `"]}}`},
		{"Condition", `{"ForAllValues:StringLike":{"test:set":["x","*?ab","0*","1*","2*","3*"]}}`},
		{"Condition", `{"ForAllValues:StringNotEquals":{"test:set":"${test:one}${test:one}"}}`},
		{"Condition", `{"ForAnyValue:NumericEquals":{"test:set":"77777"}}`},
		{"Condition", `{"ForAnyValue:ArnLike":{"test:arns":["arn:a:b:c:d:${test:one}${test:one}"]}}`},
		{"Resource", `"arn:a:b:c:d:*?aa?aab"`},
		{"NotResource", `"arn:a:b:c:d:*?aa?aab"`},
		{"Resource", `"arn:a:b:c:d:` + long + `"`},
		{"NotResource", `"arn:a:b:c:d:` + long + `"`},
		{"Action", `["kms:*?b","kms:?*?c"]`},
		{"NotAction", `["kms:*?b","kms:?*?c"]`},
	} {
		for _, effect := range []Effect{Allow, Deny} {
			members := map[string]string{"Action": `"*"`, "Resource": `"*"`}
			delete(members, strings.TrimPrefix(tc.element, "Not"))
			members[tc.element] = tc.value
			text := `{"Effect":"` + string(effect) + `"`
			for name, value := range members {
				text += `,"` + name + `":` + value
			}
			p := mustParse(t, Identity, document(text+"}"))
			r := &Request{Action: "kms:" + a, Resource: "arn:a:b:c:d:" + a, Context: keys{
				"test:one": One(a), "test:long": One(a), "test:set": set, "test:arns": Many([]string{"arn:a:b:c:d:e"}),
			}}
			got := p.Evaluate(r)
			_, denied := got.Denied()
			_, _, allowed := got.Allowed()
			if allowed || denied != (effect == Deny) {
				t.Errorf("%s of %s %s: allowed %v, denied %v", effect, tc.element, tc.value, allowed, denied)
			}
			if got != traced(p.Trace(r)) {
				t.Errorf("%s of %s %s: the trace says something else", effect, tc.element, tc.value)
			}
			n++
		}
	}
	if n < 32 {
		t.Errorf("only %d cases", n)
	}
}

// Requests that are large and mean no harm are decided by what they say.
func TestLargeRequestsAreDecided(t *testing.T) {
	a := strings.Repeat("a", contextBytes)
	few := names(60, 80, "tenant-")
	list := make([]string, 300)
	for i := range list {
		list[i] = fmt.Sprintf(`"tenant-%04d"`, i)
	}
	for _, tc := range []struct {
		operator, key, values string
		want                  bool
	}{
		{"StringEquals", "kms:EncryptionContext:document", `"` + a + `"`, true},
		{"StringEqualsIgnoreCase", "kms:EncryptionContext:document", `"` + strings.ToUpper(a) + `"`, true},
		{"StringLike", "kms:EncryptionContext:document", `"*a"`, true},
		{"StringLike", "kms:EncryptionContext:document", `"*b*"`, false},
		{"StringNotLike", "kms:EncryptionContext:document", `"*b"`, true},
		{"StringEquals", "kms:EncryptionContext:document", `"${kms:EncryptionContext:document}"`, true},
		{"StringLike", "kms:EncryptionContext:document", `"${kms:EncryptionContext:document}*"`, true},
		{"ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "[" + strings.Join(list, ",") + "]", false},
		{"ForAllValues:StringLike", "kms:EncryptionContextKeys", `["*0??","other"]`, true},
		{"ForAllValues:StringNotEquals", "kms:EncryptionContextKeys", `"secret"`, true},
	} {
		c := keys{"kms:encryptioncontext:document": One(a), "kms:encryptioncontextkeys": few}
		for _, effect := range []Effect{Allow, Deny} {
			p := mustParse(t, Identity, document(conditional(effect, tc.operator, tc.key, tc.values)))
			if got := p.statements[0].matchConditions(c); got != tc.want {
				t.Errorf("%s %s %.40s: %v", effect, tc.operator, tc.values, got)
			}
		}
	}
}
