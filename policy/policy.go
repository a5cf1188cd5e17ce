// Package policy is AWS's policy language: documents are parsed, checked and compiled once, and evaluated many times,
// without allocation in the common case. It decides nothing by itself: Evaluate says what one document says of one
// request, and whoever combines several documents (identity policies, a key policy, boundaries …) decides.
//
// The package is pure: it reads no clock, no network and no files, and imports nothing but the standard library and a JSON
// reader. Sources: IAM User Guide, "IAM JSON policy reference" and "Policy evaluation logic".
package policy

// Kind is what a document is attached to, which decides what it must and may not say.
type Kind uint8

// The kinds of policy.
const (
	// Identity is a policy of a user, a group or a role, a permissions boundary, or a session policy: no principals.
	Identity Kind = iota
	// Key is the policy of a KMS key: statements need a principal. Statements without Action or Resource are accepted,
	// and have no effect.
	Key
	// Trust says who may assume a role: principals, and no Resource.
	Trust
	// ServiceControl is an SCP: no principals.
	ServiceControl
	// ResourceControl is an RCP: the principal is "*", and only the one that AWS attaches to everything may allow.
	ResourceControl
	// Endpoint filters what passes through a VPC endpoint: principals are needed.
	Endpoint
)

// Policy is a compiled document. It is never changed, and safe for concurrent use.
type Policy struct {
	kind       Kind
	text       string
	variables  bool // policy variables are replaced: the version is the newer one
	statements []statement
}

// Request is what a document is asked about.
type Request struct {
	// Action is the operation with its service's prefix: kms:Decrypt. Compared without regard to case.
	Action string
	// Resource is the ARN of what is acted on, or "*" for operations on nothing in particular.
	Resource string
	// Principal is who asks. Documents without principals do not look at it, and it may be nil then.
	Principal *Principal
	// Context answers for condition keys; nil has none.
	Context Context
}

// Principal is who asks, under every name that a document may give it.
type Principal struct {
	// Account is the account of the caller, twelve digits. Empty for a service, which belongs to none.
	Account string
	// ARN is the caller's own: of a user, of an assumed-role session, of a federated user, of an account's root user.
	ARN string
	// Role is the ARN of the role that a session is of, without the session's name but with the role's path.
	Role string
	// User is the ARN of the user on whose behalf a federated user acts; a session of GetSessionToken is the user itself.
	User string
	// ID is the unique id (AIDA…, AROA…) of the caller's user or role. Documents that are kept refer to users and
	// roles by them, so that a name that is given again is somebody else.
	ID string
	// Bounded says that the caller's user or role has a permissions boundary.
	Bounded bool
	// Service is the name of the AWS service that calls for itself: s3.amazonaws.com.
	Service string
	// Provider is the identity provider that vouches for a caller who has no credentials yet, as a trust policy names
	// it: an ARN of an OIDC provider.
	Provider string
}

// Context knows the condition keys of a request.
type Context interface {
	// Lookup returns the values of a condition key, whose name is folded (Fold) and complete: aws:principaltag/team,
	// kms:encryptioncontext:tenant. ok is false when the request does not have the key.
	Lookup(key string) (v Values, ok bool)
}

// Match is how a statement's principals name the caller.
type Match uint8

// How a statement can name the caller, the more direct the later.
const (
	// None: the statement is about others.
	None Match = iota
	// ByAccount: the caller's account is named, so that the account's own policies are to decide.
	ByAccount
	// ByEveryone: "*" is named, or everyone but some. Documents without principals match so too.
	ByEveryone
	// ByUser: the caller is the session of a federated user, and the user on whose behalf it acts is named.
	ByUser
	// ByRole: the caller is a session of the role that is named.
	ByRole
	// ByCaller: the caller itself is named: its user, session, federated user, service or root user.
	ByCaller

	matches = int(ByCaller) + 1
)

// Result is what one document says of a request.
type Result struct {
	deny   int16 // index of a statement + 1
	allows [matches]int16
}

// Denied returns the index of the first statement that denies the request.
func (r *Result) Denied() (statement int, ok bool) { return int(r.deny) - 1, r.deny > 0 }

// AllowedBy returns the index of the first statement that allows the request and names the caller in the given way.
func (r *Result) AllowedBy(m Match) (statement int, ok bool) {
	return int(r.allows[m]) - 1, r.allows[m] > 0
}

// Allowed returns the index of a statement that allows the request, the one that names the caller most directly. A
// document that allows may deny as well: ask Denied first.
func (r *Result) Allowed() (statement int, by Match, ok bool) {
	for m := ByCaller; m > None; m-- {
		if r.allows[m] > 0 {
			return int(r.allows[m]) - 1, m, true
		}
	}
	return 0, None, false
}

// Kind returns what the document is attached to.
func (p *Policy) Kind() Kind { return p.kind }

// Text returns the document as it was parsed.
func (p *Policy) Text() string { return p.text }

// Len returns how many statements there are.
func (p *Policy) Len() int { return len(p.statements) }

// Sid returns the name of a statement, empty if it has none.
func (p *Policy) Sid(statement int) string { return p.statements[statement].sid }
