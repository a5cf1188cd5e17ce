package admin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

const (
	administrator = "999988887777"
	owner         = "111122223333"
	guest         = "444455556666"
	aKey          = "arn:aws:kms:us-east-1:" + owner + ":key/k"
)

// nobodyKnown is a directory in which every user may do everything.
type nobodyKnown struct{}

func (nobodyKnown) Identity(_ context.Context, c *caller.Caller) (*authz.Identity, error) {
	if c.ID == "AIDAGONE" {
		return nil, api.UnrecognizedClientException("gone")
	}
	p, err := policy.Parse(policy.Identity, `{"Statement":{"Sid":"guests","Effect":"Allow","Action":"kms:*","Resource":"*"}}`)
	return &authz.Identity{Policies: []authz.Attached{{Name: "user/eve/p", Policy: p}}}, err
}

func (nobodyKnown) Membership(context.Context, string) (*authz.Membership, error) { return nil, nil }

const presentPolicy = `{"Statement":[{"Sid":"owners","Effect":"Allow","Principal":{"AWS":["111122223333","444455556666"]},"Action":"kms:Decrypt","Resource":"*"}]}`

// rehearsal is a Service over a log with calls of guests on a key of the owner's.
func rehearsal(t *testing.T) *Service {
	t.Helper()
	present, err := policy.Parse(policy.Key, presentPolicy)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log, err := audit.Open(t.Context(), audit.Config{Dir: dir, Sync: audit.SyncOS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	for _, r := range []struct{ id, user, action, resource string }{
		{"decrypt", "AIDAEVE", "kms:Decrypt", aKey}, {"sign", "AIDAEVE", "kms:Sign", aKey}, {"gone", "AIDAGONE", "kms:Decrypt", aKey},
		{"other", "AIDAEVE", "kms:Decrypt", aKey + "2"}, {"undecided", "AIDAEVE", "", ""},
	} {
		e := audit.Event{
			RequestID: r.id, Time: time.Unix(1e9, 0), Source: "kms.amazonaws.com", Name: strings.TrimPrefix(r.action, "kms:"), Region: "us-east-1", Account: guest,
			Caller: caller.Caller{Type: caller.User, Account: guest, ARN: "arn:aws:iam::" + guest + ":user/eve", UserID: r.user, Name: "eve"},
		}
		if r.action != "" {
			e.Authorization = []byte(`[{"action":"` + r.action + `","resource":"` + r.resource + `","allowed":true,"layer":"identity-based policy","policy":"user/eve/p","statement":0}]`)
		}
		if err := log.Append(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}
	recall := func(_ context.Context, _ *service.Call, r *audit.Record) (all []authz.Access, _ []string, _ error) {
		for _, d := range r.Authorized {
			all = append(all, authz.Access{Action: d.Action, Resource: d.Resource, Account: owner, Policy: present})
		}
		return all, nil, nil
	}
	return New(Config{Account: administrator, Decisions: Decisions{
		Explainer: &authz.Explainer{Authorizer: authz.New(nobodyKnown{})}, Log: audit.Reader{Dir: dir},
		Caller: func(_ context.Context, r *audit.Record, _ func(context.Context, string) (*audit.Record, error)) (caller.Caller, []string, error) {
			return caller.Caller{Type: caller.User, Account: guest, ARN: r.Identity.ARN, ID: r.Identity.PrincipalID, Name: "eve"}, nil, nil
		},
		Recall: map[string]func(context.Context, *service.Call, *audit.Record) ([]authz.Access, []string, error){"kms.amazonaws.com": recall},
		KeyARN: func(context.Context, *service.Call, string) (string, string, error) { return aKey, owner, nil },
	}})
}

func callOf(account string) *service.Call {
	return &service.Call{Caller: caller.RootOf(account, "AKIA"), Now: time.Unix(2e9, 0), Event: new(audit.Event)}
}

func code(err error) string {
	e, _ := errors.AsType[*api.Error](err)
	if e == nil {
		return ""
	}
	return e.Code
}

// TestExplanationsAreForThoseConcerned: the caller's account, the key's account, and administrators; each sees what is its own.
func TestExplanationsAreForThoseConcerned(t *testing.T) {
	s := rehearsal(t)
	for _, c := range []struct{ account, id, shows, hides string }{
		{guest, "decrypt", "guests", "owners"}, {owner, "decrypt", "owners", "guests"}, {administrator, "decrypt", "owners", "nothing"},
		{"000000000000", "decrypt", "", ""}, {guest, "none", "", ""}, {guest, "undecided", "not decided by policies", "owners"},
		{guest, "gone", "does not exist any more", "owners"}, {owner, "undecided", "", ""},
	} {
		out, err := s.explainDecision(t.Context(), callOf(c.account), &trentapi.ExplainDecisionRequest{RequestId: &c.id})
		if c.shows == "" {
			if code(err) != "NotFoundException" {
				t.Errorf("%s sees %s: %v %v", c.account, c.id, out, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s, %s: %v", c.account, c.id, err)
			continue
		}
		var x ExplainedCall
		if err := json.Unmarshal([]byte(*out.Trace), &x); err != nil || x.RequestID != c.id {
			t.Errorf("%v: %s", err, *out.Trace)
		}
		if !strings.Contains(*out.Trace, c.shows) || strings.Contains(*out.Trace, c.hides) {
			t.Errorf("%s, %s: %s", c.account, c.id, *out.Trace)
		}
	}
	x, _ := s.explainDecision(t.Context(), callOf(owner), &trentapi.ExplainDecisionRequest{RequestId: new("sign")})
	if !strings.Contains(*x.Trace, `"changed":true`) || strings.Contains(*x.Trace, `user/eve/p`) {
		t.Errorf("a decision that would be another one today: %s", *x.Trace)
	}
}

func TestReplayTellsWhatWouldChange(t *testing.T) {
	s := rehearsal(t)
	only := func(action string) *trentapi.ReplayPolicyRequest {
		return &trentapi.ReplayPolicyRequest{KeyId: new("k"), Policy: new(strings.ReplaceAll(presentPolicy, "kms:Decrypt", action))}
	}
	for _, c := range []struct {
		name    string
		in      *trentapi.ReplayPolicyRequest
		changes []string // request id, before, after
	}{
		// Recorded as allowed, denied by the present policy: "sign" is no change of a policy that is the same.
		{"the same policy", only("kms:Decrypt"), nil},
		{"less", only("kms:Encrypt"), []string{"decrypt allowed denied"}},
		{"more", only("kms:*"), []string{"sign denied allowed"}},
		{"another", only("kms:Sign"), []string{"decrypt allowed denied", "sign denied allowed"}},
	} {
		out, err := s.replayPolicy(t.Context(), callOf(owner), c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, x := range out.Changes {
			got = append(got, *x.RequestId+" "+*x.Before+" "+*x.After)
			if *x.Reason == "" || *x.Principal == "" || *x.Action == "" || !x.EventTime.Equal(time.Unix(1e9, 0)) {
				t.Errorf("%s: %+v", c.name, x)
			}
		}
		if strings.Join(got, ", ") != strings.Join(c.changes, ", ") || *out.Truncated || *out.Examined != 3 {
			t.Errorf("%s: %d examined, truncated %t, changes %q", c.name, *out.Examined, *out.Truncated, got)
		}
	}
	before := only("kms:Encrypt")
	before.EndTime = new(time.Unix(9e8, 0))
	if out, err := s.replayPolicy(t.Context(), callOf(owner), before); err != nil || *out.Examined != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	for _, c := range []*trentapi.ReplayPolicyRequest{only("kms:*"), only("kms:Encrypt")} {
		out, err := s.replayPolicy(t.Context(), callOf(owner), c)
		if err != nil || len(out.Changes) == 0 || strings.Contains(*out.Changes[0].Reason, "user/eve/p") {
			t.Errorf("the key's owner is told of the caller's own policies: %v, %v", out, err)
		}
	}
	foreign := only("kms:*")
	foreign.KeyId = new(aKey)
	if _, err := s.replayPolicy(t.Context(), callOf(guest), foreign); code(err) != "AccessDeniedException" {
		t.Errorf("another account's key: %v", err)
	}
	if _, err := s.replayPolicy(t.Context(), callOf(owner), only("kms:De crypt")); code(err) != "MalformedPolicyDocumentException" {
		t.Errorf("a malformed policy: %v", err)
	}
}

// TestOthersThingsAreNotLookedUp: what is asked about another account's keys, aliases, users and roles is answered without
// finding out about them, and so the same for those that do not exist.
func TestOthersThingsAreNotLookedUp(t *testing.T) {
	s := rehearsal(t)
	mine := "arn:aws:iam::" + guest + ":user/eve"
	d := &s.Decisions
	d.KeyARN = func(_ context.Context, _ *service.Call, id string) (string, string, error) {
		t.Errorf("%s is looked up", id)
		return "", "", errors.New("looked up")
	}
	d.Suppose = func(_ context.Context, _ *service.Call, action, resource string, _ bool) (authz.Access, error) {
		t.Errorf("%s on %s is looked up", action, resource)
		return authz.Access{}, errors.New("looked up")
	}
	d.Principal = func(_ context.Context, arn string) (caller.Caller, bool, error) {
		if arn != mine {
			t.Errorf("%s is looked up", arn)
		}
		return caller.Caller{Type: caller.User, Account: guest, ARN: mine, ID: "AIDAEVE", Name: "eve"}, true, nil
	}
	for _, resource := range []string{aKey, "arn:aws:kms:us-east-1:" + owner + ":alias/app", "arn:aws:iam::" + owner + ":role/r"} {
		for _, action := range []string{"kms:Decrypt", "kms:CreateAlias", "sts:AssumeRole"} {
			in := &trentapi.SimulatePolicyRequest{PrincipalArn: &mine, Action: &action, Resource: &resource}
			out, err := s.simulatePolicy(t.Context(), callOf(guest), in)
			if err != nil || *out.Allowed || !strings.Contains(*out.Trace, resource) {
				t.Errorf("%s on %s: %v, %v", action, resource, out, err)
			}
		}
		if _, err := s.whoCan(t.Context(), callOf(guest), &trentapi.WhoCanRequest{Action: new("kms:Decrypt"), KeyId: &resource}); code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), resource) {
			t.Errorf("who can decrypt with %s: %v", resource, err)
		}
		if _, err := s.replayPolicy(t.Context(), callOf(guest), &trentapi.ReplayPolicyRequest{KeyId: &resource, Policy: new(presentPolicy)}); code(err) != "AccessDeniedException" {
			t.Errorf("replay on %s: %v", resource, err)
		}
	}
	// What the request brings along counts.
	in := &trentapi.SimulatePolicyRequest{PrincipalArn: &mine, Action: new("kms:Decrypt"), Resource: new(aKey), KeyPolicy: new(presentPolicy)}
	if out, err := s.simulatePolicy(t.Context(), callOf(guest), in); err != nil || !*out.Allowed {
		t.Errorf("with a key policy: %v, %v", out, err)
	}
	for _, principal := range []string{"arn:aws:iam::" + owner + ":user/u", "arn:aws:iam::" + owner + ":user/none", owner, "s3.amazonaws.com", "nobody"} {
		in := &trentapi.SimulatePolicyRequest{PrincipalArn: &principal, Action: new("kms:Decrypt"), Resource: new(aKey)}
		if _, err := s.simulatePolicy(t.Context(), callOf(guest), in); code(err) != "AccessDeniedException" {
			t.Errorf("%s: %v", principal, err)
		}
	}
}

// TestOneAccountDoesNotTakeAllTurns: one that asks for many explanations waits for itself.
func TestOneAccountDoesNotTakeAllTurns(t *testing.T) {
	s := rehearsal(t)
	done, err := s.think(t.Context(), callOf(guest))
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.think(gone, callOf(guest)); !errors.Is(err, context.Canceled) {
		t.Errorf("a second one of the account: %v", err)
	}
	other, err := s.think(t.Context(), callOf(owner))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.think(gone, callOf(administrator)); !errors.Is(err, context.Canceled) {
		t.Errorf("more than %d: %v", maxThinking, err)
	}
	done()
	other()
	for _, account := range []string{guest, owner, administrator} {
		if done, err = s.think(t.Context(), callOf(account)); err != nil {
			t.Fatal(err)
		}
		done()
	}
}

// forbidden is a directory in which no user may do anything.
type forbidden struct{ nobodyKnown }

func (forbidden) Identity(context.Context, *caller.Caller) (*authz.Identity, error) {
	p, err := policy.Parse(policy.Identity, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	return &authz.Identity{Policies: []authz.Attached{{Name: "user/eve/no", Policy: p}}}, err
}

// TestReplayTellsNothingOfOtherAccounts: the owner of a key cannot try out what other accounts' policies say by policies that
// let their principals in.
func TestReplayTellsNothingOfOtherAccounts(t *testing.T) {
	rows := func(d authz.Directory, account, document string) (text string) {
		s := rehearsal(t)
		s.Decisions.Explainer = &authz.Explainer{Authorizer: authz.New(d)}
		out, err := s.replayPolicy(t.Context(), callOf(account), &trentapi.ReplayPolicyRequest{KeyId: new("k"), Policy: &document})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range out.Changes {
			if *x.RequestId != "gone" {
				text += *x.RequestId + " " + *x.Before + " " + *x.After + " " + *x.Reason + "\n"
			}
		}
		return text
	}
	document := strings.ReplaceAll(presentPolicy, "kms:Decrypt", "kms:Sign")
	want := rows(nobodyKnown{}, owner, document)
	if !strings.Contains(want, "sign denied allowed") || !strings.Contains(want, "Account "+guest+" has to allow it too.") {
		t.Error(want)
	}
	if got := rows(forbidden{}, owner, document); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := rows(forbidden{}, administrator, document); got != "" {
		t.Errorf("to administrators, who may know that nothing changes:\n%s", got)
	}
}

// TestRecordedLayersAreThoseThatWereTold: what is shown of a recorded denial is what the caller's error message told.
func TestRecordedLayersAreThoseThatWereTold(t *testing.T) {
	const identity, control, resource = "identity-based policy", "resource control policy", "resource-based policy"
	key, err := policy.Parse(policy.Key, presentPolicy)
	if err != nil {
		t.Fatal(err)
	}
	c := caller.Caller{Type: caller.User, Account: guest, ARN: "arn:aws:iam::" + guest + ":user/eve", Name: "eve", ID: "AIDAEVE"}
	for _, row := range []struct{ layer, told, viewer, want string }{
		{identity, resource, owner, resource}, {identity, identity, owner, identity}, {identity, resource, guest, identity}, {identity, resource, "", identity},
		{control, resource, guest, resource}, {control, control, guest, control}, {control, resource, owner, control},
	} {
		x := authz.Explainer{Authorizer: authz.New(nobodyKnown{})}
		e, err := x.Explain(t.Context(), authz.Question{Viewer: row.viewer, Request: &authz.Request{Caller: &c}, Access: &authz.Access{Action: "kms:Decrypt", Resource: aKey, Account: owner, Policy: key}})
		if err != nil || !e.Allowed {
			t.Fatal(e, err)
		}
		out := &ExplainedCall{
			Message:  "User: x is not authorized to perform: kms:Decrypt on resource: y because no " + row.told + " allows the kms:Decrypt action",
			Recorded: []audit.Authorized{{Action: "kms:Decrypt", Resource: aKey, Layer: row.layer}}, Decisions: []*authz.Explanation{e},
		}
		if out.compare(row.viewer); out.Recorded[0].Layer != row.want || !out.Changed {
			t.Errorf("%+v: %s, changed %t", row, out.Recorded[0].Layer, out.Changed)
		}
	}
}
