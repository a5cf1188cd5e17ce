package kms

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxNotes bounds the keys whose use is remembered, at 350 bytes each.
	maxNotes   = 65536
	noteShards = 64
)

// note is one use of a key, as a node remembers it.
type note struct {
	Usage
	created time.Time // when the key was: in development another key may have its id later
}

// of says whether it is this key that was used, and not another one of the same name.
func (u *note) of(k *Key) bool { return u.created.Equal(k.Created) }

// usageNotes is the last use of each key that the store does not have yet. Safe for concurrent use.
type usageNotes struct {
	seed   maphash.Seed
	shards [noteShards]noteShard
	count  atomic.Int64 // of keys; a moment too high while put refuses one
	limit  int64
	// early wakes RunUsage when the notes are half full.
	early chan struct{}
	// writing is held for each batch on its way to the store, so that two do not bring the same.
	writing sync.Mutex
	// stuck is set when the notes are full and the store takes none, until the next flush ends.
	stuck atomic.Bool
}

type noteShard struct {
	mu   sync.Mutex
	last map[string]*note // by the key's ARN
	_    [48]byte         // a cache line for each shard
}

func newUsageNotes(limit int64) *usageNotes {
	n := &usageNotes{seed: maphash.MakeSeed(), limit: limit, early: make(chan struct{}, 1)}
	for i := range n.shards {
		n.shards[i].last = make(map[string]*note)
	}
	return n
}

func (n *usageNotes) shardOf(name string) uint64 { return maphash.String(n.seed, name) % noteShards }

// put notes a use, unless a later one is known. It returns false when there is no room for another key.
func (n *usageNotes) put(name string, u *note) bool {
	shard := &n.shards[n.shardOf(name)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if last := shard.last[name]; last != nil {
		if !u.At.Before(last.At) {
			*last = *u
		}
		return true
	}
	count := n.count.Add(1)
	if count > n.limit {
		n.count.Add(-1)
		return false
	}
	if count == n.limit/2 {
		select {
		case n.early <- struct{}{}:
		default: // woken already
		}
	}
	shard.last[name] = new(*u)
	return true
}

func (n *usageNotes) get(name string) (note, bool) {
	shard := &n.shards[n.shardOf(name)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if last := shard.last[name]; last != nil {
		return *last, true
	}
	return note{}, false
}

// forget drops a note that is in the store now, or of no interest, unless the key was used again meanwhile.
func (n *usageNotes) forget(name string, u note) {
	shard := &n.shards[n.shardOf(name)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if last := shard.last[name]; last != nil && *last == u {
		delete(shard.last, name)
		n.count.Add(-1)
	}
}

// names returns the keys with a note, or some of them if there are more than limit, those beside the named one.
func (n *usageNotes) names(beside string, limit int) []string {
	all := make([]string, 0, min(int(n.count.Load()), limit))
	first := n.shardOf(beside)
	for i := range uint64(noteShards) {
		all = n.shards[(first+i)%noteShards].appendNames(all, limit)
	}
	return all
}

func (s *noteShard) appendNames(names []string, limit int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.last {
		if len(names) == limit {
			break
		}
		names = append(names, name)
	}
	return names
}
