package feed

import (
	"errors"
	"fmt"
	"testing"

	"github.com/trent-kms/trent/internal/store"
)

func TestFeedForgetsTheOldestBeyondItsBounds(t *testing.T) {
	one := func(revision int64, value []byte) []store.Change {
		return []store.Change{{Key: "a", Value: value, Revision: revision}}
	}
	for name, c := range map[string]struct {
		value []byte
		kept  int64 // transactions
	}{
		"many small":  {[]byte("x"), maxChanges},
		"some large":  {make([]byte, maxBytes/8), 8},
		"one too big": {make([]byte, maxBytes+1), 1},
	} {
		t.Run(name, func(t *testing.T) {
			const before = 1000
			f := New(before)
			total := c.kept + 5
			for r := int64(1); r <= total; r++ {
				f.Append(before+r, one(before+r, c.value))
			}
			oldest := before + total - c.kept // changes after it are known
			enough := errors.New("enough")
			var got int64
			err := f.Watch(t.Context(), "", oldest, func(changes []store.Change) error {
				if got == 0 {
					got = changes[0].Revision
				}
				return enough
			})
			if !errors.Is(err, enough) || got != oldest+1 {
				t.Errorf("from %d: got %d and error %v", oldest, got, err)
			}
			for _, from := range []int64{0, before, oldest - 1} {
				err := f.Watch(t.Context(), "", from, func([]store.Change) error { return enough })
				if !errors.Is(err, store.ErrCompacted) {
					t.Errorf("from %d: got error %v, want %v", from, err, store.ErrCompacted)
				}
			}
			if f.bytes != int(c.kept)*len(c.value) || f.changes != int(c.kept) {
				t.Errorf("%d bytes in %d changes are counted, want %d of %d", f.bytes, f.changes, c.kept, len(c.value))
			}
		})
	}
}

func TestWatchThatFallsBehindIsTold(t *testing.T) {
	f := New(0)
	f.Append(1, []store.Change{{Key: "a", Revision: 1}})
	err := f.Watch(t.Context(), "", 0, func([]store.Change) error {
		for r := int64(2); r < maxChanges+5; r++ { // meanwhile
			f.Append(r, []store.Change{{Key: fmt.Sprint(r), Revision: r}})
		}
		return nil
	})
	if !errors.Is(err, store.ErrCompacted) {
		t.Errorf("got error %v, want %v", err, store.ErrCompacted)
	}
}
