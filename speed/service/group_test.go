package service_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/speed/service"
)

// group implements service.Ownership: a test says who owns what.
type group struct {
	next chan *service.Assignment
}

func newGroup() *group { return &group{next: make(chan *service.Assignment)} }

func (g *group) Next(ctx context.Context) (*service.Assignment, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-g.next:
		return a, nil
	}
}

// held is an assignment.
type held struct {
	lose    context.CancelFunc
	drained chan struct{}
}

// assign gives partitions to the service that waits for them.
func (g *group) assign(parts map[string][]int32) *held {
	ctx, cancel := context.WithCancel(context.Background())
	h := &held{lose: cancel, drained: make(chan struct{})}
	g.next <- &service.Assignment{Partitions: parts, Lost: ctx, Drained: func() { close(h.drained) }}
	return h
}

// revoke takes the partitions away and returns how long it took to let them go.
func (h *held) revoke() time.Duration {
	begin := time.Now()
	h.lose()
	<-h.drained
	return time.Since(begin)
}

// instance is a running service.
type instance struct {
	*service.Service
	group *group
	stop  context.CancelFunc
	done  chan error
}

// run starts a service with the world's log and store.
func (w *world) run(change func(*service.Config)) *instance {
	w.t.Helper()
	cfg := service.Config{
		NewLog: w.newLog, Store: w.door, Archive: w.archive, Generations: w.generations, Logger: w.logger,
	}
	for _, t := range w.topics {
		cfg.Sources = append(cfg.Sources, *t.src)
	}
	g := newGroup()
	cfg.Ownership = g
	if change != nil {
		change(&cfg)
	}
	s, err := service.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{Service: s, group: g, stop: cancel, done: make(chan error, 1)}
	go func() { i.done <- s.Run(ctx) }()
	return i
}

// end stops the service and waits for it.
func (i *instance) end(t testing.TB) {
	t.Helper()
	i.stop()
	if err := <-i.done; err != nil {
		t.Errorf("at its end: %v", err)
	}
}

// endAmidFaults is end where the store may refuse to take the last of what was folded.
func (i *instance) endAmidFaults(t testing.TB) {
	t.Helper()
	i.stop()
	if err := <-i.done; err != nil && !errors.Is(err, service.ErrNotDrained) {
		t.Errorf("at its end: %v", err)
	}
}

// partition returns what the service says of one partition.
func (i *instance) partition(name string) service.PartitionState {
	for _, p := range i.Stats.Partitions() {
		if p.Partition == name {
			return p
		}
	}
	return service.PartitionState{}
}

// TestNoLagWhereNothingIsToFold: the log of a partition ends where a block does, and all of it is in the store. Its next owner
// has nothing to fold, and says that it is at the end.
func TestNoLagWhereNothingIsToFold(t *testing.T) {
	inWorld(t, 37, func(t *testing.T, w *world) {
		topic := w.topics[0]
		s := w.run(nil)
		s.group.assign(everyPartition)
		for w.produceTo(topic, 0, 1); topic.end(0)%topic.src.Block != 0; { // transactions' markers count, too
			w.produceTo(topic, 0, 1)
		}
		time.Sleep(settle)
		s.end(t)
		end := topic.end(0)
		s = w.run(nil)
		s.group.assign(everyPartition)
		time.Sleep(settle)
		if p := s.partition("events/0"); p.Position != end || p.Mark != end || p.End != end {
			t.Errorf("of a log that ends at %d it says %+v", end, p)
		}
		s.end(t)
	})
}
