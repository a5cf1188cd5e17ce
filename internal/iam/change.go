package iam

import (
	"context"
	"fmt"

	"github.com/trent-kms/trent/internal/store"
)

// change is a transaction in the making. Its first error is told by commit.
type change struct {
	s   *Service
	txn store.Txn
	err error
}

func (s *Service) change() *change { return &change{s: s} }

// commit makes the changes, under the condition that everything they were made from is still so: else store.ErrConflict.
func (c *change) commit(ctx context.Context) error {
	if c.err != nil {
		return c.err
	}
	_, err := c.s.Store.Commit(ctx, c.txn)
	return err
}

func (c *change) check(path string, revision int64) {
	c.txn.Checks = append(c.txn.Checks, store.Check{Key: path, Revision: revision})
}

// write puts a record in the place of that of a revision; 0: there was none.
func write[T any](c *change, t *store.Table[T], path string, revision int64, v *T) {
	p, err := t.Put(path, v)
	if err != nil && c.err == nil {
		c.err = err
	}
	c.check(path, revision)
	c.txn.Puts = append(c.txn.Puts, p)
}

func (c *change) remove(path string, revision int64) {
	c.check(path, revision)
	c.txn.Deletes = append(c.txn.Deletes, path)
}

// index and unindex add and remove an index's record, whose truth follows from the records that change with it.
func (c *change) index(path string)   { c.txn.Puts = append(c.txn.Puts, store.Put{Key: path}) }
func (c *change) unindex(path string) { c.txn.Deletes = append(c.txn.Deletes, path) }

func (c *change) entity(old storedEntity, e *Entity) {
	write(c, c.s.entities, entityPath(e.ID), old.revision, e)
}

func (c *change) policy(old storedPolicy, m *Managed) {
	if m.Account == awsAccount && c.err == nil {
		c.err = fmt.Errorf("iam: %s comes with Trent and does not change", m.ID)
	}
	write(c, c.s.policies, managedPath(m.Account, m.Name), old.revision, m)
}

// name gives a name that nobody has.
func (c *change) name(k kind, account, name, id string) {
	write(c, c.s.names, k.namePath(account, name), 0, &reference{Version: recordVersion, ID: id})
}

// count changes an account's counts. f refuses what is over a quota.
func (c *change) count(ctx context.Context, account string, f func(*Account) error) {
	a, revision, err := c.s.accounts.Get(ctx, accountPrefix+account)
	if a == nil {
		a = &Account{Version: recordVersion, Account: account}
	}
	changed := *a
	if err == nil {
		err = f(&changed)
	}
	if err != nil && c.err == nil {
		c.err = err
	}
	write(c, c.s.accounts, accountPrefix+account, revision, &changed)
}
