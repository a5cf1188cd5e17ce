package iam

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

func TestAssumeRole(t *testing.T) {
	w := newSTSWorld(t)
	alice, dev := w.alice(), w.role(home, "dev", trusting(accountARN(home)), "Path", "/team/")
	a := alice.assume(dev)
	if got, want := a.get("Arn"), "arn:aws:sts::"+home+":assumed-role/dev/session"; got != want {
		t.Errorf("ARN %s, want %s", got, want)
	}
	id := a.get("AssumedRoleId")
	if !strings.HasPrefix(id, "AROA") || !strings.HasSuffix(id, ":session") {
		t.Errorf("id %s", id)
	}
	ends, err := time.Parse(time.RFC3339, a.get("Expiration"))
	if left := ends.Sub(w.clock.Now()); err != nil || left <= 3598*time.Second || left > time.Hour {
		t.Errorf("ends in %v, %v", left, err)
	}
	for _, absent := range []string{"PackedPolicySize", "SourceIdentity"} {
		if a.values[absent] != nil {
			t.Errorf("%s is there", absent)
		}
	}
	session := a.as(w)
	if !strings.HasPrefix(session.id, "ASIA") || len(session.id) != 20 || len(session.secret) != 40 {
		t.Errorf("key %s, secret of %d characters", session.id, len(session.secret))
	}
	who := session.must("GetCallerIdentity")
	if who.get("Arn") != a.get("Arn") || who.get("UserId") != id || who.get("Account") != home {
		t.Errorf("caller: %s", who.body)
	}
}

// Who may assume a role is for its trust policy and, across accounts, for the caller's policies too. A role that does not
// exist looks like one that does not trust.
func TestTrust(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	w.user(home, "nobody", "")
	nobody := stsUser{w, "", "", ""}
	a := w.rootOf(home).must("CreateAccessKey", "UserName", "nobody")
	nobody.id, nobody.secret = a.get("AccessKeyId"), a.get("SecretAccessKey")
	mallory := w.user(abroad, "mallory", everything)
	powerless := w.user(abroad, "powerless", "")
	roles := map[string]string{
		"own":       w.role(home, "own", trusting(accountARN(home))),
		"user":      w.role(home, "user", trusting(arnOfUser(home, "nobody"))),
		"foreigner": w.role(home, "foreigner", trusting(accountARN(abroad))),
		"everybody": w.role(home, "everybody", trusting("*")),
		"path":      w.role(home, "path", trusting(accountARN(home)), "Path", "/team/"),
	}
	iam := "arn:aws:iam::" + home + ":role/"
	roles["missing"], roles["without path"], roles["other case"] = iam+"missing", iam+"path", iam+"OWN"
	tests := []struct {
		role string
		by   stsUser
		ok   bool
	}{
		{"own", alice, true},
		{"own", nobody, false}, // trusted, but its account's policies decide
		{"own", mallory, false},
		{"user", nobody, true}, // named itself
		{"user", alice, false},
		{"user", mallory, false},
		{"foreigner", mallory, true},
		{"foreigner", powerless, false},
		{"foreigner", alice, false},
		{"everybody", nobody, true},
		{"everybody", mallory, true},
		{"everybody", powerless, false},
		{"path", alice, true},
		{"without path", alice, false},
		{"other case", alice, false},
		{"missing", alice, false},
		{"missing", mallory, false},
	}
	for _, test := range tests {
		answer := test.by.assume(roles[test.role])
		if test.ok {
			if answer.status != 200 {
				t.Errorf("%s: %s", test.role, answer.body)
			}
			continue
		}
		who := test.by.must("GetCallerIdentity").get("Arn")
		answer.fails("AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", who, roles[test.role]))
	}
	strip := func(role string) string { return strings.ReplaceAll(mallory.assume(role).get("Message"), role, "ROLE") }
	if missing, other := strip(roles["missing"]), strip(roles["own"]); missing != other {
		t.Errorf("a foreigner can tell %q from %q", missing, other)
	}
}

func TestWhoCannotAssume(t *testing.T) {
	w := newSTSWorld(t)
	dev, alice := w.dev(), w.alice()
	w.rootOf(home).assume(dev).fails("AccessDenied", "Roles may not be assumed by root accounts.")
	w.rootOf(home).must("GetSessionToken").as(w).assume(dev).fails("AccessDenied", "Roles may not be assumed by root accounts.")
	alice.must("GetFederationToken", "Name", "bob", "Policy", everything).as(w).assume(dev).fails("AccessDenied", "Cannot call AssumeRole with federation credentials")
	alice.assume(dev, "SerialNumber", "arn:aws:iam::"+home+":mfa/alice", "TokenCode", "123456").fails("AccessDenied", "MultiFactorAuthentication failed")
	alice.assume(dev, "ProvidedContexts.member.1.ProviderArn", "arn:aws:iam::aws:contextProvider/IdentityCenter").fails("ValidationError", "ProvidedContexts")
	alice.must("GetSessionToken").as(w).must("AssumeRole", "RoleArn", dev, "RoleSessionName", "session")
}

