package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// Grace is how long rows of an earlier filling of a lane are kept after the present one was first seen: a reader that
// read the marks before may still be reading them.
const Grace = 10 * time.Minute

// SweepAgain is how long after a sweep the next one of the same filling is due: a store that goes back to an older dump
// shows again what was deleted from it.
const SweepAgain = 24 * time.Hour

// sweepRetry is how long after a sweep the next one of a lane is due of which the store refused to give or to delete rows:
// each is a scan of the namespace.
const sweepRetry = time.Minute

// droppedSweeps is how many sweeps in a row that find nothing end the looking for rows of a dropped lane: nobody writes to
// it any more, so that rows can only come back with an older dump of the store, and dumps so old that they have them are no
// longer restored after a week. Should one be, it brings the lane's older marks back too, and dropping it again makes the
// sweeper begin anew; and so does each new process.
const droppedSweeps = 7

// SweepStore is what a sweeper needs of the store.
type SweepStore interface {
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
	Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error)
	Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error
}

// Sweeper deletes the rows of earlier fillings of lanes, and all rows of lanes that were dropped. They are out of reach of
// every reader and writer, and cost memory only. The grace counts from when this sweeper first saw a filling: one that is
// made anew begins anew. Not safe for concurrent use.
type Sweeper struct {
	// Grace of the fillings that are seen from now on; by default the constant of that name.
	Grace time.Duration

	store SweepStore
	rows  pacer
	lanes map[lane.ID]*Filling
}

// Filling is what a sweeper knows of a lane.
type Filling struct {
	incarnation lane.Incarnation // empty: the lane was dropped, and no row of it is to stay
	due         time.Time        // when leftovers are looked for
	found       bool             // by the sweep under way: there are leftovers
	clean       int              // sweeps in a row that found none
	err         error            // why leftovers stay: what the store said at the last sweep
}

// Leftover tells whether a row of this incarnation is of an earlier filling.
func (f *Filling) Leftover(inc lane.Incarnation) bool { return f.incarnation != inc }

// refused tells whether the store refused a row of the lane: the sweep under way leaves the others.
func (f *Filling) refused() bool { return f.err != nil }

// Swept notes that the lane's leftovers are deleted, or why they stay.
func (f *Filling) Swept(now time.Time) {
	if f.clean++; f.found {
		f.clean = 0
	}
	f.found = false
	f.due = now.Add(SweepAgain)
	if f.err != nil {
		f.due = now.Add(sweepRetry)
	}
}

// over tells that nothing is to be looked for any more.
func (f *Filling) over() bool { return f.incarnation == "" && f.clean >= droppedSweeps }

// Call returns the call that deletes a leftover row. It expects the very filling that was seen: if the lane has been begun
// again meanwhile, the row may be one of the newest filling.
func (f *Filling) Call(row lane.RowID, fields []lane.Field) lane.Call {
	change := lane.RowChange{Key: row.Key}
	for _, field := range fields {
		change.Del = append(change.Del, field.Name)
	}
	c := lane.Call{Lane: row.Lane, RowsOf: row.Incarnation, Rows: []lane.RowChange{change}}
	if f.incarnation == "" {
		c.Name, c.Expect = lane.BatchName, lane.Dropped
		return c
	}
	c.AnyMark, c.Incarnation = true, f.incarnation
	return c
}

// NewSweeper returns a sweeper that deletes at most as many rows a second as limits say. Errors are of class ErrLimits.
func NewSweeper(store SweepStore, limits Limits) (*Sweeper, error) {
	l, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Sweeper{store: store, Grace: Grace, rows: pacer{perSecond: l.RowsPerSecond}, lanes: map[lane.ID]*Filling{}}, nil
}

// Sweep takes over the marks of a pass and deletes what is due. It returns the number of rows deleted. One scan of a
// namespace serves all of its lanes that are due. Errors are the store's: after one of class lane.ErrUnavailable what is
// left is tried again by the next call; those of lanes that the store refuses are returned by every call until a sweep of
// the lane is through, and keep no other lane from being swept.
func (s *Sweeper) Sweep(ctx context.Context, all []Status) (deleted int64, err error) {
	now := time.Now()
	for i := range all {
		n, err := s.sweep(ctx, &all[i], now)
		deleted += n
		if err != nil {
			return deleted, errors.Join(s.refused(), err)
		}
	}
	return deleted, s.refused()
}

