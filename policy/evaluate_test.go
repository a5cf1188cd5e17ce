package policy

import "testing"

// What a statement is about: authorization.md §8.4.
func TestActionsAndResources(t *testing.T) {
	for _, tc := range []struct {
		rule, members, action, resource string
		want                            bool
	}{
		{"the action", `"Action":"kms:Decrypt","Resource":"*"`, "kms:Decrypt", key, true},
		{"case does not count", `"Action":"KMS:dECRYPT","Resource":"*"`, "kms:Decrypt", key, true},
		{"case does not count with wildcards", `"Action":"KMS:dEC*T","Resource":"*"`, "kms:Decrypt", key, true},
		{"another action", `"Action":"kms:Encrypt","Resource":"*"`, "kms:Decrypt", key, false},
		{"another service", `"Action":"kms:*","Resource":"*"`, "iam:GetUser", "*", false},
		{"one of a list", `"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"`, "kms:Decrypt", key, true},
		{"all actions", `"Action":"*","Resource":"*"`, "kms:Decrypt", key, true},
		{"all actions, long form", `"Action":"*:*","Resource":"*"`, "kms:Decrypt", key, true},
		{"prefix", `"Action":"kms:GenerateDataKey*","Resource":"*"`, "kms:GenerateDataKeyPair", key, true},
		{"prefix, not", `"Action":"kms:GenerateDataKey*","Resource":"*"`, "kms:GenerateMac", key, false},
		{"one character", `"Action":"kms:?ign","Resource":"*"`, "kms:Sign", key, true},
		{"all but one", `"NotAction":"kms:Decrypt","Resource":"*"`, "kms:Encrypt", key, true},
		{"all but one, the one", `"NotAction":["kms:D*"],"Resource":"*"`, "kms:Decrypt", key, false},
		{"the resource", `"Action":"*","Resource":"` + key + `"`, "kms:Decrypt", key, true},
		{"another resource", `"Action":"*","Resource":"` + key + `0"`, "kms:Decrypt", key, false},
		{"case counts", `"Action":"*","Resource":"arn:aws:KMS:*"`, "kms:Decrypt", key, false},
		{"a wildcard spans colons and slashes", `"Action":"*","Resource":"arn:aws:kms:*90ab"`, "kms:Decrypt", key, true},
		{"one of a list", `"Action":"*","Resource":["arn:aws:iam::1:user/a","arn:aws:kms:*:*:key/*"]`, "kms:Decrypt", key, true},
		{"nothing in particular", `"Action":"*","Resource":"*"`, "kms:ListKeys", "*", true},
		{"nothing in particular is no key", `"Action":"*","Resource":"arn:aws:kms:*"`, "kms:ListKeys", "*", false},
		{"all but a resource", `"Action":"*","NotResource":"arn:aws:kms:*"`, "kms:ListKeys", "*", true},
		{"all but the resource", `"Action":"*","NotResource":"arn:aws:kms:*"`, "kms:Decrypt", key, false},
		{"no action: no effect", `"Resource":"*"`, "kms:Decrypt", key, false},
		{"no resource: no effect", `"Action":"*"`, "kms:Decrypt", key, false},
		{"empty action: no effect", `"Action":[],"Resource":"*"`, "kms:Decrypt", key, false},
		{"empty resource: no effect", `"Action":"*","Resource":[]`, "kms:Decrypt", key, false},
		{"no action but a negated resource: no effect", `"NotResource":"arn:aws:iam:*"`, "kms:Decrypt", key, false},
		{"no resource but a negated action: no effect", `"NotAction":"iam:*"`, "kms:Decrypt", key, false},
	} {
		for _, effect := range []Effect{Allow, Deny} {
			p, err := Parse(Key, document(`{"Effect":"`+string(effect)+`","Principal":"*",`+tc.members+`}`))
			if err != nil {
				t.Errorf("%s: %v", tc.rule, err)
				continue
			}
			result := p.Evaluate(&Request{Action: tc.action, Resource: tc.resource})
			_, denied := result.Denied()
			_, _, got := result.Allowed()
			if effect == Deny {
				got, denied = denied, got
			}
			if got != tc.want || denied {
				t.Errorf("%s: %s of %s on %s by %s: %v, want %v", tc.rule, effect, tc.action, tc.resource, tc.members, got, tc.want)
			}
		}
	}
}

// A trust policy is about its role, whatever the request calls it.
func TestTrustPolicyIsAboutItsRole(t *testing.T) {
	p := mustParse(t, Trust, document(`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}`))
	if !allowed(p, &Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/team/app", Principal: alice()}) {
		t.Error("not trusted")
	}
	if allowed(p, &Request{Action: "sts:AssumeRoleWithWebIdentity", Resource: "*", Principal: alice()}) {
		t.Error("trusted for another action")
	}
}

