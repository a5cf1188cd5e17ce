package kms_test

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// conditionRow is a row of testdata/condition-keys.txt.
type conditionRow struct {
	key, kind    string
	identityOnly bool
	decisions    []string
	bare, full   string
}

func readConditionTable(t *testing.T) []conditionRow {
	t.Helper()
	text, err := os.ReadFile("testdata/condition-keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []conditionRow
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		cell := strings.Split(line, "|")
		if len(cell) != 6 {
			t.Fatalf("the row %q", line)
		}
		for i := range cell {
			cell[i] = strings.TrimSpace(cell[i])
		}
		rows = append(rows, conditionRow{cell[0], cell[1], cell[2] == "I", strings.Fields(cell[3]), cell[4], cell[5]})
	}
	return rows[1:] // without the head
}

// decision is one of the things that are decided for a request.
type decision struct {
	name    string // Encrypt; CreateKey:TagResource, UpdateAlias:to where a request needs several
	sample  string // of the request
	action  string
	group   string // of the table: key, alias, make, or none
	anyForm bool
	// resource is what the decision is about, in an identity policy.
	resource func(s *specimen) string
	// byIdentity says that no key policy has a say.
	byIdentity bool
	tagged     bool // only a request with tags needs it
}

// decisions are all that there are for the built operations.
func decisions(t *testing.T) []decision {
	t.Helper()
	key := func(s *specimen) string { return s.arn() }
	everything := func(*specimen) string { return "*" }
	alias := func(s *specimen) string { return s.user.arn("alias/*") }
	var all []decision
	for _, s := range samples(keyKinds()[0], new(evidence)) {
		op, role, _ := strings.Cut(s.operation, " ")
		d := decision{name: op, sample: s.operation, action: "kms:" + op, group: "key", anyForm: s.anyForm, resource: key}
		switch op {
		case "ReEncrypt":
			d.name = "ReEncrypt" + strings.ToUpper(role[:1]) + role[1:]
			d.action = "kms:" + d.name
		case "RetireGrant": // the grant decides, and the caller's own policies
			d.byIdentity = true
		case "ListAliases":
			d.group, d.byIdentity, d.resource = "none", true, everything
		case "UpdateAlias":
			d.name, d.sample = "UpdateAlias:to", "UpdateAlias to"
		}
		all = append(all, d)
	}
	on := func(name, sample, group string, resource func(*specimen) string, byIdentity bool) {
		op, part, _ := strings.Cut(name, ":")
		d := decision{name: name, sample: sample, action: "kms:" + op, group: group, resource: resource, byIdentity: byIdentity}
		if part == "CreateKey" || part == "TagResource" {
			d.action, d.tagged = "kms:"+part, part == "TagResource"
		}
		all = append(all, d)
	}
	on("UpdateAlias:from", "UpdateAlias from", "key", key, false)
	on("DeleteAlias", "DeleteAlias", "key", key, false)
	for _, op := range []string{"CreateAlias", "UpdateAlias to", "DeleteAlias"} {
		on(operation(op)+":alias", op, "alias", alias, true)
	}
	on("UpdatePrimaryRegion:replica", "UpdatePrimaryRegion", "key", func(s *specimen) string { return s.in(abroad).keyARN(s.id) }, true)
	on("ReplicateKey:CreateKey", "ReplicateKey", "make", everything, true)
	on("ReplicateKey:TagResource", "ReplicateKey", "make", everything, true)
	on("CreateKey", "CreateKey", "make", everything, true)
	on("CreateKey:TagResource", "CreateKey", "make", everything, true)
	for _, op := range []string{"GenerateRandom", "ListKeys", "ListRetirableGrants"} {
		on(op, op, "none", everything, true)
	}
	return all
}

// TestEveryOperationHasDecisions holds the list of decisions against the operations.
func TestEveryOperationHasDecisions(t *testing.T) {
	has := map[string]bool{}
	for _, d := range decisions(t) {
		op, _, _ := strings.Cut(d.name, ":")
		has[op] = true
	}
	for _, o := range kmsapi.Operations() {
		if o.Built && o.Name != "ReEncrypt" && !has[o.Name] {
			t.Errorf("%s is decided nowhere", o.Name)
		}
	}
}

