package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/page"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/speed/service"
)

// sampleEachSecond keeps what the page's charts show.
func (n *node) sampleEachSecond(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var s sampler
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			n.past.Add(s.sample(n, at))
		}
	}
}

// sampler remembers the counters of the second before.
type sampler struct {
	layer  *speedLayer
	folded int64
	fresh  service.Counts
	at     time.Time
}

func (s *sampler) sample(n *node, at time.Time) page.Sample {
	out := page.Sample{At: at.UnixMilli(), FreshP50: -1, FreshP99: -1, Verified: n.audited().Entities.Load(), Wrong: n.audited().Wrong.Load()}
	l := n.speedNow()
	if l != s.layer { // another life of the speed layer counts from 0
		*s = sampler{layer: l, at: at}
	}
	if l == nil {
		return out
	}
	stats := &l.service.Stats
	if after := stats.Freshness.Snapshot(); after != s.fresh {
		out.FreshP50, out.FreshP99 = float64(stats.Freshness.Quantile(s.fresh, 0.5)), float64(stats.Freshness.Quantile(s.fresh, 0.99))
		s.fresh = after
	}
	folded := stats.Folded.Load()
	if passed := at.Sub(s.at).Seconds(); passed > 0 {
		out.Events = float64(folded-s.folded) / passed
	}
	s.folded, s.at = folded, at
	for _, p := range stats.Partitions() {
		out.Lag += max(p.End-p.Position, 0)
	}
	return out
}

// pageTime bounds what a page may take.
const pageTime = 5 * time.Second

