package api

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestTimesAgainstFormat writes random times, near and far, by hand and, as twin, by package time.
func TestTimesAgainstFormat(t *testing.T) {
	for seed := range uint64(50_000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		ms := rng.Int64() >> rng.IntN(63)
		if rng.IntN(4) == 0 {
			ms = -ms
		}
		if ms == 0 {
			continue
		}
		want := `"` + time.UnixMilli(ms).UTC().Format(timeLayout) + `"`
		if got := string(appendTime(nil, ms)); got != want {
			t.Fatalf("seed %d: %d ms is %s, want %s", seed, ms, got, want)
		}
	}
	for _, ms := range []int64{1, 999, 1000, 951_782_400_000, 253_402_300_799_999, 253_402_300_800_000, math.MinInt64, math.MaxInt64} {
		want := `"` + time.UnixMilli(ms).UTC().Format(timeLayout) + `"`
		if got := string(appendTime(nil, ms)); got != want {
			t.Errorf("%d ms is %s, want %s", ms, got, want)
		}
	}
}
