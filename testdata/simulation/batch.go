package simulation

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
)

// process is a batch process.
type process struct {
	journal *journal // as last read, nil before
	making  *making  // the run that it makes, nil for none

	// A pass over the lanes: what it knew of each generation when it began, and the lanes.
	pass [maxGenerations]*passing

	sweeper *publish.Sweeper
	sweep   []held // calls that delete leftovers, still to be sent
}

// making is a run under way.
type making struct {
	gen   *generation // as it stands in the journal since the run was registered
	cut   position.Cut
	files [][]runfile.Row // nil before they are computed
	there bool            // the files are in their place
}

// passing is a pass over the lanes of a generation.
type passing struct {
	gen     *publish.Generation
	lanes   []publish.Follower
	calls   []*lane.Call // by lane, under way
	dropped bool         // the generation is: its lanes are to be, too
}

// open reads the journals, and creates the view's first generation if there is none.
func (w *World) open(b *process) bool {
	d := &w.state
	if len(d.journal.members) == 0 {
		d.turn(func([]member) []member { return []member{w.create(0, manifest.Served)} })
	}
	if b.journal == d.journal {
		return false
	}
	b.journal = d.journal
	return true
}

// create is a new generation at the origins of the sources.
func (w *World) create(number int, state manifest.State) member {
	origin := position.Cut{}
	for _, p := range w.parts {
		if p.origin > 0 {
			origin[p.name] = p.origin
		}
	}
	return member{state: state, gen: &generation{number: number, entries: 1, origin: origin}}
}

// reach returns the cut that the archive allows.
func (w *World) reach(g *generation) position.Cut {
	cut := maps.Clone(g.cut(int64(len(g.runs))))
	for _, p := range w.parts {
		to := p.archived
		if w.without(WholeBlocks) {
			to = p.end
		}
		if to > 0 {
			cut[p.name] = max(cut[p.name], to)
		}
	}
	return cut
}

// tick takes the making of a run one step further: register it, compute it, write down that it is right.
func (w *World) tick(b *process, g int) bool {
	if b.journal == nil {
		return false
	}
	if m := b.making; m != nil {
		return w.makeRun(b, m)
	}
	if g >= len(b.journal.members) || b.journal.members[g].state == manifest.Dropped {
		return false
	}
	gen := b.journal.members[g].gen
	cut := w.reach(gen)
	if p := gen.pending(); p != nil {
		if w.failing {
			return false // batch makes no more runs, and takes care of the lanes
		}
		if w.without(RegisterFirst) {
			// It makes the run of what is there now.
			again := *p
			again.cut = cut
			gen = &generation{number: gen.number, entries: gen.entries, origin: gen.origin, runs: append(slices.Clone(gen.runs[:len(gen.runs)-1]), again)}
			b.making = &making{gen: gen, cut: cut}
			return true
		}
		b.making = &making{gen: gen, cut: p.cut}
		return true
	}
	if gen.cut(int64(len(gen.runs))).AtLeast(cut) || len(gen.runs) == maxRuns {
		return false
	}
	after := &generation{number: g, origin: gen.origin, runs: append(slices.Clone(gen.runs), run{from: gen.cut(int64(len(gen.runs))), cut: cut})}
	if !w.state.write(gen, after, w.without(OneEntryANumber)) {
		w.sim.Seen["entry taken"]++
		w.open(b)
		return true
	}
	b.journal = w.state.journal
	b.making = &making{gen: after, cut: cut}
	return true
}

// maxRuns bounds the runs of a generation, so that a world ends.
const maxRuns = 12

// makeRun computes the files of a run, or puts them in their place and writes down that they are right.
func (w *World) makeRun(b *process, m *making) bool {
	k := int64(len(m.gen.runs))
	if w.failing {
		b.making = nil
		w.sim.Seen["run failed its check"]++
		return true
	}
	if m.files == nil {
		m.files = w.compute(m.gen, k, m.gen.cut(k-1), m.cut)
		return true
	}
	now := w.state.journal.members[m.gen.number].gen
	if now.checked() >= k && !w.without(OneEntryANumber) {
		b.making = nil
		w.sim.Seen["run made by another"]++
		w.open(b) // its files are being published
		return true
	}
	if !m.there {
		if w.state.files[m.gen.number] == nil {
			w.state.files[m.gen.number] = files{}
		}
		w.state.files[m.gen.number][k], m.there = m.files, true
		return true
	}
	b.making = nil
	checked := m.gen.runs[k-1]
	checked.rows = make([]int64, w.cfg.Lanes)
	for n := range m.files {
		checked.rows[n] = int64(len(m.files[n]))
	}
	after := &generation{number: m.gen.number, origin: m.gen.origin, runs: append(slices.Clone(m.gen.runs[:k-1]), checked)}
	if !w.state.write(m.gen, after, w.without(OneEntryANumber) || w.without(RegisterFirst)) {
		w.sim.Seen["entry taken"]++
	}
	w.open(b)
	return true
}

