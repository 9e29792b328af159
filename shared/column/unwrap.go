package column

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// ErrRecord is the class of errors for an Arrow record that is not one that Record could have made for the source.
var ErrRecord = errors.New("arrow record does not fit its source")

// FromRecord is the inverse of Record: it wraps an Arrow record of src as a batch of partition. Values are shared with
// the record (the bitmaps are copied), so the record must be retained as long as the batch is used, and the batch must
// not be Reset. It checks everything that later code relies on: names, types, lengths, offsets in order, values in the
// range of their logical type, rejected rows empty. It does not look into strings. Faults are all 0, Archive is nil.
// Every error is of class ErrRecord.
func FromRecord(src *schema.Source, partition int32, rec arrow.Record) (*Batch, error) {
	if got, want := int(rec.NumCols()), len(systemColumns)+len(src.Fields); got != want {
		return nil, fmt.Errorf("%w: %d columns, source %s has %d", ErrRecord, got, src.Name, want)
	}
	b := NewBatch(src, partition, false)
	b.N = int(rec.NumRows())
	if err := b.unwrapSystem(rec); err != nil {
		return nil, err
	}
	for i := range src.Fields {
		at := len(systemColumns) + i
		if err := b.Cols[i].unwrap(&src.Fields[i], rec.Schema().Field(at), rec.Column(at)); err != nil {
			return nil, fmt.Errorf("%w: column %q: %w", ErrRecord, rec.ColumnName(at), err)
		}
	}
	return b, b.checkRows()
}

func (b *Batch) unwrapSystem(rec arrow.Record) error {
	for i, f := range systemColumns {
		if rec.ColumnName(i) != f.Name || !arrow.TypeEqual(rec.Column(i).DataType(), f.Type) || rec.Column(i).NullN() != 0 {
			return fmt.Errorf("%w: column %d is %q of type %s with %d nulls, want %q of type %s without", ErrRecord, i,
				rec.ColumnName(i), rec.Column(i).DataType(), rec.Column(i).NullN(), f.Name, f.Type)
		}
	}
	b.Offset, b.Time, b.Append = int64Values(rec.Column(0)), int64Values(rec.Column(1)), int64Values(rec.Column(2))
	types := uint8Values(rec.Column(3))
	for i, t := range types {
		if TimeType(t) > LogAppendTime {
			return fmt.Errorf("%w: row %d: unknown type of append time %d", ErrRecord, i, t)
		}
	}
	b.AppendType = unsafe.Slice((*TimeType)(unsafe.SliceData(types)), len(types))
	b.Reject = uint8Values(rec.Column(4))
	return nil
}

// checkRows checks what concerns a row as a whole.
func (b *Batch) checkRows() error {
	for i, offset := range b.Offset {
		if offset < 0 || i > 0 && offset <= b.Offset[i-1] {
			return fmt.Errorf("%w: row %d: offset %d is out of order", ErrRecord, i, offset)
		}
		if b.Time[i] < 0 || b.Time[i] > schema.MaxTime || b.Reject[i] != 0 && b.Time[i] != 0 {
			return fmt.Errorf("%w: row %d: event time %d with reject reason %d", ErrRecord, i, b.Time[i], b.Reject[i])
		}
		if b.Reject[i] == 0 {
			continue
		}
		for c := range b.Cols {
			if b.Cols[c].Present(i) {
				return fmt.Errorf("%w: row %d is rejected but has a value in %q", ErrRecord, i, b.Source.Fields[c].Name)
			}
		}
	}
	return nil
}

// The values of an array, without room behind them: an append to the batch then copies and leaves the record alone.
func int64Values(a arrow.Array) []int64 {
	if v, ok := a.(*array.Int64); ok {
		return v.Int64Values()[:v.Len():v.Len()]
	}
	return nil
}

func uint8Values(a arrow.Array) []uint8 {
	if v, ok := a.(*array.Uint8); ok {
		return v.Uint8Values()[:v.Len():v.Len()]
	}
	return nil
}

func (c *Column) unwrap(f *schema.Field, af arrow.Field, a arrow.Array) error {
	if text, ok := af.Metadata.GetValue(TypeKey); af.Name != f.Name || !ok || text != typeText(f) {
		return fmt.Errorf("it says %s %q, want %q of type %s", TypeKey, text, f.Name, typeText(f))
	}
	c.N = a.Len()
	c.Valid = bitmap(a)
	switch a := a.(type) {
	case *array.Int64:
		if f.Type.IsBytes() {
			return typeError(f, a)
		}
		c.Ints = int64Values(a)
		return c.checkInts(f)
	case *array.Dictionary:
		return c.unwrapDictionary(f, a)
	case *array.String, *array.Binary:
		if err := c.unwrapBytes(f, a); err != nil {
			return err
		}
		return c.checkEmptyNulls()
	default:
		return typeError(f, a)
	}
}

