package authz

import (
	"context"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// LayerTrace is what one layer says.
type LayerTrace struct {
	Layer string `json:"layer"`
	// Verdict is "allows", "denies", "does not allow", "does not limit" or "not asked".
	Verdict string `json:"verdict"`
	// Note says why a layer is not asked or does not limit, or what its allowing means.
	Note     string        `json:"note,omitzero"`
	Policies []PolicyTrace `json:"policies,omitempty"`
	// Hidden says that the layer is another account's, whose policies are not shown.
	Hidden bool `json:"hidden,omitzero"`

	layer Layer
}

// PolicyTrace is what one policy says.
type PolicyTrace struct {
	Name string `json:"name"`
	// Level is how far below the organization's root a control policy is attached.
	Level      int              `json:"level,omitzero"`
	Verdict    string           `json:"verdict"`
	Statements []StatementTrace `json:"statements,omitempty"`
	// Omitted is how many statements were left out to keep the trace small.
	Omitted int `json:"omitted,omitzero"`
}

// StatementTrace is what one statement says, each part by itself.
type StatementTrace struct {
	Index  int    `json:"index"`
	Sid    string `json:"sid,omitzero"`
	Effect string `json:"effect"`
	// Matched is whether all parts match, so that the effect counts.
	Matched bool `json:"matched"`
	// Principal is how the statement names the caller: "none", "account", "everyone", "user", "role" or "caller".
	Principal  string           `json:"principal,omitzero"`
	Action     bool             `json:"action"`
	Resource   bool             `json:"resource"`
	Conditions []ConditionTrace `json:"conditions,omitempty"`
}

// ConditionTrace is what became of one condition.
type ConditionTrace struct {
	Operator string   `json:"operator"`
	Key      string   `json:"key"`
	Wanted   []string `json:"wanted"`
	// Got are the request's values; Absent says that it does not have the key.
	Got    []string `json:"got,omitempty"`
	Absent bool     `json:"absent,omitzero"`
	Met    bool     `json:"met"`
}

// The verdicts.
const (
	allows       = "allows"
	denies       = "denies"
	doesNotAllow = "does not allow"
	doesNotLimit = "does not limit"
	notAsked     = "not asked"
)

// layers traces every layer. The evaluation has been decided.
func (e *evaluation) layers(ctx context.Context, d Decision) ([]LayerTrace, error) {
	all := []LayerTrace{
		e.layer(ServiceControl, e.says.service, e.whyNoServiceControl()), e.layer(ResourceControl, e.says.resourceControl, e.whyNoResourceControl()),
		e.layer(VPCEndpoint, e.says.endpoint, e.whyNoEndpoint()), e.resourceLayer(d),
		e.layer(IdentityBased, e.says.identity, e.aboutIdentity()), e.layer(Boundary, e.says.boundary, e.whyNoBoundary()),
		e.layer(SessionBased, e.says.session, e.whyNoSession()),
	}
	grants, err := e.grantLayer(ctx, d)
	all = append(all, grants)
	for p := range e.policies() {
		l := &all[p.layer-ServiceControl]
		l.Policies = append(l.Policies, e.trace(p))
	}
	return all, err
}

// layer is a layer's opinion in words.
func (e *evaluation) layer(l Layer, says opinion, note string) LayerTrace {
	t := LayerTrace{Layer: l.String(), layer: l, Note: note, Verdict: doesNotAllow}
	switch {
	case says.denied:
		t.Verdict = denies
	case says == noObjection && note != "":
		t.Verdict = doesNotLimit
	case says.allowed:
		t.Verdict = allows
	}
	return t
}

func (e *evaluation) resourceLayer(d Decision) LayerTrace {
	t := LayerTrace{Layer: Resource.String(), layer: Resource, Verdict: doesNotAllow}
	_, denied := e.says.resource.Denied()
	_, _, allowed := e.says.resource.Allowed()
	switch {
	case e.access.Missing:
		t.Note = "the resource does not exist"
	case e.access.Policy == nil:
		t.Verdict, t.Note = notAsked, "the resource has no policy of its own"
	case denied:
		t.Verdict = denies
	case allowed:
		t.Verdict, t.Note = allows, naming[e.decidingMatch(d)]
	}
	return t
}

// decidingMatch is how the statement of the resource's policy names the caller that decided or, if none did, that is most direct.
func (e *evaluation) decidingMatch(d Decision) policy.Match {
	if d.Layer == Resource && d.Allowed {
		for by := policy.ByCaller; by > policy.None; by-- {
			if n, ok := e.says.resource.AllowedBy(by); ok && n == d.Statement {
				return by
			}
		}
	}
	_, by, _ := e.says.resource.Allowed()
	return by
}

// naming says what it means that a resource's policy names the caller in one way or the other.
var naming = [...]string{
	policy.None: "", policy.ByAccount: "it names the caller's account, whose IAM policies decide", policy.ByEveryone: "it names everyone",
	policy.ByUser: "it names the user on whose behalf the session acts", policy.ByRole: "it names the role of the session",
	policy.ByCaller: "it names the caller itself",
}

// grantLayer asks for a grant again: it is part of the picture even when it was not needed.
func (e *evaluation) grantLayer(ctx context.Context, d Decision) (LayerTrace, error) {
	t := LayerTrace{Layer: Granted.String(), layer: Granted, Verdict: doesNotAllow}
	switch {
	case e.access.Grants == nil || e.access.Missing:
		t.Verdict, t.Note = notAsked, "there is no grant that could apply"
		return t, nil
	case d.Explicit || d.Layer == ServiceControl || d.Layer == ResourceControl || d.Layer == VPCEndpoint:
		t.Verdict, t.Note = notAsked, "a grant does not outweigh what denies"
		return t, nil
	}
	g, err := e.access.Grants.Grant(ctx)
	if err == nil && g.By != policy.None {
		t.Verdict, t.Note = allows, "grant "+g.ID
	}
	return t, err
}

func (e *evaluation) trace(p placed) PolicyTrace {
	t := PolicyTrace{Name: p.shown(e), Level: p.level, Verdict: doesNotAllow}
	r := p.document.Evaluate(&e.request)
	if _, ok := r.Denied(); ok {
		t.Verdict = denies
	} else if _, _, ok := r.Allowed(); ok {
		t.Verdict = allows
	}
	principals := hasPrincipals(p.document.Kind())
	for _, s := range p.document.Trace(&e.request) {
		one := StatementTrace{Index: s.Index, Sid: s.Sid, Effect: string(s.Effect), Matched: s.Matched, Action: s.Action, Resource: s.Resource}
		if principals {
			one.Principal = matchNames[s.Principal]
		}
		for _, c := range s.Tests {
			one.Conditions = append(one.Conditions, ConditionTrace{
				Operator: c.Operator, Key: c.Key, Wanted: c.Wanted, Got: c.Got, Absent: !c.Present, Met: c.Met,
			})
		}
		t.Statements = append(t.Statements, one)
	}
	return t
}

// shown is what people call a policy that has no name of its own.
func (p placed) shown(e *evaluation) string {
	switch {
	case p.name != "":
		return p.name
	case p.layer == Resource:
		return e.access.Resource
	case p.layer == VPCEndpoint:
		return e.Endpoint.ID
	}
	return "session"
}

func hasPrincipals(k policy.Kind) bool {
	return k != policy.Identity && k != policy.ServiceControl
}

var matchNames = [...]string{
	policy.None: "none", policy.ByAccount: "account", policy.ByEveryone: "everyone", policy.ByUser: "user", policy.ByRole: "role",
	policy.ByCaller: "caller",
}

func (e *evaluation) whyNoServiceControl() string {
	switch {
	case e.bindsCaller():
		return ""
	case e.Caller.Account == "":
		return "service control policies bind no services, and nobody from outside"
	case e.member == nil:
		return "account " + e.Caller.Account + " is in no organization"
	case e.member.Management:
		return "control policies do not bind the management account"
	}
	return "the organization has no service control policies enabled"
}

func (e *evaluation) whyNoResourceControl() string {
	switch {
	case e.bindsResource():
		return ""
	case e.owner == nil:
		return "account " + e.access.Account + " is in no organization"
	case e.owner.Management:
		return "control policies do not bind the management account"
	case e.owner.Resources == nil:
		return "the organization has no resource control policies enabled"
	}
	return "resource control policies do not apply to this access"
}

func (e *evaluation) whyNoEndpoint() string {
	switch {
	case e.Endpoint == nil:
		return "the request did not come through a VPC endpoint"
	case e.Endpoint.Policy == nil:
		return "endpoint " + e.Endpoint.ID + " has no policy"
	}
	return ""
}

func (e *evaluation) aboutIdentity() string {
	switch {
	case e.Caller.Account == "":
		return "the caller has no IAM policies of its own"
	case e.Caller.Type == caller.Federated && !e.Caller.Limited():
		return "a federated user without session policies has none of its user's permissions"
	case e.isRoot():
		return "a root user has what its account is given"
	case e.Identity == nil || len(e.Identity.Policies) == 0:
		return "the caller has no IAM policies"
	}
	return "one of the policies of the caller, its groups or its role must allow"
}

func (e *evaluation) whyNoBoundary() string {
	if e.Identity == nil || e.Identity.Boundary == nil {
		return "there is no permissions boundary"
	}
	return ""
}

func (e *evaluation) whyNoSession() string {
	if !e.Caller.Limited() {
		return "no session policies were passed"
	}
	return ""
}
