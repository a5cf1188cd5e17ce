package policy

// The most that documents can have (IAM User Guide, "IAM and AWS STS quotas"; Organizations User Guide, "Quotas and service
// limits"; KMS Developer Guide, "Resource quotas"; default values). Sizes are those of Size.
const (
	KeyBytes          = 32768 // of a key policy
	ControlCharacters = 5120  // of a service or resource control policy, white space included
	ManagedSize       = 6144
	TrustSize         = 2048
	UserSize          = 2048 // of all policies that live in a user, together; likewise the next two
	GroupSize         = 5120
	RoleSize          = 10240
)

// Size is the size of a document as IAM's quotas count it: without white space.
func Size(text string) int {
	n := 0
	for i := range len(text) {
		if c := text[i]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			n++
		}
	}
	return n
}
