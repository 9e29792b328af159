package column

import (
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Column is one column of values, all of one type. Null rows hold 0, or an empty string.
type Column struct {
	Type  schema.Type
	Scale int // digits after the point of a Decimal

	// Ints holds the values of fixed-width types, one a row.
	Ints []int64

	// Offsets and Bytes hold the values of String and JSON: value i is Bytes[Offsets[i]:Offsets[i+1]]. With a non-nil
	// Index they hold a dictionary instead, and row i has the value Index[i] of it.
	Offsets []int32
	Bytes   []byte
	Index   []int32

	// Valid is the bitmap of presence, bit i%8 of byte i/8; its bits past the last row are 0.
	Valid []byte
	N     int
}

// MaxBytes bounds the byte arena of one column, so that offsets stay in int32 (Arrow's layout).
const MaxBytes = 1<<31 - 1

// NewColumn returns an empty column of type t.
func NewColumn(t schema.Type, scale int) Column {
	c := Column{Type: t, Scale: scale}
	if t.IsBytes() {
		c.Offsets = append(c.Offsets, 0)
	}
	return c
}

// Reset empties the column and keeps its memory. A dictionary is dropped.
func (c *Column) Reset() {
	c.N, c.Ints, c.Bytes, c.Valid, c.Index = 0, c.Ints[:0], c.Bytes[:0], c.Valid[:0], nil
	if c.Type.IsBytes() {
		c.Offsets = append(c.Offsets[:0], 0)
	}
}

// Present tells whether row i holds a value.
func (c *Column) Present(i int) bool { return c.Valid[i>>3]&(1<<(i&7)) != 0 }

// BytesAt returns the value of row i of a String or JSON column; it is valid until the column is reset or grows.
func (c *Column) BytesAt(i int) []byte {
	if c.Index != nil {
		i = int(c.Index[i])
	}
	return c.Bytes[c.Offsets[i]:c.Offsets[i+1]]
}

func (c *Column) grow(present bool) {
	if c.N&7 == 0 {
		c.Valid = append(c.Valid, 0)
	}
	if present {
		c.Valid[c.N>>3] |= 1 << (c.N & 7)
	}
	c.N++
}

// AppendInt adds a row with the value v.
func (c *Column) AppendInt(v int64) {
	c.Ints = append(c.Ints, v)
	c.grow(true)
}

// AppendOptional adds a row with the value v of a fixed-width type, or a null. It has no branch on which of the two: what
// records lack is beyond what a processor guesses.
func (c *Column) AppendOptional(v int64, present bool) {
	var one uint8
	if present {
		one = 1
	}
	c.Ints = append(c.Ints, v&-int64(one))
	if c.N&7 == 0 {
		c.Valid = append(c.Valid, 0)
	}
	c.Valid[c.N>>3] |= one << (c.N & 7)
	c.N++
}

// AppendBytes adds a row with a copy of v. The column must not have a dictionary.
func (c *Column) AppendBytes(v []byte) {
	c.Bytes = append(c.Bytes, v...)
	c.EndBytes()
}

// EndBytes adds a row whose value is what the caller has appended to Bytes since the last row, so that a value can be
// built in place. The column must not have a dictionary, and its arena must not pass MaxBytes.
func (c *Column) EndBytes() {
	// The arguments of invariant.Check would be boxed for every row: the branch stands here.
	if c.Index != nil || len(c.Bytes) > MaxBytes {
		invariant.Fail("appending to a column with an arena of %d bytes, dictionary: %t", len(c.Bytes), c.Index != nil)
	}
	c.Offsets = append(c.Offsets, int32(len(c.Bytes)))
	c.grow(true)
}

// AppendNull adds a row without a value.
func (c *Column) AppendNull() {
	if c.Type.IsBytes() {
		c.Offsets = append(c.Offsets, int32(len(c.Bytes)))
	} else {
		c.Ints = append(c.Ints, 0)
	}
	c.grow(false)
}

// Truncate drops all rows from n on. The column must not have a dictionary.
func (c *Column) Truncate(n int) {
	if n >= c.N {
		return
	}
	c.N = n
	c.Valid = c.Valid[:(n+7)/8]
	if n&7 != 0 {
		c.Valid[n>>3] &= 1<<(n&7) - 1
	}
	if c.Type.IsBytes() {
		c.Offsets = c.Offsets[:n+1]
		c.Bytes = c.Bytes[:c.Offsets[n]]
	} else {
		c.Ints = c.Ints[:n]
	}
}
