package api

import (
	"strconv"
	"sync"
	"unicode/utf8"
)

// Bounds of a ValidationException, so that a small bad request does not make a large answer (and a large audit record).
// AWS echoes values whole; clients look at the constraint.
const (
	maxEchoBytes  = 1024 // of one value
	maxViolations = 64   // written out; all are counted
)

// Check returns nil if in keeps all constraints of the model, else an *Error with code ValidationException that names
// every violation in AWS's words.
func Check(in Input) error {
	v := violations.Get().(*Violations)
	in.Validate(v)
	err := v.err()
	*v = Violations{path: v.path[:0]}
	violations.Put(v)
	return err
}

var violations = sync.Pool{New: func() any { return new(Violations) }}

// Violations collects the constraints that a request breaks, for generated code. Names are the model's with the first
// letter in lower case, as AWS writes paths. Lengths of strings are counted in Unicode code points, as Smithy defines
// them; a bound of -1 is none.
type Violations struct {
	path  []segment // to the structure that is being checked
	count int
	text  []byte
}

// segment is a member name, or the index of an element, counted from 1.
type segment struct {
	name  string
	index int
}

func (v *Violations) err() error {
	if v.count == 0 {
		return nil
	}
	noun := " validation errors"
	if v.count == 1 {
		noun = " validation error"
	}
	return ValidationException("%s", strconv.Itoa(v.count)+noun+" detected: "+string(v.text))
}

// Enter goes into a member that is a structure or a list of structures.
func (v *Violations) Enter(name string) { v.path = append(v.path, segment{name: name}) }

// EnterElement goes into the element at an index, counted from 0.
func (v *Violations) EnterElement(index int) { v.path = append(v.path, segment{index: index + 1}) }

// Leave comes back from Enter or EnterElement.
func (v *Violations) Leave() { v.path = v.path[:len(v.path)-1] }

// Null reports a required member that is absent.
func (v *Violations) Null(name string) { v.add("Value null", name, "Member must not be null") }

// Text checks the length of a string.
func (v *Violations) Text(name, value string, min, max int) {
	if rule := lengthRule(value, min, max); rule != "" {
		v.add(echo(value), name, rule)
	}
}

// SecretText is Text for a value that no message may show.
func (v *Violations) SecretText(name, value string, min, max int) {
	if rule := lengthRule(value, min, max); rule != "" {
		v.add("Value", name, rule)
	}
}

// Size checks the number of bytes of a blob or of elements of a list. AWS shows no blobs.
func (v *Violations) Size(name string, n, min, max int) {
	if rule := boundsRule("length", n, min, max); rule != "" {
		v.add("Value", name, rule)
	}
}

// Pairs checks the number of bytes of all names and values of a map together. AWS shows no maps.
func (v *Violations) Pairs(name string, pairs map[string]string, max int) {
	n := 0
	for key, value := range pairs {
		n += len(key) + len(value)
	}
	v.Size(name, n, 0, max)
}

// Range checks a number.
func (v *Violations) Range(name string, n int32, min, max int) {
	if rule := boundsRule("value", int(n), min, max); rule != "" {
		v.add("Value '"+strconv.Itoa(int(n))+"'", name, rule)
	}
}

// Pattern reports a string that does not match.
func (v *Violations) Pattern(name, value, pattern string) {
	v.add(echo(value), name, "Member must satisfy regular expression pattern: "+pattern)
}

// SecretPattern is Pattern for a value that no message may show.
func (v *Violations) SecretPattern(name, pattern string) {
	v.add("Value", name, "Member must satisfy regular expression pattern: "+pattern)
}

// Enum reports a string that is not in the set, which is written "[A, B]".
func (v *Violations) Enum(name, value, set string) {
	v.add(echo(value), name, "Member must satisfy enum value set: "+set)
}

// Elements checks each string of a list. AWS reports the list once, with all rules of its elements.
func Elements[T ~string](v *Violations, name string, list []T, valid func(T) bool, rules string) {
	if !allValid(list, valid) {
		v.add(echo("["+join(list)+"]"), name, "Member must satisfy constraint: ["+rules+"]")
	}
}

// SecretElements is Elements for values that no message may show.
func SecretElements[T ~string](v *Violations, name string, list []T, valid func(T) bool, rules string) {
	if !allValid(list, valid) {
		v.add("Value", name, "Member must satisfy constraint: ["+rules+"]")
	}
}

func allValid[T any](list []T, valid func(T) bool) bool {
	for _, s := range list {
		if !valid(s) {
			return false
		}
	}
	return true
}

// join writes list as Java does, and stops when no echo could show more.
func join[T ~string](list []T) string {
	var b []byte
	for i, s := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		if b = append(b, s...); len(b) > maxEchoBytes {
			break
		}
	}
	return string(b)
}

// LengthWithin reports whether a string has between min and max code points.
func LengthWithin[T ~string](s T, min, max int) bool { return lengthRule(string(s), min, max) == "" }

func lengthRule(s string, min, max int) string {
	if max >= 0 && len(s) > max || len(s) < min*utf8.UTFMax {
		return boundsRule("length", utf8.RuneCountInString(s), min, max)
	}
	return "" // no counting needed: a code point has one to four bytes
}

func boundsRule(what string, n, min, max int) string {
	switch {
	case n < min:
		return "Member must have " + what + " greater than or equal to " + strconv.Itoa(min)
	case max >= 0 && n > max:
		return "Member must have " + what + " less than or equal to " + strconv.Itoa(max)
	}
	return ""
}

func (v *Violations) add(value, name, rule string) {
	v.count++
	if v.count > maxViolations {
		return
	}
	if v.count > 1 {
		v.text = append(v.text, "; "...)
	}
	v.text = append(append(v.text, value...), " at '"...)
	for _, s := range v.path {
		if s.index > 0 {
			v.text = append(strconv.AppendInt(v.text, int64(s.index), 10), ".member."...)
		} else {
			v.text = append(append(v.text, s.name...), '.')
		}
	}
	v.text = append(append(v.text, name...), "' failed to satisfy constraint: "...)
	v.text = append(v.text, rule...)
}

func echo(value string) string { return "Value '" + shorten(value) + "'" }

// shorten cuts what a message repeats of a request, between two code points.
func shorten(s string) string {
	if len(s) <= maxEchoBytes {
		return s
	}
	cut := maxEchoBytes
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
