package main

import (
	"fmt"
	"strings"
)

// goType returns the Go type of a member of the given shape.
func (m *model) goType(name string) string {
	s := m.Shapes[name]
	switch s.Type {
	case "structure":
		return "*" + name
	case "list":
		return "[]" + m.element(s)
	case "map":
		return "map[" + m.text(s.Key) + "]" + strings.TrimPrefix(m.goType(s.Value), "*")
	case "blob":
		return "[]byte"
	case "boolean":
		return "*bool"
	case "integer":
		return "*int32"
	case "timestamp":
		return "*time.Time"
	}
	if isEnum(s) {
		return "*" + name
	}
	return "*string"
}

// element returns the Go type of the elements of a list.
func (m *model) element(list *shape) string {
	if isStructure(m.Shapes[list.Member]) {
		return list.Member
	}
	return m.text(list.Member)
}

// text returns the Go type of a shape of text that is always there.
func (m *model) text(name string) string {
	if isEnum(m.Shapes[name]) {
		return name
	}
	return "string"
}

func types(s *source, m *model) {
	roles := m.roles()
	for _, name := range m.named(isStructure) {
		role := roles[name]
		if role == "" {
			role = "a structure of " + m.Service.Title
		}
		s.p("// %s is %s.", name, role)
		if len(m.Shapes[name].Members) == 0 {
			s.p("type %s struct{}\n", name)
		} else {
			s.p("type %s struct {", name)
			for _, member := range m.Shapes[name].Members {
				s.p("%s %s %s", goName(member.Name), m.goType(member.Shape), m.remark(member))
			}
			s.p("}\n")
		}
		if roles[name] != "" || m.secret(name) {
			s.p("// Format prints the name of the type alone: the members may be secrets.")
			s.p("func (%s) Format(f fmt.State, _ rune) { fmt.Fprint(f, %q) }\n", name, s.pkg+"."+name)
			s.p("// LogValue logs the name of the type alone.")
			s.p("func (%s) LogValue() slog.Value { return slog.StringValue(%q) }\n", name, s.pkg+"."+name)
		}
	}
}

// roles says of which operations each structure is the request or the response.
func (m *model) roles() map[string]string {
	roles := map[string]string{}
	add := func(shape, role, operation string) {
		if roles[shape] == "" {
			roles[shape] = "the " + role + " of " + operation
		} else {
			roles[shape] += " and " + operation
		}
	}
	for _, o := range m.Operations {
		add(o.Input, "request", o.Name)
		if o.Output != "" {
			add(o.Output, "response", o.Name)
		}
	}
	return roles
}

// secret reports whether a structure has a member that must not be printed.
func (m *model) secret(name string) bool {
	for _, member := range m.Shapes[name].Members {
		if m.Shapes[member.Shape].Sensitive || member.Audit == "never" {
			return true
		}
	}
	return false
}

// remark is the comment of a member: its constraints.
func (m *model) remark(member member) string {
	s := m.Shapes[member.Shape]
	var words []string
	if member.Required {
		words = append(words, "required")
	}
	unit := map[string]string{"string": " characters", "blob": " bytes", "list": " elements"}[s.Type]
	if min, max, bounded := s.bounds(); bounded && max < 0 {
		words = append(words, fmt.Sprintf("at least %d%s", min, unit))
	} else if bounded {
		words = append(words, fmt.Sprintf("%d to %d%s", min, max, unit))
	}
	if s.Pattern != "" {
		words = append(words, "of "+s.Pattern)
	}
	if member.Audit == "never" {
		words = append(words, "never in an audit record")
	}
	if len(words) == 0 {
		return ""
	}
	return "// " + strings.Join(words, "; ")
}

func enums(s *source, m *model) {
	for _, name := range m.named(isEnum) {
		values := m.Shapes[name].Enum
		s.p("// %s is an enumeration of %s.\ntype %s string\n", name, m.Service.Title, name)
		s.p("// The values of %s.\nconst (", name)
		for _, value := range values {
			s.p("%s %s = %q", constant(name, value), name, value)
		}
		s.p(")\n")
		s.p("// Valid reports whether v is a value that the model knows.")
		s.p("func (v %s) Valid() bool {\nswitch v {\ncase %s:\nreturn true\n}\nreturn false\n}\n", name, constants(name, values))
		s.p("// Values returns all values, in the order of the model.")
		s.p("func (%s) Values() []%s {\nreturn []%s{%s}\n}\n", name, name, name, constants(name, values))
	}
}

func constants(enum string, values []string) string {
	names := make([]string, len(values))
	for i, value := range values {
		names[i] = constant(enum, value)
	}
	return strings.Join(names, ", ")
}
