package authz_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

const (
	sitOurs   = "111111111111"
	sitTheirs = "222222222222"
	sitKey    = "arn:aws:kms:eu-west-1:" + sitOurs + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"
	sitRole   = "arn:aws:iam::" + sitOurs + ":role/team/R"
	sitUser   = "arn:aws:iam::" + sitOurs + ":user/bob"
	sitRoot   = "arn:aws:iam::" + sitOurs + ":root"
)

// situation is everything that decides one access, with documents by name, so that any of them can be replaced.
type situation struct {
	caller    caller.Caller
	documents map[string]string
	parsed    map[string]*policy.Policy // by text, for one situation and what is made of it
	// Names of documents, where they are attached.
	services, resources [][]string
	identity            []string
	boundary            string
	session             []string
	endpoint, key       bool // documents "vpce-1", sitKey

	organization   bool
	owner          string
	action         string
	grant          policy.Match
	missing, local bool
	managed        bool
}

// situated is what the situation says of its principals.
type situated struct {
	identity *authz.Identity
	member   map[string]*authz.Membership
}

func (d situated) Identity(context.Context, *caller.Caller) (*authz.Identity, error) {
	return d.identity, nil
}

func (d situated) Membership(_ context.Context, account string) (*authz.Membership, error) {
	return d.member[account], nil
}

func (w *situation) document(t *testing.T, kind policy.Kind, name string) *policy.Policy {
	t.Helper()
	p := w.parsed[name+w.documents[name]]
	if p == nil {
		var err error
		if p, err = policy.Parse(kind, w.documents[name]); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, w.documents[name])
		}
		w.parsed[name+w.documents[name]] = p
	}
	return p
}

func (w *situation) list(t *testing.T, kind policy.Kind, names []string) []authz.Attached {
	var all []authz.Attached
	for _, n := range names {
		if w.documents[n] != "" { // what is left empty was detached
			all = append(all, authz.Attached{Name: n, Policy: w.document(t, kind, n)})
		}
	}
	return all
}

func (w *situation) levels(t *testing.T, kind policy.Kind, names [][]string) [][]authz.Attached {
	all := make([][]authz.Attached, len(names))
	for i := range names {
		all[i] = w.list(t, kind, names[i])
	}
	return all
}

// question builds the access from the situation.
func (w *situation) question(t *testing.T) (*authz.Authorizer, authz.Question) {
	d := situated{member: map[string]*authz.Membership{}}
	c := w.caller
	if c.Type != caller.Service && c.Type != caller.Root {
		d.identity = &authz.Identity{Policies: w.list(t, policy.Identity, w.identity)}
		if w.boundary != "" {
			d.identity.Boundary = &authz.Attached{Name: w.boundary, Policy: w.document(t, policy.Identity, w.boundary)}
		}
	}
	if c.Session != nil {
		session := *c.Session
		c.Session = &session
		for _, a := range w.list(t, policy.Identity, w.session) {
			if a.Name == "session" {
				session.Policy, a.Name = a.Policy, ""
			}
			d.identity.Session = append(d.identity.Session, a)
		}
		session.Limited = session.Limited || len(w.session) > 0
	}
	if w.organization {
		m := authz.Membership{Organization: "o-1", Path: "o-1/r-1/"}
		mine, its := m, m
		mine.Services, mine.Resources = w.levels(t, policy.ServiceControl, w.services), [][]authz.Attached{}
		its.Resources = w.levels(t, policy.ResourceControl, w.resources)
		if w.owner == c.Account {
			mine.Resources = its.Resources
		}
		d.member[w.owner] = &its
		d.member[c.Account] = &mine
	}
	x := &authz.Access{Action: w.action, Resource: sitKey, Account: w.owner, Missing: w.missing, Local: w.local, Managed: w.managed}
	if w.key {
		x.Policy = new(policy.Policy)
		if w.documents[sitKey] != "" {
			x.Policy = w.document(t, policy.Key, sitKey)
		}
	}
	if w.grant != policy.None {
		x.Grants = anyGrant(w.grant)
	}
	r := &authz.Request{Caller: &c, Region: "eu-west-1", Now: time.Unix(1e9, 0), SourceIP: "10.0.0.1"}
	if w.endpoint {
		r.Endpoint = &authz.Endpoint{ID: "vpce-1", Policy: new(policy.Policy)}
		if w.documents["vpce-1"] != "" {
			r.Endpoint.Policy = w.document(t, policy.Endpoint, "vpce-1")
		}
	}
	return authz.New(d), authz.Question{Request: r, Access: x}
}

