package iam

import (
	"strings"
	"testing"
	"time"

	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

func (a stsAnswer) lasts(w *stsWorld, want time.Duration) {
	a.t.Helper()
	ends, err := time.Parse(time.RFC3339, a.get("Expiration"))
	if left := ends.Sub(w.clock.Now()).Round(5 * time.Second); err != nil || left != want {
		a.t.Errorf("lasts %v, %v; want %v", left, err, want)
	}
}

func TestGetSessionToken(t *testing.T) {
	w := newSTSWorld(t)
	powerless := w.user(home, "powerless", "") // no permission is needed
	powerless.must("GetSessionToken").lasts(w, 12*time.Hour)
	powerless.must("GetSessionToken", "DurationSeconds", "129600").lasts(w, 36*time.Hour)
	powerless.must("GetSessionToken", "DurationSeconds", "900").lasts(w, 15*time.Minute)
	for _, bad := range []string{"899", "129601", "x"} {
		if a := powerless.do("GetSessionToken", "DurationSeconds", bad); a.status != 400 {
			t.Errorf("%s: %s", bad, a.body)
		}
	}
	root := w.rootOf(home)
	root.must("GetSessionToken").lasts(w, time.Hour)
	root.must("GetSessionToken", "DurationSeconds", "129600").lasts(w, time.Hour)
	root.must("GetSessionToken", "DurationSeconds", "900").lasts(w, 15*time.Minute)
	for _, mfa := range [][]string{{"SerialNumber", "arn:aws:iam::" + home + ":mfa/x", "TokenCode", "123456"}, {"TokenCode", "123456"}, {"SerialNumber", "GAHT12345678"}} {
		powerless.do("GetSessionToken", mfa...).fails("AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code.")
	}
}

// Which operations temporary credentials can call, whatever their policies say (IAM User Guide, "Compare AWS STS
// credentials").
func TestWhatSessionsCanCall(t *testing.T) {
	w := newSTSWorld(t)
	alice, root, dev := w.alice(), w.rootOf(home), w.dev()
	root.must("PutRolePolicy", "RoleName", "dev", "PolicyName", "p", "PolicyDocument", everything)
	ofUser, ofRoot := alice.must("GetSessionToken").as(w), root.must("GetSessionToken").as(w)
	ofRole := alice.assume(dev).as(w)
	federated := alice.must("GetFederationToken", "Name", "bob", "Policy", everything).as(w)
	const invalid, denied = "InvalidClientTokenId", "AccessDenied"
	tests := []struct {
		name    string
		session stsUser
		want    map[string]string
	}{
		{"GetSessionToken of a user", ofUser, map[string]string{
			"ListUsers": invalid, "GetSessionToken": denied, "GetFederationToken": denied, "GetAccessKeyInfo": denied, "AssumeRole": "", "GetCallerIdentity": "",
		}},
		{"GetSessionToken of a root user", ofRoot, map[string]string{
			"ListUsers": invalid, "GetSessionToken": denied, "GetFederationToken": denied, "GetAccessKeyInfo": denied, "AssumeRole": denied, "GetCallerIdentity": "",
		}},
		{"AssumeRole", ofRole, map[string]string{
			"ListUsers": "", "GetSessionToken": denied, "GetFederationToken": denied, "GetAccessKeyInfo": "", "AssumeRole": "", "GetCallerIdentity": "",
		}},
		{"GetFederationToken", federated, map[string]string{
			"ListUsers": invalid, "GetSessionToken": denied, "GetFederationToken": denied, "GetAccessKeyInfo": denied, "AssumeRole": denied, "GetCallerIdentity": "",
		}},
	}
	parameters := map[string][]string{
		"AssumeRole": {"RoleArn", dev, "RoleSessionName", "session"}, "GetFederationToken": {"Name", "bob"}, "GetAccessKeyInfo": {"AccessKeyId", alice.id},
	}
	checked := 0
	for _, test := range tests {
		for action, want := range test.want {
			got := ""
			if a := test.session.do(action, parameters[action]...); a.status != 200 {
				got = a.get("Code")
			}
			if got != want {
				t.Errorf("%s: %s: got %q, want %q", test.name, action, got, want)
			}
			checked++
		}
	}
	if checked != 24 {
		t.Errorf("%d checks", checked)
	}
	ofRole.do("GetSessionToken").fails(denied, "Cannot call GetSessionToken with session credentials")
}

func TestGetFederationToken(t *testing.T) {
	w := newSTSWorld(t)
	bob := "arn:aws:sts::" + home + ":federated-user/bob"
	alice := w.user(home, "alice", allowing(bob, "sts:GetFederationToken"))
	a := alice.must("GetFederationToken", "Name", "bob")
	a.lasts(w, 12*time.Hour)
	if a.get("Arn") != bob || a.get("FederatedUserId") != home+":bob" {
		t.Errorf("%s", a.body)
	}
	who := a.as(w).must("GetCallerIdentity")
	if who.get("Arn") != bob || who.get("UserId") != home+":bob" {
		t.Errorf("%s", who.body)
	}
	alice.do("GetFederationToken", "Name", "eve").fails("AccessDenied", "is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::"+home+":federated-user/eve")
	alice.do("GetFederationToken", append([]string{"Name", "bob"}, tagParameters("k", "v")...)...).fails("AccessDenied", "sts:TagSession on resource: "+bob)
	alice.do("GetFederationToken", "Name", "bob", "Policy", "{").fails("MalformedPolicyDocument", "")
	alice.do("GetFederationToken", "Name", "bob", "Policy", allowing("*", strings.Repeat("x", 2048))).fails("ValidationError", "policy")
	alice.do("GetFederationToken", "Name", "b").fails("ValidationError", "name")
	root := w.rootOf(home)
	root.must("GetFederationToken", "Name", "bob", "DurationSeconds", "43200").lasts(w, time.Hour)
	tagged := root.must("GetFederationToken", append([]string{"Name", "bob", "Policy", everything}, tagParameters("k", "v")...)...)
	if tagged.get("PackedPolicySize") != "3" {
		t.Errorf("packed: %s", tagged.get("PackedPolicySize"))
	}
	session := tagged.as(w)
	c, err := w.s.Lookup(t.Context(), session.id, session.token)
	if err != nil || len(c.Caller.Session.Tags) != 1 || !c.Caller.Session.Limited || c.Caller.Session.Policy == nil {
		t.Errorf("%+v, %v", c.Caller.Session, err)
	}
}

func TestGetAccessKeyInfo(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	session := w.user(abroad, "mallory", everything).must("GetSessionToken").as(w)
	key := w.rootOf(home).must("CreateAccessKey", "UserName", "alice").get("AccessKeyId")
	w.rootOf(home).must("UpdateAccessKey", "UserName", "alice", "AccessKeyId", key, "Status", "Inactive")
	for id, want := range map[string]string{alice.id: home, key: home, session.id: abroad} {
		if got := alice.must("GetAccessKeyInfo", "AccessKeyId", id).get("Account"); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	for _, id := range []string{"AKIAAAAAAAAAAAAAAAAA", "ASIAAAAAAAAAAAAAAAAA", "ASIA7777777777777777", "XXXXXXXXXXXXXXXXXXXX"} {
		alice.do("GetAccessKeyInfo", "AccessKeyId", id).fails("ValidationError", id)
	}
	w.user(home, "powerless", "").do("GetAccessKeyInfo", "AccessKeyId", alice.id).fails("AccessDenied", "sts:GetAccessKeyInfo")
}

// A service that carries out a user's request gets no credentials of the user, which would last longer than the request.
func TestForwardedRequestsGetNoCredentials(t *testing.T) {
	w := newSTSWorld(t)
	c := &service.Call{Operation: "X", Caller: caller.Caller{Type: caller.User, Account: home, ID: "AIDA", Forwarder: "s3.amazonaws.com"}}
	service := &service.Call{Operation: "X", Caller: caller.Caller{Type: caller.Service, ARN: "s3.amazonaws.com"}}
	_, assume := w.s.resolveAssumeRole(t.Context(), c, &stsapi.AssumeRoleRequest{})
	_, session := resolveSessionToken(t.Context(), c, &stsapi.GetSessionTokenRequest{})
	_, federation := w.s.resolveFederationToken(t.Context(), c, &stsapi.GetFederationTokenRequest{})
	_, own := resolveSessionToken(t.Context(), service, &stsapi.GetSessionTokenRequest{})
	for name, err := range map[string]error{"AssumeRole": assume, "GetSessionToken": session, "GetFederationToken": federation, "a service's own": own} {
		if err == nil || !strings.HasPrefix(err.Error(), "AccessDeniedException: Cannot call X with ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
