package policy

import (
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxBytes is the size of the longest document that is looked at. Services set smaller limits of their own.
const MaxBytes = 1 << 20

// maxDepth is how deep values nest in the deepest legal document: document, Statement, statement, Condition, operator,
// list of values, value.
const maxDepth = 7

// node is a JSON value with its place in the text, so that documents can be changed byte for byte.
type node struct {
	kind       jsontext.Kind
	start, end int
	name       string // of a member of an object
	text       string // of a string, a number, true, false
	items      []node // of an object or an array
}

// The kinds of JSON values, as jsontext names them.
const (
	isObject jsontext.Kind = '{'
	isArray  jsontext.Kind = '['
	isString jsontext.Kind = '"'
	isNumber jsontext.Kind = '0'
	isTrue   jsontext.Kind = 't'
	isFalse  jsontext.Kind = 'f'
)

var errDeep = errors.New("values are nested too deeply")

// reader builds a tree from a text.
type reader struct {
	text string
	dec  *jsontext.Decoder
}

// readTree reads one JSON value. Members given twice, invalid UTF-8 and anything after the value are errors.
func readTree(text string) (node, error) {
	r := reader{text, jsontext.NewDecoder(strings.NewReader(text))}
	root, err := r.value(maxDepth)
	if err != nil {
		return node{}, err
	}
	if _, err := r.dec.ReadToken(); err == nil {
		return node{}, errors.New("there is more after the document")
	} else if !errors.Is(err, io.EOF) {
		return node{}, err
	}
	return root, nil
}

func (r *reader) value(depth int) (node, error) {
	if depth == 0 {
		return node{}, errDeep
	}
	before := int(r.dec.InputOffset())
	token, err := r.dec.ReadToken()
	if errors.Is(err, io.EOF) {
		return node{}, errors.New("there is no document")
	} else if err != nil {
		return node{}, err
	}
	n := node{kind: token.Kind(), end: int(r.dec.InputOffset())}
	n.start = before + len(r.text[before:n.end]) - len(strings.TrimLeft(r.text[before:n.end], " \t\r\n,:"))
	if n.kind == isObject || n.kind == isArray {
		return r.container(n, depth)
	}
	n.text = token.String()
	return n, nil
}

// container reads what is in an object or an array, which has just begun.
func (r *reader) container(n node, depth int) (node, error) {
	end := jsontext.Kind('}')
	if n.kind == isArray {
		end = ']'
	}
	for r.dec.PeekKind() != end {
		var name string
		if n.kind == isObject {
			token, err := r.dec.ReadToken()
			if err != nil {
				return node{}, err
			}
			name = token.String()
		}
		item, err := r.value(depth - 1)
		if err != nil {
			return node{}, err
		}
		item.name = name
		n.items = append(n.items, item)
	}
	_, err := r.dec.ReadToken()
	n.end = int(r.dec.InputOffset())
	return n, err
}

// member returns the named member of an object.
func (n *node) member(name string) (*node, bool) {
	if n.kind != isObject {
		return nil, false
	}
	for i := range n.items {
		if n.items[i].name == name {
			return &n.items[i], true
		}
	}
	return nil, false
}

// list returns the elements of an array, or the value itself where the language takes one or many.
func (n *node) list() []node {
	if n.kind == isArray {
		return n.items
	}
	return []node{*n}
}
