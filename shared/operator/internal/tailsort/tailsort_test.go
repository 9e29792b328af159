package tailsort_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator/internal/tailsort"
)

// TestSortAgainstSorting sorts random numbers behind sorted ones of all lengths, none included.
func TestSortAgainstSorting(t *testing.T) {
	var scratch []int
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := make([]int, r.IntN(60))
		for i := range s {
			s[i] = r.IntN(1 + r.IntN(100))
		}
		n := r.IntN(len(s) + 1)
		slices.Sort(s[:n])
		want := slices.Sorted(slices.Values(s))
		before := slices.Clone(s)
		if scratch = tailsort.Sort(s, n, scratch, cmp.Compare[int]); !slices.Equal(s, want) {
			t.Fatalf("seed %d: %v, of which %d are sorted, become %v", seed, before, n, s)
		}
	}
}

// TestWordsAgainstSorting does the same of words, of which many are more than are compared, and whose low bits say in what
// order they came.
func TestWordsAgainstSorting(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		low := r.IntN(14)
		s := make([]uint64, r.IntN(1+r.IntN(1<<min(low, 10))))
		wide, gap := r.IntN(51), r.IntN(30)
		for i := range s {
			high := r.Uint64() >> (63 - wide)
			if r.IntN(2) == 0 {
				high = high >> gap << gap
			}
			s[i] = high<<low | uint64(i)
		}
		n := r.IntN(len(s) + 1)
		slices.Sort(s[:n])
		want := slices.Sorted(slices.Values(s))
		if tailsort.Words(s, n, low, make([]uint64, len(s))); !slices.Equal(s, want) {
			t.Fatalf("seed %d: %d words, of which %d are sorted, become %x", seed, len(s), n, s)
		}
	}
}

// BenchmarkSort sorts 200 numbers behind 300.
func BenchmarkSort(b *testing.B) {
	const sorted, all = 300, 500
	r := rand.New(rand.NewPCG(1, 0))
	from, s, scratch := make([]uint64, all), make([]uint64, all), []uint64(nil)
	for i := range from {
		from[i] = r.Uint64()
	}
	slices.Sort(from[:sorted])
	b.Run("tail", func(b *testing.B) {
		for b.Loop() {
			copy(s, from)
			scratch = tailsort.Sort(s, sorted, scratch, cmp.Compare[uint64])
		}
	})
	b.Run("words", func(b *testing.B) {
		spare := make([]uint64, all)
		for b.Loop() {
			copy(s, from)
			tailsort.Words(s, sorted, 0, spare)
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			copy(s, from)
			slices.SortFunc(s, cmp.Compare[uint64])
		}
	})
}
