package authz

import (
	"strconv"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// Lookup answers for the global condition keys (IAM User Guide, "AWS global condition context keys"), and leaves the rest
// to the access.
func (e *evaluation) Lookup(key string) (policy.Values, bool) {
	if e.Given != nil {
		if v, ok := e.Given.Lookup(key); ok {
			return v, true
		}
	}
	if strings.HasPrefix(key, "aws:") {
		if v, ok := e.global(key[len("aws:"):]); ok {
			return v, true
		}
	}
	if e.access.Context == nil {
		return policy.Values{}, false
	}
	return e.access.Context.Lookup(key)
}

func (e *evaluation) global(key string) (policy.Values, bool) {
	if v, ok := e.ofCaller(key); ok {
		return v, true
	}
	if v, ok := e.ofSession(key); ok {
		return v, true
	}
	if v, ok := e.ofService(key); ok {
		return v, true
	}
	if v, ok := e.ofNetwork(key); ok {
		return v, true
	}
	switch key {
	case "currenttime":
		return policy.One(e.Now.UTC().Format(time.RFC3339)), true
	case "epochtime":
		return policy.One(strconv.FormatInt(e.Now.Unix(), 10)), true
	case "requestedregion":
		if e.access.Region != "" {
			return present(e.access.Region)
		}
		return present(e.Region)
	case "resourceaccount":
		return present(e.access.Account)
	case "resourceorgid":
		return organization(e.owner)
	case "resourceorgpaths":
		return path(e.owner, e.paths[1:2])
	}
	return policy.Values{}, false
}

// ofCaller are the keys that say who the caller is.
func (e *evaluation) ofCaller(key string) (policy.Values, bool) {
	c := e.Caller
	switch key {
	case "principalarn":
		if c.Type == caller.Role { // the role, not the session
			return present(c.Source)
		}
		if c.Type == caller.Service || c.Type == caller.WebIdentity {
			return policy.Values{}, false
		}
		return present(c.ARN)
	case "principalaccount":
		return present(c.Account)
	case "principaltype":
		return present(principalTypes[c.Type])
	case "userid":
		return present(c.UserID)
	case "username":
		if c.Type == caller.User {
			return present(c.Name)
		}
	case "principalorgid":
		return organization(e.member)
	case "principalorgpaths":
		return path(e.member, e.paths[:1])
	}
	if name, ok := strings.CutPrefix(key, "principaltag/"); ok && e.Identity != nil {
		return policy.TagValue(e.Identity.Tags, name, func(t *caller.Tag) (key, value string) { return t.Key, t.Value })
	}
	return policy.Values{}, false
}

// principalTypes are the values of aws:PrincipalType.
var principalTypes = map[caller.Type]string{
	caller.Root: "Account", caller.User: "User", caller.Role: "AssumedRole", caller.Federated: "FederatedUser",
	caller.Service: "Service", caller.WebIdentity: "Anonymous",
}

// ofSession are the keys of temporary credentials.
func (e *evaluation) ofSession(key string) (policy.Values, bool) {
	s := e.Caller.Session
	if s == nil {
		return policy.Values{}, false
	}
	switch key {
	case "tokenissuetime":
		return policy.One(s.Issued.UTC().Format(time.RFC3339)), true
	case "multifactorauthpresent":
		return policy.One(strconv.FormatBool(s.MFA)), true
	case "multifactorauthage":
		if s.MFA {
			return policy.One(strconv.FormatInt(int64(e.Now.Sub(s.Issued)/time.Second), 10)), true
		}
	case "sourceidentity":
		return present(s.SourceIdentity)
	case "federatedprovider":
		return present(s.Provider)
	}
	return policy.Values{}, false
}

// ofService are the keys of requests that a service makes, for itself or for somebody. A caller that is no service has
// no way to set them.
func (e *evaluation) ofService(key string) (policy.Values, bool) {
	c := e.Caller
	service := c.Type == caller.Service
	switch key {
	case "principalisawsservice":
		return policy.One(strconv.FormatBool(service)), true
	case "viaawsservice":
		return policy.One(strconv.FormatBool(c.Forwarder != "")), true
	case "calledvia":
		if c.Forwarder != "" {
			return policy.Many([]string{c.Forwarder}), true
		}
	case "calledviafirst", "calledvialast":
		return present(c.Forwarder)
	}
	if !service {
		return policy.Values{}, false
	}
	switch key {
	case "principalservicename":
		return policy.One(c.ARN), true
	case "principalservicenameslist":
		return policy.Many([]string{c.ARN}), true
	case "sourcearn":
		return present(c.SourceARN)
	case "sourceaccount":
		return present(c.SourceAccount)
	case "sourceorgid":
		return organization(e.source)
	case "sourceorgpaths":
		return path(e.source, e.paths[2:])
	}
	return policy.Values{}, false
}

// ofNetwork are the keys that say where the request came from. What comes through an endpoint has no public address.
func (e *evaluation) ofNetwork(key string) (policy.Values, bool) {
	switch key {
	case "securetransport":
		return policy.One(strconv.FormatBool(e.TLS)), true
	case "useragent":
		return present(e.UserAgent)
	case "referer":
		return present(e.Referer)
	case "sourceip":
		if e.Endpoint == nil {
			return present(e.SourceIP)
		}
	}
	if e.Endpoint == nil {
		return policy.Values{}, false
	}
	switch key {
	case "vpcsourceip":
		return present(e.SourceIP)
	case "sourcevpce":
		return present(e.Endpoint.ID)
	case "sourcevpc":
		return present(e.Endpoint.VPC)
	}
	return policy.Values{}, false
}

// present is a key that a request has unless it is empty.
func present(s string) (policy.Values, bool) { return policy.One(s), s != "" }

func organization(m *Membership) (policy.Values, bool) {
	if m == nil {
		return policy.Values{}, false
	}
	return policy.One(m.Organization), true
}

// path is the one path of an account in its organization; the key is multi-valued nevertheless. It is put into memory, which
// belongs to this key alone.
func path(m *Membership, memory []string) (policy.Values, bool) {
	if m == nil {
		return policy.Values{}, false
	}
	memory[0] = m.Path
	return policy.Many(memory), true
}
