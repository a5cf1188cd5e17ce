package authz

import "strconv"

// rule says in a sentence what decided.
func (e *evaluation) rule(d Decision, t DecisionText) string {
	switch {
	case d.Explicit:
		return "Statement " + statementName(t) + " of the " + d.Layer.String() + of(t.Policy) +
			" denies. A deny decides, whatever allows."
	case d.Allowed:
		return e.whyAllowed(d, t)
	}
	return e.whyDenied(d)
}

func statementName(t DecisionText) string {
	if t.Sid == "" {
		return strconv.Itoa(t.Statement)
	}
	return strconv.Itoa(t.Statement) + " (" + t.Sid + ")"
}

func of(policy string) string {
	if policy == "" {
		return ""
	}
	return " " + policy
}

func (e *evaluation) whyAllowed(d Decision, t DecisionText) string {
	own := e.own()
	switch {
	case d.Layer == Granted && own:
		return "Grant " + d.Grant + " allows, and no policy denies."
	case d.Layer == Granted:
		return "Grant " + d.Grant + " allows on the resource's side, and the caller's own account allows as well."
	case d.Layer == Resource && !own && e.Caller.Account != "":
		return "The resource's policy allows another account's root user (statement " + statementName(t) + "); it has what its account is given."
	case d.Layer == Resource:
		return "Statement " + statementName(t) + " of the resource's policy allows: " + naming[e.decidingMatch(d)] + "."
	case e.access.Policy == nil && d.Policy == "":
		return "A root user may do everything in its account that no control policy denies."
	case e.access.Policy == nil:
		return "Statement " + statementName(t) + " of " + d.Policy + " allows; the resource has no policy of its own."
	case !own:
		return "Statement " + statementName(t) + " of " + d.Policy + " allows, and the resource's policy lets the other account in. Both sides must."
	}
	return "Statement " + statementName(t) + " of " + d.Policy + " allows, and the resource's policy leaves it to the account's IAM policies."
}

func (e *evaluation) whyDenied(d Decision) string {
	own := e.own()
	switch d.Layer {
	case ServiceControl, ResourceControl:
		return "Each level of the organization must have " + article(d.Layer) + d.Layer.String() + " that allows. Level " +
			strconv.Itoa(e.lackingLevel(d.Layer)) + " has none."
	case VPCEndpoint:
		return "The policy of the VPC endpoint that the request came through does not allow it."
	case IdentityBased:
		switch {
		case e.access.Policy == nil:
			return "No IAM policy of the caller allows it, and the resource has no policy of its own."
		case !own:
			return "The resource's side lets the caller's account in, but no IAM policy of the caller allows it. Both sides must."
		}
		return "The resource's policy leaves it to the account's IAM policies, and none of the caller's allows it."
	case Boundary:
		return "The permissions boundary does not allow it. It allows nothing by itself, but what it leaves out is not allowed."
	case SessionBased:
		return "No session policy allows it. Session policies allow nothing by themselves, but what they leave out is not allowed."
	}
	switch {
	case e.access.Missing:
		return "The resource does not exist, or is not there for this caller."
	case !own && e.access.Local:
		return "The operation cannot be done on another account's resources, whatever policies say."
	case !own && e.access.Policy == nil:
		return "The resource is another account's, and has no policy that could let the caller in."
	}
	return "The resource's policy does not allow it, and no grant does. Without it, IAM policies cannot allow anything."
}

// lackingLevel is the first level of a control that allows nothing.
func (e *evaluation) lackingLevel(l Layer) int {
	for n := range e.lacking(l) {
		return n
	}
	return 0
}

// lacking goes through the levels of a control that allow nothing.
func (e *evaluation) lacking(l Layer) func(yield func(int, []Attached) bool) {
	return func(yield func(int, []Attached) bool) {
		for n, level := range e.levels(l) {
			if !e.allowedBy(level) && !yield(n, level) {
				return
			}
		}
	}
}

// allowedBy says whether one of some policies allows, besides whatever they deny.
func (e *evaluation) allowedBy(policies []Attached) bool {
	for _, a := range policies {
		r := a.Evaluate(&e.request)
		if _, _, ok := r.Allowed(); ok {
			return true
		}
	}
	return false
}

// levels are the levels of a control that count.
func (e *evaluation) levels(l Layer) [][]Attached {
	switch {
	case l == ServiceControl && e.bindsCaller():
		return e.member.Services
	case l == ResourceControl && e.bindsResource():
		return e.owner.Resources
	}
	return nil
}

// layerAllows is allowedBy for a whole layer.
func (e *evaluation) layerAllows(l Layer) bool {
	for p := range e.policies() {
		if p.layer == l && e.allowedBy([]Attached{{Policy: p.document}}) {
			return true
		}
	}
	return false
}
