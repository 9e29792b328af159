package service

import (
	"errors"
	"log/slog"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/fold"
)

// Back-off of lanes whose store does not answer, doubled from the first to the last.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// running is one generation of the worker's partition with its timing. What is written is the Generation's business,
// when is decided here.
type running struct {
	*fold.Generation
	namespace string
	view      string
	number    int64 // of the view's generations
	fields    []int // of the source, that it uses
	logger    *slog.Logger

	stream *stream // that it is read by; nil while it is not active, or full while others are not
	served bool    // readers are answered by it

	busy   bool // a request of the store is under way
	reread bool // the drain has asked for marks: it does so once

	changedSince time.Time // since when there are changed tiles; zero = none
	allAt        time.Time // when all marks were moved or read the last time
	readAt       time.Time // when marks may be read again

	failures []int // by lane: calls in a row of which the store did not say what became of them
	unread   int   // reads of marks in a row that failed
	troubled bool  // said so already

	erred    int64 // values that an expression's error made null, as last counted
	long     int64 // values that were too long for a key, as last counted
	fresh    freshness
	refusals [flush.Refusals]int64
}

func newRunning(cfg fold.Config, fields []int, logger *slog.Logger) *running {
	return &running{
		Generation: fold.NewGeneration(cfg), namespace: cfg.Namespace, fields: fields, failures: make([]int, cfg.Lanes),
		logger: logger.With("generation", cfg.Namespace),
	}
}

// active returns the offset that is to be folded next; ok is false while there is nothing to fold for.
func (g *running) active() (pos int64, ok bool) {
	pos, ok = g.Position()
	return pos, ok && g.Active()
}

// full tells whether no more may be folded: until flushes have freed memory, or while the store does not answer at all, for
// what is folded then only takes room. The block being folded is allowed otherwise: it is bounded by its number of offsets.
func (g *running) full(maxBytes int64) bool { return g.crowded(maxBytes) || g.away() }

// crowded tells whether memory is full.
func (g *running) crowded(maxBytes int64) bool {
	blocks, bytes := g.Open()
	return blocks > 1 && bytes > maxBytes
}

// away tells whether the store did not even tell marks when it was asked last, and no lane is known to be writable.
func (g *running) away() bool {
	ready, _ := g.states()
	return !ready && g.unread > 0
}

// step is what is due for a generation.
type step uint8

const (
	nothing step = iota
	readMarks
	flushChanged
	flushAll
)

// due decides what to ask of the store now, or for how long nothing is due.
//
// Lanes that cannot be written to wait for their marks to be read, and hold up no other. Lanes that can are flushed when
// their changed tiles have lingered or are many, and those without changed tiles with them; once in a while all marks are
// moved, or read if there is nothing to move: that is how a worker whose log rests learns that the store lost something.
// Nothing lingers while memory is full, for marks that do not move are what it is full for.
func (g *running) due(now time.Time, cfg *Config) (step, time.Duration) {
	wait := cfg.MarksEvery
	ready, blind := g.states()
	if blind {
		in := g.readAt.Sub(now)
		if in <= 0 {
			return readMarks, 0
		}
		wait = min(wait, in)
	}
	if !ready {
		return nothing, wait
	}
	all, crowded := g.allAt.Add(cfg.MarksEvery).Sub(now), g.crowded(cfg.MaxOpenBytes)
	if changed := g.Changed(); changed > 0 {
		if g.changedSince.IsZero() {
			g.changedSince = now
		}
		in := g.changedSince.Add(cfg.Linger).Sub(now)
		switch {
		case crowded, (changed >= cfg.MaxTiles || in <= 0) && all <= 0:
			return flushAll, 0
		case changed >= cfg.MaxTiles || in <= 0:
			return flushChanged, 0
		}
		return nothing, min(wait, in)
	}
	g.changedSince = time.Time{}
	switch {
	case (crowded || all <= 0) && g.Behind():
		return flushAll, 0
	case all > 0:
		return nothing, min(wait, all)
	}
	if in := g.readAt.Sub(now); in > 0 {
		return nothing, min(wait, in)
	}
	return readMarks, 0
}

// states tells whether a lane can be written to, and whether there is one whose marks have to be read before.
func (g *running) states() (ready, blind bool) {
	for i := range g.Lanes() {
		switch g.Lanes()[i].State() {
		case flush.Ready:
			ready = true
		case flush.Unread, flush.Waiting, flush.Damaged:
			blind = true
		case flush.Dropped:
		}
	}
	return ready, blind
}

