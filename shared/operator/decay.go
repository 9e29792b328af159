package operator

import (
	"fmt"
	"math/big"
	"sync"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// MaxDecayHops bounds the hops of a decaying window in which a weight counts at all.
const MaxDecayHops = 1 << 16

// lostHalvings is how many half-lives after the factor, rounded in units of 2^-32, is 0; after just so many it is 1 unit,
// half a unit rounded up.
const lostHalvings = wide.ScoreBits + 1

// checkDecay tells whether a table of decay factors can be made for q.
func checkDecay(q *Query) error {
	switch {
	case q.HalfLife == 0:
		return nil
	case q.Window.Length == 0:
		return fmt.Errorf("%w: a half-life needs a horizon: name a window in place of all", ErrConfig)
	case q.HalfLife > schema.MaxTime:
		return fmt.Errorf("%w: a half-life of %s: at most %s", ErrConfig, window.Text(q.HalfLife), window.Text(schema.MaxTime))
	case decayHops(q) > MaxDecayHops:
		return fmt.Errorf("%w: a half-life of %s over %d hops of %s: name a longer hop or a shorter window; at most %d hops",
			ErrConfig, window.Text(q.HalfLife), q.Window.Length/q.Window.Hop, window.Text(q.Window.Hop), MaxDecayHops)
	}
	return nil
}

// decayHops returns the number of ages, in hops, at which q's window holds a bucket whose factor is not 0.
func decayHops(q *Query) int64 {
	return min(q.Window.Length/q.Window.Hop, lostHalvings*q.HalfLife/q.Window.Hop+1)
}

// factors are decay factors by age in hops, in units of 2^-32; beyond the end they are 0.
type factors []uint64

func (f factors) at(age int64) uint64 {
	if age >= int64(len(f)) {
		return 0
	}
	return f[age]
}

// decays makes tables of factors when they are first asked for and keeps them; there is one for each feature of a state,
// so their number is bounded by the job. Safe for concurrent use.
type decays struct {
	sync.Mutex
	tables map[decayOf]factors
}

// decayOf is what a table depends on.
type decayOf struct{ hop, halfLife, hops int64 }

// of returns q's factors, nil if nothing decays.
func (d *decays) of(q *Query) factors {
	if q.HalfLife == 0 {
		return nil
	}
	key := decayOf{q.Window.Hop, q.HalfLife, decayHops(q)}
	d.Lock()
	defer d.Unlock()
	table, ok := d.tables[key]
	if !ok {
		if d.tables == nil {
			d.tables = map[decayOf]factors{}
		}
		table = newFactors(key)
		d.tables[key] = table
	}
	return table
}

// newFactors computes 2^32 × 2^(−a × hop / half-life), rounded half up, for a from 0 on, with integers only. A factor is
// a whole number if a × hop is a multiple of the half-life, and irrational otherwise; so some precision always tells on
// which side of a half it is, and the first one tried nearly always does.
func newFactors(of decayOf) factors {
	for bits := uint(128); ; bits *= 2 {
		if table, ok := tryFactors(of, bits); ok {
			return table
		}
	}
}

// tryFactors computes with fixed-point numbers of so many fraction bits. It returns false if their error, estimated far
// too high, could reach across a half.
func tryFactors(of decayOf, bits uint) (factors, bool) {
	table := make(factors, of.hops)
	if of.hops == 1 {
		table[0] = wide.One
		return table, true
	}
	step, slack := root(of.hop, of.halfLife, bits)
	power := new(big.Int).Lsh(big.NewInt(1), bits) // step^a
	shift := bits - wide.ScoreBits
	half := new(big.Int).Lsh(big.NewInt(1), shift-1)
	var below, above big.Int
	for a := range table {
		if halvings := int64(a) * of.hop / of.halfLife; int64(a)*of.hop%of.halfLife == 0 {
			table[a] = wholeFactor(halvings)
		} else {
			// Each step multiplies by a root that is off by less than slack and drops less than one unit.
			off := big.NewInt(int64(a) * (slack + 1))
			below.Add(power, half).Sub(&below, off).Rsh(&below, shift)
			above.Add(power, half).Add(&above, off).Rsh(&above, shift)
			if below.Cmp(&above) != 0 {
				return nil, false
			}
			table[a] = above.Uint64()
		}
		power.Mul(power, step).Rsh(power, bits)
	}
	return table, true
}

// wholeFactor returns the factor after a whole number of halvings.
func wholeFactor(halvings int64) uint64 {
	if halvings < lostHalvings {
		return wide.One >> halvings
	}
	if halvings == lostHalvings {
		return 1
	}
	return 0
}

// root returns 2^(−num/den), num/den at most lostHalvings, in units of 2^-bits, off by less than slack units: e^−y, y = ln 2 × num / den, by its series.
func root(num, den int64, bits uint) (r *big.Int, slack int64) {
	one := new(big.Int).Lsh(big.NewInt(1), bits)
	// ln 2 = Σ 1 / (j × 2^j): so many terms as there are bits, each less than one unit too small, and a rest below one.
	y := new(big.Int)
	for j := uint(1); j <= bits; j++ {
		term := new(big.Int).Rsh(one, j)
		y.Add(y, term.Quo(term, big.NewInt(int64(j))))
	}
	y.Mul(y, big.NewInt(num)).Quo(y, big.NewInt(den))
	r = new(big.Int)
	term := new(big.Int).Set(one)
	terms := int64(0)
	for ; term.Sign() != 0; terms++ {
		r.Add(r, term)
		term.Mul(term, y).Rsh(term, bits).Quo(term, big.NewInt(-(terms + 1)))
	}
	// y is off by bits+1 units × num/den + 1, and so is e^−y at most. Each term rounds twice and passes that on to the next
	// ones, which makes it up to e^y = 2^(num/den) times as much.
	return r, (int64(bits)+2)*(num/den+1) + (4*(terms+1))<<(num/den+1)
}
