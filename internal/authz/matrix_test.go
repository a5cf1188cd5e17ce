package authz_test

import (
	"testing"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// What a key policy gives within one account, and which of the caller's own policies limit it by not allowing (IAM User
// Guide, "Policy evaluation for requests within a single account": resource-based policies).
func TestHowAKeyPolicyNamesTheCallerDecidesWhatLimitsIt(t *testing.T) {
	const ignored, limits, decides, none = "ignored", "limits", "decides", "–"
	const anyoneAs = `"Principal":{"AWS":"*"},"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"`
	rows := []struct {
		principal, statement        string
		caller                      func() *caller.Caller
		identity, boundary, session string
	}{
		{"IAM user", allow(aws(bobARN)), bob, ignored, ignored, none},
		{"IAM user with a token", allow(aws(bobARN)), func() *caller.Caller { return withToken(true) }, ignored, ignored, none},
		{"IAM user by unique id", allow(aws("AIDABOBBOBBOBBOBBOB1")), bob, ignored, ignored, none},
		{"role", allow(aws(roleARN)), inRole, ignored, limits, limits},
		{"role by unique id", allow(aws("AROAROLEROLEROLEROLE")), inRole, ignored, limits, limits},
		{"role session", allow(aws(sessionARN)), inRole, ignored, ignored, ignored},
		{"role and its session", allow(aws(roleARN, sessionARN)), inRole, ignored, ignored, ignored},
		{"role and everyone", allow(aws(roleARN, "*")), inRole, ignored, ignored, ignored},
		{"federated user", allow(aws(guestARN)), guest, ignored, ignored, ignored},
		{"IAM user, its federated user calls", allow(aws(bobARN)), guest, ignored, limits, limits},
		{"everyone with a condition, user", anyoneAs + bobARN + `"}}`, bob, ignored, ignored, none},
		{"everyone with a condition, role", anyoneAs + roleARN + `"}}`, inRole, ignored, ignored, ignored},
		{"everyone with a condition, federated user", anyoneAs + guestARN + `"}}`, guest, ignored, ignored, ignored},
		{"everyone", allow(`"*"`), inRole, ignored, ignored, ignored},
		{"everyone but others", `"NotPrincipal":{"AWS":"` + other + `"},` + allowAll, inRole, ignored, ignored, ignored},
		{"account, user", allow(aws(rootARN)), bob, decides, limits, none},
		{"account, role session", allow(aws(rootARN)), inRole, decides, limits, limits},
		{"account by its id, role session", allow(aws(account)), inRole, decides, limits, limits},
		{"account, federated user", allow(aws(rootARN)), guest, decides, limits, limits},
		{"account and role", allow(aws(rootARN, roleARN)), inRole, ignored, limits, limits},
		{"account, and the role in another statement", allow(aws(rootARN)) + "},{" + allow(aws(roleARN)), inRole, ignored, limits, limits},
		{"role, and the session in another statement", allow(aws(roleARN)) + "},{" + allow(aws(sessionARN)), inRole, ignored, ignored, ignored},
	}
	cells := 0
	for _, row := range rows {
		// Each layer in turn allows nothing, or denies, while the others allow.
		for _, layer := range []struct{ name, rule, missing, denied string }{
			{"", "", "", ""},
			{"identity", row.identity, noIdentity, "denied by identity-based policy"},
			{"boundary", row.boundary, noBoundary, "denied by permissions boundary"},
			{"session", row.session, noSession, "denied by session policy"},
		} {
			if layer.rule == none {
				continue
			}
			cells++
			says := func(name, statement string) string {
				if name == layer.name {
					return statement
				}
				return allowAll
			}
			build := func(statement string) (*world, *authz.Request) {
				c := row.caller()
				id := permitted(t, says("identity", statement))
				id.Boundary = new(attached(t, policy.Identity, "boundary", says("boundary", statement)))
				if row.session != none {
					limited(c).Session.Policy = doc(t, policy.Identity, says("session", statement))
				}
				return &world{identity: id}, request(c)
			}
			w, r := build(irrelevant)
			got := verdict(t, w, r, encrypt(t, row.statement))
			if ok := got == byResource || got == byIdentity; ok != (layer.rule == "" || layer.rule == ignored) || !ok && got != layer.missing {
				t.Errorf("%s: %s allows nothing (%s): %s", row.principal, layer.name, layer.rule, got)
			}
			if layer.name == "" {
				continue
			}
			w, r = build(denyAll)
			if got := verdict(t, w, r, encrypt(t, row.statement)); got != layer.denied {
				t.Errorf("%s: %s denies: %s", row.principal, layer.name, got)
			}
		}
	}
	if cells < 80 {
		t.Errorf("only %d cells", cells)
	}
}
