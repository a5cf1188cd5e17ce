package authz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// bobsWorld is a user with these identity policies, and a key with this policy.
func bobsWorld(key string, identity ...string) *situation {
	w := &situation{
		caller: caller.Caller{
			Type: caller.User, Account: sitOurs, ARN: sitUser, Name: "bob", ID: "AIDAAAAAAAAAAAAAAAAAA", UserID: "AIDAAAAAAAAAAAAAAAAAA",
		},
		documents: map[string]string{sitKey: key}, parsed: map[string]*policy.Policy{}, key: true, owner: sitOurs, action: "kms:Decrypt",
	}
	for i, text := range identity {
		name := "user/bob/" + string(rune('a'+i))
		w.documents[name] = text
		w.identity = append(w.identity, name)
	}
	return w
}

func (w *situation) explain(t *testing.T) *authz.Explanation {
	t.Helper()
	a, q := w.question(t)
	x, err := (&authz.Explainer{Authorizer: a}).Explain(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

const (
	delegates  = `{"Version":"2012-10-17","Statement":[{"Sid":"root","Effect":"Allow","Principal":{"AWS":"` + sitRoot + `"},"Action":"kms:*","Resource":"*"}]}`
	namesBob   = `{"Version":"2012-10-17","Statement":[{"Sid":"bob","Effect":"Allow","Principal":{"AWS":"` + sitUser + `"},"Action":"kms:*","Resource":"*"}]}`
	mayEncrypt = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}]}`
	mayAll     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`
	deniesAll  = `{"Version":"2012-10-17","Statement":[{"Sid":"no","Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}`
)

// change is a suggestion, in short.
type change struct{ layer, policy, edits string }

func changesOf(x *authz.Explanation) (all []change) {
	for _, c := range x.Changes {
		var kinds []string
		for _, e := range c.Edits {
			kinds = append(kinds, string(e.Kind))
		}
		all = append(all, change{c.Layer, c.Policy, strings.Join(kinds, " ")})
	}
	return all
}

