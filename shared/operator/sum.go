package operator

import (
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// numbers are the types that can be added, with what to say of others.
var numbers = []schema.Type{schema.Int32, schema.Int64, schema.Decimal}

const numbersCure = "want int32, int64 or decimal(n)"

// sum adds one value in 128 bits. Of nothing it is 0, so that buckets whose values cancel need no cell.
var sumKind = Kind{
	Name: "sum", Version: 1,
	CheckQuery: plainQuery("sum"),
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "sum", values: one, valueTypes: numbers, valueTypesCure: numbersCure}
		tiers, err := s.check(&cfg)
		if err != nil {
			return nil, err
		}
		return &sumOperator{tiers: tiers, in: cfg.Inputs[0]}, nil
	},
}

type sumOperator struct {
	tiers window.Tiers
	in    Input
}

// NewStates implements Operator.
func (o *sumOperator) NewStates() States {
	return &sumStates{cellStates: cellStates{kind: "sum", Cells: cells.New(o.tiers, summed{}, 2, false)}, in: &o.in}
}

type sumStates struct {
	cellStates
	in *Input
}

// Fold implements States.
func (s *sumStates) Fold(r *Rows) {
	s.begin(r, r.In)
	for rows, w, _ := s.Next(); len(rows) > 0; rows, w, _ = s.Next() {
		addRows(w, r.In[0].Ints, rows)
	}
}

// Result implements States.
func (s *sumStates) Result(slot int32, q *Query) Value {
	var sum wide.Int
	s.Each(slot, q.Window, q.AsOf, func(w []uint64) { sum = sum.Add(wideAt(w)) })
	return number(s.in, sum)
}

// number returns v, in the units of in, as a value.
func number(in *Input, v wide.Int) Value {
	if in.Type == schema.Decimal {
		return Value{Kind: Dec, Scale: uint8(in.Scale), Hi: v.Hi, Lo: v.Lo}
	}
	return Value{Kind: Int, Hi: v.Hi, Lo: v.Lo}
}

// A 128-bit integer lies in two words, the low one first.
func wideAt(w []uint64) wide.Int { return wide.Int{Hi: int64(w[1]), Lo: w[0]} }

func putWide(w []uint64, v wide.Int) { w[0], w[1] = v.Lo, uint64(v.Hi) }

// addRows adds these rows of values to the 128-bit integer in w.
func addRows(w []uint64, values []int64, rows []int32) {
	lo, hi := w[0], w[1]
	for _, row := range rows {
		next, carry := bits.Add64(lo, uint64(values[row]), 0)
		lo, hi = next, hi+uint64(values[row]>>63)+carry
	}
	w[0], w[1] = lo, hi
}

// summed is the aggregate of sum, and of weights: one 128-bit integer, as varint.
type summed struct{}

func (summed) Combine(dst, src []uint64) { putWide(dst, wideAt(dst).Add(wideAt(src))) }
func (summed) Empty(w []uint64) bool     { return w[0]|w[1] == 0 }
func (summed) Free([]uint64)             {}

func (summed) Append(dst []byte, w []uint64, _ int64) []byte { return wire.AppendWide(dst, wideAt(w)) }

// Plain implements cells.Plain.
func (summed) Plain() (maxCount uint64, sum bool) { return 0, true }

func (summed) Read(r *wire.Reader, w []uint64, _, _, _ int64) {
	v := r.Wide()
	if v.IsZero() {
		r.Fail()
	}
	putWide(w, v)
}
