package kms_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/store"
)

// closed is a key policy for the root user of an account itself, and for nobody else in it.
func closed(account string, more ...string) string {
	root := "arn:aws:iam::" + account + ":root"
	only := conditionJSON(condition{"StringEquals", "aws:PrincipalArn", []string{root}})
	return rules(append([]string{rule("Allow", aws(root), "*", only, "kms:*")}, more...)...)
}

func (u user) putPolicy(key, document string) {
	u.t.Helper()
	u.must(&kmsapi.PutKeyPolicyRequest{KeyId: &key, Policy: &document, BypassPolicyLockoutSafetyCheck: new(true)})
}

// createClosed makes a key that only the account's root user can use.
func (u user) createClosed(more ...string) string {
	u.t.Helper()
	document := closed(u.account, more...)
	return *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Policy: &document}).KeyMetadata.KeyId
}

type operations = []kmsapi.GrantOperation

// grantTo makes a grant of operations to a principal.
func (u user) grantTo(key, grantee string, all operations, constraints *kmsapi.GrantConstraints) (id, token string) {
	u.t.Helper()
	return u.createGrant(&kmsapi.CreateGrantRequest{KeyId: &key, GranteePrincipal: &grantee, Operations: all, Constraints: constraints})
}

// may sends a request, and says whether it was allowed.
func (u user) may(in request) bool {
	u.t.Helper()
	return u.send(in).code != "AccessDeniedException"
}

// encrypts is a request that a grant of Encrypt allows.
func encrypts(arn string) *kmsapi.EncryptRequest {
	return &kmsapi.EncryptRequest{KeyId: &arn, Plaintext: []byte(secret)}
}

// grantableOn are the operations that a grant on a key of a kind can have, as the API reference has them.
func grantableOn(k keyKind) operations {
	all := operations{"DescribeKey", "CreateGrant", "RetireGrant"}
	switch {
	case k.symmetric():
		return append(all, "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
			"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
	case k.usage == encrypting:
		return append(all, "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey")
	case k.usage == signing:
		return append(all, "Sign", "Verify", "GetPublicKey")
	case k.usage == authenticates:
		return append(all, "GenerateMac", "VerifyMac")
	case k.usage == agreeing:
		return append(all, "DeriveSharedSecret", "GetPublicKey")
	}
	return append(all, "Encapsulate", "Decapsulate", "GetPublicKey")
}

// TestGrantAllowsItsOperationAndNoOther asks for every operation of the API with a grant of one operation.
func TestGrantAllowsItsOperationAndNoOther(t *testing.T) {
	cells, allowed := 0, 0
	for _, name := range []string{"symmetric", "RSA encryption", "ECC signing", "HMAC", "key agreement", "ML-KEM"} {
		kinds := keyKinds()
		kind := kinds[slices.IndexFunc(kinds, func(k keyKind) bool { return k.name == name })]
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.as(alice)
			app := u.newUser("app")
			u.createAlias(spareAlias, u.createKey())
			u.putPolicy(u.aliasTargetOf(spareAlias), closed(alice, rule("Allow", aws(app.principal()), "*", "", "kms:ReEncrypt*")))
			s := u.specimen(kind)
			u.putPolicy(s.id, closed(alice))
			for _, granted := range grantableOn(kind) {
				list := operations{granted}
				if granted == "CreateGrant" { // which cannot be alone
					list = append(list, "DescribeKey")
				}
				id, token := u.grantTo(s.id, app.principal(), list, nil)
				kept := s.made.grants // samples take them away
				n, ok := s.testGranted(app, list, id)
				s.made.grants = kept
				cells, allowed = cells+n, allowed+ok
				u.send(&kmsapi.RetireGrantRequest{GrantToken: &token}) // it may have retired itself
				for _, g := range u.grantsOf(s.id) {                   // and those that it has made
					if *g.GranteePrincipal == app.principal() {
						u.must(&kmsapi.RevokeGrantRequest{KeyId: &s.id, GrantId: g.GrantId})
					}
				}
			}
		})
	}
	t.Logf("%d requests, %d of them allowed", cells, allowed)
	if cells < 1900 || allowed < 45 {
		t.Errorf("%d requests, %d of them allowed", cells, allowed)
	}
}

