package service_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/speed/service"
)

// wholeBlocks returns the cut below which all complete blocks of the log lie.
func (w *world) wholeBlocks() position.Cut {
	cut := position.Cut{}
	for _, t := range w.topics {
		for p := range t.parts {
			cut[position.Partition{Source: t.src.Name, ID: int32(p)}] = position.Block(t.end(p), t.src.Block)
		}
	}
	return cut
}

// build adds a generation of the first view that is not served, from the log's beginning.
func (w *world) build(ctx context.Context, ns string) *batch {
	b := &batch{w: w, plan: w.batch[0].plan, ns: ns, origin: w.batch[0].origin, building: true}
	w.gens.Lock()
	w.batch = append(w.batch, b)
	w.gens.Unlock()
	w.batched.Go(func() { b.follow(ctx) })
	return b
}

// catchUp lets a generation that is built read a long log, at a thousand records a second, while events come in for those
// that are served. It returns the largest freshness of the latter.
func catchUp(t *testing.T, maxBehind int64) (worst time.Duration) {
	t.Helper()
	inWorld(t, 40, func(t *testing.T, w *world) {
		const pace = 20 * time.Millisecond // of a fetch, of 20 records
		w.produce(30_000)
		for _, b := range w.batch {
			b.run(w.wholeBlocks())
		}
		time.Sleep(5 * time.Second) // lanes begin and are joined
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		built := w.build(ctx, "j:user:zzzzzzzzzz")
		time.Sleep(2 * time.Second)
		for _, topic := range w.topics {
			topic.change(func() { topic.limit, topic.pace = 20, pace })
		}
		s := w.run(func(c *service.Config) { c.MaxBehind = maxBehind })
		s.group.assign(everyPartition)
		time.Sleep(time.Second)
		begun := s.Stats.Freshness.Snapshot() // of what the served ones had to fold again
		w.traffic(6*time.Second, 5*time.Millisecond)
		if next := w.marks(built, 0)[position.Partition{Source: "events"}]; next >= w.topics[0].end(0) || next == 0 {
			t.Errorf("the generation that is built is at %d of %d: the test has lost its point", next, w.topics[0].end(0))
		}
		time.Sleep(40 * time.Second)
		w.check(true)
		worst = time.Duration(s.Stats.Freshness.Quantile(begun, 1)) * time.Millisecond
		fetched := w.topics[0].fetched(0)
		w.produceTo(w.topics[0], 0, 10)
		time.Sleep(2 * time.Second)
		if n := w.topics[0].fetched(0) - fetched; n > 10 {
			t.Errorf("10 records were fetched as %d: generations that have caught up share no feed", n)
		}
		s.end(t)
	})
	return worst
}

// TestFarBehind: a generation that is far behind reads by itself: it does not hold up the served ones, and shares their
// feed again when it has caught up. Were there one feed for all, those who wait would wait for it.
func TestFarBehind(t *testing.T) {
	if worst := catchUp(t, 100); worst > 200*time.Millisecond {
		t.Errorf("readers waited %v for an event while another generation was being built", worst)
	}
	if worst := catchUp(t, 1<<40); worst < 5*time.Second {
		t.Errorf("with one feed readers waited %v: the test has lost its point", worst)
	}
}

// TestFieldsOfANewGeneration: only the fields that generations use are decoded; one that uses more, and comes while events
// do, gets them from its first event on.
func TestFieldsOfANewGeneration(t *testing.T) {
	inWorld(t, 43, func(t *testing.T, w *world) {
		var came atomic.Bool
		s := w.run(func(c *service.Config) {
			c.Generations = func(ctx context.Context) ([]service.Generation, error) {
				all, err := w.generations(ctx)
				if !came.Load() {
					all = all[:1] // of users: no item is asked for
				}
				return all, err
			}
		})
		s.group.assign(everyPartition)
		w.traffic(10*time.Second, 5*time.Millisecond)
		came.Store(true)
		w.traffic(10*time.Second, 5*time.Millisecond)
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}

// TestFullGenerationHoldsUpNoOther: a generation whose memory is full, because the store refuses one of its lanes for
// good, is not folded any further, and the others of the partition go on.
func TestFullGenerationHoldsUpNoOther(t *testing.T) {
	inWorld(t, 41, func(t *testing.T, w *world) {
		const bound = 60_000
		s := w.run(func(c *service.Config) { c.MaxOpenBytes, c.MaxBehind = bound, 100 })
		s.group.assign(everyPartition)
		time.Sleep(5 * time.Second)
		bad := lane.ID{Namespace: w.batch[0].ns, N: 1}
		w.door.set(func(d *door) {
			d.fate = func(c *lane.Call) error {
				if c.Lane == bad {
					return lane.ErrStore
				}
				return nil
			}
		})
		w.traffic(5*time.Minute, 5*time.Millisecond)
		time.Sleep(settle)
		item := w.batch[1]
		for n := range lanes {
			for p, next := range w.marks(item, n) {
				if p.Source == "events" && next != w.ends()[p] {
					t.Errorf("lane %d of the other view is at %d of %s, which ends at %d", n, next, p, w.ends()[p])
				}
			}
		}
		// Neither does it hold up one that is far behind both, and reads by itself.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		built := w.build(ctx, "j:user:zzzzzzzzzz")
		time.Sleep(3 * settle)
		for n := range lanes {
			p := position.Partition{Source: "events"}
			if next := w.marks(built, n)[p]; next != w.ends()[p] {
				t.Errorf("lane %d of the generation that is built is at %d of %s, which ends at %d", n, next, p, w.ends()[p])
			}
		}
		if p := s.partition("events/0"); p.Bytes > 3*bound {
			t.Errorf("%d bytes are in memory", p.Bytes)
		}
		w.door.set(func(d *door) { d.fate = nil })
		time.Sleep(3 * settle)
		w.check(true)
		s.end(t)
	})
}
