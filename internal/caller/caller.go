// Package caller says who is asking: the authenticated principal behind one request.
package caller

// Type is the kind of principal, in the words of CloudTrail's userIdentity.type.
type Type string

// The kinds of principal that can sign a request today.
const (
	Root Type = "Root" // an account's root user
)

// Caller is the principal that signed a request. It exists only after the signature was verified.
type Caller struct {
	Type        Type
	Account     string // twelve digits
	ARN         string // arn:aws:iam::111122223333:root
	UserID      string // aws:userid; for root the account id
	AccessKeyID string // the key that signed
}

// RootOf returns the root user of an account, signed in with an access key.
func RootOf(account, accessKeyID string) Caller {
	return Caller{Type: Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account, AccessKeyID: accessKeyID}
}
