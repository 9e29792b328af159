package arena

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestPlacesAgainstAMap remembers places of one slot after the other, and compares with a map for each.
func TestPlacesAgainstAMap(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 7))
		p := Places{turn: math.MaxUint32 - 3} // turns come to an end, and begin again
		for range 10 {
			slot, want := rng.Int32N(5), map[uint64]int{}
			p.Begin(slot)
			for range 60 {
				number := rng.Uint64N(40)
				at, ok := p.At(number)
				if place, seen := want[number]; ok != seen || seen && at != place {
					t.Fatalf("seed %d: number %d of slot %d lies at %d, %t; want %d, %t", seed, number, slot, at, ok, place, seen)
				}
				if at := rng.IntN(1000); rng.IntN(2) == 0 {
					p.Put(number, at)
					want[number] = at
				}
			}
			if !p.Of(slot) || p.Of(slot+1) {
				t.Fatalf("seed %d: the places are not those of slot %d", seed, slot)
			}
			if p.Forget(); p.Of(slot) {
				t.Fatalf("seed %d: the places of slot %d are not forgotten", seed, slot)
			}
		}
	}
}
