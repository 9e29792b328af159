package simulation

import (
	"bytes"
	"cmp"
	"slices"

	batchjournal "github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// A journal's state is never changed: an entry makes another. Whoever writes one says from which state, as a file that is
// linked to a number does, and is refused if that is not the last.

// run is a registered run.
type run struct {
	from, cut position.Cut
	rows      []int64 // of each lane's file, nil as long as the run is not checked
}

// generation is the journal of a generation.
type generation struct {
	number  int
	entries int64
	origin  position.Cut
	runs    []run
}

// member is a generation in the journal of the view.
type member struct {
	state manifest.State
	gen   *generation
}

// journal is what one reader of the state folder sees: the view's journal and those of its generations.
type journal struct {
	entries int64 // of the view's
	members []member
}

// pending returns the run that is registered and not checked, nil if there is none.
func (g *generation) pending() *run {
	if n := len(g.runs); n > 0 && g.runs[n-1].rows == nil {
		return &g.runs[n-1]
	}
	return nil
}

func (g *generation) checked() int64 {
	n := int64(len(g.runs))
	if g.pending() != nil {
		n--
	}
	return n
}

// cut returns cut k.
func (g *generation) cut(k int64) position.Cut {
	if k == 0 {
		return g.origin
	}
	return g.runs[k-1].cut
}

// files are the run files of a generation: the rows of each lane, by run. A run that is not there is deleted, or was never
// made.
type files map[int64][][]runfile.Row

// lowest is the first run whose files are kept.
func (f files) lowest() int64 {
	low := int64(0)
	for k := range f {
		if low == 0 || k < low {
			low = k
		}
	}
	return max(low, 1)
}

// folder is the state folder that the batch processes share.
type folder struct {
	journal *journal
	files   [maxGenerations]files
}

// write replaces the journal of a generation, unless somebody else has written it since it was read.
func (d *folder) write(before, after *generation, force bool) bool {
	members := slices.Clone(d.journal.members)
	m := &members[before.number]
	if m.gen.entries != before.entries && !force {
		return false
	}
	after.entries = m.gen.entries + 1
	m.gen = after
	d.journal = &journal{entries: d.journal.entries, members: members}
	return true
}

// turn writes an entry of the view's journal. Whoever does so has just read it: unlike a run, a turn takes no time.
func (d *folder) turn(change func(members []member) []member) {
	d.journal = &journal{entries: d.journal.entries + 1, members: change(slices.Clone(d.journal.members))}
}

// published is a generation as publishing wants it.
func (w *World) published(g *generation) *publish.Generation {
	p := &publish.Generation{Namespace: namespaces[g.number], Lanes: w.cfg.Lanes, Origin: g.origin, Lowest: w.state.files[g.number].lowest()}
	p.BasesFrom = w.bases.from[g.checked()]
	p.Lowest = min(p.Lowest, p.BasesFrom) // of an old journal: what it wants may be gone, and it learns so when it opens the file
	if w.without(BasesFrom) {
		p.BasesFrom = max(1, g.checked())
	}
	for k := range g.checked() {
		p.Runs = append(p.Runs, publish.Run{Cut: g.runs[k].cut, Rows: g.runs[k].rows})
	}
	return p
}

// bases are what the batch layer's journal says of which runs hold bases: they depend on the period and the run alone.
type bases struct {
	from  [maxRuns + 1]int64             // by last checked run: where a lane begins to take in files
	holds [maxRuns + 1][maxEntities]bool // by run: whether its row of an entity is a base
}

// newBases asks a journal of so many runs.
func newBases(period int64) *bases {
	b := &bases{}
	g := &batchjournal.Generation{}
	b.from[0] = g.BasesFrom()
	for k := int64(1); k <= maxRuns; k++ {
		r := batchjournal.Run{Number: k, Kind: batchjournal.Compact, Every: period, Checked: &batchjournal.Checked{}}
		if k == 1 {
			r.Kind = batchjournal.Full
		}
		g.Runs = append(g.Runs, r)
		b.from[k] = g.BasesFrom()
		for e := range keys {
			b.holds[k][e] = r.HasBases(lane.Range(view.Hash(keys[e])))
		}
	}
	return b
}

// compute makes the files of run k of a generation from the archive.
func (w *World) compute(g *generation, k int64, from, cut position.Cut) [][]runfile.Row {
	all := make([][]runfile.Row, w.cfg.Lanes)
	for e := range w.cfg.Entities {
		if r, ok := w.rowOfChange(g, e, k, from, cut); ok {
			n := lane.Of(r.Hash, w.cfg.Lanes)
			all[n] = append(all[n], r)
		}
	}
	for _, rows := range all {
		slices.SortFunc(rows, func(a, b runfile.Row) int { return cmp.Or(cmp.Compare(a.Hash, b.Hash), bytes.Compare(a.Key, b.Key)) })
	}
	return all
}

// rowOfChange is what run k brings to an entity, if it brings anything.
func (w *World) rowOfChange(g *generation, e int, k int64, from, cut position.Cut) (r runfile.Row, ok bool) {
	h := tile.Header{Kind: tile.KindDelta, Run: k}
	since := from
	base := w.bases.holds[k][e]
	if base {
		h.Kind, since = tile.KindBase, g.origin
	}
	body := w.tile(h, e, since, cut)
	if body == nil {
		return r, false
	}
	r = runfile.Row{Hash: view.Hash(keys[e]), Key: keys[e], Tile: body}
	if base {
		r.Superseded = w.olderRuns(g, e, k)
	}
	r.Superseded = append(r.Superseded, w.blockTiles(e, from, cut)...)
	return r, true
}

// olderRuns are the base and the deltas that an entity's base of run k makes unnecessary.
func (w *World) olderRuns(g *generation, e int, k int64) (all []tile.Header) {
	for j := k - 1; j >= 1; j-- {
		since, kind := g.cut(j-1), tile.KindDelta
		if w.bases.holds[j][e] {
			since, kind = g.origin, tile.KindBase
		}
		if w.holds(e, since, g.cut(j)) {
			all = append(all, tile.Header{Kind: kind, Run: j})
		}
		if kind == tile.KindBase {
			break
		}
	}
	return all
}

// holds tells whether an entity has an event between two cuts.
func (w *World) holds(e int, from, to position.Cut) bool {
	for _, p := range w.parts {
		if p.bits(e, from.Next(p.name), to.Next(p.name)) != 0 {
			return true
		}
	}
	return false
}

// blockTiles are the block tiles of an entity between two cuts.
func (w *World) blockTiles(e int, from, cut position.Cut) (all []tile.Header) {
	for _, p := range w.parts {
		last := int64(-1)
		for i := range p.events {
			ev := &p.events[i]
			label := position.Block(ev.offset, p.block)
			if ev.entity == e && ev.offset >= from.Next(p.name) && ev.offset < cut.Next(p.name) && label != last {
				all = append(all, tile.Header{Kind: tile.KindBlock, Source: p.source, Partition: p.name.ID, Block: label})
				last = label
			}
		}
	}
	return all
}

// seen is a generation as a manifest names it.
type seen struct {
	state  manifest.State
	origin position.Cut
}

// viewManifest is what a view's journals tell the other layers.
type viewManifest struct {
	seq    int64
	gens   []seen
	served int // -1: none
}

// manifestOf returns the manifest of the journals as one process has read them.
func (j *journal) manifestOf() *viewManifest {
	m := &viewManifest{seq: j.entries, served: -1}
	for i, mem := range j.members {
		m.seq += mem.gen.entries
		m.gens = append(m.gens, seen{mem.state, mem.gen.origin})
		if mem.state == manifest.Served {
			m.served = i
		}
	}
	return m
}
