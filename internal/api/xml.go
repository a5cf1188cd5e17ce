package api

import (
	"encoding/xml"
	"maps"
	"slices"
	"time"
)

// The answers of Query services are XML. Generated code writes the elements of members; these are their contents.

// AppendXMLText appends text, escaped. What XML cannot hold becomes U+FFFD.
func AppendXMLText[T ~string](b []byte, s T) []byte {
	w := appender(b)
	_ = xml.EscapeText(&w, []byte(s)) // an appender does not fail
	return w
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// AppendXMLTime appends a point in time, to the second: 2019-12-02T13:39:00Z.
func AppendXMLTime(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
}

// AppendXMLTexts appends a list of strings, each a member element.
func AppendXMLTexts[T ~string](b []byte, list []T) []byte {
	for _, s := range list {
		b = AppendXMLText(append(b, "<member>"...), s)
		b = append(b, "</member>"...)
	}
	return b
}

// AppendXMLList appends a list of structures, each a member element whose contents appendOne writes.
func AppendXMLList[T any](b []byte, list []T, appendOne func(*T, []byte) []byte) []byte {
	for i := range list {
		b = appendOne(&list[i], append(b, "<member>"...))
		b = append(b, "</member>"...)
	}
	return b
}

// AppendXMLMap appends a map, each pair an entry element, sorted by key; appendOne writes a value.
func AppendXMLMap[K ~string, V any](b []byte, m map[K]V, appendOne func([]byte, V) []byte) []byte {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b = AppendXMLText(append(b, "<entry><key>"...), k)
		b = appendOne(append(b, "</key><value>"...), m[k])
		b = append(b, "</value></entry>"...)
	}
	return b
}
