package service_test

import (
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/service"
)

// TestFreshness: with linger 0 an event is readable as soon as the store has it, with 50 ms it waits for others that
// long and no longer, and far fewer calls are made.
func TestFreshness(t *testing.T) {
	flushes := map[time.Duration]int64{}
	for _, linger := range []time.Duration{0, 50 * time.Millisecond} {
		inWorld(t, 11, func(t *testing.T, w *world) {
			w.door.set(func(d *door) { d.delay = 2 * time.Millisecond })
			s := w.run(func(c *service.Config) { c.Linger = linger })
			s.group.assign(everyPartition)
			time.Sleep(5 * time.Second)
			w.traffic(8*time.Second, time.Millisecond)
			time.Sleep(settle)
			w.check(true)
			// A request of marks or another flush may be under way when the event comes: twice the store's delay.
			p99 := time.Duration(s.Stats.Freshness.Quantile(service.Counts{}, 0.99)) * time.Millisecond
			if p99 > linger+linger/4+4*time.Millisecond || p99 < linger {
				t.Errorf("linger %v: freshness p99 %v", linger, p99)
			}
			flushes[linger] = s.Stats.Flushes.Load()
			checkStages(t, s, linger)
			if p := s.partition("events/0"); p.Mark != p.Position || p.Full {
				t.Errorf("at rest: %+v", p)
			}
			s.end(t)
		})
	}
	if flushes[0] < 3*flushes[50*time.Millisecond] {
		t.Errorf("calls by linger: %v", flushes)
	}
}

// checkStages holds the stages against the whole: their times add up to it, and each is what the world is like.
func checkStages(t *testing.T, s *instance, linger time.Duration) {
	t.Helper()
	readable := s.Stats.Freshness.Snapshot()
	whole := 1000 * s.Stats.Freshness.Sum()
	sum := 0.0
	for stage := service.AppendToFetch; stage < service.Stages; stage++ {
		sum += s.Stats.Stages[stage].Sum()
	}
	if whole == 0 || sum < whole || sum > whole+1000*float64(readable.Total()) { // the whole is in ms, rounded down
		t.Errorf("linger %v: the stages add up to %.0f µs of %.0f", linger, sum, whole)
	}
	for stage, want := range map[service.Stage][2]time.Duration{
		service.FoldToFlush:     {linger * 3 / 4, linger + 2*time.Millisecond}, // a flush may be under way when it is due
		service.FlushToReadable: {2 * time.Millisecond, 3 * time.Millisecond},
	} {
		p99 := time.Duration(s.Stats.Stages[stage].Quantile(service.Counts{}, 0.99)) * time.Microsecond
		if p99 < want[0] || p99 > want[1]+want[1]/4 {
			t.Errorf("linger %v: p99 of %s is %v, want %v", linger, stage, p99, want)
		}
	}
	if n := s.Stats.Stages[service.EventToAppend].Snapshot(); n.Total() < readable.Total()*9/10 { // a tenth at most is rejected
		t.Errorf("linger %v: %d of %d events have an age", linger, n.Total(), readable.Total())
	}
}

// TestFreshnessCountsOnce: a new owner folds the open blocks again; what was readable before is not late now.
func TestFreshnessCountsOnce(t *testing.T) {
	inWorld(t, 12, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(10*time.Second, 10*time.Millisecond)
		time.Sleep(settle)
		s.end(t)
		s = w.run(nil)
		s.group.assign(everyPartition)
		time.Sleep(settle)
		if n := s.Stats.Folded.Load(); n == 0 {
			t.Error("nothing was folded again: the test has lost its point")
		}
		w.produce(1)
		time.Sleep(settle)
		if ms := s.Stats.Freshness.Quantile(service.Counts{}, 1); ms > 10 {
			t.Errorf("the latest of all was %d ms late", ms)
		}
		s.end(t)
	})
}