func TestRoleARN(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	for _, bad := range []string{
		"arn:aws:iam::" + home + ":user/alice", "arn:aws:iam::" + home + ":role/", "arn:aws:iam::" + home + ":root", "arn:aws:iam::aws:role/dev-role",
		"arn:aws:iam:us-east-1:" + home + ":role/dev", "arn:aws:sts::" + home + ":assumed-role/dev/x", "arn:aws-cn:iam::" + home + ":role/dev",
		"arn:aws:iam::1111:role/developers", "arn:aws:iam::" + home + ":role/a b", "aaaaaaaaaaaaaaaaaaaaaaaa",
	} {
		alice.assume(bad).fails("ValidationError", bad+" is invalid")
	}
	alice.do("AssumeRole", "RoleArn", w.dev(), "RoleSessionName", "a").fails("ValidationError", "roleSessionName")
	alice.do("AssumeRole", "RoleSessionName", "session").fails("ValidationError", "roleArn")
}

func TestDuration(t *testing.T) {
	w := newSTSWorld(t)
	alice, short, long := w.alice(), w.dev(), w.role(home, "long", trusting(accountARN(home)), "MaxSessionDuration", "7200")
	chained, temporary := alice.assume(short).as(w), alice.must("GetSessionToken").as(w)
	w.rootOf(home).must("PutRolePolicy", "RoleName", "dev", "PolicyName", "p", "PolicyDocument", everything)
	const tooLong, tooLongChained = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
		"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
	tests := []struct {
		name    string
		by      stsUser
		role    string
		seconds string
		refused string
	}{
		{"shortest", alice, short, "900", ""},
		{"too short", alice, short, "899", "durationSeconds"},
		{"longest of this role", alice, short, "3600", ""},
		{"too long for this role", alice, short, "3601", tooLong},
		{"longest of another", alice, long, "7200", ""},
		{"too long for it", alice, long, "7201", tooLong},
		{"longest of all", alice, long, "43200", tooLong},
		{"more than any", alice, long, "43201", "durationSeconds"},
		{"chained", chained, long, "3600", ""},
		{"chained too long", chained, long, "3601", tooLongChained},
		{"with temporary credentials", temporary, long, "3600", ""},
		{"with temporary credentials too long", temporary, long, "3601", tooLongChained},
	}
	for _, test := range tests {
		a := test.by.assume(test.role, "DurationSeconds", test.seconds)
		if test.refused != "" {
			a.fails("ValidationError", test.refused)
			continue
		}
		if a.status != 200 {
			t.Errorf("%s: %s", test.name, a.body)
			continue
		}
		ends, _ := time.Parse(time.RFC3339, a.get("Expiration"))
		if left := ends.Sub(w.clock.Now()).Round(5 * time.Second).Seconds(); fmt.Sprint(left) != test.seconds {
			t.Errorf("%s: %v seconds, want %s", test.name, left, test.seconds)
		}
	}
	// How long a role's sessions may be is not told to those who may not assume it.
	w.user(abroad, "mallory", everything).assume(long, "DurationSeconds", "43200").fails("AccessDenied", "sts:AssumeRole")
}

