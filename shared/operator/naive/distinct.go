package naive

import (
	"maps"
	"math/big"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// newestOf returns the newest event of each element, in order of time.
func newestOf(cfg *operator.Config, events []Event) []Event {
	seen := map[string]bool{}
	var out []Event
	for _, e := range slices.Backward(events) {
		if id := string(identity(cfg, &e)); !seen[id] {
			seen[id] = true
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out
}

// elements writes how many events there are and what elements they are of, in order of the bytes.
func elements(cfg *operator.Config, events []Event) []byte {
	var ids []string
	for i := range events {
		ids = append(ids, string(identity(cfg, &events[i])))
	}
	slices.Sort(ids)
	dst := wire.AppendUvarint(nil, uint64(len(ids)))
	for _, id := range ids {
		dst = append(dst, id...)
	}
	return dst
}

func distinctState(cfg *operator.Config, events []Event, newest int64) []byte {
	seen := newestOf(cfg, events)
	if len(seen) == 0 {
		return nil
	}
	if len(seen) > operator.MaxExact {
		return registersState(cfg, seen, newest)
	}
	hs := hops(cfg)
	without := slices.DeleteFunc(slices.Clone(seen), func(e Event) bool { return tier(cfg, hs, e.Time, newest) >= 0 })
	dst := wire.AppendUvarint(nil, uint64(len(seen)))
	dst = append(dst, elements(cfg, without)...)
	return append(dst, group(buckets(cfg, seen, newest), func(b *bucket) []byte { return elements(cfg, b.events) })...)
}

const (
	registers    = 4096
	registerBits = 12
	rankBits     = 6
)

// sketch returns the highest rank of each register that has an element among the events.
func sketch(cfg *operator.Config, events []Event) map[int]int {
	ranks := map[int]int{}
	for i := range events {
		hash := xxhash.Sum64(identity(cfg, &events[i]))
		register, rank := int(hash>>(64-registerBits)), 1
		for bit := 64 - registerBits - 1; bit >= 0 && hash>>bit&1 == 0; bit-- {
			rank++
		}
		ranks[register] = max(ranks[register], rank)
	}
	return ranks
}

// registersState writes of each register the ranks that no later bucket has as high.
func registersState(cfg *operator.Config, seen []Event, newest int64) []byte {
	pairs := uint64(0)
	best := map[int]int{} // in the buckets looked at, which are the later ones
	content := map[[2]int64][]byte{}
	bs := buckets(cfg, seen, newest)
	slices.SortFunc(bs, func(a, b *bucket) int { return order(b.events[0], a.events[0]) })
	for _, b := range bs {
		ranks := sketch(cfg, b.events)
		maps.DeleteFunc(ranks, func(register, rank int) bool { return rank <= best[register] })
		maps.Copy(best, ranks)
		dst := wire.AppendUvarint(nil, uint64(len(ranks)))
		before := -1
		for _, register := range slices.Sorted(maps.Keys(ranks)) {
			dst = wire.AppendUvarint(dst, uint64((register-before-1)<<rankBits+ranks[register]))
			before = register
		}
		if len(ranks) > 0 {
			content[[2]int64{int64(b.tier), b.number}] = dst
		}
		pairs += uint64(len(ranks))
	}
	dst := wire.AppendUvarint(nil, operator.MaxExact+1)
	dst = wire.AppendUvarint(dst, pairs)
	return append(dst, group(buckets(cfg, seen, newest), func(b *bucket) []byte { return content[[2]int64{int64(b.tier), b.number}] })...)
}

// distinctResult gets all events: how many elements there ever were decides whether those of the window are counted or
// estimated.
func distinctResult(cfg *operator.Config, events []Event, q *operator.Query) operator.Value {
	seen := newestOf(cfg, events)
	held := within(seen, q.Window, q.AsOf)
	if len(seen) <= operator.MaxExact {
		return operator.OfInt(int64(len(held)))
	}
	return operator.OfInt(estimate(sketch(cfg, held)))
}

// estimatePrec is the precision of the estimate, bits.
const estimatePrec = 200

func number(v float64) *big.Float { return new(big.Float).SetPrec(estimatePrec).SetFloat64(v) }

// estimate is Ertl's improved raw estimator, in numbers so long that only its definition matters.
func estimate(ranks map[int]int) int64 {
	const most = 64 - registerBits + 1
	if len(ranks) == 0 {
		return 0
	}
	counts := make([]float64, most+1)
	counts[0] = float64(registers - len(ranks))
	for _, rank := range ranks {
		counts[rank]++
	}
	z := tau(number(1 - counts[most]/registers))
	z.Mul(z, number(registers))
	z.SetMantExp(z, -(most - 1))
	for rank := 1; rank < most; rank++ {
		z.Add(z, number(0).SetMantExp(number(counts[rank]), -rank))
	}
	low := sigma(number(counts[0] / registers))
	z.Add(z, low.Mul(low, number(registers)))
	n := number(registers * registers / 2)
	n.Quo(n, z).Quo(n, ln2())
	rounded, _ := n.Add(n, number(0.5)).Int64()
	return rounded
}

// ln2 is Σ 1 / (k × 2^k).
func ln2() *big.Float {
	sum := number(0)
	for k := 1; k <= estimatePrec; k++ {
		term := number(1)
		sum.Add(sum, term.SetMantExp(term.Quo(term, number(float64(k))), -k))
	}
	return sum
}

// sigma is x + Σ x^(2^k) × 2^(k−1), x below 1, up to terms too small to matter.
func sigma(x *big.Float) *big.Float {
	sum := number(0).Set(x)
	for k := 1; x.Sign() > 0 && x.MantExp(nil)+k > sum.MantExp(nil)-estimatePrec; k++ {
		x = number(0).Mul(x, x)
		sum.Add(sum, number(0).SetMantExp(x, k-1))
	}
	return sum
}

// tau is (1 − x − Σ (1 − x^(2^−k))² × 2^−k) / 3.
func tau(x *big.Float) *big.Float {
	one := number(1)
	sum := number(0).Sub(one, x)
	for k := 1; k < estimatePrec && x.Sign() > 0; k++ {
		x = number(0).Sqrt(x)
		off := number(0).Sub(one, x)
		off.Mul(off, off)
		sum.Sub(sum, off.SetMantExp(off, -k))
	}
	if x.Sign() == 0 {
		return number(0)
	}
	return sum.Quo(sum, number(3))
}
