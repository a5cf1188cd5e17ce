package main

import (
	"cmp"
	"strings"
)

// codec writes DecodeJSON and AppendJSON of every structure.
func codec(s *source, m *model) {
	for _, name := range m.named(isStructure) {
		members := m.Shapes[name].Members
		s.p("// DecodeJSON reads x from a JSON object; unknown members are skipped.")
		if len(members) == 0 {
			s.p("func (*%s) DecodeJSON(d *api.Decoder) { d.SkipObject() }\n", name)
		} else {
			s.p("func (x *%s) DecodeJSON(d *api.Decoder) {", name)
			s.p("for more := d.Object(); more && d.More(); {\nswitch string(d.Name()) {")
			for _, member := range members {
				s.p("case %q:\nx.%s = %s", goName(member.Name), goName(member.Name), m.read(member.Shape))
			}
			s.p("default:\nd.Skip()\n}\n}\n}\n")
		}

		s.p("// AppendJSON appends x as a JSON object; absent members are left out.")
		if len(members) == 0 {
			s.p("func (*%s) AppendJSON(b []byte) []byte { return append(b, \"{}\"...) }\n", name)
			continue
		}
		s.p("func (x *%s) AppendJSON(b []byte) []byte {", name)
		s.p("b = append(b, '{')")
		for _, member := range members {
			s.p("if x.%s != nil {", goName(member.Name))
			s.p("b = append(b, `%q:`...)", goName(member.Name))
			s.p("b = append(%s, ',')\n}", m.appended(member, "AppendJSON"))
		}
		s.p("return api.EndObject(b)\n}\n")
	}
}

// read returns the expression that decodes a value of the given shape.
func (m *model) read(name string) string {
	s := m.Shapes[name]
	switch s.Type {
	case "structure":
		return "api.DecodeStruct[" + name + "](d)"
	case "list":
		if isStructure(m.Shapes[s.Member]) {
			return "api.DecodeStructs[" + s.Member + "](d)"
		}
		return "api.DecodeTexts[" + m.element(s) + "](d)"
	case "map":
		switch {
		case m.goType(name) == "map[string]string":
			return "d.TextMap()"
		case m.Shapes[s.Value].Type == "integer":
			return "api.DecodeMap[" + m.text(s.Key) + "](d, (*api.Decoder).Int32)"
		}
		return "api.DecodeMap[" + m.text(s.Key) + "](d, api.DecodeEnum[" + m.text(s.Value) + "])"
	case "blob":
		return "d.Blob()"
	case "boolean":
		return "d.Bool()"
	case "integer":
		return "d.Int32()"
	case "timestamp":
		return "d.Time()"
	}
	if isEnum(s) {
		return "api.DecodeEnum[" + name + "](d)"
	}
	return "d.Text()"
}

// appended returns the expression that appends a member to b; structures are written by method.
func (m *model) appended(member member, method string) string {
	s := m.Shapes[member.Shape]
	x := "x." + goName(member.Name)
	switch s.Type {
	case "structure":
		return x + "." + method + "(b)"
	case "list":
		if isStructure(m.Shapes[s.Member]) {
			return "api.AppendList(b, " + x + ", (*" + s.Member + ")." + method + ")"
		}
		return "api.AppendTexts(b, " + x + ")"
	case "map":
		switch {
		case m.goType(member.Shape) == "map[string]string":
			return "api.AppendTextMap(b, " + x + ")"
		case m.Shapes[s.Value].Type == "integer":
			return "api.AppendMap(b, " + x + ", api.AppendInt[int32])"
		}
		return "api.AppendMap(b, " + x + ", api.AppendText[" + m.text(s.Value) + "])"
	case "blob":
		return "api.AppendBlob(b, " + x + ")"
	case "boolean":
		return "api.AppendBool(b, *" + x + ")"
	case "integer":
		return "api.AppendInt(b, *" + x + ")"
	case "timestamp":
		if method == "AppendAudit" {
			return "api.AppendAuditTime(b, *" + x + ")"
		}
		return "api.AppendTime(b, *" + x + ")"
	}
	return "api.AppendText(b, *" + x + ")"
}

// audit writes AppendAudit of every structure.
func audit(s *source, m *model) {
	hidden := map[string]bool{} // responses that records do not show
	for _, o := range m.Operations {
		if o.Output != "" {
			hidden[o.Output] = !o.ResponseElements
		}
	}
	for _, name := range m.named(isStructure) {
		s.p("// AppendAudit appends what an audit record may hold of x, or null.")
		var shown []member
		for _, member := range m.Shapes[name].Members {
			if member.Audit != "never" && m.Shapes[member.Shape].Type != "blob" {
				shown = append(shown, member)
			}
		}
		if hidden[name] || len(shown) == 0 {
			s.p("func (*%s) AppendAudit(b []byte) []byte { return append(b, \"null\"...) }\n", name)
			continue
		}
		s.p("func (x *%s) AppendAudit(b []byte) []byte {\nb = append(b, '{')", name)
		for _, member := range shown {
			s.p("if x.%s != nil {", goName(member.Name))
			s.p("b = append(b, `%q:`...)", lowerFirst(member.Name))
			s.p("b = append(%s, ',')\n}", m.appended(member, "AppendAudit"))
		}
		s.p("return api.EndAudit(b)\n}\n")
	}
}

func exceptions(s *source, m *model) {
	if len(m.Errors) == 0 {
		return
	}
	for _, e := range m.Errors {
		code := cmp.Or(e.Code, e.Name)
		if code == e.Name {
			s.p("// %s is a modeled error, status %d.", e.Name, e.Status)
		} else {
			s.p("// %s is a modeled error, code %s and status %d.", e.Name, code, e.Status)
		}
		s.p("func %s(format string, args ...any) *api.Error {", e.Name)
		s.p("return api.ModeledError(%q, %d, format, args...)\n}\n", code, e.Status)
	}
	s.p("// Errors returns one of each modeled error, without text.")
	s.p("func Errors() []*api.Error {\nreturn []*api.Error{")
	for _, e := range m.Errors {
		s.p("%s(\"\"),", e.Name)
	}
	s.p("}\n}\n")
}

func operations(s *source, m *model) {
	s.p("// What requests to the service look like.\nconst (")
	s.p("Service = %q // in the credential scope", m.Service.Name)
	if m.Service.TargetPrefix != "" {
		s.p("TargetPrefix = %q // of X-Amz-Target", m.Service.TargetPrefix)
	}
	s.p("Version = %q\n)\n", m.Service.Version)
	s.p("// Operations returns all operations of the model, sorted by name.")
	s.p("func Operations() []api.OperationInfo {\nreturn []api.OperationInfo{")
	for _, o := range m.Operations {
		output := "api.Empty"
		if o.Output != "" {
			output = o.Output
		}
		var b strings.Builder
		b.WriteString("{Name: " + `"` + o.Name + `"`)
		if o.Built {
			b.WriteString(", Built: true")
		}
		s.p("%s, NewInput: func() api.Input { return new(%s) }, NewOutput: func() api.Output { return new(%s) }},", b.String(), o.Input, output)
	}
	s.p("}\n}\n")
}
