package view

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
)

// TestPackedIntegers packs integers in parts, as they come and in another order, and reads them again: near ones, few and
// many that are far, some by just as much as four bytes hold.
func TestPackedIntegers(t *testing.T) {
	edges := []int64{math.MinInt32 - 1, math.MinInt32, math.MinInt32 + 1, math.MaxInt32, math.MaxInt32 + 1, math.MinInt64, math.MaxInt64}
	var near, few, many int
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		base := []int64{0, 1_790_000_000_000, math.MaxInt64 - 5, math.MinInt64 + 5}[r.IntN(4)]
		oneIn := []int{1 << 30, 200, 3}[r.IntN(3)]
		var p packed
		for range 2 { // the second time in the memory of the first
			p.clear()
			var want []int64
			for range r.IntN(6) {
				ints := make([]int64, r.IntN(500))
				var rows []int32
				for i := range ints {
					if ints[i] = base + r.Int64N(1000); r.IntN(oneIn) == 0 {
						ints[i] = base + edges[r.IntN(len(edges))]
					}
					if r.IntN(10) > 0 {
						rows = append(rows, int32(i))
						want = append(want, ints[i])
					}
				}
				var picked column.Picked
				picked.Pick(rows)
				p.add(ints, &picked)
			}
			switch {
			case p.wide != nil:
				many++
			case len(p.far) > 0:
				few++
			default:
				near++
			}
			rows := make([]int32, r.IntN(len(want)+1))
			for i := range rows {
				rows[i] = int32(r.IntN(len(want)))
			}
			chosen := make([]int64, len(rows))
			for i, row := range rows {
				chosen[i] = want[row]
			}
			if got := p.gather(nil, rows); !slices.Equal(got, chosen) {
				t.Fatalf("seed %d: gathered %v, want %v", seed, got, chosen)
			}
			read(t, &p, want)
			if len(rows) == 0 {
				continue
			}
			memory := make(slab, 2*len(rows))
			again, direct := memory.repack(&p, rows), memory.pack(want, rows)
			read(t, &again, chosen)
			read(t, &direct, chosen)
		}
	}
	if near == 0 || few == 0 || many == 0 {
		t.Errorf("%d times all were near, %d times few far, %d times many", near, few, many)
	}
}

// read compares packed integers one by one.
func read(t *testing.T, p *packed, want []int64) {
	t.Helper()
	for i, value := range want {
		if got := p.at(int32(i)); got != value {
			t.Fatalf("integer %d is %d, want %d, of %+v", i, got, value, p)
		}
	}
}