func typeError(f *schema.Field, a arrow.Array) error {
	return fmt.Errorf("arrow type %s cannot hold a %s", a.DataType(), f.Type)
}

// bitmap copies the presence bits of an array (which may be a slice of a longer one) with 0 behind the last row.
func bitmap(a arrow.Array) []byte {
	out := make([]byte, bitutil.BytesForBits(int64(a.Len())))
	if a.NullBitmapBytes() != nil {
		bitutil.CopyBitmap(a.NullBitmapBytes(), a.Data().Offset(), a.Len(), out, 0)
		return out
	}
	bitutil.SetBitsTo(out, 0, int64(a.Len()), true)
	return out
}

func (c *Column) checkInts(f *schema.Field) error {
	low, high := Range(f)
	for i, v := range c.Ints {
		if !c.Present(i) {
			if v != 0 {
				return fmt.Errorf("row %d is null but holds %d", i, v)
			}
			continue
		}
		if v < low || v > high {
			return fmt.Errorf("row %d: %d is no %s", i, v, f.Type)
		}
	}
	return nil
}

// Range returns the smallest and largest int64 that a value of a field of fixed-width type is held as.
func Range(f *schema.Field) (low, high int64) {
	switch f.Type {
	case schema.Bool:
		return 0, 1
	case schema.Int32:
		return math.MinInt32, math.MaxInt32
	case schema.Time:
		return 0, schema.MaxTime
	case schema.Enum:
		return 0, int64(len(f.Enum)) - 1
	default:
		return math.MinInt64, math.MaxInt64
	}
}

// unwrapBytes takes offsets and arena of a String or Binary array; offsets need not begin at 0.
func (c *Column) unwrapBytes(f *schema.Field, a arrow.Array) error {
	if !arrow.TypeEqual(a.DataType(), bytesType(f.Type)) {
		return typeError(f, a)
	}
	if a.Len() == 0 {
		return nil // NewColumn has made the one offset that is needed
	}
	var arena []byte
	if buffer := a.Data().Buffers()[2]; buffer != nil {
		arena = buffer.Bytes()
	}
	first, n := a.Data().Offset(), a.Len()+1
	c.Offsets = arrow.Int32Traits.CastFromBytes(a.Data().Buffers()[1].Bytes())[first : first+n : first+n]
	for i := 1; i < n; i++ {
		if c.Offsets[i] < c.Offsets[i-1] || c.Offsets[i-1] < 0 || int(c.Offsets[i]) > len(arena) {
			return fmt.Errorf("value %d: bytes [%d,%d) of %d", i-1, c.Offsets[i-1], c.Offsets[i], len(arena))
		}
	}
	end := c.Offsets[n-1]
	c.Bytes = arena[:end:end]
	return nil
}

func (c *Column) checkEmptyNulls() error {
	for i := range c.N {
		if !c.Present(i) && len(c.BytesAt(i)) != 0 {
			return fmt.Errorf("row %d is null but holds %d bytes", i, len(c.BytesAt(i)))
		}
	}
	return nil
}

func (c *Column) unwrapDictionary(f *schema.Field, a *array.Dictionary) error {
	indices, ok := a.Indices().(*array.Int32)
	if !ok || !f.Type.IsBytes() {
		return typeError(f, a)
	}
	switch a.Dictionary().(type) {
	case *array.String, *array.Binary:
	default:
		return typeError(f, a)
	}
	if a.Dictionary().NullN() != 0 {
		return fmt.Errorf("the dictionary has %d nulls", a.Dictionary().NullN())
	}
	if c.N == 0 {
		return nil
	}
	if err := c.unwrapBytes(f, a.Dictionary()); err != nil {
		return fmt.Errorf("dictionary: %w", err)
	}
	c.Index = indices.Int32Values()[:c.N:c.N]
	for i, at := range c.Index {
		// A null row must hold 0, as everywhere: there may be no value at all.
		if c.Present(i) && (at < 0 || int(at) >= a.Dictionary().Len()) || !c.Present(i) && at != 0 {
			return fmt.Errorf("row %d: no value %d in a dictionary of %d", i, at, a.Dictionary().Len())
		}
	}
	return nil
}
