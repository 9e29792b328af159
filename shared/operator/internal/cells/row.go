package cells

import (
	"math"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/window"
)

const (
	// MaxRowWeight bounds the magnitudes of a Row's weights, all added up: times a factor of at most 2^32 any sum of them
	// is one of 63 bits.
	MaxRowWeight = math.MaxInt32
	// MaxRowCells bounds the cells of a Row.
	MaxRowCells = 1 << 14
)

// Row is keyed cells of sums of one slot, read from canonical groups to be added up and forgotten. It reads what nearly
// all rows are made of, small sums, in one pass and without a reader between; what it refuses is to be read by Cells,
// which also tell what is damaged. Not safe for concurrent use.
type Row struct {
	tiers  window.Tiers
	last   []uint64 // by tier: the code of its last bucket
	cells  []RowCell
	weight uint64 // the magnitudes of all weights, added up
	span   spans  // of the state being read
}

// RowCell is what one cell adds: to the key of this number, for the bucket of this code.
type RowCell struct {
	Code   uint64
	Key    uint32
	Weight int32
}

// NewRow returns a row of these tiers without cells.
func NewRow(tiers window.Tiers) Row {
	r := Row{tiers: tiers}
	for i, t := range tiers {
		r.last = append(r.last, uint64(i)<<bucketBits+lastBucket(t))
	}
	return r
}

// Cells returns what was read, several cells of a key and bucket as they came. It is valid until the next call.
func (r *Row) Cells() []RowCell { return r.cells }

// Held returns the window w at asOf.
func (r *Row) Held(w window.Window, asOf int64) Held { return heldBy(r.tiers, w, asOf) }

// Reset forgets all cells and keeps the memory.
func (r *Row) Reset() { r.cells, r.weight = r.cells[:0], 0 }

// Begin begins to read a state.
func (r *Row) Begin() { r.span.seen = 0 }

// End tells whether the state that was read can be one at newest, as Cells.EndMerge does, and the row is one that it can
// hold.
func (r *Row) End(newest int64) bool {
	return r.weight <= MaxRowWeight && len(r.cells) <= MaxRowCells && r.span.fit(r.tiers, newest)
}

// ReadGroup reads the group at b[at] as cells of the key, and returns where it ends. On anything unusual, be it damage or
// a large sum, it returns 0, and the row is of no use until Reset.
func (r *Row) ReadGroup(b []byte, at int, key uint32) (end int) {
	if at >= len(b) {
		return 0
	}
	tiers := b[at]
	if tiers == 0 || tiers >= 0x80 || tiers>>len(r.tiers) != 0 {
		return 0
	}
	for at++; tiers != 0; tiers &= tiers - 1 {
		if at = r.readTier(b, at, bits.TrailingZeros8(tiers), key); at == 0 {
			return 0
		}
	}
	return at
}

// readTier reads the cells of one tier at b[at], and returns where they end; 0 as ReadGroup does.
func (r *Row) readTier(b []byte, at, tier int, key uint32) (end int) {
	head, last := uint64(tier)<<bucketBits, r.last[tier]
	n, step := uint64(1), uint64(0)
	timed := r.tiers[tier].Hop != 0
	if timed {
		if at < len(b) && b[at] < 0x80 { // as nearly all are; here and below it spares the call
			n, at = uint64(b[at]), at+1
		} else {
			n, at = number(b, at)
		}
		if at == 0 || n == 0 || n > uint64(len(b)-at)/2 {
			return 0
		}
	}
	code, first := head, uint64(0)
	for i := range n {
		if timed {
			if step, at = number(b, at); at == 0 || step > last || code+step > last {
				return 0
			}
		}
		if code += step; i == 0 {
			first = code
		}
		var z uint64
		if at < len(b) && b[at] < 0x80 {
			z, at = uint64(b[at]), at+1
		} else {
			z, at = number(b, at)
		}
		if at == 0 || z-1 >= math.MaxUint32 { // also of none
			return 0
		}
		weight := int64(z>>1) ^ -int64(z&1)
		r.weight += uint64(max(weight, -weight))
		r.cells = append(r.cells, RowCell{code, key, int32(weight)})
		code++
	}
	r.span.add(tier, int64(first-head), int64(code-1-head))
	return at
}

// number reads a number at b[at], and returns where it ends, 0 if there is none. Those of three bytes, as most of the
// first buckets are, are read here.
func number(b []byte, at int) (v uint64, end int) {
	if at >= len(b) {
		return 0, 0
	}
	if v = uint64(b[at]); v < 0x80 {
		return v, at + 1
	}
	if at+2 < len(b) && b[at+1] >= 0x80 && b[at+2]-1 < 0x7f {
		return v&0x7f | uint64(b[at+1]&0x7f)<<7 | uint64(b[at+2])<<14, at + 3
	}
	return long(b, at)
}
