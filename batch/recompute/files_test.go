package recompute_test

import (
	"testing"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
)

// filed writes the world's log as archive files of so many offsets each, and returns the archive.
func (w *world) filed(piece int64) recompute.Folder {
	w.t.Helper()
	dir := w.t.TempDir()
	for _, b := range w.batches {
		whole := column.NewBatch(b.Source, b.Partition, true)
		for row := range b.N {
			whole.AppendRow(b, row)
			for _, c := range []*column.Column{&whole.Archive.Key, &whole.Archive.Headers, &whole.Archive.Rest, &whole.Archive.Raw} {
				c.AppendNull()
			}
		}
		row := 0
		for from := int64(0); row < b.N; from += piece {
			to := row
			for to < b.N && b.Offset[to] < from+piece {
				to++
			}
			f := archivefile.NewWriter(archivefile.OS{}, dir, b.Source, b.Partition, from)
			must(w.t, f.AppendRows(whole, row, to))
			_, err := f.Commit(from + piece)
			must(w.t, err)
			row = to
		}
	}
	return recompute.Folder(dir)
}

// TestFilesEqualOracle shows of real files, several of which are folded at a time, what TestRunsEqualOracle shows of batches.
func TestFilesEqualOracle(t *testing.T) {
	for seed := range uint64(4) {
		w := newWorld(t, 100+seed)
		e := &recompute.Engine{Archive: w.filed(64), Workers: 1 + int(seed%2)}
		a, b := w.cut(0.5), w.cut(1)
		first, items := w.task(w.plans[0], 1, 4, nil, a), w.task(w.plans[1], 1, 16, nil, b)
		outs := w.run(e, first, items)
		w.check(first, outs[0])
		w.check(items, outs[1])
		delta := w.task(w.plans[0], 2, 4, a, b)
		w.check(delta, w.run(e, delta)[0])
	}
}