// applies says whether a row is about a decision.
func (r *conditionRow) applies(d *decision) bool {
	return slices.ContainsFunc(r.decisions, func(pattern string) bool {
		switch pattern {
		case "key", "alias", "make":
			return pattern == d.group
		case "anyform":
			return d.anyForm
		}
		ok, err := path.Match(pattern, d.name)
		return ok && err == nil
	})
}

// condition is an operator on a key, with the values it is compared with.
type condition struct {
	operator, key string
	values        []string
}

// conditionJSON joins conditions, which must all hold.
func conditionJSON(all ...condition) string {
	m := map[string]map[string][]string{}
	for _, c := range all {
		if m[c.operator] == nil {
			m[c.operator] = map[string][]string{}
		}
		m[c.operator][c.key] = c.values
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func absentKey(key string) condition  { return condition{"Null", key, []string{"true"}} }
func presentKey(key string) condition { return condition{"Null", key, []string{"false"}} }

// right are conditions that hold when a key has a value, wrong one that does not.
func right(kind, key, value string) []condition {
	switch kind {
	case "S":
		return []condition{{"StringEquals", key, []string{"other", value}}, {"StringLike", key, []string{value}}}
	case "B":
		return []condition{{"Bool", key, []string{value}}}
	case "N":
		return []condition{{"NumericEquals", key, []string{value}}, {"NumericLessThanEquals", key, []string{value}}}
	}
	return []condition{{"ForAnyValue:StringEquals", key, []string{"other", value}}, presentKey(key)}
}

func wrong(kind, key, value string) condition {
	switch {
	case kind == "S":
		return condition{"StringEquals", key, []string{value + "x", strings.ToLower(value) + "."}}
	case kind == "B" && value == "true":
		return condition{"Bool", key, []string{"false"}}
	case kind == "B":
		return condition{"Bool", key, []string{"true"}}
	case kind == "N":
		return condition{"NumericGreaterThan", key, []string{value}}
	}
	return condition{"ForAnyValue:StringEquals", key, []string{value + "x"}}
}

// pass is one way to go through the table.
type pass struct {
	name       string
	byIdentity bool // the condition is in an identity policy, and the key's leaves it to those
	full       bool
}

// TestConditionKeys asks for every decision, with every condition key: the right value allows, a wrong one does not, and
// a key that the request does not have is absent.
func TestConditionKeys(t *testing.T) {
	rows := readConditionTable(t)
	all := decisions(t)
	cells, keys := 0, map[string]bool{}
	for _, r := range rows {
		keys[r.key] = true
	}
	for i := range all {
		d := &all[i]
		t.Run(d.name, func(t *testing.T) {
			for _, p := range []pass{
				{"key policy, bare", false, false}, {"key policy, full", false, true},
				{"identity policy, bare", true, false}, {"identity policy, full", true, true},
			} {
				if d.byIdentity && !p.byIdentity || d.tagged && !p.full {
					continue
				}
				cells += testConditions(t, d, p, rows, slices.Sorted(maps.Keys(keys)))
			}
		})
	}
	t.Logf("%d decisions, %d condition keys, %d cells", len(all), len(keys), cells)
	if len(all) < 59 || len(keys) < 46 || cells < 12000 {
		t.Errorf("%d decisions, %d condition keys, %d cells", len(all), len(keys), cells)
	}
}

// asking is a decision that is being asked for.
type asking struct {
	*decision
	how  pass
	key  *specimen
	root user // of the account
	who  user // who asks
	from user // who sends it: who itself, or a service on its behalf
	// expiry is when imported material does.
	expiry time.Time
}

func testConditions(t *testing.T, d *decision, p pass, rows []conditionRow, keys []string) (cells int) {
	t.Helper()
	x := newAsking(t, d, p)
	values := map[string]conditionRow{} // by key, of those that the request has
	for _, r := range rows {
		value := r.bare
		if p.full {
			value = r.full
		}
		if value = x.fill(value); value != "-" && r.applies(d) {
			r.bare = value
			values[r.key] = r
		}
	}
	skip := func(key string) bool { return values[key].identityOnly && !p.byIdentity }
	var together []condition
	for _, key := range keys {
		if skip(key) {
			continue
		}
		cells++
		r, has := values[key]
		if has {
			together = append(together, right(r.kind, key, r.bare)...)
		} else {
			together = append(together, absentKey(key))
		}
		if denies := presentKey(key); !has && !p.full {
			cells++
			x.denies(denies)
		} else if has {
			cells++
			x.denies(wrong(r.kind, key, r.bare))
		}
	}
	x.allows(together)
	return cells
}

// newAsking makes a world with a key that the decision takes, and a user who may do everything but what is decided.
func newAsking(t *testing.T, d *decision, p pass) *asking {
	t.Helper()
	w := newWorld(t)
	x := &asking{decision: d, how: p, root: w.as(alice)}
	x.expiry = x.root.now().Add(30 * 24 * time.Hour).Truncate(time.Second)
	x.root.createAlias(spareAlias, x.root.createKey())
	x.root.in(abroad).createAlias(spareAlias, x.root.in(abroad).createKey())
	x.key = x.root.specimen(kindFor(d.sample))
	x.who = x.root.newUser("app")
	x.root.iam("CreateGroup", "GroupName", "apps") // whose policies may be longer than a user's
	x.root.iam("AddUserToGroup", "GroupName", "apps", "UserName", "app")
	x.putIdentity(allowing("kms:*"))
	x.from = x.who
	if p.full {
		x.key.must(&kmsapi.TagResourceRequest{KeyId: &x.key.id, Tags: tags("team=blue")})
		x.root.in(abroad).send(&kmsapi.TagResourceRequest{KeyId: &x.key.id, Tags: tags("team=blue")})
		x.root.advance("84h")
		x.from = w.registered("s3.amazonaws.com", alice).onBehalfOf(x.who)
	}
	switch d.name {
	case "CancelKeyDeletion":
		x.key.schedule(x.key.id)
	case "DescribeKey": // which the key's grants allow
		for _, id := range x.key.made.grants {
			x.key.must(&kmsapi.RevokeGrantRequest{KeyId: &x.key.id, GrantId: &id})
		}
	}
	return x
}

// fill puts the properties of the key into a value of the table.
func (x *asking) fill(value string) string {
	k := x.key.kind
	kind, multi := k.role, "true"
	switch {
	case k.role == "":
		kind, multi = "-", "false"
	case x.name == "UpdatePrimaryRegion:replica":
		kind = kmsapi.MultiRegionKeyTypeReplica
	}
	alias := x.key.made.aliases[len(x.key.made.aliases)-1]
	if x.name == "UpdatePrimaryRegion:replica" && strings.Contains(value, "$alias") {
		return "-" // the replica has none
	}
	return strings.NewReplacer("$spec", string(k.spec), "$usage", string(k.usage), "$origin", string(k.origin), "$multi", multi,
		"$type", string(kind), "$alias", alias, "$expiry", strconv.FormatInt(x.expiry.Unix(), 10)).Replace(value)
}

// put makes a policy in which everything is allowed but what is decided, and that under a condition.
func (x *asking) put(all []condition) {
	x.key.t.Helper()
	resource, principal := x.resource(x.key), ""
	statements := []string{}
	if !x.how.byIdentity {
		// The account's root user itself, and not whom the account's policies allow.
		statements = append(statements, rule("Allow", aws(x.root.principal()), "*",
			conditionJSON(condition{"StringEquals", "aws:PrincipalArn", []string{x.root.principal()}}), "kms:*"))
		resource, principal = "*", aws(x.who.principal())
	}
	statements = append(statements,
		rule("Allow", principal, resource, conditionJSON(all...), x.action),
		strings.Replace(rule("Allow", principal, "*", "", x.action), `"Action"`, `"NotAction"`, 1))
	if resource != "*" {
		statements = append(statements, strings.Replace(rule("Allow", principal, resource, "", x.action), `"Resource"`, `"NotResource"`, 1))
	}
	if x.how.byIdentity {
		x.putIdentity(rules(statements...))
		return
	}
	x.root.must(&kmsapi.PutKeyPolicyRequest{KeyId: &x.key.id, Policy: new(rules(statements...)), BypassPolicyLockoutSafetyCheck: new(true)})
}

func (x *asking) putIdentity(document string) {
	x.key.t.Helper()
	x.root.iam("PutGroupPolicy", "GroupName", "apps", "PolicyName", "p", "PolicyDocument", document)
}

// request is a new request of the operation.
func (x *asking) request() request {
	id := x.key.arn()
	if x.how.full && x.anyForm {
		id = x.key.made.aliases[len(x.key.made.aliases)-1]
	}
	kept := x.key.made.grants // samples take them away
	all := append(x.key.asked(), keylessSamples()...)
	i := slices.IndexFunc(all, func(s sample) bool { return s.operation == x.sample })
	in := all[i].make(x.who, id)
	x.key.made.grants = kept
	if expires, ok := in.(*kmsapi.ImportKeyMaterialRequest); ok { // as it does if no model is sent
		expires.ExpirationModel, expires.ValidTo = nil, &x.expiry
	}
	if x.how.full {
		fillIn(in)
	}
	return in
}

// ask sends the request.
func (x *asking) ask() answer {
	x.key.t.Helper()
	return x.from.in(x.key.region).send(x.request())
}

func (x *asking) denies(c condition) {
	x.key.t.Helper()
	x.put([]condition{c})
	if a := x.ask(); a.code != "AccessDeniedException" {
		x.key.t.Errorf("%s, %s: allowed although %s: %s %s", x.how.name, x.name, conditionJSON(c), a.code, a.message)
	}
}

// allows sends the request under conditions that must all hold; if they do not it finds out which does not.
func (x *asking) allows(all []condition) {
	x.key.t.Helper()
	x.put(all)
	a := x.ask()
	if a.code != "AccessDeniedException" {
		if !x.how.full && !a.accepted() {
			x.key.t.Errorf("%s, %s: %s %s", x.how.name, x.name, a.code, a.message)
		}
		return
	}
	for _, c := range all {
		x.put([]condition{c})
		if a := x.ask(); a.code == "AccessDeniedException" {
			x.key.t.Errorf("%s, %s: denied although %s: %s", x.how.name, x.name, conditionJSON(c), a.message)
		}
	}
}

// fillIn gives a request the members that condition keys tell of.
func fillIn(in request) {
	set := func(member string, value any) {
		if f := reflect.ValueOf(in).Elem().FieldByName(member); f.IsValid() {
			f.Set(reflect.ValueOf(value))
		}
	}
	green := map[string]string{"tenant": "green"}
	set("EncryptionContext", green)
	set("SourceEncryptionContext", green)
	set("DestinationEncryptionContext", map[string]string{"tenant": "red"})
	set("BypassPolicyLockoutSafetyCheck", new(true))
	set("RotationPeriodInDays", new(int32(180)))
	set("PendingWindowInDays", new(int32(7)))
	set("ExpirationModel", new(kmsapi.ExpirationModelTypeKeyMaterialExpires))
	set("Tags", tags("team=blue"))
	switch in := in.(type) {
	case *kmsapi.SignRequest:
		in.MessageType, in.Message = new(kmsapi.MessageTypeDigest), make([]byte, 32)
	case *kmsapi.VerifyRequest:
		in.MessageType, in.Message = new(kmsapi.MessageTypeDigest), make([]byte, 32)
	case *kmsapi.CreateKeyRequest:
		in.KeySpec, in.KeyUsage = new(kmsapi.KeySpecHmac256), new(kmsapi.KeyUsageTypeGenerateVerifyMac)
		in.Origin, in.MultiRegion = new(kmsapi.OriginTypeExternal), new(true)
	case *kmsapi.CreateGrantRequest:
		in.GranteePrincipal, in.RetiringPrincipal = nil, nil
		in.GranteeServicePrincipal, in.RetiringServicePrincipal = new("sqs.amazonaws.com"), new("sns.amazonaws.com")
		in.Operations = append(in.Operations, kmsapi.GrantOperationDecrypt)
		in.Constraints = &kmsapi.GrantConstraints{EncryptionContextSubset: green, SourceArn: new("arn:aws:sqs:us-east-1:" + alice + ":q")}
	}
}
