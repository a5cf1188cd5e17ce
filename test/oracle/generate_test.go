package oracle_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// generator draws one scenario.
type generator struct {
	*rand.Rand
	s     *scenario
	op    operation
	facts map[string]policy.Values
	names []string // of facts, sorted, so that a case depends on its number alone
}

// generate draws the scenario with a number: the same for the same seed.
//
// Not drawn, because the oracle refuses or lacks it: grants, unique ids as principals, statements without Action or
// Resource, kms:Encapsulate, NotPrincipal in endpoint policies. Not drawn because AWS does not say what happens: empty
// values, characters outside ASCII, numbers beyond 2⁵³.
func generate(seed, n uint64) *scenario {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, n)), s: &scenario{Context: map[string]policy.Values{}, Places: map[string]*place{}}}
	g.caller()
	g.request()
	g.organization()
	g.context()
	g.facts = g.s.facts()
	for name := range g.facts {
		g.names = append(g.names, name)
	}
	slices.Sort(g.names)
	g.policies()
	return g.s
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// chance is true in percent of the cases.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) caller() {
	s, now := g.s, int64(1772366400) // 2026-03-01T12:00:00Z
	s.Now = now + pick(g, int64(0), 0, 1, -1, 86400)
	s.Tags = map[string]string{}
	session := &caller.Session{Issued: time.Unix(s.Now-pick(g, int64(0), 5, 10, 3600), 0).UTC(), MFA: g.chance(50)}
	c := &s.Caller
	switch n := g.IntN(100); {
	case n < 30:
		*c = caller.Caller{Type: caller.User, Name: "bob", ARN: bob, UserID: "AIDABOB", ID: "AIDABOB"}
		if g.chance(25) {
			c.Name, c.ARN = "ann", ann
		}
		if g.chance(30) { // GetSessionToken
			c.Session = session
		}
	case n < 65:
		*c = caller.Caller{Type: caller.Role, Name: "R", Source: role, UserID: "AROAR:S", ID: "AROAR", Session: session}
		if g.chance(25) {
			c.Name, c.Source = "Q", deep
		}
		c.ARN = "arn:aws:sts::" + ours + ":assumed-role/" + c.Name + "/S"
		session.Limited = g.chance(40)
		g.tell(&session.SourceIdentity, 30, "red", "blue")
		g.tell(&session.Provider, 20, "accounts.example.com", "red")
	case n < 80:
		*c = caller.Caller{Type: caller.Federated, ARN: "arn:aws:sts::" + ours + ":federated-user/bob", UserID: ours + ":bob", Source: bob, ID: "AIDABOB", Session: session}
		if g.chance(15) {
			c.ARN, c.UserID, c.Source, c.ID = "arn:aws:sts::"+ours+":federated-user/guest", ours+":guest", root(ours), ""
		}
		session.Limited = g.chance(70)
	case n < 88:
		*c = caller.RootOf(ours, "AKIA")
		if g.chance(20) {
			c.Session = session
		}
	default:
		*c = caller.Caller{Type: caller.Service, ARN: pick(g, "s3.amazonaws.com", "ec2.amazonaws.com")}
		g.tell(&c.SourceARN, 70, bucket, role)
		g.tell(&c.SourceAccount, 70, ours, theirs)
	}
	if c.Type != caller.Service {
		c.Account = ours
		g.tell(&c.Forwarder, 15, "s3.amazonaws.com", "ec2.amazonaws.com")
	}
	if c.Type == caller.User || c.Type == caller.Role || c.Type == caller.Federated {
		g.tag("team", text)
		g.tag("level", number)
	}
}

// tell sets a text now and then.
func (g *generator) tell(s *string, percent int, values ...string) {
	if g.chance(percent) {
		*s = pick(g, values...)
	}
}

func (g *generator) tag(name string, f family) {
	if g.chance(60) {
		g.s.Tags[name] = pick(g, given(f)...)
	}
}

