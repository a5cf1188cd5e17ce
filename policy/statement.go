package policy

import "strings"

// statement is a compiled statement.
type statement struct {
	sid        string
	deny       bool
	start, end int // in the text

	principals   *principals // nil in documents without
	notPrincipal bool

	actions   []pattern
	notAction bool
	// resources are those of Resource or NotResource; none in a trust policy, which is about the role that it belongs to.
	resources                []pattern
	notResource              bool
	anyResource              bool
	actionWork, resourceWork work
	// inert: a key policy's statement without an action or a resource, which has no effect.
	inert bool

	conditions []condition
}

// matchAction reports whether the statement is about an action.
func (s *statement) matchAction(action string) bool {
	left := s.actionWork
	for i := range s.actions {
		var matched bool
		if matched, left = s.actions[i].match(action, left); matched {
			return !s.notAction
		}
		if left < 0 {
			return s.deny
		}
	}
	return s.notAction
}

// matchResource reports whether the statement is about a resource. A pattern with a variable that has no value matches
// nothing. In NotResource that would make a statement allow what it was to spare; then the statement is invalid, as the IAM
// User Guide has it in general of variables that cannot be resolved, if it allows. If it denies, it does. So it is where
// nothing can be known: a variable has two values, or no work is left.
func (s *statement) matchResource(resource string, c Context) bool {
	if s.anyResource {
		return true
	}
	left, unknowns := s.resourceWork, false
	for i := range s.resources {
		p, how := &s.resources[i], known
		if p.form == variables {
			var resolved pattern
			resolved, how, left = p.resolve(c, left)
			p = &resolved
		}
		switch how {
		case known:
			var matched bool
			if matched, left = p.match(resource, left); matched {
				return !s.notResource
			}
		case unknown:
			unknowns = true
		case valueless:
			unknowns = unknowns || s.notResource
		}
		if left < 0 {
			return s.deny
		}
	}
	if unknowns {
		return s.deny
	}
	return s.notResource
}

// matchConditions reports whether all conditions are met.
func (s *statement) matchConditions(c Context) bool {
	for i := range s.conditions {
		if !s.conditions[i].met(c) {
			return false
		}
	}
	return true
}

