package column

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// TypeKey is the key of the field metadata that holds a column's logical type ("int32", "decimal(2)", "enum", …), since
// all fixed-width types are Int64 in Arrow.
const TypeKey = "tidemark.type"

// systemColumns stand before the declared fields in every Arrow record, in this order.
var systemColumns = []arrow.Field{
	{Name: "_offset", Type: arrow.PrimitiveTypes.Int64},
	{Name: "_time", Type: arrow.PrimitiveTypes.Int64},
	{Name: "_append", Type: arrow.PrimitiveTypes.Int64},
	{Name: "_append_type", Type: arrow.PrimitiveTypes.Uint8},
	{Name: "_reject", Type: arrow.PrimitiveTypes.Uint8},
}

// Record wraps the batch as an Arrow record without copying: _offset, _time, _append, _append_type, _reject, then the
// declared fields (fixed-width types as Int64, string as String, json as Binary; a column with a dictionary as
// Dictionary<int32, …>). The record shares the batch's memory: neither append to nor reset the batch while the record is
// in use. Faults and what is kept for the archive are not part of it. The caller releases the record.
func (b *Batch) Record() arrow.Record {
	fields := append(make([]arrow.Field, 0, len(systemColumns)+len(b.Cols)), systemColumns...)
	data := append(make([]arrow.ArrayData, 0, cap(fields)),
		wrapFixed(arrow.PrimitiveTypes.Int64, b.N, nil, 0, int64Bytes(b.Offset)),
		wrapFixed(arrow.PrimitiveTypes.Int64, b.N, nil, 0, int64Bytes(b.Time)),
		wrapFixed(arrow.PrimitiveTypes.Int64, b.N, nil, 0, int64Bytes(b.Append)),
		wrapFixed(arrow.PrimitiveTypes.Uint8, b.N, nil, 0, timeTypeBytes(b.AppendType)),
		wrapFixed(arrow.PrimitiveTypes.Uint8, b.N, nil, 0, b.Reject),
	)
	for i := range b.Cols {
		c := &b.Cols[i]
		fields = append(fields, c.arrowField(&b.Source.Fields[i]))
		data = append(data, c.wrap())
	}
	arrays := make([]arrow.Array, len(data))
	for i, d := range data {
		arrays[i] = array.MakeFromData(d)
		defer arrays[i].Release()
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), arrays, int64(b.N))
}

// NullCount returns how many rows hold no value.
func (c *Column) NullCount() int { return c.N - bitutil.CountSetBits(c.Valid, 0, c.N) }

// typeText is the logical type as it stands in field metadata.
func typeText(f *schema.Field) string {
	if f.Type == schema.Decimal {
		return fmt.Sprintf("decimal(%d)", f.Scale)
	}
	return f.Type.String()
}

func (c *Column) arrowField(f *schema.Field) arrow.Field {
	return arrow.Field{
		Name: f.Name, Type: c.arrowType(), Nullable: true,
		Metadata: arrow.NewMetadata([]string{TypeKey}, []string{typeText(f)}),
	}
}

func (c *Column) arrowType() arrow.DataType {
	if !c.Type.IsBytes() {
		return arrow.PrimitiveTypes.Int64
	}
	if c.Index != nil {
		return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: bytesType(c.Type)}
	}
	return bytesType(c.Type)
}

func bytesType(t schema.Type) arrow.DataType {
	if t == schema.String {
		return arrow.BinaryTypes.String
	}
	return arrow.BinaryTypes.Binary
}

func (c *Column) wrap() arrow.ArrayData {
	nulls := c.NullCount()
	if !c.Type.IsBytes() {
		return wrapFixed(c.arrowType(), c.N, c.Valid, nulls, int64Bytes(c.Ints))
	}
	if c.Index == nil {
		return wrapBytes(bytesType(c.Type), c.N, c.Valid, nulls, c)
	}
	values := wrapBytes(bytesType(c.Type), len(c.Offsets)-1, nil, 0, c)
	defer values.Release()
	buffers := []*memory.Buffer{memory.NewBufferBytes(c.Valid), memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.Index))}
	return array.NewDataWithDictionary(c.arrowType(), c.N, buffers, nulls, 0, values)
}

func wrapFixed(t arrow.DataType, n int, valid []byte, nulls int, values []byte) *array.Data {
	return array.NewData(t, n, []*memory.Buffer{bitmapBuffer(valid), memory.NewBufferBytes(values)}, nil, nulls, 0)
}

func wrapBytes(t arrow.DataType, n int, valid []byte, nulls int, c *Column) *array.Data {
	buffers := []*memory.Buffer{
		bitmapBuffer(valid), memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.Offsets)), memory.NewBufferBytes(c.Bytes),
	}
	return array.NewData(t, n, buffers, nil, nulls, 0)
}

// bitmapBuffer returns no buffer for no bitmap, which means in Arrow that every row is present.
func bitmapBuffer(valid []byte) *memory.Buffer {
	if valid == nil {
		return nil
	}
	return memory.NewBufferBytes(valid)
}

func int64Bytes(v []int64) []byte { return arrow.Int64Traits.CastToBytes(v) }

// timeTypeBytes views the slice as bytes: TimeType is one byte, in Arrow's layout too.
func timeTypeBytes(v []TimeType) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}
