package api

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Generated code writes an object as its members, each with a comma behind it, and then calls EndObject.

// EndObject closes the object whose '{' and members b ends with.
func EndObject(b []byte) []byte { return end(b, '}') }

// EndAudit closes the object whose '{' and members b ends with; an object without members becomes null, as AWS's
// records write it.
func EndAudit(b []byte) []byte {
	if b[len(b)-1] == '{' {
		return append(b[:len(b)-1], "null"...)
	}
	return end(b, '}')
}

func end(b []byte, closing byte) []byte {
	if b[len(b)-1] == ',' {
		b[len(b)-1] = closing
		return b
	}
	return append(b, closing)
}

// AppendText appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendText[T ~string](b []byte, s T) []byte {
	b, _ = jsontext.AppendQuote(b, string(s)) // the error says that it replaced something
	return b
}

// AppendBlob appends bytes as a base64 string.
func AppendBlob(b, blob []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, blob)
	return append(b, '"')
}

// AppendBool appends true or false.
func AppendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

// AppendInt appends an integer.
func AppendInt[T int32 | int64](b []byte, v T) []byte { return strconv.AppendInt(b, int64(v), 10) }

// AppendTime appends seconds since 1970, with a fraction where the milliseconds are not zero.
func AppendTime(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms < 0 {
		b, ms = append(b, '-'), -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if ms %= 1000; ms != 0 {
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	return b
}

const auditTime = "Jan 2, 2006, 3:04:05 PM"

// AppendAuditTime appends a date as audit records write it: "May 21, 2025, 5:47:45 AM", UTC.
func AppendAuditTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, auditTime)
	return append(b, '"')
}

// AppendTextMap appends an object of strings, sorted by name.
func AppendTextMap(b []byte, m map[string]string) []byte {
	names := make([]string, 0, 8) // on the stack for most encryption contexts
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for _, name := range names {
		b = append(AppendText(b, name), ':')
		b = append(AppendText(b, m[name]), ',')
	}
	return EndObject(b)
}

// AppendMap appends an object, sorted by name, whose values appendOne writes.
func AppendMap[K ~string, V any](b []byte, m map[K]V, appendOne func([]byte, V) []byte) []byte {
	b = append(b, '{')
	for _, name := range slices.Sorted(maps.Keys(m)) {
		b = append(AppendText(b, name), ':')
		b = append(appendOne(b, m[name]), ',')
	}
	return EndObject(b)
}

// AppendTexts appends a list of strings.
func AppendTexts[T ~string](b []byte, list []T) []byte {
	b = append(b, '[')
	for _, s := range list {
		b = append(AppendText(b, s), ',')
	}
	return end(b, ']')
}

// AppendList appends a list of structures, each written by appendOne.
func AppendList[T any](b []byte, list []T, appendOne func(*T, []byte) []byte) []byte {
	b = append(b, '[')
	for i := range list {
		b = append(appendOne(&list[i], b), ',')
	}
	return end(b, ']')
}
