package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/fold"
)

// worker folds and flushes one partition for all generations. One goroutine runs it; each request of the store has one
// of its own, and what it answers comes back through done.
type worker struct {
	cfg       *Config
	src       *schema.Source
	partition position.Partition
	lead      *stream
	trail     *stream
	logger    *slog.Logger
	stats     *Stats
	progress  *PartitionStats

	generations chan []Generation
	gens        map[string]*running // by namespace
	fields      []int               // of the source, that generations use: others are not decoded; never changed in place
	refused     map[string]error    // generations that cannot be fed, or panicked, by namespace
	broken      bool                // a panic of the worker itself: what is in memory may be anything and is not written
	fullSince   time.Time           // since when, or since the last report, memory is full; zero while it is not

	// Requests of the store outlive run, so that a drain can wait for them; end cancels them.
	requests sync.WaitGroup
	alive    context.Context //nolint:containedctx // it is that of the requests, which belong to the worker and not to a call
	cancel   context.CancelFunc
	done     chan *reply
	until    time.Time // of the drain: no request goes on for longer; zero before it
}

// reply is a request of the store for one generation, calls or a read of marks, and what it answered.
type reply struct {
	gen      *running
	calls    []lane.Call
	outcomes []lane.Outcome
	lanes    []lane.ID
	marks    []lane.Marks
	err      error
}

// run works until the context ends or the partition has to stop. A panic of an operator stops the feeding of its generation
// (see guard), one of the worker itself this partition, loudly and nothing else: what it has not written is folded again by
// whoever repairs the cause.
func (w *worker) run(ctx context.Context) {
	defer w.caught()
	timer := time.NewTimer(w.cfg.MarksEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(w.pump(time.Now()))
		lead, trail := w.inputs()
		select {
		case <-ctx.Done():
		case gens := <-w.generations:
			w.update(gens)
		case d := <-lead:
			w.fold(w.lead, d)
		case d := <-trail:
			w.fold(w.trail, d)
		case r := <-w.done:
			w.settle(r)
		case <-timer.C:
		}
		w.report()
	}
}

// caught ends a worker that panicked.
func (w *worker) caught() {
	r := recover()
	if r == nil {
		return
	}
	w.broken = true
	err := fmt.Errorf("partition %s stopped at offset %d by a panic, nothing is skipped: %v", w.partition, w.lead.expect, r)
	w.lead.feed.die(err)
	w.trail.feed.die(err)
	w.progress.change(func(s *PartitionState) { s.Failed = err.Error() })
	w.logger.Error("partition stopped by a panic", "partition", w.partition.String(), "offset", w.lead.expect, "panic", r, "stack", string(debug.Stack()))
}

// update takes over the list of generations: new ones begin unread, those that are gone are dropped from memory.
func (w *worker) update(list []Generation) {
	seen := map[string]bool{}
	for i := range list {
		g := &list[i]
		if g.Plan.SourceRank(w.src.Name) < 0 {
			continue
		}
		seen[g.Namespace] = true
		if w.gens[g.Namespace] == nil {
			w.begin(g)
		}
		if r := w.gens[g.Namespace]; r != nil {
			r.served = g.Served
		}
	}
	for ns := range w.gens {
		if !seen[ns] {
			delete(w.gens, ns)
		}
	}
	for ns := range w.refused {
		if !seen[ns] {
			delete(w.refused, ns)
		}
	}
	w.fields = w.used()
	w.steer()
}

