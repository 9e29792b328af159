package naive

import (
	"math/big"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// squares adds the squares of the events' first input.
func squares(events []Event) *big.Int {
	s := new(big.Int)
	for _, e := range events {
		v := big.NewInt(e.In[0].Int)
		s.Add(s, v.Mul(v, v))
	}
	return s
}

// uvarint writes a number of any length, which is not negative: seven bits a byte, the lowest first.
func uvarint(dst []byte, v *big.Int) []byte {
	rest := new(big.Int).Set(v)
	for rest.BitLen() > 7 {
		dst = append(dst, byte(new(big.Int).And(rest, big.NewInt(0x7f)).Int64())|0x80)
		rest.Rsh(rest, 7)
	}
	return append(dst, byte(rest.Int64()))
}

func varianceState(cfg *operator.Config, events []Event, newest int64) []byte {
	return group(buckets(cfg, events, newest), func(b *bucket) []byte {
		dst := wire.AppendWide(wire.AppendUvarint(nil, uint64(len(b.events))), words(sum(b.events)))
		return uvarint(dst, squares(b.events))
	})
}

// varianceResult is the mean of the squared distances from the mean, in fractions.
func varianceResult(cfg *operator.Config, events []Event, _ *operator.Query) operator.Value {
	if len(events) == 0 {
		return operator.Value{}
	}
	n := big.NewRat(int64(len(events)), 1)
	mean := new(big.Rat).SetInt(sum(events))
	mean.Quo(mean, n)
	total := new(big.Rat)
	for _, e := range events {
		off := new(big.Rat).SetInt64(e.In[0].Int)
		off.Sub(off, mean)
		total.Add(total, off.Mul(off, off))
	}
	total.Quo(total, n)
	for range 2 * cfg.Inputs[0].Scale {
		total.Quo(total, big.NewRat(10, 1))
	}
	f, _ := total.Float64()
	return operator.OfFloat(f)
}
