package policy

import (
	"slices"
	"strings"
)

// document looks for what only the statements together say.
func (l *linter) document() {
	switch l.policy.kind {
	case Key:
		l.delegation()
		l.separation()
	case Identity:
		if l.policy.allows(func(*statement) bool { return true }, "kms:PutKeyPolicy") &&
			l.policy.allows(func(*statement) bool { return true }, "kms:Decrypt") {
			l.add(SeverityWarning, "PolicyAndUse", "", "whoever has this policy may change key policies and decrypt")
		}
	}
}

// allows reports whether one of the chosen statements allows an action, on whatever resource and condition.
func (p *Policy) allows(chosen func(*statement) bool, action string) bool {
	return slices.ContainsFunc(p.statements, func(s statement) bool {
		return !s.deny && !s.inert && s.matchAction(action) && chosen(&s)
	})
}

// delegation looks for the statement that lets the account's own policies decide. Without it, a key whose named principals
// are gone can be managed by nobody (KMS guide, "Default key policy").
func (l *linter) delegation() {
	toAccount := func(s *statement) bool { return !s.notPrincipal && len(s.principals.accounts) > 0 }
	if !l.policy.allows(toAccount, "kms:PutKeyPolicy") {
		l.add(SeverityWarning, "NoDelegation", "",
			"no statement gives kms:PutKeyPolicy to the account: if the named principals are gone, IAM policies cannot help")
	}
}

// separation looks for principals that may both change who may decrypt, and decrypt.
func (l *linter) separation() {
	seen := map[string]bool{}
	l.policy.Principals(func(kind, name string) {
		if kind != awsPrincipal || name == "*" || isAccount(name) || accountOfRoot(name) != "" || seen[name] {
			return
		}
		seen[name] = true
		to := func(s *statement) bool { return !s.notPrincipal && slices.Contains(s.principals.names, name) }
		if l.policy.allows(to, "kms:PutKeyPolicy") && l.policy.allows(to, "kms:Decrypt") {
			l.add(SeverityWarning, "PolicyAndUse", name, "one principal may change the key policy and decrypt")
		}
	})
}

// principals looks for principals that are broader than they should be.
func (l *linter) principals(s *statement) {
	switch {
	case s.principals == nil:
	case s.notPrincipal && s.deny:
		l.add(SeverityNote, "DenyNotPrincipal", s.sid,
			"a caller is spared only if its account, its role and its session are all listed: ArnNotEquals on aws:PrincipalArn is clearer")
	case s.notPrincipal:
		l.add(SeverityError, "AllowNotPrincipal", s.sid, "everybody else is allowed, of any account")
	case !s.deny && s.principals.everyone && (l.policy.kind == Key || l.policy.kind == Trust):
		l.everyone(s)
	case !s.deny && l.policy.kind == Key && len(s.principals.names) > 0:
		for i := range s.actions {
			if a := s.actions[i].source; a == "*" || strings.EqualFold(a, "kms:*") {
				l.add(SeverityNote, "AllActions", strings.Join(s.principals.names, ", "), "may do everything with the key")
				break
			}
		}
	}
}

// everyone looks for a condition that says who everyone is.
func (l *linter) everyone(s *statement) {
	severity, message := SeverityError, "everybody is allowed, of any account"
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.null || c.negated || c.absent || c.vacuous() {
			continue
		}
		if saysWho(c.lookup) {
			return
		}
		severity, message = SeverityWarning, "everybody is allowed who fulfils the conditions, of any account"
	}
	if !s.inert {
		l.add(severity, "EveryoneAllowed", s.sid, message)
	}
}

// saysWho reports whether a condition key tells accounts or principals from each other.
func saysWho(key string) bool {
	switch key {
	case "aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:userid",
		"aws:principalservicename", "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths",
		"kms:calleraccount", "sts:externalid":
		return true
	}
	return false
}

// vacuous reports whether a condition holds on every value.
func (c *condition) vacuous() bool {
	all := func(p *pattern) bool { return p.form == prefix && p.text == "" }
	switch t := c.test.(type) {
	case *stringTest:
		return slices.ContainsFunc(t.patterns, func(p pattern) bool { return all(&p) })
	case *arnTest:
		return slices.ContainsFunc(t.patterns, func(p arnPattern) bool {
			return p.source == "*" || p.split && all(&p.parts[4]) && all(&p.parts[5])
		})
	}
	return false
}
