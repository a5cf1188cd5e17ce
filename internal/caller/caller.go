// Package caller says who is asking: the authenticated principal behind one request.
package caller

import (
	"strings"
	"time"

	"github.com/trent-kms/trent/policy"
)

// Type is the kind of principal, in the words of CloudTrail's userIdentity.type.
type Type string

// The kinds of principal that can make a request.
const (
	Root      Type = "Root"          // an account's root user
	User      Type = "IAMUser"       // an IAM user
	Role      Type = "AssumedRole"   // a session of a role
	Federated Type = "FederatedUser" // a session of GetFederationToken
	Service   Type = "AWSService"    // a registered service, for itself
	// WebIdentity has no credentials of ours: an identity provider vouches for it.
	WebIdentity Type = "WebIdentityUser"
)

// Caller is the principal that signed a request. It exists only after the signature was verified.
type Caller struct {
	Type        Type
	Account     string // twelve digits; empty for a Service
	ARN         string // arn:aws:iam::111122223333:user/bob, arn:aws:sts::111122223333:assumed-role/R/S; of a Service its name
	UserID      string // aws:userid: AIDA…, AROA…:session, account:name; for root the account id
	AccessKeyID string // the key that signed
	// Name is the user's name, or that of the role of a session, without path; empty for the rest.
	Name string
	// Source is the ARN of what a session comes from: of the role, with its path; of the user (or root user) that asked for a
	// federated user. Empty without one.
	Source string
	// ID is the unique id (AIDA…, AROA…) of the user, or of the role or user of a session; empty for the rest.
	ID string
	// Session is set for temporary credentials.
	Session *Session
	// Forwarder is the service through which the caller's request comes: s3.amazonaws.com. Only Trent's own front ends
	// and registered services set it.
	Forwarder string
	// SourceARN and SourceAccount say for which resource a Service acts. Set by the service itself.
	SourceARN, SourceAccount string
}

// Session is what temporary credentials carry with them. It is never changed.
type Session struct {
	Issued, Expires time.Time
	MFA             bool
	// Tags are the session's tags.
	Tags []Tag
	// Transitive are the keys of the tags that sessions assumed from this one inherit.
	Transitive     []string
	SourceIdentity string
	// Provider is the identity provider of a web identity's session (aws:FederatedProvider).
	Provider string
	// Limited says that session policies were passed, so that only what they allow is allowed. Policy is the one that was
	// passed as text, or nil; PolicyARNs are managed policies.
	Limited    bool
	Policy     *policy.Policy
	PolicyARNs []string
}

// Tag is a tag of a principal.
type Tag struct{ Key, Value string }

// Limited says that the caller has only what session policies allow.
func (c *Caller) Limited() bool { return c.Session != nil && c.Session.Limited }

// RootARN returns the ARN of an account's root user, which stands for the account.
func RootARN(account string) string { return "arn:aws:iam::" + account + ":root" }

// RootOf returns the root user of an account, signed in with an access key.
func RootOf(account, accessKeyID string) Caller {
	return Caller{Type: Root, Account: account, ARN: RootARN(account), UserID: account, AccessKeyID: accessKeyID}
}

// Principal returns the caller as policies name it.
func (c *Caller) Principal() policy.Principal {
	p := policy.Principal{Account: c.Account, ARN: c.ARN, ID: c.ID}
	switch c.Type {
	case Role:
		p.Role = c.Source
	case Federated:
		p.User = c.Source
	case Service:
		p.ARN, p.Service = "", c.ARN
	case WebIdentity:
		p.ARN, p.Provider = "", c.Source
	}
	return p
}

// IsServiceName says whether s has the form of a service principal: lower-case labels, the last two amazonaws.com, in at most
// 128 characters.
func IsServiceName(s string) bool {
	name, ok := strings.CutSuffix(s, ".amazonaws.com")
	if !ok || len(s) > 128 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
