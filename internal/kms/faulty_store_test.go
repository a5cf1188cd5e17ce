package kms_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/trent-kms/trent/internal/store"
)

// fault is how a commit goes wrong, in the two bits that matter: was it applied, and what did the caller see?
type fault struct {
	applied bool
	err     error
}

// errDisk is the error of a store that does not say whether it has written.
var errDisk = errors.New("disk on fire")

// faultyStore is a store whose next commits fail as told.
type faultyStore struct {
	store.Store
	mu    sync.Mutex
	queue []fault
	// hook is called, once, before the first transaction that writes hookOn.
	hookOn string
	hook   func()
}

// fail lets the next commits fail, one for each fault.
func (s *faultyStore) fail(f ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, f...)
}

// left returns how many faults have not happened.
func (s *faultyStore) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// onWrite has f called before the next transaction that writes or deletes key: the place for somebody else to be faster.
func (s *faultyStore) onWrite(key string, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hookOn, s.hook = key, f
}

// next returns what is to happen to a transaction.
func (s *faultyStore) next(t store.Txn) (hook func(), f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	writes := slices.Contains(t.Deletes, s.hookOn) || slices.ContainsFunc(t.Puts, func(p store.Put) bool { return p.Key == s.hookOn })
	if s.hook != nil && writes {
		hook, s.hook = s.hook, nil
	}
	if len(s.queue) > 0 && !inBackground(t) {
		f, s.queue = &s.queue[0], s.queue[1:]
	}
	return hook, f
}

// Commit is the store's, or a fault.
func (s *faultyStore) Commit(ctx context.Context, t store.Txn) (int64, error) {
	hook, f := s.next(t)
	if hook != nil {
		hook()
	}
	if f == nil {
		return s.Store.Commit(ctx, t)
	}
	if f.applied {
		if _, err := s.Store.Commit(ctx, t); err != nil {
			return 0, err
		}
	}
	return 0, f.err
}

// inBackground says whether a transaction only notes when keys were used, which happens at its own time.
func inBackground(t store.Txn) bool {
	return len(t.Puts) > 0 && !slices.ContainsFunc(t.Puts, func(p store.Put) bool { return !strings.HasPrefix(p.Key, "kms/usage/") })
}
