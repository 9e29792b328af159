package wide

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestQuoAgainstRationals divides random numbers of all lengths, and some that lie half way between two floats or next to it.
func TestQuoAgainstRationals(t *testing.T) {
	ties := 0
	for seed := range uint64(200_000) {
		rng := rand.New(rand.NewPCG(seed, 5))
		hi, lo, den := rng.Uint64()>>rng.IntN(65), rng.Uint64()>>rng.IntN(65), rng.Uint64()>>rng.IntN(64)|1
		if rng.IntN(4) == 0 {
			// An odd number of 54 bits times den: half way, or one off.
			wide := Int{}
			half := rng.Uint64()>>10 | 1<<53 | 1
			den >>= rng.IntN(64)
			den |= 1
			for bit := range 64 {
				if den>>bit&1 == 1 {
					wide = wide.Add(shifted(half, bit))
				}
			}
			wide = wide.Add(Of(rng.Int64N(3) - 1))
			hi, lo = uint64(wide.Hi), wide.Lo
			ties++
		}
		num := new(big.Int).SetUint64(hi)
		num.Lsh(num, 64).Add(num, new(big.Int).SetUint64(lo))
		want, _ := new(big.Rat).SetFrac(num, new(big.Int).SetUint64(den)).Float64()
		if got := Quo(hi, lo, den); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("seed %d: (%d, %d) / %d = %v, want %v", seed, hi, lo, den, got, want)
		}
	}
	if ties < 10_000 {
		t.Errorf("%d near ties: the test has lost its point", ties)
	}
}

// shifted returns v × 2^by.
func shifted(v uint64, by int) Int {
	if by == 0 {
		return Int{Lo: v}
	}
	return Int{Hi: int64(v >> (64 - by)), Lo: v << by}
}
