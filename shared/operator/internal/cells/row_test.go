package cells

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/window"
)

// TestRowAgainstCells reads sound and damaged groups of sums into a Row and, as twin, into Cells. What the Row takes the
// Cells take, with the same sums in the same buckets; what it leaves is damaged or large.
func TestRowAgainstCells(t *testing.T) {
	ts := tiers(t, window.Window{Length: 20, Hop: 2}, window.Window{Length: 6000, Hop: 10}, window.All)
	agg := numbers{0, true}
	row := NewRow(ts)
	taken, left, damaged := 0, 0, 0
	for seed := range uint64(40_000) {
		rng := rand.New(rand.NewPCG(seed, 19))
		twin := New(ts, agg, 2, true)
		twin.Grow(1)
		state := groupOf(rng, twin, agg)
		if rng.IntN(3) == 0 {
			state[rng.IntN(len(state))] ^= 1 << rng.IntN(8)
		}
		if rng.IntN(8) == 0 {
			state = state[:rng.IntN(len(state))]
		}
		const newest = 1 << 40
		r := twin.BeginMerge(state)
		twin.MergeGroup(0, 7, newest)
		sound := r.Done() && twin.EndMerge(newest)

		row.Reset()
		row.Begin()
		const front = 3 // bytes before the group
		end := row.ReadGroup(append(make([]byte, front), state...), front, 7)
		ok := end == front+len(state) && row.End(newest)
		switch {
		case ok:
			taken++
			if !sound || !sameCells(row.Cells(), twin.All(0)) {
				t.Fatalf("seed %d: state %x is read as %v; twin: %t %v", seed, state, row.Cells(), sound, twin.All(0))
			}
		case sound:
			left++
			if sumOf(twin.All(0)).Cmp(big.NewInt(MaxRowWeight)) <= 0 {
				t.Fatalf("seed %d: state %x is left, with small sums %v", seed, state, twin.All(0))
			}
		default:
			damaged++
		}
	}
	if taken < 2_000 || left < 2_000 || damaged < 5_000 {
		t.Errorf("%d taken, %d left, %d damaged: the test has lost its point", taken, left, damaged)
	}
}

// sameCells compares what a Row holds with entries of Cells.
func sameCells(row []RowCell, entries []uint64) bool {
	for i, c := range row {
		w := entries[4*i:]
		if c.Code != w[0] || uint64(c.Key) != w[1] || wide.Of(int64(c.Weight)) != (wide.Int{Hi: int64(w[3]), Lo: w[2]}) {
			return false
		}
	}
	return 4*len(row) == len(entries)
}

// sumOf adds up the magnitudes of entries' sums.
func sumOf(entries []uint64) *big.Int {
	sum := new(big.Int)
	for at := 0; at < len(entries); at += 4 {
		v := wide.Int{Hi: int64(entries[at+3]), Lo: entries[at+2]}.Big()
		sum.Add(sum, v.Abs(v))
	}
	return sum
}

// TestRowLimits is at the limits of what a Row takes, and one past them.
func TestRowLimits(t *testing.T) {
	row := NewRow(tiers(t, window.All))
	weights := func(n int, weight int64) bool {
		row.Reset()
		row.Begin()
		for i := range n {
			state := numbers{0, true}.Append([]byte{1}, []uint64{uint64(weight), uint64(weight >> 63)}, 0)
			if row.ReadGroup(state, 0, uint32(i)) == 0 {
				return false
			}
		}
		return row.End(0)
	}
	for _, c := range []struct {
		n      int
		weight int64
		want   bool
	}{
		{1, MaxRowWeight, true},
		{1, MaxRowWeight + 1, false},
		{1, -MaxRowWeight, true},
		{1, -MaxRowWeight - 1, false},
		{1, math.MaxInt64, false},
		{1, math.MinInt64, false},
		{2, MaxRowWeight/2 + 1, false},
		{3, MaxRowWeight / 3, true},
		{MaxRowCells, 1, true},
		{MaxRowCells + 1, 1, false},
	} {
		if got := weights(c.n, c.weight); got != c.want {
			t.Errorf("%d weights of %d: %t", c.n, c.weight, got)
		}
	}
}
