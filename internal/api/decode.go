package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math"
	"strconv"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads the JSON object that body is into x, which should be empty. The result keeps nothing of body, and what
// it returns is an *Error with code SerializationException.
//
// It is strict where a lax reader could be played off against another one, and as AWS where a client could notice:
// members that the model does not know are skipped and null is the same as absent, but a member name that occurs twice
// in one object is refused (whether AWS takes the first or the last is not published), and so are text that is not
// UTF-8, a lone surrogate, base64 with line breaks or stray bits, a number with a fraction where an integer belongs, a
// null in a list or map, anything after the object, and a body that is empty: it is not an object.
func Decode(body []byte, x Shape) error {
	if tooDeep(body) {
		return SerializationException("The request body is nested too deeply")
	}
	d := decoders.Get().(*Decoder)
	d.start(body)
	x.DecodeJSON(d)
	err := d.finish()
	if len(body) <= maxPooledBody {
		decoders.Put(d)
	}
	return err
}

// DecodeAudit reads what AppendAudit of a request has written back into x, which should be empty, so that a recorded
// call can be looked at again. Members that records do not hold stay nil.
func DecodeAudit(record []byte, x Shape) error {
	if tooDeep(record) {
		return SerializationException("The record is nested too deeply")
	}
	d := new(Decoder)
	d.start(record)
	d.audit = true
	x.DecodeJSON(d)
	return d.finish()
}

const (
	maxDepth      = 32       // of nested objects and lists; the models need six, and the tokenizer pays for each
	maxPooledBody = 16 << 10 // a decoder that has met a larger one may have grown with it, and is not kept
)

var decoders = sync.Pool{New: func() any { return new(Decoder) }}

// tooDeep reports whether body, if it is JSON, nests deeper than maxDepth.
func tooDeep(body []byte) bool {
	if bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) <= maxDepth {
		return false // as almost always; the exact answer takes longer
	}
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			text = !text
		case text && c == '\\':
			i++
		case text:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// Decoder reads the members of structures, for generated code. After the first error everything it returns is empty,
// and loops over More end.
type Decoder struct {
	dec     jsontext.Decoder
	body    bytes.Buffer // a reader of this type makes dec read the body in place
	scratch []byte       // the last string that had escapes
	err     error
	audit   bool // it reads an audit record, where members, dates and empty structures look different
}

func (d *Decoder) start(body []byte) {
	d.body = *bytes.NewBuffer(body)
	d.dec.Reset(&d.body)
	d.err = nil
}

// finish demands the end of the body and lets go of it: the pool must not keep a caller's secrets.
func (d *Decoder) finish() error {
	if d.err == nil {
		if _, err := d.dec.ReadToken(); err == nil {
			d.fail("Unexpected data after the request object")
		} else if !errors.Is(err, io.EOF) {
			d.broken(err)
		}
	}
	err := d.err
	if len(d.scratch) > 0 {
		clear(d.scratch[:cap(d.scratch)])
		d.scratch = d.scratch[:0]
	}
	d.body, d.err = bytes.Buffer{}, nil
	d.dec.Reset(&d.body)
	return err
}

func (d *Decoder) fail(text string) {
	if d.err == nil {
		d.err = SerializationException("%s", text)
	}
}

// wrong reports a value that is not what the model says. The place is a JSON pointer: member names and indexes, no
// values.
func (d *Decoder) wrong(want string) {
	if d.err != nil {
		return
	}
	if at := string(d.dec.StackPointer()); at != "" {
		want += " at '" + shorten(at) + "'"
	}
	d.fail("Expected " + want)
}

// broken turns an error of the tokenizer into ours. Its own text is not used: it quotes the body.
func (d *Decoder) broken(err error) {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		d.fail("Duplicate member at '" + shorten(string(syntax.JSONPointer)) + "'")
	case errors.As(err, &syntax):
		d.fail("The request body is not valid JSON at byte " + strconv.FormatInt(syntax.ByteOffset, 10))
	default: // io.ErrUnexpectedEOF, io.EOF
		d.fail("The request body ends before its JSON does")
	}
}

