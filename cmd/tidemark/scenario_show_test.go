package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/verify"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// tiles reads and merges the row of an entity in the generation that answers. The parts and the merger are of each other.
func (w *world) tiles(g *lookup.Generation, key string) ([]view.Part, *view.Merger, error) {
	row, err := w.row(g, key)
	if err != nil {
		return nil, nil, err
	}
	m := g.Plan.NewMerger()
	m.Reset()
	for _, f := range row.Fields {
		if _, err := m.AddTile(f.Value); err != nil {
			return nil, nil, err
		}
	}
	if err := m.Finish(); err != nil {
		return nil, nil, err
	}
	return m.Parts(), m, nil
}

func (w *world) row(g *lookup.Generation, key string) (*lookup.Row, error) {
	canonical, err := g.Plan.ParseKey(key)
	if err != nil {
		return nil, err
	}
	rows, err := lookup.ExactRows(w.ctx, w.store, g, [][]byte{canonical})
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

// showRow prints the tiles of a row: of which stretch, how many events, up to where.
func (w *world) showRow(viewName, key string) (string, error) {
	g, err := w.reader.Served(w.ctx, viewName)
	if err != nil {
		return "", err
	}
	parts, _, err := w.tiles(g, key)
	if err != nil {
		return "", err
	}
	if len(parts) == 0 {
		return "no tiles\n", nil
	}
	var sb strings.Builder
	for _, part := range parts {
		var reach []string
		for _, p := range part.Body.Pos {
			reach = append(reach, fmt.Sprintf("%s/%d@%d", g.Plan.Spec().Sources[p.Source].Name, p.Partition, p.Last))
		}
		fmt.Fprintf(&sb, "%s: %d events up to %s", part.Header.Name(), part.Body.Events, strings.Join(reach, " "))
		if part.Leftover {
			sb.WriteString(", a leftover")
		}
		sb.WriteByte('\n')
	}
	return sb.String(), nil
}

// showMarks prints the marks of every lane, those of lanes that look alike once.
func (w *world) showMarks(viewName string) (string, error) {
	var sb strings.Builder
	for _, name := range w.views(viewName) {
		gens, err := w.generations(name)
		if err != nil {
			return "", err
		}
		if len(gens) == 0 {
			fmt.Fprintf(&sb, "%s: no manifest\n", name)
		}
		for _, g := range gens {
			all, err := w.store.Marks(w.ctx, g.ids())
			if err != nil {
				return "", err
			}
			for n, marks := range all {
				text, err := w.showLane(marks)
				if err != nil {
					return "", err
				}
				fmt.Fprintf(&sb, "%s lane %d: %s\n", name, n, text)
			}
		}
	}
	return sb.String(), nil
}

func (w *world) showLane(marks lane.Marks) (string, error) {
	batch, begun, err := marks.Batch()
	if err != nil || !begun {
		return "not begun", err
	}
	var sb strings.Builder
	fmt.Fprintf(&sb, "filling %s, next is row %d of run %d", w.letter(batch.Incarnation), batch.Rows, batch.Run)
	if !batch.Whole() {
		fmt.Fprintf(&sb, ", whole after run %d", batch.WholeFrom)
	}
	for _, name := range slices.Sorted(maps.Keys(marks)) {
		if name == lane.BatchName {
			continue
		}
		m, err := lane.ParseMark(marks[name])
		if err != nil {
			return "", err
		}
		low := "joined"
		if !m.Joined() {
			low = fmt.Sprintf("from %d", m.Low)
		}
		fmt.Fprintf(&sb, "; %s %s to %d", name, low, m.Next)
		if m.Incarnation != batch.Incarnation {
			fmt.Fprintf(&sb, " of filling %s", w.letter(m.Incarnation))
		}
	}
	return sb.String(), nil
}

// verify verifies every entity of every view against the archive and the log: `tidemark verify`.
func (w *world) verify() (*verify.Report, error) {
	return verify.Run(w.ctx, verify.Config{
		Reader: w.reader, Store: w.store, Log: &history.Log{Dir: w.archiveDir(), Topics: topics{w.log, w.job}},
	})
}

func showReport(r *verify.Report) string {
	var sb strings.Builder
	for _, f := range r.Faults {
		fmt.Fprintf(&sb, "%s %s: %s", f.View, f.Entity, f.What)
		if f.Feature != "" {
			fmt.Fprintf(&sb, "; %s is %s by the log, %s by the store", f.Feature, f.Want, f.Got)
		}
		sb.WriteByte('\n')
	}
	fmt.Fprintf(&sb, "verified %d entities, %d wrong\n", r.Entities, r.Wrong)
	return sb.String()
}

// errNotIn says that a lane has not taken in the last run yet: there is nothing to leave in it.
var errNotIn = errors.New("the lane has not taken in the last run")

// leave puts the block tiles that batch has replaced back into an entity's row: batch leaves some where an entity has
// events in more blocks between two cuts than one call may delete, and readers have to pass over them.
func (w *world) leave(viewName, key string) error {
	all, err := w.generations(viewName)
	if err != nil || len(all) == 0 {
		return errors.Join(err, errNotIn)
	}
	g, err := w.reader.Served(w.ctx, viewName)
	if err != nil {
		return err
	}
	row, err := w.row(g, key)
	if err != nil {
		return err
	}
	last := all[len(all)-1]
	batch, _, err := row.Marks.Batch()
	if err != nil || batch.Run <= last.Run {
		return errors.Join(err, errNotIn)
	}
	change := lane.RowChange{Key: row.Key}
	for _, p := range last.Cut.Partitions() {
		fields, err := w.blockTiles(last, p, row.Key)
		if err != nil {
			return err
		}
		change.Set = append(change.Set, fields...)
	}
	call := lane.Call{Lane: row.Lane, AnyMark: true, Incarnation: batch.Incarnation, RowsOf: batch.Incarnation, Rows: []lane.RowChange{change}}
	return w.store.Apply(w.ctx, []lane.Call{call})[0].Err
}

// blockTiles makes the tiles of an entity of one partition's blocks below the last cut.
func (w *world) blockTiles(g *generation, p position.Partition, key []byte) (fields []lane.Field, err error) {
	src := w.job.Source(p.Source)
	for at := position.Block(w.log[p].first, src.Block); at < g.Cut[p]; at += src.Block {
		b, err := w.log.batch(src, p, position.Range{From: at, Next: at + src.Block}, false)
		if err != nil {
			return nil, err
		}
		if slot, f := foldOne(g.plan, b, key); f != nil {
			h := tile.Header{Kind: tile.KindBlock, Source: g.plan.SourceRank(p.Source), Partition: p.ID, Block: at}
			fields = append(fields, lane.Field{Name: h.Name(), Value: f.AppendBody(h.Append(nil), slot)})
		}
	}
	return fields, nil
}

// foldOne folds a batch and returns the slot of an entity; nil if the batch has no event of it.
func foldOne(plan *view.Plan, b *column.Batch, key []byte) (int, *view.Fold) {
	f := plan.NewFold()
	f.Add(b, 0, b.N)
	if slot, ok := f.Lookup(key); ok {
		return slot, f
	}
	return 0, nil
}