// aliasTargetOf is the key that an alias points to.
func (u user) aliasTargetOf(alias string) string {
	u.t.Helper()
	return *u.describe(alias).KeyId
}

func (s *specimen) testGranted(app user, granted operations, grant string) (cells, allowed int) {
	s.t.Helper()
	for _, in := range s.asked() {
		op, role, _ := strings.Cut(in.operation, " ")
		action := op
		switch {
		case op == "ReEncrypt" && role == "to":
			action = "ReEncryptTo"
		case op == "ReEncrypt":
			action = "ReEncryptFrom"
		}
		r := in.make(app, s.arn())
		if retire, ok := r.(*kmsapi.RetireGrantRequest); ok {
			retire.GrantId = &grant
		}
		a := app.send(r)
		want := slices.Contains(granted, kmsapi.GrantOperation(action))
		if cells++; want {
			allowed++
		}
		if want != (a.code != "AccessDeniedException") {
			s.t.Errorf("a grant of %v: %s answers %q %q", granted, in.operation, a.code, a.message)
		}
		if want && !a.accepted() {
			s.t.Errorf("a grant of %v: %s answers %q %q", granted, in.operation, a.code, a.message)
		}
	}
	return cells, allowed
}

// TestGrantConstraints holds a request's encryption context against the constraints of the grant that it is made by.
func TestGrantConstraints(t *testing.T) {
	type pairs = map[string]string
	u := newWorld(t).as(alice)
	app := u.newUser("app")
	grants := map[string]*kmsapi.GrantConstraints{
		"none": nil, "empty": {}, "equals": {EncryptionContextEquals: pairs{"a": "1", "b": "2"}}, "subset": {EncryptionContextSubset: pairs{"a": "1"}},
		"equals nothing": {EncryptionContextEquals: pairs{}}, "subset of nothing": {EncryptionContextSubset: pairs{}},
	}
	contexts := []struct {
		context pairs
		passes  string
	}{
		{nil, "equals nothing"},
		{pairs{"a": "1"}, "subset"},
		{pairs{"a": "1", "b": "2"}, "subset, equals"},
		{pairs{"b": "2", "a": "1", "c": "3"}, "subset"},
		{pairs{"A": "1", "b": "2"}, ""}, // names and values are compared exactly
		{pairs{"a": "1", "b": "two"}, "subset"},
		{pairs{"a": "2", "b": "2"}, ""},
		{pairs{"a": "", "b": "2"}, ""},
		{pairs{"a": "1 "}, ""},
		{pairs{"b": "2"}, ""},
		{pairs{"A": "1", "a": "1", "b": "2"}, "subset"},
	}
	cells := 0
	for name, constraints := range grants {
		id, other := u.createClosed(), u.createClosed(rule("Allow", aws(app.principal()), "*", "", "kms:ReEncrypt*"))
		arn, otherARN := u.keyARN(id), u.keyARN(other)
		u.grantTo(id, app.principal(), operations{"Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyWithoutPlaintext",
			"GenerateDataKeyPairWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "DescribeKey"}, constraints)
		if !app.may(&kmsapi.DescribeKeyRequest{KeyId: &arn}) {
			t.Errorf("%s: DescribeKey, which has no encryption context, is denied", name)
		}
		for _, row := range contexts {
			c, pair := row.context, new(kmsapi.DataKeyPairSpecEccNistP256)
			own, foreign := u.encrypt(id, secret, c), u.encrypt(other, secret, pairs{"x": "y"})
			want := strings.HasPrefix(name, "none") || name == "empty" || name == "subset of nothing" || slices.Contains(strings.Split(row.passes, ", "), name)
			for _, in := range []request{
				&kmsapi.EncryptRequest{KeyId: &arn, Plaintext: []byte(secret), EncryptionContext: c},
				&kmsapi.DecryptRequest{CiphertextBlob: own, EncryptionContext: c},
				&kmsapi.GenerateDataKeyRequest{KeyId: &arn, KeySpec: new(kmsapi.DataKeySpecAes256), EncryptionContext: c},
				&kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &arn, KeySpec: new(kmsapi.DataKeySpecAes256), EncryptionContext: c},
				&kmsapi.GenerateDataKeyPairRequest{KeyId: &arn, KeyPairSpec: pair, EncryptionContext: c},
				&kmsapi.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: &arn, KeyPairSpec: pair, EncryptionContext: c},
				// Each side of ReEncrypt has its own context, and the other side's does not count.
				&kmsapi.ReEncryptRequest{CiphertextBlob: own, SourceEncryptionContext: c, DestinationKeyId: &otherARN, DestinationEncryptionContext: pairs{"x": "y"}},
				&kmsapi.ReEncryptRequest{CiphertextBlob: foreign, SourceEncryptionContext: pairs{"x": "y"}, DestinationKeyId: &arn, DestinationEncryptionContext: c},
			} {
				cells++
				a := app.send(in)
				if want && !a.ok() || !want && a.code != "AccessDeniedException" {
					t.Errorf("grant %q, %s with context %v: %q %q", name, a.operation, c, a.code, a.message)
				}
			}
		}
	}
	if cells != 6*11*8 {
		t.Errorf("%d cells", cells)
	}
}

