package policy

import (
	"fmt"
	"strings"
	"testing"
)

// fiveStatements is a key policy as people write them: delegation, administrators, users, grants for services, a guard.
const fiveStatements = `{"Version":"2012-10-17","Id":"key-consolepolicy-3","Statement":[
	{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
	{"Sid":"Administrators","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/admin","arn:aws:iam::111122223333:user/carol"]},
		"Action":["kms:Create*","kms:Describe*","kms:Enable*","kms:List*","kms:Put*","kms:Update*","kms:Revoke*","kms:Disable*","kms:Get*","kms:Delete*","kms:TagResource","kms:UntagResource","kms:ScheduleKeyDeletion","kms:CancelKeyDeletion"],"Resource":"*"},
	{"Sid":"Users","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/team/app","arn:aws:iam::444455556666:root"]},
		"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*",
		"Condition":{"StringEquals":{"kms:EncryptionContext:tenant":["blue","green"]},"StringLike":{"kms:ViaService":"s3.*.amazonaws.com"}}},
	{"Sid":"Grants","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/team/app"},"Action":["kms:CreateGrant","kms:ListGrants","kms:RevokeGrant"],"Resource":"*",
		"Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}},
	{"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*",
		"Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-exampleorg1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}]}`

// few is a Context of a handful of keys, which does not hash.
type few [6]struct {
	name  string
	value Values
}

// Lookup looks through the list.
func (f *few) Lookup(name string) (Values, bool) {
	for i := range f {
		if f[i].name == name {
			return f[i].value, true
		}
	}
	return Values{}, false
}

func fiveRequest(action string) *Request {
	return &Request{Action: action, Resource: key, Principal: session(), Context: &few{
		{"aws:principalorgid", One("o-exampleorg1")}, {"kms:encryptioncontext:tenant", One("green")},
		{"kms:viaservice", One("s3.us-east-1.amazonaws.com")}, {"aws:principalisawsservice", One("false")}, {"kms:grantisforawsresource", One("true")},
	}}
}

func BenchmarkFiveStatementsAllowedByTheFirst(b *testing.B) {
	benchmark(b, fiveStatements, fiveRequest("kms:GetPublicKey"))
}

func BenchmarkFiveStatementsWithConditions(b *testing.B) {
	benchmark(b, fiveStatements, fiveRequest("kms:Decrypt"))
}

func BenchmarkDefaultKeyPolicy(b *testing.B) {
	benchmark(b, document(`{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`), fiveRequest("kms:Decrypt"))
}

func BenchmarkVariable(b *testing.B) {
	benchmark(b, document(`{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:tenant":"${aws:PrincipalOrgID}"}}}`), fiveRequest("kms:Decrypt"))
}

func BenchmarkThousandPrincipals(b *testing.B) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf(`"AROA%016d"`, i)
	}
	benchmark(b, document(`{"Effect":"Allow","Principal":{"AWS":[`+strings.Join(names, ",")+`]},"Action":"kms:*","Resource":"*"}`), fiveRequest("kms:Decrypt"))
}

func benchmark(b *testing.B, text string, r *Request) {
	p := mustParse(b, Key, text)
	b.ReportAllocs()
	for b.Loop() {
		p.Evaluate(r)
	}
}

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(fiveStatements)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(Key, fiveStatements); err != nil {
			b.Fatal(err)
		}
	}
}