// compileStatement reads a statement.
func (p *parser) compileStatement(n *node) (statement, error) {
	s := statement{start: n.start, end: n.end}
	if n.kind != isObject {
		return s, p.refuse(Syntax, "a statement is not an object")
	}
	for i := range n.items {
		if !isElement(n.items[i].name) {
			return s, p.refuse(Syntax, "%q is not an element of a statement", n.items[i].name)
		}
	}
	for _, step := range [...]func(*node, *statement) error{
		p.readSid, p.readEffect, p.readPrincipals, p.readActions, p.readResources, p.readConditions, p.checkKind,
	} {
		if err := step(n, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

func isElement(name string) bool {
	switch name {
	case "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition":
		return true
	}
	return false
}

func (p *parser) readSid(n *node, s *statement) error {
	sid, ok := n.member("Sid")
	if !ok {
		return nil
	}
	if sid.kind != isString {
		return p.refuse(Syntax, "Sid is not a string")
	}
	s.sid = sid.text
	if p.kind == Key || p.kind == Endpoint || s.sid == "" {
		return nil
	}
	if !only(s.sid, "") {
		return p.refuse(InvalidSid, "the Sid %q has characters other than letters and digits", s.sid)
	}
	if p.sids[s.sid] {
		return p.refuse(DuplicateSid, "the Sid %q is given twice", s.sid)
	}
	p.sids[s.sid] = true
	return nil
}

func (p *parser) readEffect(n *node, s *statement) error {
	effect, ok := n.member("Effect")
	if !ok {
		return p.refuse(InvalidEffect, "there is no Effect")
	}
	if effect.kind != isString || effect.text != string(Allow) && effect.text != string(Deny) {
		return p.refuse(InvalidEffect, "the Effect %q is neither Allow nor Deny", effect.text)
	}
	s.deny = effect.text == string(Deny)
	return nil
}

// either returns the one of two members that exclude each other, nil for none.
func (p *parser) either(n *node, name, not string) (member *node, negated bool, err error) {
	one, a := n.member(name)
	other, b := n.member(not)
	switch {
	case a && b:
		return nil, false, p.refuse(Syntax, "there are both %s and %s", name, not)
	case b:
		return other, true, nil
	}
	return one, false, nil
}

func (p *parser) readPrincipals(n *node, s *statement) error {
	member, not, err := p.either(n, "Principal", "NotPrincipal")
	switch {
	case err != nil:
		return err
	case p.kind == Identity || p.kind == ServiceControl:
		if member != nil {
			return p.refuse(UnexpectedPrincipal, "%s has no place in this kind of policy", member.name)
		}
		return nil
	case member == nil:
		return p.refuse(MissingPrincipal, "there is no Principal")
	case not && (p.kind == Trust || p.kind == ResourceControl):
		return p.refuse(InvalidPrincipal, "NotPrincipal has no place in this kind of policy")
	}
	s.principals, err = p.compilePrincipals(member)
	s.notPrincipal = not
	return err
}

func (p *parser) readActions(n *node, s *statement) error {
	member, not, err := p.either(n, "Action", "NotAction")
	if err != nil {
		return err
	}
	if member == nil {
		return p.without(s, MissingAction, "there is no Action")
	}
	names, err := p.strings(member)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return p.empty(s, not, MissingAction, member.name)
	}
	if not && p.kind == ResourceControl {
		return p.refuse(InvalidAction, "NotAction has no place in this kind of policy")
	}
	s.notAction, s.actionWork = not, p.workOf(member)
	s.actions = make([]pattern, len(names))
	for i, name := range names {
		if err := p.checkAction(name); err != nil {
			return err
		}
		s.actions[i] = compileFolded(name)
	}
	return nil
}

// without refuses a statement that lacks an element, or lets it have no effect in a key policy (KMS guide, "Key policies":
// it is saved, and does nothing).
func (p *parser) without(s *statement, reason Reason, detail string) error {
	if p.kind != Key {
		return p.refuse(reason, "%s", detail)
	}
	s.inert = true
	return nil
}

// empty is without for an element that is an empty list. Everything but nothing is not what anybody means.
func (p *parser) empty(s *statement, not bool, reason Reason, name string) error {
	if not {
		return p.refuse(reason, "%s is empty", name)
	}
	return p.without(s, reason, name+" is empty")
}

// checkAction refuses names that are not "*" or vendor:name with wildcards in the name.
func (p *parser) checkAction(name string) error {
	if name == "*" && p.kind != Trust {
		return nil
	}
	vendor, action, ok := strings.Cut(name, ":")
	switch {
	case !ok && p.kind != Trust:
		return p.refuse(InvalidAction, "the action %q has no vendor such as kms: or iam:", name)
	case p.kind == Trust && !strings.EqualFold(vendor, "sts"):
		return p.refuse(InvalidAction, "the action %q is not one of sts:", name)
	case vendor == "*" && action == "*":
		return nil
	case !only(vendor, "-"):
		return p.refuse(InvalidAction, "the vendor of the action %q is not valid", name)
	case !only(action, "*?-_"):
		return p.refuse(InvalidAction, "the name of the action %q is not valid", name)
	}
	return nil
}

func (p *parser) readResources(n *node, s *statement) error {
	member, not, err := p.either(n, "Resource", "NotResource")
	if err != nil {
		return err
	}
	if p.kind == Trust {
		if member != nil {
			return p.refuse(UnexpectedResource, "%s has no place in a trust policy", member.name)
		}
		s.anyResource = true
		return nil
	}
	if member == nil {
		return p.without(s, MissingResource, "there is no Resource")
	}
	names, err := p.strings(member)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return p.empty(s, not, MissingResource, member.name)
	}
	s.notResource, s.resourceWork = not, p.workOf(member)
	s.resources = make([]pattern, len(names))
	for i, name := range names {
		if s.resources[i], err = p.compileResource(name); err != nil {
			return err
		}
	}
	return nil
}

// compileResource reads a pattern of resources. Variables count after the fifth colon only (IAM User Guide, "IAM policy
// elements: Variables and tags", "Resource element").
func (p *parser) compileResource(name string) (pattern, error) {
	if p.kind != Key && name != "*" && !strings.HasPrefix(name, "arn:") {
		return pattern{}, p.refuseResource(name, `is neither "*" nor an ARN`)
	}
	if !p.variables {
		return compileWild(name), nil
	}
	tail := ""
	parts, ok := splitPattern(name, true)
	if ok {
		tail = parts[arnParts-1]
	}
	head := strings.TrimSuffix(name, tail)
	if p.kind != Key && strings.Contains(head, "${") {
		return pattern{}, p.refuseResource(name, "has a policy variable before its fifth colon")
	}
	tokens, err := appendVariables(appendWild(nil, head), tail, true)
	if err != nil {
		return pattern{}, p.refuseResource(name, "is malformed: "+err.Error())
	}
	return newPattern(name, tokens), nil
}

func (p *parser) readConditions(n *node, s *statement) error {
	member, ok := n.member("Condition")
	if !ok {
		return nil
	}
	var err error
	s.conditions, err = p.compileConditions(member)
	for i := range s.conditions {
		s.conditions[i].denies = s.deny
	}
	return err
}

// checkKind refuses what resource control policies must not say: they name everyone, and only the one that AWS attaches to
// everything may allow (Organizations User Guide, "RCP syntax").
func (p *parser) checkKind(_ *node, s *statement) error {
	if p.kind != ResourceControl {
		return nil
	}
	if len(s.principals.listed) != 1 || !s.principals.everyone {
		return p.refuse(InvalidPrincipal, `the principal of a resource control policy is not "*"`)
	}
	if !s.deny && !s.isFullAccess() {
		return p.refuse(InvalidEffect, "a resource control policy may only deny")
	}
	return nil
}

// isFullAccess reports whether a statement allows everything to everyone.
func (s *statement) isFullAccess() bool {
	all := func(patterns []pattern) bool { return len(patterns) == 1 && patterns[0].source == "*" }
	return !s.notAction && all(s.actions) && !s.notResource && all(s.resources) && len(s.conditions) == 0
}
