package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

const role = "arn:aws:iam::" + alice + ":role/app"

const principalText = " is not the ARN of an account, user, role, assumed-role session or federated user: "

// grantWorld is newWorld with the grantee of grantRequest.
func grantWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.as(alice).newRole("app")
	return w
}

// grantRequest asks for a grant to role. Tests change what they are about.
func grantRequest(key string) *kmsapi.CreateGrantRequest {
	return &kmsapi.CreateGrantRequest{
		KeyId: &key, GranteePrincipal: new(role), Operations: []kmsapi.GrantOperation{kmsapi.GrantOperationDescribeKey},
	}
}

func (u user) createGrant(in *kmsapi.CreateGrantRequest) (id, token string) {
	u.t.Helper()
	out := do[kmsapi.CreateGrantResponse](u, in)
	if !grantID.MatchString(*out.GrantId) || len(*out.GrantToken) < 100 || len(*out.GrantToken) > 512 {
		u.t.Errorf("grant id %s, token of %d characters", *out.GrantId, len(*out.GrantToken))
	}
	u.mu.Lock()
	u.secrets[*out.GrantToken] = "CreateGrant answer GrantToken"
	u.mu.Unlock()
	return *out.GrantId, *out.GrantToken
}

// grantsOf lists all grants of a key.
func (u user) grantsOf(key string) []kmsapi.GrantListEntry {
	u.t.Helper()
	out := do[kmsapi.ListGrantsResponse](u, &kmsapi.ListGrantsRequest{KeyId: &key, Limit: new(int32(100))})
	if *out.Truncated {
		u.t.Fatal("more than 100 grants")
	}
	return out.Grants
}

