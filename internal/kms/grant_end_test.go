package kms_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

func TestGrantsEndInEveryKeyState(t *testing.T) {
	u := grantWorld(t).as(alice)
	for state, reach := range map[string]func(id string){
		"Enabled": func(string) {}, "Disabled": u.disable, "PendingDeletion": func(id string) { u.schedule(id) },
	} {
		id := u.createKey()
		var tokens, ids []string
		for range 3 {
			grant, token := u.createGrant(grantRequest(id))
			ids, tokens = append(ids, grant), append(tokens, token)
		}
		reach(id)
		if got := u.keyState(id); got != state {
			t.Fatalf("the key is %s, want %s", got, state)
		}
		if n := len(u.grantsOf(id)); n != 3 {
			t.Errorf("%s: %d grants, want 3", state, n)
		}
		u.must(&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: tokens})
		if a := u.send(grantRequest(id)); a.ok() != (state == "Enabled") {
			t.Errorf("%s: CreateGrant answers %d %s", state, a.status, a.code)
		}
		u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &ids[0]})
		u.must(&kmsapi.RetireGrantRequest{KeyId: new(u.keyARN(id)), GrantId: &ids[1]})
		u.must(&kmsapi.RetireGrantRequest{GrantToken: &tokens[2]})
	}
	u.checkGrants()
}

func TestEndOfAGrant(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id := u.createKey()
	arn := u.keyARN(id)
	grant, token := "", ""
	ends := map[string]func() request{
		"RevokeGrant":                 func() request { return &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant} },
		"RevokeGrant by ARN":          func() request { return &kmsapi.RevokeGrantRequest{KeyId: &arn, GrantId: &grant} },
		"RetireGrant by id":           func() request { return &kmsapi.RetireGrantRequest{KeyId: &arn, GrantId: &grant} },
		"RetireGrant by token":        func() request { return &kmsapi.RetireGrantRequest{GrantToken: &token} },
		"RetireGrant by second token": func() request { return &kmsapi.RetireGrantRequest{GrantToken: &token} },
	}
	for name, end := range ends {
		in := grantRequest(id)
		in.Name, in.RetiringPrincipal = new("app"), new(role)
		grant, token = u.createGrant(in)
		if strings.Contains(name, "second") {
			_, token = u.createGrant(in)
		}
		a := u.must(end())
		e := w.eventOf(a)
		if string(e.ResponseElements) != `{"keyId":"`+arn+`"}` || len(e.Resources) != 1 || e.Resources[0].ARN != arn {
			t.Errorf("%s: recorded %s %v", name, e.ResponseElements, e.Resources)
		}
		if want := `{"grantId":"` + grant + `"}`; a.operation == "RetireGrant" && string(e.AdditionalEventData) != want {
			t.Errorf("%s: additionalEventData %s, want %s", name, e.AdditionalEventData, want)
		}
		if strings.Contains(name, "token") && string(e.RequestParameters) != "null" {
			t.Errorf("%s: requestParameters %s", name, e.RequestParameters)
		}
		if n := len(u.grantsOf(id)) + len(u.retirable(role)); n != 0 {
			t.Errorf("%s: %d grants are left", name, n)
		}
		u.refused(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant}, "NotFoundException", "Grant ID "+grant+" not found")
		u.refused(&kmsapi.RetireGrantRequest{KeyId: &arn, GrantId: &grant}, "NotFoundException", "Grant ID "+grant+" not found")
		u.refused(&kmsapi.RetireGrantRequest{GrantToken: &token}, "InvalidGrantTokenException", invalidToken)
		u.refused(&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: []string{token}}, "InvalidGrantTokenException", invalidToken)
	}
	w.checkGrants()
}

