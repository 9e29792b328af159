// Package tailsort sorts what was sorted before but for what has been appended since, as states that settle again and
// again are: the tail is sorted by itself, then the two are merged.
//
// The package knows nothing of what is sorted.
package tailsort

import (
	"math/bits"
	"slices"
)

// Sort sorts s, whose first n elements are in order already. scratch is memory that it may use; what it returns is as
// much memory or more, for the next call. Equal elements end in any order.
func Sort[T any](s []T, n int, scratch []T, compare func(a, b T) int) []T {
	slices.SortFunc(s[n:], compare)
	scratch = append(scratch[:0], s[n:]...)
	at := len(s)
	for left := scratch; len(left) > 0; {
		at--
		if last := left[len(left)-1]; n > 0 && compare(s[n-1], last) > 0 {
			n--
			s[at] = s[n]
		} else {
			s[at] = last
			left = left[:len(left)-1]
		}
	}
	return scratch
}

// Words is Sort of words, with spare memory as long as s. Those of the tail that differ in nothing but their low bits, of
// which there are so many, must be in order already: then a long tail is sorted by the bytes of the others, without
// comparing any.
func Words(s []uint64, n, low int, spare []uint64) {
	tail := s[n:]
	left := spare[:len(tail)]
	if len(tail) < radixLen {
		slices.Sort(tail)
	} else {
		radix(tail, left, low)
	}
	if n == 0 || len(tail) == 0 || s[n-1] <= tail[0] {
		return
	}
	copy(left, tail)
	for at := len(s) - 1; len(left) > 0; at-- {
		if last := left[len(left)-1]; n > 0 && s[n-1] > last {
			n--
			s[at] = s[n]
		} else {
			s[at] = last
			left = left[:len(left)-1]
		}
	}
}

const (
	// radixLen is the length from which on counting bytes takes less time than comparing.
	radixLen  = 96
	radixBits = 8
)

// radix sorts s by the bits above the low ones, keeping the order of words that are equal there. spare is as long as s.
func radix(s, spare []uint64, low int) {
	varying := uint64(0) // bits that are not the same in all
	for _, v := range s {
		varying |= v ^ s[0]
	}
	varying = varying >> low << low
	from, to := s, spare[:len(s)]
	for varying != 0 {
		shift := bits.TrailingZeros64(varying)
		varying = varying >> shift >> radixBits << radixBits << shift
		var starts [1 << radixBits]uint32
		for _, v := range from {
			starts[uint8(v>>shift)]++
		}
		at := uint32(0)
		for i, count := range starts {
			starts[i] = at
			at += count
		}
		for _, v := range from {
			i := uint8(v >> shift)
			to[starts[i]] = v
			starts[i]++
		}
		from, to = to, from
	}
	if &from[0] != &s[0] {
		copy(s, from)
	}
}
