package cells

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/window"
)

// weighted returns the rows of f with keys below most and weights about 0.
func (f *feeding) weighted(rng *rand.Rand, most uint64) Weighted {
	r := Weighted{Rows: f.rows, Slots: f.slots, Times: f.times, Newest: f.newest}
	for range f.rows {
		r.Keys = append(r.Keys, rng.Uint64N(most)<<(rng.IntN(2)*40))
	}
	if rng.IntN(3) > 0 {
		for range f.times {
			r.Weights = append(r.Weights, rng.Int64N(5)-2)
		}
	}
	return r
}

// some returns those from one on, up to n, and the rest.
func (r Weighted) some(n int) (first, rest Weighted) {
	n = min(n, len(r.Rows))
	first, rest = r, r
	first.Rows, first.Slots, first.Keys = r.Rows[:n], r.Slots[:n], r.Keys[:n]
	rest.Rows, rest.Slots, rest.Keys = r.Rows[n:], r.Slots[n:], r.Keys[n:]
	return first, rest
}

// TestWeightsAgainstRows adds rows slot by slot and, in the twin, one by one, now of few keys and now of more than are looked
// back for, in runs that are settled again and again.
func TestWeightsAgainstRows(t *testing.T) {
	for name, ts := range map[string]window.Tiers{
		"all":    tiers(t, window.All),
		"nested": tiers(t, window.Window{Length: 60, Hop: 20}, window.Window{Length: 200, Hop: 100}),
		"many":   tiers(t, window.Window{Length: 250, Hop: 2}),
	} {
		c, many, reset := New(ts, numbers{0, true}, 2, true), 0, 0
		for seed := range uint64(600) {
			rng := rand.New(rand.NewPCG(seed, 6))
			f := newFeeding(rng)
			r := f.weighted(rng, 1+rng.Uint64N(60))
			if rng.IntN(2) == 0 {
				c.Reset()
				reset++
			} else {
				c = New(ts, numbers{0, true}, 2, true)
			}
			twin := New(ts, numbers{0, true}, 2, true)
			c.Grow(len(f.newest))
			twin.Grow(len(f.newest))
			for len(r.Rows) > 0 {
				var some Weighted
				some, r = r.some(1 + rng.IntN(len(r.Rows)+1))
				c.AddWeights(&some)
				for i, row := range some.Rows {
					slot := some.Slots[i]
					if code, ok := twin.Code(some.Times[row], f.newest[slot]); ok {
						w, _ := twin.KeyCell(slot, code, some.Keys[i], f.newest[slot])
						addTo(w, some.weight(row))
					}
					if i >= manyRows && slot == some.Slots[i-manyRows] {
						many++
					}
				}
			}
			for slot, newest := range f.newest {
				got, want := slices.Clone(c.Settled(int32(slot), newest)), twin.Settled(int32(slot), newest)
				if !slices.Equal(got, want) {
					t.Fatalf("%s, seed %d: slot %d has cells %v, row by row %v", name, seed, slot, got, want)
				}
			}
		}
		if many < 5000 || reset < 100 {
			t.Errorf("%s: only %d rows were many of a slot, in %d resets: the test has lost its point", name, many, reset)
		}
	}
}

// TestManyRowsMakeNoDuplicates adds rows of many keys in one bucket: each key takes one entry.
func TestManyRowsMakeNoDuplicates(t *testing.T) {
	const keys, rows = 100, 5000
	c := New(tiers(t, window.All), numbers{0, true}, 2, true)
	c.Grow(1)
	rng := rand.New(rand.NewPCG(1, 6))
	r := Weighted{Rows: make([]int32, rows), Slots: make([]int32, rows), Times: []int64{7}, Newest: []int64{7}}
	for range rows {
		r.Keys = append(r.Keys, rng.Uint64N(keys))
	}
	for len(r.Rows) > 0 {
		var some Weighted
		some, r = r.some(256)
		c.AddWeights(&some)
	}
	if n := c.Len(0); n != keys {
		t.Errorf("%d keys take %d entries", keys, n)
	}
}

// TestRunsOfFewKeysStayShort adds rows of a hundred keys, few at a time: most of a run is not in the table then, and cells come
// twice. Runs are settled all the same when they are full, and do not grow for ever.
func TestRunsOfFewKeysStayShort(t *testing.T) {
	const keys, rows = 100, 20_000
	c := New(tiers(t, window.All), numbers{0, true}, 2, true)
	c.Grow(1)
	rng := rand.New(rand.NewPCG(2, 6))
	r := Weighted{Rows: make([]int32, rows), Slots: make([]int32, rows), Times: []int64{7}, Newest: []int64{7}}
	for range rows {
		r.Keys = append(r.Keys, rng.Uint64N(keys))
	}
	for len(r.Rows) > 0 {
		var some Weighted
		some, r = r.some(manyRows - 1 + rng.IntN(3))
		c.AddWeights(&some)
		if n := c.Len(0); n > 4*keys {
			t.Fatalf("%d keys take %d entries", keys, n)
		}
	}
}