func TestEndOfNoGrant(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	u.createAlias("alias/app", id)
	grant, token := u.createGrant(grantRequest(id))
	foreign := w.as(bob).createKey()
	theirs, theirToken := w.as(bob).createGrant(grantRequest(foreign))
	none, noneARN := u.nobody()
	unknown := strings.Repeat("0", 64)
	const form = "Grant token OR (grant ID, key ID) must be specified"
	arn, foreignARN := u.keyARN(id), w.as(bob).keyARN(foreign)
	denied := func(action, resource string) string {
		return "User: " + u.principal() + " is not authorized to perform: kms:" + action + " on resource: " + resource + " because no resource-based policy allows the kms:" + action + " action"
	}
	for _, row := range []struct {
		name          string
		in            request
		code, message string
	}{
		{"nothing", &kmsapi.RetireGrantRequest{}, "ValidationException", form},
		{"key only", &kmsapi.RetireGrantRequest{KeyId: &arn}, "ValidationException", form},
		{"grant only", &kmsapi.RetireGrantRequest{GrantId: &grant}, "ValidationException", form},
		{"token and grant", &kmsapi.RetireGrantRequest{GrantToken: &token, GrantId: &grant}, "ValidationException", form},
		{"token and key", &kmsapi.RetireGrantRequest{GrantToken: &token, KeyId: &arn}, "ValidationException", form},
		{"all", &kmsapi.RetireGrantRequest{GrantToken: &token, KeyId: &arn, GrantId: &grant}, "ValidationException", form},
		{"key id", &kmsapi.RetireGrantRequest{KeyId: &id, GrantId: &grant}, "InvalidArnException", "Invalid arn " + id},
		{"alias", &kmsapi.RetireGrantRequest{KeyId: new("alias/app"), GrantId: &grant}, "InvalidArnException", "Invalid arn alias/app"},
		{"alias ARN", &kmsapi.RetireGrantRequest{KeyId: new(u.arn("alias/app")), GrantId: &grant}, "NotFoundException", "Invalid keyId '" + u.arn("alias/app") + "'"},
		{"broken ARN", &kmsapi.RetireGrantRequest{KeyId: new("arn:aws:kms:x"), GrantId: &grant}, "InvalidArnException", "Invalid arn arn:aws:kms:x"},
		{"no such key", &kmsapi.RetireGrantRequest{KeyId: &noneARN, GrantId: &grant}, "NotFoundException", "Key '" + noneARN + "' does not exist"},
		{"grant of another key", &kmsapi.RetireGrantRequest{KeyId: new(u.keyARN(other)), GrantId: &grant}, "NotFoundException", "Grant ID " + grant + " not found"},
		{"unknown grant", &kmsapi.RetireGrantRequest{KeyId: &arn, GrantId: &unknown}, "NotFoundException", "Grant ID " + unknown + " not found"},
		{"malformed grant id", &kmsapi.RetireGrantRequest{KeyId: &arn, GrantId: new("../" + grant)}, "InvalidGrantIdException", "Invalid grant ID '../" + grant + "'"},
		{"another account's key", &kmsapi.RetireGrantRequest{KeyId: &foreignARN, GrantId: &theirs}, "AccessDeniedException", denied("RetireGrant", foreignARN)},
		{"another account's key, unknown grant", &kmsapi.RetireGrantRequest{KeyId: &foreignARN, GrantId: &unknown}, "AccessDeniedException", denied("RetireGrant", foreignARN)},
		{"another account's token", &kmsapi.RetireGrantRequest{GrantToken: &theirToken}, "AccessDeniedException", denied("RetireGrant", "*")},
		{"revoke: alias", &kmsapi.RevokeGrantRequest{KeyId: new("alias/app"), GrantId: &grant}, "NotFoundException", "Invalid keyId 'alias/app'"},
		{"revoke: no such key", &kmsapi.RevokeGrantRequest{KeyId: &none, GrantId: &grant}, "NotFoundException", "Key '" + noneARN + "' does not exist"},
		{"revoke: grant of another key", &kmsapi.RevokeGrantRequest{KeyId: &other, GrantId: &grant}, "NotFoundException", "Grant ID " + grant + " not found"},
		{"revoke: malformed grant id", &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: new(strings.ToUpper(grant))}, "InvalidGrantIdException", "Invalid grant ID '" + strings.ToUpper(grant) + "'"},
		{"revoke: another account's key", &kmsapi.RevokeGrantRequest{KeyId: &foreignARN, GrantId: &theirs}, "AccessDeniedException", denied("RevokeGrant", foreignARN)},
		{"create: another account's key", grantRequest(foreignARN), "AccessDeniedException", denied("CreateGrant", foreignARN)},
		{"create: alias", grantRequest("alias/app"), "NotFoundException", "Invalid keyId 'alias/app'"},
	} {
		before := w.revision()
		if a := u.send(row.in); a.code != row.code || a.message != row.message {
			t.Errorf("%s: got %q %q, want %q %q", row.name, a.code, a.message, row.code, row.message)
		}
		if after := w.revision(); after != before {
			t.Errorf("%s: something has changed", row.name)
		}
	}
	if len(u.grantsOf(id)) != 1 || len(w.as(bob).grantsOf(foreign)) != 1 {
		t.Error("a grant has ended")
	}
	w.checkGrants()
}

