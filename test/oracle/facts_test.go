package oracle_test

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// facts are all condition keys of a request: its own, and the global ones as AWS documents them (IAM User Guide, "AWS
// global condition context keys"). It is written without a look at Trent's answer to the same question, which it tests.
func (s *scenario) facts() map[string]policy.Values {
	out := maps.Clone(s.Context)
	set := func(key, value string) {
		if value != "" {
			out[key] = policy.One(value)
		}
	}
	s.callerFacts(set)
	s.sessionFacts(set)
	s.requestFacts(set)
	s.serviceFacts(out, set)
	s.placeFacts(out)
	return out
}

func (s *scenario) callerFacts(set func(key, value string)) {
	c := &s.Caller
	names := map[caller.Type]string{caller.Root: "Account", caller.User: "User", caller.Role: "AssumedRole", caller.Federated: "FederatedUser", caller.Service: "Service"}
	set("aws:PrincipalType", names[c.Type])
	set("aws:PrincipalAccount", c.Account)
	set("aws:userid", c.UserID)
	switch c.Type {
	case caller.User:
		set("aws:username", c.Name)
		set("aws:PrincipalArn", c.ARN)
	case caller.Role: // the role and not the session
		set("aws:PrincipalArn", c.Source)
	case caller.Root, caller.Federated:
		set("aws:PrincipalArn", c.ARN)
	}
	for k, v := range s.Tags {
		set("aws:PrincipalTag/"+k, v)
	}
}

func (s *scenario) sessionFacts(set func(key, value string)) {
	session := s.Caller.Session
	if session == nil {
		return
	}
	set("aws:TokenIssueTime", session.Issued.UTC().Format(time.RFC3339))
	set("aws:MultiFactorAuthPresent", strconv.FormatBool(session.MFA))
	if session.MFA {
		set("aws:MultiFactorAuthAge", strconv.FormatInt(s.Now-session.Issued.Unix(), 10))
	}
	set("aws:SourceIdentity", session.SourceIdentity)
	set("aws:FederatedProvider", session.Provider)
}

func (s *scenario) requestFacts(set func(key, value string)) {
	set("aws:CurrentTime", time.Unix(s.Now, 0).UTC().Format(time.RFC3339))
	set("aws:EpochTime", strconv.FormatInt(s.Now, 10))
	set("aws:SecureTransport", strconv.FormatBool(s.TLS))
	set("aws:UserAgent", s.UserAgent)
	set("aws:referer", s.Referer)
	set("aws:RequestedRegion", s.Region)
	if s.ResourceRegion != "" {
		set("aws:RequestedRegion", s.ResourceRegion)
	}
	set("aws:ResourceAccount", s.Account)
	if s.Endpoint == nil {
		set("aws:SourceIp", s.SourceIP)
		return
	}
	set("aws:VpcSourceIp", s.SourceIP)
	set("aws:SourceVpce", s.Endpoint.ID)
	set("aws:SourceVpc", s.Endpoint.VPC)
}

func (s *scenario) serviceFacts(out map[string]policy.Values, set func(key, value string)) {
	c := &s.Caller
	service := c.Type == caller.Service
	set("aws:PrincipalIsAWSService", strconv.FormatBool(service))
	set("aws:ViaAWSService", strconv.FormatBool(c.Forwarder != ""))
	if c.Forwarder != "" {
		out["aws:CalledVia"] = policy.Many([]string{c.Forwarder})
		set("aws:CalledViaFirst", c.Forwarder)
		set("aws:CalledViaLast", c.Forwarder)
	}
	if service {
		set("aws:PrincipalServiceName", c.ARN)
		out["aws:PrincipalServiceNamesList"] = policy.Many([]string{c.ARN})
		set("aws:SourceArn", c.SourceARN)
		set("aws:SourceAccount", c.SourceAccount)
	}
}

func (s *scenario) placeFacts(out map[string]policy.Values) {
	if p := s.Places[s.Caller.Account]; p != nil {
		out["aws:PrincipalOrgID"] = policy.One(p.Organization)
		out["aws:PrincipalOrgPaths"] = policy.Many([]string{p.Path})
	}
	if p := s.Places[s.Caller.SourceAccount]; p != nil && s.Caller.Type == caller.Service {
		out["aws:SourceOrgID"] = policy.One(p.Organization)
		out["aws:SourceOrgPaths"] = policy.Many([]string{p.Path})
	}
	if p := s.Places[s.Account]; p != nil {
		out["aws:ResourceOrgID"] = policy.One(p.Organization)
		out["aws:ResourceOrgPaths"] = policy.Many([]string{p.Path})
	}
}

// lookup finds a key without regard to case. A multi-valued key without members is as good as none.
func lookup(facts map[string]policy.Values, key string) (policy.Values, bool) {
	for name, v := range facts {
		if strings.EqualFold(name, key) {
			return v, !v.Multi || len(v.Many) > 0
		}
	}
	return policy.Values{}, false
}
