package policy

import (
	"cmp"
	"errors"
	"slices"
)

// Severity says how much a finding matters.
type Severity string

// The severities.
const (
	// SeverityError: the document is refused, lets in everybody, or has a statement that cannot do what it says.
	SeverityError Severity = "error"
	// SeverityWarning: the document is likely to do something else than its author means.
	SeverityWarning Severity = "warning"
	// SeverityNote: the document works, and could be clearer or narrower.
	SeverityNote Severity = "note"
)

// Finding is something that Lint has to say of a document.
type Finding struct {
	Severity Severity
	// Code names the rule: see Lint.
	Code string
	// Statement is an index, -1 for the document as a whole.
	Statement int
	// Message says what is wrong, and Detail what it is about: a principal, an action, a condition.
	Message, Detail string
}

// linter collects findings.
type linter struct {
	policy    *Policy
	keys      []keyRow
	statement int
	findings  []Finding
}

func (l *linter) add(s Severity, code, detail, message string) {
	l.findings = append(l.findings, Finding{s, code, l.statement, message, detail})
}

// Lint looks for mistakes in a document. Findings are in the order of the statements, those of the document as a whole
// first. A document that Parse or CheckCustomerManaged refuses has one finding, whose code is the Reason. The other codes:
//
//	EveryoneAllowed     "*" may do something, and no condition says who (error) or another one only narrows it (warning)
//	AllowNotPrincipal   Allow with NotPrincipal: everybody else may, of any account
//	DenyNotPrincipal    Deny with NotPrincipal, which needs every name of a caller; ArnNotEquals is clearer
//	AllowNotAction      Allow with NotAction: everything else, also what is added to the service one day
//	PolicyAndUse        one principal may change the key policy and decrypt
//	AllActions          a principal other than the account may do everything with the key
//	NoDelegation        the key policy does not let the account's IAM policies decide
//	NoEffect            a statement does nothing, or one of its actions or resources
//	KeyResource         a key policy's Resource is not "*"
//	UnknownAction       KMS has no such action
//	OtherService        the action is of a service that the document has no say in, or that is not here
//	NotOnKeys           a key policy cannot allow the action
//	UnknownKey          no service has the condition key
//	IdentityOnly        AWS documents the condition key for IAM policies only
//	NeverMatches        a condition cannot hold
//	AlwaysMatches       a condition always holds
//	SometimesMatches    some of the actions never have the condition key
//	WildcardInEquals    * or ? where they are plain characters
//	SetOnSingle         a set operator on a key with one value
//	AbsentSet           ForAllValues allows requests that do not have the key
//	OldVersion          a policy variable in a document whose version has none
func Lint(kind Kind, text string) []Finding {
	p, err := Parse(kind, text)
	if err == nil {
		err = p.CheckCustomerManaged()
	}
	if m := new(Malformed); errors.As(err, &m) {
		return []Finding{{SeverityError, m.Reason.String(), m.Statement, "the document is malformed", m.Detail}}
	}
	l := &linter{policy: p, keys: slices.Concat(globalKeys(), kmsKeys()), statement: -1}
	l.document()
	for i := range p.statements {
		l.statement = i
		s := &p.statements[i]
		l.effect(s)
		l.principals(s)
		l.actions(s)
		l.resources(s)
		l.conditions(s)
	}
	slices.SortStableFunc(l.findings, func(a, b Finding) int { return cmp.Compare(a.Statement, b.Statement) })
	return l.findings
}

// effect looks for statements that do nothing, or more than they say.
func (l *linter) effect(s *statement) {
	if s.inert {
		l.add(SeverityWarning, "NoEffect", s.sid, "a statement without Action or Resource does nothing")
	}
	if !s.deny && s.notAction {
		l.add(SeverityWarning, "AllowNotAction", s.sid,
			"Allow with NotAction allows whatever it does not name, and what is added one day")
	}
}
