package authz_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/policy"
)

// letting is a grant for the caller.
type letting struct{ by policy.Match }

func (g letting) Grant(context.Context) (authz.Grant, error) {
	return authz.Grant{ID: "g", By: g.by}, nil
}

// secretly denies what has a tag.
const secretly = `"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/project":"merger"}}`

// prober is a caller's world in which every layer that its account writes denies by the resource's tags, and some that the
// resource's account writes.
func prober(t *testing.T, layer authz.Layer) (*world, *authz.Request) {
	t.Helper()
	w, r := &world{identity: permitted(t, allowAll), members: map[string]*authz.Membership{}}, request(limited(inRole()))
	r.Caller.Session.Policy = doc(t, policy.Identity, allowAll)
	everyone := strings.Replace(secretly, `"Effect"`, `"Principal":"*","Effect"`, 1)
	switch layer {
	case authz.IdentityBased:
		w.identity = permitted(t, allowAll, secretly)
	case authz.Boundary:
		w.identity.Boundary = new(attached(t, policy.Identity, "arn:aws:iam::111122223333:policy/B", allowAll, secretly))
	case authz.SessionBased:
		r.Caller.Session.Policy = doc(t, policy.Identity, allowAll, secretly)
	case authz.ServiceControl:
		w.members[account] = &authz.Membership{Services: [][]authz.Attached{{attached(t, policy.ServiceControl, "p-1", allowAll, secretly)}}}
	case authz.VPCEndpoint:
		r.Endpoint = &authz.Endpoint{ID: "vpce-1", Policy: doc(t, policy.Endpoint, allow(`"*"`), everyone)}
	case authz.ResourceControl:
		w.members[other] = &authz.Membership{Resources: [][]authz.Attached{{attached(t, policy.ResourceControl, "p-2", fullRCP, everyone)}}}
	}
	return w, r
}

// TestWhoGetsNothingIsNotToldWhatThereIs: for a resource of another account that gives the caller nothing, the answer and the
// explanation are the same whether it exists or not, and whatever its tags are. When it lets the caller in, the layer that
// denies is named.
func TestWhoGetsNothingIsNotToldWhatThereIs(t *testing.T) {
	merger, plain := keyed{"aws:resourcetag/project": "merger"}, keyed{"aws:resourcetag/project": "canteen"}
	missing := authz.Access{Action: "kms:Encrypt", Resource: foreign, Account: other, Missing: true}
	closed := func(context policy.Context, statements ...string) authz.Access {
		x := abroad(t, append(statements, irrelevantTo("*"))...)
		x.Context = context
		return x
	}
	open := closed(merger, allow(aws(rootARN)))
	granted := closed(merger)
	granted.Grants = letting{policy.ByCaller}
	ungranted := closed(merger)
	ungranted.Grants = letting{policy.None}
	local := closed(merger, allow(aws(rootARN)))
	local.Local = true
	byAlias := func(x authz.Access) authz.Access {
		x.Named = "arn:aws:kms:us-east-1:444455556666:alias/deal"
		return x
	}
	noAlias := missing
	noAlias.Resource = byAlias(missing).Named
	for _, layer := range []authz.Layer{authz.NoLayer, authz.IdentityBased, authz.Boundary, authz.SessionBased, authz.ServiceControl, authz.VPCEndpoint, authz.ResourceControl} {
		w, r := prober(t, layer)
		text := func(x authz.Access) string { return refusedAndExplained(t, w, r, x) }
		want := text(missing)
		for name, x := range map[string]authz.Access{
			"without the tag": closed(plain), "with the tag": closed(merger), "a policy that denies": closed(merger, deny(`"*"`)),
			"a grant for somebody else": ungranted, "what other accounts cannot do": local,
		} {
			if got := text(x); got != want {
				t.Errorf("%s denies, %s:\n got %s\nwant %s", layer, name, got, want)
			}
		}
		if got, want := text(byAlias(closed(merger))), text(noAlias); got != want {
			t.Errorf("%s denies, by an alias:\n got %s\nwant %s", layer, got, want)
		}
		if layer == authz.NoLayer {
			continue
		}
		for name, x := range map[string]authz.Access{"by its policy": open, "by a grant": granted} {
			if got := text(x); !strings.Contains(got, "explicit deny in") || !strings.Contains(got, layer.String()) {
				t.Errorf("%s denies, let in %s: %s", layer, name, got)
			}
		}
		if _, err := decide(t, w, r, byAlias(open)); err == nil || !strings.Contains(err.Error(), "on resource: "+noAlias.Resource+" with an explicit deny in") {
			t.Errorf("%s denies, let in, by an alias: %v", layer, err)
		}
	}
}

