package authz_test

import (
	"testing"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
)

func TestCallersActInTheirOwnAccount(t *testing.T) {
	root := caller.RootOf("111122223333", "AKIA")
	own, other := "111122223333", "444455556666"
	tests := []struct {
		name   string
		access []authz.Access
		want   string
	}{
		{"nothing asked", nil, ""},
		{"own key", []authz.Access{{Action: "kms:Encrypt", Resource: "arn:a", Account: own}}, ""},
		{"another account's key", []authz.Access{{Action: "kms:Encrypt", Resource: "arn:b", Account: other}},
			"AccessDeniedException: User: arn:aws:iam::111122223333:root is not authorized to perform: kms:Encrypt on resource: arn:b because no resource-based policy allows the kms:Encrypt action"},
		{"own and another's", []authz.Access{{Action: "kms:ReEncryptFrom", Resource: "arn:a", Account: own}, {Action: "kms:ReEncryptTo", Resource: "arn:b", Account: other}},
			"AccessDeniedException: User: arn:aws:iam::111122223333:root is not authorized to perform: kms:ReEncryptTo on resource: arn:b because no resource-based policy allows the kms:ReEncryptTo action"},
		{"use of a service's key", []authz.Access{{Action: "kms:Decrypt", Resource: "arn:s", Account: own, ServiceManaged: true}}, ""},
		{"change of a service's key", []authz.Access{{Action: "kms:DisableKey", Resource: "arn:s", Account: own, ServiceManaged: true}},
			"AccessDeniedException: User: arn:aws:iam::111122223333:root is not authorized to perform: kms:DisableKey on resource: arn:s because no resource-based policy allows the kms:DisableKey action"},
	}
	for _, test := range tests {
		err := authz.Authorize(root, test.access...)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
