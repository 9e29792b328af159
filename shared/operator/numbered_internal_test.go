package operator

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestNumberedEqualsMap prepares rows of random columns, batch by batch, and compares the numbers of their tuples with
// those that a map of the tuples' bytes gives.
func TestNumberedEqualsMap(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var inputs []Input
		for range 1 + rng.IntN(3) {
			inputs = append(inputs, Input{Role: RoleKey, Type: []schema.Type{schema.String, schema.Int64}[rng.IntN(2)]})
		}
		nullable := rng.IntN(2) == 0
		n := newNumbered(inputs, nullable)
		for range 2 { // lives, with a Reset between them
			want := map[string]uint64{}
			for range 4 {
				cols, rows := randomKeys(rng, inputs, nullable)
				n.prepare(cols, rows)
				for i, row := range rows {
					if rng.IntN(4) == 0 {
						continue // a fold need not ask for every row
					}
					tuple := string(n.tuple.Append(nil, cols, int(row)))
					number, seen := want[tuple]
					if !seen {
						number = uint64(len(want))
						want[tuple] = number
					}
					if n.of(row) != number {
						t.Fatalf("seed %d: tuple %q has number %d by itself and not %d", seed, tuple, n.of(row), number)
					}
					if got := n.at(i); got != number || string(n.Bytes(got)) != tuple || string(n.bytes(i)) != tuple {
						t.Fatalf("seed %d: tuple %q has number %d and not %d", seed, tuple, got, number)
					}
				}
			}
			n.Reset()
		}
	}
}

// randomKeys returns columns of few different values, nulls among them if nullable, and some of their rows.
func randomKeys(rng *rand.Rand, inputs []Input, nullable bool) (cols []*column.Column, rows []int32) {
	const n = 700 // more than are touched at a time
	for _, in := range inputs {
		c := column.NewColumn(in.Type, 0)
		for range n {
			switch {
			case nullable && rng.IntN(5) == 0:
				c.AppendNull()
			case in.Type.IsBytes():
				text := []byte("abcdefgh\x00ijklmnopqrst")[rng.IntN(3) : 3+rng.IntN(16)] // some too long for a short name
				c.AppendBytes(text)
			default:
				c.AppendInt(rng.Int64N(20) - 10)
			}
		}
		cols = append(cols, &c)
	}
	for row := range int32(n) {
		if rng.IntN(8) > 0 {
			rows = append(rows, row)
		}
	}
	return cols, rows
}
