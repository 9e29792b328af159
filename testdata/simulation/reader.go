package simulation

import (
	"math/bits"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// content is what a row holds.
type content struct {
	bits uint64               // of its events
	last [maxPartitions]int64 // offset of the last event by partition, -1 for none
}

// contentOf merges a row as readers do. An event that is there twice, and tiles that cannot stand in one row, are errors
// of the row.
func (w *World) contentOf(fields []lane.Field) (c content, fault string) {
	for p := range c.last {
		c.last[p] = -1
	}
	if len(fields) == 0 {
		return c, ""
	}
	m := w.sim.mergers[w.cfg.Blocks]
	if w.without(Leftover) {
		return w.everyTile(m, fields)
	}
	if fault = merge(m, fields); fault != "" {
		return c, fault
	}
	w.addContent(&c, m)
	if int64(bits.OnesCount64(c.bits)) != m.Events() {
		return c, "an event twice"
	}
	return c, ""
}

func merge(m *view.Merger, fields []lane.Field) (fault string) {
	m.Reset()
	for _, f := range fields {
		if _, err := m.AddTile(f.Value); err != nil {
			return err.Error()
		}
	}
	if err := m.Finish(); err != nil {
		return err.Error()
	}
	return ""
}

// addContent adds what a merger holds to what is known of a row.
func (w *World) addContent(c *content, m *view.Merger) {
	c.bits += m.Value(0, baseTime+maxEvents).Lo
	for i, p := range w.parts {
		c.last[i] = max(c.last[i], m.Last(p.source, p.name.ID))
	}
}

// everyTile is contentOf without the rule of leftovers.
func (w *World) everyTile(m *view.Merger, fields []lane.Field) (c content, fault string) {
	for p := range c.last {
		c.last[p] = -1
	}
	events := int64(0)
	for i := range fields {
		if fault = merge(m, fields[i:i+1]); fault != "" {
			return c, fault
		}
		w.addContent(&c, m)
		events += m.Events()
	}
	if int64(bits.OnesCount64(c.bits)) != events {
		return c, "an event twice"
	}
	return c, ""
}

// reader is a process that answers lookups of one key at a time: the marks are read, or come from a cache, and later the
// row.
type reader struct {
	manifest *viewManifest // the newest that it has seen
	reading  bool
	gen      int
	entity   int
	claim    lookup.Claim
	at       int64        // when the marks were read
	losses   int          // of rows until then
	lost     int          // manifests lost, when it answered last
	early    []lane.Field // the row, read too early

	answered int // 1 + the generation of its last answer that was not degraded, 0 for none
}

// readMarks begins a lookup.
func (w *World) readMarks(r *reader, entity int) bool {
	if m := w.store.manifest; m != nil && (r.manifest == nil || m.seq > r.manifest.seq || w.without(ManifestForward)) {
		r.manifest = m
	}
	if r.reading || r.manifest == nil || r.manifest.served < 0 {
		return false
	}
	r.reading, r.gen, r.entity, r.at, r.losses = true, r.manifest.served, entity, w.now, w.losses
	l := w.store.lanes[w.lane(r.gen, w.laneOf(entity))]
	r.claim = w.claimOf(l.marks)
	if w.without(MarksFirst) {
		r.early = l.row(w.incarnationOf(r.claim.Incarnation), entity)
	}
	return true
}

// readRow ends a lookup.
func (w *World) readRow(r *reader) bool {
	if !r.reading {
		return false
	}
	r.reading = false
	l := w.store.lanes[w.lane(r.gen, w.laneOf(r.entity))]
	inc := r.claim.Incarnation
	if w.without(CachedIncarnation) {
		inc = w.claimOf(l.marks).Incarnation
	}
	fields := l.row(w.incarnationOf(inc), r.entity)
	if w.without(MarksFirst) {
		fields, r.claim = r.early, w.claimOf(l.marks)
	}
	stale := lookup.Stale(time.UnixMilli(r.at), time.UnixMilli(w.now)) && !w.without(MarksAge)
	if stale || (len(fields) == 0 && !w.without(EmptyAgain)) || r.claim.Dropped {
		w.sim.Seen["reader began again"]++
		if !w.readMarks(r, r.entity) {
			return true
		}
		r.reading = false
		l = w.store.lanes[w.lane(r.gen, w.laneOf(r.entity))]
		fields = l.row(w.incarnationOf(r.claim.Incarnation), r.entity)
	}
	w.answer(r, fields)
	return true
}

// answer judges what a reader answers.
func (w *World) answer(r *reader, fields []lane.Field) {
	c, fault := w.contentOf(fields)
	if fault != "" {
		w.violated("a reader's row of entity %d: %s: %s", r.entity, fault, names(fields))
		return
	}
	what := w.missing(r.entity, r.claim.Frontier, c.bits)
	if c.bits == 0 && what != "" {
		w.violated("a reader's answer claims %v, is empty and lacks %s", r.claim.Frontier, what)
	}
	if r.losses != w.losses {
		return // what a failover in between can do to an answer is said, not hidden
	}
	if r.claim.Degraded != "" {
		w.sim.Seen["reader degraded"]++
		if r.answered > 0 && r.answered != r.gen+1 && !w.past[w.lane(r.gen, w.laneOf(r.entity))].whole {
			w.violated("generation %d is served and was never whole: %s", r.gen, r.claim.Degraded)
		}
		if r.answered > 0 && r.claim.Dropped && r.lost == w.manifests {
			w.violated("a reader that has answered is led to generation %d, which is dropped", r.gen)
		}
		return
	}
	w.sim.Seen["reader answered"]++
	r.answered, r.lost = r.gen+1, w.manifests
	if what != "" {
		w.violated("a reader's answer claims %v and lacks %s", r.claim.Frontier, what)
	}
}

// names are the tiles of a row, for messages.
func names(fields []lane.Field) (all []string) {
	for _, f := range fields {
		if _, _, err := tile.ParseHeader(f.Value); err == nil {
			all = append(all, f.Name)
		}
	}
	return all
}
