package iam_test

import (
	"context"
	"errors"
	"sync"

	"github.com/trent-kms/trent/internal/store"
)

// errDisk is the error of a store that does not say whether it has written.
var errDisk = errors.New("disk on fire")

// fault is how a commit goes wrong, in the two bits that matter: was it applied, and what did the caller see?
type fault struct {
	applied bool
	err     error
}

// faultyStore is a store whose next commits fail as told.
type faultyStore struct {
	store.Store
	mu      sync.Mutex
	queue   []fault
	commits int
}

// fail lets the next commits fail, one for each fault.
func (s *faultyStore) fail(f ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, f...)
}

// Commit is the store's, or a fault.
func (s *faultyStore) Commit(ctx context.Context, t store.Txn) (int64, error) {
	s.mu.Lock()
	var f *fault
	if s.commits++; len(s.queue) > 0 {
		f, s.queue = &s.queue[0], s.queue[1:]
	}
	s.mu.Unlock()
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
