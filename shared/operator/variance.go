package operator

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// variance keeps the number of values, their sum and the sum of their squares, all of them exact: no value is subtracted
// from a mean that is not known yet. The result is the float64 nearest to the exact population variance; null of nothing.
var varianceKind = Kind{
	Name: "variance", Version: 1,
	CheckQuery: plainQuery("variance"),
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "variance", values: one, valueTypes: numbers, valueTypesCure: numbersCure}
		tiers, err := s.check(&cfg)
		if err != nil {
			return nil, err
		}
		return &varianceOperator{tiers: tiers, in: cfg.Inputs[0]}, nil
	},
}

type varianceOperator struct {
	tiers window.Tiers
	in    Input
}

// NewStates implements Operator.
func (o *varianceOperator) NewStates() States {
	return &varianceStates{cellStates: cellStates{kind: "variance", Cells: cells.New(o.tiers, squared{}, squaredWords, false)}, in: &o.in}
}

type varianceStates struct {
	cellStates
	in *Input
}

// Fold implements States.
func (s *varianceStates) Fold(r *Rows) {
	values := r.In[0].Ints
	s.begin(r, r.In)
	for rows, w, _ := s.Next(); len(rows) > 0; rows, w, _ = s.Next() {
		w[0] += uint64(len(rows))
		addRows(w[squaredSum:], values, rows)
		squares := squaresAt(w)
		for _, row := range rows {
			squares = squares.AddSquare(values[row])
		}
		putSquares(w, squares)
	}
}

// Result implements States.
func (s *varianceStates) Result(slot int32, q *Query) Value {
	var n uint64
	var sum wide.Int
	var squares wide.Squares
	s.Each(slot, q.Window, q.AsOf, func(w []uint64) {
		n += w[0]
		sum = sum.Add(wideAt(w[squaredSum:]))
		squares = squares.Add(squaresAt(w))
	})
	if n == 0 {
		return Value{}
	}
	return OfFloat(variance(n, sum, squares, s.in))
}

// variance returns the float64 nearest to (n × squares − sum²) / (n × 10^scale)², ties to even.
func variance(n uint64, sum wide.Int, squares wide.Squares, in *Input) float64 {
	unit := uint64(1)
	if in.Type == schema.Decimal {
		unit = pow10(in.Scale)
	}
	if v, ok := smallVariance(n, sum, squares, unit); ok {
		return v
	}
	return largeVariance(n, sum, squares, unit)
}

// smallVariance computes with 128 bits, which nearly all numbers fit into; ok says that these do.
func smallVariance(n uint64, sum wide.Int, squares wide.Squares, unit uint64) (v float64, ok bool) {
	over, den := bits.Mul64(n, unit)
	high, total := sum.Abs()
	if over|high|squares.Hi|squares.Mid != 0 || den > math.MaxUint32 {
		return 0, false
	}
	leftHi, leftLo := bits.Mul64(n, squares.Lo)
	rightHi, rightLo := bits.Mul64(total, total)
	lo, borrow := bits.Sub64(leftLo, rightLo, 0)
	hi, _ := bits.Sub64(leftHi, rightHi, borrow) // never below 0: see wide.Squares.HoldFor
	return wide.Quo(hi, lo, den*den), true
}

// largeVariance computes with numbers of any size.
func largeVariance(n uint64, sum wide.Int, squares wide.Squares, unit uint64) float64 {
	count := new(big.Int).SetUint64(n)
	num := new(big.Int).Mul(count, squares.Big())
	total := sum.Big()
	num.Sub(num, total.Mul(total, total))
	den := count.Mul(count, new(big.Int).SetUint64(unit))
	f, _ := new(big.Rat).SetFrac(num, den.Mul(den, den)).Float64()
	return f
}

// The words of a squared: how many, their sum from squaredSum on, the sum of their squares from squaredSquares on, the low
// word first.
const (
	squaredSum     = 1
	squaredSquares = 3
	squaredWords   = 6
)

func squaresAt(w []uint64) wide.Squares {
	return wide.Squares{Hi: w[squaredSquares+2], Mid: w[squaredSquares+1], Lo: w[squaredSquares]}
}

func putSquares(w []uint64, s wide.Squares) {
	w[squaredSquares], w[squaredSquares+1], w[squaredSquares+2] = s.Lo, s.Mid, s.Hi
}

// squared is the aggregate of variance: how many, as uvarint, their sum, as varint, and the sum of their squares, as
// uvarint of 192 bits. It is empty only without values.
type squared struct{}

// Combine implements cells.Aggregate.
func (squared) Combine(dst, src []uint64) {
	dst[0] += src[0]
	putWide(dst[squaredSum:], wideAt(dst[squaredSum:]).Add(wideAt(src[squaredSum:])))
	putSquares(dst, squaresAt(dst).Add(squaresAt(src)))
}

// Empty implements cells.Aggregate.
func (squared) Empty(w []uint64) bool { return w[0] == 0 }

// Free implements cells.Aggregate.
func (squared) Free([]uint64) {}

// Append implements cells.Aggregate.
func (squared) Append(dst []byte, w []uint64, _ int64) []byte {
	dst = wire.AppendWide(wire.AppendUvarint(dst, w[0]), wideAt(w[squaredSum:]))
	return wire.AppendSquares(dst, squaresAt(w))
}

// Read implements cells.Aggregate. Squares too small for their sum would answer a variance below 0.
func (squared) Read(r *wire.Reader, w []uint64, _, _, _ int64) {
	n, sum, squares := readCount(r), r.Wide(), r.Squares()
	if !squares.HoldFor(n, sum) {
		r.Fail()
	}
	w[0] = n
	putWide(w[squaredSum:], sum)
	putSquares(w, squares)
}
