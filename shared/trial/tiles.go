package trial

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// The runs of the world that a test's log is put into: run 1 made a base of its first third, run 2 a delta of the second.
const (
	baseRun  = 1
	deltaRun = 2
)

// smallBlocks compiles a plan again with blocks of one offset, so that a log of a few records has many. Nothing that
// decides states depends on the size of blocks.
func smallBlocks(plan *view.Plan) (*view.Plan, error) {
	spec := *plan.Spec()
	spec.Sources = slices.Clone(spec.Sources)
	for i := range spec.Sources {
		spec.Sources[i].Block = 1
	}
	return view.Compile(spec)
}

// tiles returns the rows that batch and speed would have written of a log, by key: a base of the first third of each
// partition, a delta of the second, a block tile of each record in the last, and that of the last record below the cut
// as a leftover.
func tiles(plan *view.Plan, log []*column.Batch) map[string][][]byte {
	rows := map[string][][]byte{}
	w := &writer{plan: plan, rows: rows}
	w.run(tile.Header{Kind: tile.KindBase, Run: baseRun}, log, func(n int) (int, int) { return 0, n / 3 })
	w.run(tile.Header{Kind: tile.KindDelta, Run: deltaRun}, log, func(n int) (int, int) { return n / 3, 2 * n / 3 })
	for _, b := range log {
		rank := plan.SourceRank(b.Source.Name)
		if rank < 0 {
			continue
		}
		for row := max(0, 2*b.N/3-1); row < b.N; row++ {
			f := plan.NewFold()
			f.Add(b, row, row+1)
			w.write(tile.Header{Kind: tile.KindBlock, Source: rank, Partition: b.Partition, Block: b.Offset[row]}, f)
		}
	}
	return rows
}

// writer adds tiles to rows.
type writer struct {
	plan *view.Plan
	rows map[string][][]byte
}

// run folds a part of every partition, given its number of records, into the tiles of one run.
func (w *writer) run(h tile.Header, log []*column.Batch, part func(n int) (from, to int)) {
	f := w.plan.NewFold()
	for _, b := range log {
		if w.plan.SourceRank(b.Source.Name) < 0 {
			continue
		}
		from, to := part(b.N)
		f.Add(b, from, to)
	}
	w.write(h, f)
}

func (w *writer) write(h tile.Header, f *view.Fold) {
	for slot := range f.Len() {
		key := string(f.Key(slot))
		w.rows[key] = append(w.rows[key], f.AppendBody(h.Append(nil), slot))
	}
}
