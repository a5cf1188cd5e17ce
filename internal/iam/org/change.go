package org

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/store"
)

// change is a transaction of this package in the making.
type change struct {
	txn store.Txn
	// org is the organization that is changed, whose record is written with everything else; nil: none.
	org *organization
	err error
}

// change begins a transaction in the caller's organization, if it is in one.
func (t *target) change() *change {
	x := &change{org: t.org}
	if t.org != nil {
		x.txn.Checks = []store.Check{{Key: t.org.path(), Revision: t.revision}}
	}
	return x
}

// put adds the write of a record.
func (x *change) put(r record) {
	value, err := json.Marshal(r)
	if err != nil && x.err == nil {
		x.err = fmt.Errorf("encoding record %s: %w", r.path(), err)
	}
	p := store.Put{Key: r.path(), Value: value}
	if i := slices.IndexFunc(x.txn.Puts, func(have store.Put) bool { return have.Key == p.Key }); i >= 0 {
		x.txn.Puts[i] = p // the organization's own, which may be what was changed
		return
	}
	x.txn.Puts = append(x.txn.Puts, p)
}

// create is put for a record that must not be there yet.
func (x *change) create(r record) {
	x.txn.Checks = append(x.txn.Checks, store.Check{Key: r.path()})
	x.put(r)
}

// index adds an index record.
func (x *change) index(path, id string) { x.put(&pointer{Version: recordVersion, Path: path, ID: id}) }

// home says where an account is from now on, and that there was such a change.
func (x *change) home(account, org string, now time.Time) {
	x.index(homePath(account), org)
	x.put(&changes{Version: recordVersion, Last: now})
}

func (x *change) delete(paths ...string) { x.txn.Deletes = append(x.txn.Deletes, paths...) }

// commitTimeout bounds a commit, which goes on when its caller hangs up.
const commitTimeout = 30 * time.Second

func (s *Service) commit(ctx context.Context, x *change) error {
	if x.org != nil {
		x.put(x.org)
	}
	if x.err != nil {
		return x.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	_, err := s.store.Commit(ctx, x.txn)
	return err
}
