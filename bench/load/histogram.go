//go:build linux

package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are at most 1/64 wide of what they hold, up to a minute.
type Histogram struct {
	counts [buckets]uint32
	total  uint64
}

const (
	significant = 7 // bits of a duration in nanoseconds that tell its bucket
	longest     = time.Minute
	half        = 1 << (significant - 1)
	buckets     = 31 * half
)

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(min(max(d, 0), longest))]++
	h.total++
}

// Merge adds the counts of other.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Quantile returns the duration that the fraction q (0 to 1) of all counted ones does not exceed, to the width of a
// bucket; 0 when nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank, seen := uint64(q*float64(h.total)), uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); seen > rank || seen == h.total && n > 0 {
			return lowest(i)
		}
	}
	return 0
}

// bucket numbers durations below 2*half one by one, then half buckets for each doubling.
func bucket(d time.Duration) int {
	shift := max(bits.Len64(uint64(d))-significant, 0)
	return shift*half + int(uint64(d)>>shift)
}

// lowest returns the shortest duration of a bucket.
func lowest(i int) time.Duration {
	shift := max(i/half-1, 0)
	return time.Duration(uint64(i-shift*half) << shift)
}