func (g *generator) request() {
	s := g.s
	g.op = pick(g, operations()...)
	s.Action, s.Local = g.op.action, g.op.local
	s.Account = ours
	if g.chance(35) {
		s.Account = theirs
	}
	switch g.op.kind {
	case "key":
		s.Resource = keyOf(s.Account)
		s.Managed = g.chance(3)
	case "alias":
		s.Resource = "arn:aws:kms:us-east-1:" + s.Account + ":alias/app"
	default:
		s.Resource, s.Account = "*", s.Caller.Account
	}
	s.Region = pick(g, "us-east-1", "us-east-1", "eu-west-1")
	g.tell(&s.ResourceRegion, 10, "eu-west-1", "us-east-1")
	s.SourceIP = pick(g, given(address)...)
	s.TLS = g.chance(80)
	g.tell(&s.UserAgent, 50, "red", "team")
	g.tell(&s.Referer, 30, "red", "blue")
	if g.chance(30) {
		s.Endpoint = &endpoint{ID: "vpce-1"}
		g.tell(&s.Endpoint.VPC, 60, "vpc-1", "vpc-2")
	}
}

// organization gives accounts their places. Policies come later.
func (g *generator) organization() {
	if g.chance(60) {
		g.s.Places[ours] = &place{Organization: "o-1", Path: "o-1/r-1/ou-1/", Management: g.chance(8)}
	}
	if g.chance(50) {
		g.s.Places[theirs] = &place{Organization: pick(g, "o-1", "o-2"), Path: pick(g, "o-1/r-1/ou-2/", "o-2/r-2/"), Management: g.chance(8)}
	}
}

// context draws the keys of the resource and the request.
func (g *generator) context() {
	s := g.s
	set := func(percent int, key string, f family) {
		if g.chance(percent) {
			s.Context[key] = policy.One(pick(g, given(f)...))
		}
	}
	set(50, "aws:RequestTag/team", text)
	set(30, "aws:RequestTag/arn", arnText)
	set(30, "aws:RequestTag/until", date)
	set(30, "aws:RequestTag/digest", binary)
	set(30, "aws:RequestTag/address", address)
	if g.chance(60) {
		g.many("aws:TagKeys", pick(g, text, text, text, arnText, number, date, truth, binary, address))
	}
	if g.op.kind == "key" {
		set(50, "aws:ResourceTag/team", text)
		set(60, "kms:MultiRegion", truth)
		s.Context["kms:KeySpec"] = policy.One("SYMMETRIC_DEFAULT")
		if g.chance(40) {
			s.Context["kms:ResourceAliases"] = policy.Many([]string{"alias/app", "alias/red"}[:1+g.IntN(2)])
		}
	}
	if g.op.action != "kms:ListKeys" {
		if g.s.Caller.Account != "" {
			s.Context["kms:CallerAccount"] = policy.One(s.Caller.Account)
		}
		if s.Caller.Forwarder != "" {
			s.Context["kms:ViaService"] = policy.One("s3.us-east-1.amazonaws.com")
		}
	}
	for _, key := range g.op.keys {
		g.parameter(key)
	}
}

// parameter draws a key that belongs to the operation.
func (g *generator) parameter(key string) {
	if !g.chance(60) {
		return
	}
	one := func(values ...string) { g.s.Context[key] = policy.One(pick(g, values...)) }
	switch key {
	case "kms:EncryptionContext:level", "kms:ScheduleKeyDeletionPendingWindowInDays":
		one(given(number)...)
	case "kms:EncryptionContextKeys":
		g.many(key, text)
	case "kms:GrantOperations":
		g.s.Context[key] = policy.Many([]string{"Encrypt", "red", "Decrypt"}[:1+g.IntN(3)])
	case "kms:GranteePrincipal":
		one(given(arnText)...)
	case "kms:GrantIsForAWSResource", "kms:ReEncryptOnSameKey", "kms:BypassPolicyLockoutSafetyCheck":
		one("true", "false")
	case "kms:RequestAlias":
		one("alias/app", "alias/red")
	default:
		one(given(text)...)
	}
}

