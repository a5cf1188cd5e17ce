package main

// query writes DecodeQuery of the structures in the requests of a Query service.
func query(s *source, m *model) {
	if !m.query() {
		return
	}
	inRequests := m.requestShapes()
	for _, name := range m.named(isStructure) {
		if !inRequests[name] {
			continue
		}
		s.p("// DecodeQuery reads x from form parameters; unknown ones are ignored.")
		if len(m.Shapes[name].Members) == 0 {
			s.p("func (*%s) DecodeQuery(*api.Form) {}\n", name)
			continue
		}
		s.p("func (x *%s) DecodeQuery(f *api.Form) {", name)
		for _, member := range m.Shapes[name].Members {
			s.p("x.%s = %s", goName(member.Name), m.parameter(member))
		}
		s.p("}\n")
	}
}

// parameter returns the expression that decodes a member from a form.
func (m *model) parameter(member member) string {
	s := m.Shapes[member.Shape]
	function := "f.Text("
	switch {
	case s.Type == "list" && isStructure(m.Shapes[s.Member]):
		function = "api.FormStructs[" + s.Member + "](f, "
	case s.Type == "list":
		function = "api.FormTexts[" + m.text(s.Member) + "](f, "
	case s.Type == "boolean":
		function = "f.Bool("
	case s.Type == "integer":
		function = "f.Int32("
	case isEnum(s):
		function = "api.FormEnum[" + member.Shape + "](f, "
	}
	return function + `"` + member.Name + `")`
}
