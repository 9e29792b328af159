package operator

import (
	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// min and max keep the smallest and the largest value of each bucket. Of nothing they are null.
var (
	minKind = extremeKind("min", 0)
	maxKind = extremeKind("max", -1)
)

// extremeKind returns the kind that keeps the value v of which v^flip is the smallest: flip is 0, or -1, which turns the
// order around.
func extremeKind(name string, flip int64) Kind {
	return Kind{
		Name: name, Version: 1,
		CheckQuery: plainQuery(name),
		New: func(cfg Config) (Operator, error) {
			s := shape{
				name: name, values: one,
				valueTypes:     []schema.Type{schema.Int32, schema.Int64, schema.Decimal, schema.Time},
				valueTypesCure: "want int32, int64, decimal(n) or time",
			}
			tiers, err := s.check(&cfg)
			if err != nil {
				return nil, err
			}
			low, high := tupleOf(cfg.Inputs)[0].Low, tupleOf(cfg.Inputs)[0].High
			return &extremeOperator{name: name, tiers: tiers, in: cfg.Inputs[0], agg: extreme{flip, low, high}}, nil
		},
	}
}

type extremeOperator struct {
	name  string
	tiers window.Tiers
	in    Input
	agg   extreme
}

// NewStates implements Operator.
func (o *extremeOperator) NewStates() States {
	return &extremeStates{cellStates: cellStates{kind: o.name, Cells: cells.New(o.tiers, o.agg, extremeWords, false)}, in: &o.in, agg: o.agg}
}

type extremeStates struct {
	cellStates
	in  *Input
	agg extreme
}

// Fold implements States.
func (s *extremeStates) Fold(r *Rows) {
	values, flip := r.In[0].Ints, s.agg.flip
	s.begin(r, r.In)
	for rows, w, fresh := s.Next(); len(rows) > 0; rows, w, fresh = s.Next() {
		best := values[rows[0]] ^ flip
		for _, row := range rows[1:] {
			best = min(best, values[row]^flip)
		}
		if !fresh {
			best = min(best, int64(w[0])^flip)
		}
		w[0] = uint64(best ^ flip)
	}
}

// Result implements States.
func (s *extremeStates) Result(slot int32, q *Query) Value {
	best, found := int64(0), false
	s.Each(slot, q.Window, q.AsOf, func(w []uint64) {
		if v := int64(w[0]); !found || s.agg.better(v, best) {
			best, found = v, true
		}
	})
	switch {
	case !found:
		return Value{}
	case s.in.Type == schema.Time:
		return OfMillis(best)
	}
	return number(s.in, wide.Of(best))
}

// extreme is the aggregate of min and max: one value, as varint. It has no zero: there is a cell only where there is a
// value.
type extreme struct {
	flip      int64 // see extremeKind
	low, high int64 // the range of the input's type
}

// extremeWords is the number of words of an extreme.
const extremeWords = 1

// better tells whether a is kept rather than b.
func (e extreme) better(a, b int64) bool { return a^e.flip < b^e.flip }

// Combine implements cells.Aggregate.
func (e extreme) Combine(dst, src []uint64) {
	if e.better(int64(src[0]), int64(dst[0])) {
		dst[0] = src[0]
	}
}

// Empty implements cells.Aggregate.
func (extreme) Empty([]uint64) bool { return false }

// Free implements cells.Aggregate.
func (extreme) Free([]uint64) {}

// Append implements cells.Aggregate.
func (extreme) Append(dst []byte, w []uint64, _ int64) []byte {
	return wire.AppendVarint(dst, int64(w[0]))
}

// Read implements cells.Aggregate.
func (e extreme) Read(r *wire.Reader, w []uint64, _, _, _ int64) {
	v := r.Varint()
	if v < e.low || v > e.high {
		r.Fail()
	}
	w[0] = uint64(v)
}