// value returns the next value if it is of the kind; nil after null or an error. It is valid until the next read.
func (d *Decoder) value(kind jsontext.Kind, want string) jsontext.Value {
	if d.err != nil {
		return nil
	}
	switch d.dec.PeekKind() {
	case kind, 0: // 0 is an error, which the read returns
		v, err := d.dec.ReadValue()
		if err != nil {
			d.broken(err)
			return nil
		}
		return v
	case 'n':
		d.skip()
	default:
		d.mismatch(want)
	}
	return nil
}

// mismatch reports that the next value is not what the model says. It reads one token of it, so that the place is the
// value's own.
func (d *Decoder) mismatch(want string) {
	if _, err := d.dec.ReadToken(); err != nil {
		d.broken(err)
		return
	}
	d.wrong(want)
}

// text returns the contents of the next string, valid until the next read, and whether there is one.
func (d *Decoder) text(want string) ([]byte, bool) {
	v := d.value('"', want)
	if v == nil {
		return nil, false
	}
	if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	text, err := jsontext.AppendUnquote(d.scratch[:0], v)
	if err != nil {
		d.broken(err)
		return nil, false
	}
	d.scratch = text
	return text, true
}

// Object enters an object. It reports false, with an error set, if something else comes.
func (d *Decoder) Object() bool {
	if d.audit && d.Null() { // of a structure that had nothing to show
		return false
	}
	return d.enter('{', "an object")
}

// List enters a list. It reports false if null comes, and, with an error set, if anything else does.
func (d *Decoder) List() bool {
	if d.Null() {
		return false
	}
	return d.enter('[', "a list")
}

func (d *Decoder) enter(kind jsontext.Kind, want string) bool {
	if d.err != nil {
		return false
	}
	if k := d.dec.PeekKind(); k != kind && k != 0 {
		d.mismatch(want)
		return false
	}
	if _, err := d.dec.ReadToken(); err != nil {
		d.broken(err)
		return false
	}
	return true
}

// More reports whether the object or list that was entered has another member, and leaves it if not.
func (d *Decoder) More() bool {
	if d.err != nil {
		return false
	}
	switch d.dec.PeekKind() {
	case '}', ']':
		if _, err := d.dec.ReadToken(); err != nil {
			d.broken(err)
		}
		return false
	case 0: // an error, which the next read returns
		_, err := d.dec.ReadToken()
		d.broken(err)
		return false
	}
	return true
}

// Name returns the name of the next member, valid until the next read.
func (d *Decoder) Name() []byte {
	name, _ := d.text("a member name")
	if d.audit { // keyId is KeyId
		r, n := utf8.DecodeRune(name)
		return append(utf8.AppendRune(nil, unicode.ToUpper(r)), name[n:]...)
	}
	return name
}

// Null skips a null and reports whether one was there.
func (d *Decoder) Null() bool {
	if d.err != nil || d.dec.PeekKind() != 'n' {
		return false
	}
	d.skip()
	return true
}

// Skip passes over the value of a member that the model does not know, whatever it is; it must still be JSON.
func (d *Decoder) Skip() {
	if d.err == nil {
		d.skip()
	}
}

func (d *Decoder) skip() {
	if err := d.dec.SkipValue(); err != nil {
		d.broken(err)
	}
}

// SkipObject passes over an object whose members nobody knows.
func (d *Decoder) SkipObject() {
	for more := d.Object(); more && d.More(); {
		d.Name()
		d.Skip()
	}
}

// Text reads a string.
func (d *Decoder) Text() *string {
	text, ok := d.text("a string")
	if !ok {
		return nil
	}
	s := string(text)
	return &s
}

// Blob reads bytes from a base64 string (RFC 4648 section 4, padded).
func (d *Decoder) Blob() []byte {
	text, ok := d.text("a base64 string")
	if !ok {
		return nil
	}
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 { // package base64 would skip them
		d.wrong("a base64 string")
		return nil
	}
	blob := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := strictBase64.Decode(blob, text)
	if err != nil {
		d.wrong("a base64 string")
		return nil
	}
	return blob[:n]
}

var strictBase64 = base64.StdEncoding.Strict()

// Bool reads true or false.
func (d *Decoder) Bool() *bool {
	if d.err != nil || d.Null() {
		return nil
	}
	token, err := d.dec.ReadToken()
	if err != nil {
		d.broken(err)
		return nil
	}
	switch token.Kind() {
	case 't', 'f':
		b := token.Kind() == 't'
		return &b
	}
	d.wrong("a boolean")
	return nil
}

