package decode

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// safeDigits is how many decimal digits always fit into an int64.
const safeDigits = 18

// maxExponent is where the exponent of a decimal saturates. It is far beyond what the digits of a record of
// MaxRecordBytes could bring back into range, so that saturating decides no case otherwise.
const maxExponent = 1 << 40

// integerValue is what integer found.
type integerValue uint8

const (
	noInteger   integerValue = iota // a number with a fraction or an exponent: 1.0 and 1e3 are not integers here
	inInt64                         // an integer in the range of int64
	beyondInt64                     // an integer beyond it
)

// integer reads the number at i.
func integer(s []byte, i int) (v int64, kind integerValue, end int) {
	first := i
	if s[i] == '-' {
		i++
	}
	digits := i
	var u uint64
	for i-digits < safeDigits && len(s)-i >= wordBytes {
		v, n := leadingDigits(binary.LittleEndian.Uint64(s[i:]))
		u = u*powersOfTen[n] + v
		i += n
		if n < wordBytes {
			break
		}
	}
	for i < len(s) && isDigit(s[i]) {
		u = u*10 + uint64(s[i]-'0')
		i++
	}
	n := i - digits
	plain := n == 1 || 1 < n && n <= safeDigits && s[digits] != '0'
	if !plain || i < len(s) && (s[i] == '.' || s[i]|0x20 == 'e') {
		return oddInteger(s, first)
	}
	if digits > first {
		return -int64(u), inInt64, i
	}
	return int64(u), inInt64, i
}

// leadingDigits returns the number that the digits write that the eight bytes of w begin with, and how many these are.
func leadingDigits(w uint64) (v uint64, n int) {
	w ^= ones * '0' // a digit is its value now, and no other byte is below 10
	// Adding 0x76 sets the high bit of a byte from 10 on, one from 0x80 on has it. A carry comes from such a byte only, and
	// only the lowest counts.
	others := ((w + ones*0x76) | w) & highs
	n = bits.TrailingZeros64(others) >> 3
	w <<= 64 - 8*n // zeros in front, in place of what follows the digits
	// Neighbours are joined to pairs, pairs to fours, fours to the whole.
	w = w*10 + w>>8
	return (w&0x000000ff000000ff*(1_000_000<<32+100) + w>>16&0x000000ff000000ff*(10_000<<32+1)) >> 32, n
}

// oddInteger reads what is not a short integer: a number of many digits, with a fraction or an exponent, or no number.
func oddInteger(s []byte, i int) (v int64, kind integerValue, end int) {
	end, isInteger := skipNumber(s, i)
	if end == malformed || !isInteger {
		return 0, noInteger, end
	}
	v, ok := decimal(s[i:end], 0)
	if !ok {
		return 0, beyondInt64, end
	}
	return v, inInt64, end
}

// decimal returns the value of the number s × 10^scale, if that is an integer in the range of int64. The number has
// the grammar that skipNumber accepts. Zeros are never significant: 12.340 and 1234e-2 are decimals of scale 2.
func decimal(s []byte, scale int) (v int64, ok bool) {
	negative := s[0] == '-'
	if negative {
		s = s[1:]
	}
	mantissa, exponent, i, ok := significant(s)
	if !ok {
		return 0, false
	}
	if mantissa == 0 {
		return 0, true
	}
	exponent += exponentOf(s, i) + int64(scale)
	if exponent < 0 || exponent >= int64(len(powersOfTen)) {
		return 0, false
	}
	high, low := bits.Mul64(mantissa, powersOfTen[exponent])
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	if high != 0 || low > limit {
		return 0, false
	}
	if negative {
		return int64(-low), true
	}
	return int64(low), true
}

// powersOfTen holds those that fit into an int64.
var powersOfTen = func() (p [19]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// maxSignificant is the number of digits from the first to the last that is not 0 in the largest int64.
const maxSignificant = 19

// significant returns the digits of an unsigned number up to the last that is not 0, the power of ten that belongs to
// them, and the position after them. With more than maxSignificant digits no scale makes an int64 of it: not ok.
func significant(s []byte) (mantissa uint64, exponent int64, i int, ok bool) {
	digits, zeros, fraction := 0, 0, 0
	inFraction := 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' {
			inFraction = 1
			continue
		}
		if !isDigit(c) {
			break
		}
		fraction += inFraction
		switch {
		case c != '0':
			if digits += zeros + 1; digits > maxSignificant {
				return 0, 0, 0, false
			}
			mantissa = mantissa*powersOfTen[zeros]*10 + uint64(c-'0')
			zeros = 0
		case mantissa != 0:
			zeros++ // significant only if another digit follows
		}
	}
	return mantissa, int64(zeros - fraction), i, true
}

// exponentOf returns the exponent that stands at i, 0 if none does, saturated at ±maxExponent.
func exponentOf(s []byte, i int) int64 {
	if i >= len(s) {
		return 0
	}
	i++
	negative := s[i] == '-'
	if negative || s[i] == '+' {
		i++
	}
	var e int64
	for ; i < len(s); i++ {
		e = min(10*e+int64(s[i]-'0'), maxExponent)
	}
	if negative {
		return -e
	}
	return e
}