// Both sides of ReEncrypt are decided by themselves: one by the key's policy, the other by a grant.
func TestReEncryptByPolicyAndGrant(t *testing.T) {
	u := newWorld(t).as(alice)
	app := u.newUser("app")
	policy := func(action string) string { return rule("Allow", aws(app.principal()), "*", "", action) }
	for _, row := range []struct {
		from, to string // P: policy, G: grant, empty: nothing
		allowed  bool
	}{{"P", "P", true}, {"P", "G", true}, {"G", "P", true}, {"G", "G", true}, {"G", "", false}, {"", "G", false}, {"P", "", false}, {"", "P", false}} {
		from, to := u.createClosed(), u.createClosed()
		ciphertext := u.encrypt(from, secret, nil)
		for key, side := range map[string][2]string{from: {row.from, "ReEncryptFrom"}, to: {row.to, "ReEncryptTo"}} {
			switch side[0] {
			case "P":
				u.putPolicy(key, closed(alice, policy("kms:"+side[1])))
			case "G":
				u.grantTo(key, app.principal(), operations{kmsapi.GrantOperation(side[1])}, nil)
			}
		}
		for _, named := range []*string{nil, new(u.keyARN(from))} {
			in := &kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, SourceKeyId: named, DestinationKeyId: new(u.keyARN(to))}
			if got := app.may(in); got != row.allowed {
				t.Errorf("source by %q, destination by %q: allowed %v", row.from, row.to, got)
			}
		}
	}
}