func TestWhatIsSuggested(t *testing.T) {
	theirs := bobsWorld(namesBob, mayEncrypt)
	theirs.owner = sitTheirs
	both := bobsWorld(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}}`)
	both.owner = sitTheirs
	bounded := bobsWorld(delegates, mayAll)
	bounded.boundary, bounded.documents["arn:aws:iam::111111111111:policy/b"] = "arn:aws:iam::111111111111:policy/b", mayEncrypt
	session := bobsWorld(delegates, mayAll)
	session.caller.Session, session.session, session.documents["session"] = &caller.Session{}, []string{"session"}, mayEncrypt
	session.key = false
	granted := bobsWorld(namesBob, mayAll)
	granted.action, granted.owner, granted.grant = "kms:DescribeKey", sitTheirs, policy.ByCaller
	granted.documents[sitKey] = delegates
	granted.identity = nil
	for _, c := range []struct {
		name string
		w    *situation
		want []change
	}{
		{"the account decides, and bob's policy can say more", bobsWorld(delegates, mayEncrypt), []change{{"identity-based policy", "user/bob/a", "add-statement"}}},
		{"bob has no policy", bobsWorld(delegates), []change{{"identity-based policy", "user/bob/allow-kms-Decrypt", "attach"}}},
		{"a deny spares bob", bobsWorld(namesBob, deniesAll), []change{{"identity-based policy", "user/bob/a", "exempt-principal"}}},
		{"another account has let bob in, and his has not", theirs, []change{{"identity-based policy", "user/bob/a", "add-statement"}}},
		{"neither account has, and one denies", both, []change{
			{"resource-based policy", sitKey, "exempt-principal add-statement"}, {"identity-based policy", "user/bob/allow-kms-Decrypt", "attach"},
		}},
		{"a boundary", bounded, []change{{"permissions boundary", "arn:aws:iam::111111111111:policy/b", "add-statement"}}},
		{"a session, which cannot be changed", session, []change{{"session policy", "session", "new-session"}}},
		{"a grant of another account's key is its side", granted, []change{{"identity-based policy", "user/bob/allow-kms-DescribeKey", "attach"}}},
	} {
		x := c.w.explain(t)
		if diff := cmp.Diff(c.want, changesOf(x), cmp.AllowUnexported(change{})); diff != "" || x.Allowed {
			t.Errorf("%s: allowed %t, %s; -want +got:\n%s", c.name, x.Allowed, x.Rule, diff)
		}
	}
}

func TestExplanationShowsBothValuesOfAConditionInEveryLayer(t *testing.T) {
	x := bobsWorld(namesBob, deniesAll).explain(t)
	if x.Allowed || !x.Decision.Explicit || x.Decision.Sid != "no" || x.Decision.Policy != "user/bob/a" || !strings.Contains(x.Rule, "0 (no)") {
		t.Errorf("%+v: %s", x.Decision, x.Rule)
	}
	if len(x.Layers) != 8 {
		t.Fatalf("%d layers", len(x.Layers))
	}
	got := x.Layers[4].Policies[0].Statements[0].Conditions
	want := []authz.ConditionTrace{{Operator: "IpAddress", Key: "aws:SourceIp", Wanted: []string{"10.0.0.0/8"}, Got: []string{"10.0.0.1"}, Met: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := json.Marshal(bobsWorld(namesBob, deniesAll).explain(t))
	first, _ := json.Marshal(x)
	if err != nil || string(again) != string(first) {
		t.Errorf("the order is not stable: %v\n%s\n%s", err, first, again)
	}
}

// TestViewHidesTheOtherAccount: nothing of the other account's documents is left, and what it lacks looks like what is not there.
func TestViewHidesTheOtherAccount(t *testing.T) {
	secret := strings.ReplaceAll(delegates, `"Sid":"root"`, `"Sid":"SECRET"`)
	view := func(w *situation, account string) string {
		a, q := w.question(t)
		q.Viewer = account
		x, err := (&authz.Explainer{Authorizer: a}).Explain(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	there := bobsWorld(secret, strings.ReplaceAll(mayAll, `"Effect"`, `"Sid":"MINE","Effect"`))
	there.owner = sitTheirs
	gone := bobsWorld(secret, strings.ReplaceAll(mayAll, `"Effect"`, `"Sid":"MINE","Effect"`))
	gone.owner, gone.missing, gone.key = sitTheirs, true, false
	lacking := bobsWorld(strings.ReplaceAll(secret, "kms:*", "kms:Sign"), strings.ReplaceAll(mayAll, `"Effect"`, `"Sid":"MINE","Effect"`))
	lacking.owner = sitTheirs
	if text := view(there, sitOurs); strings.Contains(text, "SECRET") || !strings.Contains(text, "MINE") {
		t.Errorf("the caller's account sees %s", text)
	}
	if text := view(there, sitTheirs); strings.Contains(text, "MINE") || !strings.Contains(text, "SECRET") {
		t.Errorf("the key's account sees %s", text)
	}
	if a, b := view(gone, sitOurs), view(lacking, sitOurs); a != b {
		t.Errorf("a key that is gone can be told from one that does not allow:\n%s\n%s", a, b)
	}
}

func TestExplanationIsBounded(t *testing.T) {
	statement := `{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:Referer":["` + strings.Repeat("x", 400) + `"]}}}`
	big := `{"Version":"2012-10-17","Statement":[` + strings.Repeat(statement+",", 2000) + statement + `]}`
	for _, limit := range []int{authz.MaxExplanationBytes, 64 << 10, 4 << 10} {
		x := bobsWorld(delegates, big).explain(t)
		x.Bound(limit)
		text, err := json.Marshal(x)
		if err != nil || len(text) > limit || !x.Truncated || x.Rule == "" {
			t.Errorf("%d bytes of %d, truncated %t, %v", len(text), limit, x.Truncated, err)
		}
	}
	x := bobsWorld(delegates).explain(t)
	if x.Bound(authz.MaxExplanationBytes); x.Truncated {
		t.Error("a small explanation was cut")
	}
}

