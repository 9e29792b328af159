package simulation

import (
	"fmt"
	"strings"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

// before is what a row has said since the store lost something of its lane.
type before struct {
	frontier [maxPartitions]int64 // the furthest that was claimed
	bits     uint64               // of the events that it held when it was looked at last
}

// violated notes the first thing that is wrong.
func (w *World) violated(format string, args ...any) {
	if w.Violation == "" {
		w.Violation = fmt.Sprintf(format, args...)
	}
}

// missing names an event of an entity that lies below a frontier and is not in bits, "" if there is none.
func (w *World) missing(entity int, frontier map[string]int64, bits uint64) string {
	for i, p := range w.parts {
		next, ok := frontier[w.sim.names[i]]
		if !ok {
			continue
		}
		if lost := p.bits(entity, 0, next) &^ bits; lost != 0 {
			return fmt.Sprintf("events %b of %s below %d of entity %d", lost, p.name, next, entity)
		}
	}
	return ""
}

// past is what a lane was in. While it is shaken, its claims and contents may go back: the store lost something of it, and
// it has not been as far again.
type past struct {
	shaken  bool
	whole   bool                 // it has claimed something, once
	dropped bool                 // it was dropped, and the store has lost nothing of it since
	reached [maxPartitions]int64 // the furthest mark of each partition
}

// checkLane holds every row of a lane to the laws.
func (w *World) checkLane(at int) {
	marks := w.store.lanes[at].marks
	claim := w.claimOf(marks)
	l := &w.past[at]
	if l.shaken && w.recovered(at, &claim, marks) {
		l.shaken = false
		clear(w.before[at][:])
	}
	if l.dropped && !claim.Dropped {
		w.violated("lane %d was dropped and has the marks %v", at, marks)
	}
	l.dropped = claim.Dropped
	l.whole = l.whole || claim.Degraded == ""
	for i := range w.parts {
		l.reached[i] = max(l.reached[i], claim.Frontier[w.sim.names[i]])
	}
	for e := range w.cfg.Entities {
		if w.laneOf(e) == at%w.cfg.Lanes {
			w.checkRow(at, e, &claim, marks)
		}
	}
}

// recovered tells whether a lane of which the store lost something is as far as it was and has taken in all runs. Before
// that it may even be begun again: its next run file may have been deleted when nothing needed it.
func (w *World) recovered(at int, claim *lookup.Claim, marks lane.Marks) bool {
	mark, begun, err := marks.Batch()
	g := at / w.cfg.Lanes
	if err != nil || !begun || claim.Degraded != "" || g >= len(w.state.journal.members) || mark.Run <= w.state.journal.members[g].gen.checked() {
		return false
	}
	for i := range w.parts {
		if claim.Frontier[w.sim.names[i]] < w.past[at].reached[i] {
			return false
		}
	}
	return true
}

func (w *World) checkRow(at, e int, claim *lookup.Claim, marks lane.Marks) {
	b := &w.before[at][e]
	if claim.Dropped {
		*b = before{}
		return
	}
	fields := w.store.lanes[at].row(w.incarnationOf(claim.Incarnation), e)
	c, fault := w.contentOf(fields)
	if fault == "" {
		fault = w.exact(e, claim, &c, w.past[at].shaken && w.unmarked)
	}
	if fault == "" && !w.past[at].shaken {
		fault = w.forward(b, claim, &c)
	}
	if fault != "" {
		w.violated("entity %d in lane %d: %s; its row is %v, the marks are %v", e, at, fault, names(fields), marks)
	}
	b.bits = c.bits
	for i := range w.parts {
		b.frontier[i] = max(b.frontier[i], claim.Frontier[w.sim.names[i]])
	}
}

// exact tells what is wrong with a row's content under a claim: what lies below the claim is in it, and it is what the
// plain fold makes of the log up to the same positions, or up to its own where these are further. Without a claim there may
// be gaps, and never a double or a stranger; nor, past the claim, in a row whose lane had one of its marks deleted by hand.
func (w *World) exact(e int, claim *lookup.Claim, c *content, gaps bool) string {
	gaps = gaps || claim.Degraded != ""
	if claim.Degraded == "" {
		if what := w.missing(e, claim.Frontier, c.bits); what != "" {
			return "it lacks " + what
		}
	}
	for i, p := range w.parts {
		all := p.bits(e, 0, p.end)
		next := max(c.last[i]+1, claim.Frontier[w.sim.names[i]])
		if strangers := c.bits & all &^ p.bits(e, 0, next); strangers != 0 {
			return fmt.Sprintf("it holds events %b of %s past its last one", strangers, p.name)
		}
		if gap := p.bits(e, 0, next) &^ c.bits; gap != 0 && !gaps && claim.Frontier[w.sim.names[i]] > 0 {
			return fmt.Sprintf("it lacks events %b of %s below its own last one", gap, p.name)
		}
	}
	if strangers := c.bits &^ w.bits(e); strangers != 0 {
		return fmt.Sprintf("it holds events %b of other entities", strangers)
	}
	return ""
}

// bits are those of all events of an entity.
func (w *World) bits(e int) (all uint64) {
	for _, p := range w.parts {
		all |= p.bits(e, 0, p.end)
	}
	return all
}

// forward tells whether claim or content went back. A lane whose speed layer was slower than batch claims nothing while a
// run is brought past its marks: that is said, and what is claimed afterwards is no less than before.
func (w *World) forward(b *before, claim *lookup.Claim, c *content) string {
	if lost := b.bits &^ c.bits; lost != 0 {
		return fmt.Sprintf("its content went back by events %b", lost)
	}
	if claim.Degraded != "" {
		return ""
	}
	for i := range w.parts {
		if next := claim.Frontier[w.sim.names[i]]; next < b.frontier[i] {
			return fmt.Sprintf("its claim of %s went back from %d to %d", w.parts[i].name, b.frontier[i], next)
		}
	}
	return ""
}

// lost forgets what was before in lanes that the store has taken back.
func (w *World) lost(lanes []int) {
	for _, at := range lanes {
		w.touch(at)
		clear(w.before[at][:])
		w.past[at].shaken, w.past[at].dropped = true, false
	}
}

// complete checks a world in which everything has come to rest.
func (w *World) complete() {
	for g, m := range w.state.journal.members {
		for n := range w.cfg.Lanes {
			if m.state == manifest.Dropped {
				w.completeDropped(g, n)
			} else {
				w.completeLane(g, n)
			}
		}
	}
	if m := w.state.journal.manifestOf(); w.store.manifest == nil || w.store.manifest.seq != m.seq {
		w.violated("at rest: the store's manifest is not that of the journals")
	}
}

func (w *World) completeDropped(g, n int) {
	l := w.store.lanes[w.lane(g, n)]
	if len(l.marks) != 1 || l.marks[lane.BatchName] != lane.Dropped || len(l.rows) > 0 {
		w.violated("at rest: lane %d of dropped generation %d has the marks %v and %d rows", n, g, l.marks, len(l.rows))
	}
}

func (w *World) completeLane(g, n int) {
	at := w.lane(g, n)
	l := w.store.lanes[at]
	claim := w.claimOf(l.marks)
	if claim.Degraded != "" {
		w.violated("at rest: lane %d of generation %d is degraded: %s: %v", n, g, claim.Degraded, l.marks)
		return
	}
	for i, p := range w.parts {
		// A partition that begins where it ends has nothing to claim, and needs no mark.
		if claim.Frontier[w.sim.names[i]] != p.end && p.end > p.origin {
			w.violated("at rest: lane %d of generation %d claims %v, and %s ends at %d", n, g, claim.Frontier, p.name, p.end)
		}
	}
	for i := range l.rows {
		if r := &l.rows[i]; r.inc != w.incarnationOf(claim.Incarnation) {
			w.violated("at rest: lane %d of generation %d has a row of incarnation %s, and is of %s", n, g, r.inc, claim.Incarnation)
		} else if left := w.leftoversOf(r.fields); left != "" && !w.unmarked {
			w.violated("at rest: the row of entity %d in lane %d of generation %d has leftovers: %s", r.entity, n, g, left)
		}
	}
	w.checkLane(at)
}

// leftoversOf names the tiles of a row that readers pass over.
func (w *World) leftoversOf(fields []lane.Field) string {
	m := w.sim.mergers[w.cfg.Blocks]
	if merge(m, fields) != "" {
		return ""
	}
	var left []string
	for _, p := range m.Parts() {
		if p.Leftover {
			left = append(left, p.Header.Name())
		}
	}
	return strings.Join(left, " ")
}
