package operator

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
)

// TestSmallVarianceAgainstLarge computes the variance of random numbers with 128 bits and, as twin, with numbers of any size.
func TestSmallVarianceAgainstLarge(t *testing.T) {
	small, large := 0, 0
	for seed := range uint64(30_000) {
		rng := rand.New(rand.NewPCG(seed, 6))
		var sum wide.Int
		var squares wide.Squares
		n := 1 + rng.IntN(20)
		spread, middle := int64(1)<<rng.IntN(40), rng.Int64N(1<<rng.IntN(40))-rng.Int64N(1<<rng.IntN(40))
		for range n {
			v := middle + rng.Int64N(spread)
			sum, squares = sum.Add(wide.Of(v)), squares.AddSquare(v)
		}
		unit := pow10(rng.IntN(10))
		got, ok := smallVariance(uint64(n), sum, squares, unit)
		if !ok {
			large++
			continue
		}
		small++
		if want := largeVariance(uint64(n), sum, squares, unit); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("seed %d: %v, with numbers of any size %v", seed, got, want)
		}
	}
	if small < 10_000 || large < 5_000 {
		t.Errorf("%d small, %d large: the test has lost its point", small, large)
	}
}
