package oracle_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// world is a log and how far batch and speed have come with it.
type world struct {
	plan    *view.Plan
	batches []*column.Batch // by partition of the log
	cuts    [][]int64       // cuts[k] by partition: the first offset that run k does not cover; cuts[0] are all 0
	base    int             // the run whose base rows have; 0 = none, then the deltas begin at run 1
	next    []int64         // by partition: where the log ends for this reading
	from    []int64         // by partition: the first block of which rows still have a tile, perhaps below the last cut
}

func newWorld(r *rand.Rand, p *view.Plan, batches []*column.Batch) *world {
	w := &world{plan: p, batches: batches, cuts: [][]int64{make([]int64, len(batches))}}
	for range r.IntN(5) {
		last := w.cuts[len(w.cuts)-1]
		cut := make([]int64, len(batches))
		for i, b := range batches {
			cut[i] = last[i]
			if r.IntN(4) > 0 { // now and then a run brings nothing of a partition
				cut[i] = position.Block(last[i]+r.Int64N(b.Offset[b.N-1]+1-last[i]), b.Source.Block)
			}
		}
		w.cuts = append(w.cuts, cut)
	}
	w.base = r.IntN(len(w.cuts))
	for i, b := range batches {
		cut := w.cuts[len(w.cuts)-1][i]
		w.next = append(w.next, cut+r.Int64N(b.Offset[b.N-1]+2-cut))
		// A block tile below the cut is a leftover: its block, or a part of it, is in the base or a delta.
		w.from = append(w.from, max(0, cut-b.Source.Block*r.Int64N(4)))
	}
	return w
}

// add folds the offsets [from,next) of a partition.
func (w *world) add(f *view.Fold, partition int, from, next int64) {
	b := w.batches[partition]
	at := func(offset int64) int { i, _ := slices.BinarySearch(b.Offset, offset); return i }
	if from < next {
		f.Add(b, at(from), at(next))
	}
}

// rows builds the tiles of all rows: what batch and speed would have written.
func (w *world) rows(r *rand.Rand) map[string][][]byte {
	rows := map[string][][]byte{}
	write := func(h tile.Header, f *view.Fold) {
		for slot := range f.Len() {
			key := string(f.Key(slot))
			rows[key] = append(rows[key], f.AppendBody(h.Append(nil), slot))
		}
	}
	for run := max(1, w.base); run < len(w.cuts); run++ {
		h, below := tile.Header{Kind: tile.KindDelta, Run: int64(run)}, w.cuts[run-1]
		if run == w.base {
			h.Kind, below = tile.KindBase, w.cuts[0]
		}
		f := w.plan.NewFold()
		for i := range w.batches {
			w.add(f, i, below[i], w.cuts[run][i])
		}
		write(h, f)
	}
	for i, b := range w.batches {
		cut := w.cuts[len(w.cuts)-1][i]
		for block := position.Block(w.from[i], b.Source.Block); block < w.next[i]; block += b.Source.Block {
			end := min(block+b.Source.Block, w.next[i])
			if block < cut {
				end = block + 1 + r.Int64N(b.Source.Block) // as far as speed had come before batch overtook it
			}
			f := w.plan.NewFold()
			w.add(f, i, block, end)
			write(tile.Header{Kind: tile.KindBlock, Source: w.plan.SourceRank(b.Source.Name), Partition: b.Partition, Block: block}, f)
		}
	}
	for _, tiles := range rows {
		r.Shuffle(len(tiles), func(i, j int) { tiles[i], tiles[j] = tiles[j], tiles[i] })
	}
	return rows
}

// below returns the events of the log up to where it ends for this reading.
func (w *world) below(events []oracle.Event) []oracle.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e oracle.Event) bool {
		return e.Batch.Offset[e.Row] >= w.next[slices.Index(w.batches, e.Batch)]
	})
}

// TestRowEqualsOracle is law 1: however a log is split between base, deltas, block tiles and leftovers, a row merges to
// the plain fold of the log, byte for byte.
func TestRowEqualsOracle(t *testing.T) {
	p, o := compile(t)
	m := p.NewMerger()
	leftovers, bases, deltas := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r := genRand(t)
		batches := small.Batches(r, p.Spec().Sources)
		w := newWorld(r, p, batches)
		rows := w.rows(r)
		for key, all := range o.Group(batches) {
			events := w.below(all)
			m.Reset()
			for _, enc := range rows[key] {
				if _, err := m.AddTile(enc); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Finish(); err != nil {
				t.Fatal(err)
			}
			if m.Found() != (len(events) > 0) {
				t.Fatalf("%s: found %t, with %d events", key, m.Found(), len(events))
			}
			if len(events) == 0 {
				continue
			}
			want, err := o.Body(events)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.AppendBody(nil); string(got) != string(want) {
				t.Fatalf("%s, cuts %v, base %d, from %v, next %v: body %x\nthe oracle has %x", key, w.cuts, w.base, w.from, w.next, got, want)
			}
			for _, part := range m.Parts() {
				switch {
				case part.Leftover:
					leftovers++
				case part.Header.Kind == tile.KindBase:
					bases++
				case part.Header.Kind == tile.KindDelta:
					deltas++
				}
			}
		}
	})
	if leftovers == 0 || bases == 0 || deltas == 0 {
		t.Errorf("%d leftovers, %d bases, %d deltas: the test has lost its point", leftovers, bases, deltas)
	}
}
