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
		switch {
		case w == nil:
			c.Reserve(slot, to-i) // at once, rather than to move at every other row
			putSum(c.Extend(slot, 1), code, key, r.weight(row))
		case w[0] == code && w[1] == key:
			addTo(w[2:], r.weight(row))
		default:
			w, _ = c.search(slot, code, key, newest)
			addTo(w, r.weight(row))
		}
	}
}

// addMany is addFew of so many rows that a table of the slot's cells pays.
func (c *Cells) addMany(r *Weighted, from, to int) {
	slot := r.Slots[from]
	newest, all := r.Newest[slot], c.Open(slot)
	c.table.begin(all, max(0, len(all)/sumStride-max(to-from, lookBack)), to-from)
	for i := from; i < to; i++ {
		row, key := r.Rows[i], r.Keys[i]
		t, code := r.Times[row], c.code
		if t < c.low || t >= c.high || newest-t > c.near {
			var ok bool
			if code, ok = c.place(t, newest); !ok {
				continue
			}
		}
		weight := r.weight(row)
		at, free, ok := c.table.find(all, code, key)
		if !ok && len(all) == cap(all) {
			all = c.more(all, slot, newest, to-i)
			at, free, ok = c.table.find(all, code, key) // it may have been one of those that were not in the table
		}
		if ok {
			addTo(all[at*sumStride+2:(at+1)*sumStride], weight)
			continue
		}
		all = append(all, code, key, uint64(weight), uint64(weight>>63))
		c.table.put(free, all, len(all)/sumStride-1)
	}
	c.Cut(slot, len(all)/sumStride)
}

// more makes room in a full slot, to which up to so many rows are still to be added. If no cell is there twice, nor out of
// reach, there is nothing to settle.
func (c *Cells) more(all []uint64, slot int32, newest int64, rows int) []uint64 {
	n := len(all) / sumStride
	c.Cut(slot, n)
	if c.table.whole() && c.allStay(all, newest) {
		c.Reserve(slot, max(n, manyRows))
		return c.Open(slot)
	}
	c.reserve(slot, 1, newest)
	all = c.Open(slot)
	c.table.begin(all, 0, rows)
	return all
}

// joinSums is join of all entries that are packed, without a call for each.
func (c *Cells) joinSums(all []uint64) {
	o := &c.order
	out := room(c.out, len(all))
	n, key, code := 0, uint64(0), ^uint64(0) // of the last one; no code is so high
	for _, p := range o.packed {
		at := int(p&o.mask) * sumStride
		from := all[at : at+sumStride : at+sumStride]
		if from[0] != code || from[1] != key {
			if n > 0 && out[n-2]|out[n-1] == 0 {
				n -= sumStride
			}
			code, key = from[0], from[1]
			copy(out[n:n+sumStride], from)
			n += sumStride
			continue
		}
		lo, carry := bits.Add64(out[n-2], from[2], 0)
		out[n-2], out[n-1] = lo, out[n-1]+from[3]+carry
	}
	c.out = out[:n]
}

// allStay tells whether all cells belong at newest where they are.
func (c *Cells) allStay(all []uint64, newest int64) bool {
	for at := 0; at < len(all); at += c.stride {
		if !c.stays(all[at], newest) {
			return false
		}
	}
	return true
}

// sumStride is the number of words of a sum with a key: code, key, the low and the high word.
const sumStride = 4

// putSum writes all words of an entry.
func putSum(w []uint64, code, key uint64, v int64) {
	w[0], w[1], w[2], w[3] = code, key, uint64(v), uint64(v>>63)
}

// addTo adds v to the 128-bit integer in w.
func addTo(w []uint64, v int64) {
	lo, carry := bits.Add64(w[0], uint64(v), 0)
	w[0] = lo
	w[1] += uint64(v>>63) + carry
}
