package operator

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
)

// picked leaves rows out that a fold skips, before it begins: so that its loop asks nothing of them. Columns rarely hold
// nulls, which is seen at once for many rows; then nothing is copied.
//
// What its methods return is the rows they were given or those of an earlier one, without some. It is valid until they are
// given others.
type picked struct {
	rows Rows // the last ones that were picked, in memory of its own
}

// complete leaves those rows that have a value in each of the columns.
func (p *picked) complete(r *Rows, cols []*column.Column) *Rows {
	for i, c := range cols {
		if !full(c, r.Row) {
			r = p.pick(r, cols[i:i+1])
		}
	}
	return r
}

// present leaves those rows that have a value in one of the columns; of no columns it leaves all.
func (p *picked) present(r *Rows, cols []*column.Column) *Rows {
	if len(cols) == 0 || slices.ContainsFunc(cols, func(c *column.Column) bool { return full(c, r.Row) }) {
		return r
	}
	return p.pick(r, cols)
}

// pick leaves those rows that have a value in one of the columns, looking at each.
func (p *picked) pick(r *Rows, cols []*column.Column) *Rows {
	rows, slots := r.Row, r.Slot[:len(r.Row)]
	out := p.begin(r)
	toRow, toSlot := out.Row[:len(rows)], out.Slot[:len(rows)]
	n := 0
	first, others := cols[0].Valid, cols[1:]
	for i, row := range rows {
		// Each row is written, and stays if it is to: which ones do is beyond what a processor guesses.
		toRow[n], toSlot[n] = row, slots[i]
		bits := first[row>>3] >> (row & 7)
		for _, c := range others {
			bits |= c.Valid[row>>3] >> (row & 7)
		}
		n += int(bits & 1)
	}
	out.Row, out.Slot = toRow[:n], toSlot[:n]
	return out
}

// nonzero leaves those rows in which a column of integers has a value other than 0; a null is 0.
func (p *picked) nonzero(r *Rows, c *column.Column) *Rows {
	zeros := false
	for _, row := range r.Row {
		zeros = zeros || c.Ints[row] == 0
	}
	if !zeros {
		return r
	}
	out := p.begin(r)
	n := 0
	for i, row := range r.Row {
		out.Row[n], out.Slot[n] = row, r.Slot[i]
		if c.Ints[row] != 0 {
			n++
		}
	}
	out.Row, out.Slot = out.Row[:n], out.Slot[:n]
	return out
}

// begin returns rows like r in memory of p, as many as r has, for the caller to fill from the first on. They may be r
// itself: what was read of r may be written over.
func (p *picked) begin(r *Rows) *Rows {
	if r != &p.rows {
		row, slot := p.rows.Row[:0], p.rows.Slot[:0]
		p.rows = *r
		p.rows.Row, p.rows.Slot = slices.Grow(row, len(r.Row))[:len(r.Row)], slices.Grow(slot, len(r.Row))[:len(r.Row)]
	}
	return &p.rows
}

// maxGap is how far apart rows may be, in the mean, for a whole stretch of a bitmap to be looked at and not them alone.
const maxGap = 64

// full tells whether a column has a value in each of these rows, which are ascending. It may say no where they are all
// there, but between them a value is missing.
func full(c *column.Column, rows []int32) bool {
	n := len(rows)
	if n == 0 {
		return true
	}
	from, to := int(rows[0]), int(rows[n-1])+1
	if to-from > maxGap*n {
		return false
	}
	// Bits before the first row and from behind the last one on are taken for set.
	first, last := from>>3, (to-1)>>3
	before, behind := byte(1)<<(from&7)-1, byte(0xfe)<<((to-1)&7)
	valid := c.Valid[first : last+1]
	if len(valid) == 1 {
		return valid[0]|before|behind == math.MaxUint8
	}
	if valid[0]|before != math.MaxUint8 || valid[len(valid)-1]|behind != math.MaxUint8 {
		return false
	}
	valid = valid[1 : len(valid)-1]
	for len(valid) >= 8 {
		if binary.LittleEndian.Uint64(valid) != math.MaxUint64 {
			return false
		}
		valid = valid[8:]
	}
	return !slices.ContainsFunc(valid, func(b byte) bool { return b != math.MaxUint8 })
}
