package audit

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/caller"
)

// The shapes are those of the samples in the CloudTrail User Guide, "CloudTrail userIdentity element" (2026).
func TestRecordsSayWhoAsked(t *testing.T) {
	const account = "111122223333"
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	const attributes = `"attributes": {"creationDate": "2026-01-02T03:04:05Z", "mfaAuthenticated": "false"}`
	const role = `"sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "arn": "arn:aws:iam::111122223333:role/path/app",
		"accountId": "111122223333", "userName": "app"}`
	user := caller.Caller{
		Type: caller.User, Account: account, ARN: "arn:aws:iam::111122223333:user/carol", UserID: "AIDAEXAMPLE", AccessKeyID: "AKIAEXAMPLE",
		Name: "carol", ID: "AIDAEXAMPLE",
	}
	session := caller.Caller{
		Type: caller.Role, Account: account, ARN: "arn:aws:sts::111122223333:assumed-role/app/monday", UserID: "AROAEXAMPLE:monday",
		AccessKeyID: "ASIAEXAMPLE", Name: "app", ID: "AROAEXAMPLE", Source: "arn:aws:iam::111122223333:role/path/app",
		Session: &caller.Session{Issued: at},
	}
	const asUser = `"type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": "arn:aws:iam::111122223333:user/carol",
		"accountId": "111122223333", "accessKeyId": "AKIAEXAMPLE", "userName": "carol"`
	const asSession = `"type": "AssumedRole", "principalId": "AROAEXAMPLE:monday", "accountId": "111122223333",
		"arn": "arn:aws:sts::111122223333:assumed-role/app/monday", "accessKeyId": "ASIAEXAMPLE"`
	for _, tt := range []struct {
		name   string
		caller caller.Caller
		want   string
	}{
		{"user", user, asUser},
		{
			"user with temporary credentials and MFA", with(user, func(c *caller.Caller) { c.Session = &caller.Session{Issued: at, MFA: true} }),
			asUser + `, "sessionContext": {"attributes": {"creationDate": "2026-01-02T03:04:05Z", "mfaAuthenticated": "true"}}`,
		},
		{"user through a service", with(user, func(c *caller.Caller) { c.Forwarder = "s3.amazonaws.com" }), asUser + `, "invokedBy": "s3.amazonaws.com"`},
		{"role session", session, asSession + `, "sessionContext": {` + attributes + `, ` + role + `}`},
		{
			"role session of a web identity", with(session, func(c *caller.Caller) {
				c.Session = &caller.Session{Issued: at, SourceIdentity: "carol", Provider: "https://ci.example.com"}
			}), asSession + `, "sessionContext": {` + attributes + `, ` + role + `, "sourceIdentity": "carol",
				"webIdFederationData": {"federatedProvider": "https://ci.example.com"}}`,
		},
		{"federated user", caller.Caller{
			Type: caller.Federated, Account: account, ARN: "arn:aws:sts::111122223333:federated-user/dave", UserID: "111122223333:dave",
			AccessKeyID: "ASIAEXAMPLE", Name: "carol", ID: "AIDAEXAMPLE", Source: user.ARN, Session: &caller.Session{Issued: at},
		}, `"type": "FederatedUser", "principalId": "111122223333:dave", "arn": "arn:aws:sts::111122223333:federated-user/dave",
			"accountId": "111122223333", "accessKeyId": "ASIAEXAMPLE", "sessionContext": {` + attributes + `, "sessionIssuer": {"type": "IAMUser",
			"principalId": "AIDAEXAMPLE", "arn": "arn:aws:iam::111122223333:user/carol", "accountId": "111122223333", "userName": "carol"}}`},
		{
			"service", caller.Caller{Type: caller.Service, ARN: "s3.amazonaws.com", UserID: "s3.amazonaws.com", AccessKeyID: "AKIAEXAMPLE"},
			`"type": "AWSService", "invokedBy": "s3.amazonaws.com"`,
		},
		{"service for a resource", caller.Caller{
			Type: caller.Service, ARN: "s3.amazonaws.com", SourceARN: "arn:aws:s3:::bucket", SourceAccount: account,
		}, `"type": "AWSService", "invokedBy": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::bucket", "sourceAccount": "111122223333"`},
	} {
		e := decryptEvent()
		e.Caller = tt.caller
		if diff := cmp.Diff(object(t, []byte("{"+tt.want+"}")), object(t, e.AppendJSON(nil))["userIdentity"].(map[string]any)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func with(c caller.Caller, change func(*caller.Caller)) caller.Caller {
	change(&c)
	return c
}

// How a call was decided, and through which endpoint it came, is there if it is known.
func TestRecordsSayHowItWasDecided(t *testing.T) {
	e := decryptEvent()
	got := object(t, e.AppendJSON(nil))
	for _, member := range []string{"authorization", "vpcEndpointId"} {
		if v, there := got[member]; there {
			t.Errorf("%s is %v", member, v)
		}
	}
	e.EndpointID, e.Authorization = "vpce-1a2b3c4d", []byte(`[{"action":"kms:Decrypt","allowed":true}]`)
	got = object(t, e.AppendJSON(nil))
	want := []any{map[string]any{"action": "kms:Decrypt", "allowed": true}}
	if diff := cmp.Diff(want, got["authorization"]); diff != "" || got["vpcEndpointId"] != "vpce-1a2b3c4d" {
		t.Errorf("%v: %s", got["vpcEndpointId"], diff)
	}
	e.Authorization = e.Authorization[:0] // memory that was used before
	if v, there := object(t, e.AppendJSON(nil))["authorization"]; there {
		t.Errorf("authorization is %v", v)
	}
}
