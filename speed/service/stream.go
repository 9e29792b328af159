package service

import "slices"

// A partition is read by two streams at most. Generations that are about equally far share the lead, so that records are
// fetched and decoded once for all of them. One that is far behind (it is being built, or its store lost data) reads by the
// trail until it has caught up: it holds up no other. The lead's deliveries go first. One whose memory is full is left out
// until flushes have freed some, and goes on where it was, by whichever of the two that then is.

// stream reads a partition for the generations that are about equally far.
type stream struct {
	feed   *feed
	epoch  int
	expect int64 // where the next delivery of this epoch begins; paused when there is nothing to read for
	fields []int // of the source, that the deliveries of this epoch hold
}

func newStream(f *feed) *stream { return &stream{feed: f, expect: paused} }

// steer makes the feed read these fields from offset on. What was decoded without a field that is wanted now is of an epoch
// that is over.
func (s *stream) steer(offset int64, fields []int) {
	if offset != s.expect || !slices.Equal(fields, s.fields) {
		s.expect, s.fields = offset, fields
		s.epoch = s.feed.seek(offset, fields)
	}
}

// steer gives every generation its stream, and makes each stream read what the one of it that is furthest behind needs.
// One that is full reads by none as long as another has room: it could fold nothing, and would hold up its stream.
func (w *worker) steer() {
	room := w.room()
	head := int64(paused) // how far the furthest is
	for _, g := range w.gens {
		g.stream = nil
		if !w.guard(g, func() { g.Rewind() }) {
			continue
		}
		if pos, ok := g.active(); ok && (!room || !g.full(w.cfg.MaxOpenBytes)) {
			g.stream, head = w.lead, max(head, pos)
		}
	}
	lead, trail := int64(paused), int64(paused)
	for _, g := range w.gens {
		pos, _ := g.active()
		switch {
		case g.stream == nil:
		case head-pos > w.cfg.MaxBehind:
			g.stream, trail = w.trail, least(trail, pos)
		default:
			lead = least(lead, pos)
		}
	}
	w.lead.steer(lead, w.fields)
	w.trail.steer(trail, w.fields)
}

// least returns the smaller of two offsets, of which the first may be paused.
func least(a, b int64) int64 {
	if a == paused {
		return b
	}
	return min(a, b)
}

// inputs returns where the next deliveries come from: nil while a stream may not be folded, and for the trail while the
// lead has something.
func (w *worker) inputs() (lead, trail <-chan delivery) {
	if (w.full(w.lead) || w.full(w.trail)) && w.room() {
		w.steer() // whoever has room goes on without the others
	}
	if !w.full(w.lead) {
		lead = w.lead.feed.out
	}
	if !w.full(w.trail) && len(lead) == 0 {
		trail = w.trail.feed.out
	}
	return lead, trail
}

// full tells whether no more of a stream may be folded until flushes have freed memory.
func (w *worker) full(s *stream) bool {
	for _, g := range w.gens {
		if g.stream == s && g.full(w.cfg.MaxOpenBytes) {
			return true
		}
	}
	return false
}

// room tells whether a generation that has something to fold for has room in memory.
func (w *worker) room() bool {
	for _, g := range w.gens {
		if _, ok := g.active(); ok && !g.full(w.cfg.MaxOpenBytes) {
			return true
		}
	}
	return false
}
