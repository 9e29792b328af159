package operator_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/naive"
	"github.com/tidemark-io/tidemark/shared/window"
)

// TestDecayFactors compares the table, made by a series and multiplying, with the twin's, made of square roots, and with
// a float64.
func TestDecayFactors(t *testing.T) {
	type decay struct{ hop, halfLife int64 }
	cases := []decay{
		{window.Day, 14 * window.Day},
		{6 * window.Hour, 7 * window.Day},
		{30 * window.Minute, 12 * window.Hour},
		{5 * window.Minute, window.Hour},
		{1, 1},
		{7, 3},
		{33, 1},
		{32, 1},
		{window.Day, 365 * window.Day},
	}
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 4))
		cases = append(cases, decay{1 + rng.Int64N(window.Day), 1 + rng.Int64N(30*window.Day)})
	}
	for _, c := range cases {
		hops := min(33*c.halfLife/c.hop+1, 400)
		table := operator.DecayTable(c.hop, c.halfLife, hops)
		for a, got := range table {
			if want := naive.Factor(c.hop, c.halfLife, int64(a)); want.Uint64() != got {
				t.Fatalf("hop %d, half-life %d, age %d: factor %d, want %d", c.hop, c.halfLife, a, got, want)
			}
			float := math.Exp2(32 - float64(int64(a)*c.hop)/float64(c.halfLife))
			if math.Abs(float-float64(got)) > 0.51 {
				t.Fatalf("hop %d, half-life %d, age %d: factor %d is not near %g", c.hop, c.halfLife, a, got, float)
			}
		}
	}
}

// TestDecayAtItsEnd looks at the last ages that count: after 32 half-lives one unit, after 33 half a unit, which is
// rounded up, and then none.
func TestDecayAtItsEnd(t *testing.T) {
	const hop, halfLife = 10, 20
	q := operator.Query{Window: window.Window{Length: 10_000, Hop: hop}, HalfLife: halfLife}
	hops := operator.DecayHops(q)
	table := operator.DecayTable(hop, halfLife, hops)
	if want := int64(2*33 + 1); hops != want || table[0] != operator.One || table[64] != 1 || table[66] != 1 {
		t.Errorf("%d ages, want %d: %v", hops, want, table)
	}
	if f := naive.Factor(hop, halfLife, hops); f.Sign() != 0 {
		t.Errorf("the factor behind the table is %v", f)
	}
}

// TestDecayKnowsItsPrecision gives too few bits: the table is then refused, or right.
func TestDecayKnowsItsPrecision(t *testing.T) {
	const hop, halfLife, hops = 6 * window.Hour, 7 * window.Day, 240
	want := operator.DecayTable(hop, halfLife, hops)
	refused := 0
	for bits := uint(34); bits <= 128; bits++ {
		got, ok := operator.TryDecayTable(hop, halfLife, hops, bits)
		if !ok {
			refused++
		} else if !slices.Equal(got, want) {
			t.Fatalf("%d bits give other factors", bits)
		}
	}
	if refused == 0 || refused > 30 {
		t.Errorf("%d precisions were refused", refused)
	}
}
