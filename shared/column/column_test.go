package column_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// fill appends n rows that are a function of the seed.
func fill(c *column.Column, seed uint64, n int) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		switch {
		case r.IntN(3) == 0:
			c.AppendNull()
		case c.Type.IsBytes():
			c.AppendBytes(fmt.Appendf(nil, "%0*d", r.IntN(5), r.IntN(100)))
		default:
			c.AppendInt(r.Int64N(2))
		}
	}
}

func equalColumns(a, b *column.Column) bool {
	if a.Type != b.Type || a.N != b.N || !bytes.Equal(a.Valid, b.Valid) || !slices.Equal(a.Ints, b.Ints) {
		return false
	}
	for i := range a.N {
		if a.Type.IsBytes() && a.Present(i) && !bytes.Equal(a.BytesAt(i), b.BytesAt(i)) {
			return false
		}
	}
	return true
}

// Truncating must leave what appending fewer rows leaves: the bitmap's tail bits are part of the contract.
func TestTruncateEqualsAppendingFewer(t *testing.T) {
	for _, typ := range []schema.Type{schema.Int64, schema.String} {
		for n := range 19 {
			c, want := column.NewColumn(typ, 0), column.NewColumn(typ, 0)
			fill(&c, 7, 18)
			fill(&want, 7, n)
			c.Truncate(n)
			if !equalColumns(&c, &want) {
				t.Fatalf("%s truncated to %d: %+v, want %+v", typ, n, c, want)
			}
			c.Truncate(n + 1)
			fill(&c, 8, 11)
			fill(&want, 8, 11)
			if !equalColumns(&c, &want) {
				t.Fatalf("%s truncated to %d and appended to: %+v, want %+v", typ, n, c, want)
			}
		}
	}
}

func TestResetKeepsMemory(t *testing.T) {
	c := column.NewColumn(schema.String, 0)
	fill(&c, 1, 100)
	allocs := testing.AllocsPerRun(100, func() {
		c.Reset()
		for range 50 {
			c.AppendBytes(nil)
			c.AppendNull()
		}
	})
	if allocs != 0 || c.N != 100 || c.NullCount() != 50 {
		t.Fatalf("%v allocations, %d rows, %d nulls", allocs, c.N, c.NullCount())
	}
}

func TestAppendingToADictionaryStops(t *testing.T) {
	c := column.NewColumn(schema.String, 0)
	c.Index = []int32{}
	defer func() {
		if _, ok := recover().(invariant.ViolationError); !ok {
			t.Fatal("no invariant stopped an append to a dictionary")
		}
	}()
	c.AppendBytes([]byte("x"))
}

func BenchmarkAppendBytes(b *testing.B) {
	c := column.NewColumn(schema.String, 0)
	v := []byte("a value of ordinary length")
	b.ReportAllocs()
	for b.Loop() {
		if c.N == 65_536 {
			c.Reset()
		}
		c.AppendBytes(v)
	}
}
