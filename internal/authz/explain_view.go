package authz

import "github.com/go-json-experiment/json"

// notShown is the verdict of another account's layer that did not decide.
const notShown = "not shown"

// ownSide are the layers of the caller's account; the others are of the resource's.
var ownSide = map[Layer]bool{ServiceControl: true, VPCEndpoint: true, IdentityBased: true, Boundary: true, SessionBased: true}

// viewFrom leaves of a call's explanation what an account may know of one of its decisions.
func (x *CallExplanation) viewFrom(account string, d *Explanation) {
	for i := range x.Changes {
		if c := &x.Changes[i]; c.account != account {
			*c = Change{Layer: c.Layer, account: c.account, Hidden: true}
		}
	}
	if hint := d.viewFrom(account); hint != "" {
		x.Changes, x.Hint = nil, hint
	}
}

// viewFrom leaves of an explanation what an account may know: its own policies, and of the other account's no more than the
// caller's error message tells. What a caller is refused by another account's resource does not say whether it exists. The hint
// is about a denial that is the other account's.
func (x *Explanation) viewFrom(account string) (hint string) {
	for i := range x.Layers {
		if l := &x.Layers[i]; x.hides(l.layer, account) {
			l.Policies, l.Hidden, l.Note = nil, true, ""
			if l.Layer != x.Decision.Layer || x.Allowed {
				l.Verdict = notShown
			}
		}
	}
	for i := range x.Layers {
		if x.Layers[i].Layer == x.Decision.Layer && x.Layers[i].Hidden {
			return x.hideDecision(x.Layers[i].layer)
		}
	}
	return ""
}

// Hidden says that a denial is explained as the caller was told, who gets nothing from another account's resource: to the
// caller's account as if the resource did not exist, and to the resource's as if the caller's policies had nothing to say.
func (x *Explanation) Hidden() bool { return x.hidden }

// hides says whether a layer is not for an account to see.
func (x *Explanation) hides(l Layer, account string) bool {
	if ownSide[l] {
		return account != x.account
	}
	return account != x.owner
}

// Hides is the same for a layer by its name.
func (x *Explanation) Hides(layer, account string) bool {
	for l := range layerNames {
		if layerNames[l] == layer {
			return x.hides(Layer(l), account)
		}
	}
	return true
}

// hideDecision tells of a decision of the other account's what the error message tells.
func (x *Explanation) hideDecision(l Layer) (hint string) {
	x.Decision = DecisionText{Layer: x.Decision.Layer, Explicit: x.Decision.Explicit, Statement: -1}
	side := x.owner
	if ownSide[l] {
		side = x.account
	}
	switch {
	case x.Allowed:
		x.Rule = "Account " + side + " allows it."
	case x.Decision.Explicit:
		x.Rule = "A statement of " + article(l) + l.String() + " of account " + side + " denies it."
	default:
		x.Rule = "No " + l.String() + " of account " + side + " allows it."
	}
	if x.Allowed {
		return ""
	}
	return "Account " + side + " has to allow it. Its administrators can ask for an explanation of their side."
}

// MaxExplanationBytes bounds the JSON of an explanation, unless a smaller bound is asked for.
const MaxExplanationBytes = 256 << 10

// Bound leaves things out, the least telling first, until the explanation's JSON has at most limit bytes.
func (x *Explanation) Bound(limit int) {
	for _, leaveOut := range []func(){
		x.dropUnmatched(func(s *StatementTrace) bool { return !s.Action }),
		x.dropUnmatched(func(s *StatementTrace) bool { return !s.Matched }),
		x.dropValues, x.dropUnmatched(func(*StatementTrace) bool { return true }), x.dropPolicies, x.dropDocuments, x.dropChanges,
	} {
		if text, err := json.Marshal(x); err == nil && len(text) <= limit {
			return
		}
		x.Truncated = true
		leaveOut()
	}
}

func (x *Explanation) dropUnmatched(drop func(*StatementTrace) bool) func() {
	return func() {
		for i := range x.Layers {
			for j := range x.Layers[i].Policies {
				p := &x.Layers[i].Policies[j]
				var kept []StatementTrace
				for k := range p.Statements {
					if !drop(&p.Statements[k]) {
						kept = append(kept, p.Statements[k])
					}
				}
				p.Omitted += len(p.Statements) - len(kept)
				p.Statements = kept
			}
		}
	}
}

// dropValues keeps one value of each condition.
func (x *Explanation) dropValues() {
	for i := range x.Layers {
		for j := range x.Layers[i].Policies {
			for k := range x.Layers[i].Policies[j].Statements {
				tests := x.Layers[i].Policies[j].Statements[k].Conditions
				for n := range tests {
					tests[n].Wanted, tests[n].Got = tests[n].Wanted[:min(1, len(tests[n].Wanted))], tests[n].Got[:min(1, len(tests[n].Got))]
				}
			}
		}
	}
}

func (x *Explanation) dropPolicies() {
	for i := range x.Layers {
		x.Layers[i].Policies = nil
	}
}

func (x *Explanation) dropDocuments() {
	for i := range x.Changes {
		x.Changes[i].Document = ""
	}
}

// Bound leaves things out of a call's explanation until its JSON has at most limit bytes.
func (x *CallExplanation) Bound(limit int) {
	changes := &Explanation{Changes: x.Changes}
	changes.Bound(limit / 4)
	x.Changes = changes.Changes
	for _, d := range x.Decisions {
		d.Bound((limit - limit/4) / len(x.Decisions))
		d.Truncated = d.Truncated || changes.Truncated
	}
}

func (x *Explanation) dropChanges() { x.Changes = nil }
