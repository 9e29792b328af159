package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/fold"
)

// worker folds and flushes one partition for all generations. One goroutine runs it; what the store answers comes back
// to it through done.
type worker struct {
	cfg       *Config
	src       *schema.Source
	partition position.Partition
	feed      *feed
	logger    *slog.Logger
	stats     *Stats
	progress  *PartitionStats

	generations chan []Generation
	done        chan reply
	gens        map[string]*running // by namespace

	epoch  int
	expect int64 // where the next delivery of this epoch begins; paused before the first seek
}

// reply is what the store said to one generation's calls or read of marks.
type reply struct {
	gen      *running
	calls    []lane.Call
	outcomes []lane.Outcome
	marks    []lane.Marks
	err      error
}

// run works until the context ends or the partition has to stop. A panic of an operator stops this partition loudly and
// nothing else: what it has not written is folded again by whoever repairs the cause.
func (w *worker) run(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			err := fmt.Errorf("partition %s stopped at offset %d by a panic, nothing is skipped: %v", w.partition, w.expect, r)
			w.feed.fail(err)
			w.progress.fail(err)
			w.logger.Error("partition stopped by a panic", "partition", w.partition.String(), "offset", w.expect, "panic", r, "stack", stack())
		}
	}()
	for ctx.Err() == nil {
		timer := time.NewTimer(w.pump(ctx, time.Now(), false))
		in := w.feed.out
		if w.full() {
			in = nil
		}
		select {
		case <-ctx.Done():
		case gens := <-w.generations:
			w.update(gens)
		case d := <-in:
			w.fold(d)
		case r := <-w.done:
			w.settle(r)
		case <-timer.C:
		}
		timer.Stop()
		w.report()
	}
}

// update takes over the list of generations: new ones begin unread, those that are gone are dropped from memory.
func (w *worker) update(list []Generation) {
	seen := map[string]bool{}
	for _, g := range list {
		if g.Plan.SourceRank(w.src.Name) < 0 {
			continue
		}
		seen[g.Namespace] = true
		if w.gens[g.Namespace] != nil {
			continue
		}
		w.gens[g.Namespace] = &running{
			Generation: fold.NewGeneration(fold.Config{
				Namespace: g.Namespace, Plan: g.Plan, Lanes: g.Lanes, Partition: w.partition,
				Block: g.Block[w.src.Name], First: g.Origin.Next(w.partition),
			}),
			namespace: g.Namespace,
		}
	}
	for ns := range w.gens {
		if !seen[ns] {
			delete(w.gens, ns)
		}
	}
	w.steer()
}

// fold adds a delivery to every generation.
func (w *worker) fold(d delivery) {
	defer w.feed.recycle(d.batch)
	if d.epoch != w.epoch {
		return
	}
	now := time.Now()
	for _, g := range w.gens {
		if pos, ok := g.Position(); ok && d.next > pos {
			g.Add(d.batch, d.next)
			g.took(d, now)
		}
	}
	w.expect = d.next
	w.progress.folded(d)
	w.stats.Folded.Add(int64(d.batch.N))
}

// settle takes the store's answer and decides where the log has to be read from now.
func (w *worker) settle(r reply) {
	g, now := r.gen, time.Now()
	g.busy = false
	switch {
	case r.calls != nil:
		r.err = errors.Join(g.Done(r.calls, r.outcomes, &g.refusals)...)
		w.stats.refused(&g.refusals)
		g.settled(now, w.stats)
	case r.err == nil:
		r.err = g.observe(r.marks, now)
	}
	if r.err != nil {
		w.trouble(g, r.err, now)
	} else {
		g.recovered(w.logger, w.partition)
	}
	g.Trim()
	w.steer()
}

// trouble backs off and says once what is wrong; the tiles stay in memory and are written again from the marks.
func (w *worker) trouble(g *running, err error, now time.Time) {
	if errors.Is(err, context.Canceled) {
		return
	}
	w.stats.StoreFailures.Add(1)
	if g.backoff == 0 {
		w.logger.Warn("store does not take writes; waiting, nothing is lost", "partition", w.partition.String(), "error", err)
	}
	g.backOff(now)
}

// steer makes the feed read what the generation that is furthest behind needs next.
func (w *worker) steer() {
	least, any := int64(0), false
	for _, g := range w.gens {
		if _, moved := g.Rewind(); moved {
			g.pending = g.pending[:0]
		}
		if pos, ok := g.Position(); ok && (!any || pos < least) {
			least, any = pos, true
		}
	}
	switch {
	case !any && w.expect != paused:
		w.expect = paused
		w.epoch = w.feed.seek(paused)
	case any && least != w.expect:
		w.expect = least
		w.epoch = w.feed.seek(least)
	}
}

// full tells whether no more may be folded until flushes have freed memory. The block being folded is always allowed:
// it is bounded by its number of offsets.
func (w *worker) full() bool {
	for _, g := range w.gens {
		if blocks, bytes := g.Open(); blocks > 1 && bytes > w.cfg.MaxOpenBytes {
			return true
		}
	}
	return false
}

// pump starts what is due for each generation, at most one request of the store at a time, and returns how long nothing
// else is due.
func (w *worker) pump(ctx context.Context, now time.Time, drain bool) time.Duration {
	wait := w.cfg.MarksEvery
	for _, g := range w.gens {
		if g.busy {
			continue
		}
		what, in := g.due(now, w.cfg, drain)
		switch what {
		case nothing:
			wait = min(wait, in)
		case readMarks:
			g.busy = true
			w.read(ctx, g)
		case flushChanged, flushAll:
			if calls := g.Flush(what == flushAll); len(calls) > 0 {
				g.busy = true
				g.sent(calls, now)
				w.stats.sent(calls)
				w.apply(ctx, g, calls)
			} else {
				g.idle(now)
			}
		}
	}
	return max(wait, time.Millisecond)
}

func (w *worker) apply(ctx context.Context, g *running, calls []lane.Call) {
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.StoreTimeout)
		defer cancel()
		w.done <- reply{gen: g, calls: calls, outcomes: w.cfg.Store.Apply(ctx, calls)}
	}()
}

func (w *worker) read(ctx context.Context, g *running) {
	ids := make([]lane.ID, 0, len(g.Lanes()))
	for i := range g.Lanes() {
		ids = append(ids, g.Lanes()[i].ID)
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.StoreTimeout)
		defer cancel()
		marks, err := w.cfg.Store.Marks(ctx, ids)
		w.done <- reply{gen: g, marks: marks, err: err}
	}()
}

// drain writes what is folded, in bounded time, and waits for calls under way: after it nothing of this worker reaches
// the store any more, unless the bound ran out.
func (w *worker) drain(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			w.logger.Error("draining a partition panicked; its next owner folds again what was not written", "partition", w.partition.String(), "panic", r)
		}
	}()
	for ctx.Err() == nil {
		w.pump(ctx, time.Now(), true)
		busy := false
		for _, g := range w.gens {
			busy = busy || g.busy
		}
		if !busy {
			return
		}
		select {
		case <-ctx.Done():
		case r := <-w.done:
			r.gen.busy = false
			if r.calls == nil || r.gen.last {
				break
			}
			for _, err := range r.gen.Done(r.calls, r.outcomes, &r.gen.refusals) {
				w.logger.Warn("flush of a drain failed; the next owner folds it again", "partition", w.partition.String(), "error", err)
				r.gen.last = true
			}
			w.stats.refused(&r.gen.refusals)
			r.gen.settled(time.Now(), w.stats)
		}
	}
}
