package operator

import "github.com/tidemark-io/tidemark/shared/operator/internal/wide"

// DecayTable returns the decay factors of hops ages.
func DecayTable(hop, halfLife, hops int64) []uint64 { return newFactors(decayOf{hop, halfLife, hops}) }

// TryDecayTable computes them with so many bits; false if these do not decide every rounding.
func TryDecayTable(hop, halfLife, hops int64, bits uint) ([]uint64, bool) {
	return tryFactors(decayOf{hop, halfLife, hops}, bits)
}

// DecayHops returns how many factors a query needs.
func DecayHops(q Query) int64 { return decayHops(&q) }

// One is the factor 1.
const One = wide.One

// DistinctOf returns distinct with another bound, under a name that no naive twin has.
func DistinctOf(exact int) *Kind {
	k := distinctOf("distinct_small", exact)
	return &k
}

// RowLeft tells whether a row, made by NewRow, is left to ordinary states.
func RowLeft(s States) bool {
	switch row := s.(type) {
	case *topKRow:
		return row.plain != nil
	case *distinctRow:
		return row.plain != nil
	}
	return false
}