// TestGrantees has one grant for each kind of grantee, and asks who may use the key by it.
func TestGrantees(t *testing.T) {
	w := newWorld(t)
	u, v := w.as(alice), w.as(bob)
	all := map[string]user{
		"root": u, "user": u.newUser("user"), "user with IAM": u.newUser("allowed", allowing("kms:Encrypt")),
		"user of another account": v.newUser("outsider"), "user of another account with IAM": v.newUser("allowed", allowing("kms:Encrypt")),
		"root of another account": v,
	}
	roleARN := u.newRole("app")
	all["session"], all["other session"] = u.assume(roleARN, "one"), u.assume(roleARN, "two")
	all["session of another role"] = u.assume(u.newRole("other"), "one")
	federator := u.newUser("federator", allowing("sts:GetFederationToken"))
	all["federator"], all["federated user"] = federator, federator.federate("carol")
	all["federated user with a session policy"] = federator.federate("dave", "Policy", allowing("kms:Encrypt"))
	all["user's session"] = all["user"].temporary()
	service := w.registered("sqs.amazonaws.com", alice)
	const queue, otherQueue = "arn:aws:sqs:us-east-1:" + alice + ":q", "arn:aws:sqs:us-east-1:" + alice + ":p"
	all["service for the queue"], all["service for another queue"] = service.acting(queue, alice), service.acting(otherQueue, alice)
	all["service for nothing"] = service
	all["another service"] = w.registered("sns.amazonaws.com", alice).acting(queue, alice)

	toService := &kmsapi.GrantConstraints{SourceArn: new(queue)}
	cells := 0
	for _, row := range []struct {
		name, grantee string
		constraints   *kmsapi.GrantConstraints
		may           []string
	}{
		{"nobody", "", nil, nil},
		{"user", all["user"].principal(), nil, []string{"user", "user's session"}},
		{"role", roleARN, nil, []string{"session", "other session"}},
		{"session", all["session"].principal(), nil, []string{"session"}},
		{"federated user", all["federated user"].principal(), nil, []string{"federated user"}},
		{"the user of a federated user", federator.principal(), nil, []string{"federator"}},
		{"account", u.principal(), nil, []string{"user with IAM"}},
		{"another account", v.principal(), nil, []string{"root of another account", "user of another account with IAM"}},
		{"user of another account", all["user of another account"].principal(), nil, nil},
		{"user of another account with IAM", all["user of another account with IAM"].principal(), nil, []string{"user of another account with IAM"}},
		{"service", "sqs.amazonaws.com", toService, []string{"service for the queue"}},
	} {
		id := u.createClosed()
		switch {
		case row.constraints != nil:
			u.createGrant(&kmsapi.CreateGrantRequest{
				KeyId: &id, GranteeServicePrincipal: &row.grantee, RetiringPrincipal: new(u.principal()), Operations: operations{"Encrypt"}, Constraints: row.constraints,
			})
		case row.grantee != "":
			u.grantTo(id, row.grantee, operations{"Encrypt"}, nil)
		}
		for name, who := range all {
			cells++
			want := name == "root" || slices.Contains(row.may, name)
			if a := who.send(encrypts(u.keyARN(id))); a.ok() != want {
				t.Errorf("a grant to %s: %s: %q %q", row.name, name, a.code, a.message)
			}
		}
	}
	if cells != 11*17 {
		t.Errorf("%d cells", cells)
	}
}