func TestDryRunOfGrants(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id := u.createKey()
	named := grantRequest(id)
	named.Name = new("app")
	grant, token := u.createGrant(named)
	unknown, yes := strings.Repeat("0", 64), new(true)
	create := func(change func(*kmsapi.CreateGrantRequest)) *kmsapi.CreateGrantRequest {
		in := grantRequest(id)
		in.DryRun = yes
		change(in)
		return in
	}
	for _, row := range []struct {
		name string
		in   request
		code string // "": would succeed
	}{
		{"create", create(func(*kmsapi.CreateGrantRequest) {}), ""},
		{"create again", create(func(in *kmsapi.CreateGrantRequest) { in.Name = named.Name }), ""},
		{"create with a new name", create(func(in *kmsapi.CreateGrantRequest) { in.Name = new("new") }), ""},
		{"create with a token", create(func(in *kmsapi.CreateGrantRequest) { in.GrantTokens = []string{token} }), ""},
		{"create with a wrong token", create(func(in *kmsapi.CreateGrantRequest) { in.GrantTokens = []string{"x"} }), "InvalidGrantTokenException"},
		{"create, wrong operation", create(func(in *kmsapi.CreateGrantRequest) { in.Operations = []kmsapi.GrantOperation{"Sign"} }), "ValidationException"},
		{"create, wrong principal", create(func(in *kmsapi.CreateGrantRequest) { in.GranteePrincipal = new("x") }), "InvalidArnException"},
		{"revoke", &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant, DryRun: yes}, ""},
		{"revoke nothing", &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &unknown, DryRun: yes}, "NotFoundException"},
		{"retire", &kmsapi.RetireGrantRequest{KeyId: new(u.keyARN(id)), GrantId: &grant, DryRun: yes}, ""},
		{"retire by token", &kmsapi.RetireGrantRequest{GrantToken: &token, DryRun: yes}, ""},
		{"retire by no token", &kmsapi.RetireGrantRequest{GrantToken: new("x"), DryRun: yes}, "InvalidGrantTokenException"},
	} {
		before := w.revision()
		a := u.send(row.in)
		if row.code == "" && !a.accepted() || row.code != "" && a.code != row.code || a.ok() {
			t.Errorf("%s: got %d %q %q, want %q", row.name, a.status, a.code, a.message, row.code)
		}
		if after := w.revision(); after != before {
			t.Errorf("%s: revision %d has become %d", row.name, before, after)
		}
	}
	u.grant(id, grant)
	w.checkGrants()
}

func TestGrantsGoWithTheirKey(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	kept := grantRequest(other)
	kept.RetiringPrincipal = new(role)
	_, keptToken := u.createGrant(kept)
	token, grant := "", ""
	for i := range 130 {
		in := grantRequest(id)
		in.RetiringPrincipal = new(role)
		if i%3 == 0 {
			in.Name = new(fmt.Sprint("grant", i))
		}
		grant, token = u.createGrant(in)
	}
	w.checkGrants()
	u.schedule(id)
	u.must(&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: []string{token, keptToken}})
	u.advance("8d")
	// From its date on nothing of it is there, whether or not the sweeper has come by.
	u.refused(&kmsapi.DescribeKeyRequest{KeyId: &other, GrantTokens: []string{token}}, "InvalidGrantTokenException", invalidToken)
	u.refused(&kmsapi.RetireGrantRequest{GrantToken: &token}, "InvalidGrantTokenException", invalidToken)
	u.refusedAs(&kmsapi.RetireGrantRequest{KeyId: new(u.keyARN(id)), GrantId: &grant}, "NotFoundException")
	u.refusedAs(&kmsapi.ListGrantsRequest{KeyId: &id}, "NotFoundException")
	if n := len(u.retirable(role)); n != 1 {
		t.Errorf("%d retirable grants, want 1", n)
	}
	w.untilGone(u.keyPath(id))
	page, err := w.store.Range(t.Context(), "kms/", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]int{}
	for _, r := range page.Records {
		if strings.Contains(r.Key, id) {
			t.Errorf("record %s is left", r.Key)
		}
		left[strings.Split(r.Key, "/")[1]]++
	}
	if want := map[string]int{"key": 1, "grant": 1, "grant-grantee": 1, "grant-retiring": 1}; !maps.Equal(left, want) {
		t.Errorf("records left: %v, want %v", left, want)
	}
	u.must(&kmsapi.DescribeKeyRequest{KeyId: &other, GrantTokens: []string{keptToken}})
	w.checkGrants()
}
