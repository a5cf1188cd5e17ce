package policy

import (
	"errors"
	"strings"
	"testing"
)

// refusal is a document that is refused, and why.
type refusal struct {
	rule      string
	kind      Kind
	text      string
	reason    Reason
	statement int // at fault
}

// every statement below lacks one thing or has one too many; these parts are right.
const (
	who    = `"Principal":"*"`
	what   = `"Action":"kms:Decrypt"`
	which  = `"Resource":"*"`
	permit = `"Effect":"Allow"`
	forbid = `"Effect":"Deny"`
)

// st is a document with one statement of the given members.
func st(members ...string) string { return document(`{` + strings.Join(members, ",") + `}`) }

func refusals() []refusal {
	all := []refusal{
		// The document.
		{"empty", Key, ``, Syntax, -1},
		{"blank", Key, " \n", Syntax, -1},
		{"not JSON", Key, `policy`, Syntax, -1},
		{"a string", Key, `"policy"`, Syntax, -1},
		{"an array", Key, `[]`, Syntax, -1},
		{"null", Key, `null`, Syntax, -1},
		{"not closed", Key, `{"Statement":[`, Syntax, -1},
		{"closed too often", Key, document(`{}`) + `}`, Syntax, -1},
		{"two documents", Key, document(`{}`) + document(`{}`), Syntax, -1},
		{"a comma too many", Key, `{"Statement":[{},]}`, Syntax, -1},
		{"a comma too few", Key, `{"Version":"2012-10-17" "Statement":[]}`, Syntax, -1},
		{"single quotation marks", Key, `{'Statement':[]}`, Syntax, -1},
		{"a comment", Key, `{"Statement":[] /* none */}`, Syntax, -1},
		{"not UTF-8", Key, "{\"Id\":\"\xff\",\"Statement\":[]}", Syntax, -1},
		{"half a surrogate pair", Key, `{"Id":"\ud800","Statement":[]}`, Syntax, -1},
		{"a control character", Key, "{\"Id\":\"\x01\",\"Statement\":[]}", Syntax, -1},
		{"a byte order mark", Key, "\ufeff" + document(`{}`), Syntax, -1},
		{"unknown element", Key, `{"Statements":[]}`, Syntax, -1},
		{"element in lower case", Key, `{"statement":[]}`, Syntax, -1},
		{"no Statement", Key, `{"Version":"2012-10-17"}`, Syntax, -1},
		{"Statement null", Key, `{"Statement":null}`, Syntax, -1},
		{"Statement a string", Key, `{"Statement":"x"}`, Syntax, -1},
		{"no statements", Key, `{"Statement":[]}`, Syntax, -1},
		{"Statement twice", Key, `{"Statement":[],"Statement":[]}`, Syntax, -1},
		{"Statement twice, one escaped", Key, `{"Statement":[],"\u0053tatement":[]}`, Syntax, -1},
		{"Id a number", Key, `{"Id":1,"Statement":[]}`, Syntax, -1},
		{"Id null", Key, `{"Id":null,"Statement":[]}`, Syntax, -1},
		{"Version unknown", Key, `{"Version":"2012-10-18","Statement":[]}`, InvalidVersion, -1},
		{"Version of the future", Identity, `{"Version":"2026-01-01","Statement":[]}`, InvalidVersion, -1},
		{"Version empty", Key, `{"Version":"","Statement":[]}`, InvalidVersion, -1},
		{"Version a number", Key, `{"Version":20121017,"Statement":[]}`, InvalidVersion, -1},
		{"Version null", Key, `{"Version":null,"Statement":[]}`, InvalidVersion, -1},
		{"nested too deeply", Key, `{"Statement":` + strings.Repeat(`[`, 8) + strings.Repeat(`]`, 8) + `}`, Syntax, -1},
		{"nested absurdly", Key, strings.Repeat(`[`, 100_000), Syntax, -1},
		{"more than a mebibyte", Key, strings.Repeat(` `, MaxBytes+1), TooLarge, -1},
		{"more question marks than can be matched", Identity, document(conditional(Allow, "StringLike", "aws:userid", `"*`+strings.Repeat("?a", maxWildcards+1)+`"`)), TooLarge, 0},
		{"variables beside question marks", Identity, document(conditional(Allow, "StringLike", "aws:userid", `"*?`+strings.Repeat("${aws:userid}", maxWildcards)+`"`)), TooLarge, 0},
		{"more question marks in all", Key, document(`{"Effect":"Deny","Principal":"*","Resource":"`+strings.Repeat("?", maxWildcards)+`"}`, `{"Effect":"Deny","Principal":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::1:role/?"}}}`), TooLarge, 1},
		{"more statements than counted", Key, document(strings.Repeat(`{},`, 1<<15) + `{}`), TooLarge, -1},

		// The statement.
		{"a string", Key, document(`"x"`), Syntax, 0},
		{"an array", Key, document(`[]`), Syntax, 0},
		{"null", Key, document(`null`), Syntax, 0},
		{"the second of two", Key, document(`{`+permit+`,`+who+`}`, `1`), Syntax, 1},
		{"unknown element", Key, st(permit, who, what, which, `"Conditions":{}`), Syntax, 0},
		{"element in upper case", Key, st(permit, who, what, which, `"SID":"x"`), Syntax, 0},
		{"element twice", Key, st(permit, who, what, which, what), Syntax, -1},
		{"Sid a number", Key, st(`"Sid":1`, permit, who, what, which), Syntax, 0},
		{"Sid null", Key, st(`"Sid":null`, permit, who, what, which), Syntax, 0},
		{"Sid with a blank", Identity, st(`"Sid":"a b"`, permit, what, which), InvalidSid, 0},
		{"Sid with a hyphen", ServiceControl, st(`"Sid":"a-b"`, permit, what, which), InvalidSid, 0},
		{"Sid with an umlaut", Trust, st(`"Sid":"ä"`, permit, who, `"Action":"sts:AssumeRole"`), InvalidSid, 0},
		{"Sid with a dot", ResourceControl, st(`"Sid":"a.b"`, forbid, who, what, which), InvalidSid, 0},
		{"Sid twice", Identity, document(`{"Sid":"a",`+permit+`,`+what+`,`+which+`}`, `{"Sid":"a",`+permit+`,`+what+`,`+which+`}`), DuplicateSid, 1},
		{"no Effect", Key, st(who, what, which), InvalidEffect, 0},
		{"Effect in lower case", Key, st(`"Effect":"allow"`, who, what, which), InvalidEffect, 0},
		{"Effect in upper case", Key, st(`"Effect":"DENY"`, who, what, which), InvalidEffect, 0},
		{"Effect empty", Key, st(`"Effect":""`, who, what, which), InvalidEffect, 0},
		{"Effect a list", Key, st(`"Effect":["Allow"]`, who, what, which), InvalidEffect, 0},
		{"Effect true", Key, st(`"Effect":true`, who, what, which), InvalidEffect, 0},

		// Principals.
		{"none", Key, st(permit, what, which), MissingPrincipal, 0},
		{"none", Trust, st(permit, `"Action":"sts:AssumeRole"`), MissingPrincipal, 0},
		{"none", Endpoint, st(permit, what, which), MissingPrincipal, 0},
		{"none", ResourceControl, st(forbid, what, which), MissingPrincipal, 0},
		{"one", Identity, st(permit, who, what, which), UnexpectedPrincipal, 0},
		{"one", ServiceControl, st(permit, who, what, which), UnexpectedPrincipal, 0},
		{"all but one", Identity, st(permit, `"NotPrincipal":"*"`, what, which), UnexpectedPrincipal, 0},
		{"both", Key, st(permit, who, `"NotPrincipal":"*"`, what, which), Syntax, 0},
		{"all but one", Trust, st(permit, `"NotPrincipal":{"AWS":"111122223333"}`, `"Action":"sts:AssumeRole"`), InvalidPrincipal, 0},
		{"all but one", ResourceControl, st(forbid, `"NotPrincipal":{"AWS":"111122223333"}`, what, which), InvalidPrincipal, 0},
		{"an account", ResourceControl, st(forbid, `"Principal":{"AWS":"111122223333"}`, what, which), InvalidPrincipal, 0},
		{"everyone and an account", ResourceControl, st(forbid, `"Principal":{"AWS":["*","111122223333"]}`, what, which), InvalidPrincipal, 0},

		// Actions.
		{"none", Identity, st(permit, which), MissingAction, 0},
		{"none", ServiceControl, st(permit, which), MissingAction, 0},
		{"none", Trust, st(permit, who), MissingAction, 0},
		{"none", Endpoint, st(permit, who, which), MissingAction, 0},
		{"empty list", Identity, st(permit, `"Action":[]`, which), MissingAction, 0},
		{"all but an empty list", Key, st(permit, who, `"NotAction":[]`, which), MissingAction, 0},
		{"both", Identity, st(permit, what, `"NotAction":"kms:*"`, which), Syntax, 0},
		{"all but one", ResourceControl, st(forbid, who, `"NotAction":"kms:*"`, which), InvalidAction, 0},
		{"an object", Identity, st(permit, `"Action":{}`, which), Syntax, 0},
		{"a list in a list", Identity, st(permit, `"Action":[["kms:*"]]`, which), Syntax, 0},
		{"of IAM", Trust, st(permit, who, `"Action":"iam:GetUser"`), InvalidAction, 0},
		{"all", Trust, st(permit, who, `"Action":"*"`), InvalidAction, 0},

		// Resources.
		{"none", Identity, st(permit, what), MissingResource, 0},
		{"none", ServiceControl, st(permit, what), MissingResource, 0},
		{"none", Endpoint, st(permit, who, what), MissingResource, 0},
		{"none", ResourceControl, st(forbid, who, what), MissingResource, 0},
		{"empty list", Identity, st(permit, what, `"Resource":[]`), MissingResource, 0},
		{"all but an empty list", Key, st(permit, who, what, `"NotResource":[]`), MissingResource, 0},
		{"both", Identity, st(permit, what, which, `"NotResource":"*"`), Syntax, 0},
		{"one", Trust, st(permit, who, `"Action":"sts:AssumeRole"`, which), UnexpectedResource, 0},
		{"all but one", Trust, st(permit, who, `"Action":"sts:AssumeRole"`, `"NotResource":"*"`), UnexpectedResource, 0},
		{"a number", Identity, st(permit, what, `"Resource":1`), Syntax, 0},
		{"null in a list", Identity, st(permit, what, `"Resource":[null]`), Syntax, 0},

		// What resource control policies may say.
		{"Allow", ResourceControl, st(permit, who, what, which), InvalidEffect, 0},
		{"Allow, all actions on one key", ResourceControl, st(permit, who, `"Action":"*"`, `"Resource":"arn:aws:kms:*"`), InvalidEffect, 0},
		{"Allow, all with a condition", ResourceControl, st(permit, who, `"Action":"*"`, which, `"Condition":{"Bool":{"aws:SecureTransport":true}}`), InvalidEffect, 0},
	}
	for _, p := range []string{
		`"alice"`, `""`, `"arn:aws:iam::111122223333:root"`, `{}`, `{"AWS":[]}`, `{"AWS":""}`, `{"aws":"*"}`, `{"User":"*"}`,
		`{"AWS":"11112222333"}`, `{"AWS":"1111222233334"}`, `{"AWS":"alice"}`, `{"AWS":"**"}`, `{"AWS":"arn:aws:iam::111122223333:*"}`,
		`{"AWS":"arn:aws:iam::111122223333:user/*"}`, `{"AWS":"arn:aws:iam::111122223333:user/a?"}`, `{"AWS":"arn:aws:iam::*:root"}`,
		`{"AWS":"arn:aws:iam::111122223333:user/"}`, `{"AWS":"arn:aws:iam::111122223333:user"}`, `{"AWS":"arn:aws:iam::111122223333:user//a"}`,
		`{"AWS":"arn:aws:iam::111122223333:group/admins"}`, `{"AWS":"arn:aws:iam::111122223333:policy/p"}`, `{"AWS":"arn:aws:iam::111122223333:Root"}`,
		`{"AWS":"arn:aws:iam:us-east-1:111122223333:root"}`, `{"AWS":"arn:gcp:iam::111122223333:root"}`, `{"AWS":"arn:aws-:iam::111122223333:root"}`,
		`{"AWS":"arn:aws:sts::111122223333:assumed-role/app"}`, `{"AWS":"arn:aws:sts::111122223333:assumed-role/app/*"}`,
		`{"AWS":"arn:aws:sts::111122223333:assumed-role/a/b/c"}`, `{"AWS":"arn:aws:sts::111122223333:federated-user/a/b"}`,
		`{"AWS":"arn:aws:sts::111122223333:user/alice"}`, `{"AWS":"arn:aws:s3:::bucket"}`, `{"AWS":"arn:aws:kms:us-east-1:111122223333:user/alice"}`, `{"AWS":"arn:aws:iam::111122223333:user/al ice"}`,
		`{"AWS":"AIDASHORT"}`, `{"AWS":"AIDAaliceALICEALICE1"}`, `{"AWS":"AKIAALICEALICEALICE1"}`, `{"AWS":"${aws:PrincipalArn}"}`,
		`{"Service":"*"}`, `{"Service":"s3"}`, `{"Service":"*.amazonaws.com"}`, `{"Service":""}`, `{"Federated":"*"}`, `{"Federated":""}`,
		`{"Federated":"arn:aws:iam::111122223333:user/alice"}`, `{"Federated":"arn:aws:iam::111122223333:oidc-provider/*"}`,
		`{"CanonicalUser":"*"}`, `{"CanonicalUser":""}`,
	} {
		all = append(all, refusal{"principal " + p, Key, st(permit, `"Principal":`+p, what, which), InvalidPrincipal, 0})
	}
	for _, p := range []string{`null`, `1`, `true`, `["*"]`, `{"AWS":1}`, `{"AWS":{}}`, `{"AWS":[1]}`, `{"AWS":null}`} {
		all = append(all, refusal{"principal " + p, Endpoint, st(permit, `"NotPrincipal":`+p, what, which), Syntax, 0})
	}
	for _, a := range []string{
		``, `kms`, `Decrypt`, `:Decrypt`, `kms:`, `kms:Decrypt:x`, `kms: Decrypt`, ` kms:Decrypt`, `kms:Décrypt`, `k*:Decrypt`, `*:Decrypt`,
		`kms?:Decrypt`, `kms/Decrypt`, `kms:Decrypt,kms:Encrypt`, `**`, `${aws:username}`, `kms:${aws:username}`,
	} {
		for _, kind := range []Kind{Identity, Key, ServiceControl, Endpoint} {
			parts := []string{permit, `"NotAction":["kms:*","` + a + `"]`, which}
			if kind == Key || kind == Endpoint {
				parts = append(parts, who)
			}
			all = append(all, refusal{"action " + a, kind, st(parts...), InvalidAction, 0})
		}
	}
	for _, r := range []string{
		``, `key`, `**`, `*:key`, `alias/app`, `ARN:aws:kms:us-east-1:111122223333:key/x`, ` *`, `arn:aws:iam::${aws:PrincipalAccount}:user/x`,
		`arn:aws:iam::1:user/${aws:username`, `arn:aws:iam::1:user/${}`, `arn:aws:iam::1:user/${ }`, `arn:aws:iam::1:user/${a:b, c}`,
		`arn:aws:iam::1:user/${a:b, 'c}`, `arn:aws:iam::1:user/${a:b, 'c' d}`, `arn:aws:iam::1:user/${a:b,}`,
	} {
		all = append(all, refusal{"resource " + r, Identity, st(permit, what, `"Resource":"`+r+`"`), InvalidResource, 0})
	}
	return append(all, conditionRefusals()...)
}

