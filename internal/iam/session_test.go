package iam

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// refused checks that credentials are as good as none.
func (u stsUser) refused(why string) {
	u.t.Helper()
	if _, err := u.s.Lookup(u.t.Context(), u.id, u.token); !errors.Is(err, sigv4.ErrUnknownKey) {
		u.t.Errorf("%s: %v", why, err)
	}
	if u.id != "" {
		u.do("GetCallerIdentity").fails("InvalidClientTokenId", "The security token included in the request is invalid.")
	}
}

func (u stsUser) expired() {
	u.t.Helper()
	u.do("GetCallerIdentity").fails("ExpiredToken", "The security token included in the request is expired")
}

// Every session knows who it is. What is in the record of each call comes from here.
func TestCallersOfSessions(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	dev := w.role(home, "dev", trustingAll(accountARN(home)), "Path", "/team/")
	root, account := w.rootOf(home), accountARN(home)
	id := root.must("GetUser", "UserName", "alice").get("UserId")
	roleID := root.must("GetRole", "RoleName", "dev").get("RoleId")
	tests := []struct {
		name    string
		session stsAnswer
		want    caller.Caller
	}{
		{
			"role", alice.assume(dev, append(tagParameters("k", "v"), "TransitiveTagKeys.member.1", "k", "SourceIdentity", "me")...),
			caller.Caller{
				Type: caller.Role, Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/dev/session", UserID: roleID + ":session",
				Name: "dev", Source: dev, ID: roleID,
				Session: &caller.Session{Tags: []caller.Tag{{Key: "k", Value: "v"}}, Transitive: []string{"k"}, SourceIdentity: "me"},
			},
		},
		{
			"role with policies", alice.assume(dev, "PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/AdministratorAccess"),
			caller.Caller{
				Type: caller.Role, Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/dev/session", UserID: roleID + ":session",
				Name: "dev", Source: dev, ID: roleID,
				Session: &caller.Session{Limited: true, PolicyARNs: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}},
			},
		},
		{
			"user", alice.must("GetSessionToken"),
			caller.Caller{Type: caller.User, Account: home, ARN: arnOfUser(home, "alice"), UserID: id, Name: "alice", ID: id, Session: &caller.Session{}},
		},
		{
			"root user", root.must("GetSessionToken"),
			caller.Caller{Type: caller.Root, Account: home, ARN: account, UserID: home, Session: &caller.Session{}},
		},
		{
			"federated user", alice.must("GetFederationToken", "Name", "bob"),
			caller.Caller{
				Type: caller.Federated, Account: home, ARN: "arn:aws:sts::" + home + ":federated-user/bob", UserID: home + ":bob",
				Source: arnOfUser(home, "alice"), ID: id, Session: &caller.Session{},
			},
		},
		{
			"federated user of a root user", root.must("GetFederationToken", "Name", "bob"),
			caller.Caller{
				Type: caller.Federated, Account: home, ARN: "arn:aws:sts::" + home + ":federated-user/bob", UserID: home + ":bob",
				Source: account, Session: &caller.Session{},
			},
		},
	}
	for _, test := range tests {
		u := test.session.as(w)
		c, err := w.s.Lookup(t.Context(), u.id, u.token)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := c.Caller
		session := *got.Session
		if session.Expires.Format(time.RFC3339) != test.session.get("Expiration") || session.Issued.After(w.clock.Now()) || session.Expires.Before(session.Issued) {
			t.Errorf("%s: from %v to %v", test.name, session.Issued, session.Expires)
		}
		session.Issued, session.Expires = time.Time{}, time.Time{}
		got.Session = &session
		test.want.AccessKeyID = u.id
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.name, diff)
		}
		if c.AccessKeyID != u.id || string(c.Secret.Expose()) != u.secret {
			t.Errorf("%s: another key", test.name)
		}
	}
}

// A session ends with its time, by the domain's clock, to the second.
func TestSessionExpires(t *testing.T) {
	w := newSTSWorld(t)
	alice, dev := w.alice(), w.dev()
	short := alice.assume(dev, "DurationSeconds", "900").as(w)
	user := alice.must("GetSessionToken", "DurationSeconds", "129600").as(w)
	w.clock.Advance(895 * time.Second)
	short.must("GetCallerIdentity")
	w.clock.Advance(5 * time.Second)
	short.expired()
	w.clock.Advance(129600*time.Second - 905*time.Second)
	user.must("GetCallerIdentity")
	w.clock.Advance(5 * time.Second)
	user.expired()
	short.token = short.token[:len(short.token)-4]
	short.refused("expired and changed")
}

