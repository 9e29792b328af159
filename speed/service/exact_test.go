package service_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/service"
)

// settle is long enough for everything to come to rest: back-offs, marks each second, batch's look each second.
const settle = 15 * time.Second

// TestStream: events go in while batch makes runs; what is claimed is always right, and at the end it is everything.
func TestStream(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		for range 20 {
			w.traffic(2*time.Second, 20*time.Millisecond)
			w.check(false)
			for _, b := range w.batch {
				b.run(w.cut(b.cut))
			}
		}
		time.Sleep(settle)
		w.check(true)
		s.end(t)
		w.check(true)
	})
}

// TestFailingStore: calls and replies get lost, are delivered twice and late, the store loses its last changes, single
// lanes and everything, and two services own all partitions at once while others come and go.
func TestFailingStore(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 3
	}
	var refusals [flush.Refusals]int64
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			inWorld(t, seed, func(t *testing.T, w *world) {
				w.failing(t, &refusals)
			})
		})
	}
	for r, n := range refusals {
		if flush.Refusal(r) != flush.Gone && n == 0 && !testing.Short() {
			t.Errorf("no call was answered with %q: the test does not reach it", flush.Refusal(r))
		}
	}
}

func (w *world) failing(t *testing.T, refusals *[flush.Refusals]int64) {
	w.store.SetFaults(w.faults)
	linger := func(c *service.Config) { c.Linger = time.Duration(w.r.IntN(60)) * time.Millisecond }
	owners := []*instance{w.run(linger), w.run(linger)}
	for _, o := range owners {
		o.group.assign(everyPartition)
	}
	count := func(o *instance) {
		for r := range refusals {
			refusals[r] += o.Stats.Refusals[r].Load()
		}
	}
	for range 100 {
		w.traffic(200*time.Millisecond, time.Duration(2+w.r.IntN(40))*time.Millisecond)
		switch n := w.r.IntN(100); {
		case n < 20:
			w.check(false)
		case n < 30:
			w.damage()
		case n < 40:
			b := w.batch[w.r.IntN(len(w.batch))]
			b.run(w.cut(b.cut))
		case n < 46: // one dies, or leaves, and another comes
			i := w.r.IntN(len(owners))
			if w.r.IntN(2) == 0 {
				owners[i].Abandon()
			}
			owners[i].endAmidFaults(t)
			count(owners[i])
			owners[i] = w.run(linger)
			owners[i].group.assign(everyPartition)
		}
	}
	w.store.SetFaults(nil)
	for w.store.Held() > 0 {
		w.store.Release(0)
	}
	time.Sleep(settle)
	w.check(true)
	for _, o := range owners {
		o.end(t)
		count(o)
	}
	w.check(true)
}

// faults makes the store misbehave now and then. It is called by several goroutines.
func (w *world) faults(op memstore.Op) memstore.Fate {
	if op.Kind != memstore.Apply || op.Call.Once {
		return memstore.Deliver
	}
	w.door.mu.Lock()
	defer w.door.mu.Unlock()
	switch w.door.r.IntN(40) {
	case 0:
		return memstore.LoseCall
	case 1:
		return memstore.LoseReply
	case 2:
		return memstore.Twice
	case 3:
		return memstore.Hold
	case 4:
		return memstore.Fail
	}
	return memstore.Deliver
}

// damage takes something away, or lets a call arrive that was given up.
func (w *world) damage() {
	b := w.batch[w.r.IntN(len(w.batch))]
	id := lane.ID{Namespace: b.ns, N: w.r.IntN(lanes)}
	switch w.r.IntN(5) {
	case 0:
		w.store.LoseSuffix(min(w.r.IntN(60), w.store.History()))
	case 1:
		w.store.LoseLaneSuffix(id, 1+w.r.IntN(8))
	case 2:
		w.store.EmptyLane(id)
	case 3:
		w.store.Empty()
	default:
		for range w.store.Held() {
			w.store.Release(w.r.IntN(w.store.Held()))
		}
	}
}

// TestZombie: two services believe to own all partitions, for good. They waste work and break nothing.
func TestZombie(t *testing.T) {
	inWorld(t, 5, func(t *testing.T, w *world) {
		a, b := w.run(nil), w.run(nil)
		a.group.assign(everyPartition)
		w.traffic(2*time.Second, 5*time.Millisecond)
		b.group.assign(everyPartition)
		for range 10 {
			w.traffic(time.Second, 5*time.Millisecond)
			w.check(false)
		}
		time.Sleep(settle)
		w.check(true)
		if a.Stats.Refusals[flush.Further].Load()+b.Stats.Refusals[flush.Further].Load() == 0 {
			t.Error("no call was refused: the two never met")
		}
		a.end(t)
		b.end(t)
	})
}

