package service_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// slowScan is a store that takes its time over scans.
type slowScan struct {
	service.Store
	begun chan<- struct{}
	takes time.Duration
}

func (s slowScan) Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error {
	select {
	case s.begun <- struct{}{}:
	default:
	}
	select {
	case <-time.After(s.takes):
		return s.Store.Scan(ctx, namespace, yield)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestLongSweep: while leftovers are looked for, for long, lanes are begun and filled all the same; what is left over goes in
// the end, and a role that is told to end does not wait for it.
func TestLongSweep(t *testing.T) {
	w := newWorld(t, 59)
	w.grow(0.5)
	w.once()
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{}, 1)
		cfg := w.config()
		cfg.Store = slowScan{cfg.Store, begun, 20 * time.Minute}
		s, err := service.New(cfg)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(time.Second)
		w.unmark(w.lanes("item")[0])
		if <-begun; w.leftovers("item") == 0 {
			t.Error("nothing is left over: the test shows nothing")
		}
		for range 5 { // one after the other, while the sweep goes on
			id := w.lanes("visitor")[0]
			w.unmark(id)
			time.Sleep(5 * time.Second)
			if marks, err := w.store.Marks(t.Context(), []lane.ID{id}); err != nil || marks[0][lane.BatchName] == "" {
				t.Errorf("a lane that was emptied is not begun: %v, %v", marks, err)
			}
		}
		time.Sleep(3*publish.Grace + 4*20*time.Minute)
		if v, i := w.leftovers("visitor"), w.leftovers("item"); v+i > 0 || w.told(service.EventSwept) == 0 {
			t.Errorf("%d and %d rows are left over", v, i)
		}
		select {
		case <-begun: // of a sweep before
		default:
		}
		w.unmark(w.lanes("item")[1])
		<-begun
		ends := time.Now()
		cancel()
		must(t, <-done)
		if d := time.Since(ends); d > time.Second {
			t.Errorf("it took %v to end", d)
		}
	})
	w.verify()
}