// many draws a multi-valued key. Now and then it has no members.
func (g *generator) many(key string, f family) {
	var list []string
	for range pick(g, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3) {
		v := pick(g, given(f)...)
		switch f {
		case number: // the oracle reads 10.5 as a day in October where a date is wanted
			v = pick(g, "0", "5", "10", "3600")
		case date: // and 2026-03 as 2026 where a number is wanted, so that the set should have no numbers
			v = pick(g, "2026-03-01T12:00:00Z", "2026-03-01", "2026-03")
		}
		list = append(list, v)
	}
	g.s.Context[key] = policy.Many(list)
}

// policies draws every document.
func (g *generator) policies() {
	s := g.s
	if g.op.kind == "key" {
		s.KeyPolicy = g.keyPolicy()
	}
	switch s.Caller.Type {
	case caller.User, caller.Role, caller.Federated:
		if s.Caller.Source != root(ours) {
			for range g.IntN(3) + 1 {
				s.Identity = append(s.Identity, g.document(policy.Identity, 55))
			}
			if g.chance(35) {
				s.Boundary = new(g.document(policy.Identity, 50))
			}
		}
	}
	if s.limited() {
		version := g.version()
		for range g.IntN(2) + 1 {
			d := g.document(policy.Identity, 45)
			d.Version = version // the oracle takes one document
			s.Session = append(s.Session, d)
		}
	}
	for _, account := range []string{ours, theirs} {
		if p := s.Places[account]; p != nil {
			p.Services = g.levels(policy.ServiceControl)
			p.Resources = g.levels(policy.ResourceControl)
		}
	}
	if s.Endpoint != nil && g.chance(60) {
		s.Endpoint.Policy = new(g.document(policy.Endpoint, 50))
	}
}

// levels draws the control policies from the root to the account. Every level of service control policies has an allow,
// as a rule.
func (g *generator) levels(kind policy.Kind) [][]document {
	if g.chance(50) {
		return nil
	}
	levels := make([][]document, g.IntN(3)+1)
	for i := range levels {
		if kind == policy.ServiceControl {
			levels[i] = append(levels[i], g.document(kind, 75))
		}
		if g.chance(25) {
			levels[i] = append(levels[i], g.document(kind, 0))
		}
	}
	return levels
}

func (g *generator) version() string {
	return pick(g, policy.Version2012, policy.Version2012, policy.Version2012, policy.Version2012, policy.Version2012, policy.Version2012, policy.Version2008, "")
}

func (g *generator) keyPolicy() *document {
	d := &document{Version: g.version()}
	if g.chance(40) { // the account decides
		d.Statements = append(d.Statements, statement{Effect: "Allow", Principal: &principals{AWS: []string{pick(g, root(g.s.Account), g.s.Account, root(ours))}}, Action: []string{"kms:*"}, Resource: []string{"*"}})
	}
	for range g.IntN(3) + 1 {
		d.Statements = append(d.Statements, g.statement(policy.Key, d.Version))
	}
	return d
}

// document draws one whose first statement allows everything in some percent of the cases.
func (g *generator) document(kind policy.Kind, broad int) document {
	d := document{Version: g.version()}
	if kind == policy.ResourceControl {
		d.Version = policy.Version2012
	}
	if g.chance(broad) {
		st := statement{Effect: "Allow", Action: []string{pick(g, "*", "kms:*")}, Resource: []string{"*"}}
		if kind == policy.Endpoint {
			st.Principal = &principals{Everyone: true}
		}
		d.Statements = append(d.Statements, st)
	}
	for range pick(g, 0, 1, 1, 2) {
		d.Statements = append(d.Statements, g.statement(kind, d.Version))
	}
	if len(d.Statements) == 0 {
		d.Statements = append(d.Statements, g.statement(kind, d.Version))
	}
	return d
}

