package service_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/speed/service"
)

// awayFor folds records of which a store that is away takes none, until nothing of them is under way any more: every lane's
// marks have to be read before it can be written to, and that is not due for a while.
func (w *world) awayFor(s *instance) {
	w.t.Helper()
	s.group.assign(everyPartition)
	time.Sleep(settle)
	w.door.set(func(d *door) { d.hangs = true })
	w.produce(300)
	time.Sleep(time.Second) // they are folded while the first flush hangs
	w.door.set(func(d *door) { d.away = true })
	time.Sleep(settle)
	if w.atEnd() || s.Stats.StoreFailures.Load() == 0 {
		w.t.Fatal("the store took what was folded: the test has lost its point")
	}
}

// TestDrainWhileStoreIsAway: records that were folded and that the store did not take are not called drained, also if no
// request is under way when the end comes.
func TestDrainWhileStoreIsAway(t *testing.T) {
	inWorld(t, 34, func(t *testing.T, w *world) {
		s := w.run(nil)
		w.awayFor(s)
		s.stop()
		if err := <-s.done; !errors.Is(err, service.ErrNotDrained) {
			t.Errorf("at its end it says %v", err)
		}
		w.check(false)
	})
}

// TestDrainOfStoreThatIsBack: a store that is there again when the end comes is asked for its marks, and takes all.
func TestDrainOfStoreThatIsBack(t *testing.T) {
	inWorld(t, 35, func(t *testing.T, w *world) {
		s := w.run(nil)
		w.awayFor(s)
		w.door.set(func(d *door) { d.away, d.hangs = false, false })
		s.end(t)
		if !w.atEnd() {
			t.Error("marks are not at the log's end")
		}
		w.check(false)
	})
}

// TestDrainOfFailingLane: a lane that the store refuses to the end keeps no other from being written, and is told of.
func TestDrainOfFailingLane(t *testing.T) {
	inWorld(t, 36, func(t *testing.T, w *world) {
		bad := lane.ID{Namespace: w.batch[0].ns, N: 1}
		time.Sleep(settle) // the lanes are begun: their marks are read once an hour here
		s := w.run(func(c *service.Config) { c.Linger, c.MarksEvery = time.Hour, time.Hour })
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.produce(300)
		time.Sleep(settle)
		w.door.set(func(d *door) {
			d.fate = func(c *lane.Call) error {
				if c.Lane == bad {
					return lane.ErrStore
				}
				return nil
			}
		})
		s.stop()
		if err := <-s.done; !errors.Is(err, service.ErrNotDrained) {
			t.Errorf("at its end it says %v", err)
		}
		ends := w.ends()
		for n := range lanes {
			for p, next := range w.marks(w.batch[0], n) {
				if (next == ends[p]) == (n == bad.N) {
					t.Errorf("lane %d is at %d of %s, which ends at %d", n, next, p, ends[p])
				}
			}
		}
	})
}

// TestDrainOfDeafStore: letting partitions go takes the drain's bound and no longer, also of a store that hangs and does not
// notice that a request is given up.
func TestDrainOfDeafStore(t *testing.T) {
	inWorld(t, 38, func(t *testing.T, w *world) {
		const bound = 3 * time.Second
		s := w.run(func(c *service.Config) { c.Drain, c.StoreTimeout = bound, bound })
		h := s.group.assign(everyPartition)
		time.Sleep(settle)
		w.door.set(func(d *door) { d.hangs, d.deaf = true, true })
		w.traffic(time.Second, time.Millisecond)
		if d := h.revoke(); d > bound+100*time.Millisecond {
			t.Errorf("letting go took %v", d)
		}
		w.door.set(func(d *door) { d.hangs = false })
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}
