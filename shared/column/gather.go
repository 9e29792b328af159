package column

import (
	"encoding/binary"
	"math"
	"slices"
)

// Gather makes c the given rows of from, in that order: of a column that was read for one purpose, those that another
// needs, side by side. Bytes are not copied: c becomes a dictionary over those of from, and is valid as long as they are.
// Nothing may be appended to c.
func (c *Column) Gather(from *Column, rows []int32) {
	c.Type, c.Scale, c.N = from.Type, from.Scale, len(rows)
	c.Valid = GatherValid(c.Valid, from, rows)
	if !from.Type.IsBytes() {
		c.Ints, c.Index = GatherRows(c.Ints, from.Ints, rows), nil
		return
	}
	c.Ints, c.Offsets, c.Bytes = c.Ints[:0], from.Offsets, from.Bytes
	if from.Index != nil {
		c.Index = GatherRows(c.Index, from.Index, rows)
	} else {
		c.Index = append(c.Index[:0], rows...)
	}
}

// GatherRows returns the given rows of from in the memory of dst, which grows as needed.
func GatherRows[T int32 | int64 | ~uint16](dst, from []T, rows []int32) []T {
	dst = Resize(dst, len(rows))
	gatherTo(dst, from, rows)
	return dst
}

func gatherTo[T int32 | int64 | ~uint16](to, from []T, rows []int32) {
	for i, row := range rows {
		to[i] = from[row]
	}
}

// GatherValid returns the bitmap of presence of the given rows of from in the memory of dst, which grows as needed. It is
// mostly without a null, and gathered byte by byte.
func GatherValid(dst []byte, from *Column, rows []int32) []byte {
	valid := from.Valid
	dst = slices.Grow(dst[:0], (len(rows)+7)/8)
	whole := len(rows) &^ 7
	if allSet(valid, from.N) {
		for range whole / 8 {
			dst = append(dst, 0xff)
		}
	} else {
		for at := 0; at < whole; at += 8 {
			dst = append(dst, gatherByte(valid, (*[8]int32)(rows[at:])))
		}
	}
	if whole < len(rows) {
		dst = append(dst, gatherBits(valid, rows[whole:]))
	}
	return dst
}

// gatherByte is gatherBits of eight rows.
func gatherByte(valid []byte, r *[8]int32) byte {
	return valid[r[0]>>3]>>(r[0]&7)&1 | valid[r[1]>>3]>>(r[1]&7)&1<<1 | valid[r[2]>>3]>>(r[2]&7)&1<<2 | valid[r[3]>>3]>>(r[3]&7)&1<<3 |
		valid[r[4]>>3]>>(r[4]&7)&1<<4 | valid[r[5]>>3]>>(r[5]&7)&1<<5 | valid[r[6]>>3]>>(r[6]&7)&1<<6 | valid[r[7]>>3]>>(r[7]&7)&1<<7
}

// gatherBits returns the bits of at most eight rows, the first lowest.
func gatherBits(valid []byte, rows []int32) (b byte) {
	for i, row := range rows {
		b |= valid[row>>3] >> (row & 7) & 1 << i
	}
	return b
}

// allSet tells whether the first n bits of a bitmap are all ones.
func allSet(valid []byte, n int) bool {
	for n >= 64 {
		if binary.LittleEndian.Uint64(valid) != math.MaxUint64 {
			return false
		}
		valid, n = valid[8:], n-64
	}
	for n >= 8 {
		if valid[0] != 0xff {
			return false
		}
		valid, n = valid[1:], n-8
	}
	return n == 0 || valid[0]&(1<<n-1) == 1<<n-1
}

// Resize returns room for n elements, of any values: that of s, or a little more than is asked for, since the next ones are
// mostly about as many.
func Resize[T any](s []T, n int) []T {
	if n > cap(s) {
		s = make([]T, n, n+n/16)
	}
	return s[:n]
}
