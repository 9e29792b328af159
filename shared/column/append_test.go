package column_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestAppendRowsAgainstAppending appends random rows of several random columns, with and without nulls and dictionaries, to
// one that held others before, of another type too, and compares with copying row by row.
func TestAppendRowsAgainstAppending(t *testing.T) {
	var got column.Column
	var d column.Dictionary
	var p column.Picked
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 4))
		typ := []schema.Type{schema.Decimal, schema.String, schema.Int64}[r.IntN(3)]
		want := column.NewColumn(typ, 2)
		got.Clear()
		d.Reset()
		for range 1 + r.IntN(4) {
			from := appendable(r, typ)
			var first int32
			if typ.IsBytes() {
				first = d.Add(&from)
			}
			rows := make([]int32, r.IntN(200))
			stay := r.Float64()
			for i := range rows {
				if i > 0 && int(rows[i-1])+1 < from.N && r.Float64() < stay {
					rows[i] = rows[i-1] + 1
				} else {
					rows[i] = r.Int32N(int32(from.N))
				}
				want.AppendFrom(&from, int(rows[i]))
			}
			p.Pick(rows)
			got.AppendRows(column.Take(&from, first), &p)
			if !typ.IsBytes() {
				got.Ints = column.AppendRows(got.Ints, from.Ints, &p)
			}
		}
		if typ.IsBytes() {
			got.Share(&d)
		}
		if want.N > 0 && (!equalColumns(&got, &want) || got.Scale != 2) {
			t.Fatalf("%s, seed %d: %+v, want %+v", typ, seed, got, want)
		}
	}
}

// appendable returns a column, without nulls mostly.
func appendable(r *rand.Rand, typ schema.Type) column.Column {
	c := column.NewColumn(typ, 2)
	if r.IntN(3) == 0 {
		fill(&c, r.Uint64(), 1+r.IntN(150))
	} else {
		for range 1 + r.IntN(150) {
			appendPresent(&c)
		}
	}
	if typ.IsBytes() && r.IntN(2) == 0 {
		asDictionary(&c)
	}
	return c
}

// TestAppendAll compares with AppendFrom, a row at a time: also of columns that were not read.
func TestAppendAll(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 5))
		typ := []schema.Type{schema.Int64, schema.String}[r.IntN(2)]
		got, want := column.NewColumn(typ, 2), column.NewColumn(typ, 2)
		for range 1 + r.IntN(3) {
			from, rows := appendable(r, typ), make([]int32, r.IntN(40))
			for i := range rows {
				rows[i] = r.Int32N(int32(from.N))
			}
			if r.IntN(4) == 0 {
				from = column.NewColumn(typ, 2)
			}
			got.AppendAll(&from, rows)
			for _, row := range rows {
				want.AppendFrom(&from, int(row))
			}
		}
		if !equalColumns(&got, &want) {
			t.Fatalf("%s, seed %d: %+v, want %+v", typ, seed, got, want)
		}
	}
}
