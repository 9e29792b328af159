package column_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestGatherAgainstAppending gathers random rows of random columns, with and without nulls and dictionaries, into columns
// that held others before, and compares with copying row by row.
func TestGatherAgainstAppending(t *testing.T) {
	var got column.Column
	for _, typ := range []schema.Type{schema.Decimal, schema.String, schema.Int64} {
		for seed := range uint64(300) {
			r := rand.New(rand.NewPCG(seed, 2))
			from := column.NewColumn(typ, 2)
			if seed%3 == 0 {
				fill(&from, seed, 1+r.IntN(40))
			} else {
				for range 8 * (1 + r.IntN(20)) { // whole bytes of ones
					appendPresent(&from)
				}
			}
			if typ.IsBytes() && seed%2 == 0 {
				asDictionary(&from)
			}
			rows := make([]int32, r.IntN(50))
			want := column.NewColumn(typ, 2)
			for i := range rows {
				rows[i] = r.Int32N(int32(from.N))
				want.AppendFrom(&from, int(rows[i]))
			}
			if got.Gather(&from, rows); !equalColumns(&got, &want) || got.Scale != 2 || !typ.IsBytes() && got.Index != nil {
				t.Fatalf("%s, seed %d: rows %v make %+v, want %+v", typ, seed, rows, got, want)
			}
		}
	}
}

func appendPresent(c *column.Column) {
	if c.Type.IsBytes() {
		c.AppendBytes([]byte{byte('a' + c.N%26)})
		return
	}
	c.AppendInt(int64(c.N))
}

// asDictionary makes each value of c an entry of a dictionary, in reverse.
func asDictionary(c *column.Column) {
	d := column.NewColumn(c.Type, c.Scale)
	for i := range c.N {
		d.AppendBytes(c.BytesAt(c.N - 1 - i))
	}
	d.Valid = c.Valid
	for i := range c.N {
		d.Index = append(d.Index, int32(c.N-1-i))
	}
	*c = d
}

// BenchmarkGather gathers the rows of a row group of an archive in an order that is all over it.
func BenchmarkGather(b *testing.B) {
	const rows = 65_536
	from, to := column.NewColumn(schema.Int64, 0), column.Column{}
	fill(&from, 1, rows)
	order := make([]int32, rows)
	for i, row := range rand.New(rand.NewPCG(1, 1)).Perm(rows) {
		order[i] = int32(row)
	}
	b.ReportAllocs()
	for b.Loop() {
		to.Gather(&from, order)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
