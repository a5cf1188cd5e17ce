package policy

import (
	"slices"
	"strings"
)

// actions looks for actions that do not exist, or about which the document has no say.
func (l *linter) actions(s *statement) {
	for i := range s.actions {
		a := &s.actions[i]
		vendor, _, ok := strings.Cut(strings.ToLower(a.source), ":")
		switch {
		case !ok || vendor == "*": // everything
		case vendor == "kms":
			l.kmsAction(a)
		case l.policy.kind == Key:
			l.add(SeverityWarning, "OtherService", a.source, "a key policy has a say in actions of KMS alone")
		case !slices.Contains([]string{"iam", "sts", "organizations", "trent"}, vendor):
			l.add(SeverityNote, "OtherService", a.source, "no service here has the action")
		}
	}
}

func (l *linter) kmsAction(a *pattern) {
	onKeys, elsewhere := matching(a, keyActions()), matching(a, accountActions())
	switch {
	case strings.EqualFold(a.source, "kms:ReEncrypt"):
		l.add(SeverityWarning, "UnknownAction", a.source,
			"the permissions for ReEncrypt are kms:ReEncryptFrom and kms:ReEncryptTo")
	case len(onKeys)+len(elsewhere) == 0:
		l.add(SeverityWarning, "UnknownAction", a.source, "KMS has no such action")
	case len(onKeys) == 0 && l.policy.kind == Key:
		l.add(SeverityNote, "NotOnKeys", a.source, "a key policy cannot allow the action: it is on no key")
	}
}

// matching returns those names of KMS actions that a pattern matches.
func matching(p *pattern, names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !p.matches("kms:" + name) })
}

// kmsActions returns the actions of KMS that a statement is about, none if it is about other services as well.
func (s *statement) kmsActions() []string {
	if s.notAction {
		return nil
	}
	for i := range s.actions {
		vendor, _, _ := strings.Cut(s.actions[i].source, ":")
		if !strings.EqualFold(vendor, "kms") {
			return nil
		}
	}
	return slices.DeleteFunc(slices.Concat(keyActions(), accountActions()), func(name string) bool {
		return !s.matchAction("kms:" + name)
	})
}
