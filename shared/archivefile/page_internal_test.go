package archivefile

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
)

// TestScatter compares with a row by row reading of levels, whose nulls are rare, many or nearly all, and stand alone or
// in stretches. The memory it is given holds other values.
func TestScatter(t *testing.T) {
	var valid []byte
	var wide []int64
	var narrowed []int32
	for seed := range uint64(2_000) {
		r := rand.New(rand.NewPCG(seed, 3))
		levels := make([]byte, r.IntN(300))
		every, present := 1+r.IntN(40), byte(r.IntN(2))
		for i := range levels {
			if levels[i] = present; r.IntN(every) == 0 {
				present = byte(r.IntN(2))
			}
		}
		var dense, want []int64
		var dense32, want32 []int32
		for _, l := range levels {
			v := int64(0)
			if l == 1 {
				v = 1 + int64(r.Int32N(1<<30))
				dense, dense32 = append(dense, v), append(dense32, int32(v))
			}
			want, want32 = append(want, v), append(want32, int32(v))
		}
		var ones int
		valid, ones = bitmap(valid, levels)
		c := column.Column{Valid: valid, N: len(levels)}
		if ones != len(dense) || len(valid) != (len(levels)+7)/8 || c.NullCount() != len(levels)-ones {
			t.Fatalf("seed %d: %d of levels %v are 1, in a bitmap of %d bytes with %d nulls", seed, ones, levels, len(valid), c.NullCount())
		}
		for i, l := range levels {
			if c.Present(i) != (l == 1) {
				t.Fatalf("seed %d: row %d has level %d, present: %t", seed, i, l, c.Present(i))
			}
		}
		wide, narrowed = scatter(wide, dense, valid, len(levels)), scatter(narrowed, dense32, valid, len(levels))
		if !slices.Equal(wide, want) || !slices.Equal(narrowed, want32) {
			t.Fatalf("seed %d: levels %v of %v give %v and %v", seed, levels, dense, wide, narrowed)
		}
		if len(dense32) > 0 && highest(dense32) != uint32(slices.Max(dense32)) {
			t.Fatalf("seed %d: %d is the highest of %v", seed, highest(dense32), dense32)
		}
	}
	if highest([]int32{1, 2, 3, -1, 4}) != 1<<32-1 {
		t.Error("a negative index is no high one")
	}
}
