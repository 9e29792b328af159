package operator

import (
	"bytes"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// last keeps the values of the latest event. Every window reaches up to as_of, so one entry serves all: if it is outside
// of a window, so are all the others. Of nothing it is null.
var lastKind = Kind{
	Name: "last", Version: 1,
	CheckQuery: plainQuery("last"),
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "last", values: some}
		tiers, err := s.check(&cfg)
		if err == nil {
			err = checkNames("last", cfg.Inputs)
		}
		if err != nil {
			return nil, err
		}
		return &lastOperator{tiers: tiers, kept: newKept(slices.Clone(cfg.Inputs))}, nil
	},
}

type lastOperator struct {
	tiers window.Tiers
	kept  kept
}

// NewStates implements Operator.
func (o *lastOperator) NewStates() States {
	return &lastStates{op: o, Runs: arena.NewRuns(orderWords + 1)}
}

// lastStates has one entry a slot, or none: the event's place, then the blob of its values.
type lastStates struct {
	arena.Runs
	op     *lastOperator
	blobs  arena.Blobs
	buf    []byte
	picked picked
}

// Fold implements States.
func (s *lastStates) Fold(r *Rows) {
	r = s.picked.present(r, r.In)
	for rows, slots := r.Row, r.Slot; len(rows) > 0; {
		n, slot, row := 1, slots[0], rows[0]
		if len(slots) > 1 && slots[1] == slot {
			n = sameSlot(slots)
			row = latestRow(r, rows[:n]) // if that is out of reach, so are the others
		}
		s.add(r, slot, row)
		rows, slots = rows[n:], slots[n:]
	}
}

// add adds a row to slot.
func (s *lastStates) add(r *Rows, slot, row int32) {
	w := s.Last(slot)
	if w != nil && compareRow(w, r, row) >= 0 || s.op.tiers.Of(r.Time[row], r.Newest[slot]) < 0 {
		return
	}
	if w == nil {
		s.Reserve(slot, 1)
		w = s.Push(slot)
	}
	putOrder(w, r, row)
	s.buf = s.op.kept.tuple.Append(s.buf[:0], r.In, int(row))
	w[orderWords] = s.blobs.Replace(w[orderWords], s.buf)
}

// Merge implements States.
func (s *lastStates) Merge(slot int32, state []byte, newest int64) error {
	if len(state) == 0 {
		return nil
	}
	r := wire.NewReader(state)
	var in [orderWords]uint64
	readPlace(&r, in[:], r.Uvarint(schema.MaxTime), newest)
	tuple := r.Tuple(s.op.kept.tuple, true)
	if !r.Done() {
		return stateError("last", state)
	}
	w := s.Last(slot)
	if w == nil {
		s.Reserve(slot, 1)
		w = s.Push(slot)
	} else if order := compareOrder(w, in[:]); order > 0 || order == 0 && bytes.Compare(s.blobs.Bytes(w[orderWords]), tuple) <= 0 {
		return nil
	}
	copy(w, in[:])
	w[orderWords] = s.blobs.Replace(w[orderWords], tuple)
	return nil
}

// AppendState implements States: time, source, partition, offset as uvarints, then the tuple of values.
func (s *lastStates) AppendState(dst []byte, slot int32, newest int64) []byte {
	w := s.Last(slot)
	if w == nil || s.op.tiers.Of(int64(w[orderTime]), newest) < 0 {
		return dst
	}
	dst = appendPlace(wire.AppendUvarint(dst, w[orderTime]), w)
	return append(dst, s.blobs.Bytes(w[orderWords])...)
}

// Result implements States.
func (s *lastStates) Result(slot int32, q *Query) Value {
	if w := s.held(slot, q); w != nil {
		return s.op.kept.value(s.blobs.Bytes(w[orderWords]))
	}
	return Value{}
}

// AppendResult implements Answerer.
func (s *lastStates) AppendResult(dst []byte, slot int32, q *Query) ([]byte, bool) {
	if w := s.held(slot, q); w != nil {
		return s.op.kept.appendJSON(dst, s.blobs.Bytes(w[orderWords])), true
	}
	return dst, false
}

// held returns slot's entry if the query's window holds it, otherwise nil.
func (s *lastStates) held(slot int32, q *Query) []uint64 {
	if w := s.Last(slot); w != nil && q.Window.Holds(int64(w[orderTime]), q.AsOf) {
		return w
	}
	return nil
}

// Reset implements States.
func (s *lastStates) Reset() {
	s.Runs.Reset()
	s.blobs.Reset()
}

// Bytes implements Sizer.
func (s *lastStates) Bytes() int64 { return s.Runs.Bytes() + s.blobs.Size() }
