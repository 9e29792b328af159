package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
)

// keyed are the rows of a batch that belong to an entity, and its key.
type keyed struct {
	row  []int32
	hash []uint64
	keys []byte // the rows' keys, one after the other
	end  []int  // where each ends
}

func (k *keyed) key(i int) []byte {
	begin := 0
	if i > 0 {
		begin = k.end[i-1]
	}
	return k.keys[begin:k.end[i]:k.end[i]]
}

// keyRows makes k the accepted rows [from,to) of a batch that belong to an entity.
func (r *reader) keyRows(k *keyed, b *column.Batch, from, to int) {
	k.row, k.hash, k.keys, k.end = k.row[:0], k.hash[:0], k.keys[:0], k.end[:0]
	r.openKeys(b)
	for i := from; i < to; i++ {
		if b.Reject[i] != 0 {
			continue
		}
		begin := len(k.keys)
		keys, ok := r.appendKey(k.keys, i)
		if !ok {
			continue
		}
		k.keys = keys
		k.row, k.hash, k.end = append(k.row, int32(i)), append(k.hash, Hash(keys[begin:])), append(k.end, len(keys))
	}
}

// chosen are rows and whose they are.
type chosen struct {
	row  []int32
	slot []int32
}

// choose makes f.chosen the rows with these indices in k, adding the entities that are new.
func (f *Fold) choose(k *keyed, indices []int32) {
	c := &f.chosen
	c.row, c.slot = c.row[:0], c.slot[:0]
	for len(indices) > 0 {
		n := min(len(indices), touchRows)
		f.touchKeys(k, indices[:n])
		for _, i := range indices[:n] {
			c.row, c.slot = append(c.row, k.row[i]), append(c.slot, f.findOrAdd(k.hash[i], k.key(int(i))))
		}
		indices = indices[n:]
	}
}

// touchRows is how many rows are touched, and then worked on, at a time: few enough for what was touched to be in the
// processor's nearer caches still.
const touchRows = 256

// touchKeys reads what looking up some rows will need, step by step: table, entity, key. The lookups then wait for
// memory side by side and not each for itself, which halves their time when there are many entities.
func (f *Fold) touchKeys(k *keyed, indices []int32) {
	var slots [touchRows]int32
	var at [touchRows]uint64
	n, sum := 0, uint64(0)
	for _, i := range indices {
		if slot := slotOf(f.table.entries[k.hash[i]&f.table.mask]); slot >= 0 {
			slots[n] = slot
			n++
		}
	}
	for i, slot := range slots[:n] {
		at[i] = f.entities[slot].key
		sum += uint64(f.newest[slot])
	}
	for _, key := range at[:n] {
		if key < uint64(len(f.arena)) { // not so for a last key without bytes
			sum += uint64(f.arena[key])
		}
	}
	f.touchedSum += sum
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