type anyGrant policy.Match

func (g anyGrant) Grant(context.Context) (authz.Grant, error) {
	return authz.Grant{ID: "g", By: policy.Match(g)}, nil
}

func (w *situation) allowed(t *testing.T) bool {
	t.Helper()
	a, q := w.question(t)
	made, _ := a.Authorize(t.Context(), q.Request, []authz.Access{*q.Access}, nil)
	return made[0].Allowed
}

// with is the situation after an administrator has made some changes.
func (w *situation) with(t *testing.T, changes []authz.Change) *situation {
	n := *w
	n.documents = maps.Clone(w.documents)
	n.services, n.resources, n.identity, n.session = slices.Clone(w.services), slices.Clone(w.resources), slices.Clone(w.identity), slices.Clone(w.session)
	for _, c := range changes {
		_, there := n.documents[c.Policy]
		n.documents[c.Policy] = c.Document
		if there && c.Edits[0].Kind != authz.Attach {
			continue
		}
		switch c.Layer {
		case "service control policy":
			n.services[c.Level] = append(slices.Clone(n.services[c.Level]), c.Policy)
		case "resource control policy":
			n.resources[c.Level] = append(slices.Clone(n.resources[c.Level]), c.Policy)
		case "identity-based policy":
			n.identity = append(n.identity, c.Policy)
		case "permissions boundary":
			n.boundary = c.Policy
		case "session policy":
			n.session = append(n.session, c.Policy)
		default:
			t.Fatalf("a new %s %s", c.Layer, c.Policy)
		}
	}
	return &n
}

// chance makes worlds. Every choice comes from one seed.
type chance struct{ *rand.Rand }

func oneOf[T any](c chance, all ...T) T { return all[c.IntN(len(all))] }

func (c chance) one(in int) bool { return c.IntN(in) == 0 }

func (c chance) caller() caller.Caller {
	session := &caller.Session{Issued: time.Unix(9e8, 0), Limited: c.one(2)}
	switch c.IntN(9) {
	case 0:
		return caller.RootOf(sitOurs, "AKIA")
	case 1:
		return caller.Caller{Type: caller.Service, ARN: "s3.amazonaws.com", UserID: "s3.amazonaws.com"}
	case 2:
		return caller.Caller{
			Type: caller.Federated, Account: sitOurs, ARN: "arn:aws:sts::" + sitOurs + ":federated-user/fred", Source: sitUser,
			ID: "AIDAAAAAAAAAAAAAAAAAA", UserID: sitOurs + ":fred", Session: session,
		}
	case 3, 4, 5:
		return caller.Caller{
			Type: caller.Role, Account: sitOurs, ARN: "arn:aws:sts::" + sitOurs + ":assumed-role/R/s", Source: sitRole, Name: "R",
			ID: "AROAAAAAAAAAAAAAAAAAA", UserID: "AROAAAAAAAAAAAAAAAAAA:s", Session: session,
		}
	}
	return caller.Caller{Type: caller.User, Account: sitOurs, ARN: sitUser, Name: "bob", ID: "AIDAAAAAAAAAAAAAAAAAA", UserID: "AIDAAAAAAAAAAAAAAAAAA"}
}

