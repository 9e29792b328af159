package wide

import (
	"math"
	"math/bits"
)

// Quo returns the float64 nearest to (hi × 2^64 + lo) / den, ties to even, as big.Rat does. den is not 0.
func Quo(hi, lo, den uint64) float64 {
	if hi|lo == 0 {
		return 0
	}
	// Both are shifted up to their highest bits, so that the quotient has 63 bits at least: ten more than are kept.
	up := bits.LeadingZeros64(den)
	den <<= up
	exponent := up
	if hi == 0 {
		hi, lo = lo, 0
		exponent -= 64
	}
	up = bits.LeadingZeros64(hi)
	hi, lo = hi<<up|lo>>(64-up), lo<<up
	exponent -= up
	var rest uint64
	if hi >= den {
		rest = lo & 1
		hi, lo = hi>>1, lo>>1|hi<<63
		exponent++
	}
	q, rem := bits.Div64(hi, lo, den)
	if rem|rest != 0 {
		q |= 1 // it lies above q, also where that looks like a tie
	}
	return math.Ldexp(float64(q), exponent)
}
