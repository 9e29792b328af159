package operator

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// TestReachedAgainstTheTiers asks about random times, mostly several of one newest time.
func TestReachedAgainstTheTiers(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var ws []window.Window
		for _, hop := range []int64{1, 4, 12, 60} {
			for rng.IntN(2) == 0 {
				ws = append(ws, window.Window{Length: hop * (1 + rng.Int64N(20)), Hop: hop})
			}
		}
		if len(ws) == 0 || rng.IntN(4) == 0 {
			ws = append(ws, window.All)
		}
		tiers, err := window.NewTiers(ws)
		if err != nil {
			t.Fatal(err)
		}
		var e reached
		newest := int64(0)
		for range 500 {
			if rng.IntN(4) == 0 {
				newest = rng.Int64N(3000)
			}
			at := max(0, newest-rng.Int64N(1300))
			if got, want := e.reaches(tiers, at, newest), tiers.Of(at, newest) >= 0; got != want {
				t.Fatalf("seed %d: %+v at newest %d reaches %d: %t, by the tiers %t", seed, tiers, newest, at, got, want)
			}
		}
	}
}

// TestElementsOfARunAreFound folds rows of one slot, about more elements than are looked back for, by turns: each takes one
// entry, also behind a call's end.
func TestElementsOfARunAreFound(t *testing.T) {
	const elements, rows = 40, 400
	for name, n := range map[string]int{"last_n": 100, "distinct": 0} {
		kind, _ := Lookup(name)
		op, err := kind.New(Config{Inputs: []Input{{Role: RoleKey, Type: schema.Int64}}, N: n, Windows: []window.Window{window.All}})
		if err != nil {
			t.Fatal(err)
		}
		s := op.NewStates()
		s.Grow(1)
		keys := column.NewColumn(schema.Int64, 0)
		r := &Rows{Newest: []int64{rows}, In: []*column.Column{&keys}}
		for i := range int64(rows) {
			keys.AppendInt(i % elements)
			r.Time, r.Offset = append(r.Time, i), append(r.Offset, i)
			r.Row, r.Slot = append(r.Row, int32(i)), append(r.Slot, 0)
			if i%70 == 69 || i == rows-1 {
				s.Fold(r)
				r.Row, r.Slot = r.Row[:0], r.Slot[:0]
				counted, ok := s.(interface{ Len(slot int32) int })
				if !ok || counted.Len(0) != elements {
					t.Errorf("%s: %d elements take other entries", name, elements)
				}
			}
		}
	}
}
