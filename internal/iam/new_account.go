package iam

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/store"
)

// NewAccount returns what an account that an organization creates begins with: a role that may do everything, and that
// whoever the management account allows may assume (Organizations User Guide, "Accessing member accounts"). It has to be
// committed with the account.
func (s *Service) NewAccount(ctx context.Context, now time.Time, account, roleName, management string) (store.Txn, error) {
	administrator := providedARN("AdministratorAccess")
	trust, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]string{"AWS": fmt.Sprintf("arn:aws:iam::%s:root", management)}, "Action": "sts:AssumeRole",
		}},
	})
	if err != nil {
		return store.Txn{}, err
	}
	e := &Entity{
		Version: recordVersion, Account: account, ID: newID(roleID), Name: roleName, Path: "/", Created: now.Truncate(time.Second),
		Trust: string(trust), MaxSession: defaultMaxSession, Attached: []string{administrator},
	}
	all, err := s.policyByARN(ctx, administrator)
	if err != nil {
		return store.Txn{}, err
	}
	ch := s.change()
	ch.name(e.kind(), e.Account, e.Name, e.ID)
	ch.entity(storedEntity{}, e)
	ch.attach(all, permits, e)
	ch.count(ctx, account, func(a *Account) error {
		a.Roles++
		a.Created = e.Created
		return nil
	})
	return ch.txn, ch.err
}
