package kms_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/admin"
	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
)

// explain asks for the explanation of a call.
func (u user) explain(requestID string) (x admin.ExplainedCall, a answer) {
	u.t.Helper()
	in := &trentapi.ExplainDecisionRequest{RequestId: &requestID}
	a = u.roundTrip("trent", trentapi.TargetPrefix, "ExplainDecision", in.AppendJSON(nil))
	if !a.ok() {
		return x, a
	}
	var out trentapi.ExplainDecisionResponse
	if err := api.Decode(a.body, &out); err != nil {
		u.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(*out.Trace), &x); err != nil {
		u.t.Fatal(err)
	}
	return x, a
}

// TestRecallKnowsEveryCondition proves that a recorded call is decided again as it was: each decision of each operation is asked
// for under conditions on every condition key, all right but one, so that it is denied and changes nothing. Its
// explanation must find all of them met but that one.
func TestRecallKnowsEveryCondition(t *testing.T) {
	rows, all := readConditionTable(t), decisions(t)
	explained, conditions := 0, 0
	for i := range all {
		d := &all[i]
		t.Run(d.name, func(t *testing.T) {
			for _, p := range []pass{{"key policy, full", false, true}, {"identity policy, full", true, true}, {"identity policy, bare", true, false}} {
				if d.byIdentity && !p.byIdentity || d.tagged && !p.full {
					continue
				}
				explained++
				conditions += testRecall(t, newAsking(t, d, p), rows)
			}
		})
	}
	t.Logf("%d explanations, %d conditions", explained, conditions)
	if explained < 150 || conditions < 5000 {
		t.Errorf("only %d explanations with %d conditions", explained, conditions)
	}
}

// never is a condition that no request meets.
var never = condition{"StringEquals", "aws:Referer", []string{"never"}}

func testRecall(t *testing.T, x *asking, rows []conditionRow) (conditions int) {
	t.Helper()
	byKey := map[string][]condition{}
	for _, r := range rows {
		value := r.bare
		if x.how.full {
			value = r.full
		}
		value = x.fill(value)
		switch {
		case r.identityOnly && !x.how.byIdentity:
			delete(byKey, r.key)
		case value != "-" && r.applies(x.decision):
			byKey[r.key] = right(r.kind, r.key, value)
		case byKey[r.key] == nil:
			byKey[r.key] = []condition{absentKey(r.key)}
		}
	}
	together := []condition{never}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		together = append(together, byKey[key]...)
	}
	x.put(together)
	a := x.ask()
	if a.code != "AccessDeniedException" {
		t.Fatalf("%s: %s %s", x.how.name, a.code, a.message)
	}
	e, _ := x.root.explain(a.requestID)
	denied := slices.IndexFunc(e.Recorded, func(d audit.Authorized) bool { return !d.Allowed })
	if e.Changed || denied < 0 || len(e.Decisions) != len(e.Recorded) || e.Decisions[denied].Allowed {
		t.Fatalf("%s: recorded %+v, now %+v; %q", x.how.name, e.Recorded, e.Decisions, e.Unknown)
	}
	return checkTests(t, x, e.Decisions[denied], len(together))
}

// checkTests finds the statement with the conditions in an explanation.
func checkTests(t *testing.T, x *asking, e *authz.Explanation, want int) int {
	t.Helper()
	if e.Truncated {
		t.Fatalf("%s: the explanation is not whole", x.how.name)
	}
	for _, l := range e.Layers {
		for _, p := range l.Policies {
			for _, s := range p.Statements {
				if len(s.Conditions) != want {
					continue
				}
				for _, c := range s.Conditions {
					if c.Met == (c.Key == never.key) {
						t.Errorf("%s: %s %s wants %q, and got %q (absent %t)", x.how.name, c.Operator, c.Key, c.Wanted, c.Got, c.Absent)
					}
				}
				return want
			}
		}
	}
	t.Errorf("%s: the statement is not in the explanation", x.how.name)
	return 0
}

