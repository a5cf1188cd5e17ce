package policy

import (
	"cmp"
	"fmt"
	"time"
)

// instant is a moment: seconds since 1970 and nanoseconds.
type instant struct {
	seconds int64
	nanos   int32
}

func (i instant) compare(j instant) int {
	return cmp.Or(cmp.Compare(i.seconds, j.seconds), cmp.Compare(i.nanos, j.nanos))
}

// parseInstant reads a date of ISO 8601 in the W3C's profile (https://www.w3.org/TR/NOTE-datetime), or seconds since 1970.
// Four digits alone are seconds and not a year.
func parseInstant(s string) (instant, bool) {
	if i, ok := parseEpoch(s); ok {
		return i, true
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01"} {
		// Parse makes an error of every text that it refuses; the length tells most of them without.
		if plausible(s, layout) {
			if t, err := time.Parse(layout, s); err == nil {
				return instant{t.Unix(), int32(t.Nanosecond())}, true
			}
		}
	}
	return instant{}, false
}

// plausible reports whether a text can be in a layout, by its length and the place of the T.
func plausible(s, layout string) bool {
	if len(layout) <= len(time.DateOnly) {
		return len(s) == len(layout)
	}
	const minutes = len("2006-01-02T15:04")
	if len(s) <= minutes || s[len(time.DateOnly)] != 'T' {
		return false
	}
	seconds := s[minutes] == ':'
	return seconds == (layout == time.RFC3339Nano)
}

// parseEpoch reads seconds with an optional sign and an optional fraction.
func parseEpoch(s string) (instant, bool) {
	d, ok := parseDecimal(s)
	if !ok || len(d.whole) > 15 {
		return instant{}, false
	}
	var i instant
	for k := range len(d.whole) {
		i.seconds = i.seconds*10 + int64(d.whole[k]-'0')
	}
	for k := range 9 {
		i.nanos *= 10
		if k < len(d.fraction) {
			i.nanos += int32(d.fraction[k] - '0')
		}
	}
	if d.negative {
		i.seconds, i.nanos = -i.seconds, -i.nanos
	}
	return i, true
}

// dateTest is the operators Date….
type dateTest struct {
	values   []instant
	relation relation
	texts    []string
}

func newDateTest(values []string, r relation) (test, error) {
	t := &dateTest{make([]instant, len(values)), r, values}
	for i, v := range values {
		var ok bool
		if t.values[i], ok = parseInstant(v); !ok {
			return nil, fmt.Errorf("%q is neither a date such as 2026-01-31T12:00:00Z nor seconds since 1970", v)
		}
	}
	return t, nil
}

func (t *dateTest) matches(got string, _ Context, w work) (matched bool, left work) {
	left = w.parsed(got, len(t.values))
	i, ok := parseInstant(got)
	if !ok {
		return false, left
	}
	for _, v := range t.values {
		if t.relation.holds(i.compare(v)) {
			return true, left
		}
	}
	return false, left
}

func (t *dateTest) wanted(Context) []string { return t.texts }
