package iam

import (
	"context"
	"strings"

	"github.com/trent-kms/trent/internal/arn"
)

// Records and the revisions that a commit checks them against; zero when there is none.
type (
	storedEntity struct {
		*Entity
		revision int64
	}
	storedPolicy struct {
		*Managed
		revision int64
	}
	storedKey struct {
		*accessKey
		revision int64
	}
)

// role returns a role by its name, whose case does not matter, or nil.
func (s *Service) role(ctx context.Context, account, name string) (*Entity, error) {
	e, err := s.find(ctx, aRole, account, name)
	return e.Entity, err
}

// find returns an entity by its name. A name without its entity, or with another's, was deleted or given away between
// the two reads, or is a record moved to another place: nobody has it.
func (s *Service) find(ctx context.Context, k kind, account, name string) (storedEntity, error) {
	if !isName(name) || !arn.IsAccount(account) {
		return storedEntity{}, nil
	}
	r, _, err := s.names.Get(ctx, k.namePath(account, name))
	if err != nil || r == nil {
		return storedEntity{}, err
	}
	e, err := s.byID(ctx, r.ID)
	if err != nil || e.Entity == nil || e.kind() != k || e.Account != account || !strings.EqualFold(e.Name, name) {
		return storedEntity{}, err
	}
	return e, nil
}

// byID returns an entity by its unique id. A record under another's id is none.
func (s *Service) byID(ctx context.Context, id string) (storedEntity, error) {
	e, revision, err := s.entities.Get(ctx, entityPath(id))
	if err != nil || e == nil || e.ID != id {
		return storedEntity{}, err
	}
	return storedEntity{e, revision}, nil
}

// isName says whether s is the name of a user, a group, a role or a policy: 1 to 128 of the API's set, which has no '/'.
func isName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_+=,.@-", rune(c)) {
			return false
		}
	}
	return true
}

// policyByARN returns a managed policy, one that comes with Trent or one of an account's own, by its ARN.
func (s *Service) policyByARN(ctx context.Context, policyARN string) (storedPolicy, error) {
	if m := s.managed[policyARN]; m != nil {
		return storedPolicy{Managed: m}, nil
	}
	account, path, name, ok := parsePolicyARN(policyARN)
	if !ok || account == awsAccount {
		return storedPolicy{}, nil
	}
	m, err := s.policyByName(ctx, account, name)
	if err != nil || m.Managed == nil || m.Path != path || m.Name != name {
		return storedPolicy{}, err
	}
	return m, nil
}

// policyByName returns a managed policy of an account by its name, whose case does not matter.
func (s *Service) policyByName(ctx context.Context, account, name string) (storedPolicy, error) {
	if !isName(name) || !arn.IsAccount(account) {
		return storedPolicy{}, nil
	}
	m, revision, err := s.policies.Get(ctx, managedPath(account, name))
	if err != nil || m == nil || m.Account != account || !strings.EqualFold(m.Name, name) {
		return storedPolicy{}, err
	}
	return storedPolicy{m, revision}, nil
}

// parsePolicyARN takes the ARN of a managed policy apart.
func parsePolicyARN(s string) (account, path, name string, ok bool) {
	account, k, path, name, ok := parseARN(s)
	return account, path, name, ok && k == "policy"
}

// parseARN takes an ARN of IAM apart: arn:aws:iam::ACCOUNT:KIND/path/NAME. The path begins and ends with '/'.
func parseARN(s string) (account, kind, path, name string, ok bool) {
	a, err := arn.Parse(s)
	if err != nil || a.Partition != "aws" || a.Service != "iam" || a.Region != "" || a.Account != awsAccount && !arn.IsAccount(a.Account) {
		return "", "", "", "", false
	}
	first, last := strings.IndexByte(a.Resource, '/'), strings.LastIndexByte(a.Resource, '/')
	if first < 0 || !isName(a.Resource[last+1:]) {
		return "", "", "", "", false
	}
	return a.Account, a.Resource[:first], a.Resource[first : last+1], a.Resource[last+1:], true
}
