package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// model is one API: the facts of a model file.
type model struct {
	Service    service
	Operations []operation
	Shapes     map[string]*shape
	Errors     []exception
}

type service struct {
	Name         string
	Title        string
	Version      string
	Protocol     string // json: AWS JSON 1.1; query: AWS Query, XML answers
	TargetPrefix string // json: what X-Amz-Target begins with
	Namespace    string // query: of the XML
}

type operation struct {
	Name             string
	Input            string
	Output           string // "" if the operation answers with nothing
	empty            bool   // Output was "": Query answers have a type even then, but no result element
	Errors           []string
	ResponseElements bool // audit records show the response
	Built            bool
	Proof            string // what shows that it works, for the table
}

type exception struct {
	Name   string
	Code   string // on the wire, where it is not the name
	Status int
}

type shape struct {
	Type       string // structure, list, map, string, blob, integer, boolean, timestamp
	Members    []member
	Member     string // of a list
	Key, Value string // of a map
	Enum       []string
	Min, Max   *int
	MaxBytes   *int // of the names and values of a map of text together
	Pattern    string
	Match      string // Pattern in Go's syntax, where it has something that Go does not know
	Sensitive  bool   // never echoed in an error
}

type member struct {
	Name     string
	Shape    string
	Required bool
	Audit    string // "never": no audit record holds it
}

// bounds returns the constraint of a shape, -1 for no upper bound, and whether there is one.
func (s *shape) bounds() (min, max int, bounded bool) {
	max = -1
	if s.Min != nil {
		min = *s.Min
	}
	if s.Max != nil {
		max = *s.Max
	}
	return min, max, min > 0 || max >= 0
}

// lowerFirst turns a member name into what paths and audit records call it: KeyId is keyId there, and AWSAccountId is
// aWSAccountId, as in AWS's own records.
func lowerFirst(name string) string {
	r, n := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(r)) + name[n:]
}

// goName is the name of the field of a member. Only Query services have members that begin with a small letter; in JSON,
// which they do not speak with clients, the name is that of the field.
func goName(name string) string {
	r, n := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r)) + name[n:]
}

// constant names a value of an enumeration: KeySpec and RSA_2048 give KeySpecRsa2048, KeyState and PendingDeletion give
// KeyStatePendingDeletion.
func constant(enum, value string) string {
	name := enum
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '_' || r == '-' }) {
		if strings.ToUpper(part) == part {
			part = strings.ToLower(part)
		}
		name += strings.ToUpper(part[:1]) + part[1:]
	}
	return name
}

// named returns the names of the shapes that become Go types of a kind, sorted.
func (m *model) named(want func(*shape) bool) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.Shapes)) {
		if want(m.Shapes[name]) {
			names = append(names, name)
		}
	}
	return names
}

func isEnum(s *shape) bool      { return len(s.Enum) > 0 }
func isStructure(s *shape) bool { return s.Type == "structure" }

func loadModel(path string) (*model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(model)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.query() {
		m.nameEmptyAnswers()
	}
	return m, nil
}

func (m *model) query() bool { return m.Service.Protocol == "query" }

// nameEmptyAnswers gives every operation an output. The answer of a Query service names the operation even if it says
// nothing else.
func (m *model) nameEmptyAnswers() {
	for i := range m.Operations {
		if o := &m.Operations[i]; o.Output == "" {
			o.Output, o.empty = o.Name+"Response", true
			m.Shapes[o.Output] = &shape{Type: "structure"}
		}
	}
}

// check refuses a model that would make code that does not compile or, worse, code that does.
func (m *model) check() error {
	known := map[string]bool{}
	for _, e := range m.Errors {
		known[e.Name] = true
	}
	for _, o := range m.Operations {
		for _, e := range o.Errors {
			if !known[e] {
				return fmt.Errorf("operation %s: error %s is not in the table", o.Name, e)
			}
		}
		if s := m.Shapes[o.Input]; s == nil || s.Type != "structure" {
			return fmt.Errorf("operation %s: input %q is no structure", o.Name, o.Input)
		}
		if s := m.Shapes[o.Output]; o.Output != "" && (s == nil || s.Type != "structure") {
			return fmt.Errorf("operation %s: output %q is no structure", o.Name, o.Output)
		}
	}
	for name, s := range m.Shapes {
		if err := m.checkShape(s); err != nil {
			return fmt.Errorf("shape %s: %w", name, err)
		}
	}
	return m.checkProtocol()
}

func (m *model) checkShape(s *shape) error {
	refs := []string{}
	switch s.Type {
	case "structure":
		for _, member := range s.Members {
			if !m.query() && goName(member.Name) != member.Name {
				return fmt.Errorf("member %s begins with a small letter", member.Name)
			}
			refs = append(refs, member.Shape)
		}
	case "list":
		refs = append(refs, s.Member)
	case "map":
		refs = append(refs, s.Key, s.Value)
	case "string", "blob", "integer", "boolean", "timestamp":
	default:
		return fmt.Errorf("type %q is not supported", s.Type)
	}
	for _, ref := range refs {
		if m.Shapes[ref] == nil {
			return fmt.Errorf("%s is not defined", ref)
		}
	}
	switch s.Type {
	case "list":
		if t := m.Shapes[s.Member].Type; t != "structure" && t != "string" {
			return fmt.Errorf("lists of %s are not supported", t)
		}
	case "map":
		if k, v := m.Shapes[s.Key].Type, m.Shapes[s.Value].Type; k != "string" || v != "string" && v != "integer" {
			return fmt.Errorf("maps from %s to %s are not supported", k, v)
		}
	}
	if s.MaxBytes != nil && (s.Type != "map" || m.Shapes[s.Value].Type != "string") {
		return errors.New("maxBytes is for maps of text")
	}
	return nil
}

// checkProtocol refuses what the codecs of the protocol leave out, because no operation needs it.
func (m *model) checkProtocol() error {
	for name := range m.reached(func(o operation) string { return o.Input }) {
		switch s := m.Shapes[name]; {
		case s.Type == "map" && !m.freeText(s):
			return fmt.Errorf("shape %s: requests with maps of anything but free text are not supported", name)
		case m.query() && !slices.Contains([]string{"structure", "list", "string", "integer", "boolean"}, s.Type):
			return fmt.Errorf("shape %s: Query requests with a %s are not supported", name, s.Type)
		case m.query() && slices.ContainsFunc(s.Members, func(mb member) bool { return isStructure(m.Shapes[mb.Shape]) }):
			return fmt.Errorf("shape %s: Query requests with a structure in them are not supported", name)
		}
	}
	for name := range m.reached(func(o operation) string { return o.Output }) {
		if s := m.Shapes[name]; m.query() && s.Type == "blob" {
			return fmt.Errorf("shape %s: Query answers with a blob are not supported", name)
		}
	}
	return nil
}

// freeText reports whether a map is one of any text to any text.
func (m *model) freeText(s *shape) bool {
	k, v := m.Shapes[s.Key], m.Shapes[s.Value]
	return v.Type == "string" && !constrained(k) && !constrained(v)
}

func constrained(s *shape) bool {
	_, _, bounded := s.bounds()
	return bounded || s.Pattern != "" || isEnum(s)
}
