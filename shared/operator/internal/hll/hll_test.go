package hll

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		hash     uint64
		register uint64
		rank     uint8
	}{
		{0, 0, MaxRank},
		{math.MaxUint64, Registers - 1, 1},
		{1, 0, MaxRank - 1},
		{5<<52 | 1<<51, 5, 1},
		{7<<52 | 1<<50 | 123, 7, 2},
	} {
		if register, rank := Of(c.hash); register != c.register || rank != c.rank {
			t.Errorf("%x is in register %d with rank %d, want %d and %d", c.hash, register, rank, c.register, c.rank)
		}
	}
}

// TestEstimateAtItsEnds looks at registers that are empty, and at such as no elements make.
func TestEstimateAtItsEnds(t *testing.T) {
	var ranks Ranks
	if n := Estimate(&ranks); n != 0 {
		t.Errorf("nothing is estimated as %d", n)
	}
	for i := range ranks {
		ranks[i] = MaxRank
	}
	if n := Estimate(&ranks); n != math.MaxInt64 {
		t.Errorf("full registers are estimated as %d", n)
	}
	ranks[0]--
	if n := Estimate(&ranks); n < 1<<62 {
		t.Errorf("registers full but for one are estimated as %d", n)
	}
}

// TestEstimateIsWithinItsError estimates many random sets of each size and wants the errors to be spread as is stated: no
// bias worth the name, a standard error of 1.04/√m at most, nothing beyond five of them.
func TestEstimateIsWithinItsError(t *testing.T) {
	const trials = 60
	standard := 1.04 / math.Sqrt(Registers)
	for _, n := range []int{1, 3, 30, 300, 1_025, 3_000, 10_000, 20_000, 100_000} {
		sum, squares := 0.0, 0.0
		for seed := range uint64(trials) {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			var ranks Ranks
			for range n {
				register, rank := Of(rng.Uint64())
				ranks[register] = max(ranks[register], rank)
			}
			off := float64(Estimate(&ranks))/float64(n) - 1
			if math.Abs(off) > 5*standard {
				t.Errorf("%d elements of seed %d are off by %.2f %%", n, seed, 100*off)
			}
			sum += off
			squares += off * off
		}
		bias, spread := sum/trials, math.Sqrt(squares/trials)
		t.Logf("%d elements: bias %+.2f %%, standard error %.2f %%", n, 100*bias, 100*spread)
		if math.Abs(bias) > 4*standard/math.Sqrt(trials) || spread > 1.3*standard {
			t.Errorf("%d elements: bias %+.2f %%, standard error %.2f %%, stated is %.2f %%", n, 100*bias, 100*spread, 100*standard)
		}
	}
}

func BenchmarkEstimate(b *testing.B) {
	var ranks Ranks
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1_000_000 {
		register, rank := Of(rng.Uint64())
		ranks[register] = max(ranks[register], rank)
	}
	for b.Loop() {
		Estimate(&ranks)
	}
}
