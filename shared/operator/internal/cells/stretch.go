package cells

// Rows come as they are folded: a row at times[row] belongs to its slot, whose entity's newest event time is newest[slot].
// Mostly many of one slot stand one after the other, and many of these fall into one bucket: such a stretch is looked up
// once. Rows that come in any other order make short stretches, and cost a lookup each.

// feed is the rows that are being added.
type feed struct {
	rows, slots   []int32 // those that are still to come
	times, newest []int64
}

// Begin makes these rows the ones that Next goes through; slots[i] is that of rows[i]. All four must stay as they are
// until the end.
func (c *Cells) Begin(rows, slots []int32, times, newest []int64) {
	c.feed = feed{rows, slots, times, newest}
}

// Next returns the rows of the next stretch and the aggregate of its cell, for the caller to add them all to; fresh says
// that it is new and all zeros. It is valid until the next call. Rows that no reader reaches are passed over. At the end it
// returns no rows.
func (c *Cells) Next() (rows []int32, w []uint64, fresh bool) {
	rows, slot, code, newest := c.stretch()
	if len(rows) > 0 {
		w, fresh = c.Cell(slot, code, newest)
	}
	return rows, w, fresh
}

// stretch takes the rows of the next stretch off the feed.
func (c *Cells) stretch() (rows []int32, slot int32, code uint64, newest int64) {
	f := &c.feed
	for len(f.rows) > 0 {
		slot = f.slots[0]
		newest = f.newest[slot]
		code, ok := c.Code(f.times[f.rows[0]], newest)
		n := c.together()
		rows = f.rows[:n:n]
		f.rows, f.slots = f.rows[n:], f.slots[n:]
		if ok {
			return rows, slot, code, newest
		}
	}
	c.feed = feed{}
	return nil, 0, 0, 0
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
