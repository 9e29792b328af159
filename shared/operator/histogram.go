package operator

import (
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// MaxBins bounds the bins of a histogram: each bucket has a counter of each.
const MaxBins = 64

// histogram counts the values that fall into each bin. Of a number the bins are what lies below the first edge, what lies
// between one edge and the next, and what lies above the last; a value on an edge is in the upper bin. Of an enum they are
// its values. Of nothing all counts are 0.
var histogramKind = Kind{
	Name: "histogram", Version: 1,
	CheckQuery: plainQuery("histogram"),
	New: func(cfg Config) (Operator, error) {
		s := shape{
			name: "histogram", values: one, edged: true,
			valueTypes:     []schema.Type{schema.Int32, schema.Int64, schema.Decimal, schema.Enum},
			valueTypesCure: "want int32, int64, decimal(n) or enum",
		}
		tiers, err := s.check(&cfg)
		if err == nil {
			err = checkBins(&cfg.Inputs[0], cfg.Edges)
		}
		if err != nil {
			return nil, err
		}
		return &histogramOperator{tiers: tiers, enum: slices.Clone(cfg.Inputs[0].Enum), edges: slices.Clone(cfg.Edges)}, nil
	},
}

// checkBins tells whether an input and edges make bins.
func checkBins(in *Input, edges []int64) error {
	if in.Type == schema.Enum {
		switch n := len(in.Enum); {
		case len(edges) > 0:
			return fmt.Errorf("%w: histogram: %q is an enum, whose values are the bins: leave edges out", ErrConfig, in.Name)
		case n > MaxBins:
			return fmt.Errorf("%w: histogram: %q has %d values: it takes at most %d: use top_k", ErrConfig, in.Name, n, MaxBins)
		}
		return nil
	}
	if n := len(edges); n < 1 || n >= MaxBins {
		return fmt.Errorf("%w: histogram: %d edges: list where one bin ends and the next begins, 1 to %d", ErrConfig, n, MaxBins-1)
	}
	for i := 1; i < len(edges); i++ {
		if edges[i-1] >= edges[i] {
			return fmt.Errorf("%w: histogram: edge %d is not above the one before: list them in ascending order, each once", ErrConfig, i+1)
		}
	}
	return nil
}

type histogramOperator struct {
	tiers window.Tiers
	enum  []string // the values of an enum; nil of a number
	edges []int64  // nil of an enum
}

// bins returns how many there are.
func (o *histogramOperator) bins() int { return max(len(o.enum), len(o.edges)+1) }

// NewStates implements Operator.
func (o *histogramOperator) NewStates() States {
	return &histogramStates{cellStates: cellStates{kind: "histogram", Cells: cells.New(o.tiers, binned{}, o.bins(), false)}, op: o}
}

type histogramStates struct {
	cellStates
	op *histogramOperator
}

// Fold implements States.
func (s *histogramStates) Fold(r *Rows) {
	values := r.In[0].Ints
	s.begin(r, r.In)
	for rows, w, _ := s.Next(); len(rows) > 0; rows, w, _ = s.Next() {
		for _, row := range rows {
			w[s.op.bin(values[row])]++
		}
	}
}

// bin returns the bin of a value: how many edges are not above it, or the index of an enum's value.
func (o *histogramOperator) bin(v int64) int {
	if len(o.edges) == 0 {
		return int(v)
	}
	// All are compared: to halve them again and again would be beyond what a processor guesses at each step.
	n := 0
	for _, edge := range o.edges {
		if edge <= v {
			n++
		}
	}
	return n
}

// Result implements States: of a number a list of counts, from the lowest bin to the highest; of an enum a struct of
// counts under the values, in their order.
func (s *histogramStates) Result(slot int32, q *Query) Value {
	counts := make([]uint64, s.op.bins())
	s.Each(slot, q.Window, q.AsOf, func(w []uint64) { binned{}.Combine(counts, w) })
	items := make([]Value, len(counts))
	for i, n := range counts {
		items[i] = OfInt(int64(n))
	}
	if s.op.enum != nil {
		return OfStruct(s.op.enum, items)
	}
	return OfList(items)
}

// binned is the aggregate of histogram: a counter of each bin. Written are how many bins have any, then for each of these,
// in order, its number, of the second and later ones the difference to the one before, less 1, and the count.
type binned struct{}

// Combine implements cells.Aggregate.
func (binned) Combine(dst, src []uint64) {
	for i, n := range src {
		dst[i] += n
	}
}

// Empty implements cells.Aggregate: there is a cell only where there is a value.
func (binned) Empty([]uint64) bool { return false }

// Free implements cells.Aggregate.
func (binned) Free([]uint64) {}

// Append implements cells.Aggregate.
func (binned) Append(dst []byte, w []uint64, _ int64) []byte {
	used := uint64(0)
	for _, n := range w {
		if n > 0 {
			used++
		}
	}
	dst = wire.AppendUvarint(dst, used)
	next := 0
	for bin, n := range w {
		if n > 0 {
			dst = wire.AppendUvarint(wire.AppendUvarint(dst, uint64(bin-next)), n)
			next = bin + 1
		}
	}
	return dst
}

// Read implements cells.Aggregate.
func (binned) Read(r *wire.Reader, w []uint64, _, _, _ int64) {
	clear(w)
	used := r.Uvarint(uint64(len(w)))
	if used == 0 {
		r.Fail()
	}
	rest := w
	for range used {
		gap := r.Uvarint(uint64(len(w)))
		if gap >= uint64(len(rest)) {
			r.Fail()
			return
		}
		rest[gap] = readCount(r)
		rest = rest[gap+1:]
	}
}
