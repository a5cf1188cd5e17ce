package store

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// markCount is how many counters a table spreads its keys over. Two keys that share one only cost a needless load.
const markCount = 256

// entryOverhead is what a cached record is taken to need besides its key and its encoded bytes: the cache's own structures
// and the decoded form's headers, pointers and spare room.
const entryOverhead = 512

// Table is the records under a prefix, decoded, with the most used of them in memory. Safe for concurrent use.
// See Cached for how fresh they are.
type Table[T any] struct {
	owner   *Cached
	prefix  string
	limit   uint64 // of the cache, in bytes
	encode  func(*T) ([]byte, error)
	decode  func([]byte) (*T, error)
	entries *otter.Cache[string, entry[T]]

	// marks[i] counts the times that a key with hash i was forgotten. A load notes it first and keeps its record only
	// if it has not moved: else the record may have been read before the change.
	marks [markCount]atomic.Uint64
	seed  maphash.Seed
}

// entry is one cached record. It counts only while its epoch is the owner's.
type entry[T any] struct {
	value    *T
	revision int64
	epoch    uint64
	weight   uint32 // in bytes, as CacheBytes counts
}

// TableConfig is what a Table must know of its records.
type TableConfig[T any] struct {
	// Encode and Decode turn a record into its stored bytes and back. Decode must not keep the slice it is given.
	Encode func(*T) ([]byte, error)
	Decode func([]byte) (*T, error)
	// CacheBytes bounds what the cached records take together, at least 1: for each its key, its encoded form, and 512
	// bytes that stand for the rest. What they really take depends on the decoded form. The bound may be exceeded for
	// moments. A record that is larger than the whole cache is served all the same, from the store each time.
	CacheBytes int
}

// NewTable returns the table of the records of c whose keys begin with prefix. It lasts as long as c. A config without
// functions or with a CacheBytes below 1 is a bug and panics.
func NewTable[T any](c *Cached, prefix string, cfg TableConfig[T]) *Table[T] {
	if cfg.Encode == nil || cfg.Decode == nil || cfg.CacheBytes < 1 {
		panic("store: incomplete TableConfig")
	}
	t := &Table[T]{
		owner:  c,
		prefix: prefix,
		limit:  uint64(cfg.CacheBytes),
		encode: cfg.Encode,
		decode: cfg.Decode,
		entries: otter.Must(&otter.Options[string, entry[T]]{
			MaximumWeight: uint64(cfg.CacheBytes),
			Weigher:       func(_ string, e entry[T]) uint32 { return e.weight },
		}),
		seed: maphash.MakeSeed(),
	}
	c.add(t)
	return t
}

// Get returns the record under the full store key and its revision, or nil and 0 if there is none. The record is shared
// by all callers: it must not be changed. Absent keys are not remembered, so that asking for them takes no memory.
func (t *Table[T]) Get(ctx context.Context, key string) (*T, int64, error) {
	epoch := t.owner.epoch.Load()
	if e, ok := t.entries.GetIfPresent(key); ok && e.epoch == epoch {
		return e.value, e.revision, nil
	}
	return t.load(ctx, key, epoch)
}

// load reads a record from the store, and keeps it if it is certainly current.
func (t *Table[T]) load(ctx context.Context, key string, epoch uint64) (*T, int64, error) {
	if err := t.checkPrefix(key); err != nil {
		return nil, 0, err
	}
	mark := t.mark(key)
	before := mark.Load()
	r, err := t.owner.Store.Get(ctx, key)
	if err != nil || r.Revision == 0 {
		return nil, 0, err
	}
	v, err := t.Decode(r)
	if err != nil {
		return nil, 0, err
	}
	if weight := uint64(len(key) + len(r.Value) + entryOverhead); live(epoch) && weight <= min(t.limit, math.MaxUint32) {
		t.keep(key, entry[T]{v, r.Revision, epoch, uint32(weight)}, mark, before)
	}
	return v, r.Revision, nil
}

// keep caches e, unless the key's mark has moved or what is cached is as new. It looks at the mark under the lock of the
// entry, which forget takes after moving it: either it is seen here to have moved, or forget sees e and removes it.
func (t *Table[T]) keep(key string, e entry[T], mark *atomic.Uint64, before uint64) {
	t.entries.Compute(key, func(old entry[T], found bool) (entry[T], otter.ComputeOp) {
		if mark.Load() != before || found && old.epoch == e.epoch && old.revision >= e.revision {
			return old, otter.CancelOp
		}
		return e, otter.WriteOp
	})
}

// forget implements cacheTable. It uses Compute because that takes the lock of the entry also when there is none;
// ComputeIfPresent does not, and would miss one that keep is about to add.
func (t *Table[T]) forget(key string, revision int64) {
	if !strings.HasPrefix(key, t.prefix) {
		return
	}
	t.mark(key).Add(1)
	t.entries.Compute(key, func(old entry[T], found bool) (entry[T], otter.ComputeOp) {
		if found && old.revision < revision {
			return old, otter.InvalidateOp
		}
		return old, otter.CancelOp
	})
}

func (t *Table[T]) clear() { t.entries.InvalidateAll() }

func (t *Table[T]) mark(key string) *atomic.Uint64 {
	return &t.marks[maphash.String(t.seed, key)%markCount]
}

// Put returns the write of v under the full store key, for a transaction.
func (t *Table[T]) Put(key string, v *T) (Put, error) {
	if err := t.checkPrefix(key); err != nil {
		return Put{}, err
	}
	value, err := t.encode(v)
	if err != nil {
		return Put{}, fmt.Errorf("encoding record %s: %w", key, err)
	}
	return Put{Key: key, Value: value}, nil
}

// Decode returns what a record of this table, read otherwise (by Range, by Watch), holds.
func (t *Table[T]) Decode(r Record) (*T, error) {
	v, err := t.decode(r.Value)
	if err != nil {
		return nil, fmt.Errorf("decoding record %s: %w", r.Key, err)
	}
	return v, nil
}

func (t *Table[T]) checkPrefix(key string) error {
	if !strings.HasPrefix(key, t.prefix) {
		return fmt.Errorf("%w: key %q is not under %q", ErrInvalid, key, t.prefix)
	}
	return nil
}
