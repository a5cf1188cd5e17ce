// Package authz decides whether a caller may do what it asks for: one decision from the key policy, the account's
// identity policies, permissions boundaries, session policies, the service and resource control policies of an
// organization, the policy of a VPC endpoint, and grants (IAM User Guide, "Policy evaluation logic"; KMS Developer Guide,
// "Authentication and access control").
//
// decide.go has the rules, context.go the global condition keys, explain.go says how a decision came about and what would
// change it. Documents are the policy package's business, and where they are kept that of the services.
package authz

import (
	"context"
	"time"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// Access is one thing to be decided: an action on a resource.
type Access struct {
	Action   string // kms:Encrypt
	Resource string // an ARN, or "*" for operations without a resource
	Account  string // the resource's account; the caller's own for "*"
	// Named is the ARN by which the caller named the resource, if not Resource: an alias of another account's key. A refusal
	// names the resource as the caller did.
	Named string
	// Policy is the resource's own policy. nil: it has none, and the account's identity policies decide alone.
	Policy *policy.Policy
	// Missing says that the resource does not exist. Nobody is allowed anything on it, and to another account's callers
	// it looks like one whose policy does not allow it.
	Missing bool
	// Local says that the operation cannot be done on another account's resources, whatever policies say.
	Local bool
	// Managed marks a key that an AWS service manages, which resource control policies do not touch.
	Managed bool
	// Region is where the action happens, if it is not the request's own Region.
	Region string
	// Refusal is the answer to a denial, where AWS's usual one would tell the caller what it does not know.
	Refusal error
	// Context has the condition keys of the resource and of the request's parameters; nil has none.
	Context policy.Context
	// Grants looks for a grant that lets the caller. It is asked only when nothing else has allowed. nil: there is none.
	Grants Granter
}

// Granter finds a grant that lets a caller do what it asks for.
type Granter interface {
	Grant(context.Context) (Grant, error)
}

// Grant is a grant that applies to a request. By is policy.None: there is none.
type Grant struct {
	ID string
	By policy.Match // how its grantee names the caller
}

// Request is who asks, how and when: the same for all accesses of a call.
type Request struct {
	Caller   *caller.Caller
	Identity *Identity
	Region   string
	Now      time.Time
	// SourceIP is the address that the request came from, without port.
	SourceIP  string
	UserAgent string
	Referer   string
	TLS       bool
	// Endpoint is the VPC endpoint that the request came through, or nil.
	Endpoint *Endpoint
	// Given has, in simulations, values of condition keys that count in the place of the request's own. nil: none.
	Given policy.Context
}

// Endpoint is a listener that stands for a VPC endpoint.
type Endpoint struct {
	ID     string         // vpce-…
	VPC    string         // vpc-…, may be empty
	Policy *policy.Policy // nil: everything passes
}

// Identity is what an account's administrators say of a caller: what it is allowed, and what limits it.
type Identity struct {
	// Policies are the caller's identity policies: its own, its groups', its role's.
	Policies []Attached
	// Boundary is the permissions boundary, or nil.
	Boundary *Attached
	// Session are the session policies. They limit if caller.Session.Limited.
	Session []Attached
	// Tags are the tags of the principal (aws:PrincipalTag), session tags before the user's or role's own.
	Tags []caller.Tag
}

// Attached is a policy and where it comes from.
type Attached struct {
	Name string // of an inline policy: user/bob/inline-name; of a managed one: its ARN
	*policy.Policy
}

// Membership is an account's place in an organization.
type Membership struct {
	Organization string // o-…
	Path         string // o-…/r-…/ou-…/
	// Suspended marks an account that was closed: its principals can do nothing.
	Suspended bool
	// Management marks the organization's management account, which no control policy binds.
	Management bool
	// Services and Resources are the control policies attached to each level, from the root to the account. nil: the
	// policy type is not enabled.
	Services, Resources [][]Attached
}

// Directory knows who there is.
type Directory interface {
	// Identity returns what limits and allows a caller; nil for one without policies of its own (a root user, a service).
	Identity(context.Context, *caller.Caller) (*Identity, error)
	// Membership returns an account's place in an organization; nil when it is in none.
	Membership(ctx context.Context, account string) (*Membership, error)
}