// took notes that a delivery was folded.
func (g *running) took(d delivery, now time.Time, stats *Stats) {
	if g.changedSince.IsZero() {
		g.changedSince = now
	}
	errs, long := g.Errors(), g.LongKeys()
	stats.Errors.Add(errs - g.erred)
	stats.LongKeys.Add(long - g.long)
	g.erred, g.long = errs, long
	if !g.served {
		g.fresh.skip(d.next)
		return
	}
	g.fresh.took(d, now, stats)
	g.fresh.readable(g.Readable(), now, stats) // what changed no tile
}

// sent notes what is under way. What is folded from here on lingers anew.
func (g *running) sent(what step, now time.Time) {
	g.busy = true
	if what == readMarks {
		return
	}
	g.changedSince = time.Time{}
	g.fresh.sent(now)
	if what == flushAll {
		g.allAt = now
	}
}

// flushed takes the outcomes of calls.
func (g *running) flushed(r reply, now time.Time, stats *Stats) {
	errs := g.Done(r.calls, r.outcomes, &g.refusals)
	stats.refused(&g.refusals)
	failed := false
	for i, err := range errs {
		switch n := r.calls[i].Lane.N; {
		case err == nil:
			g.failures[n] = 0
		case errors.Is(err, lane.ErrMark):
			g.damaged(err)
		default:
			failed = true
			g.failures[n]++
			g.readAt = now.Add(backoff(g.failures[n]))
			g.trouble("store does not take writes; waiting, nothing is lost", err)
		}
	}
	if failed {
		stats.StoreFailures.Add(1)
	}
	g.fresh.seen(g.Lanes())
	g.fresh.readable(g.Readable(), now, stats)
}

// observed takes marks that were read while no call was under way.
func (g *running) observed(r reply, now time.Time, stats *Stats, every time.Duration) {
	if r.err != nil {
		g.unread++
		stats.StoreFailures.Add(1)
		g.readAt = now.Add(backoff(g.unread))
		g.trouble("marks cannot be read; waiting, nothing is lost", r.err)
		return
	}
	g.unread = 0
	g.readAt = now.Add(every)
	if err := g.Observe(r.marks); err != nil {
		g.damaged(err)
	}
	if !g.Behind() { // else they are moved when that is due: reading for waiting lanes must not put it off
		g.allAt = now
	}
	g.fresh.seen(g.Lanes())
	g.fresh.readable(g.Readable(), now, stats)
}

// damaged says that lanes have marks that do not read, when that was first seen.
func (g *running) damaged(err error) {
	g.logger.Error("lane is damaged and not written to", "error", err)
}

// trouble says once what is wrong; calm says when it is over.
func (g *running) trouble(what string, err error) {
	if !g.troubled {
		g.troubled = true
		g.logger.Warn(what, "error", err)
	}
}

func (g *running) calm() {
	if !g.troubled || g.unread > 0 {
		return
	}
	for _, n := range g.failures {
		if n > 0 {
			return
		}
	}
	g.troubled = false
	g.logger.Info("store answers again")
}

// backoff returns how long to wait after the n-th failure in a row.
func backoff(n int) time.Duration {
	d := minBackoff
	for range n - 1 {
		if d *= 2; d >= maxBackoff {
			return maxBackoff
		}
	}
	return d
}

// unwritable returns how many lanes batch has not begun, and how many are damaged.
func (g *running) unwritable() (waiting, damaged int) {
	for i := range g.Lanes() {
		switch g.Lanes()[i].State() {
		case flush.Waiting:
			waiting++
		case flush.Damaged:
			damaged++
		case flush.Unread, flush.Ready, flush.Dropped:
		}
	}
	return waiting, damaged
}

// request is what a step asks of the store, nil if it is nothing after all.
func (g *running) request(what step) *reply {
	switch what {
	case flushChanged, flushAll:
		if calls := g.Flush(what == flushAll); len(calls) > 0 {
			return &reply{gen: g, calls: calls}
		}
		return nil
	case readMarks:
		ids := make([]lane.ID, 0, len(g.Lanes()))
		for i := range g.Lanes() {
			ids = append(ids, g.Lanes()[i].ID)
		}
		return &reply{gen: g, lanes: ids}
	case nothing:
	}
	return nil
}
