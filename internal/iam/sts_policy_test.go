package iam

import (
	"fmt"
	"strings"
	"testing"
)

// Session policies take away, and never add.
func TestSessionPoliciesLimit(t *testing.T) {
	w := newSTSWorld(t)
	alice, dev, root := w.alice(), w.dev(), w.rootOf(home)
	root.must("PutRolePolicy", "RoleName", "dev", "PolicyName", "p", "PolicyDocument", allowing("*", "iam:Get*", "iam:List*"))
	managed := root.must("CreatePolicy", "PolicyName", "getuser", "PolicyDocument", allowing("*", "iam:GetUser")).get("Arn")
	may := func(session stsUser, want ...string) {
		t.Helper()
		for action, parameters := range map[string][]string{"GetUser": {"UserName", "alice"}, "GetRole": {"RoleName", "dev"}, "DeleteRole": {"RoleName", "none"}} {
			a := session.do(action, parameters...)
			allowed := len(a.values["Code"]) == 0 || a.values["Code"][0] != "AccessDenied"
			if allowed != strings.Contains(strings.Join(want, " "), action) {
				t.Errorf("%s: %d %s", action, a.status, a.body)
			}
		}
	}
	may(alice.assume(dev).as(w), "GetUser", "GetRole")
	may(alice.assume(dev, "Policy", allowing("*", "iam:GetUser", "iam:DeleteRole")).as(w), "GetUser")
	may(alice.assume(dev, "PolicyArns.member.1.arn", managed).as(w), "GetUser")
	may(alice.assume(dev, "PolicyArns.member.1.arn", managed, "Policy", allowing("*", "iam:GetRole")).as(w), "GetUser", "GetRole")
	may(alice.assume(dev, "PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/AdministratorAccess").as(w), "GetUser", "GetRole")
	limited := alice.assume(dev, "PolicyArns.member.1.arn", managed).as(w)
	root.must("DeletePolicy", "PolicyArn", managed)
	may(limited) // one that was deleted since allows nothing
}

func TestWrongSessionPolicies(t *testing.T) {
	w := newSTSWorld(t)
	alice, dev := w.alice(), w.dev()
	for _, bad := range []string{"{", "[]", `{"Version":"2012-10-17"}`, trusting("*"), `{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`} {
		alice.assume(dev, "Policy", bad).fails("MalformedPolicyDocument", "")
	}
	for _, bad := range []string{"arn:aws:iam::" + abroad + ":policy/p", "arn:aws:iam::" + home + ":user/alice", "aaaaaaaaaaaaaaaaaaaaaaaa"} {
		alice.assume(dev, "PolicyArns.member.1.arn", bad).fails("ValidationError", bad)
	}
	var eleven []string
	for i := range 11 {
		eleven = append(eleven, fmt.Sprintf("PolicyArns.member.%d.arn", i+1), fmt.Sprintf("arn:aws:iam::%s:policy/p%d", home, i))
	}
	alice.assume(dev, eleven...).fails("ValidationError", "policyArns")
	for i := range 10 {
		w.rootOf(home).must("CreatePolicy", "PolicyName", fmt.Sprint("p", i), "PolicyDocument", everything)
	}
	if a := alice.assume(dev, eleven[:20]...); a.status != 200 {
		t.Errorf("ten: %s", a.body)
	}
}

// A managed policy that there is not is a mistake, and is told as one to whoever may have the session; nobody else learns
// which policies there are.
func TestSessionPoliciesMustExist(t *testing.T) {
	w, i, role := app(t)
	alice, eve := w.alice(), w.user(home, "eve", "")
	dev := w.role(home, "dev", trusting(arnOfUser(home, "alice")))
	managed := w.rootOf(home).must("CreatePolicy", "PolicyName", "p", "Path", "/teams/", "PolicyDocument", everything).get("Arn")
	ask := map[string]func(who stsUser, policyARN string) stsAnswer{
		"AssumeRole": func(who stsUser, policyARN string) stsAnswer {
			return who.assume(dev, "PolicyArns.member.1.arn", policyARN)
		},
		"GetFederationToken": func(who stsUser, policyARN string) stsAnswer {
			return who.do("GetFederationToken", "Name", "bob", "PolicyArns.member.1.arn", policyARN)
		},
	}
	const admin = "arn:aws:iam::aws:policy/AdministratorAccess"
	tried := 0
	for name, there := range map[string]bool{
		managed: true, admin: true, "arn:aws:iam::" + home + ":policy/missing": false, "arn:aws:iam::" + home + ":policy/p": false,
		"arn:aws:iam::aws:policy/NoSuchAccess": false,
	} {
		for operation, ask := range ask {
			tried++
			ask(eve, name).fails("AccessDenied", "eve is not authorized")
			a := ask(alice, name)
			if there && a.status != 200 {
				t.Errorf("%s with %s: %s", operation, name, a.body)
			} else if !there {
				a.fails("MalformedPolicyDocument", "Policy "+name+" does not exist or is not attachable.")
			}
		}
		a := w.web(role, i.token(i.with(nil)), "PolicyArns.member.1.arn", name)
		if there && a.status != 200 {
			t.Errorf("web identity with %s: %s", name, a.body)
		} else if !there {
			a.fails("MalformedPolicyDocument", name)
		}
	}
	if tried != 10 {
		t.Errorf("%d requests", tried)
	}
}

func TestPackedSize(t *testing.T) {
	w := newSTSWorld(t)
	alice, dev := w.alice(), w.dev()
	long := func(n int) string { // a policy of n bytes
		p := allowing("arn:aws:s3:::%s", "s3:GetObject")
		return fmt.Sprintf(p, strings.Repeat("x", n-len(p)+2))
	}
	percent := func(parameters ...string) string {
		t.Helper()
		return alice.must("AssumeRole", append([]string{"RoleArn", dev, "RoleSessionName", "session"}, parameters...)...).get("PackedPolicySize")
	}
	if got := percent(tagParameters("k", "v")...); got != "1" {
		t.Errorf("a tag: %s %%", got)
	}
	if got := percent("Policy", long(2048)); got != "34" {
		t.Errorf("a policy of 2048 bytes: %s %%", got)
	}
	if got := percent("Policy", long(6100)); got != "100" {
		t.Errorf("a policy of 6100 bytes: %s %%", got)
	}
	alice.assume(dev, "Policy", long(6200)).fails("PackedPolicyTooLarge", "Packed policy consumes 102% of allotted space, please use smaller policy.")
	var tags []string
	for i := range 50 {
		tags = append(tags, fmt.Sprint(strings.Repeat("k", 30), i), strings.Repeat("v", 90))
	}
	alice.assume(dev, tagParameters(tags...)...).fails("PackedPolicyTooLarge", "Packed size of session tags consumes")
}

// The largest session has a token that goes through a request's header and opens.
func TestLargestToken(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	role := w.role(home, strings.Repeat("r", 64), trustingAll(accountARN(home)), "Path", "/"+strings.Repeat("p", 500)+"/")
	p := fmt.Sprintf(allowing("arn:aws:s3:::%s", "s3:GetObject"), strings.Repeat("x", 5970))
	session := alice.must("AssumeRole", "RoleArn", role, "RoleSessionName", strings.Repeat("s", 64), "Policy", p, "SourceIdentity", strings.Repeat("i", 64)).as(w)
	session.must("GetCallerIdentity")
	if n := len(session.token); n < 8<<10 || n > 10<<10 {
		t.Errorf("%d bytes", n)
	}
}
