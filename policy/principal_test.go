package policy

import "testing"

// Who is meant by a Principal element, and how directly: authorization.md §3 and §8.4.
func TestPrincipalNamesCaller(t *testing.T) {
	stranger := &Principal{Account: other, ARN: "arn:aws:iam::444455556666:user/alice", ID: "AIDASTRANGERSTRANGER"}
	for _, tc := range []struct {
		rule      string
		principal string
		caller    *Principal
		want      Match
	}{
		{"everyone", `"*"`, alice(), ByEveryone},
		{"everyone, long form", `{"AWS":"*"}`, alice(), ByEveryone},
		{"everyone, in a list", `{"AWS":["*"]}`, alice(), ByEveryone},
		{"everyone includes other accounts", `"*"`, stranger, ByEveryone},
		{"everyone includes services", `"*"`, service(), ByEveryone},
		{"everyone includes nobody in particular", `"*"`, nil, ByEveryone},
		{"account id", `{"AWS":"111122223333"}`, alice(), ByAccount},
		{"account ARN", `{"AWS":"arn:aws:iam::111122223333:root"}`, alice(), ByAccount},
		{"account ARN of another partition", `{"AWS":"arn:aws-us-gov:iam::111122223333:root"}`, alice(), ByAccount},
		{"account ARN, root user", `{"AWS":"arn:aws:iam::111122223333:root"}`, root(), ByAccount},
		{"account ARN, session", `{"AWS":"arn:aws:iam::111122223333:root"}`, session(), ByAccount},
		{"account ARN, federated user", `{"AWS":"arn:aws:iam::111122223333:root"}`, federated(), ByAccount},
		{"account id, stranger", `{"AWS":"111122223333"}`, stranger, None},
		{"account id, service", `{"AWS":"111122223333"}`, service(), None},
		{"account id, nobody in particular", `{"AWS":"111122223333"}`, nil, None},
		{"user", `{"AWS":"arn:aws:iam::111122223333:user/alice"}`, alice(), ByCaller},
		{"user by unique id", `{"AWS":"AIDAALICEALICEALICE1"}`, alice(), ByCaller},
		{"user of the same name elsewhere", `{"AWS":"arn:aws:iam::111122223333:user/alice"}`, stranger, None},
		{"user, other case", `{"AWS":"arn:aws:iam::111122223333:user/Alice"}`, alice(), None},
		{"user in a path", `{"AWS":"arn:aws:iam::111122223333:user/x/alice"}`, alice(), None},
		{"user among others", `{"AWS":["444455556666","arn:aws:iam::111122223333:user/alice"]}`, alice(), ByCaller},
		{"user and its account: the more direct counts", `{"AWS":["111122223333","arn:aws:iam::111122223333:user/alice"]}`, alice(), ByCaller},
		{"user and everyone: the more direct counts", `{"AWS":["*","arn:aws:iam::111122223333:user/alice"]}`, alice(), ByCaller},
		{"role and everyone: everyone, which no boundary limits", `{"AWS":["*","arn:aws:iam::111122223333:role/team/app"]}`, session(), ByEveryone},
		{"federated user's user and everyone: everyone", `{"AWS":["AIDAALICEALICEALICE1","*"]}`, federated(), ByEveryone},
		{"session and everyone: the more direct counts", `{"AWS":["*","arn:aws:sts::111122223333:assumed-role/app/web-1"]}`, session(), ByCaller},
		{"account and everyone: everyone is more direct", `{"AWS":["111122223333","*"]}`, alice(), ByEveryone},
		{"role, its session", `{"AWS":"arn:aws:iam::111122223333:role/team/app"}`, session(), ByRole},
		{"role by unique id", `{"AWS":"AROAAPPAPPAPPAPPAPP1"}`, session(), ByRole},
		{"role without its path", `{"AWS":"arn:aws:iam::111122223333:role/app"}`, session(), None},
		{"session", `{"AWS":"arn:aws:sts::111122223333:assumed-role/app/web-1"}`, session(), ByCaller},
		{"session and role: the more direct counts", `{"AWS":["arn:aws:iam::111122223333:role/team/app","arn:aws:sts::111122223333:assumed-role/app/web-1"]}`, session(), ByCaller},
		{"another session of the role", `{"AWS":"arn:aws:sts::111122223333:assumed-role/app/web-2"}`, session(), None},
		{"federated user", `{"AWS":"arn:aws:sts::111122223333:federated-user/bob"}`, federated(), ByCaller},
		{"user on whose behalf a federated user acts", `{"AWS":"arn:aws:iam::111122223333:user/alice"}`, federated(), ByUser},
		{"the same by unique id", `{"AWS":"AIDAALICEALICEALICE1"}`, federated(), ByUser},
		{"service", `{"Service":"s3.amazonaws.com"}`, service(), ByCaller},
		{"another service", `{"Service":"ec2.amazonaws.com"}`, service(), None},
		{"service, a user asks", `{"Service":"s3.amazonaws.com"}`, alice(), None},
		{"identity provider", `{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.example.com"}`, web(), ByCaller},
		{"another identity provider", `{"Federated":"accounts.google.com"}`, web(), None},
		{"canonical user matches nobody", `{"CanonicalUser":"79a59df900b949e55d96a1e698fbaced"}`, alice(), None},
		{"several members", `{"Service":"s3.amazonaws.com","AWS":"444455556666"}`, service(), ByCaller},
		{"a unique id that is gone", `{"AWS":"AIDADELETEDDELETED12"}`, alice(), None},
	} {
		p := mustParse(t, Key, document(`{"Effect":"Allow","Principal":`+tc.principal+`,"Action":"*","Resource":"*"}`))
		r := &Request{Action: "kms:Decrypt", Resource: key, Principal: tc.caller}
		result := p.Evaluate(r)
		if _, got, _ := result.Allowed(); got != tc.want {
			t.Errorf("%s: %s names the caller by %d, want %d", tc.rule, tc.principal, got, tc.want)
		}
		if got := p.Trace(r)[0].Principal; got != tc.want {
			t.Errorf("%s: the trace says %d, want %d", tc.rule, got, tc.want)
		}
	}
}

