package policy

import "strings"

// condition is one operator on one key.
type condition struct {
	operator   string // as it was written
	key        string // as it was written
	lookup     string // the key, folded
	quantifier quantifier
	null       bool // the operator is Null, which looks at presence alone
	wantAbsent bool // Null: true is among the values
	wantThere  bool // Null: false is among the values
	negated    bool
	denies     bool // the condition is a denying statement's
	absent     bool // what an absent key makes of the condition
	variables  bool // among the values
	work       work // there is for the condition
	test       test
	op         operator
}

// test compares a value of a request with the values of a condition.
type test interface {
	// matches reports whether a value of the policy matches: negated operators turn that round. If none does and no work is
	// left, it is not known.
	matches(got string, c Context, w work) (matched bool, left work)
	// wanted returns the values of the policy with their variables replaced, for people to read.
	wanted(c Context) []string
}

// resolver is a test whose values can have variables.
type resolver interface {
	// resolve returns the test with values in the place of variables, for requests with many values.
	resolve(c Context, w work) (test, work)
}

// met reports whether a context fulfils the condition. Where that cannot be known, because a key that should have one
// value has two, or because it would take too much work, it is what denies: the request gains nothing.
//
// A key with many values needs a set operator; without one IAM lets no condition hold on it, negated or not.
// The members of a set without values are all of any kind, and none of them is: ForAllValues holds, ForAnyValue does not.
func (c *condition) met(context Context) bool {
	v, present := lookup(context, c.lookup)
	switch {
	case c.null:
		return present && c.wantThere || !present && c.wantAbsent
	case !present:
		return c.absent
	case v.Ambiguous:
		return c.denies
	case !v.Multi:
		return c.holds(v.One, context)
	case c.quantifier == single:
		return false
	}
	return c.holdsOn(v.Many, context)
}

// holds applies the operator to one value. A value that is not of the operator's type matches nothing, so that negated
// operators hold on it as they do on an absent key.
func (c *condition) holds(got string, context Context) bool {
	matched, left := c.test.matches(got, context, c.work)
	if !matched && left < 0 {
		return c.denies
	}
	return matched != c.negated
}

// holdsOn is holds for a set of values.
func (c *condition) holdsOn(set []string, context Context) bool {
	t, left := c.test, c.work
	if r, ok := t.(resolver); ok && c.variables {
		t, left = r.resolve(context, left)
	}
	for _, got := range set {
		var matched bool
		if matched, left = t.matches(got, context, left); !matched && left < 0 {
			return c.denies
		}
		if (matched != c.negated) == (c.quantifier == forAny) {
			return c.quantifier == forAny
		}
	}
	return c.quantifier == forAll
}

// compileConditions reads a Condition element: operators of keys of values.
func (p *parser) compileConditions(n *node) ([]condition, error) {
	if n.kind != isObject {
		return nil, p.refuse(Syntax, "Condition is not an object")
	}
	var all []condition
	for i := range n.items {
		operator := &n.items[i]
		o, q, ifExists, ok := findOperator(operator.name)
		if !ok {
			return nil, p.refuse(UnknownOperator, "%q is not a condition operator", operator.name)
		}
		if operator.kind != isObject {
			return nil, p.refuse(Syntax, "the condition operator %s has no object of keys", operator.name)
		}
		for j := range operator.items {
			c := condition{
				operator: operator.name, op: o, quantifier: q, negated: o.negated,
				absent: ifExists || q == forAll || q == single && o.negated,
			}
			if err := p.compileCondition(&c, o, &operator.items[j]); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// compileCondition reads the key and the values of one condition.
func (p *parser) compileCondition(c *condition, o operator, n *node) error {
	c.key, c.lookup, c.work = n.name, Fold(n.name), p.workOf(n)
	vendor, name, ok := strings.Cut(c.lookup, ":")
	if !ok || vendor == "" || name == "" {
		return p.refuse(InvalidConditionKey, "the condition key %q has no prefix such as aws: or kms:", n.name)
	}
	if p.kind == Key && c.quantifier == forAll && callersChoose(c.lookup) {
		return p.refuse(OverlyPermissive, "ForAllValues on %s allows requests that do not have the key", n.name)
	}
	values, err := p.texts(n)
	if err != nil {
		return err
	}
	if o.family == nullFamily {
		return p.compileNull(c, values)
	}
	c.test, err = p.compileTest(o, values)
	if err != nil {
		return p.refuse(InvalidConditionValue, "%s of %s: %v", c.operator, c.key, err)
	}
	c.patterns(func(q *pattern) { c.variables = c.variables || q.form == variables })
	return nil
}

// callersChoose reports whether a key is one that KMS refuses in ForAllValues.
func callersChoose(key string) bool {
	return strings.HasPrefix(key, "kms:encryptioncontext:") || strings.HasPrefix(key, "aws:requesttag/")
}

// texts returns the values of a condition. Numbers and booleans need no quotation marks.
func (p *parser) texts(n *node) ([]string, error) {
	var all []string
	for _, v := range n.list() {
		switch v.kind {
		case isString, isNumber, isTrue, isFalse:
			all = append(all, v.text)
		default:
			return nil, p.refuse(Syntax, "a value of the condition key %s is not a string, a number or a boolean", n.name)
		}
	}
	if len(all) == 0 {
		return nil, p.refuse(InvalidConditionValue, "the condition key %s has no values", n.name)
	}
	return all, nil
}

func (p *parser) compileNull(c *condition, values []string) error {
	c.null = true
	for _, v := range values {
		b, ok := parseBool(v)
		if !ok {
			return p.refuse(InvalidConditionValue, "Null of %s: %q is neither true nor false", c.key, v)
		}
		c.wantAbsent, c.wantThere = c.wantAbsent || b, c.wantThere || !b
	}
	return nil
}

func (p *parser) compileTest(o operator, values []string) (test, error) {
	switch o.family {
	case arnFamily:
		return newARNTest(values, p.variables)
	case numericFamily:
		return newNumericTest(values, o.relation)
	case dateFamily:
		return newDateTest(values, o.relation)
	case boolFamily:
		return newBoolTest(values)
	case binaryFamily:
		return newBinaryTest(values)
	case ipFamily:
		return newIPTest(values)
	default:
		return newStringTest(values, o.family, p.variables)
	}
}
