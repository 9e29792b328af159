package operator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// TestDistinctOrderEqualsComparing sorts random elements, many of which begin alike, in few and in many buckets, and compares
// with what comparing them one by one gives.
func TestDistinctOrderEqualsComparing(t *testing.T) {
	kind := distinctOf("distinct", MaxExact)
	op, err := kind.New(Config{Inputs: []Input{{Role: RoleKey, Name: "id", Type: schema.String}}, Windows: []window.Window{window.All}})
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 40))
		s, ok := op.NewStates().(*distinctStates)
		if !ok {
			t.Fatal("these are no states of distinct")
		}
		c := &s.codec
		prefix := []string{"", "d", "listing-", "a long beginning of "}[rng.IntN(4)]
		buckets := 1 + rng.IntN(1<<rng.IntN(12))
		for range rng.IntN(1 << rng.IntN(12)) {
			tuple := wire.AppendBytes(nil, fmt.Appendf(nil, "%s%d", prefix, rng.IntN(1<<20)))
			what := s.keys.ID(tuple)
			if int(what) < len(c.coded) {
				continue
			}
			code := uint64(rng.IntN(2)<<48 + rng.IntN(buckets))
			c.coded = append(c.coded, coded{code: code, head: s.keys.Head(what), what: what})
		}
		want := slices.Clone(c.coded)
		slices.SortFunc(want, c.compare)
		c.sort()
		if !slices.Equal(c.coded, want) {
			t.Fatalf("seed %d: %d elements of prefix %q in %d buckets are in another order", seed, len(want), prefix, buckets)
		}
	}
}
