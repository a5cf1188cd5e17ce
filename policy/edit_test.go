package policy

import (
	"strings"
	"testing"
)

func TestRewritePrincipals(t *testing.T) {
	const text = `{ "Statement": [
  {"Sid":"arn:aws:iam::111122223333:user/alice", "Effect":"Allow",
   "Principal": {"AWS": [ "arn:aws:iam::111122223333:user\/alice" , "111122223333"], "Service":"arn:aws:iam::111122223333:user/alice"},
   "Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/alice"}}},
  {"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/alice"}},
  {"Effect":"Deny","Principal":"*"}]}`
	const want = `{ "Statement": [
  {"Sid":"arn:aws:iam::111122223333:user/alice", "Effect":"Allow",
   "Principal": {"AWS": [ "AIDAALICEALICEALICE1" , "111122223333"], "Service":"arn:aws:iam::111122223333:user/alice"},
   "Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/alice"}}},
  {"Effect":"Deny","NotPrincipal":{"AWS":"AIDAALICEALICEALICE1"}},
  {"Effect":"Deny","Principal":"*"}]}`
	got, err := RewritePrincipals(text, func(kind, name string) string {
		if kind == "AWS" && name == alice().ARN {
			return alice().ID
		}
		return name
	})
	if err != nil || got != want {
		t.Errorf("rewritten to %s (%v), want %s", got, err, want)
	}
	same, err := RewritePrincipals(text, func(_, name string) string { return name })
	if err != nil || same != text {
		t.Errorf("rewritten to %s (%v) for nothing", same, err)
	}
	quoted, err := RewritePrincipals(`{"Statement":{"Principal":{"AWS":["a",1]}}}`, func(_, name string) string { return name + `"\` })
	if want := `{"Statement":{"Principal":{"AWS":["a\"\\",1]}}}`; err != nil || quoted != want {
		t.Errorf("rewritten to %s (%v), want %s", quoted, err, want)
	}
	for _, bad := range []string{``, `{}`, `{"Statement":[]}`, `[]`, `{"Statement":1}`} {
		if got, err := RewritePrincipals(bad, func(_, name string) string { return name }); err == nil || got != "" {
			t.Errorf("%q is rewritten to %q", bad, got)
		}
	}
}

func TestAppendStatement(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{`{"Statement":[{"a":1}]}`, `{"Statement":[{"a":1},{"b":2}]}`},
		{`{"Statement":{"a":1},"Id":"x"}`, `{"Statement":[{"a":1}, {"b":2}],"Id":"x"}`},
		{"{\n \"Statement\": [\n  {\"a\":1}\n ]\n}\n", "{\n \"Statement\": [\n  {\"a\":1},\n  {\"b\":2}\n ]\n}\n"},
		{"{\"Statement\":[{\"a\":1},\n{\"c\":[]} ]}", "{\"Statement\":[{\"a\":1},\n{\"c\":[]},\n{\"b\":2} ]}"},
	} {
		got, err := AppendStatement(tc.text, ` {"b":2} `)
		if err != nil || got != tc.want {
			t.Errorf("%s becomes %s (%v), want %s", tc.text, got, err, tc.want)
		}
	}
	for _, tc := range [][2]string{{``, `{}`}, {`{}`, `{}`}, {`{"Statement":[]}`, `{}`}, {`{"Statement":{}}`, ``}, {`{"Statement":{}}`, `[]`}, {`{"Statement":{}}`, `{},{}`}} {
		if got, err := AppendStatement(tc[0], tc[1]); err == nil {
			t.Errorf("%q and %q become %q", tc[0], tc[1], got)
		}
	}
}

// The suggested change is the smallest: the principal is spared, everybody else is not, and the rest is as it was.
func TestExemptPrincipal(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/team/app"
	for _, tc := range []struct{ rule, statement, added string }{
		{"no condition", `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}`,
			`,"Condition": {"ArnNotEquals": {"aws:PrincipalArn": "ARN"}}`},
		{"on lines", "{\n  \"Effect\":\"Deny\",\n  \"Principal\":\"*\",\n  \"Action\":\"*\",\n  \"Resource\":\"*\"\n}",
			",\n  \"Condition\": {\"ArnNotEquals\": {\"aws:PrincipalArn\": \"ARN\"}}"},
		{"another operator", `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`,
			`,"ArnNotEquals": {"aws:PrincipalArn": "ARN"}`},
		{"no operator", `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{ }}`,
			`"ArnNotEquals": {"aws:PrincipalArn": "ARN"}`},
		{"another key", `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnNotEquals":{"aws:SourceArn":"arn:aws:s3:::b"}}}`,
			`,"aws:PrincipalArn": "ARN"`},
		{"no key", `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnNotEquals":{}}}`,
			`"aws:PrincipalArn": "ARN"`},
		{"a value", `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"AWS:principalARN":"arn:aws:iam::1:role/x"}}}`,
			`[, "ARN"]`},
		{"values", `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnNotEquals":{"aws:PrincipalArn":["arn:aws:iam::1:role/x"]}}}`,
			`,"ARN"`},
		{"both operators", `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::1:role/x"},"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::1:role/y"}}}`,
			`[, "ARN"]`},
	} {
		before := document(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`, tc.statement)
		after, err := ExemptPrincipal(before, 1, arn)
		if err != nil {
			t.Errorf("%s: %v", tc.rule, err)
			continue
		}
		if got, want := len(after)-len(before), len(strings.ReplaceAll(tc.added, "ARN", arn)); got != want {
			t.Errorf("%s: %d bytes are added, want %d: %s", tc.rule, got, want, after)
		}
		for name, want := range map[string]bool{arn: true, "arn:aws:iam::111122223333:role/other": false} {
			r := &Request{Action: "kms:Decrypt", Resource: key, Principal: alice(), Context: keys{
				"aws:principalarn": One(name), "aws:securetransport": One("false"), "aws:sourcearn": One("arn:aws:s3:::c"),
			}}
			if allowed(mustParse(t, Key, before), r) {
				t.Errorf("%s: %s was not denied", tc.rule, name)
			}
			if got := allowed(mustParse(t, Key, after), r); got != want {
				t.Errorf("%s: %s is allowed: %v, want %v by %s", tc.rule, name, got, want, after)
			}
		}
	}
	deny := document(`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}`)
	for _, tc := range []struct {
		text      string
		statement int
		arn       string
	}{
		{``, 0, arn}, {`{}`, 0, arn}, {deny, 1, arn}, {deny, -1, arn}, {deny, 0, "alice"}, {deny, 0, "arn:aws:iam::111122223333:role/*"}, {deny, 0, "*"},
		{document(`{"Effect":"Allow"}`), 0, arn}, {document(`{}`), 0, arn}, {document(`{"Effect":"Deny","Condition":[]}`), 0, arn},
		{document(`{"Effect":"Deny","Condition":{"ArnNotEquals":"x"}}`), 0, arn}, {document(`{"Effect":"Deny","Condition":{"ArnNotEquals":{"aws:PrincipalArn":[]}}}`), 0, arn},
	} {
		if got, err := ExemptPrincipal(tc.text, tc.statement, tc.arn); err == nil {
			t.Errorf("%s is exempted from statement %d of %s: %s", tc.arn, tc.statement, tc.text, got)
		}
	}
	if _, err := ExemptPrincipal(deny, 0, root().ARN); err != nil {
		t.Errorf("the root user is not exempted: %v", err)
	}
}
