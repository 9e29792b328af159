package writes

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/speed/flush"
)

// The world that is written to: each flush of a worker has tilesPerCall tiles for each lane, one of each row in turn.
const (
	lanes        = 16
	rowsPerLane  = 1000
	tilesPerCall = 100
	tileBytes    = 94 // a user's block tile of one event
	namespace    = "writes:view:aaaaaaaaaa"
	incarnation  = lane.Incarnation("aaaaaaaaaa")
)

// maxFailures bounds how often in a row the store may fail a worker: faults are rarer than that by far.
const maxFailures = 1000

// Store is what a worker needs of a store.
type Store interface {
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
	Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)
}

// worker writes the tiles of one partition. A tile's offset is the number of the write in its lane.
type worker struct {
	id       int
	store    Store
	lanes    [lanes]flush.Lane
	refusals [flush.Refusals]int
	failures int // in a row
}

func newWorker(id int, s Store) *worker {
	w := &worker{id: id, store: s}
	for n := range w.lanes {
		w.lanes[n] = flush.Lane{ID: laneID(n), Partition: partition(id)}
	}
	return w
}

func laneID(n int) lane.ID { return lane.ID{Namespace: namespace, N: n} }

func partition(id int) position.Partition { return position.Partition{Source: "events", ID: int32(id)} }

// begin returns the calls that begin all lanes.
func begin() []lane.Call {
	calls := make([]lane.Call, lanes)
	for n := range calls {
		calls[n] = lane.Call{
			Lane: laneID(n), Name: lane.BatchName, Once: true, Replace: map[string]string{},
			Set: lane.BatchMark{Incarnation: incarnation, Run: 1}.Wire(),
		}
	}
	return calls
}

// run writes the tiles of all flushes; done is told of each flush that is in.
func (w *worker) run(ctx context.Context, flushes int, done func()) error {
	for k := range flushes {
		if err := w.reach(ctx, int64(k+1)*tilesPerCall); err != nil {
			return fmt.Errorf("worker %d, flush %d: %w", w.id, k, err)
		}
		done()
	}
	return nil
}

// reach brings every lane to pos, whatever it takes.
func (w *worker) reach(ctx context.Context, pos int64) error {
	for {
		if err := w.observe(ctx); err != nil {
			return err
		}
		var calls []lane.Call
		for n := range w.lanes {
			if l := &w.lanes[n]; l.Next() < pos {
				calls = append(calls, l.Call(pos, 0, w.rows(n, l.Next(), pos)))
			}
		}
		if len(calls) == 0 {
			return nil
		}
		for i, o := range w.store.Apply(ctx, calls) {
			refusal, err := w.lanes[calls[i].Lane.N].Outcome(o)
			w.refusals[refusal]++
			if err := w.failed(err); err != nil {
				return err
			}
		}
	}
}

// observe reads the marks of lanes that nothing is known of.
func (w *worker) observe(ctx context.Context) error {
	for {
		var ids []lane.ID
		for n := range w.lanes {
			if w.lanes[n].State() != flush.Ready {
				ids = append(ids, w.lanes[n].ID)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		marks, err := w.store.Marks(ctx, ids)
		if err := w.failed(err); err != nil {
			return err
		}
		for i := range marks {
			if err := w.lanes[ids[i].N].Observe(marks[i]); err != nil {
				return err
			}
		}
	}
}

// failed returns an error that does not pass by itself.
func (w *worker) failed(err error) error {
	switch {
	case err == nil:
		w.failures = 0
		return nil
	case !errors.Is(err, lane.ErrUnavailable):
		return err
	case w.failures > maxFailures:
		return fmt.Errorf("%d failures in a row: %w", w.failures, err)
	}
	w.failures++
	return nil
}

// rows returns the tiles of lane n with offsets from up to to, at most one of each row.
func (w *worker) rows(n int, from, to int64) []lane.RowChange {
	rows := make([]lane.RowChange, 0, to-from)
	fields := make([]lane.Field, to-from)
	values := make([]byte, (to-from)*tileBytes)
	name := fieldName(w.id)
	for o := from; o < to; o++ {
		i := o - from
		fields[i] = lane.Field{Name: name, Value: fill(values[i*tileBytes:(i+1)*tileBytes], w.id, n, o)}
		rows = append(rows, lane.RowChange{Key: rowKey(o), Set: fields[i : i+1]})
	}
	return rows
}

func fieldName(id int) string { return "e0/" + strconv.Itoa(id) + "/0" }

func rowKey(o int64) []byte { return strconv.AppendInt([]byte("u"), o%rowsPerLane, 10) }

// fill makes the tile of an offset: no two are alike, in any byte that tells them apart.
func fill(tile []byte, id, n int, o int64) []byte {
	word := uint64(o)<<16 | uint64(id)<<8 | uint64(n)
	for i := 0; i+8 <= len(tile); i += 8 {
		binary.BigEndian.PutUint64(tile[i:], word+uint64(i)<<56)
	}
	return tile
}
