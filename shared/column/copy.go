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