// The answer names the first statement of each sort.
func TestResultNamesStatements(t *testing.T) {
	statement := func(effect, principal, action string) string {
		return `{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"` + action + `","Resource":"*"}`
	}
	p := mustParse(t, Key, document(
		statement("Deny", `"*"`, "kms:Sign"),
		statement("Allow", `{"AWS":"111122223333"}`, "kms:*"),
		statement("Allow", `{"AWS":"111122223333"}`, "kms:Decrypt"),
		statement("Allow", `"*"`, "kms:Decrypt"),
		statement("Allow", `{"AWS":"arn:aws:iam::111122223333:user/alice"}`, "kms:Decrypt"),
		statement("Deny", `{"AWS":"111122223333"}`, "kms:Decrypt"),
		statement("Deny", `"*"`, "kms:Decrypt"),
	))
	result := p.Evaluate(&Request{Action: "kms:Decrypt", Resource: key, Principal: alice()})
	if i, ok := result.Denied(); !ok || i != 5 {
		t.Errorf("denied by %d (%v), want 5", i, ok)
	}
	for m, want := range map[Match]int{None: -1, ByAccount: 1, ByEveryone: 3, ByUser: -1, ByRole: -1, ByCaller: 4} {
		if i, ok := result.AllowedBy(m); i != want || ok != (want >= 0) {
			t.Errorf("allowed by %d (%v) as %d, want %d", i, ok, m, want)
		}
	}
	if i, by, ok := result.Allowed(); i != 4 || by != ByCaller || !ok {
		t.Errorf("allowed by %d as %d, want 4 as %d", i, by, ByCaller)
	}
	result = p.Evaluate(&Request{Action: "kms:Decrypt", Resource: key, Principal: &Principal{Account: other}})
	if i, by, ok := result.Allowed(); i != 3 || by != ByEveryone || !ok {
		t.Errorf("allowed by %d as %d, want 3 as %d", i, by, ByEveryone)
	}
	if i, _ := result.Denied(); i != 6 {
		t.Errorf("denied by %d, want 6", i)
	}
	result = p.Evaluate(&Request{Action: "iam:GetUser", Resource: "*", Principal: alice()})
	if _, _, ok := result.Allowed(); ok {
		t.Error("allowed without a statement")
	}
	if i, ok := result.Denied(); ok || i != -1 {
		t.Error("denied without a statement")
	}
}

// Evaluating allocates nothing where no policy variable needs it, whatever the operators.
func TestEvaluateDoesNotAllocate(t *testing.T) {
	for _, s := range samples() {
		if s.differ == "ten" || s.differ == "yesterday" || s.differ == "kms.amazonaws.com" {
			s.differ = s.match // texts that are no values may make errors
		}
		p := mustParse(t, Identity, document(conditional(Allow, s.operator, "test:Key", s.policy), conditional(Deny, "ForAnyValue:"+s.operator, "test:Many", s.policy)))
		r := &Request{Action: "kms:Decrypt", Resource: key, Context: keys{"test:key": One(s.match), "test:many": Many([]string{s.differ, s.match})}}
		if n := testing.AllocsPerRun(100, func() { p.Evaluate(r) }); n != 0 {
			t.Errorf("%s allocates %v times", s.operator, n)
		}
	}
	p := mustParse(t, Key, fiveStatements)
	r := fiveRequest("kms:Decrypt")
	if n := testing.AllocsPerRun(100, func() { p.Evaluate(r) }); n != 0 {
		t.Errorf("five statements allocate %v times", n)
	}
}

func TestTraceSaysWhy(t *testing.T) {
	p := mustParse(t, Key, document(
		`{"Sid":"one","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:Decrypt","Resource":"*","Condition":{
			"StringEquals":{"kms:ViaService":["s3.${aws:RequestedRegion}.amazonaws.com","${test:none}"]},"ForAnyValue:StringLike":{"kms:ResourceAliases":"alias/*"},
			"ArnLike":{"aws:PrincipalArn":["arn:aws:iam::*:user/${aws:username, 'x'}?","${test:none}"]},"Null":{"aws:TokenIssueTime":"true","aws:userid":"false","aws:referer":[true,false]}}}`,
		`{"Effect":"Deny","Principal":{"AWS":"444455556666"}}`))
	r := &Request{Action: "kms:Encrypt", Resource: key, Principal: alice(), Context: keys{
		"aws:requestedregion": One("us-east-1"), "kms:viaservice": One("s3.us-east-1.amazonaws.com"), "kms:resourcealiases": Many([]string{"alias/a", "x"}),
	}}
	traces := p.Trace(r)
	if len(traces) != 2 {
		t.Fatalf("there are %d traces", len(traces))
	}
	one, two := traces[0], traces[1]
	if one.Sid != "one" || one.Effect != Allow || one.Principal != ByAccount || one.Action || !one.Resource || one.Conditions || one.Matched || len(one.Tests) != 6 {
		t.Errorf("the first statement is traced as %+v", one)
	}
	for i, want := range []string{
		"StringEquals kms:ViaService [s3.us-east-1.amazonaws.com ${test:none}] true [s3.us-east-1.amazonaws.com] true",
		"ForAnyValue:StringLike kms:ResourceAliases [alias/*] true [alias/a x] true",
		"ArnLike aws:PrincipalArn [arn:aws:iam::*:user/x? ${test:none}] false [] false",
		"Null aws:TokenIssueTime [true] false [] true",
		"Null aws:userid [false] false [] false",
		"Null aws:referer [true false] false [] true",
	} {
		if got := render(one.Tests[i]); got != want {
			t.Errorf("condition %d is traced as\n%s, want\n%s", i, got, want)
		}
	}
	if two.Index != 1 || two.Effect != Deny || two.Principal != None || two.Action || two.Resource || !two.Conditions || two.Matched {
		t.Errorf("the second statement is traced as %+v", two)
	}
}
