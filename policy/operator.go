package policy

import "strings"

// family is a group of operators that compare in the same way.
type family uint8

const (
	stringFamily family = iota
	foldFamily          // strings without regard to case
	likeFamily          // strings with wildcards
	arnFamily
	numericFamily
	dateFamily
	boolFamily
	binaryFamily
	ipFamily
	nullFamily
)

// relation is what holds between the value of a request and a value of a policy.
type relation uint8

const (
	equals relation = iota
	less
	lessEquals
	greater
	greaterEquals
)

// holds reports whether a comparison's result, as cmp.Compare has it, is the relation.
func (r relation) holds(order int) bool {
	switch r {
	case less:
		return order < 0
	case lessEquals:
		return order <= 0
	case greater:
		return order > 0
	case greaterEquals:
		return order >= 0
	default:
		return order == 0
	}
}

// operator is a row of the table of condition operators.
type operator struct {
	name     string
	family   family
	relation relation
	negated  bool
}

// operators returns the table (IAM User Guide, "IAM JSON policy elements: Condition operators"), without the suffix
// IfExists and the prefixes of sets.
func operators() []operator {
	return []operator{
		{"StringEquals", stringFamily, equals, false},
		{"StringNotEquals", stringFamily, equals, true},
		{"StringEqualsIgnoreCase", foldFamily, equals, false},
		{"StringNotEqualsIgnoreCase", foldFamily, equals, true},
		{"StringLike", likeFamily, equals, false},
		{"StringNotLike", likeFamily, equals, true},
		{"ArnEquals", arnFamily, equals, false},
		{"ArnLike", arnFamily, equals, false},
		{"ArnNotEquals", arnFamily, equals, true},
		{"ArnNotLike", arnFamily, equals, true},
		{"NumericEquals", numericFamily, equals, false},
		{"NumericNotEquals", numericFamily, equals, true},
		{"NumericLessThan", numericFamily, less, false},
		{"NumericLessThanEquals", numericFamily, lessEquals, false},
		{"NumericGreaterThan", numericFamily, greater, false},
		{"NumericGreaterThanEquals", numericFamily, greaterEquals, false},
		{"DateEquals", dateFamily, equals, false},
		{"DateNotEquals", dateFamily, equals, true},
		{"DateLessThan", dateFamily, less, false},
		{"DateLessThanEquals", dateFamily, lessEquals, false},
		{"DateGreaterThan", dateFamily, greater, false},
		{"DateGreaterThanEquals", dateFamily, greaterEquals, false},
		{"Bool", boolFamily, equals, false},
		{"BinaryEquals", binaryFamily, equals, false},
		{"IpAddress", ipFamily, equals, false},
		{"NotIpAddress", ipFamily, equals, true},
		{"Null", nullFamily, equals, false},
	}
}

// quantifier says how the values of a multi-valued key count.
type quantifier uint8

const (
	single quantifier = iota
	forAll
	forAny
)

// findOperator reads the name of an operator with its prefix and suffix. AWS does not look at case here.
func findOperator(name string) (o operator, q quantifier, ifExists, ok bool) {
	base := name
	if prefix, rest, found := strings.Cut(name, ":"); found {
		switch {
		case strings.EqualFold(prefix, "ForAllValues"):
			q = forAll
		case strings.EqualFold(prefix, "ForAnyValue"):
			q = forAny
		default:
			return operator{}, 0, false, false
		}
		base = rest
	}
	const suffix = "IfExists"
	if n := len(base) - len(suffix); n > 0 && strings.EqualFold(base[n:], suffix) {
		base, ifExists = base[:n], true
	}
	for _, o := range operators() {
		if strings.EqualFold(o.name, base) {
			ok := o.family != nullFamily || q == single && !ifExists
			return o, q, ifExists, ok
		}
	}
	return operator{}, 0, false, false
}
