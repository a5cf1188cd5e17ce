package kms

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/maypok86/otter/v2"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// grantIndex has the grants on a key whose grantee has a name. It answers fast also where a service has made a grant for
// each of ten thousand volumes, all to one role.
type grantIndex struct {
	places map[grantPlace][]*Grant // each list in the order of the grants' ids
	weight uint32
}

// grantPlace is where a grant is found: in one place for each of its operations. A constraint on the encryption context
// admits only contexts that have all of its pairs, so one of them says where to look.
type grantPlace struct {
	operation   kmsapi.GrantOperation
	constrained bool
	name, value string
}

// withoutContext says that constraints on the encryption context do not limit an operation.
func withoutContext(o kmsapi.GrantOperation) bool {
	return o == kmsapi.GrantOperationDescribeKey || o == kmsapi.GrantOperationRetireGrant
}

func newGrantIndex(all []*Grant) *grantIndex {
	x := &grantIndex{places: make(map[grantPlace][]*Grant, len(all)), weight: 1}
	for _, g := range all {
		x.weight += g.weight()
		for _, o := range g.Operations {
			p := g.Constraints.place(o)
			x.places[p] = append(x.places[p], g)
		}
	}
	return x
}

func (c *Constraints) place(o kmsapi.GrantOperation) grantPlace {
	pairs := c.Equals
	if pairs == nil {
		pairs = c.Subset
	}
	if len(pairs) == 0 || withoutContext(o) {
		return grantPlace{operation: o}
	}
	name := slices.Min(slices.Collect(maps.Keys(pairs)))
	return grantPlace{o, true, name, pairs[name]}
}

// candidates are the grants that can admit an operation with an encryption context (of CreateGrant: that of the new
// grant's constraint). Which of them do is still to be asked.
func (x *grantIndex) candidates(o kmsapi.GrantOperation, context map[string]string) iter.Seq[*Grant] {
	return func(yield func(*Grant) bool) {
		for _, g := range x.places[grantPlace{operation: o}] {
			if !yield(g) {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(context)) {
			for _, g := range x.places[grantPlace{o, true, name, context[name]}] {
				if !yield(g) {
					return
				}
			}
		}
	}
}

// weight is about what a grant and its places take in memory, in bytes.
func (g *Grant) weight() uint32 {
	n := 512 + 160*len(g.Operations)
	for _, pairs := range []map[string]string{g.Constraints.Equals, g.Constraints.Subset} {
		for name, value := range pairs {
			n += 64 + len(name) + len(value)
		}
	}
	return uint32(n)
}

// grantIndexBytes bounds what indexes are kept. The largest possible, of all grants that a key can have, is not.
const grantIndexBytes = 32 << 20

// grantIndexKey names an index. Every change of a key's grants changes the key's record too: what was read when the
// record had a revision, or later, is never older than the record.
type grantIndexKey struct {
	key, grantee string
	revision     int64
}

type grantIndexes = otter.Cache[grantIndexKey, *grantIndex]

func newGrantIndexes() *grantIndexes {
	return otter.Must(&otter.Options[grantIndexKey, *grantIndex]{
		MaximumWeight: grantIndexBytes,
		Weigher:       func(k grantIndexKey, x *grantIndex) uint32 { return 512 + x.weight },
	})
}

// grantIndex returns the index of the grants on a key, whose record has the revision, to a name.
func (s *Service) grantIndex(ctx context.Context, k *Key, revision int64, name string) (*grantIndex, error) {
	load := func(ctx context.Context, _ grantIndexKey) (*grantIndex, error) {
		all, err := s.grantsTo(ctx, k, revision, name)
		return newGrantIndex(all), err
	}
	key := grantIndexKey{k.path(), name, revision}
	if x, ok := s.indexes.GetIfPresent(key); ok {
		return x, nil
	}
	// Others wait for the first who asks: that one's end is not to be theirs.
	return s.indexes.Get(context.WithoutCancel(ctx), key, otter.LoaderFunc[grantIndexKey, *grantIndex](load))
}
