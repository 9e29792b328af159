package cells

// The twins of Next and of NextKeyed with Of: rows one by one.

// Cell returns the aggregate of code in slot, for the caller to add a row to; fresh says that it is new and all zeros.
// It is valid until the next call. newest is that of the entity: what it puts out of reach may be dropped.
func (c *Cells) Cell(slot int32, code uint64, newest int64) (w []uint64, fresh bool) {
	if w = c.Last(slot); w != nil && w[0] == code {
		return w[1:], false
	}
	return c.search(slot, code, 0, newest)
}

// KeyCell is Cell with a key.
func (c *Cells) KeyCell(slot int32, code, key uint64, newest int64) (w []uint64, fresh bool) {
	if w = c.Last(slot); w != nil && w[0] == code && w[1] == key {
		return w[2:], false
	}
	return c.search(slot, code, key, newest)
}

// Stride returns the number of words of an entry.
func (c *Cells) Stride() int { return c.stride }