// TestDenyBeatsGrant: an explicit deny in any layer, and what bounds a role's sessions without one.
func TestDenyBeatsGrant(t *testing.T) {
	w := newWorld(t)
	o := w.organization()
	u := o.account("grants")
	id := u.createClosed()
	arn := u.keyARN(id)
	const elsewhere = "kms:Decrypt"
	newUser := func(name string, policies ...string) user {
		who := u.newUser(name, policies...)
		u.grantTo(id, who.principal(), operations{"Encrypt", "DescribeKey"}, nil)
		return who
	}
	bounded := func(name, document string) user {
		who := newUser(name)
		u.bound(who, document)
		return who
	}
	session := func(name, boundary string, parameters ...string) user {
		name = "role-" + name
		role := u.newRole(name)
		u.grantTo(id, role, operations{"Encrypt", "DescribeKey"}, nil)
		if boundary != "" {
			arn := u.iam("CreatePolicy", "PolicyName", "boundary-of-"+name, "PolicyDocument", boundary)["Arn"]
			u.iam("PutRolePermissionsBoundary", "RoleName", name, "PermissionsBoundary", arn)
		}
		return u.assume(role, "session", parameters...)
	}
	inGroup := newUser("grouped")
	u.iam("CreateGroup", "GroupName", "g")
	u.iam("PutGroupPolicy", "GroupName", "g", "PolicyName", "p", "PolicyDocument", denying("kms:Encrypt"))
	u.iam("AddUserToGroup", "GroupName", "g", "UserName", "grouped")
	ownSession := session("own", "")
	direct := session("direct", "", "Policy", allowing(elsewhere))
	u.grantTo(id, direct.principal(), operations{"Encrypt", "DescribeKey"}, nil)
	for _, row := range []struct {
		name string
		who  user
		want string // reason, empty: allowed
	}{
		{"nothing else", newUser("plain"), ""},
		{"an identity policy that allows something else", newUser("elsewhere", allowing(elsewhere)), ""},
		{"identity policy denies", newUser("denied", denying("kms:Encrypt")), "with an explicit deny in an identity-based policy"},
		{"group policy denies", inGroup, "with an explicit deny in an identity-based policy"},
		{"boundary of a user that does not allow", bounded("bounded", allowing(elsewhere)), ""},
		{"boundary denies", bounded("fenced", denying("kms:Encrypt")), "with an explicit deny in a permissions boundary: arn:aws:iam::" + u.account + ":policy/boundary-of-fenced"},
		{"role", ownSession, ""},
		{"boundary of a role that does not allow", session("bounded", allowing(elsewhere)), "because no permissions boundary allows the kms:Encrypt action"},
		{"boundary of a role that allows", session("wide", allowing("kms:*")), ""},
		{"session policy that does not allow", session("narrow", "", "Policy", allowing(elsewhere)), "because no session policy allows the kms:Encrypt action"},
		{"session policy that allows", session("passed", "", "Policy", allowing("kms:Encrypt")), ""},
		{"session policy that does not allow, of a session that is itself the grantee", direct, ""},
		{"session policy denies", session("stopped", "", "Policy", rules(rule("Allow", "", "*", "", "kms:*"), rule("Deny", "", "*", "", "kms:Encrypt"))), "with an explicit deny in a session policy"},
	} {
		a := row.who.send(encrypts(arn))
		want := "User: " + row.who.principal() + " is not authorized to perform: kms:Encrypt on resource: " + arn + " " + row.want
		switch {
		case row.want == "" && !a.ok():
			t.Errorf("%s: %q %q", row.name, a.code, a.message)
		case row.want != "" && a.message != want:
			t.Errorf("%s: got %q %q, want %q", row.name, a.code, a.message, want)
		}
	}
	who := newUser("last")
	deny := func(reason string) {
		t.Helper()
		who.refused(encrypts(arn), "AccessDeniedException", "User: "+who.principal()+" is not authorized to perform: kms:Encrypt on resource: "+arn+" "+reason)
	}
	who.must(encrypts(arn))
	u.putPolicy(id, closed(u.account, rule("Deny", aws(who.principal()), "*", "", "kms:Encrypt")))
	deny("with an explicit deny in a resource-based policy")
	u.putPolicy(id, closed(u.account))
	detach := o.attach(u.account, orgapi.PolicyTypeServiceControlPolicy, denying("kms:Encrypt"))
	deny("with an explicit deny in a service control policy: " + detach.arn)
	detach.detach()
	who.must(encrypts(arn))
	detach = o.attach(u.account, orgapi.PolicyTypeResourceControlPolicy, rules(rule("Deny", `"*"`, "*", "", "kms:Encrypt")))
	deny("with an explicit deny in a resource control policy: " + detach.arn)
	detach.detach()
	who.must(encrypts(arn))
	o.attach(u.account, orgapi.PolicyTypeServiceControlPolicy, allowing("kms:Decrypt"))
	o.organize(&orgapi.DetachPolicyRequest{PolicyId: new("p-FullAWSAccess"), TargetId: &u.account})
	deny("because no service control policy allows the kms:Encrypt action")
}

