package policy

import "strings"

// CheckCustomerManaged refuses a control policy that Organizations would not take from a customer. The error is a
// *Malformed; it is nil for documents of other kinds.
//
// Parse is more lenient, for the sake of the resource control policy that AWS itself attaches to everything, which allows.
// Service control policies have the whole language since 2025, but for principals, which Parse refuses (Organizations User
// Guide, "SCP syntax" and "RCP syntax").
func (p *Policy) CheckCustomerManaged() error {
	if p.kind != ServiceControl && p.kind != ResourceControl {
		return nil
	}
	if !p.variables { // no other version has them
		return &Malformed{Reason: InvalidVersion, Statement: -1, Detail: "the Version of a control policy is not " + Version2012}
	}
	if p.kind == ServiceControl {
		return nil
	}
	for i := range p.statements {
		if reason, detail := p.statements[i].outsideRCP(); detail != "" {
			return &Malformed{Reason: reason, Statement: i, Detail: detail}
		}
	}
	return nil
}

// outsideRCP returns what a customer's resource control policy must not say and a statement does; no detail for nothing.
func (s *statement) outsideRCP() (reason Reason, detail string) {
	if !s.deny {
		return InvalidEffect, "a resource control policy may only deny; RCPFullAWSAccess alone allows"
	}
	if !s.principals.star {
		return InvalidPrincipal, `the Principal of a resource control policy is "*": conditions say who`
	}
	for i := range s.actions {
		if vendor, _, _ := strings.Cut(s.actions[i].source, ":"); vendor == "*" {
			return InvalidAction, "a resource control policy names the service of an action, such as kms:*"
		}
	}
	return Syntax, ""
}
