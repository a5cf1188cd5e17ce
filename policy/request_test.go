package policy

import (
	"strings"
	"testing"
)

const (
	home  = "111122223333"
	other = "444455556666"
	key   = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// keys is a Context, with names in lower case.
type keys map[string]Values

// Lookup looks into the map.
func (k keys) Lookup(name string) (Values, bool) { v, ok := k[name]; return v, ok }

// document wraps statements.
func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func mustParse(t testing.TB, kind Kind, text string) *Policy {
	t.Helper()
	p, err := Parse(kind, text)
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return p
}

// allowed reports what a document alone decides.
func allowed(p *Policy, r *Request) bool {
	result := p.Evaluate(r)
	_, denied := result.Denied()
	_, _, ok := result.Allowed()
	return ok && !denied
}

func alice() *Principal {
	return &Principal{Account: home, ARN: "arn:aws:iam::111122223333:user/alice", ID: "AIDAALICEALICEALICE1"}
}

func session() *Principal {
	return &Principal{
		Account: home, ARN: "arn:aws:sts::111122223333:assumed-role/app/web-1",
		Role: "arn:aws:iam::111122223333:role/team/app", ID: "AROAAPPAPPAPPAPPAPP1",
	}
}

func federated() *Principal {
	return &Principal{
		Account: home, ARN: "arn:aws:sts::111122223333:federated-user/bob",
		User: "arn:aws:iam::111122223333:user/alice", ID: "AIDAALICEALICEALICE1",
	}
}

func root() *Principal {
	return &Principal{Account: home, ARN: "arn:aws:iam::111122223333:root", ID: home}
}

func service() *Principal { return &Principal{Service: "s3.amazonaws.com"} }

func web() *Principal {
	return &Principal{Provider: "arn:aws:iam::111122223333:oidc-provider/token.example.com"}
}
