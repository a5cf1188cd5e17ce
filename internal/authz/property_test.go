package authz_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// drawn is a random world in a form in which a statement can be added or taken away: documents are lists of statements.
type drawn struct {
	caller    *caller.Caller
	abroad    bool
	documents map[string][]string // key, identity, boundary, session, services 1…, resources 1…, endpoint
	grant     policy.Match
}

// drawnKinds are the documents, and what they are.
var drawnKinds = []struct {
	name string
	kind policy.Kind
}{
	{"key", policy.Key}, {"identity", policy.Identity}, {"identity 2", policy.Identity}, {"boundary", policy.Identity}, {"session", policy.Identity},
	{"services", policy.ServiceControl}, {"services 2", policy.ServiceControl}, {"resources", policy.ResourceControl}, {"endpoint", policy.Endpoint},
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// drawStatement draws from few enough that documents repeat, so that they are parsed once.
func drawStatement(r *rand.Rand, kind policy.Kind, effect string) string {
	s := `"Effect":"` + effect + `","Resource":"*",` + pick(r, `"Action":"kms:*"`, `"Action":"kms:*"`, `"Action":"kms:Encrypt"`, `"NotAction":"kms:Encrypt"`, `"Action":"s3:*"`)
	if kind == policy.ResourceControl {
		s = `"Effect":"` + effect + `","Resource":"*","Action":` + pick(r, `"kms:*"`, `"s3:*"`)
	}
	switch kind {
	case policy.Key, policy.Endpoint:
		s += pick(r, `,"Principal":`, `,"Principal":`, `,"Principal":`, `,"NotPrincipal":`) + pick(r, `"*"`, aws(bobARN), aws(roleARN), aws(sessionARN), aws(guestARN), aws(rootARN), aws(rootARN, roleARN, sessionARN), aws(other), aws("*", roleARN), `{"Service":"s3.amazonaws.com"}`)
	case policy.ResourceControl:
		s += `,"Principal":"*"`
	}
	return s + pick(r, "", "", `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}`, `,"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`,
		`,"Condition":{"StringNotEquals":{"aws:PrincipalTag/team":"${aws:username}"}}`, `,"Condition":{"Null":{"aws:SourceIdentity":"true"}}`)
}

func draw(r *rand.Rand) *drawn {
	s := &drawn{abroad: r.IntN(3) == 0, documents: map[string][]string{}, grant: pick(r, policy.None, policy.None, policy.None, policy.ByAccount, policy.ByCaller)}
	s.caller = pick(r, bob, func() *caller.Caller { return withToken(true) }, inRole, inRole, guest, rootUser, s3)()
	for _, k := range drawnKinds {
		if k.name != "key" && r.IntN(3) > 0 {
			continue
		}
		if k.kind == policy.ResourceControl {
			s.documents[k.name] = []string{fullRCP}
		} else {
			s.documents[k.name] = []string{drawStatement(r, k.kind, "Allow")}
		}
		for range r.IntN(2) {
			effect := "Deny"
			if k.kind != policy.ResourceControl && r.IntN(3) > 0 {
				effect = "Allow"
			}
			s.documents[k.name] = append(s.documents[k.name], drawStatement(r, k.kind, effect))
		}
	}
	if s.caller.Session != nil && s.documents["session"] != nil && s.caller.Type != caller.User {
		limited(s.caller)
	}
	return s
}

// library parses each document once.
type library map[string]*policy.Policy

func (l library) get(t *testing.T, kind policy.Kind, statements []string) *policy.Policy {
	if statements == nil {
		return nil
	}
	id := string(rune('0'+kind)) + strings.Join(statements, "},{")
	if l[id] == nil {
		l[id] = doc(t, kind, statements...)
	}
	return l[id]
}

// allowed decides a case.
func (s *drawn) allowed(t *testing.T, l library, a *authz.Authorizer, w *world) bool {
	w.identity = nil
	if k := s.caller.Type; k != caller.Root && k != caller.Service {
		w.identity = &authz.Identity{Policies: s.attached(t, l, policy.Identity, "identity", "identity 2"), Tags: []caller.Tag{{Key: "team", Value: "bob"}}}
		if all := s.attached(t, l, policy.Identity, "boundary"); all != nil {
			w.identity.Boundary = &all[0]
		}
		w.identity.Session = s.attached(t, l, policy.Identity, "session")
	}
	m := &authz.Membership{Organization: "o-1"}
	for _, name := range []string{"services", "services 2"} {
		if level := s.attached(t, l, policy.ServiceControl, name); level != nil {
			m.Services = append(m.Services, level)
		}
	}
	if level := s.attached(t, l, policy.ResourceControl, "resources"); level != nil {
		m.Resources = append(m.Resources, level)
	}
	w.members = map[string]*authz.Membership{account: m, other: m}
	r := request(s.caller)
	if p := l.get(t, policy.Endpoint, s.documents["endpoint"]); p != nil {
		r.Endpoint = &authz.Endpoint{ID: "vpce-1", Policy: p}
	}
	x := authz.Access{Action: "kms:Encrypt", Resource: key, Account: account, Policy: l.get(t, policy.Key, s.documents["key"])}
	if s.abroad {
		x.Resource, x.Account = foreign, other
	}
	x.Grants = granter{grant: authz.Grant{ID: "g", By: s.grant}}
	made, err := a.Authorize(t.Context(), r, []authz.Access{x}, nil)
	if len(made) != 1 || made[0].Allowed != (err == nil) {
		t.Fatalf("%+v, %v", made, err)
	}
	return made[0].Allowed
}

func (s *drawn) attached(t *testing.T, l library, kind policy.Kind, names ...string) (all []authz.Attached) {
	for _, name := range names {
		if p := l.get(t, kind, s.documents[name]); p != nil {
			all = append(all, authz.Attached{Name: name, Policy: p})
		}
	}
	return all
}

// with is the case with other statements in one document.
func (s *drawn) with(name string, statements []string) *drawn {
	changed := *s
	changed.documents = map[string][]string{}
	for k, v := range s.documents {
		changed.documents[k] = v
	}
	changed.documents[name] = statements
	return &changed
}

// A statement that denies, wherever it is put, allows nobody anything; nor does a statement that allows and is taken away.
func TestDenyingMoreAndAllowingLessNeverAllows(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	l, w := library{}, &world{}
	a := authz.New(w)
	denied, became, removed := 0, 0, 0
	for denied < 50_000 {
		s := draw(r)
		before := s.allowed(t, l, a, w)
		k := drawnKinds[r.IntN(len(drawnKinds))]
		statements := s.documents[k.name]
		if k.kind == policy.ResourceControl && statements == nil || k.name == "session" {
			continue // a first control policy switches its type on; session policies come with the session
		}
		at := r.IntN(len(statements) + 1)
		more := append(append(append([]string{}, statements[:at]...), drawStatement(r, k.kind, "Deny")), statements[at:]...)
		after := s.with(k.name, more).allowed(t, l, a, w)
		switch {
		case before && !after:
			became++
		case !before:
			denied++
			if after {
				t.Fatalf("a denial in %s allows: %+v", k.name, s)
			}
			if at < len(statements) && strings.HasPrefix(statements[at], `"Effect":"Allow"`) {
				removed++
				less := append([]string{}, statements...)
				less[at] = nothingIn(k.kind)
				if s.with(k.name, less).allowed(t, l, a, w) {
					t.Fatalf("without a statement %s allows: %+v", k.name, s)
				}
			}
		}
	}
	if became < 1000 || removed < 10_000 {
		t.Errorf("%d allows became denials, %d allows were taken away", became, removed)
	}
}

// nothingIn is a statement without effect here: documents must have one.
func nothingIn(kind policy.Kind) string {
	switch kind {
	case policy.Key, policy.Endpoint:
		return `"Effect":"Allow","Principal":"*","Action":"s3:Nothing","Resource":"*"`
	case policy.ResourceControl:
		return `"Effect":"Deny","Principal":"*","Action":"s3:Nothing","Resource":"*"`
	}
	return `"Effect":"Allow","Action":"s3:Nothing","Resource":"*"`
}
