package iam

import (
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// recollection is who made a recorded call, and what the log does not tell of it, in sentences.
type recollection struct {
	caller  caller.Caller
	unknown []string
}

// issuer finds the record of the call that gave out temporary credentials; nil when there is none.
type issuer = func(ctx context.Context, accessKeyID string) (*audit.Record, error)

// RecallCaller returns who made a recorded call, with the policies and tags that its session was begun with: they are in the
// record of the call that began it. The caller may be gone since. unknown says in sentences what the log does not tell.
func (s *Service) RecallCaller(ctx context.Context, r *audit.Record, issued issuer) (c caller.Caller, unknown []string, err error) {
	made, err := s.recallCaller(ctx, r, issued, maxChain)
	return made.caller, made.unknown, err
}

// maxChain bounds how many sessions, each assumed from the one before, are followed.
const maxChain = 8

func (s *Service) recallCaller(ctx context.Context, r *audit.Record, issued issuer, depth int) (recollection, error) {
	id := &r.Identity
	c := caller.Caller{
		Type: caller.Type(id.Type), Account: id.AccountID, ARN: id.ARN, UserID: id.PrincipalID, AccessKeyID: id.AccessKeyID,
		Name: id.UserName, Forwarder: id.InvokedBy,
	}
	switch c.Type {
	case caller.Service:
		c = caller.Caller{
			Type: caller.Service, ARN: id.InvokedBy, UserID: id.InvokedBy, SourceARN: id.SourceARN, SourceAccount: id.SourceAccount,
		}
	case caller.User:
		c.ID = id.PrincipalID
	case caller.WebIdentity:
		c.Source = providerOfIdentity(id.PrincipalID)
	}
	out := recollection{caller: c}
	if id.Session == nil {
		return out, nil
	}
	err := s.recallSession(ctx, &out, id.Session, issued, depth)
	return out, err
}

// providerOfIdentity is the ARN of a provider at the beginning of a web identity's id: ARN:audience:subject.
func providerOfIdentity(id string) string {
	const mark = "oidc-provider/"
	at := strings.Index(id, mark)
	if at < 0 {
		return ""
	}
	host, _, _ := strings.Cut(id[at:], ":")
	return id[:at] + host
}

// recallSession fills in what is recorded of a session.
func (s *Service) recallSession(ctx context.Context, out *recollection, recorded *audit.RecordSession, issued issuer, depth int) error {
	c := &out.caller
	session := &caller.Session{
		MFA: recorded.Attributes.MFA == "true", SourceIdentity: recorded.SourceIdentity, Provider: recorded.WebIdentity.Provider,
	}
	begun, err := time.Parse(time.RFC3339, recorded.Attributes.Created)
	if err != nil {
		out.unknown = append(out.unknown, "The record does not say when the session began: conditions on aws:TokenIssueTime are taken to be of long ago.")
	}
	session.Issued, c.Session = begun, session
	if c.Type == caller.Role || c.Type == caller.Federated {
		c.Source, c.ID = recorded.Issuer.ARN, recorded.Issuer.PrincipalID
	}
	if c.Type == caller.Role {
		c.Name = recorded.Issuer.UserName
	}
	r, err := issued(ctx, c.AccessKeyID)
	switch {
	case err != nil:
		return err
	case r == nil || depth == 0:
		out.unknown = append(out.unknown, "The record of the call that began the session is not in the log any more: session policies and "+
			"session tags are not known, and are taken to be none.")
		return nil
	}
	return s.recallLimits(ctx, out, r, issued, depth)
}

// sessionRequest are the parameters by which all operations that begin sessions limit and tag them, as records have them.
type sessionRequest struct {
	Policy     string `json:"policy"`
	PolicyARNs []struct {
		ARN string `json:"arn"`
	} `json:"policyArns"`
	Tags []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"tags"`
	Transitive []string `json:"transitiveTagKeys"`
	Omitted    bool     `json:"omitted"`
}

// recallLimits reads policies and tags from the record of the call that began the session.
func (s *Service) recallLimits(ctx context.Context, out *recollection, r *audit.Record, issued issuer, depth int) error {
	var in sessionRequest
	if len(r.Parameters) > 0 {
		if err := json.Unmarshal(r.Parameters, &in); err != nil {
			return err
		}
	}
	session := out.caller.Session
	if in.Omitted {
		out.unknown = append(out.unknown, "The parameters of the call that began the session were too long to be recorded.")
	}
	for _, a := range in.PolicyARNs {
		session.PolicyARNs = append(session.PolicyARNs, a.ARN)
	}
	if in.Policy != "" {
		var err error
		if session.Policy, err = policy.Parse(policy.Identity, in.Policy); err != nil {
			out.unknown = append(out.unknown, "The session policy that was recorded cannot be read.")
		}
	}
	session.Limited = in.Policy != "" || len(in.PolicyARNs) > 0
	return s.recallTags(ctx, out, r, in, issued, depth)
}

// recallTags gives a session the tags that were passed, and those it inherited from the session that it was assumed from.
func (s *Service) recallTags(ctx context.Context, out *recollection, r *audit.Record, in sessionRequest, issued issuer, depth int) error {
	if r.Name == "AssumeRoleWithWebIdentity" {
		out.unknown = append(out.unknown, "The claims of the web identity's token are not recorded: tags that it gave are not known.")
		return nil
	}
	var from *caller.Session
	if r.Identity.Session != nil {
		parent, err := s.recallCaller(ctx, r, issued, depth-1)
		if err != nil {
			return err
		}
		from, out.unknown = parent.caller.Session, append(out.unknown, parent.unknown...)
	}
	var passed []stsapi.Tag
	for _, t := range in.Tags {
		passed = append(passed, stsapi.Tag{Key: &t.Key, Value: &t.Value})
	}
	tags, err := inherit(from, passed, in.Transitive)
	if _, refused := err.(*api.Error); refused { // it was not then
		out.unknown = append(out.unknown, "The session's tags cannot be told from what is recorded.")
		return nil
	} else if err != nil {
		return err
	}
	for _, t := range tags.all {
		out.caller.Session.Tags = append(out.caller.Session.Tags, caller.Tag(t))
	}
	out.caller.Session.Transitive = tags.transitive
	return nil
}