// beginPass reads the marks of a generation's lanes and plans each.
func (w *World) beginPass(b *process, g int) bool {
	if b.journal == nil || g >= len(b.journal.members) || w.publishing(b, g) {
		return false
	}
	if !w.without(ManifestFirst) {
		w.keepManifest(b)
	}
	m := &b.journal.members[g]
	p := &passing{gen: w.published(m.gen), calls: make([]*lane.Call, w.cfg.Lanes), dropped: m.state == manifest.Dropped}
	p.lanes = make([]publish.Follower, w.cfg.Lanes)
	for n := range p.lanes {
		p.lanes[n] = publish.Follower{Of: p.gen, N: n}
		p.lanes[n].Observe(w.observed(g, n))
	}
	b.pass[g] = p
	return true
}

// observed are the marks of a lane as a publisher reads them.
func (w *World) observed(g, n int) lane.Marks {
	marks := w.store.lanes[w.lane(g, n)].marks
	if w.without(DroppedFinal) && marks[lane.BatchName] == lane.Dropped {
		return lane.Marks{}
	}
	return marks
}

// publishing tells whether a call of the process is under way.
func (w *World) publishing(b *process, g int) bool {
	return b.pass[g] != nil && slices.ContainsFunc(b.pass[g].calls, func(c *lane.Call) bool { return c != nil })
}

// move makes the next call of a lane, or brings the one that is under way to the store.
func (w *World) move(b *process, g, n int, fate Fate) bool {
	p := b.pass[g]
	if p == nil || n >= w.cfg.Lanes {
		return false
	}
	if p.dropped {
		return w.drop(p, g, n)
	}
	f := &p.lanes[n]
	if c := p.calls[n]; c != nil {
		p.calls[n] = nil
		o := w.send(w.lane(g, n), w.spoilBatch(w.lane(g, n), c), fate)
		if o.Applied && f.Step.Action == publish.Begin {
			w.sim.Seen["lane begun"]++
		}
		if !o.Applied && o.Err == nil {
			w.sim.Seen["publisher refused"]++
		}
		f.Settle(c, &o)
		return true
	}
	if f.Err != nil {
		return false
	}
	switch f.Step.Action {
	case publish.Nothing:
		return false
	case publish.Begin:
		c := publish.BeginCall(p.gen, n, f.Marks, w.incarnation(g))
		if w.without(DroppedFinal) && w.store.lanes[w.lane(g, n)].marks[lane.BatchName] == lane.Dropped {
			c.Expect = lane.Dropped
		}
		p.calls[n] = &c
	case publish.Bring:
		rows, ok := w.take(p, g, n)
		if !ok {
			// Another process has deleted the file: whoever reads the journal again knows what the lane needs.
			w.sim.Seen["run file deleted before it was read"]++
			f.Err = errNoFile
			return true
		}
		c := publish.BringCall(p.gen, n, &f.Step, rows)
		p.calls[n] = &c
	}
	return true
}

var errNoFile = errors.New("run file is gone")

// take returns the next rows of a lane's file.
func (w *World) take(p *passing, g, n int) (changes []lane.RowChange, ok bool) {
	f := &p.lanes[n]
	file, ok := w.state.files[g][f.Step.Mark.Run]
	if !ok || int64(len(file[n])) != f.Step.Rows {
		return nil, false
	}
	most := int64(2)
	if w.cfg.Once {
		most = 1
	}
	for i := f.Step.Mark.Rows; i < min(f.Step.Mark.Rows+most, f.Step.Rows); i++ {
		c, _ := publish.ChangeOf(&file[n][i], f.Step.Filling())
		if w.without(Supersede) {
			c.Del = nil
		}
		changes = append(changes, c)
	}
	return changes, true
}

