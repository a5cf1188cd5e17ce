package authz

import (
	"cmp"
	"context"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// Denied is the answer when the resource's own policy does not allow.
func Denied(c *caller.Caller, x Access) error { return denied(c, &x, lacks(Resource)) }

// refusal is the answer to a denial. Whoever gets nothing from another account's resource is answered as if it did not
// exist: its own denials would else tell the resource's tags and aliases, one after the other, to whoever writes them.
func (a *Authorizer) refusal(ctx context.Context, r *Request, member *Membership, x *Access, d Decision) error {
	if x.Refusal != nil {
		return x.Refusal
	}
	e, err := a.evaluation(ctx, r, member, x)
	if err != nil {
		return err
	}
	defer a.release(e)
	hidden, err := e.hidden(ctx)
	if err != nil {
		return err
	}
	if !hidden {
		return denied(r.Caller, x, d)
	}
	unseen := x.unseen()
	if d, err = a.decide(ctx, r, member, &unseen); err != nil {
		return err
	}
	return denied(r.Caller, &unseen, d)
}

// unseen is the access as it looks to whoever cannot see the resource.
func (x *Access) unseen() Access {
	return Access{Action: x.Action, Resource: x.named(), Account: x.Account, Missing: true}
}

func (x *Access) named() string { return cmp.Or(x.Named, x.Resource) }

// hidden says whether the caller gets nothing from a resource of another account: neither its policy nor a grant lets it in.
func (e *evaluation) hidden(ctx context.Context) (bool, error) {
	if e.own() {
		return false, nil
	}
	if e.closed() || e.access.Policy == nil {
		return true, nil
	}
	said := e.access.Policy.Evaluate(&e.request)
	if _, _, allowed := said.Allowed(); allowed {
		return false, nil
	}
	if e.access.Grants == nil {
		return true, nil
	}
	g, err := e.access.Grants.Grant(ctx)
	return g.By == policy.None, err
}

// denied is AWS's answer (IAM User Guide, "Troubleshoot access denied error messages").
func denied(c *caller.Caller, x *Access, d Decision) error {
	if x.Refusal != nil {
		return x.Refusal
	}
	reason := "because no " + layerNames[d.Layer] + " allows the " + x.Action + " action"
	if d.Explicit {
		reason = "with an explicit deny in " + article(d.Layer) + layerNames[d.Layer]
		if d.Layer != Resource && d.Layer != VPCEndpoint && isARN(d.Policy) {
			reason += ": " + d.Policy
		}
	}
	return api.AccessDeniedException("User: %s is not authorized to perform: %s on resource: %s %s", c.ARN, x.Action, x.named(), reason)
}

// layerNames are AWS's.
var layerNames = [...]string{
	NoLayer: "policy", ServiceControl: "service control policy", ResourceControl: "resource control policy", VPCEndpoint: "VPC endpoint policy",
	Resource: "resource-based policy", IdentityBased: "identity-based policy", Boundary: "permissions boundary", SessionBased: "session policy",
	Granted: "grant",
}

func (l Layer) String() string { return layerNames[l] }

func article(l Layer) string {
	if l == IdentityBased {
		return "an "
	}
	return "a "
}

func isARN(s string) bool { return len(s) > 4 && s[:4] == "arn:" }
