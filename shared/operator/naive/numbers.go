package naive

import (
	"math/big"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
)

func countState(cfg *operator.Config, events []Event, newest int64) []byte {
	return group(buckets(cfg, events, newest), func(b *bucket) []byte {
		return wire.AppendUvarint(nil, uint64(len(b.events)))
	})
}

func countResult(_ *operator.Config, events []Event, _ *operator.Query) operator.Value {
	return operator.OfInt(int64(len(events)))
}

// sum adds the events' first input.
func sum(events []Event) *big.Int {
	s := new(big.Int)
	for _, e := range events {
		s.Add(s, big.NewInt(e.In[0].Int))
	}
	return s
}

// words returns the 128 bits of b in two's complement.
func words(b *big.Int) wide.Int {
	mask := new(big.Int).SetUint64(1<<64 - 1)
	lo := new(big.Int).And(b, mask) // of a negative number too: big.Int's And is that of two's complement
	hi := new(big.Int).Rsh(b, 64)
	return wide.Int{Hi: hi.Int64(), Lo: lo.Uint64()}
}

// value returns b in the units of in.
func value(in *operator.Input, b *big.Int) operator.Value {
	w := words(b)
	if in.Type == schema.Decimal {
		return operator.Value{Kind: operator.Dec, Scale: uint8(in.Scale), Hi: w.Hi, Lo: w.Lo}
	}
	return operator.Value{Kind: operator.Int, Hi: w.Hi, Lo: w.Lo}
}

func sumState(cfg *operator.Config, events []Event, newest int64) []byte {
	return group(buckets(cfg, events, newest), func(b *bucket) []byte {
		s := sum(b.events)
		if s.Sign() == 0 {
			return nil
		}
		return wire.AppendWide(nil, words(s))
	})
}

func sumResult(cfg *operator.Config, events []Event, _ *operator.Query) operator.Value {
	return value(&cfg.Inputs[0], sum(events))
}

func avgState(cfg *operator.Config, events []Event, newest int64) []byte {
	return group(buckets(cfg, events, newest), func(b *bucket) []byte {
		return wire.AppendWide(wire.AppendUvarint(nil, uint64(len(b.events))), words(sum(b.events)))
	})
}

func avgResult(cfg *operator.Config, events []Event, _ *operator.Query) operator.Value {
	if len(events) == 0 {
		return operator.Value{}
	}
	den := big.NewInt(int64(len(events)))
	for range cfg.Inputs[0].Scale {
		den.Mul(den, big.NewInt(10))
	}
	f, _ := new(big.Rat).SetFrac(sum(events), den).Float64()
	return operator.OfFloat(f)
}

// extreme returns the smallest (sign −1) or largest (sign 1) first input of events.
func extreme(events []Event, sign int) int64 {
	best := events[0].In[0].Int
	for _, e := range events {
		if v := e.In[0].Int; (sign < 0 && v < best) || (sign > 0 && v > best) {
			best = v
		}
	}
	return best
}

func extremeState(cfg *operator.Config, events []Event, newest int64, sign int) []byte {
	return group(buckets(cfg, events, newest), func(b *bucket) []byte {
		return wire.AppendVarint(nil, extreme(b.events, sign))
	})
}

func extremeResult(cfg *operator.Config, events []Event, sign int) operator.Value {
	if len(events) == 0 {
		return operator.Value{}
	}
	v := extreme(events, sign)
	if cfg.Inputs[0].Type == schema.Time {
		return operator.OfMillis(v)
	}
	return value(&cfg.Inputs[0], big.NewInt(v))
}

func minState(cfg *operator.Config, events []Event, newest int64) []byte {
	return extremeState(cfg, events, newest, -1)
}

func minResult(cfg *operator.Config, events []Event, _ *operator.Query) operator.Value {
	return extremeResult(cfg, events, -1)
}

func maxState(cfg *operator.Config, events []Event, newest int64) []byte {
	return extremeState(cfg, events, newest, 1)
}

func maxResult(cfg *operator.Config, events []Event, _ *operator.Query) operator.Value {
	return extremeResult(cfg, events, 1)
}