// used returns the fields of the source that the generations use which are fed, ascending. (A new slice: the fetcher may
// be reading the old one.)
func (w *worker) used() []int {
	fields := []int{} // not nil, which would be all of them
	for _, g := range w.gens {
		fields = append(fields, g.fields...)
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// begin adds a generation, unless the source as declared now does not give what it folds.
func (w *worker) begin(g *Generation) {
	if w.refused[g.Namespace] != nil {
		return
	}
	fields, err := g.Plan.Uses(w.src)
	if block := g.Block[w.src.Name]; err == nil && (!position.ValidBlock(block) || !lane.ValidLanes(g.Lanes)) {
		err = fmt.Errorf("%d lanes and blocks of %d offsets cannot be", g.Lanes, block)
	}
	if err != nil {
		w.refused[g.Namespace] = fmt.Errorf("feeding generation %s from %s: %w", g.Namespace, w.partition, err)
		w.logger.Error("generation cannot be fed", "partition", w.partition.String(), "error", w.refused[g.Namespace])
		return
	}
	w.gens[g.Namespace] = newRunning(fold.Config{
		Namespace: g.Namespace, Plan: g.Plan, Lanes: g.Lanes, Partition: w.partition,
		Block: g.Block[w.src.Name], First: g.Origin.Next(w.partition),
	}, fields, w.logger.With("partition", w.partition.String()))
	r := w.gens[g.Namespace]
	r.view, r.number = g.Plan.Spec().Name, g.Number
}

// fold adds a delivery to every generation of its stream that has something to fold for.
func (w *worker) fold(s *stream, d delivery) {
	defer s.feed.recycle(d.batch)
	if d.epoch != s.epoch {
		return
	}
	now, fed := time.Now(), len(w.gens)
	for _, g := range w.gens {
		if pos, ok := g.active(); ok && g.stream == s && d.next > pos && w.guard(g, func() { g.Add(d.batch, d.from, d.next) }) {
			g.took(d, now, w.stats)
		}
	}
	s.expect = d.next
	w.stats.Folded.Add(int64(d.batch.N))
	if len(w.gens) < fed {
		w.steer() // without what panicked
	}
}

// settle takes the store's answer and decides where the log has to be read from now.
func (w *worker) settle(r *reply) {
	g, now := r.gen, time.Now()
	g.busy = false
	if w.gens[g.namespace] != g {
		return // it is not fed any more
	}
	w.guard(g, func() {
		if r.calls != nil {
			g.flushed(*r, now, w.stats)
		} else {
			g.observed(*r, now, w.stats, w.cfg.MarksEvery)
		}
		g.calm()
		g.Trim()
	})
	w.steer()
}

// pump starts what is due for each generation, at most one request of the store at a time, and returns how long nothing
// else is due.
func (w *worker) pump(now time.Time) time.Duration {
	wait := w.cfg.MarksEvery
	for _, g := range w.gens {
		if g.busy {
			continue
		}
		what, in := g.due(now, w.cfg)
		r, well := w.request(g, what)
		if r != nil {
			g.sent(what, now)
			w.send(r)
		}
		if r != nil || !well {
			continue
		}
		wait = min(wait, in)
	}
	return max(wait, time.Millisecond)
}

// request returns what a step asks of the store, and whether the generation did not panic over it.
func (w *worker) request(g *running, what step) (r *reply, well bool) {
	if well = w.guard(g, func() { r = g.request(what) }); !well {
		w.steer()
	}
	return r, well
}

// send asks the store, in a goroutine of its own.
func (w *worker) send(r *reply) {
	w.stats.sent(r.calls)
	until := time.Now().Add(w.cfg.StoreTimeout)
	if !w.until.IsZero() && w.until.Before(until) {
		until = w.until
	}
	w.requests.Go(func() {
		ctx, cancel := context.WithDeadline(w.alive, until)
		defer cancel()
		if r.calls != nil {
			r.outcomes = w.cfg.Store.Apply(ctx, r.calls)
			crash.Point(crash.FlushUnanswered)
		} else {
			r.marks, r.err = w.cfg.Store.Marks(ctx, r.lanes)
		}
		select {
		case w.done <- r:
		case <-w.alive.Done():
		}
	})
}

// end cancels what is under way and waits for it: after it nothing of this worker reaches the store's client any more.
func (w *worker) end() {
	w.cancel()
	w.requests.Wait()
}

// drain writes what is folded, in bounded time, and tells whether it is all written. What is not the partition's next
// owner folds again.
func (w *worker) drain(ctx context.Context) (all bool) {
	if w.broken {
		return true // what is in memory may be anything; why it is was said
	}
	defer w.caught()
	w.until, _ = ctx.Deadline() // a store may heed the time that a request has, and not that it is given up
	for ctx.Err() == nil {
		busy := false
		for _, g := range w.gens {
			if !g.busy {
				w.askLast(g)
			}
			busy = busy || g.busy
		}
		if !busy {
			return w.written()
		}
		select {
		case <-ctx.Done():
		case r := <-w.done:
			w.settleLast(r)
		}
	}
	return false
}

// written tells whether everything that is folded for a generation that is fed is in the store.
func (w *worker) written() bool {
	for _, g := range w.gens {
		if !g.Written() {
			return false
		}
	}
	return true
}

// askLast flushes a generation. Where that is not possible though something is not written (the store was away, say, and
// what it holds is not known), marks are read, once: what cannot be written after that stays unwritten.
func (w *worker) askLast(g *running) {
	what := flushAll
	r, well := w.request(g, what)
	if r == nil && well && !g.reread && !g.Written() {
		g.reread, what = true, readMarks
		r, _ = w.request(g, what)
	}
	if r != nil {
		g.sent(what, time.Now())
		w.send(r)
	}
}

// settleLast takes an answer of the drain.
func (w *worker) settleLast(r *reply) {
	g := r.gen
	g.busy = false
	switch {
	case w.gens[g.namespace] != g: // it panicked since
	case r.calls == nil:
		g.observed(*r, time.Now(), w.stats, w.cfg.MarksEvery)
	default:
		g.flushed(*r, time.Now(), w.stats)
	}
}

// report brings the partition's figures up to date.
func (w *worker) report() {
	end, failed := w.lead.feed.state()
	if behind, why := w.trail.feed.state(); failed == nil {
		end, failed = max(end, behind), why
	}
	if failed == nil {
		for _, err := range w.refused {
			failed = errors.Join(failed, err)
		}
	}
	full := w.account(time.Now())
	w.progress.change(func(s *PartitionState) {
		s.Blocks, s.Bytes, s.Waiting, s.Damaged, s.Failed, s.Full, s.Mark = 0, 0, 0, 0, "", full, unknown
		if pos, begun := w.furthest(); begun {
			s.Position = pos // also where there was nothing to fold: the log may end where the marks are
		}
		s.End = max(end, s.Position)
		for _, g := range w.gens {
			blocks, bytes := g.Open()
			waiting, damaged := g.unwritable()
			s.Blocks, s.Bytes, s.Waiting, s.Damaged = s.Blocks+blocks, s.Bytes+bytes, s.Waiting+waiting, s.Damaged+damaged
			if _, begun := g.Position(); g.served && begun && (s.Mark == unknown || g.Readable() < s.Mark) {
				s.Mark = g.Readable()
			}
		}
		if failed != nil {
			s.Failed = failed.Error()
		}
	})
}

// furthest returns up to where the log is folded for the generation that is furthest, if it is for any.
func (w *worker) furthest() (pos int64, begun bool) {
	for _, g := range w.gens {
		if p, ok := g.Position(); ok {
			pos, begun = max(pos, p), true
		}
	}
	return pos, begun
}

// account adds up the time during which a generation could not fold for want of memory, and tells whether one cannot now.
func (w *worker) account(now time.Time) (full bool) {
	for _, g := range w.gens {
		_, active := g.active()
		full = full || active && g.full(w.cfg.MaxOpenBytes)
	}
	if !w.fullSince.IsZero() {
		w.stats.Full.Add(int64(now.Sub(w.fullSince)))
	}
	if w.fullSince = (time.Time{}); full {
		w.fullSince = now
	}
	return full
}
