package service

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// histogramBuckets is four buckets a power of two, up to 2^44: 500 years of ms, 200 days of µs.
const histogramBuckets = 172

// Counts are a histogram's counts by bucket.
type Counts [histogramBuckets]int64

// Histogram counts durations, all in one unit, in buckets whose bounds grow by a fourth of a power of two. Safe for
// concurrent use.
type Histogram struct {
	counts [histogramBuckets]atomic.Int64
	sum    atomic.Uint64 // bits of a float64: no sum of integers holds a year of µs for each of a million records
}

// Record counts n durations d. One below 0, of clocks that differ, is 0.
func (h *Histogram) Record(d, n int64) {
	d = max(d, 0)
	h.counts[bucketOf(d)].Add(n)
	for {
		was := h.sum.Load()
		if h.sum.CompareAndSwap(was, math.Float64bits(math.Float64frombits(was)+float64(d)*float64(n))) {
			return
		}
	}
}

func bucketOf(d int64) int {
	if d < 4 {
		return int(d)
	}
	e := bits.Len64(uint64(d)) - 1
	return min(4*(e-1)+int(d>>(e-2))&3, histogramBuckets-1)
}

// Sum returns the sum of what was recorded.
func (h *Histogram) Sum() float64 { return math.Float64frombits(h.sum.Load()) }

// Below returns how many of the durations counted are less than 1<<e, exactly.
func (c *Counts) Below(e int) (n int64) {
	for i, count := range c {
		if upper(i) >= 1<<e {
			break
		}
		n += count
	}
	return n
}

// Total returns how many durations are counted.
func (c *Counts) Total() (n int64) {
	for _, count := range c {
		n += count
	}
	return n
}

// upper returns the largest duration that bucket i counts.
func upper(i int) int64 {
	if i < 4 {
		return int64(i)
	}
	e := i/4 + 1
	return int64(4+i%4+1)<<(e-2) - 1
}

// Snapshot returns the counts, to take differences of.
func (h *Histogram) Snapshot() (s Counts) {
	for i := range h.counts {
		s[i] = h.counts[i].Load()
	}
	return s
}

// Quantile returns an upper bound of the q-quantile of what was recorded since the snapshot before; 0 if nothing was.
func (h *Histogram) Quantile(before Counts, q float64) int64 {
	now := h.Snapshot()
	total := int64(0)
	for i := range now {
		now[i] -= before[i]
		total += now[i]
	}
	rank := int64(q*float64(total-1)) + 1
	for i, n := range now {
		if rank -= n; rank <= 0 && total > 0 {
			return upper(i)
		}
	}
	return 0
}
