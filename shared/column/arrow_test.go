package column_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

func source() *schema.Source {
	return &schema.Source{
		Name: "clicks", EventTime: "at", Block: 1024,
		Fields: []schema.Field{
			{Name: "at", Type: schema.Time},
			{Name: "flag", Type: schema.Bool},
			{Name: "count", Type: schema.Int32},
			{Name: "price", Type: schema.Decimal, Scale: 2},
			{Name: "kind", Type: schema.Enum, Enum: []string{"a", "b"}},
			{Name: "link.id", Type: schema.String},
			{Name: "filters", Type: schema.JSON},
		},
	}
}

// random returns a batch of n rows with gaps in its offsets, nulls and rejected rows.
func random(seed uint64, n int) *column.Batch {
	r := rand.New(rand.NewPCG(seed, 2))
	b := column.NewBatch(source(), 3, false)
	offset := int64(0)
	for range n {
		offset += 1 + r.Int64N(3)
		b.N++
		b.Offset = append(b.Offset, offset)
		b.Append = append(b.Append, r.Int64())
		b.AppendType = append(b.AppendType, column.TimeType(r.IntN(2)))
		reject := r.IntN(5) == 0
		time, reason := r.Int64N(schema.MaxTime), uint8(0)
		if reject {
			time, reason = 0, 4
		}
		b.Time, b.Reject = append(b.Time, time), append(b.Reject, reason)
		for i := range b.Cols {
			appendRandom(r, &b.Cols[i], reject)
		}
	}
	return b
}

func appendRandom(r *rand.Rand, c *column.Column, null bool) {
	switch {
	case null || r.IntN(4) == 0:
		c.AppendNull()
	case c.Type.IsBytes():
		c.AppendBytes([]byte(strings.Repeat("é", r.IntN(4))))
	default:
		c.AppendInt(r.Int64N(2)) // in range of every type
	}
}

func equalBatches(a, b *column.Batch) bool {
	return a.N == b.N && a.Partition == b.Partition && a.Source == b.Source &&
		slices.Equal(a.Offset, b.Offset) && slices.Equal(a.Time, b.Time) && slices.Equal(a.Append, b.Append) &&
		slices.Equal(a.AppendType, b.AppendType) && bytes.Equal(a.Reject, b.Reject) &&
		slices.EqualFunc(a.Cols, b.Cols, func(x, y column.Column) bool { return equalColumns(&x, &y) })
}

func TestArrowRoundTrip(t *testing.T) {
	for seed := range uint64(40) {
		b := random(seed, int(seed))
		b.Source = source()
		rec := b.Record()
		got, err := column.FromRecord(b.Source, 3, rec)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !equalBatches(b, got) {
			t.Fatalf("seed %d: got %+v, want %+v", seed, got, b)
		}
		if rec.NumRows() != int64(seed) || rec.ColumnName(5) != "at" || rec.ColumnName(10) != "link.id" {
			t.Fatalf("seed %d: %s", seed, rec.Schema())
		}
		rec.Release()
	}
}

// A slice of a record begins inside of bytes of its bitmaps and arenas; what is appended to its batch must not reach
// into the record.
func TestArrowSliceRoundTrip(t *testing.T) {
	b := random(5, 40)
	rec := b.Record()
	defer rec.Release()
	for from := range int64(20) {
		part := rec.NewSlice(from, from+13)
		got, err := column.FromRecord(b.Source, 3, part)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Cols {
			for row := range got.N {
				if !sameValue(&got.Cols[i], row, &b.Cols[i], int(from)+row) {
					t.Fatalf("from %d: column %d, row %d differs", from, i, row)
				}
			}
		}
		before := slices.Clone(b.Cols[5].Bytes)
		got.Cols[5].AppendBytes([]byte("more"))
		if string(got.Cols[5].BytesAt(13)) != "more" || !bytes.Equal(before, b.Cols[5].Bytes) {
			t.Fatalf("from %d: an append went wrong: %q", from, got.Cols[5].BytesAt(13))
		}
		part.Release()
	}
}

func sameValue(a *column.Column, i int, b *column.Column, j int) bool {
	if a.Present(i) != b.Present(j) {
		return false
	}
	if a.Type.IsBytes() {
		return bytes.Equal(a.BytesAt(i), b.BytesAt(j))
	}
	return a.Ints[i] == b.Ints[j]
}

func withDictionary(b *column.Batch) {
	c := &b.Cols[5]
	n := c.N
	valid := slices.Clone(c.Valid)
	c.Reset()
	c.AppendBytes([]byte("one"))
	c.AppendBytes([]byte("zwei"))
	c.N, c.Valid, c.Index = n, valid, make([]int32, n)
	for i := range n {
		if c.Present(i) {
			c.Index[i] = int32(i & 1)
		}
	}
}

func TestArrowDictionaryStaysDictionary(t *testing.T) {
	b := random(9, 30)
	withDictionary(b)
	rec := b.Record()
	defer rec.Release()
	d, ok := rec.Column(10).(*array.Dictionary)
	if !ok || d.Dictionary().Len() != 2 || d.NullN() != b.Cols[5].NullCount() {
		t.Fatalf("got %s", rec.Column(10))
	}
	got, err := column.FromRecord(b.Source, 3, rec)
	if err != nil {
		t.Fatal(err)
	}
	if got.Cols[5].Index == nil || !equalBatches(b, got) {
		t.Fatalf("got %+v, want %+v", got.Cols[5], b.Cols[5])
	}
}

