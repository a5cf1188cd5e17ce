package authz_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// row is a global condition key, and its value for each kind of request: "" where the request does not have it.
type row struct {
	key                                                                        string
	root, user, token, mfa, role, federated, service, forwarded, inVPC, abroad string
}

func same(key, value string) row {
	return row{key, value, value, value, value, value, value, value, value, value, value}
}

// Global condition keys, as the IAM User Guide has them under "AWS global condition context keys".
func globals() []row {
	user := "AIDABOBBOBBOBBOBBOB1"
	return []row{
		{"aws:PrincipalArn", rootARN, bobARN, bobARN, bobARN, roleARN, guestARN, "", bobARN, bobARN, bobARN},
		{"aws:PrincipalAccount", account, account, account, account, account, account, "", account, account, account},
		{"aws:PrincipalType", "Account", "User", "User", "User", "AssumedRole", "FederatedUser", "Service", "User", "User", "User"},
		{"aws:userid", account, user, user, user, "AROAROLEROLEROLEROLE:S", account + ":guest", "", user, user, user},
		{"aws:username", "", "bob", "bob", "bob", "", "", "", "bob", "bob", "bob"},
		{"aws:PrincipalTag/team", "", "red", "red", "red", "red", "red", "", "red", "red", "red"},
		{"aws:PrincipalTag/TEAM", "", "red", "red", "red", "red", "red", "", "red", "red", "red"},
		same("aws:PrincipalTag/other", ""),
		{"aws:PrincipalOrgID", "o-1", "o-1", "o-1", "o-1", "o-1", "o-1", "", "o-1", "o-1", "o-1"},
		{"aws:PrincipalOrgPaths", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/"},
		{"aws:PrincipalIsAWSService", "false", "false", "false", "false", "false", "false", "true", "false", "false", "false"},
		{"aws:PrincipalServiceName", "", "", "", "", "", "", "s3.amazonaws.com", "", "", ""},
		{"aws:PrincipalServiceNamesList", "", "", "", "", "", "", "s3.amazonaws.com", "", "", ""},
		{"aws:SourceArn", "", "", "", "", "", "", "arn:aws:s3:::reports", "", "", ""},
		{"aws:SourceAccount", "", "", "", "", "", "", account, "", "", ""},
		{"aws:SourceOrgID", "", "", "", "", "", "", "o-1", "", "", ""},
		{"aws:SourceOrgPaths", "", "", "", "", "", "", "o-1/r-1/ou-1/", "", "", ""},
		{"aws:TokenIssueTime", "", "", "2026-03-01T11:59:00Z", "2026-03-01T11:59:00Z", "2026-03-01T11:59:00Z", "2026-03-01T11:59:00Z", "", "", "", ""},
		{"aws:MultiFactorAuthPresent", "", "", "false", "true", "false", "false", "", "", "", ""},
		{"aws:MultiFactorAuthAge", "", "", "", "60", "", "", "", "", "", ""},
		{"aws:SourceIdentity", "", "", "", "", "alice", "", "", "", "", ""},
		{"aws:FederatedProvider", "", "", "", "", "accounts.example.com", "", "", "", "", ""},
		{"aws:SourceIp", "10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.3", "", "10.1.2.3"},
		{"aws:VpcSourceIp", "", "", "", "", "", "", "", "", "10.1.2.3", ""},
		{"aws:SourceVpce", "", "", "", "", "", "", "", "", "vpce-1", ""},
		{"aws:SourceVpc", "", "", "", "", "", "", "", "", "vpc-1", ""},
		same("aws:SecureTransport", "true"),
		same("aws:CurrentTime", "2026-03-01T12:00:00Z"),
		same("aws:EpochTime", "1772366400"),
		same("aws:UserAgent", "aws-cli"),
		same("aws:Referer", "https://example.com"),
		same("aws:RequestedRegion", "us-east-1"),
		{"aws:ViaAWSService", "false", "false", "false", "false", "false", "false", "false", "true", "false", "false"},
		{"aws:CalledVia", "", "", "", "", "", "", "", "s3.amazonaws.com", "", ""},
		{"aws:CalledViaFirst", "", "", "", "", "", "", "", "s3.amazonaws.com", "", ""},
		{"aws:CalledViaLast", "", "", "", "", "", "", "", "s3.amazonaws.com", "", ""},
		{"aws:ResourceAccount", account, account, account, account, account, account, account, account, account, other},
		{"aws:ResourceOrgID", "o-1", "o-1", "o-1", "o-1", "o-1", "o-1", "o-1", "o-1", "o-1", "o-2"},
		{"aws:ResourceOrgPaths", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-1/r-1/ou-1/", "o-2/r-9/"},
		same("aws:ResourceTag/class", "secret"),
		same("kms:KeySpec", "SYMMETRIC_DEFAULT"),
	}
}

// keyed is a context of single values.
type keyed map[string]string

// Lookup implements policy.Context.
func (k keyed) Lookup(key string) (policy.Values, bool) {
	v, ok := k[key]
	return policy.One(v), ok
}

// asked answers whether a condition holds, for a kind of request.
func asked(t *testing.T, kind, condition string) bool {
	t.Helper()
	callers := map[string]*caller.Caller{
		"root": rootUser(), "user": bob(), "token": withToken(false), "mfa": withToken(true), "role": inRole(), "federated": limited(guest()), "service": s3(),
		"forwarded": forwarded(), "vpc": bob(), "abroad": bob(),
	}
	r := request(callers[kind])
	r.Referer = "https://example.com"
	if kind == "vpc" {
		r.Endpoint = &authz.Endpoint{ID: "vpce-1", VPC: "vpc-1"}
	}
	statement := allow(`"*"`) + `,"Condition":{` + condition + `}`
	x := encrypt(t, statement)
	if kind == "abroad" {
		x = abroad(t, statement)
	}
	x.Context = keyed{"aws:resourcetag/class": "secret", "kms:keyspec": "SYMMETRIC_DEFAULT"}
	w := &world{members: map[string]*authz.Membership{
		account: {Organization: "o-1", Path: "o-1/r-1/ou-1/"}, other: {Organization: "o-2", Path: "o-2/r-9/"},
	}}
	if c := r.Caller; c.Type != caller.Root && c.Type != caller.Service {
		w.identity = permitted(t, allowAll)
		w.identity.Tags = []caller.Tag{{Key: "Team", Value: "red"}}
		if c.Session != nil && c.Session.Limited {
			w.identity.Session = []authz.Attached{attached(t, policy.Identity, "s", allowAll)}
		}
	}
	d, _ := decide(t, w, r, x)
	return d.Allowed
}

// Each key, for each kind of request: there with its value and no other, or not there.
func TestGlobalConditionKeys(t *testing.T) {
	checks := 0
	for _, row := range globals() {
		for kind, want := range map[string]string{
			"root": row.root, "user": row.user, "token": row.token, "mfa": row.mfa, "role": row.role, "federated": row.federated,
			"service": row.service, "forwarded": row.forwarded, "vpc": row.inVPC, "abroad": row.abroad,
		} {
			checks++
			if absent := asked(t, kind, `"Null":{"`+row.key+`":"true"}`); absent != (want == "") {
				t.Errorf("%s of %s: absent %t, want %q", row.key, kind, absent, want)
			}
			if want == "" {
				continue
			}
			if !asked(t, kind, `"ForAnyValue:StringEquals":{"`+row.key+`":"`+want+`"}`) {
				t.Errorf("%s of %s is not %q", row.key, kind, want)
			}
			if asked(t, kind, `"ForAnyValue:StringNotEquals":{"`+row.key+`":"`+want+`"}`) {
				t.Errorf("%s of %s is something else than %q too", row.key, kind, want)
			}
		}
	}
	if checks < 350 {
		t.Errorf("only %d checks", checks)
	}
}

// Multi-valued keys need a set operator; the others do not.
func TestMultiValuedGlobalKeys(t *testing.T) {
	for _, row := range globals() {
		kinds := map[string]string{"forwarded": row.forwarded, "service": row.service, "mfa": row.mfa, "vpc": row.inVPC, "role": row.role}
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			if want := kinds[kind]; want != "" {
				single := asked(t, kind, `"StringEquals":{"`+row.key+`":"`+want+`"}`)
				if single == policy.MultiValued(row.key) {
					t.Errorf("%s of %s: single %t", row.key, kind, single)
				}
			}
		}
	}
}

// The linter's list of global keys is this one, but for those that the services answer.
func TestVocabularyIsAnswered(t *testing.T) {
	others := map[string]string{
		"aws:requesttag/": "KMS, IAM and Organizations know the tags of their requests",
		"aws:tagkeys":     "KMS, IAM and Organizations know the tags of their requests",
	}
	answered := map[string]bool{}
	for _, row := range globals() {
		key, _, tag := strings.Cut(strings.ToLower(row.key), "/")
		if tag {
			key += "/"
		}
		answered[key] = answered[key] || row != same(row.key, "")
	}
	for _, key := range policy.ConditionKeys() {
		if strings.HasPrefix(key, "aws:") && answered[key] == (others[key] != "") {
			t.Errorf("%s is answered: %t; others do: %q", key, answered[key], others[key])
		}
	}
}

// A service acts for a resource of an account: its organization is the one that counts, not that of the key.
func TestSourceOrganization(t *testing.T) {
	const (
		inside  = "o-1"
		outside = "777788889999" // an account in no organization
	)
	members := map[string]*authz.Membership{
		account: {Organization: inside, Path: "o-1/r-1/"}, other: {Organization: "o-2", Path: "o-2/r-9/"},
	}
	guard := deny(`"*"`) + `,"Condition":{"StringNotEqualsIfExists":{"aws:SourceOrgID":"` + inside + `"},"Null":{"aws:SourceAccount":"false"},"Bool":{"aws:PrincipalIsAWSService":"true"}}`
	paths := allow(`{"Service":"s3.amazonaws.com"}`) + `,"Condition":{"ForAnyValue:StringLike":{"aws:SourceOrgPaths":"o-2/*"}}`
	service, anyone := allow(`{"Service":"s3.amazonaws.com"}`), allow(`"*"`)
	from := func(source string) *caller.Caller {
		c := s3()
		c.SourceAccount = source
		return c
	}
	impostor := bob()
	impostor.SourceAccount = other
	const refused = "denied by resource-based policy"
	for _, tc := range []struct {
		rule       string
		caller     *caller.Caller
		statements []string
		want       string
	}{
		{"for a resource of the organization", from(account), []string{service, guard}, byResource},
		{"for a resource of another one", from(other), []string{service, guard}, refused},
		{"for a resource of none", from(outside), []string{service, guard}, refused},
		{"for no account", from(""), []string{service, guard}, byResource},
		{"a user is no deputy", bob(), []string{anyone, guard}, byResource},
		{"by the path", from(other), []string{paths}, byResource},
		{"by the wrong path", from(account), []string{paths}, noResource},
		{"by no path", from(outside), []string{paths}, noResource},
		{"a user cannot claim one", impostor, []string{allow(`"*"`) + `,"Condition":{"StringEquals":{"aws:SourceOrgID":"o-2"}}`}, noResource},
	} {
		w := &world{members: members, identity: &authz.Identity{}}
		if got := verdict(t, w, request(tc.caller), encrypt(t, tc.statements...)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.rule, got, tc.want)
		}
	}
}

