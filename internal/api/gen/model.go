package main

import (
	"bytes"
	"encoding/json"
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
	Output           string // "" if the operation answers with an empty body
	Errors           []string
	ResponseElements bool // audit records show the response
	Built            bool
	Proof            string // what shows that it works, for the table
}

type exception struct {
	Name   string
	Status int
}

type shape struct {
	Type       string // structure, list, map, string, blob, integer, boolean, timestamp
	Members    []member
	Member     string // of a list
	Key, Value string // of a map
	Enum       []string
	Min, Max   *int
	Pattern    string
	Sensitive  bool // never echoed in an error
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
	return m, nil
}

// check refuses a model that would make code that does not compile or, worse, code that does.
func (m *model) check() error {
	errors := map[string]bool{}
	for _, e := range m.Errors {
		errors[e.Name] = true
	}
	for _, o := range m.Operations {
		for _, e := range o.Errors {
			if !errors[e] {
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
	return nil
}

func (m *model) checkShape(s *shape) error {
	refs := []string{}
	switch s.Type {
	case "structure":
		for _, member := range s.Members {
			refs = append(refs, member.Shape)
		}
	case "list":
		refs = append(refs, s.Member)
	case "map":
		refs = append(refs, s.Key, s.Value)
		for _, ref := range refs {
			if r := m.Shapes[ref]; r == nil || r.Type != "string" || constrained(r) {
				return fmt.Errorf("maps of anything but free text are not supported: %s", ref)
			}
		}
	case "string", "blob", "integer", "boolean", "timestamp":
	default:
		return fmt.Errorf("type %q is not supported", s.Type)
	}
	for _, ref := range refs {
		if m.Shapes[ref] == nil {
			return fmt.Errorf("%s is not defined", ref)
		}
	}
	if s.Type == "list" {
		if t := m.Shapes[s.Member].Type; t != "structure" && t != "string" {
			return fmt.Errorf("lists of %s are not supported", t)
		}
	}
	return nil
}

func constrained(s *shape) bool {
	_, _, bounded := s.bounds()
	return bounded || s.Pattern != "" || isEnum(s)
}
