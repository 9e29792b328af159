package operator

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/tailsort"
)

// minRun is how many entries lie in order side by side, in the mean, where merging what is in order is better than to sort.
const minRun = 4

// sort puts the entries of all in order: in s.order they lie newest first. What was settled is in order already, and so is
// what was folded of each stretch of rows; rows that came one by one are not.
func (s *latestStates) sort(all []uint64) {
	s.order, s.runs = s.order[:0], s.runs[:0]
	before := uint64(math.MaxUint64) // later than any
	for at := 0; at < len(all); at += s.stride {
		t := all[at+latestOrder+orderTime]
		if t > before || t == before && s.compare(all[at-s.stride:at], all[at:at+s.stride]) > 0 {
			s.runs = append(s.runs, len(s.order))
		}
		s.order = append(s.order, dated{t, at})
		before = t
	}
	switch {
	case len(s.runs) == 0:
	case len(s.runs)*minRun < len(s.order):
		s.mergeRuns(all)
	default:
		s.spare = tailsort.Sort(s.order, s.runs[0], s.spare, func(a, b dated) int {
			if a.time != b.time {
				return cmp.Compare(b.time, a.time)
			}
			return s.compare(all[a.at:a.at+s.stride], all[b.at:b.at+s.stride])
		})
	}
}

// mergeRuns sorts s.order, in which what lies between the places in s.runs is in order, by merging neighbours again and again.
func (s *latestStates) mergeRuns(all []uint64) {
	n := len(s.order)
	s.spare = slices.Grow(s.spare[:0], n)[:n]
	for len(s.runs) > 0 {
		left, from := s.runs[:0], 0
		for i := 0; i < len(s.runs); i += 2 { // of two neighbours, or of the last and nothing
			mid, to := s.runs[i], n
			if i+1 < len(s.runs) {
				to = s.runs[i+1]
			}
			s.merge(s.spare[from:to], s.order[from:mid], s.order[mid:to], all)
			if from = to; to < n {
				left = append(left, to)
			}
		}
		copy(s.spare[from:], s.order[from:])
		s.runs = left
		s.order, s.spare = s.spare, s.order
	}
}

// merge fills to with a and b, each of which is in order.
func (s *latestStates) merge(to, a, b []dated, all []uint64) {
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		if x.time > y.time || x.time == y.time && s.compare(all[x.at:x.at+s.stride], all[y.at:y.at+s.stride]) <= 0 {
			to[0], a = x, a[1:]
		} else {
			to[0], b = y, b[1:]
		}
		to = to[1:]
	}
	copy(to[copy(to, a):], b)
}
