package cells

// Rows come as they are folded: a row at times[row] belongs to its slot, whose entity's newest event time is newest[slot].
// Mostly many of one slot stand one after the other, and many of these fall into one bucket: such a stretch is looked up
// once. Rows that come in any other order make short stretches, and cost a lookup each.

// feed is the rows that are being added.
type feed struct {
	rows, slots   []int32 // those that are still to come
	times, newest []int64
	at            int // how many have been taken
}

// Begin makes these rows the ones that Next goes through; slots[i] is that of rows[i]. All four must stay as they are
// until the end.
func (c *Cells) Begin(rows, slots []int32, times, newest []int64) {
	c.feed = feed{rows: rows, slots: slots, times: times, newest: newest}
}

// stretch is rows of one slot and one bucket.
type stretch struct {
	rows   []int32
	slot   int32
	code   uint64
	newest int64 // of the slot
}

// Next returns the rows of the next stretch and the aggregate of its cell, for the caller to add them all to; fresh says
// that it is new and all zeros. It is valid until the next call. Rows that no reader reaches are passed over. At the end it
// returns no rows.
func (c *Cells) Next() (rows []int32, w []uint64, fresh bool) {
	s := c.next()
	if len(s.rows) > 0 {
		w, fresh = c.Cell(s.slot, s.code, s.newest)
	}
	return s.rows, w, fresh
}

// next takes the rows of the next stretch that readers reach off the feed; at the end it returns none.
func (c *Cells) next() stretch {
	f := &c.feed
	for len(f.rows) > 0 {
		slot := f.slots[0]
		newest := f.newest[slot]
		code, ok := c.Code(f.times[f.rows[0]], newest)
		n := c.together()
		rows := f.rows[:n]
		f.rows, f.slots, f.at = f.rows[n:], f.slots[n:], f.at+n
		if ok {
			return stretch{rows, slot, code, newest}
		}
	}
	c.feed = feed{}
	return stretch{}
}

// NextKeyed is Next of cells with keys: it returns which rows make the next stretch, [from, to) of those given to Begin,
// for the caller to add each to the aggregate that Of returns for its key. At the end there are none.
func (c *Cells) NextKeyed() (from, to int) {
	c.stretch = c.next()
	s := &c.stretch
	if n := len(s.rows); n >= longStretch && (!c.places.Of(s.slot) || c.placed != s.code) {
		c.remember(s.slot, s.code, max(n, lookBack))
	}
	return c.feed.at - len(s.rows), c.feed.at
}

// longStretch is how many rows a stretch has at least for which the places of cells are remembered.
const longStretch = 4

// remember makes the places those of the cells with a code among the latest entries of slot.
func (c *Cells) remember(slot int32, code uint64, latest int) {
	c.places.Begin(slot)
	c.placed = code
	all, n := c.All(slot), c.Len(slot)
	for at := max(0, n-latest); at < n; at++ {
		if w := all[at*c.stride:]; w[0] == code {
			c.places.Put(w[1], at)
		}
	}
}

// Of returns the aggregate of a key in the stretch that NextKeyed returned, for the caller to add a row to; new ones are
// all zeros. It is valid until the next call.
func (c *Cells) Of(key uint64) []uint64 {
	s := &c.stretch
	if len(s.rows) < longStretch {
		w, _ := c.KeyCell(s.slot, s.code, key, s.newest)
		return w
	}
	if at, ok := c.places.At(key); ok {
		all := c.All(s.slot)
		return all[at*c.stride+2 : (at+1)*c.stride]
	}
	if c.reserve(s.slot, 1, s.newest); !c.places.Of(s.slot) {
		c.remember(s.slot, s.code, c.Len(s.slot))
		if at, ok := c.places.At(key); ok { // it was among those that had not been remembered
			all := c.All(s.slot)
			return all[at*c.stride+2 : (at+1)*c.stride]
		}
	}
	c.places.Put(key, c.Len(s.slot))
	return c.push(s.slot, s.code, key)
}

// together returns how many of the first rows of the feed are of one slot and of the bucket of the finest hop that Code has
// just found for the first of them: wherever that bucket belongs now, all of it does, because hops nest.
func (c *Cells) together() (n int) {
	f := &c.feed
	slot, n := f.slots[0], 1
	if c.tiers[0].Hop == 0 {
		for n < len(f.slots) && f.slots[n] == slot {
			n++
		}
		return n
	}
	rows, low, width := f.rows[:len(f.slots)], c.low, uint64(c.high-c.low)
	for n < len(f.slots) && f.slots[n] == slot && uint64(f.times[rows[n]]-low) < width {
		n++
	}
	return n
}