// revision is the store's: it moves with every change.
func (w *world) revision() int64 {
	w.t.Helper()
	page, err := w.store.Range(w.t.Context(), "kms/", "", 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Revision
}

// Every operation is granted on the kinds of key that have it, and on no other (KMS Developer Guide, "Grant operations").
func TestOperationsOfGrants(t *testing.T) {
	u := grantWorld(t).as(alice)
	const (
		always  = "DescribeKey RetireGrant CreateGrant "
		encrypt = "Encrypt Decrypt ReEncryptFrom ReEncryptTo "
		sign    = "Sign Verify GetPublicKey"
	)
	cases := 0
	for _, row := range []struct {
		spec  kmsapi.KeySpec
		usage kmsapi.KeyUsageType
		want  string
	}{
		{kmsapi.KeySpecSymmetricDefault, kmsapi.KeyUsageTypeEncryptDecrypt, encrypt + "GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext"},
		{kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeEncryptDecrypt, encrypt + "GetPublicKey"},
		{kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeEncryptDecrypt, encrypt + "GetPublicKey"},
		{kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeSignVerify, sign},
		{kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify, sign},
		{kmsapi.KeySpecEccSecgP256k1, kmsapi.KeyUsageTypeSignVerify, sign},
		{kmsapi.KeySpecEccNistEdwards25519, kmsapi.KeyUsageTypeSignVerify, sign},
		{kmsapi.KeySpecMlDsa44, kmsapi.KeyUsageTypeSignVerify, sign},
		{kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeSignVerify, sign},
		{kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac, "GenerateMac VerifyMac"},
		{kmsapi.KeySpecEccNistP384, kmsapi.KeyUsageTypeKeyAgreement, "DeriveSharedSecret GetPublicKey"},
		{kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeKeyAgreement, "DeriveSharedSecret GetPublicKey"},
		{kmsapi.KeySpecMlKem512, kmsapi.KeyUsageTypeEncapsulateDecapsulate, "Encapsulate Decapsulate GetPublicKey"},
	} {
		id := u.createKeyOf(row.spec, row.usage)
		want := strings.Fields(always + row.want)
		for _, o := range kmsapi.GrantOperation("").Values() {
			cases++
			in := grantRequest(id)
			in.Operations = append(in.Operations, o) // CreateGrant cannot be alone
			if slices.Contains(want, string(o)) {
				u.createGrant(in)
				continue
			}
			u.refused(in, "ValidationException", fmt.Sprintf("A grant on %s cannot have the operation %s: key usage is %s, key spec is %s.", u.keyARN(id), o, row.usage, row.spec))
		}
		if n := len(u.grantsOf(id)); n != len(want) {
			t.Errorf("%s %s: %d grants, want %d", row.spec, row.usage, n, len(want))
		}
	}
	if cases != 13*19 {
		t.Errorf("%d cases, want 13 keys × 19 operations", cases)
	}
	u.checkGrants()
}

func TestListsOfOperationsOfGrants(t *testing.T) {
	u := grantWorld(t).as(alice)
	id := u.createKey()
	type operations = []kmsapi.GrantOperation
	for _, row := range []struct {
		name          string
		given, kept   operations
		code, message string
	}{
		{"order is kept", operations{"Encrypt", "Decrypt", "CreateGrant"}, operations{"Encrypt", "Decrypt", "CreateGrant"}, "", ""},
		{"each once", operations{"Decrypt", "Encrypt", "Decrypt", "Encrypt", "Encrypt"}, operations{"Decrypt", "Encrypt"}, "", ""},
		{"as many as there are", slices.Repeat(operations{"Decrypt"}, 19), operations{"Decrypt"}, "", ""},
		{"none", operations{}, nil, "ValidationException", "1 validation error detected: Value '[]' at 'operations' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"absent", nil, nil, "ValidationException", "1 validation error detected: Value null at 'operations' failed to satisfy constraint: Member must not be null"},
		{"CreateGrant alone", operations{"CreateGrant"}, nil, "ValidationException", "Grants must not contain only the CreateGrant operation."},
		{"CreateGrant alone, twice", operations{"CreateGrant", "CreateGrant"}, nil, "ValidationException", "Grants must not contain only the CreateGrant operation."},
	} {
		in := grantRequest(id)
		in.Operations = row.given
		if row.code != "" {
			u.refused(in, row.code, row.message)
			continue
		}
		grant, _ := u.createGrant(in)
		if got := u.grant(id, grant).Operations; !slices.Equal(got, row.kept) {
			t.Errorf("%s: got %v, want %v", row.name, got, row.kept)
		}
	}
	in := grantRequest(id)
	in.Operations = operations{"ScheduleKeyDeletion"}
	u.refusedAs(in, "ValidationException")
	u.checkGrants()
}

// grant finds one grant of a key.
func (u user) grant(key, id string) kmsapi.GrantListEntry {
	u.t.Helper()
	out := do[kmsapi.ListGrantsResponse](u, &kmsapi.ListGrantsRequest{KeyId: &key, GrantId: &id})
	if len(out.Grants) != 1 || *out.Grants[0].GrantId != id {
		u.t.Fatalf("%d grants, want %s alone", len(out.Grants), id)
	}
	return out.Grants[0]
}

// Who can be the grantee and who can retire a grant (KMS API Reference, CreateGrant).
func TestPrincipalsOfGrants(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id := u.createKey()
	w.as(bob).newUser("bob")
	u.iam("CreateUser", "UserName", "al.ice+x=1,2@example_-", "Path", "/division/team/")
	u.iam("CreateRole", "RoleName", "ForAutoScaling", "Path", "/service-role/autoscaling.amazonaws.com/", "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"`+alice+`"},"Action":"sts:AssumeRole"}}`)
	good := []string{
		"arn:aws:iam::" + alice + ":root", "arn:aws:iam::" + bob + ":root", "arn:aws:iam::" + bob + ":user/bob",
		"arn:aws:iam::" + alice + ":user/division/team/al.ice+x=1,2@example_-", "arn:aws:iam::" + alice + ":role/app",
		"arn:aws:iam::" + alice + ":role/service-role/autoscaling.amazonaws.com/ForAutoScaling",
		"arn:aws:sts::" + alice + ":assumed-role/app/session@1", "arn:aws:sts::" + alice + ":federated-user/carol",
	}
	bad := []string{
		alice, "app", "role/app", "AROA1234567890EXAMPLE", "s3.amazonaws.com", "arn:aws:iam::" + alice + ":group/admins",
		"arn:aws:iam::" + alice + ":role/", "arn:aws:iam::" + alice + ":role", "arn:aws:iam::" + alice + ":role//app", "arn:aws:iam::" + alice + ":user",
		"arn:aws:iam::" + alice + ":root/x", "arn:aws:iam::" + alice + ":Root", "arn:aws:iam::" + alice + ":role/a:b", "arn:aws:iam::" + alice + ":",
		"arn:aws:iam::" + alice + ":policy/p", "arn:aws:iam::" + alice + ":assumed-role/app/session", "arn:aws:iam::" + alice + ":mfa/x",
		"arn:aws:iam::1234:root", "arn:aws:iam:::root", "arn:aws:iam::aws:role/app", "arn:aws:iam:us-east-1:" + alice + ":root",
		"arn:aws-cn:iam::" + alice + ":root", "arn:aws-us-gov:iam::" + alice + ":role/app", "arn:aws:sts::" + alice + ":assumed-role/app",
		"arn:aws:sts::" + alice + ":assumed-role/path/app/session", "arn:aws:sts::" + alice + ":federated-user/a/b", "arn:aws:sts::" + alice + ":root",
		"arn:aws:sts::" + alice + ":role/app", "arn:aws:s3:::bucket", "arn:aws:kms:us-east-1:" + alice + ":key/" + id, "arn:", "arn:aws:iam::" + alice,
	}
	for _, p := range good {
		in := grantRequest(id)
		in.GranteePrincipal, in.RetiringPrincipal = &p, &p
		grant, _ := u.createGrant(in)
		if e := u.grant(id, grant); *e.GranteePrincipal != p || *e.RetiringPrincipal != p {
			t.Errorf("%s: shown as %s, %s", p, *e.GranteePrincipal, *e.RetiringPrincipal)
		}
	}
	for _, p := range bad {
		in := grantRequest(id)
		in.GranteePrincipal = &p
		u.refused(in, "InvalidArnException", "GranteePrincipal"+principalText+p)
		in = grantRequest(id)
		in.RetiringPrincipal = &p
		u.refused(in, "InvalidArnException", "RetiringPrincipal"+principalText+p)
	}
	for _, p := range []string{
		"arn:aws:iam::" + alice + ":user/nobody", "arn:aws:iam::" + alice + ":user/app", "arn:aws:iam::" + alice + ":role/bob",
		"arn:aws:iam::" + alice + ":role/path/app", "arn:aws:iam::" + alice + ":user/al.ice+x=1,2@example_-", "arn:aws:iam::" + alice + ":role/App",
		"arn:aws:sts::" + alice + ":assumed-role/nobody/session", "arn:aws:iam::" + bob + ":role/app",
	} {
		in := grantRequest(id)
		in.GranteePrincipal = &p
		u.refused(in, "InvalidArnException", "GranteePrincipal does not exist: "+p)
		in = grantRequest(id)
		in.RetiringPrincipal = &p
		u.refused(in, "InvalidArnException", "RetiringPrincipal does not exist: "+p)
	}
	for _, p := range []string{"*", "arn:aws:iam::" + alice + ":role/*", "", strings.Repeat("a", 257), "arn:aws:iam::" + alice + ":role/a b", "arn:aws:iam::" + alice + ":role/ä"} {
		in := grantRequest(id)
		in.GranteePrincipal = &p
		u.refusedAs(in, "ValidationException")
		in = grantRequest(id)
		in.RetiringPrincipal = &p
		u.refusedAs(in, "ValidationException")
	}
	china := u.in("cn-north-1")
	in := grantRequest(china.createKey())
	in.GranteePrincipal = new("arn:aws-cn:iam::" + alice + ":root")
	grant, _ := china.createGrant(in)
	if got := *china.grant(*in.KeyId, grant).IssuingAccount; got != "arn:aws-cn:iam::"+alice+":root" {
		t.Errorf("issuing account %s", got)
	}
	u.checkGrants()
}

// Grants to and from services (KMS API Reference, CreateGrant).
func TestServicePrincipalsOfGrants(t *testing.T) {
	u := grantWorld(t).as(alice)
	id := u.createKey()
	const source = "arn:aws:s3:::bucket-of-alice"
	const none = "-"
	missing := func(what string) string {
		return "When you specify a GranteeServicePrincipal, you must also specify " + what
	}
	const either = "You must specify either GranteePrincipal or GranteeServicePrincipal, but not both."
	for _, row := range []struct {
		name                                              string
		grantee, service, retiring, retiringService, from string // "-": absent
		code, message                                     string
	}{
		{"service, retired by a principal", none, "s3.amazonaws.com", role, none, source, "", ""},
		{"service, retired by a service", none, "s3.amazonaws.com", none, "logs.us-east-1.amazonaws.com", source, "", ""},
		{"principal, retired by a service", role, none, none, "s3.amazonaws.com", none, "", ""},
		{"principal, for one source", role, none, none, none, source, "", ""},
		{"nobody", none, none, role, none, source, "ValidationException", either},
		{"both grantees", role, "s3.amazonaws.com", role, none, source, "ValidationException", either},
		{"both who retire", role, none, role, "s3.amazonaws.com", none, "ValidationException", "You can specify either RetiringPrincipal or RetiringServicePrincipal, but not both."},
		{"service without source", none, "s3.amazonaws.com", role, none, none, "ValidationException", missing("a SourceArn grant constraint.")},
		{"service that nobody retires", none, "s3.amazonaws.com", none, none, source, "ValidationException", missing("a RetiringPrincipal or a RetiringServicePrincipal.")},
		{"no ARN as source", role, none, none, none, "the bucket that alice has", "InvalidArnException", "Invalid arn the bucket that alice has"},
		{"half an ARN as source", role, none, none, none, "arn:aws:s3::" + alice + ":", "InvalidArnException", "Invalid arn arn:aws:s3::" + alice + ":"},
	} {
		in := &kmsapi.CreateGrantRequest{KeyId: &id, Operations: []kmsapi.GrantOperation{"Decrypt"}}
		for member, value := range map[**string]string{
			&in.GranteePrincipal: row.grantee, &in.GranteeServicePrincipal: row.service, &in.RetiringPrincipal: row.retiring, &in.RetiringServicePrincipal: row.retiringService,
		} {
			if value != none {
				*member = &value
			}
		}
		if row.from != none {
			in.Constraints = &kmsapi.GrantConstraints{SourceArn: &row.from}
		}
		if row.code != "" {
			if a := u.send(in); a.code != row.code || a.message != row.message {
				t.Errorf("%s: got %q %q, want %q %q", row.name, a.code, a.message, row.code, row.message)
			}
			continue
		}
		grant, _ := u.createGrant(in)
		e := u.grant(id, grant)
		got := []*string{e.GranteePrincipal, e.GranteeServicePrincipal, e.RetiringPrincipal, e.RetiringServicePrincipal}
		want := []*string{in.GranteePrincipal, in.GranteeServicePrincipal, in.RetiringPrincipal, in.RetiringServicePrincipal}
		if diff := cmp.Diff(want, got) + cmp.Diff(in.Constraints, e.Constraints); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
	for _, s := range []string{
		"amazonaws.com", ".amazonaws.com", "s3", "s3.amazonaws.com.", "s3..amazonaws.com", "s 3.amazonaws.com", "*.amazonaws.com", "s3.example.com",
		"s3.amazonaws.com.example.com", "ß.amazonaws.com", role, strings.Repeat("a", 115) + ".amazonaws.com",
	} {
		in := grantRequest(id)
		in.RetiringServicePrincipal = &s
		u.refused(in, "ValidationException", "RetiringServicePrincipal is not a service principal: "+s)
		in = grantRequest(id)
		in.GranteePrincipal, in.GranteeServicePrincipal, in.RetiringPrincipal = nil, &s, new(role)
		in.Constraints = &kmsapi.GrantConstraints{SourceArn: new(source)}
		u.refused(in, "ValidationException", "GranteeServicePrincipal is not a service principal: "+s)
	}
	u.checkGrants()
}

// KMS API Reference, GrantConstraints.
func TestConstraintsOfGrants(t *testing.T) {
	u := grantWorld(t).as(alice)
	symmetric, hmac := u.createKey(), u.createKeyOf(kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac)
	signing := u.createKeyOf(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify)
	many := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint("k", i)] = "v"
		}
		return m
	}
	long := strings.Repeat("字", 384)
	source := new("arn:aws:s3:::bucket-of-alice")
	const both = "You cannot specify EncryptionContextEquals and EncryptionContextSubset in the same grant."
	const pairs = "An encryption context constraint cannot have more than 8 pairs."
	const size = "The keys and values of an encryption context constraint cannot have more than 384 characters."
	kind := func(spec string) string {
		return "Encryption context constraints are not supported for key spec " + spec + "; only symmetric encryption keys have an encryption context."
	}
	type context = map[string]string
	for _, row := range []struct {
		name           string
		key            string
		equals, subset context
		source         *string
		message        string // "": fine
	}{
		{"equals", symmetric, context{"tenant": "blue", "é\"": "<\u2028>"}, nil, nil, ""},
		{"subset", symmetric, nil, context{"tenant": "blue"}, nil, ""},
		{"equals nothing", symmetric, context{}, nil, nil, ""},
		{"subset of nothing", symmetric, nil, context{}, nil, ""},
		{"equals and source", symmetric, context{"a": "b"}, nil, source, ""},
		{"subset and source", symmetric, nil, context{"a": "b"}, source, ""},
		{"source", hmac, nil, nil, source, ""},
		{"source of a signing key", signing, nil, nil, source, ""},
		{"both", symmetric, context{"a": "b"}, context{"a": "b"}, nil, both},
		{"both, one empty", symmetric, context{}, context{"a": "b"}, nil, both},
		{"eight pairs", symmetric, many(8), nil, nil, ""},
		{"nine pairs", symmetric, many(9), nil, nil, pairs},
		{"nine pairs of a subset", symmetric, nil, many(9), nil, pairs},
		{"longest", symmetric, context{"a": long, long: ""}, nil, nil, ""},
		{"long value", symmetric, nil, context{"a": long + "x"}, nil, size},
		{"long key", symmetric, context{long + "x": "a"}, nil, nil, size},
		{"HMAC key", hmac, context{"a": "b"}, nil, nil, kind("HMAC_256")},
		{"HMAC key, nothing", hmac, nil, context{}, nil, kind("HMAC_256")},
		{"signing key", signing, nil, context{"a": "b"}, nil, kind("ECC_NIST_P256")},
	} {
		in := grantRequest(row.key)
		in.Constraints = &kmsapi.GrantConstraints{EncryptionContextEquals: row.equals, EncryptionContextSubset: row.subset, SourceArn: row.source}
		if row.message != "" {
			if a := u.send(in); a.code != "ValidationException" || a.message != row.message {
				t.Errorf("%s: got %q %q, want %q", row.name, a.code, a.message, row.message)
			}
			continue
		}
		grant, _ := u.createGrant(in)
		if diff := cmp.Diff(in.Constraints, u.grant(row.key, grant).Constraints); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
	in := grantRequest(hmac)
	in.Constraints = &kmsapi.GrantConstraints{}
	grant, _ := u.createGrant(in)
	if e := u.grant(hmac, grant); e.Constraints != nil {
		t.Errorf("no constraint is shown as %+v", e.Constraints)
	}
	u.checkGrants()
}

// The entry of ListGrants and ListRetirableGrants, whole.
func TestEntryOfAGrant(t *testing.T) {
	u := grantWorld(t).as(alice)
	id := u.createKey()
	in := grantRequest(id)
	in.KeyId, in.Name, in.RetiringPrincipal = new(u.keyARN(id)), new("a/name:of_the-grant"), new(u.principal())
	in.Constraints = &kmsapi.GrantConstraints{EncryptionContextEquals: map[string]string{"tenant": "blue"}}
	before := u.now()
	named, _ := u.createGrant(in)
	plain, _ := u.createGrant(grantRequest(id))
	after := u.now()
	e := u.grant(id, named)
	if at := *e.CreationDate; at.Before(before.Add(-1e6)) || at.After(after) { // times on the wire have milliseconds
		t.Errorf("created %s, not between %s and %s", at, before, after)
	}
	want := kmsapi.GrantListEntry{
		KeyId: new(u.keyARN(id)), GrantId: &named, Name: in.Name, CreationDate: e.CreationDate, GranteePrincipal: new(role),
		RetiringPrincipal: new(u.principal()), IssuingAccount: new("arn:aws:iam::" + alice + ":root"), Operations: in.Operations, Constraints: in.Constraints,
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]kmsapi.GrantListEntry{want}, u.retirable(u.principal())); diff != "" {
		t.Error(diff)
	}
	if e := u.grant(id, plain); *e.Name != "" || e.RetiringPrincipal != nil || e.Constraints != nil {
		t.Errorf("a grant without a name: %q, %v, %v", *e.Name, e.RetiringPrincipal, e.Constraints)
	}
	u.checkGrants()
}

// The same name and the same parameters are the same grant (KMS API Reference, CreateGrant, Name).
// Pairs and names that only look alike when they are run together.
func TestQuotaOfGrants(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id := u.createKey()
	count := func(from, to string) { // the record is not in a cache yet
		r, err := w.store.Get(t.Context(), u.keyPath(id))
		if err != nil || !strings.Contains(string(r.Value), from) {
			t.Fatalf("%v: %s", err, r.Value)
		}
		value := []byte(strings.Replace(string(r.Value), from, to, 1))
		if _, err := w.faults.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: u.keyPath(id), Value: value}}}); err != nil {
			t.Fatal(err)
		}
	}
	count(`"materials"`, fmt.Sprintf(`"grants":%d,"materials"`, kms.MaxGrants-1))
	in := grantRequest(id)
	in.Name = new("the-last-one")
	last, _ := u.createGrant(in)
	if again, _ := u.createGrant(in); again != last {
		t.Error("a full key does not find a grant again")
	}
	in.Name = nil
	text := fmt.Sprintf("The key %s has 50000 grants, the most it can have.", u.keyARN(id))
	u.refused(in, "LimitExceededException", text)
	in.DryRun = new(true)
	u.refused(in, "LimitExceededException", text)
	in.DryRun = nil
	u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &last})
	u.createGrant(in)
	count(`"grants":50000`, `"grants":1`)
	u.checkGrants()
}

