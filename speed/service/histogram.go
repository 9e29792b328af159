package service

import (
	"math/bits"
	"sync/atomic"
)

// histogramBuckets is four buckets a power of two, up to 2^31 ms.
const histogramBuckets = 128

// Counts are a histogram's counts by bucket.
type Counts [histogramBuckets]int64

// Histogram counts durations in ms in buckets whose bounds grow by a fourth of a power of two. Safe for concurrent use.
type Histogram struct {
	counts [histogramBuckets]atomic.Int64
}

// Record counts n durations of ms.
func (h *Histogram) Record(ms, n int64) {
	h.counts[bucketOf(ms)].Add(n)
}

func bucketOf(ms int64) int {
	if ms < 4 {
		return int(max(ms, 0))
	}
	e := bits.Len64(uint64(ms)) - 1
	return min(4*(e-1)+int(ms>>(e-2))&3, histogramBuckets-1)
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

// Quantile returns an upper bound of the q-quantile, ms, of what was recorded since the snapshot before; 0 if nothing was.
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
