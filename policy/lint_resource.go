package policy

import "slices"

// resources looks for resources that cannot mean what they say.
func (l *linter) resources(s *statement) {
	if l.policy.kind == Key && !s.inert && !slices.ContainsFunc(s.resources, func(p pattern) bool { return p.source == "*" }) {
		l.add(SeverityNote, "KeyResource", s.resources[0].source, `a key policy is about its own key: its Resource is "*"`)
	}
	for i := range s.resources {
		l.variables(&s.resources[i])
	}
	if l.policy.kind != Key && !s.anyResource && !s.notAction && !s.notResource && !l.idleActions(s) {
		l.idleResources(s)
	}
}

// targets are the kinds of things that a pattern of resources can match.
type targets struct{ key, alias, nothing bool }

// targets returns which of KMS's kinds of resources a pattern can match. An operation on no resource asks for "*".
func (p *pattern) targets() targets {
	return targets{
		key: p.canBe("arn:*:kms:*:*:key/*"), alias: p.canBe("arn:*:kms:*:*:alias/*"),
		nothing: p.form != variables && p.matches("*"),
	}
}

// include reports whether an action of KMS is decided on one of the targets. Using a key by its alias is decided on the key
// (Service Authorization Reference, "Actions defined by AWS Key Management Service").
func (t targets) include(action string) bool {
	switch {
	case slices.Contains(accountActions(), action):
		return t.nothing
	case slices.Contains([]string{"CreateAlias", "DeleteAlias", "UpdateAlias"}, action):
		return t.key || t.alias
	}
	return t.key
}

// idleActions looks for actions that are decided on none of the statement's resources, and reports whether there are any.
func (l *linter) idleActions(s *statement) bool {
	var all []targets
	for i := range s.resources {
		all = append(all, s.resources[i].targets())
	}
	idle := func(action string) bool {
		return !slices.ContainsFunc(all, func(t targets) bool { return t.include(action) })
	}
	found := false
	for i := range s.actions {
		onKeys, elsewhere := matching(&s.actions[i], keyActions()), matching(&s.actions[i], accountActions())
		switch names := slices.Concat(onKeys, elsewhere); {
		case len(names) == 0, len(slices.DeleteFunc(names, idle)) > 0:
			continue
		case len(onKeys) == 0:
			l.add(SeverityError, "NoEffect", s.actions[i].source, `the action is on no key: its resource is "*"`)
		default:
			l.add(SeverityError, "NoEffect", s.actions[i].source, "the action is on a key, and none of the resources is one: an alias stands for no key here")
		}
		found = true
	}
	return found
}

// idleResources looks for resources on which none of the statement's actions is decided.
func (l *linter) idleResources(s *statement) {
	actions := s.kmsActions()
	for i := range s.resources {
		if len(actions) > 0 && !slices.ContainsFunc(actions, s.resources[i].targets().include) {
			l.add(SeverityWarning, "NoEffect", s.resources[i].source, "none of the actions is decided on such a resource")
		}
	}
}

// The wildcards of a shape, which are no characters.
const (
	anyRunRune = -1 - iota
	anyOneRune
)

// shape is a pattern character by character. A variable can have any value.
func (p *pattern) shape() []rune {
	var all []rune
	for _, t := range p.tokens {
		switch t.op {
		case literal:
			all = append(all, []rune(t.text)...)
		case anyOne:
			all = append(all, anyOneRune)
		case anyRun, variable:
			all = append(all, anyRunRune)
		}
	}
	return all
}

// canBe reports whether a pattern matches a text of a form, in which * stands for any number of characters other than colons.
// Time is the product of their lengths.
func (p *pattern) canBe(form string) bool {
	a, b := p.shape(), []rune(form)
	// In the round of i, meet[j] comes to say whether a[i:] matches a text of b[j:]; before that, it says so of a[i+1:].
	meet := make([]bool, len(b)+1)
	for i := len(a); i >= 0; i-- {
		shorter := false // of a[i+1:] and b[j+1:]
		for j := len(b); j >= 0; j-- {
			below, here := meet[j], i < len(a) && j < len(b)
			switch {
			case i == len(a) && j == len(b):
				meet[j] = true
			case i < len(a) && a[i] == anyRunRune:
				meet[j] = below || j < len(b) && meet[j+1]
			case j < len(b) && b[j] == '*':
				meet[j] = meet[j+1] || here && a[i] != ':' && below
			default:
				meet[j] = here && shorter && (a[i] == b[j] || a[i] == anyOneRune)
			}
			shorter = below
		}
	}
	return meet[0]
}
