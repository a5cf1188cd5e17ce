package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// The answers, in the oracle's words.
const (
	allowed    = "Allowed"
	implicitly = "ImplicitlyDenied"
	explicitly = "ExplicitlyDenied"
)

// trent asks internal/authz.
func trent(s *scenario) (string, authz.Decision, error) {
	d, err := newDirectory(s)
	if err != nil {
		return "", authz.Decision{}, err
	}
	request, access, err := d.request()
	if err != nil {
		return "", authz.Decision{}, err
	}
	made, err := authz.New(d).Authorize(context.Background(), request, []authz.Access{access}, nil)
	if len(made) != 1 {
		return "", authz.Decision{}, fmt.Errorf("%d decisions: %w", len(made), err)
	}
	decision := made[0]
	if refused, ok := errors.AsType[*api.Error](err); decision.Allowed != (err == nil) || err != nil && (!ok || refused.Code != "AccessDeniedException") {
		return "", decision, fmt.Errorf("the decision %+v comes with %w", decision, err)
	}
	switch {
	case decision.Allowed:
		return allowed, decision, nil
	case decision.Explicit:
		return explicitly, decision, nil
	}
	return implicitly, decision, nil
}

// directory is a scenario as internal/authz sees it. Documents are parsed once.
type directory struct {
	s        *scenario
	identity *authz.Identity
	members  map[string]*authz.Membership
}

func newDirectory(s *scenario) (*directory, error) {
	d := &directory{s: s, members: map[string]*authz.Membership{}}
	var err error
	if t := s.Caller.Type; t != caller.Root && t != caller.Service {
		d.identity = &authz.Identity{}
		for _, k := range slices.Sorted(maps.Keys(s.Tags)) {
			d.identity.Tags = append(d.identity.Tags, caller.Tag{Key: k, Value: s.Tags[k]})
		}
		if d.identity.Policies, err = attach("user/inline", policy.Identity, s.Identity); err != nil {
			return nil, err
		}
		if s.limited() && len(s.Session) > 1 { // the first one was passed as text
			if d.identity.Session, err = attach("arn:aws:iam::aws:policy/Session", policy.Identity, s.Session[1:]); err != nil {
				return nil, err
			}
		}
		if s.Boundary != nil {
			all, err := attach("arn:aws:iam::aws:policy/Boundary", policy.Identity, []document{*s.Boundary})
			if err != nil {
				return nil, err
			}
			d.identity.Boundary = &all[0]
		}
	}
	for account, p := range s.Places {
		m := &authz.Membership{Organization: p.Organization, Path: p.Path, Management: p.Management}
		if m.Services, err = levels(policy.ServiceControl, p.Services); err != nil {
			return nil, err
		}
		if m.Resources, err = levels(policy.ResourceControl, p.Resources); err != nil {
			return nil, err
		}
		d.members[account] = m
	}
	return d, nil
}

const fullAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`

func levels(kind policy.Kind, docs [][]document) ([][]authz.Attached, error) {
	if docs == nil {
		return nil, nil
	}
	all := make([][]authz.Attached, len(docs))
	for i := range docs {
		var err error
		if all[i], err = attach("arn:aws:organizations::aws:policy/p", kind, docs[i]); err != nil {
			return nil, err
		}
		if kind == policy.ResourceControl {
			full, err := policy.Parse(kind, fullAccess)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], authz.Attached{Name: "arn:aws:organizations::aws:policy/full", Policy: full})
		}
	}
	return all, nil
}

func attach(name string, kind policy.Kind, docs []document) ([]authz.Attached, error) {
	all := make([]authz.Attached, len(docs))
	for i := range docs {
		p, err := parse(kind, &docs[i])
		if err != nil {
			return nil, err
		}
		all[i] = authz.Attached{Name: fmt.Sprintf("%s-%d", name, i), Policy: p}
	}
	return all, nil
}

func parse(kind policy.Kind, d *document) (*policy.Policy, error) {
	if d == nil {
		return nil, nil
	}
	p, err := policy.Parse(kind, d.text())
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, d.text())
	}
	return p, nil
}

func (d *directory) Identity(context.Context, *caller.Caller) (*authz.Identity, error) {
	return d.identity, nil
}

func (d *directory) Membership(_ context.Context, account string) (*authz.Membership, error) {
	return d.members[account], nil
}

func (d *directory) request() (*authz.Request, authz.Access, error) {
	s := d.s
	c := s.Caller
	if s.limited() && len(s.Session) > 0 {
		p, err := parse(policy.Identity, &s.Session[0])
		if err != nil {
			return nil, authz.Access{}, err
		}
		session := *c.Session
		session.Policy = p
		c.Session = &session
	}
	r := &authz.Request{
		Caller: &c, Region: s.Region, Now: time.Unix(s.Now, 0), SourceIP: s.SourceIP, UserAgent: s.UserAgent, Referer: s.Referer, TLS: s.TLS,
	}
	x := authz.Access{
		Action: s.Action, Resource: s.Resource, Account: s.Account, Local: s.Local, Managed: s.Managed, Region: s.ResourceRegion, Context: keys(s.Context),
	}
	var err error
	if s.Endpoint != nil {
		r.Endpoint = &authz.Endpoint{ID: s.Endpoint.ID, VPC: s.Endpoint.VPC}
		if r.Endpoint.Policy, err = parse(policy.Endpoint, s.Endpoint.Policy); err != nil {
			return nil, x, err
		}
	}
	x.Policy, err = parse(policy.Key, s.KeyPolicy)
	return r, x, err
}

// lowerCased are condition keys as policy.Context wants them.
type lowerCased map[string]policy.Values

func keys(from map[string]policy.Values) lowerCased {
	to := lowerCased{}
	for k, v := range from {
		to[strings.ToLower(k)] = v
	}
	return to
}

// Lookup implements policy.Context.
func (l lowerCased) Lookup(key string) (policy.Values, bool) {
	v, ok := l[key]
	return v, ok
}
