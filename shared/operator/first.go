package operator

import (
	"bytes"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// first keeps the values of the earliest event of each bucket: when a window loses its first bucket, the first of the
// next one counts. Of nothing it is null.
var firstKind = Kind{
	Name: "first", Version: 1,
	CheckQuery: plainQuery("first"),
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "first", values: some}
		tiers, err := s.check(&cfg)
		if err == nil {
			err = checkNames("first", cfg.Inputs)
		}
		if err != nil {
			return nil, err
		}
		return &firstOperator{tiers: tiers, kept: newKept(slices.Clone(cfg.Inputs))}, nil
	},
}

type firstOperator struct {
	tiers window.Tiers
	kept  kept
}

// NewStates implements Operator.
func (o *firstOperator) NewStates() States {
	s := &firstStates{kept: &o.kept, blobs: &arena.Blobs{}}
	s.cellStates = cellStates{kind: "first", Cells: cells.New(o.tiers, &earliest{tuple: o.kept.tuple, blobs: s.blobs}, orderWords+1, false)}
	return s
}

type firstStates struct {
	cellStates
	kept  *kept
	blobs *arena.Blobs
	buf   []byte
}

// Fold implements States.
func (s *firstStates) Fold(r *Rows) {
	s.begin(r, r.In)
	for rows, w, fresh := s.Next(); len(rows) > 0; rows, w, fresh = s.Next() {
		row := rows[0]
		for _, other := range rows[1:] {
			if comparePlaces(r, other, row) < 0 {
				row = other
			}
		}
		if fresh || compareRow(w, r, row) > 0 {
			putOrder(w, r, row)
			s.buf = s.kept.tuple.Append(s.buf[:0], r.In, int(row))
			w[orderWords] = s.blobs.Replace(w[orderWords], s.buf)
		}
	}
}

// Result implements States.
func (s *firstStates) Result(slot int32, q *Query) Value {
	if w := s.held(slot, q); w != nil {
		return s.kept.value(s.blobs.Bytes(w[orderWords]))
	}
	return Value{}
}

// AppendResult implements Answerer.
func (s *firstStates) AppendResult(dst []byte, slot int32, q *Query) ([]byte, bool) {
	if w := s.held(slot, q); w != nil {
		return s.kept.appendJSON(dst, s.blobs.Bytes(w[orderWords])), true
	}
	return dst, false
}

// held returns the earliest aggregate of slot that the query's window holds, nil if there is none.
func (s *firstStates) held(slot int32, q *Query) (best []uint64) {
	s.Each(slot, q.Window, q.AsOf, func(w []uint64) {
		if best == nil || compareOrder(w, best) < 0 {
			best = w
		}
	})
	return best
}

// Reset implements States.
func (s *firstStates) Reset() {
	s.Cells.Reset()
	s.blobs.Reset()
}

// Bytes implements Sizer.
func (s *firstStates) Bytes() int64 { return s.Cells.Bytes() + s.blobs.Size() }

// earliest is the aggregate of first: time less the start of the bucket, source, partition, offset as uvarints, then the
// tuple of values. The last of its words is a blob's. It has no zero.
type earliest struct {
	tuple wire.Tuple
	blobs *arena.Blobs
	buf   []byte
}

// Combine implements cells.Aggregate: the later one ends in src. Events at one place have one value, except in forged
// states; so that these have one canonical form too, the smaller bytes win.
func (e *earliest) Combine(dst, src []uint64) {
	order := compareOrder(src, dst)
	if order == 0 {
		e.buf = append(e.buf[:0], e.blobs.Bytes(src[orderWords])...)
		order = bytes.Compare(e.buf, e.blobs.Bytes(dst[orderWords]))
	}
	if order < 0 {
		for i := range dst {
			dst[i], src[i] = src[i], dst[i]
		}
	}
}

// Empty implements cells.Aggregate.
func (*earliest) Empty([]uint64) bool { return false }

// Free implements cells.Aggregate.
func (e *earliest) Free(w []uint64) { e.blobs.Free(w[orderWords]) }

// Append implements cells.Aggregate.
func (e *earliest) Append(dst []byte, w []uint64, start int64) []byte {
	dst = appendPlace(wire.AppendUvarint(dst, w[orderTime]-uint64(start)), w)
	return append(dst, e.blobs.Bytes(w[orderWords])...)
}

// Read implements cells.Aggregate.
func (e *earliest) Read(r *wire.Reader, w []uint64, start, hop, newest int64) {
	if hop == 0 {
		hop = schema.MaxTime + 1
	}
	t := uint64(start) + r.Uvarint(uint64(hop-1))
	readPlace(r, w, t, newest)
	w[orderWords] = 0
	if tuple := r.Tuple(e.tuple, true); !r.Bad() {
		w[orderWords] = e.blobs.Put(tuple)
	}
}
