package operator

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestRecentAgainstAMap numbers random pairs, more than there is room for, and compares with a map that forgets nothing.
func TestRecentAgainstAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var r recent
	for range 3 {
		numbers := map[[recentMembers]int64]uint64{}
		known := 0
		for range 20_000 {
			pair := [recentMembers]int64{rng.Int64N(60) - 30, rng.Int64N(1+rng.Int64N(60)) << rng.IntN(50)}
			keys := []*column.Column{ints(pair[0]), ints(pair[1])}
			want, seen := numbers[pair]
			if !seen {
				want = uint64(len(numbers)) + 1
				numbers[pair] = want
			}
			e := r.find(keys, 0)
			if e.number != 0 && (e.number != want || !seen) {
				t.Fatalf("%v has number %d, want %d, seen before: %t", pair, e.number, want, seen)
			}
			if e.number != 0 {
				known++
			}
			e.number = want
		}
		if known == 0 || len(numbers) <= recentKeys {
			t.Fatalf("%d of %d keys were remembered", known, len(numbers))
		}
		r.reset()
	}
}

func ints(v int64) *column.Column {
	c := column.NewColumn(schema.Int64, 0)
	c.AppendInt(v)
	return &c
}
