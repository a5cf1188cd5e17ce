package policy

import (
	"errors"
	"testing"
)

// What a customer may write into control policies, by the pages "SCP syntax" and "RCP syntax" of the Organizations User Guide.
func TestCustomersControlPolicies(t *testing.T) {
	old := func(version, statement string) string { return `{` + version + `"Statement":{` + statement + `}}` }
	const fine = Reason(reasons)
	for _, tc := range []struct {
		rule string
		kind Kind
		text string
		want Reason
		at   int
	}{
		{"RCP", ResourceControl, st(forbid, who, what, which), fine, 0},
		{"all of a service, but some resources, on a condition", ResourceControl, st(`"Sid":"a"`, forbid, who, `"Action":["kms:*","sts:?ssume*"]`, `"NotResource":"arn:aws:kms:*:*:key/a"`, `"Condition":{"Bool":{"aws:SecureTransport":"false"}}`), fine, 0},
		{"Allow", ResourceControl, st(permit, who, `"Action":"*"`, which), InvalidEffect, 0},
		{"Allow after Deny", ResourceControl, document(`{`+forbid+`,`+who+`,`+what+`,`+which+`}`, `{`+permit+`,`+who+`,"Action":"*",`+which+`}`), InvalidEffect, 1},
		{"everyone in an object", ResourceControl, st(forbid, `"Principal":{"AWS":"*"}`, what, which), InvalidPrincipal, 0},
		{"every action", ResourceControl, st(forbid, who, `"Action":"*"`, which), InvalidAction, 0},
		{"every action, besides", ResourceControl, st(forbid, who, `"Action":["kms:*","*"]`, which), InvalidAction, 0},
		{"every action of every service", ResourceControl, st(forbid, who, `"Action":"*:*"`, which), InvalidAction, 0},
		{"no Version", ResourceControl, old(``, forbid+`,`+who+`,`+what+`,`+which), InvalidVersion, -1},
		{"the older Version", ResourceControl, old(`"Version":"2008-10-17",`, forbid+`,`+who+`,`+what+`,`+which), InvalidVersion, -1},

		{"SCP", ServiceControl, st(permit, `"Action":"*"`, which), fine, 0},
		{"Allow of some, on a condition", ServiceControl, st(permit, `"NotAction":"kms:*Key"`, `"NotResource":"arn:aws:kms:*:*:key/a"`, `"Condition":{"Bool":{"aws:SecureTransport":"true"}}`), fine, 0},
		{"no Version", ServiceControl, old(``, forbid+`,`+what+`,`+which), InvalidVersion, -1},
		{"the older Version", ServiceControl, old(`"Version":"2008-10-17",`, forbid+`,`+what+`,`+which), InvalidVersion, -1},

		{"an identity policy", Identity, old(``, permit+`,"Action":"*",`+which), fine, 0},
		{"a key policy", Key, old(``, permit+`,`+who+`,"Action":"*",`+which), fine, 0},
	} {
		p, err := Parse(tc.kind, tc.text)
		if err == nil {
			err = p.CheckCustomerManaged()
		}
		if tc.want == fine {
			if err != nil {
				t.Errorf("%s: %v", tc.rule, err)
			}
			continue
		}
		if m, ok := errors.AsType[*Malformed](err); !ok || m.Reason != tc.want || m.Statement != tc.at {
			t.Errorf("%s: %v, want %v", tc.rule, err, tc.want)
		}
	}
}
