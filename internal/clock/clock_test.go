package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/trent-kms/trent/internal/clock"
)

func TestAdvanceMovesTimeForwardForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock.Clock
		start := c.Now()
		if got := c.Advance(30 * 24 * time.Hour); got != 720*time.Hour || c.Offset() != got {
			t.Errorf("offset %s, want 720h", got)
		}
		c.Advance(time.Hour)
		if got := c.Now().Sub(start); got != 721*time.Hour {
			t.Errorf("time moved by %s, want 721h", got)
		}
		time.Sleep(time.Minute) // of the bubble
		if got := c.Now().Sub(start); got != 721*time.Hour+time.Minute {
			t.Errorf("time moved by %s, want 721h1m", got)
		}
	})
}

func TestTimeIsUTC(t *testing.T) {
	if got := new(clock.Clock).Now().Location(); got != time.UTC {
		t.Errorf("got %s", got)
	}
}

func TestTimeDoesNotGoBack(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Advance(-1) was accepted")
		}
	}()
	new(clock.Clock).Advance(-1)
}