// What CreateGrant says in each state is in the table of key states; a grant outlives all of them but the key's end.
// An end is an end: the second time there is nothing to end, and the token is worth nothing.
// What names no grant.
// A dry run says what the call would say, and changes nothing (C6).
// However many ask at once, a name is one grant.
// Grants come and go on one key at the same time; the key's record counts them right, and each ends once.
// Between the reading and the writing somebody else is faster.
// A write that fails leaves no half of a grant, whether or not it was applied.
// With a key its grants go, all of them and no other's.
// Calls about grants in the audit log; no token is ever in one (see checkNoSecrets).
func TestAuditRecordsOfGrants(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id := u.createKey()
	in := grantRequest(id)
	in.Name, in.Constraints = new("app"), &kmsapi.GrantConstraints{EncryptionContextSubset: map[string]string{"tenant": "blue"}}
	a := u.must(in)
	grant := *u.grantsOf(id)[0].GrantId
	e := w.eventOf(a)
	if diff := cmp.Diff(fromJSON(t, `{"keyId":"`+id+`","granteePrincipal":"`+role+`","operations":["DescribeKey"],"constraints":{"encryptionContextSubset":{"tenant":"blue"}},"name":"app"}`), fromJSON(t, string(e.RequestParameters))); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(e.ResponseElements), `"grantId":"`+grant+`"`) || strings.Contains(strings.ToLower(string(e.ResponseElements)), "token") {
		t.Errorf("responseElements %s", e.ResponseElements)
	}
	_, token := u.createGrant(in)
	for _, in := range []request{
		&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: []string{token}}, &kmsapi.RetireGrantRequest{GrantToken: &token, DryRun: new(true)},
		&kmsapi.ListGrantsRequest{KeyId: &id}, &kmsapi.RetireGrantRequest{GrantToken: new(token + "=")}, &kmsapi.RetireGrantRequest{GrantToken: new(strings.Repeat(token, 99))},
	} {
		u.send(in)
	}
	w.checkGrants()
}

