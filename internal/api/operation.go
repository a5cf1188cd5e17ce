package api

// Shape is a structure of an API that reads itself from JSON. Every generated structure is one.
type Shape interface{ DecodeJSON(*Decoder) }

// Input is the request of an operation. Decode fills it, Check tests its constraints, and AppendAudit shows what of it
// an audit record may hold.
type Input interface {
	Shape
	Validate(*Violations)
	AppendAudit([]byte) []byte
	Common() Common
}

// Common is what the requests of many operations share; each member is zero where an operation has none.
type Common struct {
	KeyID       *string
	GrantTokens []string
	DryRun      bool
}

// Output is the response of an operation: its body, and what of it an audit record may hold.
type Output interface {
	AppendJSON([]byte) []byte
	AppendAudit([]byte) []byte
}

// OperationInfo is one operation of a service, as its model has it.
type OperationInfo struct {
	Name      string        // "Encrypt"
	Built     bool          // false: known to AWS's clients, but Trent does not offer it yet
	NewInput  func() Input  // an empty request
	NewOutput func() Output // an empty response; *Empty where the model has none
}

// Empty is the response of an operation that has none: 200 with an empty body.
type Empty struct{}

// DecodeJSON accepts any object and keeps nothing of it.
func (*Empty) DecodeJSON(d *Decoder) { d.SkipObject() }

// AppendJSON returns b as it is.
func (*Empty) AppendJSON(b []byte) []byte { return b }

// AppendAudit appends null.
func (*Empty) AppendAudit(b []byte) []byte { return append(b, "null"...) }
