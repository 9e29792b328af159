package wide

import (
	"math/big"
	"math/bits"
)

// Int is a signed 128-bit integer: Hi × 2^64 + Lo. A sum of int64 reaches its end after 2^64 summands.
type Int struct {
	Hi int64
	Lo uint64
}

// Of returns v as an Int.
func Of(v int64) Int { return Int{Hi: v >> 63, Lo: uint64(v)} }

// Add returns a + b modulo 2^128.
func (a Int) Add(b Int) Int {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	hi, _ := bits.Add64(uint64(a.Hi), uint64(b.Hi), carry)
	return Int{Hi: int64(hi), Lo: lo}
}

// Neg returns −a modulo 2^128.
func (a Int) Neg() Int {
	lo, borrow := bits.Sub64(0, a.Lo, 0)
	hi, _ := bits.Sub64(0, uint64(a.Hi), borrow)
	return Int{Hi: int64(hi), Lo: lo}
}

// Abs returns the magnitude of a, which is unsigned: that of the smallest Int is 2^127.
func (a Int) Abs() (hi, lo uint64) {
	if a.Hi < 0 {
		a = a.Neg()
	}
	return uint64(a.Hi), a.Lo
}

// IsZero tells whether a is 0.
func (a Int) IsZero() bool { return a.Hi == 0 && a.Lo == 0 }

// Int64 returns a as an int64 and whether it fits.
func (a Int) Int64() (v int64, ok bool) { return int64(a.Lo), a.Hi == int64(a.Lo)>>63 }

// Big returns a as a big integer.
func (a Int) Big() *big.Int {
	b := new(big.Int).SetInt64(a.Hi)
	b.Lsh(b, 64)
	return b.Add(b, new(big.Int).SetUint64(a.Lo))
}
