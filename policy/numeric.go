package policy

import (
	"fmt"
	"strings"
)

// decimal is a number as text, so that it is exact however long it is. Zeros that say nothing are cut off.
type decimal struct {
	negative        bool
	whole, fraction string
}

// parseDecimal reads digits with an optional sign and an optional fraction. There are no exponents.
func parseDecimal(s string) (decimal, bool) {
	var d decimal
	switch {
	case strings.HasPrefix(s, "-"):
		d.negative, s = true, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	whole, fraction, dot := strings.Cut(s, ".")
	if !digits(whole) || dot && !digits(fraction) {
		return decimal{}, false
	}
	d.whole, d.fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	d.negative = d.negative && d.whole+d.fraction != ""
	return d, true
}

// digits reports whether a text consists of digits, at least one.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// compare returns -1, 0 or 1, as cmp.Compare does.
func (d decimal) compare(e decimal) int {
	switch {
	case d.negative && !e.negative:
		return -1
	case e.negative && !d.negative:
		return 1
	case d.negative:
		d, e = e, d
	}
	if len(d.whole) != len(e.whole) {
		if len(d.whole) < len(e.whole) {
			return -1
		}
		return 1
	}
	if n := strings.Compare(d.whole, e.whole); n != 0 {
		return n
	}
	return strings.Compare(d.fraction, e.fraction)
}

// numericTest is the operators Numeric….
type numericTest struct {
	values   []decimal
	relation relation
	texts    []string
}

func newNumericTest(values []string, r relation) (test, error) {
	t := &numericTest{make([]decimal, len(values)), r, values}
	for i, v := range values {
		var ok bool
		if t.values[i], ok = parseDecimal(v); !ok {
			return nil, fmt.Errorf("%q is not a decimal number", v)
		}
	}
	return t, nil
}

func (t *numericTest) matches(got string, _ Context, w work) (matched bool, left work) {
	left = w.parsed(got, len(t.values))
	d, ok := parseDecimal(got)
	if !ok {
		return false, left
	}
	for _, v := range t.values {
		if t.relation.holds(d.compare(v)) {
			return true, left
		}
	}
	return false, left
}

func (t *numericTest) wanted(Context) []string { return t.texts }
