package service_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/batchtest"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// trimmed makes a world whose log begins in the middle of a block, and of which nothing is archived.
func trimmed(t *testing.T) (*world, position.Cut) {
	w := newWorld(t, 14)
	starts := position.Cut{}
	for _, b := range w.batches {
		const first = 1003 // odd: no block begins here
		lost := first - b.Offset[0]
		for i := range b.Offset {
			b.Offset[i] += lost
		}
		starts[position.Partition{Source: b.Source.Name, ID: b.Partition}] = first
	}
	w.archive = batchtest.NewArchive(64, w.batches)
	return w, starts
}

// TestTrimmedBeforeArchived begins views of a log that has lost its head before anybody archived it, while the log is
// away at first: lanes are joined where it begins, and runs cover all there is from there on.
func TestTrimmedBeforeArchived(t *testing.T) {
	w, starts := trimmed(t)
	cfg := w.config()
	var back atomic.Bool
	var asked atomic.Int64
	cfg.Starts = func(_ context.Context, src *schema.Source) (map[int32]int64, error) {
		asked.Add(1)
		if !back.Load() {
			return nil, errors.New("away")
		}
		all := map[int32]int64{}
		for p, first := range starts {
			if p.Source == src.Name {
				all[p.ID] = first
			}
		}
		return all, nil
	}
	s, err := service.New(cfg)
	must(t, err)
	if _, err := s.Once(t.Context()); !errors.Is(err, service.ErrStarts) {
		t.Fatalf("got %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := service.New(cfg)
		must(t, err)
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if asked.Load() < 5 || len(s.Status()) != 0 {
			t.Errorf("asked %d times, %+v", asked.Load(), s.Status())
		}
		asked.Store(0)
		back.Store(true)
		time.Sleep(time.Minute)
		cancel()
		must(t, <-done)
	})
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times for the starts of 2 sources", n)
	}
	m := w.manifest("visitor")
	if !m.Served().Origin.Equal(starts) {
		t.Fatalf("origin %s, want %s", m.Served().Origin, starts)
	}
	marks, err := w.store.Marks(t.Context(), m.LaneIDs(m.Served()))
	must(t, err)
	for p, first := range starts {
		if mark, ok, err := marks[0].Partition(p); !ok || err != nil || mark != (lane.Mark{Incarnation: mark.Incarnation, Low: lane.Joined, Next: first}) {
			t.Fatalf("%s: %+v, want joined at %d", p, mark, first)
		}
	}
	// Three growths: within the block of the origin (no run), past it, and to the end.
	for i, more := range []int64{2, 70, 1 << 20} {
		for p, first := range starts {
			w.archive.Grow(p, min(first+more, position.Block(w.archive.End(p), 64)+64))
		}
		r, err := w.service().Once(t.Context())
		must(t, err)
		if (len(r.Runs) > 0) != (i > 0) {
			t.Fatalf("growth %d: %+v", i, r)
		}
		w.verify()
	}
	c, err := w.service().Check(t.Context())
	must(t, err)
	if c.Wrong() != 0 || c.Views[0].Rows == 0 {
		t.Fatalf("%+v", c)
	}
}