// Each condition key of a request is in the trust policy's reach: with the right value the role is assumed, with another
// or without one it is not.
func TestConditionKeysOfAssumeRole(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	w.rootOf(home).must("TagUser", "UserName", "alice", "Tags.member.1.Key", "Team", "Tags.member.1.Value", "blue")
	tests := []struct {
		name, condition string
		good, bad       []string
	}{
		{"external id", `"StringEquals":{"sts:ExternalId":"secret-1"}`, []string{"ExternalId", "secret-1"}, []string{"ExternalId", "secret-2"}},
		{"session name", `"StringLike":{"sts:RoleSessionName":"ci-*"}`, []string{"RoleSessionName", "ci-7"}, []string{"RoleSessionName", "me"}},
		{"session name is the user's", `"StringEquals":{"sts:RoleSessionName":"${aws:username}"}`, []string{"RoleSessionName", "alice"}, []string{"RoleSessionName", "bob"}},
		{"source identity", `"StringEquals":{"sts:SourceIdentity":"alice"}`, []string{"SourceIdentity", "alice"}, []string{"SourceIdentity", "bob"}},
		{"tag", `"StringEquals":{"aws:RequestTag/project":"x"}`, []string{"Tags.member.1.Key", "Project", "Tags.member.1.Value", "x"}, []string{"Tags.member.1.Key", "Project", "Tags.member.1.Value", "y"}},
		{"tag keys", `"ForAnyValue:StringEquals":{"aws:TagKeys":["Project"]}`, []string{"Tags.member.1.Key", "Project", "Tags.member.1.Value", "x"}, []string{"Tags.member.1.Key", "Other", "Tags.member.1.Value", "x"}},
		{
			"transitive keys", `"ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":["Project"]}`,
			[]string{"Tags.member.1.Key", "Project", "Tags.member.1.Value", "x", "TransitiveTagKeys.member.1", "Project"}, []string{"Tags.member.1.Key", "Project", "Tags.member.1.Value", "x"},
		},
		{"duration", `"NumericLessThanEquals":{"sts:DurationSeconds":"900"}`, []string{"DurationSeconds", "900"}, []string{"DurationSeconds", "901"}},
		{"tag of the role", `"StringEquals":{"aws:ResourceTag/kind":"good"}`, nil, []string{"bad role"}},
		{"tag of the role, IAM's key", `"StringEquals":{"iam:ResourceTag/Kind":"good"}`, nil, []string{"bad role"}},
		{"tag of the caller", `"StringEquals":{"aws:PrincipalTag/team":"blue"}`, nil, nil},
		{"caller", `"ArnEquals":{"aws:PrincipalArn":"` + arnOfUser(home, "alice") + `"}`, nil, nil},
	}
	for i, test := range tests {
		tag := []string{"Tags.member.1.Key", "Kind", "Tags.member.1.Value", "good"}
		role := w.role(home, fmt.Sprintf("role%d", i), trustingAll(accountARN(home), `"Condition":{`+test.condition+`}`), tag...)
		if a := alice.assume(role, test.good...); a.status != 200 {
			t.Errorf("%s: %s", test.name, a.body)
		}
		switch {
		case len(test.bad) == 1:
			tag[3] = "bad"
			role = w.role(home, fmt.Sprintf("bad%d", i), trustingAll(accountARN(home), `"Condition":{`+test.condition+`}`), tag...)
			alice.assume(role).fails("AccessDenied", "sts:AssumeRole")
		case test.bad != nil:
			alice.assume(role, test.bad...).fails("AccessDenied", "sts:AssumeRole")
			alice.assume(role).fails("AccessDenied", "sts:AssumeRole")
		}
	}
}

// Tags and a source identity need permissions of their own, from both sides.
func TestTagsAndSourceIdentityNeedPermission(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	plain := w.role(home, "plain", trusting(accountARN(home)))
	tag := []string{"Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}
	alice.assume(plain, tag...).fails("AccessDenied", "sts:TagSession on resource: "+plain)
	alice.assume(plain, "SourceIdentity", "alice").fails("AccessDenied", "sts:SetSourceIdentity on resource: "+plain)

	only := w.user(home, "only", allowing("*", "sts:AssumeRole"))
	dev := w.dev()
	only.must("AssumeRole", "RoleArn", dev, "RoleSessionName", "session")
	only.assume(dev, tag...).fails("AccessDenied", "sts:TagSession on resource: "+dev)

	// The same goes for what a session inherits.
	w.rootOf(home).must("PutRolePolicy", "RoleName", "dev", "PolicyName", "p", "PolicyDocument", everything)
	alice.assume(dev, append(tag, "TransitiveTagKeys.member.1", "k")...).as(w).assume(plain).fails("AccessDenied", "sts:TagSession on resource: "+plain)
	alice.assume(dev, "SourceIdentity", "alice").as(w).assume(plain).fails("AccessDenied", "sts:SetSourceIdentity on resource: "+plain)
	alice.assume(dev, tag...).as(w).must("AssumeRole", "RoleArn", plain, "RoleSessionName", "session") // not transitive
}

// tagParameters are the parameters of a list of tags: key, value, key, value …
func tagParameters(tags ...string) (p []string) {
	for i := 0; i < len(tags); i += 2 {
		p = append(p, fmt.Sprintf("Tags.member.%d.Key", i/2+1), tags[i], fmt.Sprintf("Tags.member.%d.Value", i/2+1), tags[i+1])
	}
	return p
}

func TestWrongTags(t *testing.T) {
	w := newSTSWorld(t)
	alice, dev := w.alice(), w.dev()
	alice.assume(dev, tagParameters("a", "1", "A", "2")...).fails("ValidationError", "Duplicate tag keys")
	alice.assume(dev, tagParameters("aws:x", "1")...).fails("ValidationError", "aws:")
	alice.assume(dev, tagParameters("AWS:x", "1")...).fails("ValidationError", "aws:")
	alice.assume(dev, append(tagParameters("a", "1"), "TransitiveTagKeys.member.1", "b")...).fails("ValidationError", "must be included in the requested tags")
	alice.assume(dev, "SourceIdentity", "aws:x").fails("ValidationError", "sourceIdentity")
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprint("k", i), "v")
	}
	alice.assume(dev, tagParameters(many...)...).fails("ValidationError", "tags")
	alice.must("AssumeRole", append([]string{"RoleArn", dev, "RoleSessionName", "session"}, tagParameters(many[:100]...)...)...)
}