// TestExplanationBetweenAccounts: both sides have to allow, and both changes are told to an administrator.
func TestExplanationBetweenAccounts(t *testing.T) {
	w := newWorld(t)
	id := w.as(alice).createKey()
	a := w.as(bob).newUser("eve").send(&kmsapi.DescribeKeyRequest{KeyId: new(w.as(alice).keyARN(id))})
	if a.code != "AccessDeniedException" {
		t.Fatalf("%s %s", a.code, a.message)
	}
	x, _ := w.as(alice).explain(a.requestID)
	if len(x.Decisions) != 1 || x.Changed || x.Decisions[0].Allowed || len(x.Changes) != 2 {
		t.Errorf("%+v", x)
	}
}

// TestDestroyedKeyIsMissing: of a key that is gone the explanation says so, and suggests nothing.
func TestDestroyedKeyIsMissing(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	a := u.must(&kmsapi.DescribeKeyRequest{KeyId: &id})
	u.must(&kmsapi.ScheduleKeyDeletionRequest{KeyId: &id, PendingWindowInDays: new(int32(7))})
	u.advance("8d")
	x, _ := u.explain(a.requestID)
	if len(x.Decisions) != 1 || !x.Changed || x.Decisions[0].Allowed || len(x.Changes) != 0 || x.Hint == "" {
		t.Errorf("%+v", x)
	}
}

// TestWhatWasNotSentIsExplainedAsSuch: records have defaults that conditions do not know. A call that was allowed because it did
// not send a parameter is allowed when it is explained.
func TestWhatWasNotSentIsExplainedAsSuch(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, replica := u.createKey(), u.createPrimary()
	policy := u.policyOf(id)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	ran := 0
	for _, row := range []struct {
		key, member string
		in          request
	}{
		{"kms:BypassPolicyLockoutSafetyCheck", "bypassPolicyLockoutSafetyCheck", &kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: &policy}},
		{"kms:BypassPolicyLockoutSafetyCheck", "bypassPolicyLockoutSafetyCheck", &kmsapi.CreateKeyRequest{}},
		{"kms:BypassPolicyLockoutSafetyCheck", "bypassPolicyLockoutSafetyCheck", &kmsapi.ReplicateKeyRequest{KeyId: &replica, ReplicaRegion: new("eu-west-3")}},
		{"kms:ExpirationModel", "expirationModel", i.expiring(make([]byte, 32), u.now().AddDate(0, 0, 9))},
		{"kms:RotationPeriodInDays", "rotationPeriodInDays", &kmsapi.EnableKeyRotationRequest{KeyId: &id}},
		{"kms:ScheduleKeyDeletionPendingWindowInDays", "pendingWindowInDays", &kmsapi.ScheduleKeyDeletionRequest{KeyId: &id}},
	} {
		ran++
		eve := u.newUser("eve"+strconv.Itoa(ran), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:*","iam:CreateServiceLinkedRole"],"Resource":"*","Condition":{"Null":{"`+row.key+`":"true"}}},
			{"Effect":"Allow","Action":"kms:CreateKey","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-3"}}}]}`)
		a := eve.must(row.in)
		if e := u.eventsNamed(a.operation); !strings.Contains(string(e[0].RequestParameters), `"`+row.member+`":`) {
			t.Errorf("%s: the record has %s", a.operation, e[0].RequestParameters)
		}
		x, _ := u.explain(a.requestID)
		for _, d := range x.Decisions {
			if !d.Allowed || x.Changed {
				t.Errorf("%s: explained as %s", a.operation, d.Rule)
			}
		}
		if len(x.Decisions) == 0 {
			t.Errorf("%s: nothing is explained: %q", a.operation, x.Unknown)
		}
	}
	if ran != 6 {
		t.Errorf("%d rows", ran)
	}
}

// TestWhoCanOfTwoConditionalWays: a policy with a condition and a grant with a constraint are two ways that both depend on the
// request, and there are requests that neither lets through.
func TestWhoCanOfTwoConditionalWays(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	for _, row := range []struct {
		condition   string
		constraints *kmsapi.GrantConstraints
		conditional bool
	}{
		{`,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, nil, false}, // the grant lets every request through
		{`,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, &kmsapi.GrantConstraints{EncryptionContextEquals: map[string]string{"t": "x"}}, true},
		{"", &kmsapi.GrantConstraints{EncryptionContextEquals: map[string]string{"t": "x"}}, false}, // the policy does
	} {
		id := u.createKey()
		eve := u.newUser("eve"+id, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"`+u.keyARN(id)+`"`+row.condition+`}}`)
		u.grantTo(id, eve.principal(), operations{kmsapi.GrantOperationEncrypt}, row.constraints)
		var out trentapi.WhoCanResponse
		u.administer(&trentapi.WhoCanRequest{Action: new("kms:Encrypt"), KeyId: &id}, &out)
		found := false
		for _, p := range out.Principals {
			if *p.Arn == eve.principal() {
				if found = true; *p.Conditional != row.conditional {
					t.Errorf("%s and %+v: conditional %t", row.condition, row.constraints, *p.Conditional)
				}
			}
		}
		if !found {
			t.Errorf("%s and %+v: not listed", row.condition, row.constraints)
		}
	}
}

