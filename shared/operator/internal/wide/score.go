package wide

import (
	"math"
	"math/big"
	"math/bits"
)

// ScoreBits is the number of fraction bits of a Score: it counts units of 2^-ScoreBits.
const ScoreBits = 32

// One is the decay factor 1 in the units of a Score.
const One = uint64(1) << ScoreBits

// Score is a sum of products of an Int and a decay factor of at most One. 192 bits hold 2^31 such products, more than
// one state has cells. The zero Score is 0.
type Score struct {
	hi      int64
	mid, lo uint64
}

// AddMul adds w × factor, factor ≤ One.
func (s *Score) AddMul(w Int, factor uint64) {
	if w.Hi == 0 { // as nearly all are
		var carry uint64
		mid, lo := bits.Mul64(w.Lo, factor)
		s.lo, carry = bits.Add64(s.lo, lo, 0)
		s.mid, carry = bits.Add64(s.mid, mid, carry)
		s.hi += int64(carry)
		return
	}
	magHi, magLo := w.Abs()
	midLo, lo := bits.Mul64(magLo, factor)
	hi, midHi := bits.Mul64(magHi, factor)
	mid, carry := bits.Add64(midLo, midHi, 0)
	hi += carry
	if w.Hi >= 0 {
		s.lo, carry = bits.Add64(s.lo, lo, 0)
		s.mid, carry = bits.Add64(s.mid, mid, carry)
		s.hi += int64(hi + carry)
		return
	}
	s.lo, carry = bits.Sub64(s.lo, lo, 0)
	s.mid, carry = bits.Sub64(s.mid, mid, carry)
	s.hi -= int64(hi + carry)
}

// Positive tells whether s > 0.
func (s Score) Positive() bool { return s.hi > 0 || s.hi == 0 && s.mid|s.lo != 0 }

// Above tells whether s > t, exactly.
func (s *Score) Above(t *Score) bool {
	if s.hi != t.hi {
		return s.hi > t.hi
	}
	if s.mid != t.mid {
		return s.mid > t.mid
	}
	return s.lo > t.lo
}

// Float returns the float64 nearest to s × 2^-ScoreBits, ties to even.
func (s Score) Float() float64 {
	if s.hi == 0 && s.mid == 0 {
		return float64(s.lo) / (1 << ScoreBits) // a power of two: exact
	}
	b := Int{Hi: s.hi, Lo: s.mid}.Big()
	b.Lsh(b, 64).Add(b, new(big.Int).SetUint64(s.lo))
	f, _ := new(big.Float).SetInt(b).Float64()
	return math.Ldexp(f, -ScoreBits)
}