// Int32 reads an integer of 32 bits, written without fraction or exponent.
func (d *Decoder) Int32() *int32 {
	v := d.value('0', "an integer")
	if v == nil {
		return nil
	}
	n, err := strconv.ParseInt(string(v), 10, 32)
	if err != nil {
		d.wrong("an integer")
		return nil
	}
	i := int32(n)
	return &i
}

// maxTimestamp is the first second of the year 10000, which RFC 3339 cannot write.
const maxTimestamp = 253402300800

// Time reads a point in time, in seconds since 1970 with a fraction; milliseconds are kept, as in AWS.
func (d *Decoder) Time() *time.Time {
	if d.audit {
		return d.auditTime()
	}
	v := d.value('0', "a timestamp")
	if v == nil {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.Abs(seconds) >= maxTimestamp {
		d.wrong("a timestamp")
		return nil
	}
	t := time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return &t
}

func (d *Decoder) auditTime() *time.Time {
	text, ok := d.text("a date")
	if !ok {
		return nil
	}
	t, err := time.Parse(auditTime, string(text))
	if err != nil {
		d.wrong("a date")
		return nil
	}
	return &t
}

// TextMap reads a map of strings. All of them share one copy of the text: encryption contexts are read on every call.
func (d *Decoder) TextMap() map[string]string {
	v := d.value('{', "an object")
	if v == nil {
		return nil
	}
	m := map[string]string{}
	rest := string(v[1:]) // valid JSON, without duplicate names
	for {
		name, after, ok := d.nextText(rest)
		if !ok {
			return m // the closing brace
		}
		text, after, ok := d.nextText(after)
		if !ok { // null too: dropping it would change what an encryption context binds
			d.wrong("an object of strings")
			return nil
		}
		m[name] = text
		rest = after
	}
}

// nextText returns the string that s, a part of valid JSON, has behind white space and separators, and what follows it;
// not ok if there is something else.
func (d *Decoder) nextText(s string) (text, after string, ok bool) {
	start := 0
	for isSeparator(s[start]) {
		start++
	}
	if s[start] != '"' {
		return "", "", false
	}
	end, escaped := start+1, false
	for ; s[end] != '"'; end++ {
		if s[end] == '\\' {
			end, escaped = end+1, true
		}
	}
	if !escaped {
		return s[start+1 : end], s[end+1:], true
	}
	unquoted, err := jsontext.AppendUnquote(d.scratch[:0], s[start:end+1])
	if err != nil {
		d.broken(err)
		return "", "", false
	}
	d.scratch = unquoted
	return string(unquoted), s[end+1:], true
}

func isSeparator(c byte) bool {
	return c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n'
}

// DecodeMap reads a map whose values readOne reads.
func DecodeMap[K ~string, V any](d *Decoder, readOne func(*Decoder) *V) map[K]V {
	if d.Null() {
		return nil
	}
	m := map[K]V{}
	for more := d.Object(); more && d.More(); {
		name, _ := d.text("a member name")
		key := K(name)
		v := readOne(d)
		if v == nil {
			d.wrong("a value")
			return nil
		}
		m[key] = *v
	}
	return m
}

// DecodeEnum reads a value of an enumeration; Check tests whether it is one that the model knows.
func DecodeEnum[T ~string](d *Decoder) *T {
	text, ok := d.text("a string")
	if !ok {
		return nil
	}
	value := T(text)
	return &value
}

// DecodeTexts reads a list of strings or of values of an enumeration.
func DecodeTexts[T ~string](d *Decoder) []T {
	if !d.List() {
		return nil
	}
	list := []T{}
	for d.More() {
		text, ok := d.text("a string")
		if !ok {
			d.wrong("a string")
			return nil
		}
		list = append(list, T(text))
	}
	return list
}

// DecodeStruct reads a structure.
func DecodeStruct[T any, P interface {
	*T
	Shape
}](d *Decoder) *T {
	if d.Null() {
		return nil
	}
	x := new(T)
	P(x).DecodeJSON(d)
	return x
}

// DecodeStructs reads a list of structures.
func DecodeStructs[T any, P interface {
	*T
	Shape
}](d *Decoder) []T {
	if !d.List() {
		return nil
	}
	list := []T{}
	for d.More() {
		list = append(list, *new(T))
		P(&list[len(list)-1]).DecodeJSON(d)
	}
	return list
}
