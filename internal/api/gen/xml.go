package main

// xml writes AppendXML of the answers of a Query service, and appendXML of the structures in them.
func xml(s *source, m *model) {
	if !m.query() {
		return
	}
	answers := map[string]bool{}
	for _, o := range m.Operations {
		answers[o.Output] = true
		m.answer(s, o)
	}
	inAnswers := m.reached(func(o operation) string { return o.Output })
	for _, name := range m.named(isStructure) {
		if !inAnswers[name] || len(m.Shapes[name].Members) == 0 {
			continue
		}
		s.p("func (x *%s) appendXML(b []byte) []byte {", name)
		for _, member := range m.Shapes[name].Members {
			// AWS writes the lists that were asked for even when they are empty.
			always := answers[name] && m.Shapes[member.Shape].Type == "list"
			if !always {
				s.p("if x.%s != nil {", goName(member.Name))
			}
			s.p("b = append(b, `<%s>`...)", member.Name)
			s.p("b = %s", m.xmlValue(member))
			s.p("b = append(b, `</%s>`...)", member.Name)
			if !always {
				s.p("}")
			}
		}
		s.p("return b\n}\n")
	}
}

// answer writes AppendXML of the output of an operation.
func (m *model) answer(s *source, o operation) {
	s.p("// AppendXML appends the whole answer to the request with the given id.")
	if len(m.Shapes[o.Output].Members) == 0 {
		s.p("func (*%s) AppendXML(b []byte, requestID string) []byte {", o.Output)
	} else {
		s.p("func (x *%s) AppendXML(b []byte, requestID string) []byte {", o.Output)
	}
	begin, end := "<"+o.Name+"Result>", "</"+o.Name+"Result>"
	if o.empty {
		begin, end = "", ""
	}
	s.p("b = append(b, `<%sResponse xmlns=%q>%s`...)", o.Name, m.Service.Namespace, begin)
	if len(m.Shapes[o.Output].Members) > 0 {
		s.p("b = x.appendXML(b)")
	}
	s.p("b = append(b, `%s<ResponseMetadata><RequestId>`...)", end)
	s.p("b = api.AppendXMLText(b, requestID)")
	s.p("return append(b, `</RequestId></ResponseMetadata></%sResponse>`...)\n}\n", o.Name)
}

// xmlValue returns the expression that appends the contents of a member's element.
func (m *model) xmlValue(member member) string {
	s := m.Shapes[member.Shape]
	x := "x." + goName(member.Name)
	switch s.Type {
	case "structure":
		if len(s.Members) == 0 {
			return "b"
		}
		return x + ".appendXML(b)"
	case "list":
		if isStructure(m.Shapes[s.Member]) {
			return "api.AppendXMLList(b, " + x + ", (*" + s.Member + ").appendXML)"
		}
		return "api.AppendXMLTexts(b, " + x + ")"
	case "map":
		if m.Shapes[s.Value].Type == "integer" {
			return "api.AppendXMLMap(b, " + x + ", api.AppendInt[int32])"
		}
		return "api.AppendXMLMap(b, " + x + ", api.AppendXMLText[" + m.text(s.Value) + "])"
	case "boolean":
		return "api.AppendBool(b, *" + x + ")"
	case "integer":
		return "api.AppendInt(b, *" + x + ")"
	case "timestamp":
		return "api.AppendXMLTime(b, *" + x + ")"
	}
	return "api.AppendXMLText(b, *" + x + ")"
}