// Transitive tags go along a chain of roles and cannot be changed on the way; others stay behind. The source identity goes
// along for good.
func TestChain(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	roles := map[string]string{}
	for _, name := range []string{"one", "two", "three"} {
		roles[name] = w.role(home, name, trustingAll(accountARN(home)))
		w.rootOf(home).must("PutRolePolicy", "RoleName", name, "PolicyName", "p", "PolicyDocument", everything)
	}
	one := alice.assume(roles["one"], append(tagParameters("Team", "blue", "Local", "x"), "TransitiveTagKeys.member.1", "team", "SourceIdentity", "alice@example.com")...).as(w)
	one.assume(roles["two"], tagParameters("TEAM", "red")...).fails("ValidationError", "conflicts with a transitive tag key")
	one.assume(roles["two"], "SourceIdentity", "bob").fails("AccessDenied", "sts:SetSourceIdentity")
	a := one.assume(roles["two"], append(tagParameters("Local", "y", "More", "z"), "TransitiveTagKeys.member.1", "More", "SourceIdentity", "alice@example.com")...)
	if a.get("SourceIdentity") != "alice@example.com" {
		t.Errorf("source identity %s", a.get("SourceIdentity"))
	}
	three := a.as(w).assume(roles["three"]).as(w)
	c, err := w.s.Lookup(t.Context(), three.id, three.token)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, tag := range c.Caller.Session.Tags {
		got[tag.Key] = tag.Value
	}
	if want := map[string]string{"Team": "blue", "More": "z"}; !maps.Equal(got, want) {
		t.Errorf("tags at the end: %v, want %v", got, want)
	}
	if c.Caller.Session.SourceIdentity != "alice@example.com" {
		t.Errorf("source identity at the end: %q", c.Caller.Session.SourceIdentity)
	}
	// A role's session is what its trust and policies see: aws:PrincipalTag has the session's tags.
	guarded := w.role(home, "guarded", trustingAll(accountARN(home), `"Condition":{"StringEquals":{"aws:PrincipalTag/Team":"blue","aws:SourceIdentity":"alice@example.com"}}`))
	three.must("AssumeRole", "RoleArn", guarded, "RoleSessionName", "session")
	alice.assume(guarded).fails("AccessDenied", "sts:AssumeRole")
}

func TestAuditOfAssumeRole(t *testing.T) {
	w := newSTSWorld(t)
	alice, dev := w.alice(), w.dev()
	alice.assume(dev, "Policy", everything, "DurationSeconds", "900", "ExternalId", "external", "SourceIdentity", "me").as(w)
	e := w.event()
	request, _ := e["requestParameters"].(map[string]any)
	answer, _ := e["responseElements"].(map[string]any)
	credentials, _ := answer["credentials"].(map[string]any)
	user, _ := answer["assumedRoleUser"].(map[string]any)
	if request["policy"] != everything || request["roleArn"] != dev || request["externalId"] != "external" {
		t.Errorf("parameters: %v", request)
	}
	if len(credentials) != 2 || credentials["accessKeyId"] == nil || credentials["expiration"] == nil {
		t.Errorf("credentials: %v", credentials)
	}
	if user["arn"] != "arn:aws:sts::"+home+":assumed-role/dev/session" || answer["sourceIdentity"] != "me" {
		t.Errorf("answer: %v", answer)
	}
	if r := fmt.Sprint(e["resources"]); !strings.Contains(r, dev) || !strings.Contains(r, "AWS::IAM::Role") {
		t.Errorf("resources: %v", r)
	}
	alice.assume("arn:aws:iam::"+home+":role/missing", "TokenCode", "123456").fails("AccessDenied", "")
	if e = w.event(); e["responseElements"] != nil || strings.Contains(fmt.Sprint(e["requestParameters"]), "123456") {
		t.Errorf("of a failure: %v", e)
	}
}
