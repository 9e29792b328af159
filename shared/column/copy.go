package column

// AppendRow adds a copy of row i of src, a batch of the same source. Archive columns are copied where both have them.
func (b *Batch) AppendRow(src *Batch, i int) {
	b.N++
	b.Offset, b.Time, b.Append = append(b.Offset, src.Offset[i]), append(b.Time, src.Time[i]), append(b.Append, src.Append[i])
	b.AppendType, b.Reject = append(b.AppendType, src.AppendType[i]), append(b.Reject, src.Reject[i])
	for c := range b.Cols {
		b.Cols[c].AppendFrom(&src.Cols[c], i)
	}
	if b.Archive == nil || src.Archive == nil {
		return
	}
	from := src.Archive.columns()
	for k, c := range b.Archive.columns() {
		c.AppendFrom(from[k], i)
	}
}

// AppendFrom adds a copy of row i of src; of a column that was not read, or has no such row, it adds a
// null. Both are columns of one form: bytes, or of fixed width.
func (c *Column) AppendFrom(src *Column, i int) {
	switch {
	case i >= src.N || !src.Present(i):
		c.AppendNull()
	case c.Type.IsBytes():
		c.AppendBytes(src.BytesAt(i))
	default:
		c.AppendInt(src.Ints[i])
	}
}

// AppendAll adds copies of rows of src, nulls if it was not read. Otherwise it must have them all. Both are columns of one form.
func (c *Column) AppendAll(src *Column, rows []int32) {
	if c.Type.IsBytes() || src.N == 0 {
		for _, row := range rows {
			c.AppendFrom(src, int(row))
		}
		return
	}
	c.Ints, c.Valid = room(c.Ints, len(rows)), room(c.Valid, len(rows)/8+1)
	for _, row := range rows {
		c.AppendOptional(src.Ints[row], src.Present(int(row)))
	}
}
