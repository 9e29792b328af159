package hll

import (
	"math"
	"math/bits"
)

// The form of a sketch.
const (
	Bits      = 12        // of a hash that name the register
	Registers = 1 << Bits // m
	MaxRank   = 64 - Bits + 1
	RankBits  = 6 // that hold a rank
)

// Ranks are the registers' ranks, 0 of a register without an element.
type Ranks [Registers]uint8

// Of returns the register that an element of this hash belongs to, and its rank, 1 to MaxRank.
func Of(hash uint64) (register uint64, rank uint8) {
	rest := hash<<Bits | 1<<(Bits-1) // the bit below the hash's last one ends the zeros
	return hash >> (64 - Bits), uint8(bits.LeadingZeros64(rest) + 1)
}

// Estimate returns how many elements there probably are, rounded to the nearest integer; exactly 0 if all ranks are 0, and
// the largest int64 for registers that are all full, which no elements make.
func Estimate(ranks *Ranks) int64 {
	var counts [1 << RankBits]float64
	for _, rank := range ranks {
		counts[rank&(1<<RankBits-1)]++
	}
	z := Registers * tau(1-counts[MaxRank]/Registers)
	for k := MaxRank - 1; k > 0; k-- {
		z = 0.5 * (z + counts[k])
	}
	z += float64(Registers * sigma(counts[0]/Registers))
	const scale = Registers * Registers / (2 * math.Ln2)
	n := math.Floor(scale/z + 0.5)
	if n >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n)
}

// sigma is σ(x) for 0 ≤ x ≤ 1; infinite at 1.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	for z, y := x, 1.0; ; y += y {
		x *= x
		before := z
		z += float64(x * y)
		if z == before {
			return z
		}
	}
}

// tau is τ(x) for 0 ≤ x ≤ 1.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	for z, y := 1-x, 0.5; ; y *= 0.5 {
		x = math.Sqrt(x)
		before := z
		z -= float64(float64((1-x)*(1-x)) * y)
		if z == before {
			return z / 3
		}
	}
}
