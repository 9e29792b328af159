package service

import (
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/fold"
)

// Back-off of a generation whose store does not answer.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// maxPendingBatches bounds the deliveries remembered for the freshness figure; past it the newest are merged.
const maxPendingBatches = 4096

// running is one generation of the worker's partition with its timing. What is written is the Generation's business,
// when is decided here.
type running struct {
	*fold.Generation
	namespace string

	busy    bool // a request of the store is under way
	last    bool // draining failed: try no more
	backoff time.Duration
	retryAt time.Time

	changedSince time.Time // since when there are changed tiles; zero = none
	allAt        time.Time // when all marks were moved or read the last time
	readAt       time.Time // when marks were read the last time

	pending  []arrival // folded, not yet readable
	sentTo   int64
	refusals [flush.Refusals]int64
}

// arrival is when the records below next were appended, for the freshness figure.
type arrival struct {
	next    int64
	append  int64 // ms, of the oldest
	records int64
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
func (g *running) due(now time.Time, cfg *Config, drain bool) (step, time.Duration) {
	if wait := g.retryAt.Sub(now); wait > 0 && !drain {
		return nothing, wait
	}
	unread, ready := g.unread()
	if unread && !drain {
		if wait := g.readAt.Add(cfg.MarksEvery).Sub(now); wait > 0 && g.backoff == 0 && !g.readAt.IsZero() && !g.lost() {
			if !ready {
				return nothing, wait
			}
		} else {
			return readMarks, 0
		}
	}
	changed := g.Changed()
	switch {
	case drain && (g.last || !ready):
		return nothing, 0
	case drain && g.behind():
		return flushAll, 0
	case changed == 0 && drain:
		return nothing, 0
	case changed > 0 && g.changedSince.IsZero():
		g.changedSince = now
	}
	all := !now.Before(g.allAt.Add(cfg.MarksEvery))
	if changed > 0 && (changed >= cfg.MaxTiles || !now.Before(g.changedSince.Add(cfg.Linger))) {
		if all {
			return flushAll, 0
		}
		return flushChanged, 0
	}
	if all {
		if g.behind() {
			return flushAll, 0
		}
		return readMarks, 0
	}
	wait := g.allAt.Add(cfg.MarksEvery).Sub(now)
	if changed > 0 {
		wait = min(wait, g.changedSince.Add(cfg.Linger).Sub(now))
	}
	return nothing, wait
}

// unread tells whether there are lanes whose marks must be read (waiting ones, once in a while), and whether any can be
// written to.
func (g *running) unread() (unread, ready bool) {
	for i := range g.Lanes() {
		switch g.Lanes()[i].State() {
		case flush.Ready:
			ready = true
		case flush.Unread, flush.Waiting:
			unread = true
		case flush.Dropped:
		}
	}
	return unread, ready
}

// lost tells whether the outcome of a call is unknown: its lane's marks are read at once.
func (g *running) lost() bool {
	for i := range g.Lanes() {
		if g.Lanes()[i].State() == flush.Unread {
			return true
		}
	}
	return false
}

// behind tells whether a mark can be moved.
func (g *running) behind() bool {
	pos, ok := g.Position()
	for i := range g.Lanes() {
		if l := &g.Lanes()[i]; ok && l.State() == flush.Ready && l.Next() < pos {
			return true
		}
	}
	return false
}

// took remembers when what was folded had been appended.
func (g *running) took(d delivery, now time.Time) {
	if g.changedSince.IsZero() {
		g.changedSince = now
	}
	if d.batch.N == 0 {
		return
	}
	a := arrival{next: d.next, append: d.batch.Append[0], records: int64(d.batch.N)}
	if n := len(g.pending); n >= maxPendingBatches {
		g.pending[n-1].next = a.next
		g.pending[n-1].records += a.records
		return
	}
	g.pending = append(g.pending, a)
}

// sent notes what the calls under way will make readable.
func (g *running) sent(calls []lane.Call, now time.Time) {
	g.sentTo, _ = g.Position()
	g.changedSince = time.Time{}
	if len(calls) == len(g.Lanes()) || !g.behindOthers(calls) {
		g.allAt = now
	}
}

// behindOthers tells whether a lane that these calls leave out could be moved too.
func (g *running) behindOthers(calls []lane.Call) bool {
	n := 0
	pos, _ := g.Position()
	for i := range g.Lanes() {
		if l := &g.Lanes()[i]; l.State() == flush.Ready && l.Next() < pos {
			n++
		}
	}
	return n > len(calls)
}

// idle notes that there was nothing to write after all.
func (g *running) idle(now time.Time) {
	g.allAt, g.changedSince = now, time.Time{}
}

// settled records the freshness of what became readable with the calls just answered.
func (g *running) settled(now time.Time, stats *Stats) {
	n := 0
	for n < len(g.pending) && g.pending[n].next <= g.sentTo {
		stats.Freshness.Record(now.UnixMilli()-g.pending[n].append, g.pending[n].records)
		n++
	}
	g.pending = append(g.pending[:0], g.pending[n:]...)
}

// observe takes over marks that were read while no call was under way. A lane whose mark is what we left it at keeps
// its list of changed tiles; any other gets it anew.
func (g *running) observe(marks []lane.Marks, now time.Time) error {
	g.readAt, g.allAt = now, now
	var errs []error
	for i := range g.Lanes() {
		l := &g.Lanes()[i]
		known, next := l.State() == flush.Ready, int64(0)
		if known {
			next = l.Next()
		}
		if err := l.Observe(marks[i]); err != nil {
			errs = append(errs, err)
			continue
		}
		if !known || l.State() != flush.Ready || l.Next() != next {
			g.Restore(i)
		}
	}
	return errors.Join(errs...)
}

func (g *running) backOff(now time.Time) {
	g.backoff = min(max(2*g.backoff, minBackoff), maxBackoff)
	g.retryAt = now.Add(g.backoff)
}

func (g *running) recovered(logger *slog.Logger, p position.Partition) {
	if g.backoff == 0 {
		return
	}
	g.backoff, g.retryAt = 0, time.Time{}
	logger.Info("store takes writes again", "partition", p.String())
}

func stack() string { return string(debug.Stack()) }
