package wide

import (
	"math/big"
	"math/bits"
)

// Squares is a sum of squares of 64-bit integers: Hi × 2^128 + Mid × 2^64 + Lo, unsigned. A square has at most 2^126, so
// that 192 bits hold 2^66 of them, more than any state may count.
type Squares struct{ Hi, Mid, Lo uint64 }

// AddSquare returns s + v².
func (s Squares) AddSquare(v int64) Squares {
	mag := uint64(v)
	if v < 0 {
		mag = -mag
	}
	hi, lo := bits.Mul64(mag, mag)
	return s.Add(Squares{Mid: hi, Lo: lo})
}

// Add returns s + t modulo 2^192.
func (s Squares) Add(t Squares) Squares {
	var sum Squares
	var carry uint64
	sum.Lo, carry = bits.Add64(s.Lo, t.Lo, 0)
	sum.Mid, carry = bits.Add64(s.Mid, t.Mid, carry)
	sum.Hi, _ = bits.Add64(s.Hi, t.Hi, carry)
	return sum
}

// Big returns s as a big integer.
func (s Squares) Big() *big.Int {
	b := new(big.Int).SetUint64(s.Hi)
	b.Lsh(b, 64).Add(b, new(big.Int).SetUint64(s.Mid))
	return b.Lsh(b, 64).Add(b, new(big.Int).SetUint64(s.Lo))
}

// HoldFor tells whether n numbers with the sum given can have s as the sum of their squares: n × s ≥ sum², which is what
// Cauchy and Schwarz say of any n numbers. Sums of triples that hold, hold.
func (s Squares) HoldFor(n uint64, sum Int) bool {
	left := [4]uint64{}
	var carry uint64
	for i, word := range [3]uint64{s.Lo, s.Mid, s.Hi} {
		hi, lo := bits.Mul64(word, n)
		var c uint64
		left[i], c = bits.Add64(lo, carry, 0)
		carry = hi + c // hi is at most 2^64 − 2
	}
	left[3] = carry
	right := square(sum)
	for i := 3; i > 0; i-- {
		if left[i] != right[i] {
			return left[i] > right[i]
		}
	}
	return left[0] >= right[0]
}

// square returns a², the lowest word first. (h × 2^64 + l)² = h² × 2^128 + 2hl × 2^64 + l².
func square(a Int) (words [4]uint64) {
	h, l := a.Abs()
	words[1], words[0] = bits.Mul64(l, l)
	words[3], words[2] = bits.Mul64(h, h)
	midHi, midLo := bits.Mul64(h, l)
	for range 2 {
		var carry uint64
		words[1], carry = bits.Add64(words[1], midLo, 0)
		words[2], carry = bits.Add64(words[2], midHi, carry)
		words[3] += carry
	}
	return words
}
