package admin

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

// Bounds of one call of WhoCan.
const (
	maxAsked  = 5000 // principals, and grants
	maxListed = 1000
)

// whoCan finds the principals that may do something with a key: those of its account, and those that its policy and its
// grants name. Of other accounts' principals it says only that the key's side lets them.
func (s *Service) whoCan(ctx context.Context, c *service.Call, in *trentapi.WhoCanRequest) (*trentapi.WhoCanResponse, error) {
	if !strings.HasPrefix(*in.Action, "kms:") || strings.ContainsAny(*in.Action, "*?") {
		return nil, api.ValidationException("%s is not an action of KMS.", *in.Action)
	}
	done, err := s.think(ctx, c)
	if err != nil {
		return nil, err
	}
	defer done()
	key, account, err := s.ownKey(ctx, c, *in.KeyId)
	if err != nil {
		return nil, err
	}
	w := &census{
		service: s, call: c, action: *in.Action, key: key, account: account, seen: map[string]bool{},
		certainty: authz.Certainty{Explainer: s.Decisions.Explainer}, out: &trentapi.WhoCanResponse{Principals: []trentapi.Principal{}},
	}
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	w.out.Truncated = &w.truncated
	return w.out, nil
}

// ownKey returns the ARN of a key that the caller's account has, or any for an administrator.
func (s *Service) ownKey(ctx context.Context, c *service.Call, id string) (key, account string, err error) {
	if owner := accountOf(id); owner != "" && owner != c.Caller.Account && !s.administers(c) {
		// Before anything is looked up: what another account's alias points to is not told.
		return "", "", api.AccessDeniedException("User: %s is not authorized to perform: trent:%s on resource: %s because it is another account's",
			c.Caller.ARN, c.Operation, id)
	}
	return s.Decisions.KeyARN(ctx, c, id)
}

// census asks one principal after the other.
type census struct {
	service              *Service
	call                 *service.Call
	action, key, account string
	certainty            authz.Certainty
	seen                 map[string]bool
	asked                int
	truncated            bool
	out                  *trentapi.WhoCanResponse
}

func (w *census) take(ctx context.Context) error {
	d := &w.service.Decisions
	if err := w.ask(ctx, caller.RootOf(w.account, ""), "", false); err != nil {
		return err
	}
	var failed error
	err := d.EachPrincipal(ctx, w.account, func(c caller.Caller) bool {
		role := ""
		if c.Type == caller.Role {
			role = c.Source
		}
		failed = w.ask(ctx, c, role, false)
		return failed == nil && !w.truncated
	})
	if failed != nil || err != nil || w.truncated {
		return cmp.Or(failed, err)
	}
	names, more, err := d.Named(ctx, w.key, w.action, maxAsked)
	if err != nil {
		return err
	}
	w.truncated = more
	for _, name := range names {
		if err := w.askNamed(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// anybody stands for a principal that no policy names but by "*".
const anybody = "arn:aws:iam::999999999999:user/anybody"

// askNamed asks for a principal that is named by the key's policy or a grant. Those of the key's account were asked, but for
// sessions.
func (w *census) askNamed(ctx context.Context, name string) error {
	who := caller.Caller{Type: caller.User, ARN: anybody, Account: accountOf(anybody), UserID: "AIDA"}
	if name != "*" {
		if arn.IsAccount(name) {
			name = caller.RootARN(name)
		}
		var ok bool
		var err error
		switch who, ok, err = w.service.Decisions.Principal(ctx, name); {
		case err != nil:
			return err
		case !ok && accountOf(name) != w.account:
			who = foreign(name)
		case !ok:
			return nil // gone
		}
	}
	shown := who.ARN
	switch {
	case who.ARN == anybody:
		shown = "*"
	case who.Type == caller.Role && name == who.Source:
		shown = name
	}
	if w.seen[shown] || shown == "" {
		return nil
	}
	return w.ask(ctx, who, shown, who.Account != w.account && who.Type != caller.Service)
}

// foreign is a principal of another account of which nothing is known but its name, or none.
func foreign(name string) caller.Caller {
	account := accountOf(name)
	if account == "" {
		return caller.Caller{}
	}
	return caller.Caller{Type: caller.User, Account: account, ARN: name, UserID: name}
}

// ask finds out about one principal. shown is what it is called, if not by its ARN: a role, and not a session of it. outside
// leaves its own account's policies out.
func (w *census) ask(ctx context.Context, who caller.Caller, shown string, outside bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.asked++; w.asked > maxAsked || len(w.out.Principals) >= maxListed {
		w.truncated = true
		return nil
	}
	call := &service.Call{Caller: who, Region: regionOf(w.key, w.call.Region), Now: w.call.Now, Event: new(audit.Event)}
	q := authz.Question{Request: &authz.Request{Caller: &call.Caller, Region: call.Region, Now: w.call.Now}, Outside: outside}
	name, known := string(who.Type), func(key string) bool { return isKnown(&who, key) }
	if who.ARN == anybody {
		name, known = "anybody", isOfKey
	}
	sometimes, err := w.service.Decisions.Suppose(ctx, call, w.action, w.key, true)
	if err != nil {
		return err
	}
	q.Access = &sometimes
	how, possible, certain, err := w.certainty.Possible(ctx, q, name, known)
	if err != nil || !possible {
		return err
	}
	if certain { // also without what grants want of the request
		always, err := w.service.Decisions.Suppose(ctx, call, w.action, w.key, false)
		if err != nil {
			return err
		}
		q.Access = &always
		if _, _, certain, err = w.certainty.Possible(ctx, q, name, known); err != nil {
			return err
		}
	}
	w.add(&who, cmp.Or(shown, who.ARN), how, !certain || outside)
	return nil
}

func (w *census) add(who *caller.Caller, name string, how authz.DecisionText, conditional bool) {
	w.seen[name] = true
	through := how.Layer
	switch {
	case how.Grant != "":
		through = "grant " + how.Grant
	case how.Policy != "":
		through += " " + how.Policy
	}
	if how.Statement >= 0 {
		through += ", statement " + strconv.Itoa(how.Statement)
	}
	if how.Sid != "" {
		through += " (" + how.Sid + ")"
	}
	if who.Account != w.account && who.Type != caller.Service {
		through = "the key's policy or a grant; the other account has to allow it too"
	}
	w.out.Principals = append(w.out.Principals, trentapi.Principal{Arn: &name, Through: &through, Conditional: &conditional})
}

// The condition keys that the key and the principal decide, and no request can change.
var (
	ofKey = []string{
		"aws:requestedregion", "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths", "kms:customermasterkeyspec",
		"kms:customermasterkeyusage", "kms:keyorigin", "kms:keyspec", "kms:keyusage", "kms:multiregion", "kms:multiregionkeytype",
		"kms:resourcealiases",
	}
	ofPrincipal = []string{
		"aws:principalaccount", "aws:principalarn", "aws:principalisawsservice", "aws:principalorgid", "aws:principalorgpaths",
		"aws:principaltype", "kms:calleraccount",
	}
)

// isOfKey says whether every request on a key has the same value for a condition key, whoever makes it.
func isOfKey(key string) bool {
	return strings.HasPrefix(key, "aws:resourcetag/") || slices.Contains(ofKey, key)
}

// isKnown says whether every request of a principal has the same value for a condition key. A session of a role can have other
// tags than the role.
func isKnown(c *caller.Caller, key string) bool {
	if strings.HasPrefix(key, "aws:principaltag/") || key == "aws:userid" || key == "aws:username" {
		return c.Type == caller.User || c.Type == caller.Root
	}
	return slices.Contains(ofPrincipal, key) || isOfKey(key)
}
