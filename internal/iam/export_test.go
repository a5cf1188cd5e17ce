package iam

// ProvidedID is the unique id of a managed policy that comes with Trent.
func ProvidedID(arn string) string {
	if m := provided()[arn]; m != nil {
		return m.ID
	}
	return ""
}
