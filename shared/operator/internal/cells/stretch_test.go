package cells

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/window"
)

// feeding is rows for a few slots, in runs of random lengths, mostly ascending in time, some late.
type feeding struct {
	rows, slots   []int32
	times, newest []int64
}

func newFeeding(rng *rand.Rand) *feeding {
	const slots = 4
	f := &feeding{newest: make([]int64, slots)}
	length := 1 + rng.IntN(30)
	slot, now := int32(0), rng.Int64N(300)
	for range rng.IntN(200) {
		if rng.IntN(length) == 0 {
			slot, now = rng.Int32N(slots), rng.Int64N(300)
		}
		now += rng.Int64N(3)
		at := now
		if rng.IntN(12) == 0 {
			at = max(0, now-rng.Int64N(200))
		}
		f.times = append(f.times, at)
		if rng.IntN(6) > 0 {
			f.rows, f.slots = append(f.rows, int32(len(f.times)-1)), append(f.slots, slot)
		}
		f.newest[slot] = max(f.newest[slot], at)
	}
	return f
}

// TestStretchesAgainstRows adds rows stretch by stretch and, in the twin, one by one.
func TestStretchesAgainstRows(t *testing.T) {
	for name, ts := range map[string]window.Tiers{
		"all":    tiers(t, window.All),
		"nested": tiers(t, window.Window{Length: 20, Hop: 2}, window.Window{Length: 100, Hop: 10}),
		"mixed":  tiers(t, window.Window{Length: 20, Hop: 5}, window.All),
	} {
		rows, stretches := 0, 0
		for seed := range uint64(500) {
			rng := rand.New(rand.NewPCG(seed, 5))
			f := newFeeding(rng)
			c, twin := New(ts, total{new(int)}, 1, false), New(ts, total{new(int)}, 1, false)
			c.Grow(len(f.newest))
			twin.Grow(len(f.newest))
			for half := range slices.Chunk(f.rows, 1+rng.IntN(len(f.rows)+1)) {
				slots := f.slots[:len(half)]
				f.slots = f.slots[len(half):]
				for i, row := range half {
					if code, ok := twin.Code(f.times[row], f.newest[slots[i]]); ok {
						w, _ := twin.Cell(slots[i], code, f.newest[slots[i]])
						w[0] += 1 + uint64(row)
					}
				}
				c.Begin(half, slots, f.times, f.newest)
				for taken, w, _ := c.Next(); len(taken) > 0; taken, w, _ = c.Next() {
					stretches++
					for _, row := range taken {
						rows++
						w[0] += 1 + uint64(row)
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
		if stretches*3/2 > rows {
			t.Errorf("%s: %d rows make %d stretches: the test has lost its point", name, rows, stretches)
		}
	}
}