// TestSlowStore: a store that takes a second for each request gets fewer and larger ones, and everything in the end.
func TestSlowStore(t *testing.T) {
	inWorld(t, 13, func(t *testing.T, w *world) {
		w.door.set(func(d *door) { d.delay = time.Second })
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(30*time.Second, 2*time.Millisecond)
		if f := s.Stats.Flushes.Load(); f > 35*5*lanes { // five pairs of partition and view, one request at a time
			t.Errorf("%d calls in 30 s", f)
		}
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}

// TestHungStore: a store that answers nothing any more stops the reading of the log, not at once and not at the cost of
// memory; the lag is seen to grow; when the store is back nothing is missing.
func TestHungStore(t *testing.T) {
	inWorld(t, 14, func(t *testing.T, w *world) {
		const bound = 100_000
		s := w.run(func(c *service.Config) { c.MaxOpenBytes = bound })
		s.group.assign(everyPartition)
		w.traffic(3*time.Second, time.Millisecond)
		w.door.set(func(d *door) { d.hangs = true })
		lag, at := int64(0), int64(0)
		for minute := range 6 {
			w.traffic(time.Minute, 10*time.Millisecond)
			p := s.partition("events/0")
			if p.Bytes > 2*2*bound { // two views, and the block that crosses the bound
				t.Errorf("%d bytes are in memory", p.Bytes)
			}
			if minute > 1 && (p.Position != at || p.End-p.Position <= lag) {
				t.Errorf("position %d after %d, lag %d after %d", p.Position, at, p.End-p.Position, lag)
			}
			if minute > 1 && (!p.Full || p.Mark >= p.Position) {
				t.Errorf("nothing goes on, and its state is %+v", p)
			}
			at, lag = p.Position, p.End-p.Position
		}
		full := time.Duration(s.Stats.Full.Load())
		if full < 4*time.Minute || full > 6*time.Minute*time.Duration(len(s.Stats.Partitions())) {
			t.Errorf("memory was full for %v", full)
		}
		w.door.set(func(d *door) { d.hangs = false })
		time.Sleep(3 * settle)
		w.check(true)
		if p := s.partition("events/0"); p.Full || p.Mark != p.Position {
			t.Errorf("all is written, and its state is %+v", p)
		}
		if s.Stats.Refusals[flush.Behind].Load() > 0 || w.said.count("store does not take writes") == 0 {
			t.Error("it did not say so, or went back for what it had in memory")
		}
		s.end(t)
	})
}

// TestHungStoreAtTheEnd: letting partitions go takes the drain's bound and no longer, and then nothing is under way.
func TestHungStoreAtTheEnd(t *testing.T) {
	inWorld(t, 15, func(t *testing.T, w *world) {
		s := w.run(func(c *service.Config) { c.Drain = 3 * time.Second })
		h := s.group.assign(everyPartition)
		w.traffic(3*time.Second, time.Millisecond)
		w.door.set(func(d *door) { d.hangs = true })
		w.traffic(time.Second, time.Millisecond)
		if d := h.revoke(); d < 3*time.Second || d > 3*time.Second+100*time.Millisecond {
			t.Errorf("letting go took %v", d)
		}
		w.door.set(func(d *door) { d.hangs = false })
		passed := w.door.passed()
		time.Sleep(settle)
		if now := w.door.passed(); now != passed {
			t.Errorf("%d requests came after the partitions were let go", now-passed)
		}
		w.check(false)
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}

// TestDrain: at the end everything folded is written, whatever the linger.
func TestDrain(t *testing.T) {
	inWorld(t, 16, func(t *testing.T, w *world) {
		time.Sleep(settle) // the lanes are begun: their marks are read once an hour here
		s := w.run(func(c *service.Config) { c.Linger, c.MarksEvery = time.Hour, time.Hour })
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.produce(300)
		time.Sleep(settle)
		if w.atEnd() {
			t.Fatal("it was written before the end")
		}
		s.end(t)
		if !w.atEnd() {
			t.Error("marks are not at the log's end")
		}
		w.check(false)
	})
}

// TestManyChangedTiles: a lane with many changed tiles is flushed before they have lingered.
func TestManyChangedTiles(t *testing.T) {
	inWorld(t, 17, func(t *testing.T, w *world) {
		s := w.run(func(c *service.Config) { c.Linger, c.MarksEvery, c.MaxTiles = time.Hour, 10*time.Second, 4 })
		s.group.assign(everyPartition)
		time.Sleep(25 * time.Second) // the lanes are begun
		w.traffic(20*time.Second, 5*time.Millisecond)
		if ms := s.Stats.Freshness.Quantile(service.Counts{}, 0.5); ms > 1000 || ms == 0 {
			t.Errorf("half of the events were readable after %d ms", ms)
		}
		s.end(t)
	})
}

// TestFailingLane: a lane whose rows the store does not take for good holds up no other; when it is repaired it catches up.
func TestFailingLane(t *testing.T) {
	inWorld(t, 18, func(t *testing.T, w *world) {
		bad := lane.ID{Namespace: w.batch[0].ns, N: 1}
		s := w.run(nil)
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.door.set(func(d *door) {
			d.fate = func(c *lane.Call) error {
				if c.Lane == bad {
					return lane.ErrStore
				}
				return nil
			}
		})
		w.traffic(time.Minute, 10*time.Millisecond)
		ends := w.ends()
		time.Sleep(2500 * time.Millisecond)
		for n := range lanes {
			for p, next := range w.marks(w.batch[0], n) {
				if (next < ends[p]) != (n == bad.N) {
					t.Errorf("lane %d is at %d of %s, which ended at %d", n, next, p, ends[p])
				}
			}
		}
		if n := w.said.count("store does not take writes"); n != 3 { // once for each partition
			t.Errorf("it was said %d times", n)
		}
		w.door.set(func(d *door) { d.fate = nil })
		time.Sleep(settle)
		w.check(true)
		if n := w.said.count("store answers again"); n != 3 {
			t.Errorf("it was said %d times that it is over", n)
		}
		s.end(t)
	})
}

// TestDamagedLane: a lane whose mark does not read is left alone and said once; with its marks deleted it fills itself.
func TestDamagedLane(t *testing.T) {
	inWorld(t, 19, func(t *testing.T, w *world) {
		bad := lane.ID{Namespace: w.batch[0].ns, N: 1}
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(5*time.Second, 10*time.Millisecond)
		w.store.Apply(t.Context(), []lane.Call{{Lane: bad, Name: "events/0", AnyMark: true, Set: "nonsense"}})
		w.traffic(time.Minute, 10*time.Millisecond)
		ends := w.ends()
		time.Sleep(2500 * time.Millisecond)
		for n := range lanes {
			if next := w.marks(w.batch[0], n); n != bad.N && !next.Equal(ends) {
				t.Errorf("lane %d is at %v of %v", n, next, ends)
			}
		}
		if p := s.partition("events/0"); p.Damaged != 1 || p.Blocks > 4 {
			t.Errorf("%+v", p)
		}
		if n := w.said.count("lane is damaged"); n != 1 {
			t.Errorf("it was said %d times", n)
		}
		w.store.EmptyLane(bad)
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}

// TestDroppedGeneration: a dropped generation is fed no more, the other one is.
func TestDroppedGeneration(t *testing.T) {
	inWorld(t, 20, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(5*time.Second, 10*time.Millisecond)
		gone := w.batch[1]
		for n := range lanes {
			w.store.Apply(t.Context(), []lane.Call{{
				Lane: lane.ID{Namespace: gone.ns, N: n}, Name: lane.BatchName, AnyMark: true, Set: lane.Dropped, Replace: map[string]string{},
			}})
		}
		w.traffic(5*time.Second, 10*time.Millisecond)
		if s.Stats.Refusals[flush.Gone].Load() == 0 {
			t.Error("no call was refused")
		}
		time.Sleep(settle)
		w.checkView(w.batch[0], true)
		s.end(t)
	})
}