// A grant belongs to one key in one Region; relatives of the key have their own.
func TestGrantsBelongToOneRegion(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{MultiRegion: new(true)}).KeyMetadata.KeyId
	in := grantRequest(id)
	in.RetiringPrincipal = new(role)
	before, token := u.createGrant(in)
	u.must(&kmsapi.ReplicateKeyRequest{KeyId: &id, ReplicaRegion: new(abroad)})
	u.advance("1m") // it is Creating for a while
	v := u.in(abroad)
	if n := len(v.grantsOf(id)) + len(v.retirable(role)); n != 0 {
		t.Errorf("%d grants have come along", n)
	}
	v.refusedAs(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &before}, "NotFoundException")
	v.refusedAs(&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: []string{token}}, "InvalidGrantTokenException")
	v.refusedAs(&kmsapi.RetireGrantRequest{KeyId: new(u.keyARN(id)), GrantId: &before}, "NotFoundException")
	v.createGrant(in)
	u.must(&kmsapi.RetireGrantRequest{GrantToken: &token})
	if len(u.grantsOf(id)) != 0 || len(v.grantsOf(id)) != 1 {
		t.Errorf("%d grants at home, %d abroad; want 0, 1", len(u.grantsOf(id)), len(v.grantsOf(id)))
	}
	w.checkGrants()
}

// The store is not trusted: a record in the place of another is served to nobody, nor found by another's name.
// swap exchanges the values of the two records under a prefix.
