package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/speed/service"
)

// failed returns what the service says of its partitions, by name.
func (i *instance) failed() map[string]string {
	all := map[string]string{}
	for _, p := range i.Stats.Partitions() {
		if p.Failed != "" {
			all[p.Partition] = p.Failed
		}
	}
	return all
}

// stoppedOnly checks that one partition stopped, saying all of what, and that all others are at the log's end.
func (w *world) stoppedOnly(s *instance, name string, what ...string) {
	w.t.Helper()
	failed := s.failed()
	for _, text := range what {
		if !strings.Contains(failed[name], text) {
			w.t.Errorf("%s says %q, want %q in it", name, failed[name], text)
		}
	}
	if len(failed) != 1 {
		w.t.Errorf("stopped: %v", failed)
	}
	ends := w.ends()
	for n := range lanes {
		for p, next := range w.marks(w.batch[0], n) {
			if p.String() != name && next != ends[p] {
				w.t.Errorf("lane %d is at %d of %s, which ends at %d", n, next, p, ends[p])
			}
		}
	}
	w.check(false)
	s.stop()
	if err := <-s.done; err == nil || !strings.Contains(err.Error(), what[0]) {
		w.t.Errorf("at its end it says %v", err)
	}
}

// TestTrimmedHead: what the log no longer has is read from the archive.
func TestTrimmedHead(t *testing.T) {
	inWorld(t, 21, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(10*time.Second, 5*time.Millisecond)
		time.Sleep(settle)
		w.archive.set(w.topics[0].end(0) - 10)
		w.topics[0].trim(0, w.topics[0].end(0)-13)
		w.store.Empty()
		time.Sleep(settle)
		w.check(true)
		w.traffic(5*time.Second, 5*time.Millisecond)
		time.Sleep(settle)
		w.check(true)
		if err := s.Failed(); err != nil {
			t.Error(err)
		}
		s.end(t)
	})
}

// TestLostHead: for what neither the log nor the archive has the partition waits, for as long as it takes, and names the
// positions; it is said, and said to be read, once for each view whose lanes are begun.
func TestLostHead(t *testing.T) {
	inWorld(t, 22, func(t *testing.T, w *world) {
		s := w.loseHead()
		w.traffic(5*time.Second, 5*time.Millisecond)
		time.Sleep(10 * time.Minute)
		if a, b := w.said.count("neither in the log nor in the archive"), w.said.count("reading the head"); a < 1 || a > 2 || b > 2 {
			t.Errorf("said %d times, read %d times", a, b)
		}
		w.stoppedOnly(s, "events/0", "partition events/0 waits", "[100,130)")
	})
}

// TestLateArchive: when the archive brings what was missing, the partition goes on.
func TestLateArchive(t *testing.T) {
	inWorld(t, 34, func(t *testing.T, w *world) {
		s := w.loseHead()
		time.Sleep(time.Minute)
		if s.Failed() == nil {
			t.Error("it does not say that it waits")
		}
		w.archive.set(115)
		time.Sleep(time.Minute)
		if err := s.Failed(); err == nil || !strings.Contains(err.Error(), "[115,130)") {
			t.Errorf("it says %v", err)
		}
		w.archive.set(200)
		time.Sleep(settle)
		w.check(true)
		if err := s.Failed(); err != nil {
			t.Error(err)
		}
		s.end(t)
	})
}

// loseHead runs a service whose store is empty and whose first partition has lost [100, 130).
func (w *world) loseHead() *instance {
	s := w.run(nil)
	s.group.assign(everyPartition)
	w.traffic(10*time.Second, 5*time.Millisecond)
	time.Sleep(settle)
	w.archive.set(100)
	w.topics[0].trim(0, 130)
	w.store.Empty()
	time.Sleep(settle)
	return s
}

// TestLostHeadPassed: a partition that waits for lost records goes on once batch has moved every mark past them.
func TestLostHeadPassed(t *testing.T) {
	inWorld(t, 35, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(10*time.Second, 5*time.Millisecond)
		time.Sleep(settle)
		cut := position.Cut{}
		for p, end := range w.ends() {
			cut[p] = position.Block(end, w.topics[0].src.Block*4)
		}
		w.topics[0].trim(0, cut.Next(position.Partition{Source: "events"}))
		w.store.Empty()
		time.Sleep(settle)
		if err := s.Failed(); err == nil {
			t.Fatal("the partition does not say that it waits")
		}
		for _, b := range w.batch {
			b.run(cut)
		}
		time.Sleep(settle)
		w.produceTo(w.topics[0], 0, 5)
		time.Sleep(settle)
		w.check(true)
		if err := s.Failed(); err != nil {
			t.Errorf("past the lost records: %v", err)
		}
		s.end(t)
	})
}

// TestUnwantedHead: a head that is lost, and that batch has made unnecessary before the archive said so, stops nothing.
func TestUnwantedHead(t *testing.T) {
	inWorld(t, 23, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(10*time.Second, 5*time.Millisecond)
		time.Sleep(settle)
		reading, cut := make(chan struct{}), position.Cut{}
		for p, end := range w.ends() {
			cut[p] = position.Block(end, w.topics[0].src.Block*4)
		}
		w.archive.wait = func() { <-reading }
		w.topics[0].trim(0, cut.Next(position.Partition{Source: "events"}))
		w.store.Empty()
		time.Sleep(settle)
		for _, b := range w.batch {
			b.run(cut)
		}
		time.Sleep(settle) // all marks are past the head now
		close(reading)
		time.Sleep(settle)
		w.produceTo(w.topics[0], 0, 5)
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}

// TestTruncatedLog: a log that lost its end stops the partition with its name.
func TestTruncatedLog(t *testing.T) {
	inWorld(t, 24, func(_ *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(10*time.Second, 5*time.Millisecond)
		time.Sleep(settle)
		w.topics[0].truncate(1, w.topics[0].end(1)-5)
		w.produceTo(w.topics[0], 0, 1)
		time.Sleep(settle)
		w.stoppedOnly(s, "events/1", "stopped at events/1@", "truncated")
	})
}

// TestRecreatedTopic: a topic that is another one now stops its partitions, not those of the other source.
func TestRecreatedTopic(t *testing.T) {
	inWorld(t, 25, func(_ *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(5*time.Second, 5*time.Millisecond)
		w.topics[1].change(func() { w.topics[1].err = kafkalog.ErrRecreated })
		time.Sleep(settle)
		w.produceTo(w.topics[0], 0, 10)
		time.Sleep(settle)
		w.stoppedOnly(s, "orders/0", "stopped at orders/0@", "created again")
	})
}

// TestLeaderless: a partition without a leader holds up no other and is spoken of once.
func TestLeaderless(t *testing.T) {
	inWorld(t, 26, func(t *testing.T, w *world) {
		s := w.run(func(c *service.Config) { c.Linger = 0 })
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.topics[0].fail(1, errLeaderless)
		before := s.Stats.Freshness.Snapshot()
		for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(7 * time.Millisecond) {
			w.topics[0].produce(0, w.event())
		}
		if ms := s.Stats.Freshness.Quantile(before, 0.99); ms > 5 {
			t.Errorf("the other partition's events are %d ms late", ms)
		}
		time.Sleep(10 * time.Minute)
		w.topics[0].fail(1, nil)
		time.Sleep(settle)
		w.traffic(time.Second, time.Millisecond)
		time.Sleep(settle)
		w.check(true)
		if a, b := w.said.count("log cannot be fetched"), w.said.count("log can be fetched again"); a != 1 || b != 1 {
			t.Errorf("said %d and %d times", a, b)
		}
		s.end(t)
	})
}

// TestUnreachableLog: while no broker answers it waits, and says so once.
func TestUnreachableLog(t *testing.T) {
	inWorld(t, 27, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.topics[0].change(func() { w.topics[0].err = errLeaderless })
		time.Sleep(10 * time.Minute)
		w.topics[0].change(func() { w.topics[0].err = nil })
		w.traffic(time.Second, time.Millisecond)
		time.Sleep(settle)
		w.check(true)
		if a, b := w.said.count("log cannot be fetched"), w.said.count("log can be fetched again"); a != 1 || b != 1 {
			t.Errorf("said %d and %d times", a, b)
		}
		s.end(t)
	})
}

// TestForeignSource: a generation that needs a field which the source no longer has is not fed; the others are.
func TestForeignSource(t *testing.T) {
	inWorld(t, 29, func(t *testing.T, w *world) {
		spec := specs()[0]
		spec.Name = "old"
		for i := range spec.Sources {
			spec.Sources[i].Fields = append(spec.Sources[i].Fields[:3:3], spec.Sources[i].Fields[3])
			spec.Sources[i].Fields[3].Name = "gone"
		}
		for i := range spec.Features {
			if spec.Features[i].Value != nil {
				spec.Features[i].Value = []string{"gone"}
			}
		}
		plan, err := view.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		s := w.run(func(c *service.Config) {
			c.Generations = func(ctx context.Context) ([]service.Generation, error) {
				all, err := w.generations(ctx)
				g := all[0]
				g.Namespace, g.Plan = "j:old:dddddddddd", plan
				return append(all, g), err
			}
		})
		s.group.assign(everyPartition)
		w.traffic(5*time.Second, 10*time.Millisecond)
		time.Sleep(settle)
		w.check(true)
		if err := s.Failed(); err == nil || !strings.Contains(err.Error(), "gone") || w.said.count("cannot be fed") != 3 {
			t.Errorf("it says %v", err)
		}
		s.stop()
		if err := <-s.done; err == nil {
			t.Error("at its end it says nothing of it")
		}
	})
}

// TestAssignmentAtTheEnd: an assignment that comes together with the end is let go all the same.
func TestAssignmentAtTheEnd(t *testing.T) {
	inWorld(t, 30, func(t *testing.T, w *world) {
		end := make(chan struct{})
		drained := false
		s := w.run(func(c *service.Config) {
			c.Ownership = nextFunc(func(context.Context) (*service.Assignment, error) {
				<-end
				return &service.Assignment{Lost: context.Background(), Partitions: everyPartition, Drained: func() { drained = true }}, nil
			})
		})
		s.stop()
		close(end)
		if err := <-s.done; err != nil || !drained {
			t.Errorf("%v, drained %t", err, drained)
		}
	})
}

type nextFunc func(context.Context) (*service.Assignment, error)

func (f nextFunc) Next(ctx context.Context) (*service.Assignment, error) { return f(ctx) }

// TestLostOwnership: an ownership that fails for good ends the service with its error.
func TestLostOwnership(t *testing.T) {
	inWorld(t, 31, func(t *testing.T, w *world) {
		refused := errors.New("not authorized")
		s := w.run(func(c *service.Config) {
			c.Ownership = nextFunc(func(context.Context) (*service.Assignment, error) { return nil, refused })
		})
		if err := <-s.done; !errors.Is(err, refused) {
			t.Errorf("it says %v", err)
		}
		s.stop()
	})
}

// TestNewPartition: a partition that the generation did not know when it was made has no mark; it is created, joined.
func TestNewPartition(t *testing.T) {
	inWorld(t, 32, func(t *testing.T, w *world) {
		s := w.run(nil)
		h := s.group.assign(map[string][]int32{"events-topic": {0}})
		for _, b := range w.batch {
			w.topics[0].produce(0, w.event())
			b.run(position.Cut{{Source: "events"}: 0})
		}
		time.Sleep(settle)
		w.topics[0].produce(1, w.event(), w.event())
		w.topics[1].produce(0, w.event(), w.event())
		h.revoke()
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.check(true)
		if got := w.marks(w.batch[0], 0); len(got) != 3 {
			t.Errorf("marks of %v", got)
		}
		s.end(t)
	})
}

// TestWrongAnswer: a store that answers something else than it was asked stops the partition, not the process.
func TestWrongAnswer(t *testing.T) {
	inWorld(t, 33, func(t *testing.T, w *world) {
		s := w.run(func(c *service.Config) { c.Store = short{w.door} })
		s.group.assign(map[string][]int32{"events-topic": {0}})
		time.Sleep(settle)
		if err := s.Failed(); err == nil || !strings.Contains(err.Error(), "invariant violated") {
			t.Errorf("it says %v", err)
		}
		s.stop()
		if err := <-s.done; err == nil {
			t.Error("at its end it says nothing of it")
		}
	})
}

// short is a store that forgets the last of the lanes asked for.
type short struct{ *door }

func (s short) Marks(ctx context.Context, ids []lane.ID) ([]lane.Marks, error) {
	return s.door.Marks(ctx, ids[1:])
}

// TestConfig: all that is missing is said at once.
func TestConfig(t *testing.T) {
	_, err := service.New(service.Config{Linger: -1})
	for _, name := range []string{"Sources", "NewLog", "Store", "Archive", "Ownership", "Generations", "Logger", "linger"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}
