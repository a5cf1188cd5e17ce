// Package clock tells domain code what time it is, and lets a development server and its tests move that time forward.
//
// Everything whose meaning depends on time (a pending deletion, an expiry, a due rotation) asks a Clock. Request
// signatures do not: they are checked against the real time, because the client's clock is real.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock is the real time plus an offset that only grows. The zero value is the real time. Safe for concurrent use.
type Clock struct{ offset atomic.Int64 }

// Now returns the current domain time in UTC, without a monotonic reading.
func (c *Clock) Now() time.Time {
	return time.Now().Add(time.Duration(c.offset.Load())).UTC().Round(0)
}

// Advance moves the clock forward by d and returns the whole offset. A negative d is a bug of the caller and panics:
// time that runs backwards would bring deleted keys back.
func (c *Clock) Advance(d time.Duration) time.Duration {
	if d < 0 {
		panic("clock: negative advance")
	}
	return time.Duration(c.offset.Add(int64(d)))
}

// Offset returns how far the clock is ahead of the real time.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }
