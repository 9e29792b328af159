package operator

import (
	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// count counts rows; with values, those rows in which not all of them are null. Of nothing it is 0.
var countKind = Kind{
	Name: "count", Version: 1,
	CheckQuery: plainQuery("count"),
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "count", values: optional}
		tiers, err := s.check(&cfg)
		if err != nil {
			return nil, err
		}
		return &countOperator{tiers}, nil
	},
}

type countOperator struct{ tiers window.Tiers }

// NewStates implements Operator.
func (o *countOperator) NewStates() States {
	return &countStates{cellStates{kind: "count", Cells: cells.New(o.tiers, counted{}, 1, false)}}
}

type countStates struct{ cellStates }

// Fold implements States.
func (s *countStates) Fold(r *Rows) {
	s.begin(r, r.In)
	for rows, w, _ := s.Next(); len(rows) > 0; rows, w, _ = s.Next() {
		w[0] += uint64(len(rows))
	}
}

// Result implements States.
func (s *countStates) Result(slot int32, q *Query) Value {
	var n uint64
	s.Each(slot, q.Window, q.AsOf, func(w []uint64) { n += w[0] })
	return OfInt(int64(n))
}

// maxCounted bounds what a state may claim to have counted, so that sums of honest counts stay below 2^63.
const maxCounted = 1<<62 - 1

// counted is the aggregate of count: one number, as uvarint.
type counted struct{}

func (counted) Combine(dst, src []uint64) { dst[0] += src[0] }
func (counted) Empty(w []uint64) bool     { return w[0] == 0 }
func (counted) Free([]uint64)             {}

func (counted) Append(dst []byte, w []uint64, _ int64) []byte { return wire.AppendUvarint(dst, w[0]) }

// Plain implements cells.Plain.
func (counted) Plain() (maxCount uint64, sum bool) { return maxCounted, false }

func (counted) Read(r *wire.Reader, w []uint64, _, _, _ int64) { w[0] = readCount(r) }

// readCount reads how many there are, which is not none.
func readCount(r *wire.Reader) uint64 {
	n, ok := r.Short()
	if !ok {
		n = r.Uvarint(maxCounted)
	}
	if n == 0 {
		r.Fail()
	}
	return n
}
