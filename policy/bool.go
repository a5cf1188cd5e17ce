package policy

import (
	"fmt"
	"strings"
)

// boolTest is Bool.
type boolTest struct {
	yes, no bool // the values
	texts   []string
}

func newBoolTest(values []string) (test, error) {
	t := &boolTest{texts: values}
	for _, v := range values {
		b, ok := parseBool(v)
		if !ok {
			return nil, fmt.Errorf("%q is neither true nor false", v)
		}
		t.yes, t.no = t.yes || b, t.no || !b
	}
	return t, nil
}

// parseBool reads true and false, in any case.
func parseBool(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

func (t *boolTest) matches(got string, _ Context, w work) (matched bool, left work) {
	b, ok := parseBool(got)
	return ok && (b && t.yes || !b && t.no), w - compareWork
}

func (t *boolTest) wanted(Context) []string { return t.texts }
