// Package feed keeps the newest changes of a store that lives in one process, and lets watches follow them.
//
// Memory is bounded: what is older is forgotten, and a watch that needs it ends with store.ErrCompacted.
package feed

import (
	"bytes"
	"context"
	"sort"
	"strings"
	"sync"

	"github.com/trent-kms/trent/internal/store"
)

// Bounds of what a feed remembers. The newest transaction is always kept. A watch follows by microseconds, so this is
// enough for one that was descheduled for long while writers were busy.
const (
	maxChanges = 8192
	maxBytes   = 4 << 20 // of values
)

// Feed is the newest changes. Safe for concurrent use.
type Feed struct {
	mu      sync.Mutex
	base    int64 // every change after this revision is in txns
	txns    []txn // ascending revisions
	changes int
	bytes   int
	closed  bool
	wake    chan struct{} // closed when txns or closed changes; nil when nobody waits
}

type txn struct {
	revision int64
	changes  []store.Change
}

// New returns an empty feed of a store that is at a revision: earlier changes are not known.
func New(revision int64) *Feed { return &Feed{base: revision} }

// Append adds one transaction's changes, whose revision is greater than all before. The feed keeps the slice and the
// values; the caller must not change them.
func (f *Feed) Append(revision int64, changes []store.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.txns = append(f.txns, txn{revision, changes})
	f.changes += len(changes)
	f.bytes += size(changes)
	f.forget()
	f.notify()
}

// forget drops the oldest transactions while the feed is over a bound.
func (f *Feed) forget() {
	n := 0
	for n < len(f.txns)-1 && (f.changes > maxChanges || f.bytes > maxBytes) {
		f.changes -= len(f.txns[n].changes)
		f.bytes -= size(f.txns[n].changes)
		f.base = f.txns[n].revision
		n++
	}
	clear(f.txns[:n]) // the array stays; the values must not
	f.txns = f.txns[n:]
}

func size(changes []store.Change) int {
	n := 0
	for _, c := range changes {
		n += len(c.Value)
	}
	return n
}

func (f *Feed) notify() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// Close ends all watches, now and later, with store.ErrClosed.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.notify()
}

// Watch is store.Store's Watch.
func (f *Feed) Watch(ctx context.Context, prefix string, from int64, call func([]store.Change) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, wait, err := f.next(from)
		if err != nil {
			return err
		}
		if wait != nil {
			select {
			case <-wait:
			case <-ctx.Done():
			}
			continue
		}
		from = t.revision
		if changes := under(prefix, t.changes); len(changes) > 0 {
			if err := call(changes); err != nil {
				return err
			}
		}
	}
}

// next returns the first transaction after a revision, or a channel that is closed when there may be one.
func (f *Feed) next(from int64) (txn, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return txn{}, nil, store.ErrClosed
	case from < f.base:
		return txn{}, nil, store.ErrCompacted
	}
	i := sort.Search(len(f.txns), func(i int) bool { return f.txns[i].revision > from })
	if i < len(f.txns) {
		return f.txns[i], nil, nil
	}
	if f.wake == nil {
		f.wake = make(chan struct{})
	}
	return txn{}, f.wake, nil
}

// under returns copies of the changes of keys with the prefix.
func under(prefix string, changes []store.Change) []store.Change {
	var out []store.Change
	for _, c := range changes {
		if strings.HasPrefix(c.Key, prefix) {
			c.Value = bytes.Clone(c.Value) // keeps the difference between nil and empty
			out = append(out, c)
		}
	}
	return out
}
