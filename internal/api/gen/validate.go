package main

import (
	"fmt"
	"strings"
)

// validate writes Validate of every structure that requests can hold, and the predicates that they use.
func validate(s *source, m *model) {
	used := map[string]bool{} // shapes whose predicate is needed
	for _, name := range m.named(isStructure) {
		if !m.requestShapes()[name] {
			continue
		}
		s.p("// Validate reports every constraint of the model that x breaks.")
		if !m.checked(name) {
			s.p("func (*%s) Validate(*api.Violations) {}\n", name)
			continue
		}
		s.p("func (x *%s) Validate(v *api.Violations) {", name)
		for _, member := range m.Shapes[name].Members {
			m.validateMember(s, member, used)
		}
		s.p("}\n")
	}
	for _, name := range m.named(func(sh *shape) bool { return true }) {
		if used[name] {
			m.predicate(s, name)
		}
	}
}

// requestShapes returns the shapes that requests can hold.
func (m *model) requestShapes() map[string]bool {
	return m.reached(func(o operation) string { return o.Input })
}

// reached returns the shapes that requests, or answers, can hold.
func (m *model) reached(from func(operation) string) map[string]bool {
	reached := map[string]bool{}
	var walk func(string)
	walk = func(name string) {
		s := m.Shapes[name]
		if reached[name] || s == nil {
			return
		}
		reached[name] = true
		walk(s.Member)
		walk(s.Key)
		walk(s.Value)
		for _, member := range s.Members {
			walk(member.Shape)
		}
	}
	for _, o := range m.Operations {
		walk(from(o))
	}
	return reached
}

// checked reports whether a shape has any constraint, in itself or in what it holds.
func (m *model) checked(name string) bool {
	s := m.Shapes[name]
	if constrained(s) || s.MaxBytes != nil || s.Member != "" && m.checked(s.Member) {
		return true
	}
	for _, member := range s.Members {
		if member.Required || m.checked(member.Shape) {
			return true
		}
	}
	return false
}

func (m *model) validateMember(s *source, member member, used map[string]bool) {
	checked := m.checked(member.Shape)
	x, name := "x."+goName(member.Name), lowerFirst(member.Name)
	switch {
	case member.Required && checked:
		s.p("if %s == nil {\nv.Null(%q)\n} else {", x, name)
	case member.Required:
		s.p("if %s == nil {\nv.Null(%q)\n}", x, name)
		return
	case checked:
		s.p("if %s != nil {", x)
	default:
		return
	}
	m.validateValue(s, member.Shape, x, name, used)
	s.p("}")
}

// validateValue writes the checks of a value that is there.
func (m *model) validateValue(s *source, shapeName, x, name string, used map[string]bool) {
	sh := m.Shapes[shapeName]
	min, max, bounded := sh.bounds()
	secret := ""
	if sh.Sensitive {
		secret = "Secret"
	}
	switch sh.Type {
	case "structure":
		s.p("v.Enter(%q)\n%s.Validate(v)\nv.Leave()", name, x)
	case "list":
		if bounded {
			s.p("v.Size(%q, len(%s), %d, %d)", name, x, min, max)
		}
		m.validateElements(s, sh, x, name, used)
	case "map":
		s.p("v.Pairs(%q, %s, %d)", name, x, *sh.MaxBytes)
	case "blob":
		s.p("v.Size(%q, len(%s), %d, %d)", name, x, min, max)
	case "integer":
		s.p("v.Range(%q, *%s, %d, %d)", name, x, min, max)
	case "string":
		if isEnum(sh) {
			s.p("if !%s.Valid() {\nv.Enum(%q, string(*%s), %q)\n}", x, name, x, set(sh))
			return
		}
		if bounded {
			s.p("v.%sText(%q, *%s, %d, %d)", secret, name, x, min, max)
		}
		if sh.Pattern == "" {
			return
		}
		used[shapeName] = true
		s.p("if !matches%s(*%s) {", shapeName, x)
		if sh.Sensitive {
			s.p("v.SecretPattern(%q, %q)\n}", name, sh.Pattern)
		} else {
			s.p("v.Pattern(%q, *%s, %q)\n}", name, x, sh.Pattern)
		}
	}
}

func (m *model) validateElements(s *source, list *shape, x, name string, used map[string]bool) {
	element := m.Shapes[list.Member]
	switch {
	case isStructure(element):
		if m.checked(list.Member) {
			s.p("v.Enter(%q)\nfor i := range %s {\nv.EnterElement(i)\n%s[i].Validate(v)\nv.Leave()\n}\nv.Leave()", name, x, x)
		}
	case isEnum(element):
		s.p("api.Elements(v, %q, %s, %s.Valid, %q)", name, x, list.Member, "Member must satisfy enum value set: "+set(element))
	case constrained(element):
		used[list.Member] = used[list.Member] || element.Pattern != ""
		secret := ""
		if element.Sensitive {
			secret = "Secret"
		}
		s.p("api.%sElements(v, %q, %s, func(s string) bool { return %s }, %q)", secret, name, x, elementTest(list.Member, element), elementRules(element))
	}
}

// elementTest returns the condition that a string s of the shape keeps.
func elementTest(name string, s *shape) string {
	var tests []string
	if min, max, bounded := s.bounds(); bounded {
		tests = append(tests, fmt.Sprintf("api.LengthWithin(s, %d, %d)", min, max))
	}
	if s.Pattern != "" {
		tests = append(tests, fmt.Sprintf("matches%s(s)", name))
	}
	return strings.Join(tests, " && ")
}

// elementRules lists the rules of a shape as AWS does in the message about a list.
func elementRules(s *shape) string {
	var rules []string
	min, max, bounded := s.bounds()
	if bounded && max >= 0 {
		rules = append(rules, fmt.Sprintf("Member must have length less than or equal to %d", max))
	}
	if bounded {
		rules = append(rules, fmt.Sprintf("Member must have length greater than or equal to %d", min))
	}
	if s.Pattern != "" {
		rules = append(rules, "Member must satisfy regular expression pattern: "+s.Pattern)
	}
	return strings.Join(rules, ", ")
}

func set(s *shape) string { return "[" + strings.Join(s.Enum, ", ") + "]" }
