package service_test

import (
	"testing"

	"github.com/tidemark-io/tidemark/speed/service"
)

// TestHistogram: a quantile is at least the duration, and at most a quarter of a power of two above it.
func TestHistogram(t *testing.T) {
	for _, ms := range []int64{0, 1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 100, 1000, 4095, 4096, 1 << 20, 1<<31 - 1} {
		var h service.Histogram
		h.Record(ms, 3)
		if got := h.Quantile(service.Counts{}, 0.5); got < ms || got > ms+ms/4 {
			t.Errorf("%d ms are shown as %d", ms, got)
		}
	}
	var h service.Histogram
	if got := h.Quantile(service.Counts{}, 0.99); got != 0 {
		t.Errorf("nothing is shown as %d", got)
	}
	h.Record(-5, 1) // a clock that is behind the broker's
	h.Record(1<<40, 1)
	if low, high := h.Quantile(service.Counts{}, 0), h.Quantile(service.Counts{}, 1); low != 0 || high < 1<<31 {
		t.Errorf("the extremes are shown as %d and %d", low, high)
	}
	if sum := h.Sum(); sum != 1<<40 {
		t.Errorf("the sum is %g", sum)
	}
	before := h.Snapshot()
	h.Record(100, 98)
	h.Record(1000, 2)
	if p50, p99 := h.Quantile(before, 0.5), h.Quantile(before, 0.99); p50 < 100 || p50 > 125 || p99 < 1000 || p99 > 1250 {
		t.Errorf("since the snapshot: %d and %d", p50, p99)
	}
	counts := h.Snapshot()
	for e, want := range map[int]int64{2: 1, 6: 1, 7: 99, 9: 99, 10: 101, 40: 101, 41: 102, 44: 102} {
		if got := counts.Below(e); got != want {
			t.Errorf("%d durations are below 2^%d, want %d", got, e, want)
		}
	}
	if got := counts.Total(); got != 102 {
		t.Errorf("%d durations are counted", got)
	}
}
