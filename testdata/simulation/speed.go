package simulation

import (
	"bytes"
	"errors"
	"math"
	"slices"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/speed/fold"
)

// Fate is what becomes of a call on its way to the store and back.
type Fate uint8

// The fates.
const (
	Deliver   Fate = iota
	LoseReply      // applied, and the caller does not learn it
	LoseCall       // never arrives; the outcome is unknown
	Hold           // the outcome is unknown, and the call arrives later
	Twice          // applied, sent again by the client library, and the second answer is what the caller sees
	Fail           // the store answers with an error
	Fates          // the number of them
)

var fateNames = [Fates]string{"deliver", "lose-reply", "lose-call", "hold", "twice", "fail"}

// held is a call that is still on its way though nobody waits for it any more.
type held struct {
	lane int
	call lane.Call
}

// worker is a process of the speed layer.
type worker struct {
	manifest *viewManifest // the newest that it has seen
	slots    [maxGenerations][maxPartitions]slot
}

// slot is what a worker's process has of one partition and one generation: the real fold and its real lanes, and the one
// request of the store that may be under way.
type slot struct {
	fold     *fold.Generation // nil: not begun
	calls    []lane.Call      // under way
	outcomes []lane.Outcome   // of the first of them
	reading  bool             // marks are being read
	marks    []lane.Marks     // as read, nil before they are
	trusted  [maxLanes]string // marks that are not looked at, where the rules about refusals are off
}

func (s *slot) busy() bool { return s.calls != nil || s.reading }

// at returns what the slot folds next, the log's end for one that has nothing to fold for.
func (s *slot) at() int64 {
	if pos, ok := s.fold.Position(); ok && s.fold.Active() {
		return pos
	}
	return math.MaxInt64
}

var errLost, errFailed = lane.ErrUnavailable, lane.ErrStore

// look takes over the store's manifest.
func (w *World) look(k *worker) bool {
	m := w.store.manifest
	if m == nil || (k.manifest != nil && m.seq <= k.manifest.seq) {
		return false
	}
	k.manifest = m
	for g := range k.slots {
		if g < len(m.gens) && m.gens[g].state == manifest.Dropped {
			for p := range k.slots[g] {
				w.forget(&k.slots[g][p], true)
			}
		}
	}
	return true
}

// slot returns a worker's slot, begun if the manifest names the generation; nil if there is nothing to do for it.
func (w *World) slot(k *worker, g, p int) *slot {
	if k.manifest == nil || g >= len(k.manifest.gens) || p >= len(w.parts) || k.manifest.gens[g].state == manifest.Dropped {
		return nil
	}
	s := &k.slots[g][p]
	if s.fold == nil {
		part := w.parts[p]
		s.fold = fold.NewGeneration(fold.Config{
			Namespace: namespaces[g], Plan: w.plan, Lanes: w.cfg.Lanes, Partition: part.name, Block: part.block,
			First: k.manifest.gens[g].origin.Next(part.name),
		})
	}
	return s
}

// fetch folds the next few offsets.
func (w *World) fetch(s *slot, p *partition, n int64) bool {
	_, moved := s.fold.Rewind()
	pos, ok := s.fold.Position()
	if !ok || !s.fold.Active() || pos >= p.end {
		return moved
	}
	next := min(pos+n, p.end)
	if pos < p.trimmed {
		next = min(next, p.trimmed) // from the archive, which is another delivery
		w.sim.Seen["read from the archive"]++
	}
	b, from := w.sim.batch(p), pos
	if w.without(BlockFirst) {
		from = max(from, leastMark(s.fold))
	}
	p.rows(b, from, next)
	s.fold.Add(b, pos, next)
	return true
}

// leastMark is the smallest mark of a fold's lanes.
func leastMark(g *fold.Generation) (least int64) {
	first := true
	for i := range g.Lanes() {
		if next, ok := g.Lanes()[i].Holds(); ok && (first || next < least) {
			least, first = next, false
		}
	}
	return least
}

// flush sends what is due. A drain does so without looking whether it must read again first.
func (w *World) flush(s *slot, all, drain bool) bool {
	if s.busy() {
		return false
	}
	moved := false
	if !drain {
		_, moved = s.fold.Rewind()
	}
	calls := s.fold.Flush(all)
	if len(calls) == 0 {
		return moved
	}
	s.calls = calls
	return true
}

