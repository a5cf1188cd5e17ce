package oracle_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// directAllowsAlone leaves in the key policy only what allows the caller directly, and lets the session policies do no more
// than deny.
func directAllowsAlone(s *scenario) bool {
	if !s.limited() || !s.own() || s.KeyPolicy == nil {
		return false
	}
	d := document{Version: s.KeyPolicy.Version}
	direct := false
	for _, st := range s.KeyPolicy.Statements {
		if st.Effect == "Allow" && st.Principal != nil && !st.Principal.everyone() {
			if !slices.Contains(st.Principal.AWS, s.Caller.ARN) {
				continue
			}
			st.Principal = &principals{AWS: []string{s.Caller.ARN}}
		}
		if st.Effect == "Allow" && st.NotPrincipal != nil && st.NotPrincipal.name(&s.Caller) {
			continue
		}
		direct = direct || st.Effect == "Allow"
		d.Statements = append(d.Statements, st)
	}
	if !direct {
		return false
	}
	s.KeyPolicy = &d
	for i := range s.Session {
		s.Session[i] = keep(s.Session[i], func(st *statement) bool { return st.Effect == "Deny" })
		s.Session[i].Statements = append(s.Session[i].Statements, allowEverything().Statements...)
	}
	return true
}

// denyNotPrincipal turns a denial of all but some into one of all, if the caller is not listed under each of its names.
func denyNotPrincipal(s *scenario) bool {
	changed := false
	c := &s.Caller
	s.statements(func(_ *document, st *statement) {
		l := st.NotPrincipal
		if l == nil || st.Effect != "Deny" || l.everyone() || c.Type == caller.Service {
			return
		}
		account := slices.Contains(l.AWS, c.Account) || slices.Contains(l.AWS, root(c.Account))
		itself := c.Type == caller.Root || slices.Contains(l.AWS, c.ARN)
		if account && itself && (c.Type != caller.Role || slices.Contains(l.AWS, c.Source)) {
			return
		}
		st.Principal, st.NotPrincipal, changed = &principals{Everyone: true}, nil, true
	})
	return changed
}

// rolesWithPath names another role where a policy names one that has only its name from the caller's.
func rolesWithPath(s *scenario) bool {
	if s.Caller.Type != caller.Role {
		return false
	}
	changed := false
	s.statements(func(_ *document, st *statement) {
		for _, l := range []*principals{st.Principal, st.NotPrincipal} {
			if l == nil {
				continue
			}
			for i, name := range l.AWS {
				if strings.Contains(name, ":role/") && strings.HasSuffix(name, "/"+s.Caller.Name) && name != s.Caller.Source {
					l.AWS[i], changed = "arn:aws:iam::"+ours+":role/nobody", true
				}
			}
		}
	})
	return changed
}

// literalVariables escapes the dollar signs in documents of the older version. No ARN of a request has one.
func literalVariables(s *scenario) bool {
	changed := false
	s.documents(func(_ policy.Kind, d *document) {
		if d.Version == policy.Version2012 {
			return
		}
		escape := func(list []string, f family) {
			for i, v := range list {
				switch {
				case !strings.Contains(v, "${"):
					continue
				case f == arnText:
					list[i] = noResource
				default:
					list[i] = strings.ReplaceAll(v, "${", "${$}{")
				}
				changed = true
			}
		}
		for _, st := range d.Statements {
			escape(st.Resource, text)
			escape(st.NotResource, text)
			for _, c := range st.Conditions {
				_, o, _ := parseOperator(c.Operator)
				escape(c.Values, o.family)
			}
		}
		d.Version = policy.Version2012
	})
	return changed
}

// conditions calls f with every condition and what the request has for its key. If f returns false the condition, which is
// one that holds, is left out.
func (s *scenario) conditions(f func(d *document, c *condition, o operator, v policy.Values, ok bool) bool) {
	facts := s.facts()
	s.statements(func(d *document, st *statement) {
		kept := st.Conditions[:0]
		for _, c := range st.Conditions {
			v, ok := lookup(facts, c.Key)
			_, o, _ := parseOperator(c.Operator)
			if f(d, &c, o, v, ok) {
				kept = append(kept, c)
			}
		}
		st.Conditions = kept
	})
}

