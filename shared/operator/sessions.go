package operator

import (
	"fmt"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// MaxSessions bounds the gaps, and the hops, of the longest window of a state, and so its intervals: where one ends, a gap
// or a hop does.
const MaxSessions = 1 << 16

// The results of sessions.
const (
	resultCount         = "count"
	resultAvgLength     = "avg_length"
	resultCurrentLength = "current_length"
)

// sessions cuts an entity's events into sessions: two events that follow each other are of one session if there is at
// most Gap between them. A session lasts from its first event to its last one. The result is how many there are in the
// window, how long they are on average, ms, or how long the one that goes on at as_of is.
//
// The state is the intervals between events, cut at hops: in each bucket, the events' times are joined where no more than
// the gap lies between them. Joining is a function of the set of times: intervals that hold the same times joined in any
// order are the same. A late event that lies between two intervals joins them; intervals of two buckets are joined in
// Result only, because of two buckets one may have to be trimmed and the other not.
var sessionsKind = Kind{
	Name: "sessions", Version: 1,
	Results: []string{resultCount, resultAvgLength, resultCurrentLength},
	CheckQuery: func(cfg Config, q Query) error {
		return checkQuery("sessions", &cfg, &q, false, false, resultCount, resultAvgLength, resultCurrentLength)
	},
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "sessions", values: optional, gapped: true}
		tiers, err := s.check(&cfg)
		if err == nil {
			err = checkGap(&cfg)
		}
		if err != nil {
			return nil, err
		}
		return &sessionsOperator{tiers: tiers, gap: uint64(cfg.Gap)}, nil
	},
}

// checkGap tells whether the number of intervals in each window is bounded.
func checkGap(cfg *Config) error {
	if cfg.Gap < 1 || cfg.Gap > schema.MaxTime {
		return fmt.Errorf("%w: sessions: a gap of %s: say how far apart the events of one session may be, such as 30m", ErrConfig, window.Text(cfg.Gap))
	}
	for _, w := range cfg.Windows {
		switch {
		case w.Length == 0:
			return fmt.Errorf("%w: sessions: those of all time have no bound: name a window in place of all", ErrConfig)
		case w.Length/cfg.Gap > MaxSessions:
			return fmt.Errorf("%w: sessions: a window of %d gaps of %s: name a longer gap or a shorter window; at most %d gaps",
				ErrConfig, w.Length/cfg.Gap, window.Text(cfg.Gap), MaxSessions)
		case w.Length/w.Hop > MaxSessions:
			return fmt.Errorf("%w: sessions: a window of %d hops of %s: name a longer hop or a shorter window; at most %d hops",
				ErrConfig, w.Length/w.Hop, window.Text(w.Hop), MaxSessions)
		}
	}
	return nil
}

type sessionsOperator struct {
	tiers window.Tiers
	gap   uint64
}

// NewStates implements Operator.
func (o *sessionsOperator) NewStates() States { return &sessionsStates{newIntervals(o.tiers, o.gap)} }

type sessionsStates struct{ intervals }

// Fold implements States.
func (s *sessionsStates) Fold(r *Rows) {
	for i, row := range r.Row {
		if present(r.In, int(row)) {
			slot := r.Slot[i]
			s.add(slot, uint64(r.Time[row]), r.Newest[slot])
		}
	}
}

// AppendState implements States: the number of intervals as uvarint, then each, the oldest first, as uvarints: its first
// time, of the second and later ones how much after the last time of the one before, less 1, and its length.
func (s *sessionsStates) AppendState(dst []byte, slot int32, newest int64) []byte {
	cut := s.settled(slot, newest)
	if len(cut) == 0 {
		return dst
	}
	dst = wire.AppendUvarint(dst, uint64(len(cut)))
	next := uint64(0)
	for _, c := range cut {
		dst = wire.AppendUvarint(wire.AppendUvarint(dst, c.first-next), c.last-c.first)
		next = c.last + 1
	}
	return dst
}

// Merge implements States.
func (s *sessionsStates) Merge(slot int32, state []byte, newest int64) error {
	if len(state) == 0 {
		return nil
	}
	r := wire.NewReader(state)
	n := r.Uvarint(uint64(len(state) / 2)) // an interval takes two bytes at least
	var oldest, before interval
	for i := range n {
		c := interval{first: r.Uvarint(schema.MaxTime)}
		if i > 0 {
			c.first += before.last + 1
		}
		c.last = c.first + r.Uvarint(schema.MaxTime)
		if r.Bad() || int64(c.last) > newest || !s.whole(c, newest) || i > 0 && s.torn(before, c) {
			return stateError("sessions", state)
		}
		if i == 0 {
			oldest = c
		}
		before = c
		s.push(slot, c, newest)
	}
	// The state was written when the newest time was its last one or later, and reached back to its first one then.
	if n == 0 || !r.Done() || s.tiers.Of(int64(oldest.first), int64(before.last)) < 0 {
		return stateError("sessions", state)
	}
	return nil
}

// Result implements States.
func (s *sessionsStates) Result(slot int32, q *Query) Value {
	var n, sum uint64
	var current interval
	for _, c := range s.settled(slot, q.Newest) {
		switch {
		case !q.Window.Holds(int64(c.first), q.AsOf):
		case n > 0 && c.first-current.last <= s.gap:
			sum += c.last - current.last
			current.last = c.last
		default:
			n++
			sum += c.last - c.first
			current = c
		}
	}
	switch {
	case q.Result == resultAvgLength && n == 0, q.Result == resultCurrentLength && (n == 0 || uint64(q.AsOf)-current.last > s.gap):
		return Value{}
	case q.Result == resultAvgLength:
		return OfFloat(float64(sum) / float64(n)) // both are exact, so that the quotient is rounded correctly
	case q.Result == resultCurrentLength:
		return OfInt(int64(current.last - current.first))
	}
	return OfInt(int64(n))
}
