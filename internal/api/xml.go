package api

import (
	"bytes"
	"encoding/xml"
)

// AppendElement appends an XML element with the given text, or nothing if text is nil.
func AppendElement(b []byte, name string, text *string) []byte {
	if text == nil {
		return b
	}
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(*text)) // a bytes.Buffer does not fail
	b = append(append(append(b, '<'), name...), '>')
	b = append(b, escaped.Bytes()...)
	return append(append(append(b, "</"...), name...), '>')
}
