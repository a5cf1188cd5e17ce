package authz

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/trent-kms/trent/policy"
)

// Certainty answers questions about requests of which only some condition keys are known: whether such a request can be
// allowed, and whether every such request is. It remembers what it makes of policies, and is for one goroutine.
type Certainty struct {
	Explainer *Explainer
	made      map[asked]*policy.Policy
}

// asked is a policy under a supposition about what is not known.
type asked struct {
	policy *policy.Policy
	hope   bool
	known  string
}

// Possible says whether there can be a request with which an access is allowed, and how; certain says that all are. known
// tells the condition keys, in lower case, that are as the question has them; name stands for that function.
//
// A statement that depends on another key is taken to match where that helps and not to match where it does not, and then
// the reverse.
func (c *Certainty) Possible(ctx context.Context, q Question, name string, known func(key string) bool) (how DecisionText, possible, certain bool, err error) {
	if c.made == nil {
		c.made = make(map[asked]*policy.Policy)
	}
	for _, hope := range []bool{true, false} {
		e, err := c.Explainer.evaluation(ctx, q)
		if err != nil {
			return how, false, false, err
		}
		d, err := c.supposing(e, hope, name, known).decide(ctx)
		if err != nil {
			return how, false, false, err
		}
		if hope {
			if possible, how = d.Allowed, e.describe(d); !possible {
				return how, false, false, nil
			}
		}
		certain = d.Allowed
	}
	return how, possible, certain, nil
}

// supposing is an evaluation in which all that is not known turns out well, or badly.
func (c *Certainty) supposing(e *evaluation, hope bool, name string, known func(string) bool) *evaluation {
	changed := map[string]document{}
	for p := range e.policies() {
		key := asked{p.document, hope, name}
		made, ok := c.made[key]
		if !ok {
			made = suppose(p.document, hope, known)
			c.made[key] = made
		}
		if made != p.document {
			changed[p.id()] = document{policy: made}
		}
	}
	s := e.copy()
	s.replace(changed)
	return s
}

// suppose returns a policy whose statements do not depend on keys that are not known. All keep their indexes.
func suppose(p *policy.Policy, hope bool, known func(string) bool) *policy.Policy {
	var head struct{ Version string }
	if json.Unmarshal([]byte(p.Text()), &head) != nil || head.Version == "" {
		head.Version = policy.Version2008
	}
	whole := func(statements string) (*policy.Policy, error) {
		return policy.Parse(p.Kind(), `{"Version":"`+head.Version+`","Statement":[`+statements+`]}`)
	}
	depends := func(statement string) bool {
		one, err := whole(statement)
		return err != nil || !allKnown(one.Keys(), known)
	}
	var texts []string
	changed := false
	for i := range p.Len() {
		text := p.Statement(i)
		if depends(text) {
			changed = true
			text = settled(p.Kind(), text, hope, known, depends)
		}
		texts = append(texts, text)
	}
	if !changed {
		return p
	}
	made, err := whole(strings.Join(texts, ","))
	if err != nil {
		made, _ = whole(strings.Replace(nothing(p.Kind()), "trent:Nothing", "*", 1)) // deny: nobody is told of what is not so
	}
	return made
}

func allKnown(keys []string, known func(string) bool) bool {
	for _, k := range keys {
		if !known(k) {
			return false
		}
	}
	return true
}

// settled is a statement that matches whatever is not known, if that is what is supposed of it, and else one that does nothing.
func settled(kind policy.Kind, text string, hope bool, known, depends func(string) bool) string {
	members := map[string]jsontext.Value{}
	if json.Unmarshal([]byte(text), &members) != nil {
		return nothing(kind)
	}
	if allows := string(members["Effect"]) == `"Allow"`; allows != hope {
		return nothing(kind)
	}
	var conditions map[string]map[string]jsontext.Value
	if json.Unmarshal(members["Condition"], &conditions) == nil {
		for operator, keys := range conditions {
			for key, values := range keys {
				if !known(policy.Fold(key)) || strings.Contains(string(values), "${") {
					delete(keys, key)
				}
			}
			if len(keys) == 0 {
				delete(conditions, operator)
			}
		}
		delete(members, "Condition")
		if len(conditions) > 0 {
			members["Condition"], _ = json.Marshal(conditions, json.Deterministic(true))
		}
	}
	loose, err := json.Marshal(members, json.Deterministic(true))
	if err == nil && depends(string(loose)) { // variables in its resources
		delete(members, "NotResource")
		members["Resource"] = jsontext.Value(`"*"`)
		loose, err = json.Marshal(members, json.Deterministic(true))
	}
	if err != nil {
		return nothing(kind)
	}
	return string(loose)
}

// nothing is a statement that never matches.
func nothing(kind policy.Kind) string {
	if hasPrincipals(kind) {
		return `{"Effect":"Deny","Principal":"*","Action":"trent:Nothing","Resource":"*"}`
	}
	return `{"Effect":"Deny","Action":"trent:Nothing","Resource":"*"}`
}