// TestRebalance: partitions move between two services, with traffic going on.
func TestRebalance(t *testing.T) {
	inWorld(t, 6, func(t *testing.T, w *world) {
		a, b := w.run(nil), w.run(nil)
		for range 6 {
			ha := a.group.assign(map[string][]int32{"events-topic": {0}})
			hb := b.group.assign(map[string][]int32{"events-topic": {1}, "orders-topic": {0}})
			w.traffic(3*time.Second, 10*time.Millisecond)
			if d := ha.revoke(); d > time.Second {
				t.Errorf("draining took %v", d)
			}
			hb.revoke()
			ha = a.group.assign(map[string][]int32{"events-topic": {0, 1}, "orders-topic": {0}})
			w.traffic(3*time.Second, 10*time.Millisecond)
			w.check(false)
			ha.revoke()
		}
		b.group.assign(everyPartition)
		time.Sleep(settle)
		w.check(true)
		a.end(t)
		b.end(t)
	})
}

// TestAbandoned: a service that is abandoned writes nothing after its end; the next one goes on from the marks.
func TestAbandoned(t *testing.T) {
	inWorld(t, 7, func(t *testing.T, w *world) {
		drained := 0
		for range 8 {
			s := w.run(func(c *service.Config) { c.Linger = 20 * time.Second })
			s.group.assign(everyPartition)
			w.traffic(3*time.Second+w.door.wobble(time.Second), 10*time.Millisecond)
			s.Abandon()
			s.stop()
			if err := <-s.done; err != nil {
				t.Error(err)
			}
			passed := w.door.passed()
			time.Sleep(settle)
			if now := w.door.passed(); now > passed {
				t.Errorf("%d requests reached the store after the crash", now-passed)
			}
			if w.atEnd() {
				drained++
			}
			w.check(false)
		}
		if drained == 8 {
			t.Error("a crash leaves nothing unwritten: it drains")
		}
		s := w.run(nil)
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}

// TestEmptiedWhileLogRests: nothing is appended any more when the store loses everything, once while batch has no runs
// and once when it has; nobody helps.
func TestEmptiedWhileLogRests(t *testing.T) {
	inWorld(t, 8, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		for run := range 2 {
			w.traffic(5*time.Second, 5*time.Millisecond)
			if run > 0 {
				for _, b := range w.batch {
					b.run(w.cut(b.cut))
				}
			}
			time.Sleep(time.Hour / time.Duration(1+5*run))
			w.check(true)
			w.store.Empty()
			time.Sleep(settle)
			w.check(true)
			w.store.EmptyLane(lane.ID{Namespace: w.batch[0].ns, N: 2})
			time.Sleep(settle)
			w.check(true)
			w.store.LoseSuffix(min(w.store.History(), 7))
			time.Sleep(settle)
			w.check(true)
		}
		s.end(t)
	})
}

// TestEmptiedForAnHour: batch is away while the store is empty; lanes wait for it, and memory and the log's reader rest.
func TestEmptiedForAnHour(t *testing.T) {
	inWorld(t, 9, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(5*time.Second, 5*time.Millisecond)
		for _, b := range w.batch {
			b.stop(true)
		}
		w.store.Empty()
		time.Sleep(settle)
		before := w.topics[0].fetched(0)
		w.traffic(time.Hour, time.Second)
		if n := w.topics[0].fetched(0) - before; n > 0 {
			t.Errorf("%d records were fetched for nobody", n)
		}
		if p := s.partition("events/0"); p.Waiting != 2*lanes || p.Blocks > 2 {
			t.Errorf("waiting: %+v", p)
		}
		for _, b := range w.batch {
			b.stop(false)
		}
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}

// TestUnreadableManifest: without a manifest nothing is fed and it is said once; when it comes, everything is.
func TestUnreadableManifest(t *testing.T) {
	inWorld(t, 10, func(t *testing.T, w *world) {
		var state atomic.Int32
		s := w.run(func(c *service.Config) {
			c.Generations = func(ctx context.Context) ([]service.Generation, error) {
				switch state.Load() {
				case 0:
					return nil, nil
				case 1:
					return nil, lane.ErrUnavailable
				}
				return w.generations(ctx)
			}
		})
		s.group.assign(everyPartition)
		w.traffic(20*time.Second, 100*time.Millisecond)
		state.Store(1)
		time.Sleep(20 * time.Second)
		if a, b := w.said.count("no manifest"), w.said.count("manifest cannot be read"); a != 1 || b != 1 {
			t.Errorf("said %d and %d times", a, b)
		}
		state.Store(2)
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}
