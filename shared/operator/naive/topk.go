package naive

import (
	"bytes"
	"cmp"
	"math/big"
	"slices"
	"sync"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// weight returns an event's weight, 1 if none is declared.
func weight(cfg *operator.Config, e *Event) *big.Int {
	if _, data := with(cfg, operator.RoleWeight, e); len(data) > 0 {
		return big.NewInt(data[0].Int)
	}
	return big.NewInt(1)
}

// byKey returns the events of each key, and the keys in order of their bytes.
func byKey(cfg *operator.Config, events []Event) (groups map[string][]Event, keys []string) {
	groups = map[string][]Event{}
	for _, e := range events {
		key := string(identity(cfg, &e))
		if _, ok := groups[key]; !ok {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], e)
	}
	slices.Sort(keys)
	return groups, keys
}

func topKState(cfg *operator.Config, events []Event, newest int64) []byte {
	groups, keys := byKey(cfg, events)
	var body []byte
	n := uint64(0)
	for _, key := range keys {
		cells := group(buckets(cfg, groups[key], newest), func(b *bucket) []byte {
			sum := new(big.Int)
			for _, e := range b.events {
				sum.Add(sum, weight(cfg, &e))
			}
			if sum.Sign() == 0 {
				return nil
			}
			return wire.AppendWide(nil, words(sum))
		})
		if len(cells) > 0 {
			body = append(append(body, key...), cells...)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return append(wire.AppendUvarint(nil, n), body...)
}

func topKResult(cfg *operator.Config, events []Event, q *operator.Query) operator.Value {
	type scored struct {
		key   string
		first *Event
		score *big.Int // in units of 2^-32
	}
	groups, keys := byKey(cfg, events)
	var all []scored
	for _, key := range keys {
		score := new(big.Int)
		for _, e := range groups[key] {
			factor := new(big.Int).Lsh(big.NewInt(1), factorBits)
			if q.HalfLife > 0 {
				factor = Factor(q.Window.Hop, q.HalfLife, q.AsOf/q.Window.Hop-e.Time/q.Window.Hop)
			}
			score.Add(score, factor.Mul(factor, weight(cfg, &e)))
		}
		if score.Sign() > 0 {
			all = append(all, scored{key, &groups[key][0], score})
		}
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(b.score.Cmp(a.score), bytes.Compare([]byte(a.key), []byte(b.key)))
	})
	items := []operator.Value{}
	for _, x := range all {
		if q.Limit > 0 && len(items) == q.Limit {
			break
		}
		items = append(items, entry(cfg, x.first, x.score))
	}
	return operator.OfList(items)
}

// entry returns a struct of the event's keys and the score.
func entry(cfg *operator.Config, e *Event, score *big.Int) operator.Value {
	inputs, data := with(cfg, operator.RoleKey, e)
	var members []operator.Value
	var names []string
	for i := range inputs {
		members, names = append(members, datum(&inputs[i], &data[i])), append(names, inputs[i].Name)
	}
	f, _ := new(big.Rat).SetFrac(score, new(big.Int).Lsh(big.NewInt(1), factorBits)).Float64()
	return operator.OfStruct(append(names, "score"), append(members, operator.OfFloat(f)))
}

const (
	factorBits = 32
	rootBits   = 200 // of the fraction of an exponent, and of precision beyond it
)

// roots[i] is 2^(−2^−i): each the square root of the one before.
var roots = sync.OnceValue(func() []*big.Float {
	rs := []*big.Float{big.NewFloat(0.5).SetPrec(2 * rootBits)}
	for i := range rootBits {
		rs = append(rs, new(big.Float).SetPrec(2*rootBits).Sqrt(rs[i]))
	}
	return rs
})

type exponent struct{ hop, halfLife, age int64 }

var factors sync.Map // of exponent to *big.Int; as many as there are hops in the decaying windows of the process

// Factor returns 2^32 × 2^(−age × hop / halfLife), rounded half up.
func Factor(hop, halfLife, age int64) *big.Int {
	key := exponent{hop, halfLife, age}
	if f, ok := factors.Load(key); ok {
		if f, ok := f.(*big.Int); ok {
			return new(big.Int).Set(f)
		}
	}
	f := factor(big.NewRat(age*hop, halfLife))
	factors.Store(key, f)
	return new(big.Int).Set(f)
}

// factor multiplies the roots that the binary digits of x name, then rounds.
func factor(x *big.Rat) *big.Int {
	whole := new(big.Int).Quo(x.Num(), x.Denom())
	if whole.Cmp(big.NewInt(2*factorBits)) > 0 {
		return new(big.Int)
	}
	f := new(big.Float).SetPrec(2*rootBits).SetMantExp(big.NewFloat(1), factorBits-int(whole.Int64()))
	rest := new(big.Rat).Sub(x, new(big.Rat).SetInt(whole))
	for i := 1; i <= rootBits; i++ {
		rest.Add(rest, rest)
		if rest.Cmp(big.NewRat(1, 1)) >= 0 {
			rest.Sub(rest, big.NewRat(1, 1))
			f.Mul(f, roots()[i])
		}
	}
	rounded, _ := f.Add(f, big.NewFloat(0.5)).Int(nil)
	return rounded
}
