package iam_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/caller"
)

// TestRecallCaller: who made a call is known from its record, and what its session was begun with from the record of the call
// that began it, and of those before.
func TestRecallCaller(t *testing.T) {
	s, _ := open(t, true)
	parse := func(text string) *audit.Record {
		r, err := audit.ParseRecord([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const (
		user = `{"type":"IAMUser","principalId":"AIDAX","arn":"arn:aws:iam::111122223333:user/a/bob","accountId":"111122223333","accessKeyId":"AKIA1","userName":"bob"}`
		role = `"type":"AssumedRole","principalId":"AROAX:s","arn":"arn:aws:sts::111122223333:assumed-role/R/s","accountId":"111122223333",` +
			`"sessionContext":{"attributes":{"creationDate":"2026-11-01T12:00:00Z","mfaAuthenticated":"false"},` +
			`"sessionIssuer":{"type":"Role","principalId":"AROAX","arn":"arn:aws:iam::111122223333:role/a/R","accountId":"111122223333","userName":"R"},"sourceIdentity":"me"}`
	)
	began := map[string]*audit.Record{
		"ASIA1": parse(`{"eventName":"AssumeRole","userIdentity":` + user + `,"requestParameters":{"tags":[{"key":"team","value":"ops"},{"key":"cost","value":"1"}],` +
			`"transitiveTagKeys":["team"]}}`),
		"ASIA2": parse(`{"eventName":"AssumeRole","userIdentity":{` + role + `,"accessKeyId":"ASIA1"},"requestParameters":{"tags":[{"key":"night","value":"yes"}],` +
			`"policy":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"*\"}}","policyArns":[{"arn":"arn:aws:iam::aws:policy/IAMFullAccess"}]}}`),
		"ASIA3": parse(`{"eventName":"AssumeRoleWithWebIdentity","userIdentity":{"type":"WebIdentityUser"},"requestParameters":{"roleArn":"r"}}`),
	}
	recall := func(identity string) (caller.Caller, int) {
		issued := func(_ context.Context, id string) (*audit.Record, error) { return began[id], nil }
		c, unknown, err := s.RecallCaller(t.Context(), parse(`{"userIdentity":`+identity+`}`), issued)
		if err != nil {
			t.Fatal(err)
		}
		return c, len(unknown)
	}

	c, unknown := recall(user)
	want := caller.Caller{
		Type: caller.User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/a/bob", UserID: "AIDAX", ID: "AIDAX", Name: "bob", AccessKeyID: "AKIA1",
	}
	if diff := cmp.Diff(want, c); diff != "" || unknown != 0 {
		t.Errorf("a user: %d unknown, %s", unknown, diff)
	}

	c, unknown = recall(`{` + role + `,"accessKeyId":"ASIA2"}`)
	tags := []caller.Tag{{Key: "team", Value: "ops"}, {Key: "night", Value: "yes"}}
	if diff := cmp.Diff(tags, c.Session.Tags); diff != "" || unknown != 0 {
		t.Errorf("a chained session: %d unknown, %s", unknown, diff)
	}
	if x := c.Session; !x.Limited || x.Policy == nil || len(x.PolicyARNs) != 1 || x.SourceIdentity != "me" || c.Source != "arn:aws:iam::111122223333:role/a/R" || c.ID != "AROAX" || c.Name != "R" {
		t.Errorf("%+v of %+v", x, c)
	}

	for _, id := range []string{"ASIA3", "ASIA4"} {
		if c, unknown = recall(`{` + role + `,"accessKeyId":"` + id + `"}`); unknown != 1 || c.Session.Limited {
			t.Errorf("%s: %d unknown", id, unknown)
		}
	}
	if c, _ = recall(`{"type":"AWSService","invokedBy":"s3.amazonaws.com","sourceArn":"arn:b"}`); c.ARN != "s3.amazonaws.com" || c.SourceARN != "arn:b" || c.Account != "" {
		t.Errorf("%+v", c)
	}
	const provider = "arn:aws:iam::111122223333:oidc-provider/idp.example.com/a"
	if c, _ = recall(`{"type":"WebIdentityUser","principalId":"` + provider + `:aud:sub"}`); c.Source != provider {
		t.Errorf("%+v", c)
	}
}

// TestHypothetical: who can be simulated.
func TestHypothetical(t *testing.T) {
	s, _ := open(t, true)
	for _, c := range []struct {
		principal string
		ok        bool
		is        caller.Type
	}{
		{"111122223333", true, caller.Root}, {"arn:aws:iam::111122223333:root", true, caller.Root}, {"s3.amazonaws.com", true, caller.Service},
		{"arn:aws:iam::111122223333:user/nobody", false, ""}, {"arn:aws:sts::111122223333:assumed-role/R/s", false, ""}, {"arn:aws:sts::111122223333:assumed-role/R", false, ""},
		{"*", false, ""}, {"", false, ""}, {"arn:aws:s3:::b", false, ""}, {"arn:aws:iam::111122223333:group/g", false, ""},
	} {
		got, ok, err := s.Hypothetical(t.Context(), c.principal)
		if err != nil || ok != c.ok || ok && got.Type != c.is {
			t.Errorf("%s: %+v, %t, %v", c.principal, got, ok, err)
		}
	}
}