func conditionRefusals() []refusal {
	var all []refusal
	add := func(reason Reason, conditions ...string) {
		for _, c := range conditions {
			all = append(all, refusal{"condition " + c, Key, st(permit, who, what, which, `"Condition":`+c), reason, 0})
		}
	}
	add(Syntax, `null`, `"x"`, `[]`, `{"StringEquals":"x"}`, `{"StringEquals":[]}`, `{"StringEquals":{"aws:userid":null}}`,
		`{"StringEquals":{"aws:userid":{}}}`, `{"StringEquals":{"aws:userid":[[]]}}`, `{"StringEquals":{"aws:userid":["a",{}]}}`)
	add(UnknownOperator, `{"":{}}`, `{"Equals":{}}`, `{"StringEqual":{}}`, `{"StringMatches":{}}`, `{"StringEqualsIf":{}}`, `{"IfExists":{}}`,
		`{"NullIfExists":{}}`, `{"ForAllValues:Null":{}}`, `{"ForAnyValue:NullIfExists":{}}`, `{"ForAllValues":{}}`, `{"ForAllValues:":{}}`,
		`{"ForSomeValues:StringEquals":{}}`, `{"ForAllValues:ForAnyValue:StringEquals":{}}`, `{"StringEqualsIfExistsIfExists":{}}`,
		`{"BinaryNotEquals":{}}`, `{"NotBool":{}}`, `{"ArnEqualsIgnoreCase":{}}`, `{"NumericLike":{}}`, `{" StringEquals":{}}`)
	add(InvalidConditionKey, `{"StringEquals":{"":"x"}}`, `{"StringEquals":{"userid":"x"}}`, `{"StringEquals":{":userid":"x"}}`,
		`{"StringEquals":{"aws:":"x"}}`)
	add(InvalidConditionValue, `{"StringEquals":{"aws:userid":[]}}`, `{"StringEquals":{"aws:userid":"${"}}`,
		`{"StringLike":{"aws:userid":"${a:b, \"c\"}"}}`, `{"ArnLike":{"aws:userid":"arn:aws:iam::${x:root"}}`, `{"ArnLike":{"aws:userid":"${"}}`, `{"ArnLike":{"aws:userid":"arn:aws:iam::1:user/${"}}`,
		`{"Null":{"aws:userid":"maybe"}}`, `{"Null":{"aws:userid":1}}`, `{"Null":{"aws:userid":["true",""]}}`,
		`{"Bool":{"aws:SecureTransport":"yes"}}`, `{"Bool":{"aws:SecureTransport":1}}`, `{"Bool":{"aws:SecureTransport":"${aws:x}"}}`,
		`{"NumericEquals":{"aws:x":"ten"}}`, `{"NumericEquals":{"aws:x":"1e3"}}`, `{"NumericEquals":{"aws:x":1e3}}`, `{"NumericEquals":{"aws:x":true}}`,
		`{"NumericEquals":{"aws:x":""}}`, `{"NumericEquals":{"aws:x":"0x10"}}`, `{"NumericEquals":{"aws:x":"1,5"}}`, `{"NumericLessThan":{"aws:x":[1,"Infinity"]}}`,
		`{"DateEquals":{"aws:x":"yesterday"}}`, `{"DateEquals":{"aws:x":"2026-1-1"}}`, `{"DateEquals":{"aws:x":"2026-01-01T00:00:00"}}`,
		`{"DateEquals":{"aws:x":"2026-01-01 00:00:00Z"}}`, `{"DateEquals":{"aws:x":"2026-02-30"}}`, `{"DateLessThan":{"aws:x":"2026-01-01T25:00:00Z"}}`,
		`{"DateLessThan":{"aws:x":"01/02/2026"}}`, `{"BinaryEquals":{"aws:x":"a"}}`, `{"BinaryEquals":{"aws:x":"a2V5!"}}`, `{"BinaryEquals":{"aws:x":"YQ"}}`,
		`{"BinaryEquals":{"aws:x":"YR=="}}`, `{"IpAddress":{"aws:SourceIp":"10.0.0"}}`, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}`,
		`{"IpAddress":{"aws:SourceIp":"10.0.0.256"}}`, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/"}}`, `{"IpAddress":{"aws:SourceIp":"*"}}`,
		`{"NotIpAddress":{"aws:SourceIp":"2001:db8::/129"}}`, `{"NotIpAddress":{"aws:SourceIp":"fe80::1%eth0"}}`, `{"IpAddress":{"aws:SourceIp":"localhost"}}`)
	add(OverlyPermissive, `{"ForAllValues:StringEquals":{"kms:EncryptionContext:tenant":"x"}}`, `{"forallvalues:StringLike":{"KMS:encryptioncontext:a":"x"}}`,
		`{"ForAllValues:StringEqualsIfExists":{"aws:RequestTag/team":"x"}}`, `{"ForAllValues:StringNotEquals":{"aws:requesttag/a/b":"x"}}`)
	return all
}

