package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
)

// chosen are the rows of one Add that belong to an entity, and whose they are.
type chosen struct {
	row  []int32
	slot []int32
	hash []uint64
	keys []byte // the rows' keys, one after the other
	end  []int  // where each ends
}

// chooseRows finds the rows [from,to) that are accepted and belong to an entity, and their slots. Keys are built and
// hashed for all rows before any is looked up: the lookups then wait for memory side by side.
func (f *Fold) chooseRows(r *reader, b *column.Batch, from, to int) {
	c := &f.chosen
	c.row, c.slot, c.hash, c.keys, c.end = c.row[:0], c.slot[:0], c.hash[:0], c.keys[:0], c.end[:0]
	r.openKeys(b)
	for i := from; i < to; i++ {
		if b.Reject[i] != 0 {
			continue
		}
		begin := len(c.keys)
		keys, ok := r.appendKey(c.keys, i)
		if !ok {
			continue
		}
		c.keys = keys
		c.row, c.hash, c.end = append(c.row, int32(i)), append(c.hash, Hash(keys[begin:])), append(c.end, len(keys))
	}
	begin := 0
	for i, hash := range c.hash {
		c.slot = append(c.slot, f.findOrAdd(hash, c.keys[begin:c.end[i]]))
		begin = c.end[i]
	}
}

// account counts the chosen rows in their entities: newest event time, events, last offset. It also lists the slots
// touched.
func (f *Fold) account(rank int, b *column.Batch) {
	f.touched = f.touched[:0]
	if f.stamp++; f.stamp == 0 { // wrapped around: forget the old stamps
		for i := range f.entities {
			f.entities[i].stamp = 0
		}
		f.stamp = 1
	}
	if len(f.chosen.row) == 0 {
		return
	}
	id := f.partID(rank, b.Partition)
	for i, row := range f.chosen.row {
		slot := f.chosen.slot[i]
		f.newest[slot] = max(f.newest[slot], b.Time[row])
		e := &f.entities[slot]
		e.events++
		if e.part == id {
			e.last = max(e.last, b.Offset[row])
		} else {
			f.raise(e, id, b.Offset[row])
		}
		if e.stamp != f.stamp {
			e.stamp = f.stamp
			f.touched = append(f.touched, slot)
		}
	}
}

// partID returns the index of a partition in f.parts.
func (f *Fold) partID(rank int, partition int32) int32 {
	p := part{int32(rank), partition}
	if i := slices.Index(f.parts, p); i >= 0 {
		return int32(i)
	}
	f.parts = append(f.parts, p)
	return int32(len(f.parts) - 1)
}

// raise makes a partition other than the one at hand the entity's partition at hand, and its last offset at least last:
// batches come partition by partition, so that the next rows find it there.
func (f *Fold) raise(e *entity, id int32, last int64) {
	if e.part < 0 {
		e.part, e.last = id, last
		return
	}
	at := e.more
	for at >= 0 && f.cells[at].part != id {
		at = f.cells[at].more
	}
	if at < 0 {
		f.cells = append(f.cells, cell{last: e.last, part: e.part, more: e.more})
		e.part, e.last, e.more = id, last, int32(len(f.cells)-1)
		return
	}
	c := &f.cells[at]
	c.part, e.part = e.part, c.part
	c.last, e.last = e.last, max(c.last, last)
}
