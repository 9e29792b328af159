package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// Grace is how long rows of an earlier filling of a lane are kept after the present one was first seen: a reader that
// read the marks before may still be reading them.
const Grace = 10 * time.Minute

// SweepStore is what a sweeper needs of the store.
type SweepStore interface {
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
	Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error)
	Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error
}

// Sweeper deletes the rows of earlier fillings of lanes. They are out of reach of every reader and writer, and cost
// memory only. The grace counts from when this sweeper first saw a filling: one that is made anew begins anew. Not safe
// for concurrent use.
type Sweeper struct {
	store SweepStore
	rows  pacer
	lanes map[lane.ID]*filling
}

// filling is what a sweeper knows of a lane.
type filling struct {
	incarnation lane.Incarnation
	since       time.Time // when it was first seen
	swept       bool
}

// NewSweeper returns a sweeper that deletes at most as many rows a second as limits say. Errors are of class ErrLimits.
func NewSweeper(store SweepStore, limits Limits) (*Sweeper, error) {
	l, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Sweeper{store: store, rows: pacer{perSecond: l.RowsPerSecond}, lanes: map[lane.ID]*filling{}}, nil
}

// Sweep takes over the marks of a pass and deletes what is due. It returns the number of rows deleted. One scan of a
// namespace serves all of its lanes that are due. Errors are the store's; what is left is tried again by the next call.
func (s *Sweeper) Sweep(ctx context.Context, all []Status) (deleted int64, err error) {
	now := time.Now()
	for i := range all {
		due := s.observe(&all[i], now)
		if len(due) == 0 {
			continue
		}
		n, err := s.namespace(ctx, all[i].Namespace, due)
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("sweeping %s: %w", all[i].Namespace, err)
		}
		for _, f := range due {
			f.swept = true
		}
	}
	return deleted, nil
}

// observe returns the lanes of a generation whose leftovers are due.
func (s *Sweeper) observe(st *Status, now time.Time) map[lane.ID]*filling {
	due := map[lane.ID]*filling{}
	for n, marks := range st.Marks {
		id := lane.ID{Namespace: st.Namespace, N: n}
		mark, begun, err := marks.Batch()
		if err != nil || !begun {
			delete(s.lanes, id)
			continue
		}
		f := s.lanes[id]
		if f == nil || f.incarnation != mark.Incarnation {
			f = &filling{incarnation: mark.Incarnation, since: now}
			s.lanes[id] = f
		}
		if !f.swept && now.Sub(f.since) >= Grace {
			due[id] = f
		}
	}
	return due
}

// sweepBatch is how many rows are looked at, and deleted, at once.
const sweepBatch = 64

func (s *Sweeper) namespace(ctx context.Context, namespace string, due map[lane.ID]*filling) (deleted int64, err error) {
	var batch []lane.RowID
	flush := func() error {
		n, err := s.remove(ctx, batch, due)
		deleted, batch = deleted+n, batch[:0]
		return err
	}
	err = s.store.Scan(ctx, namespace, func(id lane.RowID) error {
		if f := due[id.Lane]; f == nil || f.incarnation == id.Incarnation {
			return nil
		}
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

// remove deletes rows, each expecting the very filling that was seen: if the lane has been begun again meanwhile, what
// was a leftover may be so no longer than this call takes, and the next sweep finds it.
func (s *Sweeper) remove(ctx context.Context, rows []lane.RowID, due map[lane.ID]*filling) (deleted int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if err := s.rows.take(ctx, float64(len(rows))); err != nil {
		return 0, err
	}
	exact, err := s.store.Exact(ctx, rows)
	if err != nil {
		return 0, err
	}
	calls := make([]lane.Call, 0, len(rows))
	for i, id := range rows {
		change := lane.RowChange{Key: id.Key}
		for _, f := range exact[i].Fields {
			change.Del = append(change.Del, f.Name)
		}
		calls = append(calls, lane.Call{
			Lane: id.Lane, AnyMark: true, Incarnation: due[id.Lane].incarnation, RowsOf: id.Incarnation, Rows: []lane.RowChange{change},
		})
	}
	var errs []error
	for _, out := range s.store.Apply(ctx, calls) {
		if errs = append(errs, out.Err); out.Err == nil && out.Applied {
			deleted++
		}
	}
	return deleted, errors.Join(errs...)
}