const nothing = "nothing is like this"

// valuelessVariables puts a text that equals nothing in the place of a value with a variable that has no value.
func valuelessVariables(s *scenario) bool {
	changed := false
	facts := s.facts()
	s.conditions(func(d *document, c *condition, o operator, _ policy.Values, _ bool) bool {
		if d.Version != policy.Version2012 || !o.negated() || o.family != text && o.family != arnText {
			return true
		}
		for i, v := range c.Values {
			if _, ok := substitute(v, facts); ok {
				continue
			}
			c.Values[i], changed = nothing, true
			if o.family == arnText {
				c.Values[i] = noResource
			}
		}
		return true
	})
	return changed
}

// substitute replaces the variables of a text that stand for keys. ok is false if one has no value.
func substitute(v string, facts map[string]policy.Values) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(v, "${")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		inside, after, _ := strings.Cut(rest, "}")
		v = after
		name, fallback, hasFallback := strings.Cut(inside, ", ")
		fact, ok := lookup(facts, name)
		switch {
		case name == "*" || name == "?" || name == "$":
			b.WriteString("${" + inside + "}")
		case ok && !fact.Multi:
			b.WriteString(fact.One)
		case hasFallback:
			b.WriteString(strings.Trim(fallback, "'"))
		default:
			return "", false
		}
	}
}

// variablesInARNs replaces the variables in patterns of ARNs that the oracle cuts into other parts.
func variablesInARNs(s *scenario) bool {
	changed := false
	facts := s.facts()
	s.conditions(func(d *document, c *condition, o operator, _ policy.Values, _ bool) bool {
		if d.Version != policy.Version2012 || o.family != arnText {
			return true
		}
		for i, v := range c.Values {
			if !cutInVariable(v) {
				continue
			}
			to, ok := substitute(v, facts)
			if !ok {
				to = noResource
			}
			c.Values[i], changed = to, true
		}
		return true
	})
	return changed
}

// cutInVariable says whether one of the first five colons of a text is in a variable.
func cutInVariable(v string) bool {
	parts := strings.SplitN(v, ":", 6)
	for _, p := range parts[:len(parts)-1] {
		if strings.LastIndex(p, "${") > strings.LastIndex(p, "}") {
			return true
		}
	}
	return false
}

// loneStars writes * as an ARN.
func loneStars(s *scenario) bool {
	changed := false
	s.conditions(func(_ *document, c *condition, o operator, _ policy.Values, _ bool) bool {
		for i, v := range c.Values {
			if o.family == arnText && v == "*" {
				c.Values[i], changed = "arn:*:*:*:*:*", true
			}
		}
		return true
	})
	return changed
}

// anyValueIfExists leaves out what holds because the key is absent.
func anyValueIfExists(s *scenario) bool {
	changed := false
	s.conditions(func(_ *document, c *condition, _ operator, _ policy.Values, present bool) bool {
		quantifier, _, ifExists := parseOperator(c.Operator)
		if quantifier == "ForAnyValue" && ifExists && !present {
			changed = true
			return false
		}
		return true
	})
	return changed
}

// emptySets leaves keys without values out of the request.
func emptySets(s *scenario) bool {
	changed := false
	for name, v := range s.Context {
		if v.Multi && len(v.Many) == 0 {
			delete(s.Context, name)
			changed = true
		}
	}
	return changed
}

// datesInOneForm writes dates in seconds or in ISO 8601, as the request does.
func datesInOneForm(s *scenario) bool {
	changed := false
	s.conditions(func(_ *document, c *condition, o operator, v policy.Values, present bool) bool {
		if o.family != date || !present {
			return true
		}
		first := v.One
		if v.Multi {
			first = v.Many[0] // the rest is of the same form
		}
		for i, w := range c.Values {
			if to := writeDate(w, typed(number, first)); to != w {
				c.Values[i], changed = to, true
			}
		}
		return true
	})
	return changed
}

