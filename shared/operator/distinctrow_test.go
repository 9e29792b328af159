package operator_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// TestDistinctRowAgainstStates counts in random rows, of up to the bound and beyond it, with states made for it and, as twin,
// with ordinary ones.
func TestDistinctRowAgainstStates(t *testing.T) {
	read, left := 0, 0
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 39))
		cfg := operator.Config{Inputs: inputs{key([]schema.Type{schema.Int32, schema.String}[rng.IntN(2)])}}
		cfg.Windows = windowSets[[]string{"all", "nested", "mixed"}[rng.IntN(3)]]
		twin, row := newStates(t, "distinct", &cfg, 1), newRow(t, "distinct", &cfg)
		for range 2 { // the second time in memory that was used
			row.Reset()
			twin.Reset()
			twin.Grow(1)
			tr := newTraffic(&cfg, 1)
			for range 1 + rng.IntN(6) {
				part := newStates(t, "distinct", &cfg, 1)
				rows := tr.next()
				rows.Row = rows.Row[:rng.IntN(1<<(4+rng.IntN(7)))]
				refill(rows.In[0], rng, 1<<rng.IntN(16))
				part.Fold(rows)
				rows.Row = rows.Row[:batchRows]
				state := part.AppendState(nil, 0, tr.now+batchRows)
				for _, s := range []operator.States{row, twin} {
					if err := s.Merge(0, state, tr.rows.Newest[0]); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
				}
			}
			if operator.RowLeft(row) {
				left++
			} else {
				read++
			}
			for _, w := range cfg.Windows {
				q := operator.Query{Window: w, Newest: tr.rows.Newest[0], AsOf: tr.rows.Newest[0] + rng.Int64N(2*window.Day)}
				if got, want := row.Result(0, &q), twin.Result(0, &q); !got.Equal(want) {
					t.Fatalf("seed %d, asking %+v: %s, ordinary states %s", seed, q, got, want)
				}
			}
		}
	}
	if read < 400 || left < 10 {
		t.Errorf("%d rows read, %d left: the test has lost its point", read, left)
	}
}

// refill gives a column of numbers or strings other values, of which there are so many.
func refill(c *column.Column, rng *rand.Rand, values int) {
	c.Reset()
	for range batchRows {
		if c.Type == schema.String {
			c.AppendBytes(fmt.Appendf(nil, "listing-%08d", rng.IntN(values)))
			continue
		}
		c.AppendInt(int64(rng.IntN(values)))
	}
}
