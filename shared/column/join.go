package column

import "slices"

// Join adds the rows of src, a batch of the same partition, with these of its columns; rows of src come behind those of b.
// What is done for a batch as a whole is then done for several at once. Columns of bytes become dictionaries, in which a
// value may stand more than once. The first rows that a batch with N = 0 gets replace whatever it held. Archive columns and
// Faults are not joined. The arena of a column must not pass MaxBytes.
func (b *Batch) Join(src *Batch, cols []int) {
	if b.N == 0 {
		b.Source, b.Partition = src.Source, src.Partition
		b.Offset, b.Time, b.Append = b.Offset[:0], b.Time[:0], b.Append[:0]
		b.AppendType, b.Reject = b.AppendType[:0], b.Reject[:0]
		b.Cols = slices.Grow(b.Cols[:0], len(src.Cols))[:len(src.Cols)]
		for _, i := range cols {
			b.Cols[i].empty(&src.Cols[i])
		}
	}
	b.N += src.N
	b.Offset, b.Time, b.Append = append(b.Offset, src.Offset[:src.N]...), append(b.Time, src.Time[:src.N]...), append(b.Append, src.Append[:src.N]...)
	b.AppendType, b.Reject = append(b.AppendType, src.AppendType[:src.N]...), append(b.Reject, src.Reject[:src.N]...)
	for _, i := range cols {
		b.Cols[i].join(&src.Cols[i])
	}
}

// empty makes c a column without rows, for rows of the form of src to be joined.
func (c *Column) empty(src *Column) {
	*c = Column{
		Type: src.Type, Scale: src.Scale,
		Ints: c.Ints[:0], Offsets: c.Offsets[:0], Bytes: c.Bytes[:0], Index: c.Index[:0], Valid: c.Valid[:0],
	}
	if c.Type.IsBytes() {
		c.Offsets = append(c.Offsets, 0)
	} else {
		c.Index = nil // what has one, be it without entries, is taken for a dictionary
	}
}

func (c *Column) join(src *Column) {
	c.joinValid(src)
	if !src.Type.IsBytes() {
		c.Ints = append(c.Ints, src.Ints[:src.N]...)
		return
	}
	base := int32(len(c.Offsets) - 1)
	c.Index = slices.Grow(c.Index, src.N)
	if src.Index != nil {
		for _, value := range src.Index[:src.N] {
			c.Index = append(c.Index, base+value)
		}
	} else {
		for row := range int32(src.N) {
			c.Index = append(c.Index, base+row)
		}
	}
	shift := int32(len(c.Bytes)) - src.Offsets[0]
	c.Offsets = slices.Grow(c.Offsets, len(src.Offsets)-1)
	for _, end := range src.Offsets[1:] {
		c.Offsets = append(c.Offsets, shift+end)
	}
	c.Bytes = append(c.Bytes, src.Bytes[src.Offsets[0]:src.Offsets[len(src.Offsets)-1]]...)
}

// joinValid joins the bitmaps of presence: byte by byte where the rows of c end with a byte, as they nearly always do.
func (c *Column) joinValid(src *Column) {
	if c.N&7 == 0 {
		c.Valid = append(c.Valid, src.Valid[:(src.N+7)/8]...)
		c.N += src.N
		return
	}
	for i := range src.N {
		c.grow(src.Present(i))
	}
}
