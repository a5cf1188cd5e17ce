package harness

import kmsapi "github.com/trent-kms/trent/internal/api/kms"

// Built are the operations of KMS that the server has, by the same list that docs/compatibility.md is made of. Every
// client must have called each of them with success by the end of its tests.
func Built() []string {
	var names []string
	for _, o := range kmsapi.Operations() {
		if o.Built {
			names = append(names, o.Name)
		}
	}
	return names
}