// irrelevantTo is a statement about something else.
func irrelevantTo(principal string) string { return `"Principal":"` + principal + `",` + irrelevant }

// refusedAndExplained is all that a caller and its account's administrators are told of a denial.
func refusedAndExplained(t *testing.T, w *world, r *authz.Request, x authz.Access) string {
	t.Helper()
	_, refused := decide(t, w, r, x)
	e, err := (&authz.Explainer{Authorizer: authz.New(w)}).Explain(t.Context(), authz.Question{Request: r, Access: &x, Viewer: account})
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(e)
	if err != nil || refused == nil {
		t.Fatal(refused, err)
	}
	return refused.Error() + "\n" + string(told)
}

// TestAdministratorsSeeTheTruth: what is kept from both accounts is not kept from who may see everything.
func TestAdministratorsSeeTheTruth(t *testing.T) {
	w, r := prober(t, authz.IdentityBased)
	x := abroad(t, irrelevantTo("*"))
	x.Context = keyed{"aws:resourcetag/project": "merger"}
	for _, viewer := range []string{"", other, account} {
		e, err := (&authz.Explainer{Authorizer: authz.New(w)}).Explain(t.Context(), authz.Question{Request: r, Access: &x, Viewer: viewer})
		if err != nil {
			t.Fatal(err)
		}
		if hidden := viewer != ""; e.Hidden() != hidden || e.Decision.Explicit == hidden {
			t.Errorf("to %q: %+v, %s", viewer, e.Decision, e.Rule)
		}
	}
}

// The owner of a resource that does not let somebody in is told so, and nothing of what that one's own account says, neither in
// the decision nor in changes and hints: else tags of the resource would tell it, one after the other.
func TestOwnersAreNotToldOfTheCallersPolicies(t *testing.T) {
	const limited = `"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/project":"`
	told := func(layer authz.Layer, identity []string, statements ...string) string {
		t.Helper()
		w, r := prober(t, layer)
		if identity != nil {
			w.identity.Policies = permitted(t, identity...).Policies
		}
		x := abroad(t, append(statements, irrelevantTo("*"))...)
		x.Context = keyed{"aws:resourcetag/project": "merger"}
		e, err := (&authz.Explainer{Authorizer: authz.New(w)}).Explain(t.Context(), authz.Question{Request: r, Access: &x, Viewer: x.Account})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	own := []authz.Layer{authz.IdentityBased, authz.Boundary, authz.SessionBased, authz.ServiceControl, authz.VPCEndpoint}
	for name, statements := range map[string][]string{"silent": nil, "denying": {deny(`"*"`)}, "for others": {allow(aws(`arn:aws:iam::444455556666:root`))}} {
		want := told(authz.NoLayer, nil, statements...)
		if !strings.Contains(want, `"layer":"resource-based policy"`) {
			t.Fatal(want)
		}
		for _, layer := range own {
			if got := told(layer, nil, statements...); got != want {
				t.Errorf("a %s policy, %s denies:\n got %s\nwant %s", name, layer, got, want)
			}
		}
		for _, identity := range [][]string{{irrelevant}, {limited + `merger"}}`}, {limited + `canteen"}}`}, slices.Concat([]string{allowAll}, slices.Repeat([]string{secretly}, 40))} {
			if got := told(authz.NoLayer, identity, statements...); got != want {
				t.Errorf("a %s policy, %d statements of the caller:\n got %s\nwant %s", name, len(identity), got, want)
			}
		}
	}
	for _, layer := range own {
		if open := told(layer, nil, allow(aws(rootARN))); !strings.Contains(open, layer.String()+" of account") { // as the error message does
			t.Errorf("%s denies whom the resource lets in: %s", layer, open)
		}
	}
}
