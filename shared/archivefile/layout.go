package archivefile

import (
	"reflect"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// The columns of a file: these, then the declared fields, then those of the archive. An index in that order is a
// column's number everywhere in this package.
const (
	columnOffset = iota
	columnAppend
	columnAppendType
	columnReject
	firstField
)

// The columns behind the fields, counted from the last field on.
const (
	columnKey = iota
	columnHeaders
	columnRest
	columnRaw
	archiveColumns
)

var (
	systemNames  = [firstField]string{"_offset", "_append", "_append_type", "_reject"}
	archiveNames = [archiveColumns]string{"_key", "_headers", "_rest", "_raw"}
)

// layout is what the columns of a file are, derived from the source it was written with.
type layout struct {
	fields []schema.Field
}

// columns returns the number of columns.
func (l layout) columns() int { return firstField + len(l.fields) + archiveColumns }

// archive returns the number of the archive's column k.
func (l layout) archive(k int) int { return firstField + len(l.fields) + k }

// name returns the name of column i.
func (l layout) name(i int) string {
	switch field := i - firstField; {
	case field < 0:
		return systemNames[i]
	case field < len(l.fields):
		return l.fields[field].Name
	default:
		return archiveNames[field-len(l.fields)]
	}
}

// codec compresses every page. The fastest level is some 10 % larger than the default one and takes half the time;
// reading is as fast. One encoder at a time, so that bytes do not depend on the number of processors.
var codec = &zstd.Codec{Level: zstd.SpeedFastest, Concurrency: 1}

// parquetSchema returns the Parquet schema in the order of columns. dictionary tells which byte columns are written with
// one; nil for none. An enum always has one.
func (l layout) parquetSchema(name string, dictionary []bool) *parquet.Schema {
	g := group{fields: make([]parquet.Field, l.columns())}
	for i := range g.fields {
		node := l.node(i)
		if dictionary != nil && dictionary[i] {
			node = parquet.Encoded(node, &parquet.RLEDictionary)
		}
		if i >= firstField {
			node = parquet.Optional(node)
		}
		g.fields[i] = groupField{Node: parquet.Compressed(node, codec), name: l.name(i)}
	}
	return parquet.NewSchema(name, g)
}

// node returns the type of column i, with the types that other programs know: everything fixed-width but a bool is an
// INT64, written as deltas; byte arrays are written as lengths and one stretch of bytes, which is how they are read.
func (l layout) node(i int) parquet.Node {
	integer := func(n parquet.Node) parquet.Node { return parquet.Encoded(n, &parquet.DeltaBinaryPacked) }
	text := func(n parquet.Node) parquet.Node { return parquet.Encoded(n, &parquet.DeltaLengthByteArray) }
	field := i - firstField
	switch {
	case i == columnAppend:
		return integer(parquet.Timestamp(parquet.Millisecond))
	case field < 0:
		return integer(parquet.Int(64))
	case field == len(l.fields)+columnRest:
		return text(parquet.JSON())
	case field >= len(l.fields):
		return text(parquet.Leaf(parquet.ByteArrayType))
	}
	switch f := &l.fields[field]; f.Type {
	case schema.Bool:
		return parquet.Leaf(parquet.BooleanType)
	case schema.Decimal:
		return integer(parquet.Decimal(f.Scale, decimalPrecision, parquet.Int64Type))
	case schema.Time:
		return integer(parquet.Timestamp(parquet.Millisecond))
	case schema.Enum:
		return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	case schema.String:
		return text(parquet.String())
	case schema.JSON:
		return text(parquet.JSON())
	default:
		return integer(parquet.Int(64))
	}
}

// decimalPrecision is the number of digits that fit into an int64 whatever they are.
const decimalPrecision = 18

// isBytes tells whether column i holds byte arrays in a batch; an enum does not.
func (l layout) isBytes(i int) bool {
	field := i - firstField
	return field >= len(l.fields) || field >= 0 && l.fields[field].Type.IsBytes()
}

// group is a Parquet group whose fields stay in the order given; the library's own sorts them by name.
type group struct {
	parquet.Group
	fields []parquet.Field
}

// Fields returns the fields in order.
func (g group) Fields() []parquet.Field { return g.fields }

type groupField struct {
	parquet.Node
	name string
}

// Name returns the column's name. A dot in it is part of the name.
func (f groupField) Name() string { return f.name }

// Value is for writing Go structs, which nobody does with these schemas.
func (groupField) Value(reflect.Value) reflect.Value { return reflect.Value{} }
