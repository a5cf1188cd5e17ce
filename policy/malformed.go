package policy

import "fmt"

// Malformed says why a document is refused.
type Malformed struct {
	Reason Reason
	// Statement is the index of the statement at fault, -1 for the document as a whole.
	Statement int
	// Detail is what is wrong, for the author of the document. It may quote the document.
	Detail string
	// Name is the Resource that is refused with InvalidResource.
	Name string
}

// Error returns the detail and the place.
func (m *Malformed) Error() string {
	if m.Statement < 0 {
		return "malformed policy: " + m.Detail
	}
	return fmt.Sprintf("malformed policy: statement %d: %s", m.Statement, m.Detail)
}

// Reason is the rule that a malformed document breaks.
type Reason uint8

// The rules that a document can break.
const (
	// Syntax: not JSON, a member given twice, an unknown member, a value of the wrong type, or both of two that exclude
	// each other, such as Action and NotAction.
	Syntax Reason = iota
	// TooLarge: more than MaxBytes of text, more statements than an answer can name, or more wildcards than can be matched
	// in little time.
	TooLarge
	// InvalidVersion: neither 2012-10-17 nor 2008-10-17.
	InvalidVersion
	// InvalidSid: a character that the kind of document does not take.
	InvalidSid
	// DuplicateSid: a Sid given twice.
	DuplicateSid
	// InvalidEffect: neither Allow nor Deny, or Allow where a document may only deny.
	InvalidEffect
	// MissingPrincipal: a statement does not say who.
	MissingPrincipal
	// InvalidPrincipal: a name that is no principal.
	InvalidPrincipal
	// UnexpectedPrincipal: the kind of document has no principals.
	UnexpectedPrincipal
	// MissingAction: a statement does not say what.
	MissingAction
	// InvalidAction: not "*" and not vendor:name, or one that the kind of document does not take.
	InvalidAction
	// MissingResource: a statement does not say on what.
	MissingResource
	// InvalidResource: neither "*" nor an ARN.
	InvalidResource
	// UnexpectedResource: the kind of document has no resources.
	UnexpectedResource
	// InvalidConditionKey: a key without a vendor.
	InvalidConditionKey
	// InvalidConditionValue: none, or one that its operator cannot compare with.
	InvalidConditionValue
	// UnknownOperator: no condition operator has this name.
	UnknownOperator
	// OverlyPermissive: ForAllValues on a key that callers may simply leave out (KMS guide, "kms:EncryptionContext:").
	OverlyPermissive

	reasons = int(OverlyPermissive) + 1
)

// String returns the name of the rule.
func (r Reason) String() string {
	names := [reasons]string{"Syntax", "TooLarge", "InvalidVersion", "InvalidSid", "DuplicateSid", "InvalidEffect", "MissingPrincipal",
		"InvalidPrincipal", "UnexpectedPrincipal", "MissingAction", "InvalidAction", "MissingResource", "InvalidResource",
		"UnexpectedResource", "InvalidConditionKey", "InvalidConditionValue", "UnknownOperator", "OverlyPermissive"}
	if int(r) >= len(names) {
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
	return names[r]
}