func (g *generator) statement(kind policy.Kind, version string) statement {
	st := statement{Effect: "Allow"}
	if kind == policy.ResourceControl || g.chance(22) {
		st.Effect = "Deny"
	}
	switch kind {
	case policy.Key:
		if g.chance(10) {
			st.NotPrincipal = g.principals(st.Effect == "Deny")
		} else {
			st.Principal = g.principals(false)
		}
	case policy.Endpoint:
		st.Principal = &principals{Everyone: true}
		if g.chance(40) {
			st.Principal = g.principals(false)
		}
	case policy.ResourceControl:
		st.Principal = &principals{Everyone: true}
	}
	g.actions(&st, kind)
	g.resources(&st, kind)
	for range pick(g, 0, 0, 1, 1, 1, 2) {
		g.condition(&st, kind, version)
	}
	return st
}

// principals draws a list. full: it is likely to have all names of the caller, as AWS asks for with NotPrincipal and Deny.
func (g *generator) principals(full bool) *principals {
	own := namesOf(&g.s.Caller)
	if full && g.chance(60) {
		if len(own) == 0 {
			return &principals{Service: []string{g.s.Caller.ARN}}
		}
		return &principals{AWS: own}
	}
	p := &principals{}
	for range pick(g, 1, 1, 1, 2, 3) {
		switch n := g.IntN(100); {
		case n < 50 && len(own) > 0:
			p.AWS = append(p.AWS, pick(g, own...))
		case n < 50, n < 55:
			p.Service = append(p.Service, pick(g, "s3.amazonaws.com", "ec2.amazonaws.com"))
		case n < 65:
			p.AWS = append(p.AWS, "*")
		case n < 68:
			return &principals{Everyone: true}
		case n < 70:
			p.Other = append(p.Other, "arn:aws:iam::"+ours+":oidc-provider/accounts.example.com")
		default:
			p.AWS = append(p.AWS, pick(g, strangers()...))
		}
	}
	return p
}

func (g *generator) actions(st *statement, kind policy.Kind) {
	name := strings.TrimPrefix(g.s.Action, "kms:")
	var list []string
	for range pick(g, 1, 1, 2) {
		list = append(list, pick(g, "kms:*", "kms:*", g.s.Action, g.s.Action, "KMS:"+strings.ToLower(name), "kms:"+name[:2]+"*", "kms:?"+name[1:], "kms:*"+name[len(name)-3:],
			"kms:De*", "kms:*Key*", "s3:*", "kms:Sign"))
	}
	if kind != policy.ResourceControl && g.chance(10) {
		list = append(list, "*")
	}
	if kind != policy.ResourceControl && g.chance(12) {
		st.NotAction = slices.DeleteFunc(list, func(a string) bool { return a == "*" || a == "kms:*" && g.chance(80) })
		if len(st.NotAction) > 0 {
			return
		}
		st.NotAction, list = nil, []string{"kms:*"}
	}
	st.Action = list
}

func (g *generator) resources(st *statement, kind policy.Kind) {
	if kind == policy.Key && g.chance(80) || g.chance(45) {
		st.Resource = []string{"*"}
		return
	}
	var list []string
	for range pick(g, 1, 1, 2) {
		list = append(list, pick(g, keyOf(g.s.Account), keyOf(g.s.Account), keyOf(theirs), "arn:aws:kms:*:"+ours+":key/*", "arn:aws:kms:*:*:key/1234*",
			"arn:aws:kms:us-east-1:"+g.s.Account+":*", "arn:aws:kms:us-east-1:1111222?3333:key/????abcd-*", "arn:*:kms:*:*:*", "arn:aws:kms:eu-*:*:key/*",
			"arn:aws:kms:us-east-1:*:alias/*", "arn:aws:kms:*:*:key/${aws:PrincipalTag/team}", "arn:aws:kms:*:*:key/${aws:RequestTag/team, '"+keyID+"'}",
			"arn:aws:kms:*:*:key/*${*}", "arn:aws:s3:::*", "arn:aws:kms:*:key/"+keyID))
	}
	if g.chance(15) {
		st.NotResource = list
		return
	}
	st.Resource = list
}
