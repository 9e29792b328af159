package column

import "math"

// Dictionary is the values of a column of bytes one after the other, those of several batches: columns that rows of these
// batches are appended to share it.
type Dictionary struct {
	offsets []int32
	bytes   []byte
}

// Reset forgets all values and keeps the memory.
func (d *Dictionary) Reset() { d.offsets, d.bytes = d.offsets[:0], d.bytes[:0] }

// Size returns how many bytes the values and their places take.
func (d *Dictionary) Size() int64 { return int64(len(d.bytes)) + 4*int64(len(d.offsets)) }

// Add adds the values of a column and returns the number of the first. In all they must not pass MaxBytes.
func (d *Dictionary) Add(c *Column) (first int32) {
	if len(d.offsets) == 0 {
		d.offsets = append(d.offsets, 0)
	}
	first = int32(len(d.offsets) - 1)
	shift := int32(len(d.bytes)) - c.Offsets[0]
	d.offsets = room(d.offsets, len(c.Offsets)-1)
	for _, end := range c.Offsets[1:] {
		d.offsets = append(d.offsets, shift+end)
	}
	values := c.Bytes[c.Offsets[0]:c.Offsets[len(c.Offsets)-1]]
	d.bytes = append(room(d.bytes, len(values)), values...)
	return first
}

// Share makes c, whose rows were appended with the numbers of d's values, show them. It is valid until d is added to.
func (c *Column) Share(d *Dictionary) { c.Offsets, c.Bytes = d.offsets, d.bytes }

// Taken is a column that rows are taken from, to be appended to many.
type Taken struct {
	From  *Column
	First int32 // of a column of bytes: the number that its first value has in the dictionary
	full  bool  // no row is null
}

// Take prepares a column for rows to be taken from it.
func Take(from *Column, first int32) Taken {
	return Taken{From: from, First: first, full: allSet(from.Valid, from.N)}
}

// AppendRows appends the picked rows of a column. A column of bytes gets their values' numbers, and must be made to Share the
// dictionary before it is read; one of fixed width gets no integers: those are the caller's to keep. c must be empty or of
// rows of this type, and nothing else may be appended to it.
func (c *Column) AppendRows(t Taken, p *Picked) {
	c.Type, c.Scale = t.From.Type, t.From.Scale
	c.appendValid(t, p)
	switch {
	case !c.Type.IsBytes():
	case t.From.Index != nil:
		c.Index = room(c.Index, len(p.rows))
		for _, row := range p.rows {
			c.Index = append(c.Index, t.First+t.From.Index[row])
		}
	default:
		c.Index = room(c.Index, len(p.rows))
		for _, row := range p.rows {
			c.Index = append(c.Index, t.First+row)
		}
	}
}

// AppendRows appends the picked rows of from to dst.
func AppendRows[T int32 | int64 | ~uint16](dst, from []T, p *Picked) []T {
	n := len(dst)
	dst = room(dst, len(p.rows))[:n+len(p.rows)]
	to := dst[n:]
	if p.runs == nil {
		gatherTo(to, from, p.rows)
		return dst
	}
	for _, run := range p.runs {
		copy(to, from[run.from:run.from+run.n])
		to = to[run.n:]
	}
	return dst
}

// Away is what AppendNear appends for an integer that is too far from the first.
const Away = math.MinInt32

// AppendNear appends to dst how much more than first the picked rows of from are, as far as that takes four bytes; Away for
// the others, of which far tells whether there are any. What is more by Away counts as one of these.
func AppendNear(dst []int32, from []int64, first int64, p *Picked) (grown []int32, far bool) {
	n := len(dst)
	dst = room(dst, len(p.rows))[:n+len(p.rows)]
	to := dst[n:]
	if p.runs == nil {
		for i, row := range p.rows {
			more := Near(from[row], first)
			to[i] = more
			far = far || more == Away
		}
		return dst, far
	}
	for _, run := range p.runs {
		for i, value := range from[run.from : run.from+run.n] {
			more := Near(value, first)
			to[i] = more
			far = far || more == Away
		}
		to = to[run.n:]
	}
	return dst, far
}

// Near returns how much more than first a value is, or Away. The difference may wrap around, as their sum does again.
func Near(value, first int64) int32 {
	more := value - first
	if more != int64(int32(more)) {
		return Away
	}
	return int32(more)
}

// room returns s with room for n more. It doubles, which costs less than the runtime's steps of a quarter: those who append
// so go on appending. Of batches of about one size it has room for a power of two, and is not doubled for a last few rows.
func room[T any](s []T, n int) []T {
	if len(s)+n <= cap(s) {
		return s
	}
	larger := make([]T, len(s), max(len(s)+n+n/32, 2*cap(s)))
	copy(larger, s)
	return larger
}

// appendValid appends to the bitmap of presence, and counts the rows.
func (c *Column) appendValid(t Taken, p *Picked) {
	n := c.N
	c.N += len(p.rows)
	had := len(c.Valid)
	c.Valid = room(c.Valid, (c.N+7)/8-had)[:(c.N+7)/8]
	clear(c.Valid[had:])
	switch {
	case t.full:
		setBits(c.Valid, n, c.N)
	case p.runs != nil:
		for _, run := range p.runs {
			copyBits(c.Valid, n, t.From.Valid, int(run.from), int(run.n))
			n += int(run.n)
		}
	default:
		for _, row := range p.rows {
			c.Valid[n>>3] |= t.From.Valid[row>>3] >> (row & 7) & 1 << (n & 7)
			n++
		}
	}
}

// Clear drops all rows of a column that they were appended to so, and keeps the memory.
func (c *Column) Clear() {
	c.N, c.Ints, c.Index, c.Valid, c.Offsets, c.Bytes = 0, c.Ints[:0], c.Index[:0], c.Valid[:0], nil, nil
}