// read asks for the marks of all lanes; the store answers when it is delivered.
func (w *World) read(s *slot) bool {
	if s.busy() {
		return false
	}
	s.reading = true
	return true
}

// deliver takes a slot's request one step further.
func (w *World) deliver(s *slot, g int, p *partition, fate Fate) bool {
	switch {
	case s.reading && s.marks == nil:
		if fate == LoseCall || fate == Fail {
			s.reading = false
			return true
		}
		for n := range w.cfg.Lanes {
			s.marks = append(s.marks, w.spoilMarks(s, n, p, w.store.lanes[w.lane(g, n)].marks))
		}
	case s.reading:
		marks := s.marks
		s.reading, s.marks = false, nil
		if err := s.fold.Observe(marks); err != nil && !errors.Is(err, lane.ErrMark) {
			w.violated("observing marks: %v", err)
		}
	case s.calls != nil:
		c := &s.calls[len(s.outcomes)]
		o := w.send(w.lane(g, c.Lane.N), w.spoilFlush(c, p), fate)
		s.outcomes = append(s.outcomes, w.spoilOutcome(s, c, o))
		if len(s.outcomes) == len(s.calls) {
			w.done(s)
		}
	default:
		return false
	}
	return true
}

// done gives a fold the outcomes of its calls.
func (w *World) done(s *slot) {
	for _, err := range s.fold.Done(s.calls, s.outcomes, &w.sim.Refusals) {
		if err != nil && !errors.Is(err, errLost) && !errors.Is(err, errFailed) && !errors.Is(err, lane.ErrMark) {
			w.violated("flushing: %v", err)
		}
	}
	s.calls, s.outcomes = nil, nil
	s.fold.Trim()
}

// forget ends a slot: its process crashed, or it lost its partition. What is under way arrives later, or never.
func (w *World) forget(s *slot, late bool) bool {
	if s.fold == nil {
		return false
	}
	g := generationOf(s.fold.Lanes()[0].ID.Namespace)
	for i := len(s.outcomes); late && i < len(s.calls); i++ {
		w.hold(w.lane(g, s.calls[i].Lane.N), &s.calls[i])
	}
	*s = slot{}
	return true
}

// hold keeps a call that is on its way.
func (w *World) hold(at int, c *lane.Call) {
	if len(w.late) == maxHeld {
		return
	}
	d := *c
	d.Rows = slices.Clone(c.Rows)
	for i := range d.Rows {
		d.Rows[i].Key = bytes.Clone(d.Rows[i].Key)
		d.Rows[i].Set = slices.Clone(d.Rows[i].Set)
		for j := range d.Rows[i].Set {
			d.Rows[i].Set[j].Value = bytes.Clone(d.Rows[i].Set[j].Value)
		}
	}
	w.late = append(w.late, held{at, d})
}

// maxHeld bounds the calls that are on their way though nobody waits for them.
const maxHeld = 8

// send brings calls to the store, as one unless a rule is off, and their answer back.
func (w *World) send(at int, calls []lane.Call, fate Fate) (o lane.Outcome) {
	w.sim.Fates[fate]++
	if w.without(OneCall) && len(calls) > 1 && (fate == LoseCall || fate == Hold) {
		// The first part is lost alone.
		calls, fate = calls[1:], Deliver
	}
	for i := range calls {
		o = w.exchange(at, &calls[i], fate)
	}
	return o
}

func (w *World) exchange(at int, c *lane.Call, fate Fate) lane.Outcome {
	switch fate {
	case LoseCall:
		return lane.Outcome{Err: errLost}
	case Hold:
		w.hold(at, c)
		return lane.Outcome{Err: errLost}
	case Fail:
		return lane.Outcome{Err: errFailed}
	case Twice:
		if c.Once && !w.without(BeginOnce) {
			break
		}
		o := w.apply(at, c)
		if w.without(BeginOnce) && c.Once {
			w.hold(at, c)
			return o
		}
		return w.apply(at, c)
	case LoseReply:
		w.apply(at, c)
		return lane.Outcome{Err: errLost}
	case Deliver, Fates:
	}
	return w.apply(at, c)
}