// Who is deleted is out at once, with everything that was given to it, and a new one of the same name inherits nothing.
func TestDeletedIsOut(t *testing.T) {
	w := newSTSWorld(t)
	alice, root := w.alice(), w.rootOf(home)
	dev := w.dev()
	ofRole, ofUser, federated := alice.assume(dev).as(w), alice.must("GetSessionToken").as(w), alice.must("GetFederationToken", "Name", "bob").as(w)
	unopened := alice.assume(dev).as(w)
	for _, u := range []stsUser{ofRole, ofUser, federated} {
		u.must("GetCallerIdentity")
	}
	root.must("DeleteRole", "RoleName", "dev")
	ofRole.refused("role deleted")
	unopened.refused("role deleted, never used")
	ofUser.must("GetCallerIdentity")
	w.role(home, "dev", trusting(accountARN(home)))
	ofRole.refused("role made anew")

	root.must("DeleteUserPolicy", "UserName", "alice", "PolicyName", "p")
	root.must("DeleteAccessKey", "UserName", "alice", "AccessKeyId", alice.id)
	ofUser.must("GetCallerIdentity") // AWS: temporary credentials outlive the key that asked for them
	root.must("DeleteUser", "UserName", "alice")
	ofUser.refused("user deleted")
	federated.refused("user of a federated user deleted")
	w.user(home, "alice", everything)
	ofUser.refused("user made anew")
	federated.refused("user of a federated user made anew")
}

