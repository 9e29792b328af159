package cells

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// numbers is a plain aggregate of either kind or both.
type numbers struct {
	maxCount uint64
	sum      bool
}

func (numbers) Free([]uint64) {}

func (a numbers) Combine(dst, src []uint64) {
	if a.maxCount > 0 {
		dst[0] += src[0]
		dst, src = dst[1:], src[1:]
	}
	if a.sum {
		lo, carry := bits.Add64(dst[0], src[0], 0)
		dst[0], dst[1] = lo, dst[1]+src[1]+carry
	}
}

func (a numbers) Empty(w []uint64) bool {
	if a.maxCount > 0 {
		return w[0] == 0
	}
	return w[0]|w[1] == 0
}

func (a numbers) Append(dst []byte, w []uint64, _ int64) []byte {
	if a.maxCount > 0 {
		dst, w = wire.AppendUvarint(dst, w[0]), w[1:]
	}
	if a.sum {
		dst = wire.AppendWide(dst, wide.Int{Hi: int64(w[1]), Lo: w[0]})
	}
	return dst
}

func (a numbers) Read(r *wire.Reader, w []uint64, _, _, _ int64) {
	if a.maxCount > 0 {
		if w[0] = r.Uvarint(a.maxCount); w[0] == 0 {
			r.Fail()
		}
		w = w[1:]
	}
	if a.sum {
		v := r.Wide()
		if a.maxCount == 0 && v.IsZero() {
			r.Fail()
		}
		w[0], w[1] = v.Lo, uint64(v.Hi)
	}
}

func (a numbers) Plain() (maxCount uint64, sum bool) { return a.maxCount, a.sum }

// opaque hides that an aggregate is plain.
type opaque struct{ Aggregate }

// TestRunsAgainstCells merges sound and damaged states of plain aggregates, read run by run and, as twin, cell by cell: both
// take in the same cells, or refuse.
func TestRunsAgainstCells(t *testing.T) {
	ts := tiers(t, window.Window{Length: 20, Hop: 2}, window.Window{Length: 6000, Hop: 10}, window.All)
	refused, taken := 0, 0
	for seed := range uint64(40_000) {
		rng := rand.New(rand.NewPCG(seed, 9))
		agg := []numbers{{1 << 20, false}, {0, true}, {5, true}}[rng.IntN(3)]
		words := 0
		if agg.maxCount > 0 {
			words++
		}
		if agg.sum {
			words += 2
		}
		keyed := rng.IntN(2) == 1
		runs, twin := New(ts, agg, words, keyed), New(ts, opaque{agg}, words, keyed)
		state := groupOf(rng, runs, agg)
		if rng.IntN(2) == 0 {
			state[rng.IntN(len(state))] ^= 1 << rng.IntN(8)
		}
		if rng.IntN(8) == 0 {
			state = state[:rng.IntN(len(state))]
		}
		const newest = 1 << 40
		merge := func(c *Cells) (cells []uint64, ok bool) {
			c.Grow(1)
			r := c.BeginMerge(state)
			c.MergeGroup(0, 7, newest)
			return c.All(0), r.Done() && c.EndMerge(newest)
		}
		got, ok := merge(runs)
		want, sound := merge(twin)
		if ok != sound || ok && !slices.Equal(got, want) {
			t.Fatalf("seed %d: state %x: %t %v run by run, %t %v cell by cell", seed, state, ok, got, sound, want)
		}
		if ok {
			taken++
		} else {
			refused++
		}
	}
	if taken < 5_000 || refused < 5_000 {
		t.Errorf("%d taken and %d refused: the test has lost its point", taken, refused)
	}
}

// groupOf returns a group of random cells, their numbers of all lengths.
func groupOf(rng *rand.Rand, c *Cells, agg numbers) []byte {
	var entries []uint64
	for tier := range 3 {
		n := rng.IntN(4)
		bucket := rng.Uint64N(1 << (3 + rng.IntN(24)))
		if tier == 2 {
			n, bucket = min(n, 1), 0
		}
		for range n {
			w := make([]uint64, c.stride)
			w[0] = uint64(tier)<<bucketBits | bucket
			bucket += 1 + rng.Uint64N(1<<rng.IntN(9))
			v := w[c.ident:]
			if agg.maxCount > 0 {
				v[0] = 1 + rng.Uint64N(min(agg.maxCount, 1<<(1+rng.IntN(20))))
				v = v[1:]
			}
			if agg.sum {
				v[0] = rng.Uint64() >> rng.IntN(64)
				v[1] = uint64(-int64(bits.Len64(v[0]) / 64 & rng.IntN(2)))
			}
			entries = append(entries, w...)
		}
	}
	if len(entries) == 0 {
		return []byte{0}
	}
	return c.AppendGroup(nil, entries)
}

// TestGroupOfNoTier: a group that names no tier is refused, however many tiers there are.
func TestGroupOfNoTier(t *testing.T) {
	var windows []window.Window
	for hop := int64(1); hop <= 1<<10 && len(windows) < window.MaxTiers; hop *= 2 {
		windows = append(windows, window.Window{Length: 1 << 20, Hop: hop})
		c := New(tiers(t, windows...), numbers{maxCount: 5}, 1, false)
		c.Grow(1)
		c.Reserve(0, 1)
		if c.Merge(0, []byte{0, 1, 0, 1}, 1<<40) || c.Len(0) != 0 {
			t.Errorf("with %d tiers it is read as cells %v", len(windows), c.All(0))
		}
	}
}