func TestMalformedDocumentsAreRefused(t *testing.T) {
	refused := map[Reason]int{}
	for _, tc := range refusals() {
		p, err := Parse(tc.kind, tc.text)
		var m *Malformed
		if p != nil || !errors.As(err, &m) {
			t.Errorf("%s: Parse(%d, %.200s) gives %v, want %v", tc.rule, tc.kind, tc.text, err, tc.reason)
			continue
		}
		if m.Reason != tc.reason || m.Statement != tc.statement || m.Detail == "" {
			t.Errorf("%s: %.200s is refused for %v in statement %d, want %v in %d: %v", tc.rule, tc.text, m.Reason, m.Statement, tc.reason, tc.statement, m)
		}
		if !strings.HasPrefix(m.Error(), "malformed policy: ") {
			t.Errorf("%s: the error is %q", tc.rule, m.Error())
		}
		refused[m.Reason]++
	}
	if n := len(refusals()); n < 250 {
		t.Errorf("only %d documents were refused", n)
	}
	for r := range Reason(reasons) {
		if refused[r] == 0 {
			t.Errorf("nothing was refused for %v", r)
		}
	}
	if got := Reason(reasons).String(); got != "Reason(18)" {
		t.Errorf("a reason that does not exist is called %q", got)
	}
}