// NotPrincipal: one name suffices to be left out of an Allow; of a Deny only all of a caller's names together.
func TestNotPrincipal(t *testing.T) {
	const (
		account = `"arn:aws:iam::111122223333:root"`
		user    = `"arn:aws:iam::111122223333:user/alice"`
		role    = `"arn:aws:iam::111122223333:role/team/app"`
		sess    = `"arn:aws:sts::111122223333:assumed-role/app/web-1"`
		fed     = `"arn:aws:sts::111122223333:federated-user/bob"`
	)
	bounded := alice()
	bounded.Bounded = true
	for _, tc := range []struct {
		rule          string
		listed        string
		caller        *Principal
		allows, denys bool // whether a statement of that effect applies
	}{
		{"nobody of the caller", `{"AWS":"444455556666"}`, alice(), true, true},
		{"user alone", `{"AWS":` + user + `}`, alice(), false, true},
		{"account alone", `{"AWS":` + account + `}`, alice(), false, true},
		{"account and user", `{"AWS":[` + account + `,` + user + `]}`, alice(), false, false},
		{"account id and unique id", `{"AWS":["111122223333","AIDAALICEALICEALICE1"]}`, alice(), false, false},
		{"role alone", `{"AWS":` + role + `}`, session(), false, true},
		{"account and role", `{"AWS":[` + account + `,` + role + `]}`, session(), false, true},
		{"account and session", `{"AWS":[` + account + `,` + sess + `]}`, session(), false, true},
		{"role and session", `{"AWS":[` + role + `,` + sess + `]}`, session(), false, true},
		{"account, role and session", `{"AWS":[` + account + `,` + role + `,` + sess + `]}`, session(), false, false},
		{"account and federated user", `{"AWS":[` + account + `,` + fed + `]}`, federated(), false, false},
		{"account and the federated user's user", `{"AWS":[` + account + `,` + user + `]}`, federated(), false, true},
		{"account, root user asks", `{"AWS":` + account + `}`, root(), false, false},
		{"who has a permissions boundary is always denied", `{"AWS":[` + account + `,` + user + `]}`, bounded, false, true},
		{"who has a permissions boundary, and everyone is listed", `"*"`, bounded, false, true},
		{"service", `{"Service":"s3.amazonaws.com"}`, service(), false, false},
		{"another service", `{"Service":"ec2.amazonaws.com"}`, service(), true, true},
		{"identity provider", `{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.example.com"}`, web(), false, false},
		{"everyone", `"*"`, alice(), false, false},
		{"nobody in particular asks", `{"AWS":` + account + `}`, nil, true, true},
	} {
		for effect, want := range map[Effect]bool{Allow: tc.allows, Deny: tc.denys} {
			p := mustParse(t, Key, document(`{"Effect":"`+string(effect)+`","NotPrincipal":`+tc.listed+`,"Action":"*","Resource":"*"}`))
			result := p.Evaluate(&Request{Action: "kms:Decrypt", Resource: key, Principal: tc.caller})
			_, by, got := result.Allowed()
			if effect == Deny {
				_, got = result.Denied()
			} else if got && by != ByEveryone {
				t.Errorf("%s: NotPrincipal names the caller by %d", tc.rule, by)
			}
			if got != want {
				t.Errorf("%s: %s applies: %v, want %v", tc.rule, effect, got, want)
			}
		}
	}
}

func TestPrincipalsAreListed(t *testing.T) {
	p := mustParse(t, Key, document(
		`{"Effect":"Allow","Principal":"*"}`,
		`{"Effect":"Deny","NotPrincipal":{"AWS":["111122223333","AIDAALICEALICEALICE1"],"Service":"s3.amazonaws.com"}}`))
	var got string
	p.Principals(func(kind, name string) { got += kind + "=" + name + " " })
	if want := "AWS=* AWS=111122223333 AWS=AIDAALICEALICEALICE1 Service=s3.amazonaws.com "; got != want {
		t.Errorf("principals are %s, want %s", got, want)
	}
	mustParse(t, Identity, document(`{"Effect":"Allow","Action":"*","Resource":"*"}`)).Principals(func(string, string) {
		t.Error("a document without principals has one")
	})
}