// What cannot be looked up is no reason to let anybody in.
func TestSourceOrganizationMustBeKnown(t *testing.T) {
	c := s3()
	c.SourceAccount = other
	d := &unreachable{world{members: map[string]*authz.Membership{}}, other}
	made, err := authz.New(d).Authorize(t.Context(), request(c), []authz.Access{encrypt(t, allow(`"*"`))}, nil)
	if len(made) != 0 || !errors.Is(err, errUnreachable) {
		t.Errorf("%v, %v", made, err)
	}
}

var errUnreachable = errors.New("the store is away")

// unreachable is a world in which nobody knows where an account is.
type unreachable struct {
	world
	account string
}

// Membership implements authz.Directory.
func (u *unreachable) Membership(ctx context.Context, account string) (*authz.Membership, error) {
	if account == u.account {
		return nil, errUnreachable
	}
	return u.world.Membership(ctx, account)
}

// A caller's request cannot claim to be more than it is: what the front ends and the directory do not say is absent, even if
// an access had it.
func TestKeysCannotBeForged(t *testing.T) {
	claims := keyed{}
	for _, row := range globals() {
		if strings.HasPrefix(row.key, "aws:") && row.user != "" && !strings.Contains(row.key, "ResourceTag") {
			claims[strings.ToLower(row.key)] = "forged"
		}
	}
	for key := range claims {
		x := encrypt(t, allow(`"*"`)+`,"Condition":{"ForAnyValue:StringEquals":{"`+key+`":"forged"}}`)
		x.Context = claims
		w := &world{identity: &authz.Identity{Tags: []caller.Tag{{Key: "team", Value: "red"}}}, members: map[string]*authz.Membership{account: {Organization: "o-1", Path: "o-1/r-1/"}}}
		r := request(bob())
		r.Referer = "https://example.com"
		if got := verdict(t, w, r, x); got != noResource {
			t.Errorf("%s: %s", key, got)
		}
	}
	if len(claims) < 15 {
		t.Errorf("only %d claims", len(claims))
	}
}