// TestPossible: what a request decides makes an answer conditional, one way or the other.
func TestPossible(t *testing.T) {
	with := func(effect, condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"},` +
			`{"Effect":"` + effect + `","Action":"kms:*","Resource":"*","Condition":` + condition + `}]}`
	}
	tenant := `{"StringEquals":{"kms:EncryptionContext:tenant":"blue"}}`
	other := `{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:user/carol"}}`
	for _, c := range []struct {
		name              string
		identity          string
		possible, certain bool
	}{
		{"allowed, whatever comes", mayAll, true, true},
		{"not allowed", mayEncrypt, false, false},
		{"allowed under a condition", with("Allow", tenant), true, false},
		{"allowed to somebody else", with("Allow", other), false, false},
		{"denied to somebody else", strings.ReplaceAll(with("Deny", other), "kms:Encrypt", "kms:Decrypt"), true, true},
		{"denied under a condition", strings.ReplaceAll(with("Deny", tenant), "kms:Encrypt", "kms:Decrypt"), true, false},
		{"a variable that is not known", strings.ReplaceAll(mayAll, `"Resource":"*"`, `"Resource":"arn:aws:kms:*:*:key/${aws:SourceIdentity}"`), true, false},
	} {
		a, q := bobsWorld(delegates, c.identity).question(t)
		certainty := authz.Certainty{Explainer: &authz.Explainer{Authorizer: a}}
		known := func(key string) bool { return key == "aws:principalarn" }
		_, possible, certain, err := certainty.Possible(t.Context(), q, "user", known)
		if err != nil || possible != c.possible || certain != c.certain {
			t.Errorf("%s: possible %t, certain %t, %v", c.name, possible, certain, err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	d := situated{}
	p, err := policy.Parse(policy.Key, delegates)
	if err != nil {
		b.Fatal(err)
	}
	c := caller.Caller{Type: caller.User, Account: sitOurs, ARN: sitUser, Name: "bob", ID: "AIDAAAAAAAAAAAAAAAAAA"}
	d.identity = &authz.Identity{}
	x := authz.Explainer{Authorizer: authz.New(d)}
	q := authz.Question{
		Request: &authz.Request{Caller: &c, Now: time.Unix(1e9, 0)},
		Access:  &authz.Access{Action: "kms:Decrypt", Resource: sitKey, Account: sitOurs, Policy: p},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Explain(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// Of two statements that allow, the rule is about the one that decided: here the boundary, which is silent, takes away what the
// role is given, and not what everyone is.
func TestExplanationIsAboutTheStatementThatDecided(t *testing.T) {
	x := encrypt(t, allow(aws(roleARN)), allow(`"*"`))
	w := &world{identity: &authz.Identity{Boundary: new(attached(t, policy.Identity, "arn:aws:iam::111122223333:policy/b", irrelevant))}}
	out, err := (&authz.Explainer{Authorizer: authz.New(w)}).Explain(t.Context(), authz.Question{Request: request(inRole()), Access: &x})
	if err != nil {
		t.Fatal(err)
	}
	if !out.Allowed || out.Decision.Statement != 1 || out.Rule != "Statement 1 of the resource's policy allows: it names everyone." {
		t.Errorf("allowed %t, statement %d: %s", out.Allowed, out.Decision.Statement, out.Rule)
	}
	for _, l := range out.Layers {
		if l.Layer == authz.Resource.String() && l.Note != "it names everyone" {
			t.Errorf("the layer says: %s", l.Note)
		}
	}
}

// What is suggested can be put in force: it has room, names nobody who is gone, and takes away nothing that is there.
func TestSuggestionsCanBePutInForce(t *testing.T) {
	const managed = "arn:aws:iam::111111111111:policy/allow-kms-Decrypt"
	long := func(n int) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Encrypt","Resource":"arn:aws:kms:us-east-1:111111111111:key/` + strings.Repeat("x", n) + `"}]}`
	}
	first := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:111111111111:key/FIRST"}]}`
	w := bobsWorld(delegates, long(1900))
	x := w.explain(t)
	if len(x.Changes) != 1 || x.Changes[0].Policy != managed || x.Changes[0].Edits[0].Kind != authz.Attach {
		t.Errorf("a full user: %+v %s", x.Changes, x.Hint)
	}
	w.identity, w.documents[managed] = append(w.identity, managed), first
	x = w.explain(t)
	if len(x.Changes) != 1 || x.Changes[0].Policy != managed || x.Changes[0].Edits[0].Kind != authz.AddStatement || !strings.Contains(x.Changes[0].Document, "FIRST") {
		t.Errorf("a policy of that name: %+v %s", x.Changes, x.Hint)
	}

	w = bobsWorld(delegates, long(1950))
	a, q := w.question(t)
	given := doc(t, policy.Identity, `"Effect":"Allow","Action":"kms:*","Resource":"*"`, `"Effect":"Deny","Action":"kms:*","Resource":"*"`)
	q.Extra = []authz.Attached{{Name: "the policy given", Policy: given}}
	if x, err := (&authz.Explainer{Authorizer: a}).Explain(t.Context(), q); err != nil || len(x.Changes) != 1 {
		t.Errorf("a policy of a simulation: %+v %s %v", x.Changes, x.Hint, err)
	}

	trust := doc(t, policy.Trust, `"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/carol"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"`+strings.Repeat("x", 1830)+`"}}`)
	access := authz.Access{Action: "sts:AssumeRole", Resource: roleARN, Account: account, Policy: trust}
	out, err := (&authz.Explainer{Authorizer: authz.New(&world{identity: permitted(t, irrelevant)})}).Explain(t.Context(), authz.Question{Request: request(bob()), Access: &access})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range out.Changes {
		if c.Layer == authz.Resource.String() && policy.Size(c.Document) > policy.TrustSize {
			t.Errorf("a trust policy of %d characters", policy.Size(c.Document))
		}
	}

	key := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"AIDAGONEGONEGONEGONEG"},"Action":"kms:Sign","Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":["AIDAGONEGONEGONEGONEH","arn:aws:iam::111111111111:user/carol"]},"Action":"kms:*","Resource":"*"}]}`
	a, q = bobsWorld(key, mayEncrypt).question(t)
	nobody := func(context.Context, string) (string, bool, error) { return "", false, nil }
	if x, err := (&authz.Explainer{Authorizer: a, ARNOf: nobody}).Explain(t.Context(), q); err != nil || strings.Contains(fmt.Sprint(x.Changes), "AIDAGONE") {
		t.Errorf("a policy that cannot do without somebody who is gone: %+v %s %v", x.Changes, x.Hint, err)
	}
}