func writeDate(v string, seconds bool) string {
	if typed(number, v) == seconds {
		return v
	}
	if !seconds {
		n, _ := strconv.ParseInt(v, 10, 64)
		return time.Unix(n, 0).UTC().Format(time.RFC3339)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01"} {
		if t, err := time.Parse(layout, v); err == nil {
			return strconv.FormatInt(t.Unix(), 10)
		}
	}
	return v
}

// plainNetworks gives every address a prefix, and 0.0.0.0/0 in two halves.
func plainNetworks(s *scenario) bool {
	changed := false
	s.conditions(func(_ *document, c *condition, o operator, _ policy.Values, _ bool) bool {
		if o.family != address {
			return true
		}
		var values []string
		for _, v := range c.Values {
			a, err := netip.ParseAddr(v)
			switch {
			case err == nil:
				values = append(values, netip.PrefixFrom(a, a.BitLen()).String())
				changed = true
			case v == "0.0.0.0/0":
				values = append(values, "0.0.0.0/1", "128.0.0.0/1")
				changed = true
			default:
				values = append(values, v)
			}
		}
		c.Values = values
		return true
	})
	return changed
}

// wrongTypes leaves out negated conditions whose key has only values of another type, and writes others as one that never
// holds.
func wrongTypes(s *scenario) bool {
	changed := false
	s.conditions(func(_ *document, c *condition, o operator, v policy.Values, present bool) bool {
		if !present || o.family == text || o.family == presence {
			return true
		}
		quantifier, _, _ := parseOperator(c.Operator)
		if v.Multi && quantifier == "" {
			return true // fails in any case
		}
		members := v.Many
		if !v.Multi {
			members = []string{v.One}
		}
		if slices.ContainsFunc(members, func(m string) bool { return typed(o.family, m) }) {
			return true
		}
		changed = true
		if o.negated() {
			return false
		}
		*c = condition{Operator: "StringEquals", Key: "aws:PrincipalIsAWSService", Values: []string{nothing}}
		return true
	})
	return changed
}

var (
	numbers = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)
	dates   = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?)?$`)
)

// typed says whether a value is of a family.
func typed(f family, v string) bool {
	switch f {
	case number:
		return numbers.MatchString(v)
	case date:
		return numbers.MatchString(v) || dates.MatchString(v)
	case truth:
		return strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
	case address:
		_, err := netip.ParseAddr(v)
		return err == nil
	case arnText:
		return strings.Count(v, ":") >= 5
	case binary:
		return len(v)%4 == 0 && !strings.ContainsAny(v, ":-. ")
	}
	return true
}

// longWildcards replaces a pattern of fewer than six parts by the resource, if it matches, or by one that nothing matches.
func longWildcards(s *scenario) bool {
	changed := false
	expand := func(list []string) {
		for i, v := range list {
			if !strings.HasPrefix(v, "arn:") || strings.Count(v, ":") >= 5 {
				continue
			}
			list[i], changed = noResource, true
			if glob(v, s.Resource) {
				list[i] = s.Resource
			}
		}
	}
	s.statements(func(_ *document, st *statement) {
		expand(st.Resource)
		expand(st.NotResource)
	})
	return changed
}

const noResource = "arn:aws:nothing:::nothing"

// valuelessResources replaces patterns with a variable that has no value by one that nothing matches, and has statements that
// would allow so be about nothing.
func valuelessResources(s *scenario) bool {
	changed := false
	facts := s.facts()
	s.statements(func(d *document, st *statement) {
		for i, v := range st.NotResource {
			if _, ok := substitute(v, facts); ok || d.Version != policy.Version2012 {
				continue
			}
			changed = true
			if st.Effect == "Allow" {
				st.Resource, st.NotResource = []string{noResource}, nil
				return
			}
			st.NotResource[i] = noResource
		}
	})
	return changed
}

// glob matches * and ?.
func glob(pattern, v string) bool {
	switch {
	case pattern == "":
		return v == ""
	case pattern[0] == '*':
		return glob(pattern[1:], v) || v != "" && glob(pattern, v[1:])
	case v == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == v[0]) && glob(pattern[1:], v[1:])
}