// drop drops a lane of a dropped generation.
func (w *World) drop(p *passing, g, n int) bool {
	at := w.lane(g, n)
	marks := w.store.lanes[at].marks
	if marks[lane.BatchName] == lane.Dropped || (w.without(DropAllLanes) && marks[lane.BatchName] == "") {
		return false
	}
	c := publish.DropCall(p.gen.LaneID(n))
	if w.without(DropDeletesMarks) {
		c.Replace = nil
	}
	w.apply(at, &c)
	p.lanes[n].Marks = w.store.lanes[at].marks
	w.sim.Seen["lane dropped"]++
	return true
}

// keepManifest makes the store hold the manifest of the journals.
func (w *World) keepManifest(b *process) bool {
	if b.journal == nil || len(b.journal.members) == 0 {
		return false
	}
	if w.without(ManifestKept) && w.put > 0 && w.store.manifest == nil {
		return false
	}
	m, old := b.journal.manifestOf(), w.store.manifest
	force := w.without(ManifestForward) && old != nil && old.seq != m.seq
	if !w.store.putManifest(m, force) {
		return false
	}
	w.put++
	w.moved = true
	return true
}

// clean deletes the run files that nothing needs, by the marks of the last pass.
func (w *World) clean(b *process, g int) bool {
	p, kept := b.pass[g], w.state.files[g]
	if p == nil || p.dropped || len(kept) == 0 {
		return false
	}
	low := p.gen.BasesFrom
	if w.without(FilesFromBases) {
		low = p.gen.Last()
	}
	if w.without(FilesByChecked) {
		low = w.bases.from[len(w.state.journal.members[g].gen.runs)]
	}
	for n := range p.lanes {
		mark, begun, err := p.lanes[n].Marks.Batch()
		switch {
		case err != nil || w.without(FilesFromLowest):
		case begun:
			low = min(low, mark.Run)
		default:
			return false // a process that knows of fewer runs may be beginning it, with older bases
		}
	}
	deleted := false
	for k := range kept {
		if k < low {
			delete(kept, k)
			deleted = true
		}
	}
	if deleted {
		w.sim.Seen["run files deleted"]++
	}
	return deleted
}

// leftovers finds the rows of earlier fillings that are due, by the marks of the last pass.
func (w *World) leftovers(b *process, g int) bool {
	p := b.pass[g]
	if p == nil || len(b.sweep) > 0 {
		return false
	}
	status := publish.Status{Namespace: p.gen.Namespace, Lanes: w.cfg.Lanes}
	for n := range p.lanes {
		status.Marks = append(status.Marks, p.lanes[n].Marks)
	}
	if w.without(RowsOfIncarnation) {
		return false
	}
	now := time.UnixMilli(w.now)
	if w.without(SweepGrace) {
		b.sweeper.Due(&status, now)
		now = now.Add(publish.Grace)
	}
	for id, f := range b.sweeper.Due(&status, now) {
		at := w.lane(g, id.N)
		for _, r := range w.store.lanes[at].rows {
			if f.Leftover(r.inc) {
				c := f.Call(lane.RowID{Lane: id, Incarnation: r.inc, Key: keys[r.entity]}, r.fields)
				if w.without(SweepExpects) {
					c.Incarnation = ""
				}
				b.sweep = append(b.sweep, held{at, c})
			}
		}
		f.Swept(now)
	}
	slices.SortStableFunc(b.sweep, func(a, b held) int { return a.lane - b.lane })
	return true
}

// remove sends the next call that deletes a leftover row.
func (w *World) remove(b *process) bool {
	if len(b.sweep) == 0 {
		return false
	}
	next := b.sweep[0]
	b.sweep = b.sweep[1:]
	if o := w.apply(next.lane, &next.call); o.Applied {
		w.sim.Seen["leftover row deleted"]++
	} else {
		w.sim.Seen["sweeper refused"]++
	}
	return true
}

// die ends a process; what is under way arrives later, or never.
func (w *World) die(b *process, late bool) bool {
	if b.journal == nil {
		return false
	}
	for g, p := range b.pass {
		for n := 0; late && p != nil && n < len(p.calls); n++ {
			if p.calls[n] != nil {
				w.hold(w.lane(g, n), p.calls[n])
			}
		}
	}
	*b = newProcess()
	return true
}

func newProcess() process {
	s, err := publish.NewSweeper(nil, publish.Limits{})
	if err != nil {
		invariantFail(err)
	}
	return process{sweeper: s}
}
