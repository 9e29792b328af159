package operator

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestPickedAgainstLooking picks rows of random columns, with no null, few and many, and compares with looking at each.
func TestPickedAgainstLooking(t *testing.T) {
	var p picked
	same, fewer := 0, 0
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 6))
		var cols []*column.Column
		size := 1 + rng.IntN(200)
		for range rng.IntN(4) {
			cols = append(cols, randomInts(rng, size))
		}
		r := &Rows{}
		for row := range int32(size) {
			if seed%3 == 0 || rng.IntN(1+rng.IntN(90)) == 0 {
				r.Row, r.Slot = append(r.Row, row), append(r.Slot, rng.Int32N(5))
			}
		}
		weight := randomInts(rng, size)
		check := func(what string, got *Rows, keep func(row int) bool) {
			t.Helper()
			var rows, slots []int32
			for i, row := range r.Row {
				if keep(int(row)) {
					rows, slots = append(rows, row), append(slots, r.Slot[i])
				}
			}
			if !slices.Equal(got.Row, rows) || !slices.Equal(got.Slot, slots) {
				t.Fatalf("seed %d: %s rows of %v are %v in slots %v, want %v in %v", seed, what, r.Row, got.Row, got.Slot, rows, slots)
			}
			if got == r {
				same++
			} else {
				fewer++
			}
		}
		isPresent := func(row int) bool { return present(cols, row) }
		isComplete := func(row int) bool { return complete(cols, row) }
		check("present", p.present(r, cols), isPresent)
		check("complete", p.complete(r, cols), isComplete)
		check("nonzero", p.nonzero(r, weight), func(row int) bool { return weight.Ints[row] != 0 })
		check("complete and nonzero", p.nonzero(p.complete(r, cols), weight), func(row int) bool { return isComplete(row) && weight.Ints[row] != 0 })
		check("complete and present", p.complete(p.present(r, cols), []*column.Column{weight}), func(row int) bool { return isPresent(row) && weight.Present(row) })
	}
	if same < 1000 || fewer < 1000 {
		t.Errorf("all rows were picked %d times, fewer %d times: the test has lost its point", same, fewer)
	}
}

// randomInts returns a column of a few different numbers, with no nulls, one or many.
func randomInts(rng *rand.Rand, n int) *column.Column {
	c := column.NewColumn(schema.Int64, 0)
	nulls, missing := rng.IntN(3), rng.IntN(n)
	for i := range n {
		if nulls == 1 && i == missing || nulls == 2 && rng.IntN(3) == 0 {
			c.AppendNull()
		} else {
			c.AppendInt(rng.Int64N(1 + 2*int64(nulls)))
		}
	}
	return &c
}

// complete tells whether row has a value in each of the columns.
func complete(cols []*column.Column, row int) bool {
	for _, c := range cols {
		if !c.Present(row) {
			return false
		}
	}
	return true
}
