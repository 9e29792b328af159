package service_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// batch stands in for the batch role, for one generation: it begins lanes, and each of its runs gives every row a base.
type batch struct {
	w      *world
	plan   *view.Plan
	ns     string
	origin position.Cut
	// building says that readers are answered by another generation of the view.
	building bool

	mu      sync.Mutex
	begun   int
	runs    int64        // published in all lanes that were begun before
	cut     position.Cut // of the last run
	bases   *view.Fold   // of the last run
	stopped bool
}

// follow looks after the lanes each second.
func (b *batch) follow(ctx context.Context) {
	for ctx.Err() == nil {
		b.tick()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// run makes a run up to a cut, which is at most the log's end in whole blocks; it is published by the next ticks.
func (b *batch) run(cut position.Cut) {
	f := b.plan.NewFold()
	for _, batch := range b.w.batches() {
		if b.plan.SourceRank(batch.Source.Name) < 0 {
			continue
		}
		next := cut.Next(position.Partition{Source: batch.Source.Name, ID: batch.Partition})
		f.Add(batch, 0, below(batch, next))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs, b.cut, b.bases = b.runs+1, cut, f
}

func below(b *column.Batch, next int64) int {
	n := 0
	for n < b.N && b.Offset[n] < next {
		n++
	}
	return n
}

// stop makes batch look after nothing, or go on.
func (b *batch) stop(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = on
}

func (b *batch) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return
	}
	ids := make([]lane.ID, lanes)
	for n := range ids {
		ids[n] = lane.ID{Namespace: b.ns, N: n}
	}
	marks, err := b.w.store.Marks(context.Background(), ids)
	if err != nil {
		return
	}
	for n, id := range ids {
		mark, begun, err := marks[n].Batch()
		switch {
		case err != nil || marks[n][lane.BatchName] == lane.Dropped:
		case !begun:
			b.begin(id)
		case mark.Run <= b.runs:
			b.publish(id, mark)
		}
	}
}

// begin begins a lane as the design says: without runs joined at the origin, else behind the last run's cut.
func (b *batch) begin(id lane.ID) {
	b.begun++
	inc := lane.Incarnation(fmt.Sprintf("inc%07d", b.begun))
	to, cut, low := lane.BatchMark{Incarnation: inc, Run: 1}, b.origin, func(int64) int64 { return lane.Joined }
	if b.runs > 0 {
		to.Run, to.WholeFrom = b.runs, b.runs
		cut, low = b.cut, func(next int64) int64 { return next }
	}
	replace := map[string]string{}
	for p, next := range cut {
		replace[p.String()] = lane.Mark{Incarnation: inc, Low: low(next), Next: next}.Wire()
	}
	b.apply(lane.Call{Lane: id, Name: lane.BatchName, Set: to.Wire(), Replace: replace, Once: true})
}

// publish gives every row of a lane its base of the last run, in one call that is the run's first and last.
func (b *batch) publish(id lane.ID, mark lane.BatchMark) {
	to := mark
	to.Run = b.runs + 1
	c := lane.Call{Lane: id, Name: lane.BatchName, Expect: mark.Wire(), RowsOf: mark.Incarnation, Set: to.Wire(), Join: true}
	for p, next := range b.cut {
		c.Raise = append(c.Raise, lane.Raise{Name: p.String(), Cut: next})
	}
	h := tile.Header{Kind: tile.KindBase, Run: b.runs}
	gone := b.superseded()
	for slot := range b.bases.Len() {
		if lane.Of(b.bases.Hash(slot), lanes) == id.N {
			c.Rows = append(c.Rows, lane.RowChange{
				Key: b.bases.Key(slot), Del: gone, Set: []lane.Field{{Name: h.Name(), Value: b.bases.AppendBody(h.Append(nil), slot)}},
			})
		}
	}
	b.apply(c)
}

// superseded names every tile that the last run makes unnecessary.
func (b *batch) superseded() (names []string) {
	for run := range b.runs - 1 {
		names = append(names, tile.Header{Kind: tile.KindBase, Run: run + 1}.Name())
	}
	for p, next := range b.cut {
		rank := b.plan.SourceRank(p.Source)
		if rank < 0 {
			continue
		}
		size := b.plan.Spec().Sources[rank].Block
		for first := int64(0); first < next; first += size {
			names = append(names, tile.Header{Kind: tile.KindBlock, Source: rank, Partition: p.ID, Block: first}.Name())
		}
	}
	return names
}

func (b *batch) apply(c lane.Call) {
	for _, o := range b.w.store.Apply(context.Background(), []lane.Call{c}) {
		if o.Err != nil {
			b.w.t.Log("batch:", o.Err) // it looks again next time
		}
	}
}
