package policy

import (
	"slices"
	"strings"
)

// conditions looks for conditions that cannot hold, or hold when they should not.
func (l *linter) conditions(s *statement) {
	checked := map[string]bool{}
	actions := s.kmsActions()
	for i := range s.conditions {
		c := &s.conditions[i]
		l.values(c)
		row, ok := find(l.keys, c.lookup)
		if ok {
			l.presence(s, c, row)
			l.known(s, c, row)
			l.carried(c, row, actions)
		} else {
			l.unknownKey(c.lookup, c.key)
		}
		if !checked[c.lookup] && s.contradicts(c.lookup) {
			l.add(SeverityError, "NeverMatches", c.key, "the conditions on this key contradict each other")
		}
		checked[c.lookup] = true
	}
}

// unknownKey reports keys that KMS and the global keys should have and do not. Other prefixes are other services', and
// identity providers'.
func (l *linter) unknownKey(key, detail string) {
	if strings.HasPrefix(key, "aws:") || strings.HasPrefix(key, "kms:") {
		l.add(SeverityWarning, "UnknownKey", detail, "there is no such condition key")
	}
}

// settled reports a condition whose outcome does not depend on the value of a request.
func (l *linter) settled(c *condition, why string) {
	if c.negated {
		l.add(SeverityWarning, "AlwaysMatches", c.operator+" "+c.key, why)
	} else {
		l.add(SeverityError, "NeverMatches", c.operator+" "+c.key, why)
	}
}

// presence looks for conditions on the absence of a key that every request has, and for keys that have no place in a key
// policy at AWS.
func (l *linter) presence(s *statement, c *condition, row *keyRow) {
	if c.null && !c.wantThere && (row.always == inAll || row.always == ofPrincipals && s.aboutPrincipals() ||
		row.always == onKeys && l.policy.kind == Key) {
		l.add(SeverityError, "NeverMatches", c.operator+" "+c.key, "every request has the key")
	}
	if row.identityOnly && l.policy.kind == Key {
		l.add(SeverityWarning, "IdentityOnly", c.key, "AWS documents the key for IAM policies only; a key policy with it may do something else there")
	}
}

// aboutPrincipals reports whether a statement can match users, roles and accounts alone, and neither a service nor somebody
// whom an identity provider vouches for.
func (s *statement) aboutPrincipals() bool {
	l := s.principals
	return l == nil || !s.notPrincipal && !l.everyone && len(l.services)+len(l.providers) == 0
}

// known checks a condition against what is known of its key.
func (l *linter) known(s *statement, c *condition, row *keyRow) {
	if c.null {
		return
	}
	switch {
	case !row.typ.compares(c.op.family):
		l.settled(c, "the values of the key are not of the operator's type")
	case impossible(c, row.typ):
		l.settled(c, "the key never has such a value")
	}
	switch {
	case row.multi && c.quantifier == single:
		l.add(SeverityError, "NeverMatches", c.operator+" "+c.key, "a key with many values needs ForAnyValue or ForAllValues")
	case !row.multi && c.quantifier != single:
		l.add(SeverityWarning, "SetOnSingle", c.operator+" "+c.key, "the key has one value, and needs no set operator")
	case c.quantifier == forAll && !s.deny && !s.demands(c.lookup):
		l.add(SeverityWarning, "AbsentSet", c.operator+" "+c.key,
			`ForAllValues holds on requests without the key: add Null with "false"`)
	}
}

// impossible reports whether none of the values of a string operator can be of a type. Patterns are not looked at.
func impossible(c *condition, typ valueType) bool {
	t, ok := c.test.(*stringTest)
	if !ok || c.op.family == likeFamily {
		return false
	}
	return !slices.ContainsFunc(t.patterns, func(p pattern) bool {
		return p.form == variables || typ.possible(p.source) || p.fold && typ.possible(strings.ToLower(p.source))
	})
}

