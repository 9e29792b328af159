package cells

import "math/bits"

// Weighted are rows whose weights are added to cells with keys, the aggregates of which are sums of 128 bits: row Rows[i]
// belongs to slot Slots[i] and has key Keys[i].
type Weighted struct {
	Rows, Slots []int32
	Times       []int64 // by row
	Newest      []int64 // by slot: the newest event time of its entity
	Keys        []uint64
	Weights     []int64 // by row; nil if each is 1
}

// weight returns the weight of a row.
func (r *Weighted) weight(row int32) int64 {
	if r.Weights == nil {
		return 1
	}
	return r.Weights[row]
}

// AddWeights adds rows. Those of one slot that stand side by side are looked up together. Rows that no reader reaches are
// passed over.
func (c *Cells) AddWeights(r *Weighted) {
	slots := r.Slots[:len(r.Rows)]
	for from := 0; from < len(slots); {
		to := from + 1
		for to < len(slots) && slots[to] == slots[from] {
			to++
		}
		if to-from < manyRows {
			c.addFew(r, from, to)
		} else {
			c.addMany(r, from, to)
		}
		from = to
	}
}

// manyRows is how many rows of a slot there are at least for which its cells are put into a table.
const manyRows = 8

// addFew adds rows [from, to), which are of one slot, to the latest of its cells that are theirs.
func (c *Cells) addFew(r *Weighted, from, to int) {
	slot := r.Slots[from]
	newest := r.Newest[slot]
	for i := from; i < to; i++ {
		row, key := r.Rows[i], r.Keys[i]
		code, ok := c.Code(r.Times[row], newest)
		if !ok {
			continue
		}
		w := c.Last(slot)
		if w == nil {
			c.Reserve(slot, to-i) // at once, rather than to move at every other row
			w = c.push(slot, code, key)
		} else if w[0] == code && w[1] == key {
			w = w[2:]
		} else {
			w, _ = c.search(slot, code, key, newest)
		}
		addTo(w, r.weight(row))
	}
}

// addMany is addFew of so many rows that a table of the slot's cells pays.
func (c *Cells) addMany(r *Weighted, from, to int) {
	slot := r.Slots[from]
	newest, had := r.Newest[slot], c.Len(slot)
	all := c.All(slot)
	c.table.begin(all, max(0, had-max(to-from, lookBack)), to-from)
	for i := from; i < to; i++ {
		row, key := r.Rows[i], r.Keys[i]
		code, ok := c.Code(r.Times[row], newest)
		if !ok {
			continue
		}
		at, ok := c.table.find(all, code, key)
		if !ok && c.Room(slot) == 0 {
			if had == 0 { // no cell is there twice, nor out of reach: there is nothing to settle
				c.Reserve(slot, max(c.Len(slot), manyRows))
			} else {
				c.reserve(slot, 1, newest)
				all = c.All(slot)
				c.table.begin(all, 0, to-i)
				at, ok = c.table.find(all, code, key) // it may have been one of those that were not in the table
			}
		}
		if !ok {
			c.push(slot, code, key)
			all, at = c.All(slot), c.Len(slot)-1
			c.table.put(all, at)
		}
		addTo(all[at*sumStride+2:(at+1)*sumStride], r.weight(row))
	}
}

// sumStride is the number of words of a sum with a key: code, key, the low and the high word.
const sumStride = 4

// addTo adds v to the 128-bit integer in w.
func addTo(w []uint64, v int64) {
	lo, carry := bits.Add64(w[0], uint64(v), 0)
	w[0] = lo
	w[1] += uint64(v>>63) + carry
}
