package main

// common generates the part of a request that many operations share: the key it names, grant tokens and DryRun.
func common(s *source, m *model) {
	for _, o := range m.Operations {
		if m.firstUse(o) {
			s.p("// Common returns what the request shares with those of other operations.")
			s.p("func (x *%s) Common() api.Common {", o.Input)
			s.p("return api.Common{%s}\n}\n", commonFields(m, o.Input))
		}
	}
}

// firstUse reports whether no earlier operation has the same request shape.
func (m *model) firstUse(o operation) bool {
	for _, earlier := range m.Operations {
		if earlier.Name == o.Name {
			return true
		}
		if earlier.Input == o.Input {
			return false
		}
	}
	return true
}

func commonFields(m *model, input string) string {
	fields := ""
	for _, member := range m.Shapes[input].Members {
		switch member.Name {
		case "KeyId":
			fields += "KeyID: x.KeyId, "
		case "GrantTokens":
			fields += "GrantTokens: x.GrantTokens, "
		case "DryRun":
			fields += "DryRun: x.DryRun != nil && *x.DryRun, "
		}
	}
	return fields
}