func TestArrowSharesMemory(t *testing.T) {
	b := random(9, 30)
	rec := b.Record()
	defer rec.Release()
	prices, ok := rec.Column(8).(*array.Int64)
	if !ok || &prices.Int64Values()[0] != &b.Cols[3].Ints[0] {
		t.Fatal("the values were copied")
	}
}

func TestFromRecordRefuses(t *testing.T) {
	for name, spoil := range map[string]func(b *column.Batch){
		"offset twice":           func(b *column.Batch) { b.Offset[3] = b.Offset[2] },
		"offset negative":        func(b *column.Batch) { b.Offset[0] = -1 },
		"time negative":          func(b *column.Batch) { b.Time[0] = -1 },
		"time too late":          func(b *column.Batch) { b.Time[0] = schema.MaxTime + 1 },
		"append type":            func(b *column.Batch) { b.AppendType[0] = 2 },
		"reject with value":      func(b *column.Batch) { b.Reject[firstPresent(b, 3)] = 1 },
		"bool of 2":              func(b *column.Batch) { b.Cols[1].Ints[firstPresent(b, 1)] = 2 },
		"int32 too large":        func(b *column.Batch) { b.Cols[2].Ints[firstPresent(b, 2)] = 1 << 31 },
		"enum code":              func(b *column.Batch) { b.Cols[4].Ints[firstPresent(b, 4)] = 2 },
		"null with value":        func(b *column.Batch) { b.Cols[3].Ints[firstNull(b, 3)] = 1 },
		"null with bytes":        func(b *column.Batch) { b.Cols[5].Offsets[firstNull(b, 5)+1]++ },
		"offsets backwards":      func(b *column.Batch) { b.Cols[6].Offsets[4] = 99 },
		"dictionary code":        func(b *column.Batch) { withDictionary(b); b.Cols[5].Index[firstPresent(b, 5)] = 2 },
		"dictionary code on nil": func(b *column.Batch) { withDictionary(b); b.Cols[5].Index[firstNull(b, 5)] = 1 },
		"other name":             func(b *column.Batch) { b.Source.Fields[2].Name = "x" },
		"other scale":            func(b *column.Batch) { b.Source.Fields[3].Scale = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			b := random(9, 30)
			spoil(b)
			rec := b.Record()
			defer rec.Release()
			if _, err := column.FromRecord(source(), 3, rec); !errors.Is(err, column.ErrRecord) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestFromRecordRefusesOtherColumns(t *testing.T) {
	b := random(9, 3)
	rec := b.Record()
	defer rec.Release()
	short := array.NewRecord(arrow.NewSchema(rec.Schema().Fields()[:11], nil), rec.Columns()[:11], 3)
	defer short.Release()
	if _, err := column.FromRecord(source(), 3, short); !errors.Is(err, column.ErrRecord) {
		t.Fatalf("a missing column: %v", err)
	}
	// The right name and metadata over another Arrow type.
	builder := array.NewFloat64Builder(memory.DefaultAllocator)
	defer builder.Release()
	builder.AppendValues([]float64{1, 2, 3}, nil)
	floats := builder.NewArray()
	defer floats.Release()
	for _, at := range []int{0, 3, 8, 10} {
		fields, cols := slices.Clone(rec.Schema().Fields()), slices.Clone(rec.Columns())
		fields[at].Type, cols[at] = floats.DataType(), floats
		other := array.NewRecord(arrow.NewSchema(fields, nil), cols, 3)
		if _, err := column.FromRecord(source(), 3, other); !errors.Is(err, column.ErrRecord) {
			t.Fatalf("column %d of floats: %v", at, err)
		}
		other.Release()
	}
}

func firstPresent(b *column.Batch, col int) int { return firstRow(b, col, true) }
func firstNull(b *column.Batch, col int) int    { return firstRow(b, col, false) }

// firstRow finds an accepted row with or without a value, so that one spoiled place is the only fault.
func firstRow(b *column.Batch, col int, present bool) int {
	for i := range b.N {
		if b.Reject[i] == 0 && b.Cols[col].Present(i) == present {
			return i
		}
	}
	return -1
}

func TestBatchReset(t *testing.T) {
	b := column.NewBatch(source(), 1, true)
	b.Archive.Raw.AppendBytes([]byte("x"))
	b.Faults[2] = 7
	b.Reset(5)
	fresh := column.NewBatch(b.Source, 5, true)
	if !equalBatches(b, fresh) || b.Archive.Raw.N != 0 || b.Faults[2] != 0 {
		t.Fatalf("got %+v", b)
	}
}

func BenchmarkRecord(b *testing.B) {
	batch := random(1, 8192)
	b.ReportAllocs()
	for b.Loop() {
		batch.Record().Release()
	}
}

func BenchmarkFromRecord(b *testing.B) {
	batch := random(1, 8192)
	rec := batch.Record()
	defer rec.Release()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := column.FromRecord(batch.Source, 3, rec); err != nil {
			b.Fatal(err)
		}
	}
}
