package iam

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/wire/sigv4"
	"github.com/trent-kms/trent/policy"
)

// sessionCache has the opened sessions, by access key id, the most used of them.
type sessionCache = otter.Cache[string, *opened]

// sessionCacheBytes bounds what opened sessions take, about 3000 without policies.
const sessionCacheBytes = 8 << 20

func newSessionCache() *sessionCache {
	return otter.Must(&otter.Options[string, *opened]{
		MaximumWeight: sessionCacheBytes,
		Weigher:       func(_ string, o *opened) uint32 { return o.weight() },
	})
}

// opened is a session whose token was opened, with what it says ready to be used.
type opened struct {
	*session
	accessKeyID, token string
	secret             material.Bytes
	expires            time.Time
	carries            caller.Session
	caller             atomic.Pointer[owned]
}

// owned is who a session is, as made from one version of the record of its role or user.
type owned struct {
	by     *Entity // nil: the root user
	caller caller.Caller
}

// weight is about what an opened session takes: the token, its parts, and what a policy is compiled to.
func (o *opened) weight() uint32 { return uint32(1024 + 3*len(o.token) + 8*len(o.Policy)) }

// lookupSession returns the credential of temporary credentials. It fails with sigv4.ErrUnknownKey for a token that is
// none, is another access key's, or whose role or user is gone, and with ExpiredTokenException when its time is over.
func (s *Service) lookupSession(ctx context.Context, accessKeyID, token string) (sigv4.Credential, error) {
	o, err := s.opened(ctx, accessKeyID, token)
	if err != nil {
		return sigv4.Credential{}, err
	}
	if !s.Clock.Now().Before(o.expires) {
		return sigv4.Credential{}, api.ExpiredTokenException("The security token included in the request is expired")
	}
	who, err := s.sessionOwner(ctx, o)
	if err != nil {
		return sigv4.Credential{}, err
	}
	return sigv4.Credential{AccessKeyID: o.accessKeyID, Secret: o.secret, Caller: who.caller}, nil
}

// opened returns the session of a token, from memory or by opening it. Only what was opened is remembered, so that
// nobody can fill the memory with tokens that are none. A token opens nothing without the secret access key, so it may
// be compared as any text.
func (s *Service) opened(ctx context.Context, accessKeyID, token string) (*opened, error) {
	if o, ok := s.sts.sessions.GetIfPresent(accessKeyID); ok && o.token == token {
		return o, nil
	}
	x, err := s.unsealSession(ctx, accessKeyID, token)
	if err != nil {
		return nil, err
	}
	if x == nil {
		return nil, sigv4.ErrUnknownKey
	}
	// The request's memory is not kept.
	o := &opened{session: x, accessKeyID: strings.Clone(accessKeyID), token: strings.Clone(token), expires: time.Unix(x.Expires, 0).UTC()}
	o.secret, x.Secret = material.Take([]byte(x.Secret)), ""
	if o.carries, err = x.carries(); err != nil {
		return nil, err
	}
	s.sts.sessions.Set(o.accessKeyID, o)
	return o, nil
}

// carries returns what the session carries, its policy compiled.
func (x *session) carries() (caller.Session, error) {
	c := caller.Session{
		Issued: time.Unix(x.Issued, 0).UTC(), Expires: time.Unix(x.Expires, 0).UTC(),
		Transitive: x.Transitive, SourceIdentity: x.SourceIdentity, Provider: x.Provider,
		Limited: x.Policy != "" || len(x.PolicyARNs) > 0, PolicyARNs: x.PolicyARNs,
	}
	for _, t := range x.Tags {
		c.Tags = append(c.Tags, caller.Tag(t))
	}
	if x.Policy != "" {
		var err error
		if c.Policy, err = policy.Parse(policy.Identity, x.Policy); err != nil {
			return c, fmt.Errorf("iam: session policy: %w", err)
		}
	}
	return c, nil
}

// sessionOwner returns who the session is now. A user may have another name than when the session began; a role or user
// that is gone, and with it its unique id, lets nobody in.
func (s *Service) sessionOwner(ctx context.Context, o *opened) (*owned, error) {
	var e *Entity
	if o.ID != "" {
		f, err := s.byID(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		if f.Entity == nil || f.Account != o.Account {
			return nil, sigv4.ErrUnknownKey
		}
		e = f.Entity
	}
	who := o.caller.Load()
	if who == nil || who.by != e {
		who = &owned{e, o.callerOf(e)}
		o.caller.Store(who)
	}
	return who, nil
}

// callerOf returns the session's caller. e is the session's role or user, nil for the root user.
func (o *opened) callerOf(e *Entity) caller.Caller {
	c := caller.RootOf(o.Account, o.accessKeyID)
	if e != nil {
		c = caller.Caller{Type: caller.User, Account: e.Account, ARN: e.ARN(), UserID: e.ID, AccessKeyID: o.accessKeyID, Name: e.Name, ID: e.ID}
	}
	c.Session = &o.carries
	switch o.Type {
	case caller.Role:
		c.Type, c.Source = caller.Role, c.ARN
		c.ARN, c.UserID = sessionARN(e.Account, e.Name, o.Name), e.ID+":"+o.Name
	case caller.Federated:
		c.Type, c.Source, c.Name = caller.Federated, c.ARN, ""
		c.ARN, c.UserID = federatedARN(o.Account, o.Name), o.Account+":"+o.Name
	}
	return c
}

// sessionARN is the ARN of a session of a role, which leaves out the role's path.
func sessionARN(account, role, name string) string {
	return "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name
}

func federatedARN(account, name string) string {
	return "arn:aws:sts::" + account + ":federated-user/" + name
}