// Overview implements page.Source.
func (n *node) Overview(ctx context.Context) (*page.Overview, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	o := &page.Overview{Job: n.job.Name, Role: n.role, Batch: n.batch.summary(), Samples: n.past.Samples(), Audited: n.audited().Rounds.Load() > 0}
	if err := n.ready(ctx); err != nil {
		o.Trouble = append(o.Trouble, err.Error())
	}
	ms, err := n.catalog.manifests(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := n.journals.Versions(ctx, viewNames(n.job), n.store.Marks)
	if err != nil {
		o.Trouble = append(o.Trouble, err.Error())
	}
	ends := map[position.Partition]*page.Partition{}
	n.addPartitions(ctx, o, ends)
	for _, m := range ms {
		for i := range m.Generations {
			g, err := n.generationPage(ctx, m, &m.Generations[i], ends)
			if err != nil {
				return nil, err
			}
			for k := range versions {
				if versions[k].Identity == g.Identity {
					g.Runs = runPages(&versions[k])
				}
			}
			o.Generations = append(o.Generations, *g)
		}
	}
	for _, p := range ends {
		o.Partitions = append(o.Partitions, *p)
	}
	slices.SortFunc(o.Partitions, func(a, b page.Partition) int { return cmp.Compare(a.Name, b.Name) })
	return o, nil
}

// stretches tells how far archive and log are. While the log is away it is the archive alone, and why is said: a page is
// looked at when something is wrong.
func (n *node) stretches(ctx context.Context, src *schema.Source) (all []history.Stretch, trouble error) {
	all, trouble = n.history.Stretches(ctx, src)
	if trouble == nil {
		return all, nil
	}
	archived := history.Log{Dir: n.o.archive}
	all, err := archived.Stretches(ctx, src)
	if err != nil {
		return nil, errors.Join(trouble, err)
	}
	return all, fmt.Errorf("what the log holds past the archive is not known: %w", trouble)
}

// addPartitions finds out how far archive and log are, and what the speed layer says of each partition.
func (n *node) addPartitions(ctx context.Context, o *page.Overview, ends map[position.Partition]*page.Partition) {
	notes := map[string]string{}
	if l := n.speedNow(); l != nil {
		for _, s := range l.service.Stats.Partitions() {
			switch {
			case s.Failed != "":
				notes[s.Partition] = "stopped: " + s.Failed
			case s.Damaged > 0:
				notes[s.Partition] = fmt.Sprintf("%d lanes have a damaged mark", s.Damaged)
			case s.Waiting > 0:
				notes[s.Partition] = fmt.Sprintf("%d lanes wait for batch", s.Waiting)
			}
		}
	} else {
		o.Trouble = append(o.Trouble, "the speed layer is not running")
	}
	for i := range n.job.Sources {
		stretches, trouble := n.stretches(ctx, &n.job.Sources[i])
		if trouble != nil {
			o.Trouble = append(o.Trouble, trouble.Error())
		}
		for _, s := range stretches {
			r := s.Range()
			ends[s.Partition] = &page.Partition{
				Name: s.Partition.String(), Start: r.From, Archived: s.Archive.Next, Next: r.Next, End: r.Next, Note: notes[s.Partition.String()],
			}
		}
	}
}

func (n *node) generationPage(ctx context.Context, m *manifest.Manifest, g *manifest.Generation, ends map[position.Partition]*page.Partition) (*page.Generation, error) {
	out := &page.Generation{View: m.View, Number: g.Number, State: string(g.State), Identity: g.Identity, Revision: g.Revision}
	for _, kind := range g.Spec.Entity {
		out.KeyForm = cmp.Or(out.KeyForm, kind.Kind+":…")
	}
	reads := map[string]bool{}
	for i := range g.Spec.Sources {
		reads[g.Spec.Sources[i].Name] = true
	}
	var partitions []position.Partition
	for p := range ends {
		if reads[p.Source] {
			partitions = append(partitions, p)
		}
	}
	slices.SortFunc(partitions, position.Partition.Compare)
	for _, p := range partitions {
		out.Names = append(out.Names, p.String())
	}
	marks, err := n.store.Marks(ctx, m.LaneIDs(g))
	if err != nil {
		return nil, fmt.Errorf("reading marks of view %s: %w", m.View, err)
	}
	for number, lm := range marks {
		out.Lanes = append(out.Lanes, lanePage(number, lm, partitions, ends, g.State == manifest.Served))
	}
	return out, nil
}

// lanePage says what a lane's marks say. Those of a served generation also tell how far a partition is.
func lanePage(number int, lm lane.Marks, partitions []position.Partition, ends map[position.Partition]*page.Partition, served bool) page.Lane {
	out := page.Lane{Number: number, Why: lookup.Claims(lm)}
	if b, ok, err := lm.Batch(); ok && err == nil {
		out.Incarnation, out.Run, out.Rows = string(b.Incarnation), b.Run, b.Rows
	}
	for _, p := range partitions {
		mark, ok, err := lm.Partition(p)
		end := ends[p]
		if err != nil || !ok {
			out.Marks = append(out.Marks, page.Mark{})
			if served {
				end.Next = 0
			}
			continue
		}
		out.Marks = append(out.Marks, page.Mark{Present: true, Joined: mark.Joined(), Low: mark.Low, Next: mark.Next, Lag: max(end.End-mark.Next, 0)})
		if served {
			end.Next = min(end.Next, mark.Next)
			if mark.Append > 0 && (end.Through == 0 || mark.Append < end.Through) {
				end.Through = mark.Append // of the lane that is furthest behind
			}
		}
	}
	return out
}

func runPages(v *batch.Version) []page.Run {
	out := make([]page.Run, 0, len(v.Runs))
	for i := range v.Runs {
		r := &v.Runs[i]
		one := page.Run{Number: r.Run, Kind: string(r.Kind), State: r.State, Rows: r.Rows, Published: r.Published, Cut: map[string]int64{}}
		for p, next := range r.Cut {
			one.Cut[p.String()] = next
		}
		out = append(out, one)
	}
	return out
}

// Profile implements page.Source.
func (n *node) Profile(ctx context.Context, viewName, key string) (*page.Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	if err := knownView(n.job, viewName); err != nil {
		return nil, fmt.Errorf("%w: %w", page.ErrNotFound, err)
	}
	d, err := describe(ctx, n.store, n.reader, viewName, key, "")
	if errors.Is(err, view.ErrKey) {
		return nil, fmt.Errorf("%w: %w", page.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	p := &page.Profile{
		Job: n.job.Name, View: viewName, Key: d.Key, Generation: d.gen.Number, State: string(manifest.Served), Revision: d.gen.Revision,
		Lane: d.Lane, Incarnation: d.Incarnation, Found: d.Found, AsOf: d.AsOf,
	}
	if d.Degraded != nil {
		p.Degraded = *d.Degraded
	}
	if d.Error != nil {
		p.Error = *d.Error
	}
	p.Parts, p.Features = partPages(d.explanation)
	p.Tracks, err = n.tracks(ctx, d, p)
	return p, err
}

// partPages turns the parts of an explanation around: of each feature, what each part alone answers.
func partPages(e *explanation) ([]page.Part, []page.Feature) {
	parts, features := make([]page.Part, 0, len(e.Parts)), make([]page.Feature, 0, len(e.Features))
	for _, x := range e.Parts {
		parts = append(parts, page.Part{
			Field: x.Field, Kind: x.Kind, Stretch: x.Stretch, Bytes: x.Bytes, Events: x.Events, Newest: x.Newest, Leftover: x.Leftover, Error: x.Error,
		})
	}
	for i, f := range e.Features {
		one := page.Feature{Name: f.Feature, Status: f.Status, Value: string(f.Value)}
		for _, x := range e.Parts {
			text := "null"
			if i < len(x.Values) {
				text = string(x.Values[i].Value)
			}
			one.Alone = append(one.Alone, text)
		}
		features = append(features, one)
	}
	return parts, features
}

// cutsDrawn bounds the cuts on the line of the log; the latest are drawn. A year of runs has 35,000.
const cutsDrawn = 64

// tracks lays a profile's tiles on the line of the log.
func (n *node) tracks(ctx context.Context, d *described, p *page.Profile) ([]page.Track, error) {
	ms, err := n.catalog.manifests(ctx)
	if err != nil {
		return nil, err
	}
	blocks := map[string]int64{}
	for _, m := range ms {
		if g := m.Generation(d.gen.Identity); m.View == d.View && g != nil {
			blocks = g.Blocks
		}
	}
	cuts := n.cutsOf(ctx, d.View, d.gen)
	spec := d.gen.Plan.Spec()
	var out []page.Track
	for i := range spec.Sources {
		src := &spec.Sources[i]
		stretches, trouble := n.stretches(ctx, src)
		if trouble != nil && p.Error == "" {
			p.Error = trouble.Error()
		}
		for _, s := range stretches {
			t := page.Track{Partition: s.Partition.String(), From: s.Range().From, End: s.Range().Next, Cut: s.Range().From}
			if mark, ok, err := d.row.Marks.Partition(s.Partition); ok && err == nil {
				t.Next, t.Joined = mark.Next, mark.Joined()
			}
			for _, c := range cuts[max(0, len(cuts)-cutsDrawn):] {
				if next, ok := c[s.Partition]; ok {
					t.Cuts = append(t.Cuts, next)
				}
			}
			addTiles(&t, d, i, s.Partition.ID, blocks[src.Name], cuts)
			out = append(out, t)
		}
	}
	return out, nil
}

// cutsOf returns the cuts of a generation's runs: cuts[i] is that of run i+1. A journal that does not read gives none: a
// profile is there without it, and the overview says what is wrong.
func (n *node) cutsOf(ctx context.Context, viewName string, g *lookup.Generation) (cuts []position.Cut) {
	versions, err := n.journals.Versions(ctx, []string{viewName}, nil)
	if err != nil {
		return nil
	}
	for i := range versions {
		if versions[i].Identity == g.Identity {
			for _, r := range versions[i].Runs {
				cuts = append(cuts, r.Cut)
			}
		}
	}
	return cuts
}

// addTiles adds the tiles of a row that have events in a partition.
func addTiles(t *page.Track, d *described, source int, id int32, block int64, cuts []position.Cut) {
	m := d.gen.Plan.NewMerger()
	m.Reset()
	for _, f := range d.row.Fields {
		if _, err := m.AddTile(f.Value); err != nil {
			return // the explanation says which part does not read
		}
	}
	if m.Finish() != nil {
		return
	}
	partition := position.Partition{Source: d.gen.Plan.Spec().Sources[source].Name, ID: id}
	for _, p := range m.Parts() {
		h := p.Header
		switch {
		case h.Kind == tile.KindBlock && h.Source == source && h.Partition == id:
			t.Blocks = append(t.Blocks, page.Span{Field: h.Name(), From: h.Block, Next: min(h.Block+block, t.End), Leftover: p.Leftover})
		case h.Kind != tile.KindBlock && h.Run >= 1 && h.Run <= int64(len(cuts)):
			t.Cut = max(t.Cut, cuts[h.Run-1][partition])
		}
		for _, pos := range p.Body.Pos {
			if pos.Source == source && pos.Partition == id {
				t.Last = append(t.Last, page.Dot{Field: h.Name(), Offset: pos.Last})
			}
		}
	}
}
