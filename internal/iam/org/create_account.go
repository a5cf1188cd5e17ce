package org

import (
	"context"
	"slices"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// defaultRole is the role that an account is made with unless another name is asked for.
const defaultRole = "OrganizationAccountAccessRole"

// findCreateAccount finds nothing: the account has no ARN yet.
func findCreateAccount(_ context.Context, c *service.Call, in *orgapi.CreateAccountRequest, t *target) error {
	t.creates(c, "*", in.Tags, nil)
	return nil
}

// createAccount makes an account in the root of the organization, with a role in it for the management account. It is
// there when the answer comes, SUCCEEDED; AWS needs minutes, and clients ask DescribeCreateAccountStatus until then.
func (s *Service) createAccount(ctx context.Context, c *service.Call, in *orgapi.CreateAccountRequest, t *target) (*orgapi.CreateAccountResponse, error) {
	if in.RoleName == nil {
		in.RoleName = new(defaultRole)
	}
	if t.org.Accounts >= MaxAccounts {
		return nil, constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS accounts.")
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	made := &creation{Version: recordVersion, Org: t.org.ID, ID: newRequestID(), Name: *in.AccountName, Requested: c.Now}
	x := t.change()
	taken, err := get[pointer](ctx, s, emailPath(*in.Email))
	switch {
	case err != nil:
		return nil, err
	case taken != nil:
		made.Failure = orgapi.CreateAccountFailureReasonEmailAlreadyExists
	default:
		made.Account, err = s.newAccountID(ctx)
		if err == nil {
			err = s.addAccount(ctx, x, t, in, made.Account, tags)
		}
		if err != nil {
			return nil, err
		}
	}
	x.put(made)
	return &orgapi.CreateAccountResponse{CreateAccountStatus: new(made.status())}, s.commit(ctx, x)
}

// addAccount adds to a transaction what makes an account.
func (s *Service) addAccount(ctx context.Context, x *change, t *target, in *orgapi.CreateAccountRequest, id string, tags []tag) error {
	a := &account{
		Version: recordVersion, ID: id, Org: t.org.ID, Parent: t.org.Root, Name: *in.AccountName, Email: *in.Email,
		Method: orgapi.AccountJoinedMethodCreated, Joined: t.now, Node: node{Tags: tags},
	}
	x.txn.Checks = append(x.txn.Checks, store.Check{Key: homePath(id)})
	x.home(id, t.org.ID, t.now)
	x.put(a)
	x.create(&pointer{Version: recordVersion, Path: emailPath(a.Email), ID: id})
	x.index(childAccounts(t.org.ID, t.org.Root)+id, id)
	t.org.Accounts++
	if s.newAccount == nil {
		return nil
	}
	with, err := s.newAccount(ctx, t.now, id, *in.RoleName, t.org.Management)
	x.txn.Checks = append(x.txn.Checks, with.Checks...)
	x.txn.Puts = append(x.txn.Puts, with.Puts...)
	x.txn.Deletes = append(x.txn.Deletes, with.Deletes...)
	return err
}

func (c *creation) state() orgapi.CreateAccountState {
	if c.Failure != "" {
		return orgapi.CreateAccountStateFailed
	}
	return orgapi.CreateAccountStateSucceeded
}

// status is a creation as the API shows it.
func (c *creation) status() orgapi.CreateAccountStatus {
	out := orgapi.CreateAccountStatus{
		Id: &c.ID, AccountName: &c.Name, State: new(c.state()), RequestedTimestamp: &c.Requested, CompletedTimestamp: &c.Requested,
	}
	if c.Failure != "" {
		out.FailureReason = &c.Failure
	} else {
		out.AccountId = &c.Account
	}
	return out
}

func (s *Service) describeCreateAccountStatus(ctx context.Context, _ *service.Call, in *orgapi.DescribeCreateAccountStatusRequest, t *target) (*orgapi.DescribeCreateAccountStatusResponse, error) {
	id := *in.CreateAccountRequestId
	var made *creation
	var err error
	if isRequest(id) {
		made, err = get[creation](ctx, s, creationPrefix(t.org.ID)+id)
	}
	if err == nil && made == nil {
		err = orgapi.CreateAccountStatusNotFoundException("You specified a create account request that doesn't exist.")
	}
	if err != nil {
		return nil, err
	}
	return &orgapi.DescribeCreateAccountStatusResponse{CreateAccountStatus: new(made.status())}, nil
}

func (s *Service) listCreateAccountStatus(ctx context.Context, c *service.Call, in *orgapi.ListCreateAccountStatusRequest, t *target) (*orgapi.ListCreateAccountStatusResponse, error) {
	filter := make([]string, len(in.States))
	for i, state := range in.States {
		filter[i] = string(state)
	}
	p, err := newPager(c, t, in.NextToken, in.MaxResults, filter...)
	if err != nil {
		return nil, err
	}
	out := &orgapi.ListCreateAccountStatusResponse{CreateAccountStatuses: []orgapi.CreateAccountStatus{}}
	out.NextToken, err = p.scan(ctx, s, nil, part{creationPrefix(t.org.ID), func(r store.Record) (bool, error) {
		made, err := decode[creation](r)
		if err != nil || len(in.States) > 0 && !slices.Contains(in.States, made.state()) {
			return false, err
		}
		out.CreateAccountStatuses = append(out.CreateAccountStatuses, made.status())
		return true, nil
	}})
	return out, err
}