// A grant is to the user or role that had the name when it was made, and not to who is given the name later.
func TestGrantIsNotInherited(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createClosed()
	arn := u.keyARN(id)
	who := u.newUser("app")
	role := u.newRole("app")
	session := u.assume(role, "one")
	for _, name := range []string{who.principal(), role} {
		u.grantTo(id, name, operations{"Encrypt"}, nil)
	}
	if !who.may(encrypts(arn)) || !session.may(encrypts(arn)) {
		t.Fatal("the grants do not work")
	}
	u.deleteUser(who, 0)
	u.iam("DeleteRole", "RoleName", "app")
	who = u.newUser("app")
	if again := u.newRole("app"); again != role {
		t.Fatal(again)
	}
	session = u.assume(role, "two")
	if who.may(encrypts(arn)) || session.may(encrypts(arn)) {
		t.Error("a user and a role of the same names have inherited the grants")
	}
	for _, name := range []string{who.principal(), role} { // grants of their own count
		u.grantTo(id, name, operations{"Encrypt"}, nil)
	}
	if !who.may(encrypts(arn)) || !session.may(encrypts(arn)) {
		t.Error("the new grants do not work")
	}
}

// A grant counts from CreateGrant's answer on, with and without its token, which gives nobody anything; and until it ends.
func TestGrantCountsAtOnce(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createClosed()
	arn := u.keyARN(id)
	app, other := u.newUser("app"), u.newUser("other")
	for range 50 {
		grant, token := u.grantTo(id, app.principal(), operations{"Encrypt"}, nil)
		app.must(encrypts(arn))
		withToken := encrypts(arn)
		withToken.GrantTokens = []string{token}
		app.must(withToken)
		if other.may(withToken) {
			t.Fatal("the token lets somebody else")
		}
		app.refusedAs(&kmsapi.DescribeKeyRequest{KeyId: &arn, GrantTokens: []string{token}}, "AccessDeniedException")
		u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant})
		if app.may(encrypts(arn)) {
			t.Fatal("the grant counts after its end")
		}
	}
}

// Another node knows of a grant, and of its end, within the published bound.
func TestGrantOnAnotherNode(t *testing.T) {
	nodes := newNodes(t, 2)
	u, far := nodes[0].as(alice), nodes[1].as(alice)
	outsider := nodes[1].as(bob)
	id := u.createClosed()
	arn := u.keyARN(id)
	far.encrypt(id, secret, nil) // it has the key's record in memory
	within := func(want bool) {
		t.Helper()
		for end := time.Now().Add(store.WatchBound); ; {
			got := outsider.may(encrypts(arn))
			if got == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("allowed %v", got)
			}
		}
	}
	within(false)
	for range 20 {
		grant, _ := u.grantTo(id, outsider.principal(), operations{"Encrypt"}, nil)
		within(true)
		u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant})
		within(false)
	}
}

// A disabled key says so to whom a grant allows the operation, and nothing to anybody else; a dry run decides alike.
func TestGrantsOnADisabledKey(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createClosed()
	arn := u.keyARN(id)
	app, other := u.newUser("app"), u.newUser("other")
	u.grantTo(id, app.principal(), operations{"Encrypt"}, nil)
	dry := func() *kmsapi.EncryptRequest {
		in := encrypts(arn)
		in.DryRun = new(true)
		return in
	}
	app.refused(dry(), "DryRunOperationException", dryRun)
	other.refusedAs(dry(), "AccessDeniedException")
	u.disable(id)
	for _, in := range []request{encrypts(arn), dry()} {
		app.refused(in, "DisabledException", arn+" is disabled.")
		other.refusedAs(in, "AccessDeniedException")
	}
	u.must(&kmsapi.EnableKeyRequest{KeyId: &id})
	app.must(encrypts(arn))
}

// The audit record names the grant that allowed.
func TestAuditNamesTheGrant(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createClosed()
	app := u.newUser("app")
	grant, _ := u.grantTo(id, app.principal(), operations{"Encrypt"}, nil)
	a := app.must(encrypts(u.keyARN(id)))
	if line := string(u.recordOf(a)); !strings.Contains(line, `"grant":"`+grant+`"`) {
		t.Errorf("the record is %s", line)
	}
}