// TestSuggestionsAreTaken: a policy that names somebody who is gone is refused, so a suggested one names nobody of them; and
// one that would be too long where it lives is to be attached as a managed policy.
func TestSuggestionsAreTaken(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	suggestion := func(a answer) authz.Change {
		t.Helper()
		x, _ := u.explain(a.requestID)
		if a.code != "AccessDeniedException" || len(x.Changes) != 1 {
			t.Fatalf("%s: %d changes, %q", a.code, len(x.Changes), x.Hint)
		}
		return x.Changes[0]
	}
	id, gone, eve := u.createKey(), u.newUser("gone"), u.newUser("eve")
	lets := statement("Allow", u.principal(), "kms:*")
	spares := `{"Effect":"Deny","Principal":{"AWS":["` + gone.principal() + `","` + eve.principal() + `"]},"Action":"kms:Sign","Resource":"*"}`
	u.putPolicy(id, `{"Version":"2012-10-17","Statement":[`+lets+","+spares+","+statement("Allow", gone.principal(), "kms:Encrypt")+`,
		{"Effect":"Deny","Principal":"*","Action":"kms:DescribeKey","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"`+eve.principal()+`"}}}]}`)
	u.iam("PutUserPolicy", "UserName", "eve", "PolicyName", "p", "PolicyDocument", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`)
	u.deleteUser(gone, 0)
	c := suggestion(eve.send(&kmsapi.DescribeKeyRequest{KeyId: &id}))
	if len(c.Edits) != 2 || c.Edits[0].Kind != authz.DropPrincipals || !strings.Contains(c.Edits[0].Text, "AIDA") || strings.Contains(c.Document, "AIDA") {
		t.Errorf("edits %+v\n%s", c.Edits, c.Document)
	}
	u.putPolicy(id, c.Document)
	eve.must(&kmsapi.DescribeKeyRequest{KeyId: &id})

	bob := u.newUser("bob", `{"Version":"2012-10-17","Statement":{"Sid":"`+strings.Repeat("x", 1800)+`","Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	other := u.createKey()
	c = suggestion(bob.send(&kmsapi.DescribeKeyRequest{KeyId: &other}))
	if c.Policy != "user/bob/p0" || c.Edits[0].Kind != authz.AddStatement { // there is room for this one
		t.Errorf("%s %+v", c.Policy, c.Edits)
	}
	u.iam("PutUserPolicy", "UserName", "bob", "PolicyName", "p1", "PolicyDocument", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}`)
	c = suggestion(bob.send(&kmsapi.DescribeKeyRequest{KeyId: &other}))
	if !strings.Contains(c.Policy, ":policy/allow-kms-DescribeKey") || c.Edits[0].Kind != authz.Attach {
		t.Fatalf("%s %+v", c.Policy, c.Edits)
	}
	arn := u.iam("CreatePolicy", "PolicyName", "allow-kms-DescribeKey", "PolicyDocument", c.Document)["Arn"]
	u.iam("AttachUserPolicy", "UserName", "bob", "PolicyArn", arn)
	bob.must(&kmsapi.DescribeKeyRequest{KeyId: &other})
}
