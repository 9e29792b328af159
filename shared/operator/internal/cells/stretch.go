package cells

// Rows come as they are folded: a row at times[row] belongs to its slot, whose entity's newest event time is newest[slot].
// Mostly many of one slot stand one after the other, and many of these fall into one bucket: such a stretch is looked up
// once. Rows that come in any other order make short stretches, and cost a lookup each.

// feed is the rows that are being added.
type feed struct {
	rows, slots   []int32
	times, newest []int64
	at            int // those before are taken
}

// Begin makes these rows the ones that Next goes through; slots[i] is that of rows[i]. All four must stay as they are
// until the end.
func (c *Cells) Begin(rows, slots []int32, times, newest []int64) {
	c.feed = feed{rows: rows, slots: slots[:len(rows)], times: times, newest: newest}
}

// Next returns the rows of the next stretch and the aggregate of its cell, for the caller to add them all to; fresh says
// that it is new and all zeros. It is valid until the next call. Rows that no reader reaches are passed over. At the end it
// returns no rows.
func (c *Cells) Next() (rows []int32, w []uint64, fresh bool) {
	f := &c.feed
	for f.at < len(f.rows) {
		from := f.at
		slot, t := f.slots[from], f.times[f.rows[from]]
		newest, code, ok := f.newest[slot], c.code, true
		if t < c.low || t >= c.high || newest-t > c.near { // otherwise it is as Code says, without a call
			code, ok = c.place(t, newest)
		}
		if f.at++; f.at < len(f.slots) && f.slots[f.at] == slot {
			f.at = c.together()
		}
		if !ok {
			continue
		}
		rows = f.rows[from:f.at]
		if w = c.Last(slot); w != nil && w[0] == code { // as mostly, without a call
			return rows, w[1:], false
		}
		w, fresh = c.search(slot, code, 0, newest)
		return rows, w, fresh
	}
	return nil, nil, false
}

// together returns where the rows end that are of the same slot as the one before, and of the bucket of the finest hop that
// Code has just found for that: wherever this bucket belongs now, all of it does, because hops nest.
func (c *Cells) together() (end int) {
	f, end := &c.feed, c.feed.at
	rows, slots := f.rows, f.slots[:len(f.rows)]
	slot := slots[end-1]
	if c.tiers[0].Hop == 0 {
		for end < len(slots) && slots[end] == slot {
			end++
		}
		return end
	}
	low, width := c.low, uint64(c.high-c.low)
	for end < len(rows) && slots[end] == slot && uint64(f.times[rows[end]]-low) < width {
		end++
	}
	return end
}