// sweep deletes what is due of one generation. Errors are those that end it.
func (s *Sweeper) sweep(ctx context.Context, st *Status, now time.Time) (deleted int64, err error) {
	due := s.Due(st, now)
	if len(due) == 0 {
		return 0, nil
	}
	for _, f := range due {
		f.err = nil
	}
	deleted, err = s.namespace(ctx, st.Namespace, due)
	if err != nil {
		err = fmt.Errorf("sweeping %s: %w", st.Namespace, err)
	}
	if err != nil && !errors.Is(err, lane.ErrStore) {
		return deleted, err
	}
	for _, f := range due {
		if f.err == nil {
			f.err = err // of the scan itself
		}
		f.Swept(now)
	}
	return deleted, nil
}

// refused returns why leftovers stay, of the first lane of each cause.
func (s *Sweeper) refused() error {
	var errs []error
	for _, id := range slices.SortedFunc(maps.Keys(s.lanes), func(a, b lane.ID) int { return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), a.N-b.N) }) {
		if err := s.lanes[id].err; err != nil && !slices.Contains(errs, err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Forget makes the sweeper begin anew with a namespace: with the grace, and with looking at what it was through with.
func (s *Sweeper) Forget(namespace string) {
	maps.DeleteFunc(s.lanes, func(id lane.ID, _ *Filling) bool { return id.Namespace == namespace })
}

// Due takes over the marks of a generation's lanes and returns those whose leftovers are due.
func (s *Sweeper) Due(st *Status, now time.Time) map[lane.ID]*Filling {
	due := map[lane.ID]*Filling{}
	for n, marks := range st.Marks {
		id := lane.ID{Namespace: st.Namespace, N: n}
		mark, begun, err := marks.Batch()
		if err != nil || (!begun && marks[lane.BatchName] != lane.Dropped) {
			delete(s.lanes, id)
			continue
		}
		f := s.lanes[id]
		if f == nil || f.incarnation != mark.Incarnation {
			f = &Filling{incarnation: mark.Incarnation, due: now.Add(s.Grace)}
			s.lanes[id] = f
		}
		if !now.Before(f.due) && !f.over() {
			due[id] = f
		}
	}
	return due
}

// sweepBatch is how many rows are looked at, and deleted, at once.
const sweepBatch = 64

func (s *Sweeper) namespace(ctx context.Context, namespace string, due map[lane.ID]*Filling) (deleted int64, err error) {
	var batch []lane.RowID
	flush := func() error {
		n, err := s.remove(ctx, batch, due)
		deleted, batch = deleted+n, batch[:0]
		return err
	}
	err = s.store.Scan(ctx, namespace, func(id lane.RowID) error {
		f := due[id.Lane]
		if f == nil || f.refused() || !f.Leftover(id.Incarnation) {
			return nil
		}
		f.found = true
		id.Key = append([]byte(nil), id.Key...)
		if batch = append(batch, id); len(batch) < sweepBatch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return deleted, err
	}
	return deleted, flush()
}

// remove deletes rows. What is refused, because the lane was begun again meanwhile, the next sweep finds.
func (s *Sweeper) remove(ctx context.Context, rows []lane.RowID, due map[lane.ID]*Filling) (deleted int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if err := s.rows.take(ctx, float64(len(rows))); err != nil {
		return 0, err
	}
	exact, err := s.store.Exact(ctx, rows)
	switch half := len(rows) / 2; {
	case err == nil:
	case !errors.Is(err, lane.ErrStore):
		return 0, err
	case half == 0:
		due[rows[0].Lane].err = fmt.Errorf("reading a leftover row of lane %s: %w", rows[0].Lane, err)
		return 0, nil
	default: // one of them does not read, and keeps no other
		deleted, err = s.remove(ctx, rows[:half], due)
		if err != nil {
			return deleted, err
		}
		n, err := s.remove(ctx, rows[half:], due)
		return deleted + n, err
	}
	calls := make([]lane.Call, 0, len(rows))
	for i, id := range rows {
		calls = append(calls, due[id.Lane].Call(id, exact[i].Fields))
	}
	outcomes := s.store.Apply(ctx, calls)
	crash.Point(crash.SweepSome)
	var errs []error
	for i, out := range outcomes {
		switch {
		case errors.Is(out.Err, lane.ErrStore):
			due[rows[i].Lane].err = fmt.Errorf("deleting a leftover row of lane %s: %w", rows[i].Lane, out.Err)
		case out.Err != nil:
			errs = append(errs, out.Err)
		case out.Applied:
			deleted++
		}
	}
	return deleted, errors.Join(errs...)
}