// A user who gets another name keeps its sessions, which have the new name.
func TestRenamedUser(t *testing.T) {
	w := newSTSWorld(t)
	alice := w.alice()
	session, federated := alice.must("GetSessionToken").as(w), alice.must("GetFederationToken", "Name", "bob").as(w)
	session.must("GetCallerIdentity")
	w.rootOf(home).must("UpdateUser", "UserName", "alice", "NewUserName", "alicia", "NewPath", "/x/")
	if got, want := session.must("GetCallerIdentity").get("Arn"), arnOfUser(home, "x/alicia"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c, err := w.s.Lookup(t.Context(), federated.id, federated.token)
	if err != nil || c.Caller.Source != arnOfUser(home, "x/alicia") {
		t.Errorf("federated user of %s, %v", c.Caller.Source, err)
	}
}

// Nothing of a session is stored, so it outlives a restart and works on another node of the deployment, and on no other
// deployment.
func TestSessionsWorkOnEveryNode(t *testing.T) {
	w := newSTSWorld(t)
	session := w.alice().assume(w.dev(), "Policy", everything).as(w)
	before, err := w.store.Range(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range before.Records {
		if strings.Contains(r.Key+string(r.Value), session.id) {
			t.Errorf("%s knows of the session", r.Key)
		}
	}
	w.start()
	session.must("GetCallerIdentity")
	w.openHSM = newDeployment(t)
	w.start()
	session.refused("another deployment")
}

// A token is good as it is and with its own access key, or not at all.
func TestTokensCannotBeChanged(t *testing.T) {
	w := newSTSWorld(t)
	session := w.alice().assume(w.dev()).as(w)
	other := stsUser{w, session.id, session.secret, session.token}
	flipped := 0
	for _, remembered := range []bool{false, true} {
		if remembered {
			session.must("GetCallerIdentity")
		}
		sealed, err := base64.StdEncoding.DecodeString(session.token)
		if err != nil {
			t.Fatal(err)
		}
		for i := range sealed {
			for bit := range 8 {
				sealed[i] ^= 1 << bit
				other.token = base64.StdEncoding.EncodeToString(sealed)
				if _, err := w.s.Lookup(t.Context(), other.id, other.token); !errors.Is(err, sigv4.ErrUnknownKey) {
					t.Fatalf("bit %d of byte %d changed: %v", bit, i, err)
				}
				sealed[i] ^= 1 << bit
				flipped++
			}
		}
		for i := range session.token {
			for _, with := range []string{"", "A", "=", "\n", "-", "\x00"} {
				other.token = session.token[:i] + with + session.token[i+1:]
				if other.token == session.token {
					continue
				}
				if _, err := w.s.Lookup(t.Context(), other.id, other.token); !errors.Is(err, sigv4.ErrUnknownKey) {
					t.Fatalf("%q at %d: %v", with, i, err)
				}
				flipped++
			}
		}
	}
	if flipped < 6000 {
		t.Errorf("only %d changes", flipped)
	}
	for name, token := range map[string]string{
		"cut": session.token[:len(session.token)-4], "longer": session.token + "AAAA", "twice": session.token + session.token, "line end": session.token + "\n",
		"large": strings.Repeat("A", 1<<20), "no base64": "!", "a grant token's form": base64.StdEncoding.EncodeToString(make([]byte, 200)),
	} {
		other.token = token
		if _, err := w.s.Lookup(t.Context(), other.id, other.token); !errors.Is(err, sigv4.ErrUnknownKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokensGoWithTheirAccessKey(t *testing.T) {
	w := newSTSWorld(t)
	alice, dev := w.alice(), w.dev()
	one, two := alice.assume(dev).as(w), alice.assume(dev).as(w)
	for name, u := range map[string]stsUser{
		"another session's token": {w, one.id, one.secret, two.token}, "no token": {w, one.id, one.secret, ""},
		"a user's key with a token": {w, alice.id, alice.secret, one.token}, "a development key with a token": {w, "test", "test", one.token},
		"lower case": {w, strings.ToLower(one.id), one.secret, one.token}, "no key of this form": {w, "ASIA" + strings.Repeat("A", 17), one.secret, one.token},
		"an account's key": {w, home, "test", one.token},
	} {
		u.refused(name)
	}
	wrong := stsUser{w, one.id, two.secret, one.token}
	wrong.do("GetCallerIdentity").fails("SignatureDoesNotMatch", "")
}

// What this binary does not understand lets nobody in, and is said to be a failure of ours.
func TestNewerSessions(t *testing.T) {
	w := newSTSWorld(t)
	for name, text := range map[string]string{
		"newer": `{"v":2,"s":"x","t":"AssumedRole","a":"111122223333","i":1,"e":2,"new":true}`, "unknown member": `{"v":1,"new":true}`,
		"no JSON": `{`, "a role of nobody": `{"v":1,"s":"x","t":"AssumedRole","a":"111122223333","i":1,"e":2}`,
		"a service": `{"v":1,"s":"x","t":"AWSService","a":"111122223333","i":1,"e":2}`, "without secret": `{"v":1,"t":"Root","a":"111122223333","i":1,"e":2}`,
	} {
		id, err := newSessionKeyID(home)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := w.s.HSM.Seal(t.Context(), sessionPurpose(id), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c, err := w.s.Lookup(t.Context(), id, base64.StdEncoding.EncodeToString(sealed))
		if err == nil || errors.Is(err, sigv4.ErrUnknownKey) || api.From(err).Status != 500 || c.Secret.Len() != 0 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestSessionKeyIDsNameTheirAccount(t *testing.T) {
	seen := map[string]bool{}
	for _, account := range []string{"000000000000", "000000000001", home, abroad, "999999999999"} {
		for range 100 {
			id, err := newSessionKeyID(account)
			if err != nil || !isSessionKeyID(id) || accountOfSessionKey(id) != account || seen[id] {
				t.Fatalf("%s of %s: %s, %v", id, account, accountOfSessionKey(id), err)
			}
			seen[id] = true
		}
	}
	for _, bad := range []string{"", "1", "11112222333a", "1111222233334", "-11112222333"} {
		if id, err := newSessionKeyID(bad); err == nil {
			t.Errorf("%q: %s", bad, id)
		}
	}
	// AWS's own example of the arrangement, and ids that name none.
	for id, want := range map[string]string{
		"ASIAQNZGKIQY56JQ7WML": "029608264753", "ASIA" + strings.Repeat("7", 16): "", "ASIA" + strings.Repeat("A", 16): "", "AKIAQNZGKIQY56JQ7WML": "", "": "",
	} {
		if got := accountOfSessionKey(id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}

func FuzzSessionToken(f *testing.F) {
	w := newSTSWorld(f)
	session := w.alice().assume(w.dev()).as(w)
	f.Add(session.id, session.token)
	f.Add(session.id, session.token[1:])
	f.Add("ASIA", "")
	f.Add(session.id, strings.Repeat("A", 400))
	f.Fuzz(func(t *testing.T, id, token string) {
		c, err := w.s.lookupSession(t.Context(), id, token)
		if good := id == session.id && token == session.token; good != (err == nil) || !good && (!errors.Is(err, sigv4.ErrUnknownKey) || c.Secret.Len() != 0) {
			t.Errorf("%q %q: %v", id, token, err)
		}
	})
}

func FuzzDecodeSession(f *testing.F) {
	f.Add([]byte(`{"v":1,"s":"x","t":"AssumedRole","a":"111122223333","id":"AROA","n":"n","i":1,"e":2,"tg":[{"k":"k","v":"v"}],"tt":["k"],"pa":["a"]}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeSession(b)
		if (x == nil) != (err != nil) {
			t.Fatalf("%v, %v", x, err)
		}
		if x != nil && (x.Secret == "" || x.Account == "" || x.Type == caller.Role && x.ID == "") {
			t.Errorf("accepted %s", b)
		}
	})
}

func BenchmarkOpenedSession(b *testing.B) {
	w := newSTSWorld(b)
	session := w.alice().assume(w.dev(), "Policy", everything).as(w)
	for b.Loop() {
		if _, err := w.s.lookupSession(b.Context(), session.id, session.token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpeningASession(b *testing.B) {
	w := newSTSWorld(b)
	session := w.alice().assume(w.dev(), "Policy", everything).as(w)
	for b.Loop() {
		w.s.sts.sessions.Invalidate(session.id)
		if _, err := w.s.lookupSession(b.Context(), session.id, session.token); err != nil {
			b.Fatal(err)
		}
	}
}
