package org

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// shown is an account as the API shows it; path is where it is, or left out.
func shown(o *organization, a *account, path string) orgapi.Account {
	status, state := orgapi.AccountStatusActive, orgapi.AccountStateActive
	if !a.Closed.IsZero() {
		status, state = orgapi.AccountStatusSuspended, orgapi.AccountStateClosed
	}
	out := orgapi.Account{
		Id: &a.ID, Arn: new(resourceARN(o, "account", a.ID)), Email: &a.Email, Name: &a.Name, Status: &status, State: &state,
		JoinedMethod: &a.Method, JoinedTimestamp: &a.Joined,
	}
	if path != "" {
		out.Paths = []string{path + a.ID + "/"}
	}
	return out
}

func (s *Service) describeAccount(ctx context.Context, _ *service.Call, _ *orgapi.DescribeAccountRequest, t *target) (*orgapi.DescribeAccountResponse, error) {
	path, err := s.pathAbove(ctx, t.org, t.entity.account.Parent)
	if err != nil {
		return nil, err
	}
	return &orgapi.DescribeAccountResponse{Account: new(shown(t.org, t.entity.account, path))}, nil
}

// listAccounts lists all accounts of the organization, closed ones too.
func (s *Service) listAccounts(ctx context.Context, c *service.Call, in *orgapi.ListAccountsRequest, t *target) (*orgapi.ListAccountsResponse, error) {
	p, err := newPager(c, t, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &orgapi.ListAccountsResponse{Accounts: []orgapi.Account{}}
	out.NextToken, err = p.scan(ctx, s, nil, part{accountPrefix(t.org.ID), func(r store.Record) (bool, error) {
		a, err := decode[account](r)
		if err == nil {
			out.Accounts = append(out.Accounts, shown(t.org, a, ""))
		}
		return true, err
	}})
	return out, err
}

// closeAccount makes an account's principals be refused from now on, and what is in it stay as it is. Nothing opens it
// again. AWS goes through PENDING_CLOSURE and deletes the account after 90 days; here it is closed at once and stays
// listed until it is removed.
func (s *Service) closeAccount(ctx context.Context, c *service.Call, _ *orgapi.CloseAccountRequest, t *target) (*api.Empty, error) {
	a := t.entity.account
	if a.ID == t.org.Management {
		return nil, constraint("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You can't close the management account of an organization.")
	}
	if !a.Closed.IsZero() {
		return nil, orgapi.AccountAlreadyClosedException("The account is already closed.")
	}
	a.Closed = c.Now
	x := t.change()
	x.put(a)
	return &api.Empty{}, s.commit(ctx, x)
}

// findMove finds the account and both parents. All three must be allowed.
func (s *Service) findMove(ctx context.Context, c *service.Call, in *orgapi.MoveAccountRequest, t *target) error {
	found := func(id string, e *entity) (bool, error) {
		ok, err := s.find(ctx, c, id, t)
		*e = t.entity
		return ok, err
	}
	moved, err := found(*in.AccountId, &t.entity)
	if err != nil {
		return err
	}
	a := t.entity
	from, err := found(*in.SourceParentId, &t.source)
	if err != nil {
		return err
	}
	to, err := found(*in.DestinationParentId, &t.dst)
	t.entity = a
	switch {
	case err != nil:
		return err
	case !moved || a.account == nil:
		return noAccount()
	case !from || t.source.account != nil:
		return orgapi.SourceParentNotFoundException("We can't find a source root or OU with the ParentId that you specified.")
	case !to || t.dst.account != nil:
		return orgapi.DestinationParentNotFoundException("We can't find the destination container (a root or OU) with the ParentId that you specified.")
	case a.account.Parent != t.source.id():
		return orgapi.AccountNotFoundException("The account is not in the source root or OU that you specified.")
	case t.source.id() == t.dst.id():
		return orgapi.DuplicateAccountException("That account is already present in the specified destination.")
	}
	return nil
}

func (s *Service) moveAccount(ctx context.Context, _ *service.Call, _ *orgapi.MoveAccountRequest, t *target) (*api.Empty, error) {
	a := t.entity.account
	x := t.change()
	x.delete(childAccounts(t.org.ID, a.Parent) + a.ID)
	a.Parent = t.dst.id()
	x.put(a)
	x.index(childAccounts(t.org.ID, a.Parent)+a.ID, a.ID)
	return &api.Empty{}, s.commit(ctx, x)
}
