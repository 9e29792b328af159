package main

import (
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// BenchmarkRuns takes the CPU of a full run over all but 1 % of an archive, and of the run over the rest without
// compaction; and what is added to a run by the bases that fall due with one each 32 runs, and by bases of everything.
// Floors: the run over the rest costs at most 3 % of the full one; the bases that fall due, at most 1.5/32 of all of them.
func BenchmarkRuns(b *testing.B) {
	j := benchJob(b)
	dir, state := b.TempDir(), b.TempDir()
	n := benchEvents(b)
	ballast := make([]byte, defaultMemory/ballastPart) // as the process of the batch role has it
	defer runtime.KeepAlive(ballast)
	// Blocks small enough for 1 % of the archive to be some.
	j.Sources[0].Block = 1 << 10
	for _, p := range j.Plans {
		p.Spec().Sources[0].Block = j.Sources[0].Block
	}
	buildArchive(b, j, dir, n)
	_, all, err := recompute.Folder(dir).Extent(b.Context(), j.Sources[0].Name, j.Sources[0].Block)
	if err != nil {
		b.Fatal(err)
	}
	most, next := maps.Clone(all), position.Cut{}
	for p, end := range all {
		most[p] = position.Block(end-end/100, j.Sources[0].Block)
		next[p] = most[p] + j.Sources[0].Block
	}
	var full, delta, due, whole time.Duration
	for b.Loop() {
		full += benchRun(b, j.Plans, dir, state, 1, position.Cut{}, most, 0)
		delta += least(func() time.Duration { return benchRun(b, j.Plans, dir, state, 2, most, all, 0) })
		// Over a block of each partition, so that what compaction adds is no small difference of large figures; and by turns,
		// so that what else runs on the machine adds to all alike.
		var dues, wholes []time.Duration
		for range 15 {
			none := benchRun(b, j.Plans, dir, state, 2, most, next, 0)
			dues = append(dues, benchRun(b, j.Plans, dir, state, 2, most, next, 32)-none)
			wholes = append(wholes, benchRun(b, j.Plans, dir, state, 2, most, next, 1)-none)
		}
		due, whole = due+median(dues), whole+median(wholes)
	}
	runs := float64(b.N)
	b.ReportMetric(full.Seconds()/runs, "full-cpu-s")
	b.ReportMetric(100*delta.Seconds()/full.Seconds(), "delta-%-of-full")
	b.ReportMetric(whole.Seconds()/runs, "merging-all-cpu-s")
	b.ReportMetric(32*due.Seconds()/whole.Seconds(), "compaction-x/32-of-merging-all")
}

// least returns the least of seven measurements: what else runs on the machine only adds.
func least(measure func() time.Duration) time.Duration {
	best := measure()
	for range 6 {
		best = min(best, measure())
	}
	return best
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// benchRun makes a run of all views, with a base each so many runs, and returns its CPU time.
func benchRun(b *testing.B, plans []*view.Plan, archive, state string, run int64, from, to position.Cut, every int64) time.Duration {
	b.Helper()
	var tasks []*recompute.Task
	turns := journal.Run{Number: run, Kind: journal.Compact, Every: max(every, 1)}
	for _, p := range plans {
		folder := func(run int64) string { return filepath.Join(state, p.Spec().Name, strconv.FormatInt(run, 10)) }
		t := &recompute.Task{
			Plan: p, Identity: "aaaaaaaaaa", Run: run, Kind: tile.KindDelta, Lanes: lane.DefaultLanes,
			Blocks: map[string]int64{p.Spec().Sources[0].Name: p.Spec().Sources[0].Block},
			From:   from, To: to, Folder: folder(run), FileName: journal.RunFileName,
			Open: func(run int64, n int) (*runfile.Reader, error) {
				return runfile.Open(filepath.Join(folder(run), journal.RunFileName(n)), runfile.Meta{Identity: "aaaaaaaaaa", Run: run, Lane: n, Lanes: lane.DefaultLanes})
			},
		}
		if run == 1 {
			t.Kind = tile.KindBase
		}
		for r := range t.Bases {
			if every > 0 && turns.HasBases(r) {
				t.Bases[r] = 1
			}
		}
		tasks = append(tasks, t)
	}
	before := cpuTime()
	outs, err := (&recompute.Engine{Archive: recompute.Folder(archive)}).Run(b.Context(), tasks)
	if err != nil {
		b.Fatal(err)
	}
	took := cpuTime() - before
	for _, out := range outs {
		if out.Mismatch != nil {
			b.Fatalf("%+v", out.Mismatch)
		}
		if run > 1 {
			err = out.Draft.Discard()
		} else {
			err = out.Draft.Commit()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return took
}
