package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// DropCall returns the call that drops a lane: its batch mark becomes lane.Dropped, whatever it was, and all its partition
// marks go. It is made of lanes that were never begun, too. From then on nobody begins the lane, brings rows to it or
// flushes into it, for each of these calls expects a mark that is no more; a reader that comes late finds the mark and
// looks for another generation. The call may be repeated at will.
func DropCall(id lane.ID) lane.Call {
	return lane.Call{Lane: id, Name: lane.BatchName, AnyMark: true, Set: lane.Dropped, Replace: map[string]string{}}
}

// Drop makes every lane of a dropped generation say so, and returns the marks as they are then, for a Sweeper, and how many
// lanes did not say so before. A store
// that lost the marks, or that a process which knows nothing of the drop has written to, is put right by the next Drop.
// Errors are the store's, of class lane.ErrUnavailable or about lanes that it refuses; the others were dropped all the same.
func (p *Publisher) Drop(ctx context.Context, namespace string, lanes int) (st Status, changed int, err error) {
	ids := make([]lane.ID, lanes)
	for n := range ids {
		ids[n] = lane.ID{Namespace: namespace, N: n}
	}
	marks, refused, err := p.marks(ctx, ids)
	if err != nil {
		return Status{}, 0, err
	}
	st = Status{Namespace: namespace, Lanes: lanes, Marks: marks}
	var calls []lane.Call
	var of []int
	var errs []error
	fail := func(err error) {
		errs = append(errs, err)
		st.refuse(err)
	}
	for n, id := range ids {
		switch {
		case refused[n] != nil:
			fail(refused[n])
		case marks[n][lane.BatchName] == lane.Dropped:
			st.Done++
		default:
			calls, of = append(calls, DropCall(id)), append(of, n)
		}
	}
	if len(calls) == 0 {
		return st, 0, errors.Join(errs...)
	}
	for i, out := range p.store.Apply(ctx, calls) {
		switch {
		case out.Err != nil:
			fail(fmt.Errorf("dropping lane %s: %w", calls[i].Lane, out.Err))
		case out.Applied:
			st.Done++
			changed++
			st.Marks[of[i]] = lane.Marks{lane.BatchName: lane.Dropped}
		}
	}
	return st, changed, errors.Join(errs...)
}
