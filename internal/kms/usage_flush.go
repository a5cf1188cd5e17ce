package kms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/store"
)

const (
	usageInterval = UsageBound / 2
	// usageTimeout bounds a flush. What it has not written by then is for the next one.
	usageTimeout = 30 * time.Second
	// batchTimeout bounds a batch, and so how long an operation waits for the store when the notes are full.
	batchTimeout = 5 * time.Second
	// usageBatch is how many keys a transaction writes, with two checks and a put for each.
	usageBatch = store.MaxOps / 3
	// usageReaders is how many of a batch's keys are read at the same time.
	usageReaders = 8
	// maxUsageAttempts bounds how often the use of one key is tried against others who change its records.
	maxUsageAttempts = 16
)

// RunUsage flushes until ctx ends, and then once more: the store must be open until it returns. It flushes often enough
// for UsageBound, and at once when half of the memory for notes is full.
func (s *Service) RunUsage(ctx context.Context) {
	tick := time.NewTicker(usageInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.usage.early:
		}
		if err := s.FlushUsage(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("last usage of keys not stored, trying again", "error", err)
		}
	}
	if err := s.FlushUsage(context.WithoutCancel(ctx)); err != nil {
		s.log.Error("last usage of keys lost", "keys", s.usage.count.Load(), "error", err)
	}
}

// FlushUsage writes into the store what was used since the last flush: everything that was noted before the call, unless
// another node has written a later use, or the key is destroyed. What cannot be written stays noted, and keeps nothing
// else from being written; the first such error is returned.
func (s *Service) FlushUsage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, usageTimeout)
	defer cancel()
	defer s.usage.stuck.Store(false)
	var failed error
	for batch := range slices.Chunk(s.usage.names("", math.MaxInt), usageBatch) {
		if err := ctx.Err(); err != nil {
			return cmp.Or(failed, err)
		}
		s.usage.writing.Lock()
		err := s.writeBatch(ctx, batch)
		s.usage.writing.Unlock()
		failed = cmp.Or(failed, err)
	}
	return failed
}

// noteLate notes a use for which there was no room: the operation writes a batch of notes first. So a load on more keys
// than a node can remember runs at the store's pace, and no use is lost. Only if the store takes nothing either is the
// use forgotten, for what keys can do must not depend on it.
func (s *Service) noteLate(name string, u *note) {
	if s.usage.stuck.Load() {
		return
	}
	s.usage.writing.Lock()
	defer s.usage.writing.Unlock()
	var err error
	for attempt := 0; !s.usage.put(name, u); attempt++ {
		switch {
		case s.usage.stuck.Load():
			return // another has tried
		case err != nil || attempt == maxUsageAttempts:
			s.usage.stuck.Store(true)
			s.log.Error("last usage of keys is being lost: there is no room for more, and the store takes none", "error", err)
			return
		}
		err = s.writeBatch(context.Background(), s.usage.names(name, usageBatch))
	}
}

// writeBatch is writeUses within batchTimeout, for one who holds writing.
func (s *Service) writeBatch(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	return s.writeUses(ctx, names)
}

// writeUses writes the noted uses of up to usageBatch keys, in one transaction if nobody changes their records meanwhile.
func (s *Service) writeUses(ctx context.Context, names []string) error {
	var err error
	for range maxUsageAttempts {
		if err = s.tryUses(ctx, names); !errors.Is(err, store.ErrConflict) {
			return err
		}
		if half := len(names) / 2; half > 0 {
			// Whose records change all the time must not keep the others waiting.
			return cmp.Or(s.writeUses(ctx, names[:half]), s.writeUses(ctx, names[half:]))
		}
	}
	return fmt.Errorf("last usage of %s: %w", names[0], err)
}

// noted is a use on its way to the store.
type noted struct {
	name   string
	use    note
	checks []store.Check
	put    store.Put // without a key when there is nothing to write
	err    error
}

func (s *Service) tryUses(ctx context.Context, names []string) error {
	batch := make([]noted, 0, len(names))
	for _, name := range names {
		if u, ok := s.usage.get(name); ok {
			batch = append(batch, noted{name: name, use: u})
		}
	}
	var reads sync.WaitGroup // some together: the store may be far away
	for first := range usageReaders {
		reads.Go(func() {
			for i := first; i < len(batch); i += usageReaders {
				batch[i].err = s.compare(ctx, &batch[i])
			}
		})
	}
	reads.Wait()
	var t store.Txn
	var failed error
	for i := range batch {
		failed = cmp.Or(failed, batch[i].err)
		if batch[i].put.Key != "" {
			t.Checks, t.Puts = append(t.Checks, batch[i].checks...), append(t.Puts, batch[i].put)
		}
	}
	if len(t.Puts) > 0 {
		if _, err := s.store.Commit(ctx, t); err != nil {
			return err
		}
	}
	for i := range batch {
		if batch[i].err == nil {
			s.usage.forget(batch[i].name, batch[i].use)
		}
	}
	return failed
}

// compare finds out what there is to write of a use: nothing if the store has a later one, or if the key is gone. The
// check of the key's record keeps a use from coming back after the sweep that destroyed its key.
func (s *Service) compare(ctx context.Context, n *noted) error {
	name, err := arn.Parse(n.name)
	if err != nil {
		return err
	}
	path := keyPath(name.Account, name.Region, strings.TrimPrefix(name.Resource, "key/"))
	k, keyRevision, err := s.keys.Get(ctx, path)
	if err != nil || k == nil || !n.use.of(k) {
		return err
	}
	last, revision, err := s.readUsage(ctx, k)
	if err != nil || last != nil && !last.At.Before(n.use.At) {
		return err
	}
	value, err := encodeRecord(&n.use.Usage)
	if err != nil {
		return err
	}
	n.checks = []store.Check{{Key: path, Revision: keyRevision}, {Key: k.usagePath(), Revision: revision}}
	n.put = store.Put{Key: k.usagePath(), Value: value}
	return nil
}
