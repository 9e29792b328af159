package archivefile

import (
	"github.com/parquet-go/parquet-go"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// dictionaries decides, from the first row group, which byte columns are written with a dictionary: those whose values
// stand twice or more on average. The choice follows from the rows alone.
func dictionaries(l layout, b *column.Batch) []bool {
	chosen := make([]bool, l.columns())
	for i := range b.Cols {
		if l.isBytes(firstField + i) {
			chosen[firstField+i] = repeats(&b.Cols[i])
		}
	}
	for k, c := range archiveColumnsOf(b) {
		chosen[l.archive(k)] = repeats(c)
	}
	return chosen
}

// repeats tells whether the values of c stand twice or more on average. A column without values does not repeat.
func repeats(c *column.Column) bool {
	limit := (c.N - c.NullCount()) / 2
	distinct := map[string]struct{}{}
	for i := range c.N {
		if !c.Present(i) {
			continue
		}
		distinct[string(c.BytesAt(i))] = struct{}{}
		if len(distinct) > limit {
			return false
		}
	}
	return limit > 0
}

// groupEncoder turns the columns of a row group into the library's values, one column at a time in one buffer.
type groupEncoder struct {
	layout layout
	batch  *column.Batch
	values []parquet.Value
}

// column returns the values of file column i; they are valid until the next call.
func (e *groupEncoder) column(i int) []parquet.Value {
	e.values = e.values[:0]
	b := e.batch
	field := i - firstField
	switch {
	case i == columnOffset:
		e.required(b.Offset)
	case i == columnAppend:
		e.required(b.Append)
	case i == columnAppendType:
		for _, t := range b.AppendType {
			e.values = append(e.values, parquet.Int64Value(int64(t)))
		}
	case i == columnReject:
		for _, r := range b.Reject {
			e.values = append(e.values, parquet.Int64Value(int64(r)))
		}
	case field < len(b.Cols):
		e.optional(&b.Cols[field], &e.layout.fields[field], i)
	default:
		e.optional(archiveColumnsOf(b)[field-len(b.Cols)], nil, i)
	}
	return e.values
}

func (e *groupEncoder) required(values []int64) {
	for _, v := range values {
		e.values = append(e.values, parquet.Int64Value(v))
	}
}

// optional appends the values of c, the column of field f, or of the archive's if f is nil.
func (e *groupEncoder) optional(c *column.Column, f *schema.Field, index int) {
	value := bytesValue
	switch {
	case f == nil || f.Type.IsBytes():
	case f.Type == schema.Bool:
		value = func(c *column.Column, i int) parquet.Value { return parquet.BooleanValue(c.Ints[i] != 0) }
	case f.Type == schema.Enum:
		value = enumValue(f.Enum)
	default:
		value = func(c *column.Column, i int) parquet.Value { return parquet.Int64Value(c.Ints[i]) }
	}
	null := parquet.NullValue().Level(0, 0, index)
	for i := range c.N {
		if c.Present(i) {
			e.values = append(e.values, value(c, i).Level(0, 1, index))
		} else {
			e.values = append(e.values, null)
		}
	}
}

func bytesValue(c *column.Column, i int) parquet.Value { return parquet.ByteArrayValue(c.BytesAt(i)) }

func enumValue(names []string) func(c *column.Column, i int) parquet.Value {
	values := make([]parquet.Value, len(names))
	for i, name := range names {
		values[i] = parquet.ByteArrayValue([]byte(name))
	}
	return func(c *column.Column, i int) parquet.Value { return values[c.Ints[i]] }
}