// carried looks for actions whose requests never have the key.
func (l *linter) carried(c *condition, row *keyRow, actions []string) {
	if row.actions == nil || c.absent || c.null && c.wantAbsent || len(actions) == 0 {
		return
	}
	without := slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return slices.Contains(row.actions, a) })
	switch {
	case len(without) == len(actions):
		l.add(SeverityError, "NeverMatches", c.operator+" "+c.key, "none of the actions has the key")
	case len(without) > 0:
		l.add(SeverityNote, "SometimesMatches", c.operator+" "+c.key,
			"requests never have the key for "+strings.Join(without, ", "))
	}
}

// demands reports whether a statement wants a key to be there.
func (s *statement) demands(key string) bool {
	return slices.ContainsFunc(s.conditions, func(c condition) bool {
		return c.lookup == key && (c.null && !c.wantAbsent || !c.null && !c.absent)
	})
}

// values looks at the values of a condition by themselves.
func (l *linter) values(c *condition) {
	c.patterns(l.variables)
	switch t := c.test.(type) {
	case *stringTest:
		for i := range t.patterns {
			if c.op.family != likeFamily && l.hasWildcard(t.patterns[i].source) {
				l.add(SeverityWarning, "WildcardInEquals", t.patterns[i].source,
					c.operator+" takes * and ? as plain characters: StringLike knows wildcards")
			}
		}
	case *arnTest:
		dead := 0
		for i := range t.patterns {
			if p := &t.patterns[i]; !p.split && !p.anyWhole {
				dead++
			}
		}
		if dead == len(t.patterns) {
			l.settled(c, "none of the values is an ARN")
		}
	}
}

// hasWildcard reports whether a value has a * or a ? that is not written as ${*} or ${?}.
func (l *linter) hasWildcard(source string) bool {
	if l.policy.variables {
		source = strings.NewReplacer("${*}", "", "${?}", "").Replace(source)
	}
	return strings.ContainsAny(source, "*?")
}

// variables looks at the policy variables of a pattern.
func (l *linter) variables(p *pattern) {
	if !l.policy.variables && strings.Contains(p.source, "${") {
		l.add(SeverityWarning, "OldVersion", p.source, "policy variables need the Version "+Version2012)
	}
	for _, t := range p.tokens {
		if t.op != variable {
			continue
		}
		row, ok := find(l.keys, t.text)
		switch {
		case !ok:
			l.unknownKey(t.text, p.source)
		case row.multi && !t.hasFallback:
			l.add(SeverityError, "NeverMatches", p.source, "a key with many values is no policy variable")
		}
	}
}

// maxListed is how many values of a condition are put to the others, so that long lists do not take quadratic time.
const maxListed = 1000

// contradicts reports whether the conditions on a key leave no value and not its absence either. One of them has to list all
// values that it takes; each of these is then put to the others. Conditions with variables may hold.
func (s *statement) contradicts(key string) bool {
	var about []*condition
	var values []string
	listed, absent := false, false
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.lookup != key || c.quantifier != single || c.hasVariables() {
			continue
		}
		about = append(about, c)
		absent = absent || c.null && !c.wantThere
		if all, ok := c.enumerate(); ok && !listed && len(all) <= maxListed {
			values, listed = all, true
		}
	}
	holds := func(context Context) bool {
		return !slices.ContainsFunc(about, func(c *condition) bool { return !c.met(context) })
	}
	if len(about) < 2 || holds(nil) {
		return false
	}
	return absent || listed && !slices.ContainsFunc(values, func(v string) bool { return holds(oneKey{key, v}) })
}

// oneKey is a context with one key.
type oneKey struct{ key, value string }

// Lookup knows the one key.
func (o oneKey) Lookup(key string) (Values, bool) { return One(o.value), key == o.key }

// enumerate returns the values on which a condition holds, if it lists them.
func (c *condition) enumerate() ([]string, bool) {
	if c.null || c.negated || c.op.relation != equals {
		return nil, false
	}
	switch c.op.family {
	case stringFamily, numericFamily, dateFamily, boolFamily, binaryFamily:
		return c.test.wanted(nil), true
	}
	return nil, false
}

// hasVariables reports whether a condition depends on other keys.
func (c *condition) hasVariables() bool {
	found := false
	c.patterns(func(p *pattern) { p.eachKey(func(string) { found = true }) })
	return found
}