func TestRegionOfAnAccess(t *testing.T) {
	x := encrypt(t, allow(`"*"`)+`,"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`)
	if got := verdict(t, &world{}, request(rootUser()), x); got != noResource {
		t.Errorf("the request's Region: %s", got)
	}
	x.Region = "eu-west-1"
	if got := verdict(t, &world{}, request(rootUser()), x); got != byResource {
		t.Errorf("the access's own: %s", got)
	}
}

// Both paths of an organization can be compared in one policy.
func TestTwoOrganizationPaths(t *testing.T) {
	x := abroad(t, allow(`"*"`)+`,"Condition":{"ForAllValues:StringEquals":{"aws:PrincipalOrgPaths":"o-1/r-1/","aws:ResourceOrgPaths":"o-2/r-9/"},"Null":{"aws:PrincipalOrgPaths":"false"}}`)
	w := &world{members: map[string]*authz.Membership{account: {Path: "o-1/r-1/"}, other: {Path: "o-2/r-9/"}}}
	if got := verdict(t, w, request(rootUser()), x); got != byResource {
		t.Errorf("%s", got)
	}
}

// Policy variables see the same keys.
func TestVariablesInIdentityPolicies(t *testing.T) {
	mine := `"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}`
	for tag, want := range map[string]string{"red": byIdentity, "blue": noIdentity, "": noIdentity} {
		id := permitted(t, mine)
		if tag != "" {
			id.Tags = []caller.Tag{{Key: "team", Value: tag}}
		}
		x := encrypt(t, allow(aws(rootARN)))
		x.Context = keyed{"aws:resourcetag/team": "red"}
		if got := verdict(t, &world{identity: id}, request(bob()), x); got != want {
			t.Errorf("team %q: %s, want %s", tag, got, want)
		}
	}
}

// Tags of a principal whose keys differ in case alone meet every denial and no permission.
func TestPrincipalTagsThatDifferInCase(t *testing.T) {
	const denied = "denied by identity-based policy"
	for _, tt := range []struct{ effect, value, want string }{
		{"Allow", "red", noIdentity}, {"Allow", "blue", noIdentity}, {"Deny", "red", denied}, {"Deny", "blue", denied}, {"Deny", "green", denied},
	} {
		statement := `"Effect":"` + tt.effect + `","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/cost":"` + tt.value + `"}}`
		id := permitted(t, statement)
		if tt.effect == "Deny" {
			id = permitted(t, allowAll, statement)
		}
		id.Tags = []caller.Tag{{Key: "co\u017ft", Value: "red"}, {Key: "Cost", Value: "blue"}}
		got := verdict(t, &world{identity: id}, request(bob()), encrypt(t, allow(aws(rootARN))))
		if got != tt.want {
			t.Errorf("%s for %s: %s", tt.effect, tt.value, got)
		}
	}
}
