package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// sweepWait is how long the care of lanes waits for a sweep that it begins. One that takes longer (a dropped generation may
// have millions of rows, and their deletion is paced) goes on beside it.
const sweepWait = time.Second

// sweeping is the sweep that goes on beside the care of lanes. Of the care of lanes alone, as is the sweeper while none does.
type sweeping struct {
	done   chan swept // of the sweep under way; nil = there is none
	forget []string   // namespaces that the next sweep begins anew with
	err    error      // what the last sweep said
}

// swept is what a sweep came to.
type swept struct {
	rows int64
	err  error
}

// sweep lets the sweeper take over what a pass saw, unless it is at work, and returns why rows are left, as last known.
// Marks that it is told late are no danger: it counts the grace from when it first saw them, and its deletes expect them.
func (s *Service) sweep(ctx context.Context, all []publish.Status) error {
	w := &s.sweeping
	wait := time.Duration(0)
	if w.done == nil {
		s.beginSweep(ctx, slices.Concat(all, s.gone.seen))
		wait = sweepWait
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case r := <-w.done:
		if w.done, w.err = nil, r.err; r.rows > 0 {
			s.tell(Event{Kind: EventSwept, Done: r.rows})
		}
	case <-timer.C:
	}
	return w.err
}

func (s *Service) beginSweep(ctx context.Context, all []publish.Status) {
	w := &s.sweeping
	for _, namespace := range w.forget {
		s.sweeper.Forget(namespace)
	}
	w.forget = nil
	if errors.Is(w.err, lane.ErrUnavailable) {
		w.err = nil // this sweep will say whether the store still is away
	}
	done := make(chan swept, 1)
	w.done = done
	go func() {
		var r swept
		panicked := guard(func() (err error) { r.rows, r.err = s.sweeper.Sweep(ctx, all); return nil })
		r.err = errors.Join(r.err, panicked)
		done <- r
	}()
}

// awaitSweep waits for the sweep under way, whose context has ended.
func (s *Service) awaitSweep() {
	if s.sweeping.done != nil {
		<-s.sweeping.done
		s.sweeping.done = nil
	}
}
