package policy_test

import (
	"fmt"

	"github.com/trent-kms/trent/policy"
)

// facts is a policy.Context.
type facts map[string]string

// Lookup returns a value; names are in lower case.
func (f facts) Lookup(key string) (policy.Values, bool) {
	v, ok := f[key]
	return policy.One(v), ok
}

func Example() {
	p, err := policy.Parse(policy.Key, `{
		"Version": "2012-10-17",
		"Statement": [
			{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"}, "Action": "kms:Decrypt", "Resource": "*"},
			{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
			 "Condition": {"StringNotEquals": {"kms:EncryptionContext:tenant": "${aws:PrincipalTag/tenant}"}}}
		]}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	caller := &policy.Principal{
		Account: "111122223333",
		ARN:     "arn:aws:sts::111122223333:assumed-role/app/web-1",
		Role:    "arn:aws:iam::111122223333:role/app",
	}
	for _, tenant := range []string{"blue", "red"} {
		result := p.Evaluate(&policy.Request{
			Action: "kms:Decrypt", Resource: "arn:aws:kms:us-east-1:111122223333:key/1234", Principal: caller,
			Context: facts{"aws:principaltag/tenant": "blue", "kms:encryptioncontext:tenant": tenant},
		})
		_, by, allowed := result.Allowed()
		_, denied := result.Denied()
		fmt.Println(tenant, allowed, by == policy.ByRole, denied)
	}
	// Output:
	// blue true true false
	// red true true true
}

func ExampleLint() {
	for _, f := range policy.Lint(policy.Key, `{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:Decypt", "Resource": "*"}}`) {
		fmt.Println(f.Severity, f.Code, f.Statement, f.Message)
	}
	// Output:
	// warning NoDelegation -1 no statement gives kms:PutKeyPolicy to the account: if the named principals are gone, IAM policies cannot help
	// error EveryoneAllowed 0 everybody is allowed, of any account
	// warning UnknownAction 0 KMS has no such action
}
