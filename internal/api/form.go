package api

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// QueryShape is a structure that reads itself from the form parameters of a Query service.
type QueryShape interface{ DecodeQuery(*Form) }

// DecodeQuery reads raw, the body or the query string of a request to a Query service, into x, which should be empty.
// What it returns is an *Error with code SerializationException, which the Query protocol calls MalformedInput.
//
// Parameters are named as the AWS Query protocol of Smithy has it: Name, Name.member.1 for the elements of a list and
// Name.member.1.Key for members of structures in it; "Name=" alone is a list without elements. Unknown parameters are
// ignored. It is strict as Decode is: it refuses a name that occurs twice, text that is not UTF-8, words for
// booleans, integers in more than one notation, and parameters below the name of a list that are none of its
// elements. The indexes of a list may have gaps: they say the order, and cost nothing.
func DecodeQuery(raw string, x QueryShape) error {
	f, err := parseForm(raw)
	if err != nil {
		return err
	}
	x.DecodeQuery(f)
	return f.err
}

// maxParameters is what one request may have. A policy simulation of 100 actions on 100 resources needs some hundreds.
const maxParameters = 10000

// Form reads the members of structures from form parameters, for generated code. After the first error everything it
// returns is empty.
type Form struct {
	parameters []parameter // sorted by name
	prefix     string      // of the structure that is being read: "Tags.member.1."
	err        error
}

type parameter struct{ name, value string }

func parseForm(raw string) (*Form, error) {
	if strings.Count(raw, "&") >= maxParameters {
		return nil, SerializationException("More than %d parameters", maxParameters)
	}
	f := new(Form)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, wrongName := url.QueryUnescape(name)
		value, wrongValue := url.QueryUnescape(value)
		if wrongName != nil || wrongValue != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, SerializationException("The parameters are not a form of UTF-8 text")
		}
		f.parameters = append(f.parameters, parameter{name, value})
	}
	slices.SortFunc(f.parameters, func(a, b parameter) int { return cmp.Compare(a.name, b.name) })
	for i := range f.parameters {
		if i > 0 && f.parameters[i].name == f.parameters[i-1].name {
			return nil, SerializationException("Duplicate parameter '%s'", shorten(f.parameters[i].name))
		}
	}
	return f, nil
}

// wrong reports a parameter that is not what the model says; its value is not told.
func (f *Form) wrong(want, name string) {
	if f.err == nil {
		f.err = SerializationException("Expected %s at '%s'", want, shorten(name))
	}
}

// from returns the index of the first parameter with this name or a later one.
func (f *Form) from(name string) int {
	i, _ := slices.BinarySearchFunc(f.parameters, name, func(p parameter, name string) int { return cmp.Compare(p.name, name) })
	return i
}

// value returns the value of the parameter with exactly this name.
func (f *Form) value(name string) (string, bool) {
	if i := f.from(name); f.err == nil && i < len(f.parameters) && f.parameters[i].name == name {
		return f.parameters[i].value, true
	}
	return "", false
}

// Text reads a string.
func (f *Form) Text(name string) *string { return FormEnum[string](f, name) }

// FormEnum reads a value of an enumeration; Check tests whether it is one that the model knows.
func FormEnum[T ~string](f *Form, name string) *T {
	text, ok := f.value(f.prefix + name)
	if !ok {
		return nil
	}
	return new(T(text))
}

// Bool reads true or false, or 1 or 0, which XML Schema, AWS's rule for booleans, allows too.
func (f *Form) Bool(name string) *bool {
	text, ok := f.value(f.prefix + name)
	switch {
	case !ok:
	case text == "true" || text == "1":
		return new(true)
	case text == "false" || text == "0":
		return new(false)
	default:
		f.wrong("a boolean", f.prefix+name)
	}
	return nil
}

// Int32 reads an integer of 32 bits in decimal.
func (f *Form) Int32(name string) *int32 {
	text, ok := f.value(f.prefix + name)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != text {
		f.wrong("an integer", f.prefix+name)
		return nil
	}
	return new(int32(n))
}

// FormTexts reads a list of strings or of values of an enumeration.
func FormTexts[T ~string](f *Form, name string) []T {
	elements, ok := f.elements(name)
	if !ok {
		return nil
	}
	list := []T{}
	for _, element := range elements {
		text, ok := f.value(element)
		if !ok {
			f.wrong("a string", element)
			return nil
		}
		list = append(list, T(text))
	}
	return list
}

// FormStructs reads a list of structures.
func FormStructs[T any, P interface {
	*T
	QueryShape
}](f *Form, name string) []T {
	elements, ok := f.elements(name)
	if !ok {
		return nil
	}
	outer := f.prefix
	list := make([]T, len(elements))
	for i, element := range elements {
		if _, text := f.value(element); text {
			f.wrong("a structure", element)
		}
		f.prefix = element + "."
		P(&list[i]).DecodeQuery(f)
	}
	f.prefix = outer
	return list
}

// elements returns the full names of the elements of a list in their order, and whether the list is there at all.
func (f *Form) elements(name string) (names []string, ok bool) {
	name = f.prefix + name
	text, empty := f.value(name)
	var indexes []int
	for _, p := range f.parameters[f.from(name+"."):] {
		below, inside := strings.CutPrefix(p.name, name+".")
		if !inside || f.err != nil {
			break
		}
		index, valid := elementIndex(below)
		if !valid {
			f.wrong("an element of a list", p.name)
			return nil, false
		}
		if len(indexes) == 0 || indexes[len(indexes)-1] != index { // those of one element are neighbours
			indexes = append(indexes, index)
		}
	}
	if empty && (text != "" || len(indexes) > 0) {
		f.wrong("a list", name)
	}
	slices.Sort(indexes)
	for _, index := range indexes {
		names = append(names, name+".member."+strconv.Itoa(index))
	}
	return names, f.err == nil && (empty || len(indexes) > 0)
}

// elementIndex returns 7 for member.7 and for member.7.Key.
func elementIndex(below string) (int, bool) {
	text, member := strings.CutPrefix(below, "member.")
	text, _, _ = strings.Cut(text, ".")
	index, err := strconv.ParseInt(text, 10, 32)
	return int(index), member && err == nil && index > 0 && strconv.FormatInt(index, 10) == text
}
