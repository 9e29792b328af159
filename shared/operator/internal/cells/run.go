package cells

import (
	"encoding/binary"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// Plain is what an Aggregate may be too that consists of a count, of a sum of 128 bits, or of both in this order: its cells
// are read without a call for each, which most rows of most views are made of. Without a count, a sum of 0 is empty.
type Plain interface {
	Aggregate
	// Plain returns the greatest count, 0 if there is none in it, and whether there is a sum.
	Plain() (maxCount uint64, sum bool)
}

// plain is what Plain returns.
type plain struct {
	maxCount uint64
	sum      bool
}

// plainOf returns what an aggregate is made of, if it is plain.
func plainOf(agg Aggregate) (made plain, ok bool) {
	p, ok := agg.(Plain)
	if ok {
		made.maxCount, made.sum = p.Plain()
	}
	return made, ok
}

// readRun reads the cells of a tier with buckets, up to bucket last, from the beginning of b into entries, every word of
// which it writes, and returns how many bytes these were. On anything unusual, be it damage or a sum of more than 64 bits, it
// returns 0: then they are to be read cell by cell.
func (c *Cells) readRun(b []byte, entries []uint64, tier int, key, last uint64) (n int) {
	code := uint64(tier) << bucketBits
	end, at := code+last, 0
	for ; len(entries) >= c.stride; entries = entries[c.stride:] {
		// Nearly every number is one byte: those are read here.
		if at >= len(b) {
			return 0
		}
		step := uint64(b[at])
		if at++; step >= 0x80 {
			if step, at = long(b, at-1); at == 0 {
				return 0
			}
		}
		if step > last || code+step > end {
			return 0
		}
		code += step
		entries[0] = code
		if c.ident > 1 {
			entries[1] = key
		}
		if at = c.plain.read(entries[c.ident:c.stride], b, at); at == 0 {
			return 0
		}
		code++
	}
	return at
}

// appendRun appends the cells of a tier with buckets, the first of which has the code first.
func (c *Cells) appendRun(dst []byte, entries []uint64, first uint64) []byte {
	next := first
	for ; len(entries) >= c.stride; entries = entries[c.stride:] {
		dst = binary.AppendUvarint(dst, entries[0]-next)
		next = entries[0] + 1
		w := entries[c.ident:c.stride]
		if c.plain.maxCount > 0 {
			dst = binary.AppendUvarint(dst, w[0])
			w = w[1:]
		}
		if c.plain.sum {
			dst = wire.AppendWide(dst, wide.Int{Hi: int64(w[1]), Lo: w[0]})
		}
	}
	return dst
}

// read reads an aggregate at b[at] into w, and returns where its numbers end, 0 if it is empty or unusual.
func (p *plain) read(w []uint64, b []byte, at int) (end int) {
	if p.maxCount > 0 {
		if at >= len(b) {
			return 0
		}
		count := uint64(b[at])
		if at++; count >= 0x80 {
			if count, at = long(b, at-1); at == 0 {
				return 0
			}
		}
		if count-1 >= p.maxCount { // also of none
			return 0
		}
		w[0] = count
		w = w[1:]
	}
	if !p.sum {
		return at
	}
	if at >= len(b) {
		return 0
	}
	z := uint64(b[at])
	if at++; z >= 0x80 {
		if z, at = long(b, at-1); at == 0 {
			return 0
		}
	}
	if z == 0 && p.maxCount == 0 {
		return 0
	}
	w[0], w[1] = z>>1^-(z&1), -(z & 1)
	return at
}

// long reads a number at b[at] that takes more than a byte, and returns where it ends; 0 if it is not there, not canonical,
// or of more than 64 bits.
func long(b []byte, at int) (v uint64, end int) {
	v, n := binary.Uvarint(b[at:])
	if n <= 0 || b[at+n-1] == 0 {
		return 0, 0
	}
	return v, at + n
}
