package pebblestore_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
)

const (
	benchLanes = 16
	benchRows  = 1000 // rows of a lane that flushes go round in
	tileBytes  = 250
	baseBytes  = 3500
)

// BenchmarkFlush is a flush of 16 lanes with T tiles each and their marks.
func BenchmarkFlush(b *testing.B) {
	tile := make([]byte, tileBytes)
	for _, tiles := range []int{0, 1, 5, 25, 100} {
		b.Run(fmt.Sprintf("T=%d", tiles), func(b *testing.B) {
			s := open(b, b.TempDir())
			calls := make([]lane.Call, benchLanes)
			b.ReportAllocs()
			step := 0
			for b.Loop() {
				for n := range calls {
					rows := calls[n].Rows[:0]
					for i := range tiles {
						key := []byte("u" + strconv.Itoa((step*tiles+i)%benchRows))
						rows = append(rows, lane.RowChange{Key: key, Set: []lane.Field{{Name: "e0/0/65536", Value: tile}}})
					}
					calls[n] = lane.Call{
						Lane: lane.ID{Namespace: "bench", N: n}, Name: "events/0", RowsOf: inc, Rows: rows,
						Expect: calls[n].Set, Set: string(inc) + " j " + strconv.Itoa(step) + " 0",
					}
				}
				step++
				for i, o := range s.Apply(context.Background(), calls) {
					if o.Err != nil || !o.Applied {
						b.Fatalf("call %d: %+v", i, o)
					}
				}
			}
		})
	}
}

// BenchmarkRead reads 16 of 16,000 rows with a base and three tiles each, from tables and from the table in memory.
func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	var rows []lane.RowID
	for n := range benchLanes {
		c := lane.Call{Lane: lane.ID{Namespace: "bench", N: n}, Name: "x", Set: "y", RowsOf: inc}
		for i := range benchRows {
			r := lane.RowChange{Key: []byte("u" + strconv.Itoa(i)), Set: []lane.Field{{Name: "b1", Value: make([]byte, baseBytes)}}}
			for t := range 3 {
				r.Set = append(r.Set, lane.Field{Name: "e0/0/" + strconv.Itoa(t), Value: make([]byte, tileBytes)})
			}
			c.Rows = append(c.Rows, r)
			rows = append(rows, lane.RowID{Lane: c.Lane, Incarnation: inc, Key: r.Key})
		}
		apply(b, s, c)
	}
	at := 0
	next := func() []lane.RowID {
		at = (at + 16*37) % (len(rows) - 16)
		return rows[at : at+16]
	}
	b.Run("rows", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Rows(context.Background(), next()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("exact", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Exact(context.Background(), next()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
