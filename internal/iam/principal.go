package iam

import (
	"context"
	"strings"

	"github.com/trent-kms/trent/internal/arn"
)

// UniqueID says whether a principal that a policy names, by its ARN or as an account, exists. id is the unique id of a user or
// role, under which stored policies keep it, and empty for all others: accounts, sessions, federated users.
func (s *Service) UniqueID(ctx context.Context, principal string) (id string, exists bool, err error) {
	if arn.IsAccount(principal) {
		exists, err = s.accountExists(ctx, principal)
		return "", exists, err
	}
	a, err := arn.Parse(principal)
	if err != nil || a.Partition != "aws" || a.Region != "" || !arn.IsAccount(a.Account) {
		return "", false, nil
	}
	switch {
	case a.Service == "iam" && a.Resource == "root":
		exists, err = s.accountExists(ctx, a.Account)
	case a.Service == "iam":
		return s.entityID(ctx, principal)
	case a.Service == "sts":
		exists, err = s.sessionExists(ctx, a)
	}
	return "", exists, err
}

// ARNOf returns the ARN of the user or role with a unique id; ok is false when there is none (any more).
func (s *Service) ARNOf(ctx context.Context, id string) (arn string, ok bool, err error) {
	if !isUniqueID(id, userID) && !isUniqueID(id, roleID) {
		return "", false, nil
	}
	e, err := s.byID(ctx, id)
	if err != nil || e.Entity == nil {
		return "", false, err
	}
	return e.ARN(), true, nil
}

func (s *Service) accountExists(ctx context.Context, account string) (bool, error) {
	if s.AccountExists == nil {
		return true, nil
	}
	return s.AccountExists(ctx, account)
}

// entityID is UniqueID for the ARN of a user or role, which must be its ARN to the letter.
func (s *Service) entityID(ctx context.Context, principal string) (string, bool, error) {
	account, k, _, name, ok := parseARN(principal)
	if !ok || kind(k) != aUser && kind(k) != aRole {
		return "", false, nil
	}
	e, err := s.find(ctx, kind(k), account, name)
	if err != nil || e.Entity == nil || e.ARN() != principal {
		return "", false, err
	}
	return e.ID, true, nil
}

// sessionExists says whether there can be such a session: of a role that exists, or of a federated user.
func (s *Service) sessionExists(ctx context.Context, a arn.ARN) (bool, error) {
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch kind {
	case "federated-user":
		return rest != "", nil
	case "assumed-role":
		name, session, ok := strings.Cut(rest, "/")
		if !ok || session == "" {
			return false, nil
		}
		r, err := s.role(ctx, a.Account, name)
		return r != nil, err
	}
	return false, nil
}