func TestDocumentsAreAccepted(t *testing.T) {
	for _, tc := range []struct {
		rule string
		kind Kind
		text string
	}{
		{"one statement without a list", Key, `{"Statement":{` + permit + `,` + who + `,` + what + `,` + which + `}}`},
		{"older version, Id, blanks", Key, " {\n\"Version\" : \"2008-10-17\" , \"Id\" : \"any text\", \"Statement\":[{" + permit + `,` + who + "}]}\t\r\n"},
		{"escapes in names", Identity, `{"\u0053tatement":{` + permit + `,` + what + `,` + which + `}}`},
		{"Sid of letters and digits", Identity, st(`"Sid":"Abc123"`, permit, what, which)},
		{"Sid empty, twice", Identity, document(`{"Sid":"",`+permit+`,`+what+`,`+which+`}`, `{"Sid":"",`+permit+`,`+what+`,`+which+`}`)},
		{"Sid in free text, twice", Key, document(`{"Sid":"Enable IAM – all",`+permit+`,`+who+`}`, `{"Sid":"Enable IAM – all",`+permit+`,`+who+`}`)},
		{"Sid in free text", Endpoint, st(`"Sid":"a b"`, permit, who, what, which)},
		{"no Action", Key, st(permit, who, which)},
		{"no Resource", Key, st(permit, who, what)},
		{"empty lists", Key, st(permit, who, `"Action":[]`, `"Resource":[]`)},
		{"any Resource", Key, st(permit, who, what, `"Resource":["this","arn:aws:kms:${x}:1:key/*",""]`)},
		{"many question marks", Key, st(permit, who, what, `"Resource":"`+strings.Repeat("?", maxWildcards)+`"`, `"Condition":{"StringEquals":{"aws:userid":"????"}}`)},
		{"all actions of all services", Identity, st(permit, `"Action":["*","*:*","kms:*","KMS:decr?pt","aws-portal:View*"]`, which)},
		{"all but some", Identity, st(permit, `"NotAction":["iam:*"]`, `"NotResource":["arn:aws:kms:*"]`)},
		{"SCP", ServiceControl, st(forbid, `"NotAction":"kms:*"`, which, `"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/admin"}}`)},
		{"RCP that allows everything", ResourceControl, st(permit, who, `"Action":"*"`, which)},
		{"RCP that denies", ResourceControl, st(forbid, `"Principal":{"AWS":"*"}`, what, `"NotResource":"arn:aws:kms:us-east-1:1:key/x"`)},
		{"trust", Trust, st(permit, `"Principal":{"AWS":"111122223333","Federated":"arn:aws:iam::111122223333:oidc-provider/token.example.com/a","Service":["ec2.amazonaws.com"]}`, `"Action":["sts:AssumeRole","STS:Tag*"]`)},
		{"endpoint", Endpoint, st(permit, who, `"Action":"*"`, which)},
		{"conditions without keys", Key, st(permit, who, what, which, `"Condition":{"StringEquals":{}}`)},
		{"no conditions", Key, st(permit, who, what, which, `"Condition":{}`)},
		{"ForAllValues where it is harmless", Key, st(permit, who, what, which, `"Condition":{"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":"x"}}`)},
		{"ForAllValues outside key policies", Identity, st(permit, what, which, `"Condition":{"ForAllValues:StringEquals":{"aws:RequestTag/x":"x"}}`)},
		{"principals", Key, st(permit, `"Principal":{"AWS":["*","111122223333","arn:aws-cn:iam::111122223333:root","arn:aws:iam::111122223333:user/a/b/c+=,.@_-1",
			"arn:aws:iam::111122223333:role/aws-service-role/s3.amazonaws.com/x","arn:aws:sts::111122223333:assumed-role/app/web@x","arn:aws:sts::111122223333:federated-user/bob",
			"AROAAPPAPPAPPAPPAPP1"],"Service":"s3.amazonaws.com","Federated":["accounts.google.com","arn:aws:iam::111122223333:saml-provider/idp"],"CanonicalUser":"79a5"}`, what, which)},
	} {
		p, err := Parse(tc.kind, tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.rule, err)
			continue
		}
		if p.Text() != tc.text || p.Kind() != tc.kind || p.Len() == 0 {
			t.Errorf("%s: the document is not what it was", tc.rule)
		}
	}
}

func TestStatementsKeepTheirText(t *testing.T) {
	a, b := `{ "Sid": "a: [{,}] \" b", "Effect" :"Allow", "Principal": "*" }`, `{"Effect":"Deny","Principal":{"AWS":["*" ]}}`
	p := mustParse(t, Key, "{\"Statement\": [\n\t"+a+" ,\n\t"+b+"\n]}")
	if p.Statement(0) != a || p.Statement(1) != b || p.Sid(0) != `a: [{,}] " b` || p.Sid(1) != "" {
		t.Errorf("statements are %q (%q) and %q (%q)", p.Statement(0), p.Sid(0), p.Statement(1), p.Sid(1))
	}
	p = mustParse(t, Key, `{"Statement":`+b+`}`)
	if p.Statement(0) != b {
		t.Errorf("the statement is %q", p.Statement(0))
	}
}
