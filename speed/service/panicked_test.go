package service_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/operatortest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/speed/service"
)

// The values at which the operator panics: while it folds them, or when it writes what it folded.
const (
	atOnce = 666
	later  = 777
)

// hasValue tells of rows whether the operator's input has a value among them.
func hasValue(v int64) func(*operator.Rows) bool {
	return func(r *operator.Rows) bool {
		n := r.In[0]
		return slices.ContainsFunc(r.Row, func(row int32) bool { return n.Present(int(row)) && n.Ints[row] == v })
	}
}

// explosive registers the operator, which a process can do once.
var explosive = sync.OnceValue(func() error { return operator.Register(operatortest.Explosive(hasValue(atOnce), hasValue(later))) })

// bomb adds a view to the world with an operator that panics, and a batch role for it.
func (w *world) bomb(t *testing.T) (b *batch, feed func(*service.Config), end func()) {
	t.Helper()
	spec := specs()[0]
	spec.Name = "bomb"
	spec.Features = append(spec.Features, view.FeatureSpec{Name: "bomb", Op: "explosive", Value: []string{"n"}})
	plan, err := view.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	b = &batch{w: w, plan: plan, ns: "j:bomb:cccccccccc"}
	ctx, cancel := context.WithCancel(t.Context())
	w.batched.Go(func() { b.follow(ctx) })
	feed = func(c *service.Config) {
		c.Generations = func(ctx context.Context) ([]service.Generation, error) {
			all, err := w.generations(ctx)
			g := all[0]
			g.Namespace, g.Number, g.Plan, g.Origin, g.Served = b.ns, 2, b.plan, nil, false
			return append(all, g), err
		}
	}
	return b, feed, cancel
}

// TestPanic: an operator of one view panics, in the middle of a batch of records or when its tiles are written. Only that
// view's generation is no longer fed, from that partition alone: the others, which share its batches, reach the log's end.
// What it has in memory is never written; its lanes stay where they are and claim what they hold. The next owner of the
// partition begins with it anew.
func TestPanic(t *testing.T) {
	if err := explosive(); err != nil {
		t.Fatal(err)
	}
	for _, value := range []int{atOnce, later} {
		inWorld(t, 28, func(t *testing.T, w *world) {
			bomb, feed, end := w.bomb(t)
			defer end()
			s := w.run(feed)
			held := s.group.assign(everyPartition)
			w.traffic(5*time.Second, 10*time.Millisecond)
			time.Sleep(settle)
			at := w.topics[0].end(1)
			before := w.marks(bomb, 0)[position.Partition{Source: "events", ID: 1}]
			w.topics[0].produce(1, fmt.Appendf(nil, `{"ts":1700000000000,"user":"u1","item":"i1","n":%d}`, value))
			w.traffic(5*time.Second, 10*time.Millisecond)
			time.Sleep(settle)
			w.check(true)
			if w.said.count("stopped by a panic") != 1 {
				t.Error("it was not said, or more than once")
			}
			failed := s.failed()["events/1"]
			for _, text := range []string{"view bomb, generation 2 (j:bomb:cccccccccc)", "not fed from partition events/1 since offset", "boom"} {
				if !strings.Contains(failed, text) || len(s.failed()) != 1 {
					t.Errorf("it says %v, want %q", s.failed(), text)
				}
			}
			for n := range lanes {
				for p, next := range w.marks(bomb, n) {
					if stays := p == (position.Partition{Source: "events", ID: 1}); stays != (next < w.ends()[p]) || (stays && (next < before || next > at)) {
						t.Errorf("lane %d is at %d of %s, which ends at %d; it panicked at %d", n, next, p, w.ends()[p], at)
					}
				}
			}
			held.revoke()
			s.group.assign(everyPartition)
			time.Sleep(settle)
			if w.said.count("stopped by a panic") != 2 {
				t.Error("the next owner did not begin with it")
			}
			w.check(true)
			s.stop()
			if err := <-s.done; err == nil || !strings.Contains(err.Error(), "boom") {
				t.Errorf("at its end it says %v", err)
			}
		})
	}
}
