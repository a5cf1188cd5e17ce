package kms

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/maypok86/otter/v2"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// grantIndex says where to look for a grant on a key whose grantee has a name. It answers fast also where a service has
// made a grant for each of ten thousand volumes, all to one role, and makes and ends them all the time.
//
// It never says that a grant allows: the grants that it names are read, so one that has ended is never found. It must only
// not miss any.
type grantIndex struct {
	mu     sync.Mutex
	places map[grantPlace][]grantRef
	count  int    // of grants
	loaded int    // count when all were read
	bytes  uint32 // about what it takes in memory when it is to be read again, see follow

	// The index is as new as the key's record of this revision, whose last change of grants is this.
	revision int64
	last     GrantChange
}

// grantRef is a grant, by its id, and those of its operations that are found in one place.
type grantRef struct {
	id         string
	operations []kmsapi.GrantOperation
}

// grantPlace is where a grant is found for an operation. A constraint on the encryption context admits only contexts that
// have all of its pairs, so one of them says where to look.
type grantPlace struct {
	constrained bool
	name, value string
}

// withoutContext says that constraints on the encryption context do not limit an operation.
func withoutContext(o kmsapi.GrantOperation) bool {
	return o == kmsapi.GrantOperationDescribeKey || o == kmsapi.GrantOperationRetireGrant
}

func newGrantIndex(all []*Grant) *grantIndex {
	x := &grantIndex{places: make(map[grantPlace][]grantRef, len(all)), loaded: len(all)}
	for _, g := range all {
		x.add(g)
	}
	x.bytes = 2 * x.weight()
	return x
}

func (x *grantIndex) add(g *Grant) {
	x.count++
	p := g.Constraints.place()
	if !p.constrained {
		x.addAt(p, g.ID, g.Operations)
		return
	}
	free := slices.DeleteFunc(slices.Clone(g.Operations), func(o kmsapi.GrantOperation) bool { return !withoutContext(o) })
	x.addAt(grantPlace{}, g.ID, free)
	x.addAt(p, g.ID, slices.DeleteFunc(slices.Clone(g.Operations), withoutContext))
}

func (x *grantIndex) addAt(p grantPlace, id string, operations []kmsapi.GrantOperation) {
	if len(operations) > 0 {
		x.places[p] = append(x.places[p], grantRef{id, operations})
	}
}

func (c *Constraints) place() grantPlace {
	pairs := c.Equals
	if pairs == nil {
		pairs = c.Subset
	}
	if len(pairs) == 0 {
		return grantPlace{}
	}
	name := slices.Min(slices.Collect(maps.Keys(pairs)))
	return grantPlace{true, name, pairs[name]}
}

// at are the grants in one place. What is returned is not changed by those that come later.
func (x *grantIndex) at(p grantPlace) []grantRef {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.places[p]
}

// candidates are the ids of the grants that can admit an operation with an encryption context (of CreateGrant: that of the
// new grant's constraint). Which of them do is still to be asked.
func (x *grantIndex) candidates(o kmsapi.GrantOperation, context map[string]string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !having(x.at(grantPlace{}), o, yield) {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(context)) {
			if !having(x.at(grantPlace{true, name, context[name]}), o, yield) {
				return
			}
		}
	}
}

// all are the ids of all grants for an operation, whatever their constraints.
func (x *grantIndex) all(o kmsapi.GrantOperation) iter.Seq[string] {
	x.mu.Lock()
	places := slices.Collect(maps.Values(x.places))
	x.mu.Unlock()
	return func(yield func(string) bool) {
		for _, grants := range places {
			if !having(grants, o, yield) {
				return
			}
		}
	}
}

// having yields the grants for an operation until it is not to go on.
func having(grants []grantRef, o kmsapi.GrantOperation, yield func(string) bool) bool {
	for i := range grants {
		if slices.Contains(grants[i].operations, o) && !yield(grants[i].id) {
			return false
		}
	}
	return true
}

// weight is about what an index takes in memory, in bytes.
func (x *grantIndex) weight() uint32 {
	n := 512
	for p, grants := range x.places {
		n += 160 + len(p.name) + len(p.value)
		for i := range grants {
			n += 128 + 16*len(grants[i].operations)
		}
	}
	return uint32(n)
}

// grantIndexBytes bounds what indexes are kept. One of all grants that a key can have is among them.
const grantIndexBytes = 64 << 20

// grantIndexKey names an index.
type grantIndexKey struct{ key, grantee string }

type grantIndexes = otter.Cache[grantIndexKey, *grantIndex]

func newGrantIndexes() *grantIndexes {
	return otter.Must(&otter.Options[grantIndexKey, *grantIndex]{
		MaximumWeight: grantIndexBytes,
		Weigher:       func(_ grantIndexKey, x *grantIndex) uint32 { return x.bytes },
	})
}

// grantIndex returns the index of the grants to a name on the target's key. It is as new as the key's record, or newer: every
// change of a key's grants changes its record too.
func (s *Service) grantIndex(ctx context.Context, t *keyTarget, name string) (*grantIndex, error) {
	ctx = context.WithoutCancel(ctx) // others wait for the first who asks: that one's end is not to be theirs
	key := grantIndexKey{t.key.path(), name}
	load := func(ctx context.Context, _ grantIndexKey) (*grantIndex, error) {
		all, err := s.grantsTo(ctx, t.key, name)
		if err != nil {
			return nil, err
		}
		x := newGrantIndex(all)
		x.upTo(t)
		return x, nil
	}
	for {
		x, err := s.indexes.Get(ctx, key, otter.LoaderFunc[grantIndexKey, *grantIndex](load))
		if err != nil {
			return nil, err
		}
		if followed, err := x.follow(ctx, t, name); followed || err != nil {
			return x, err
		}
		s.indexes.Invalidate(key)
	}
}

// upTo notes that the index is as new as the target's key.
func (x *grantIndex) upTo(t *keyTarget) {
	x.revision, x.last = t.revision, GrantChange{}
	if n := len(t.key.GrantChanges); n > 0 {
		x.last = t.key.GrantChanges[n-1]
	}
}

// follow makes the index as new as the target's key, if the key's record tells what has changed since. The last change that
// the index has seen must be among those: a store that was brought back to an earlier state has others.
func (x *grantIndex) follow(ctx context.Context, t *keyTarget, name string) (bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.revision >= t.revision {
		return true, nil
	}
	seen := slices.Index(t.key.GrantChanges, x.last)
	if seen < 0 || x.count > 2*x.loaded+manyGrants {
		return false, nil
	}
	for _, change := range t.key.GrantChanges[seen+1:] {
		g, _, err := t.service.grant(ctx, grantPrefix(t.key.Account, t.key.Region, t.key.ID)+change.ID)
		if err != nil {
			return false, err
		}
		if g != nil && !change.Ended && g.grantee() == name {
			x.add(g)
		}
	}
	x.upTo(t)
	return true, nil
}