func (c chance) statement(kind policy.Kind) string {
	effect := oneOf(c, "Allow", "Allow", "Allow", "Deny")
	principal := ""
	switch kind {
	case policy.Key, policy.Endpoint:
		principal = `"Principal":` + oneOf(c, `"*"`, `{"AWS":"`+sitRoot+`"}`, `{"AWS":["`+sitUser+`","`+sitTheirs+`"]}`, `{"AWS":"`+sitRole+`"}`,
			`{"AWS":"AIDAAAAAAAAAAAAAAAAAA"}`, `{"Service":"s3.amazonaws.com"}`, `{"AWS":"`+sitTheirs+`"}`) + ","
	case policy.ResourceControl:
		principal = `"Principal":"*",`
		if effect == "Allow" {
			return `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
		}
	}
	action := oneOf(c, `"kms:Decrypt"`, `"kms:*"`, `["kms:Encrypt","kms:De*"]`, `"kms:Encrypt"`)
	resource := oneOf(c, `"*"`, `"*"`, `"`+sitKey+`"`, `"arn:aws:kms:*:*:alias/x"`)
	condition := oneOf(c, "", "", "", `,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, `,"Condition":{"IpAddress":{"aws:SourceIp":"11.0.0.0/8"}}`,
		`,"Condition":{"ArnNotEquals":{"aws:PrincipalArn":["arn:aws:iam::`+sitOurs+`:role/other"]}}`, `,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`)
	return `{"Effect":"` + effect + `",` + principal + `"Action":` + action + `,"Resource":` + resource + condition + `}`
}

func (c chance) document(kind policy.Kind) string {
	var all []string
	for range 1 + c.IntN(3) {
		all = append(all, c.statement(kind))
	}
	if len(all) == 1 && c.one(2) {
		return `{"Version":"2012-10-17","Statement":` + all[0] + `}`
	}
	return "{\n  \"Version\": \"2012-10-17\",\n  \"Id\": \"a \\u00e9\",\n  \"Statement\": [" + strings.Join(all, ", ") + "]\n}"
}

// names attaches up to n of the documents with these names.
func (c chance) names(w *situation, kind policy.Kind, n int, names ...string) []string {
	var all []string
	for range c.IntN(n + 1) {
		name := oneOf(c, names...)
		if slices.Contains(all, name) {
			continue
		}
		if _, there := w.documents[name]; !there {
			w.documents[name] = c.document(kind)
		}
		all = append(all, name)
	}
	return all
}

func (c chance) situation() *situation {
	const managed = "arn:aws:iam::" + sitOurs + ":policy/"
	w := &situation{
		caller: c.caller(), documents: map[string]string{}, parsed: map[string]*policy.Policy{}, owner: sitOurs, action: oneOf(c, "kms:Decrypt", "kms:Decrypt", "kms:DescribeKey"),
		organization: c.one(3), endpoint: c.one(5), key: !c.one(8), managed: c.one(40), missing: c.one(60), local: c.one(30),
	}
	if c.one(3) {
		w.owner = sitTheirs
	}
	if c.one(8) {
		w.grant = oneOf(c, policy.ByAccount, policy.ByRole, policy.ByCaller)
	}
	if w.organization {
		for range 1 + c.IntN(3) {
			w.services = append(w.services, c.names(w, policy.ServiceControl, 3, "arn:aws:organizations::1:policy/o-1/a", "arn:aws:organizations::1:policy/o-1/b",
				"arn:aws:organizations::1:policy/o-1/c"))
			w.resources = append(w.resources, c.names(w, policy.ResourceControl, 3, "arn:aws:organizations::1:policy/o-1/d", "arn:aws:organizations::1:policy/o-1/e"))
		}
	}
	if w.key {
		w.documents[sitKey] = c.document(policy.Key)
	}
	if w.endpoint {
		w.documents["vpce-1"] = c.document(policy.Endpoint)
	}
	if w.caller.Type == caller.Service || w.caller.Type == caller.Root {
		return w
	}
	own := "user/bob/"
	if w.caller.Type == caller.Role {
		own = "role/R/"
	}
	w.identity = c.names(w, policy.Identity, 4, managed+"a", managed+"b", own+"p", own+"q", "group/g/p", "arn:aws:iam::aws:policy/Aws")
	if c.one(4) {
		w.boundary = append(c.names(w, policy.Identity, 2, managed+"a", managed+"c", "arn:aws:iam::aws:policy/Aws"), "")[0]
	}
	if w.caller.Session != nil && w.caller.Session.Limited {
		w.session = c.names(w, policy.Identity, 3, managed+"a", managed+"d", "session")
	}
	return w
}

// impossible says whether no document can be changed so that the access is allowed.
func (w *situation) impossible(q authz.Question) bool {
	if w.missing || w.owner != w.caller.Account && (w.local || !w.key) || w.managed || w.caller.Type == caller.Service && !w.key {
		return true
	}
	for name, text := range w.documents {
		if strings.Contains(name, "::aws:") && strings.Contains(text, `"Deny"`) {
			return true
		}
	}
	return false
}

// TestChangesAllow is the proof of the suggestions: in random situations of all layers, making all suggested changes allows
// what was denied, and leaving out any one of them does not.
func TestChangesAllow(t *testing.T) {
	cases := 30_000
	denied, suggested, several := 0, 0, 0
	kinds := map[authz.EditKind]int{}
	for seed := range uint64(cases) {
		w := chance{rand.New(rand.NewPCG(seed, 4))}.situation()
		if w.allowed(t) {
			continue
		}
		denied++
		a, q := w.question(t)
		got, err := (&authz.Explainer{Authorizer: a}).Explain(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if got.Allowed || got.Rule == "" {
			t.Fatalf("seed %d: the explanation says allowed %t, because %q", seed, got.Allowed, got.Rule)
		}
		if len(got.Changes) == 0 {
			if got.Hint == "" || !w.impossible(q) {
				t.Fatalf("seed %d: no changes, although there could be: %s\n%s", seed, got.Rule, showSituation(w, got))
			}
			continue
		}
		suggested++
		if len(got.Changes) > 1 {
			several++
		}
		for _, c := range got.Changes {
			for _, e := range c.Edits {
				kinds[e.Kind]++
			}
		}
		if !w.with(t, got.Changes).allowed(t) {
			t.Fatalf("seed %d: with all changes still denied\n%s", seed, showSituation(w, got))
		}
		for i := range got.Changes {
			if w.with(t, slices.Delete(slices.Clone(got.Changes), i, i+1)).allowed(t) {
				t.Fatalf("seed %d: allowed without change %d\n%s", seed, i, showSituation(w, got))
			}
		}
	}
	t.Logf("%d denied, %d with changes, %d with several; %v", denied, suggested, several, kinds)
	if suggested < 20_000 || several < 5_000 || len(kinds) < 5 {
		t.Errorf("only %d suggestions, %d of several changes, kinds %v", suggested, several, kinds)
	}
}

// TestChangesAllowTheWholeCall: for a call that needs three things, all changes together
// allow all three.
func TestChangesAllowTheWholeCall(t *testing.T) {
	denied, several, shared := 0, 0, 0
	for seed := range uint64(5_000) {
		w := chance{rand.New(rand.NewPCG(seed, 5))}.situation()
		ask := func(w *situation) (*authz.Explainer, []authz.Question) {
			a, q := w.question(t)
			// An action on something without a policy, as on an alias, and another on the same key.
			alias, second := q, q
			alias.Access = &authz.Access{Action: "kms:CreateAlias", Resource: "arn:aws:kms:eu-west-1:" + sitOurs + ":alias/x", Account: sitOurs}
			second.Access = new(*q.Access)
			second.Access.Action = "kms:Encrypt"
			return &authz.Explainer{Authorizer: a}, []authz.Question{alias, q, second}
		}
		x, questions := ask(w)
		explained, err := x.ExplainCall(t.Context(), questions)
		if err != nil {
			t.Fatal(err)
		}
		if len(explained.Changes) == 0 {
			continue
		}
		denied++
		accesses, documents := 0, map[string]bool{}
		for _, d := range explained.Decisions {
			if !d.Allowed {
				accesses++
			}
		}
		if accesses > 1 {
			several++
		}
		for _, c := range explained.Changes {
			if documents[c.Layer+c.Policy] && c.Layer != "service control policy" && c.Layer != "resource control policy" {
				t.Fatalf("seed %d: %s %s changes twice", seed, c.Layer, c.Policy)
			}
			if documents[c.Layer+c.Policy] = true; len(c.Edits) > 1 {
				shared++
			}
		}
		_, questions = ask(w.with(t, explained.Changes))
		for i, q := range questions {
			a, _ := w.with(t, explained.Changes).question(t)
			if d, err := (&authz.Explainer{Authorizer: a}).Decide(t.Context(), q); err != nil || !d.Allowed {
				t.Fatalf("seed %d: access %d is still denied: %+v, %v\n%s%+v", seed, i, d, err, showSituation(w, explained.Decisions[i]), explained.Changes)
			}
		}
	}
	t.Logf("%d denied, %d in several ways, %d documents changed for several reasons", denied, several, shared)
	if denied < 3_000 || several < 2_500 || shared < 4_000 {
		t.Error("too few cases")
	}
}

func showSituation(w *situation, x *authz.Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\nrule: %s\nhint: %s\n", *w, x.Rule, x.Hint)
	for name, text := range w.documents {
		fmt.Fprintf(&b, "%s: %s\n", name, text)
	}
	for _, c := range x.Changes {
		fmt.Fprintf(&b, "change %s %s: %+v\n%s\n", c.Layer, c.Policy, c.Edits, c.Document)
	}
	return b.String()
}
