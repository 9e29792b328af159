package cells

import "github.com/tidemark-io/tidemark/shared/operator/internal/wire"

// Plain is what an Aggregate may be too that consists of a count, of a sum of 128 bits, or of both in this order: its cells
// are read without a call for each, which most rows of most views are made of. Without a count, a sum of 0 is empty.
type Plain interface {
	Aggregate
	// Plain returns the greatest count, 0 if there is none in it, and whether there is a sum.
	Plain() (maxCount uint64, sum bool)
}

// plain is what Plain returns; without numbers the aggregate is not of this kind.
type plain struct {
	maxCount uint64
	sum      bool
	numbers  int // how many it consists of
}

func plainOf(agg Aggregate) plain {
	p, ok := agg.(Plain)
	if !ok {
		return plain{}
	}
	maxCount, sum := p.Plain()
	out := plain{maxCount: maxCount, sum: sum}
	if maxCount > 0 {
		out.numbers++
	}
	if sum {
		out.numbers++
	}
	return out
}

// readRun reads the cells of a tier with buckets, up to bucket last, into entries, every word of which it writes. It
// accepts what Read of the aggregate does, cell by cell; on anything else it fails the reader and returns false.
func (c *Cells) readRun(r *wire.Reader, entries []uint64, tier int, key, last uint64) bool {
	code := uint64(tier) << bucketBits
	end := code + last
	// Nearly every number is a byte, and a first bucket three, so the bytes are looked at here, and only what is longer, or
	// not canonical, goes through the reader.
	b, at := r.Rest(), 0
	for ; len(entries) >= c.stride; entries = entries[c.stride:] {
		step, n := shortStep(b[at:])
		if n == 0 || b[at+n]|b[at+n+1] >= 0x80 {
			r.Skip(at)
			step = r.Uvarint(last)
			c.agg.Read(r, entries[c.ident:c.stride], 0, 0, 0)
			b, at = r.Rest(), 0
		} else if at += n; c.plain.read(entries[c.ident:c.stride], b[at], b[at+1]) {
			at += c.plain.numbers
		} else {
			r.Fail()
		}
		code += step
		if r.Bad() || code > end {
			r.Fail()
			return false
		}
		entries[0] = code
		if c.ident > 1 {
			entries[1] = key
		}
		code++
	}
	r.Skip(at)
	return true
}

// maxShortStep is the length of the longest step that shortStep reads, maxPlain that of the numbers after it.
const (
	maxShortStep = 3
	maxPlain     = 2
)

// shortStep reads a number of at most three bytes, with room for the numbers of a plain aggregate after it; of any other
// n is 0.
func shortStep(b []byte) (step uint64, n int) {
	if len(b) < maxShortStep+maxPlain {
		return 0, 0
	}
	switch {
	case b[0] < 0x80:
		return uint64(b[0]), 1
	case b[1] < 0x80 && b[1] > 0:
		return uint64(b[0]&0x7f) | uint64(b[1])<<7, 2
	case b[1] >= 0x80 && b[2] < 0x80 && b[2] > 0:
		return uint64(b[0]&0x7f) | uint64(b[1]&0x7f)<<7 | uint64(b[2])<<14, 3
	}
	return 0, 0
}

// read sets the words of an aggregate whose numbers are a byte each, which are given, the second one only if it has two. It
// returns false if it is empty.
func (p *plain) read(w []uint64, first, second byte) bool {
	z := uint64(first)
	if p.maxCount > 0 {
		if w[0] = z; z == 0 || z > p.maxCount {
			return false
		}
		if !p.sum {
			return true
		}
		w, z = w[1:], uint64(second)
	} else if z == 0 {
		return false
	}
	w[0], w[1] = z>>1^-(z&1), -(z & 1)
	return true
}
