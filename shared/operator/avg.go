package operator

import (
	"math/big"

	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// avg keeps the number of values and their sum. The result is the float64 nearest to the exact quotient; null of nothing.
var avgKind = Kind{
	Name: "avg", Version: 1,
	CheckQuery: plainQuery("avg"),
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "avg", values: one, valueTypes: numbers, valueTypesCure: numbersCure}
		tiers, err := s.check(&cfg)
		if err != nil {
			return nil, err
		}
		return &avgOperator{tiers: tiers, in: cfg.Inputs[0]}, nil
	},
}

type avgOperator struct {
	tiers window.Tiers
	in    Input
}

// NewStates implements Operator.
func (o *avgOperator) NewStates() States {
	return &avgStates{cellStates: cellStates{kind: "avg", Cells: cells.New(o.tiers, averaged{}, 3, false)}, in: &o.in}
}

type avgStates struct {
	cellStates
	in *Input
}

// Fold implements States.
func (s *avgStates) Fold(r *Rows) {
	s.begin(r, r.In)
	for rows, w, _ := s.Next(); len(rows) > 0; rows, w, _ = s.Next() {
		w[0] += uint64(len(rows))
		addRows(w[1:], r.In[0].Ints, rows)
	}
}

// Result implements States.
func (s *avgStates) Result(slot int32, q *Query) Value {
	var n uint64
	var sum wide.Int
	s.Each(slot, q.Window, q.AsOf, func(w []uint64) {
		n += w[0]
		sum = sum.Add(wideAt(w[1:]))
	})
	if n == 0 {
		return Value{}
	}
	return OfFloat(quotient(sum, n, s.in))
}

// exactFloat bounds the integers that every float64 division takes as they are: then it rounds correctly by itself.
const exactFloat = 1 << 53

// quotient returns the float64 nearest to sum / (n × 10^scale), ties to even.
func quotient(sum wide.Int, n uint64, in *Input) float64 {
	unit := uint64(1)
	if in.Type == schema.Decimal {
		unit = pow10(in.Scale)
	}
	if v, ok := sum.Int64(); ok && -exactFloat <= v && v <= exactFloat && n <= exactFloat/unit {
		return float64(v) / float64(n*unit)
	}
	den := new(big.Int).SetUint64(n)
	f, _ := new(big.Rat).SetFrac(sum.Big(), den.Mul(den, new(big.Int).SetUint64(unit))).Float64()
	return f
}

func pow10(scale int) uint64 {
	p := uint64(1)
	for range scale {
		p *= 10
	}
	return p
}

// averaged is the aggregate of avg: how many, as uvarint, and their sum, as varint. It is empty only without values.
type averaged struct{}

func (averaged) Combine(dst, src []uint64) {
	dst[0] += src[0]
	putWide(dst[1:], wideAt(dst[1:]).Add(wideAt(src[1:])))
}

func (averaged) Empty(w []uint64) bool { return w[0] == 0 }
func (averaged) Free([]uint64)         {}

func (averaged) Append(dst []byte, w []uint64, _ int64) []byte {
	return wire.AppendWide(wire.AppendUvarint(dst, w[0]), wideAt(w[1:]))
}

// Plain implements cells.Plain.
func (averaged) Plain() (maxCount uint64, sum bool) { return maxCounted, true }

func (averaged) Read(r *wire.Reader, w []uint64, _, _, _ int64) {
	w[0] = readCount(r)
	putWide(w[1:], r.Wide())
}
