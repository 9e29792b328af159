package recompute_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/batch/batchtest"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// counters is a small view of orders by user.
func counters() view.Spec {
	spec := items()
	spec.Name, spec.Entity = "counters", []view.KeySpec{{Kind: "user", Fields: []string{"user"}}}
	return spec
}

// manyUsers is a history over a log of this many orders by this many users.
func manyUsers(t testing.TB, rows, users, lanes int) *history {
	plan := compile(t, counters())
	w := &world{t: t, plans: []*view.Plan{plan}, state: t.TempDir()}
	log := viewtest.Log{Partitions: [2]int{0, 1}, Rows: rows, Users: users}
	w.batches = log.Batches(rand.New(rand.NewPCG(1, 4)), viewtest.Sources())
	w.archive = batchtest.NewArchive(4096, w.batches)
	w.archive.GrowAll()
	return newHistory(w, lanes)
}

// end makes the next run of a history with fresh bases in these hash ranges, and takes down where bases are.
func (h *history) end(to float64, turn func(hashRange int) bool) *recompute.Outcome {
	task := h.next(h.cut(to), turn)
	out := h.run(&recompute.Engine{Archive: h.archive, Workers: 1}, task)[0]
	for r := range h.bases {
		if task.Run == 1 || task.Bases[r] > 0 {
			h.bases[r] = task.Run
		}
	}
	return out
}

func never(int) bool { return false }

func always(int) bool { return true }

// TestCostInCounts shows what runs after a large one cost, in rows: a delta run scans what is new and nothing else, and
// the compaction of each of 32 runs on end merges at most 1.5/32 of what merging everything would. 100k events, then 32
// runs of 1 % each; BenchmarkRuns in cmd/tidemark takes the CPU.
func TestCostInCounts(t *testing.T) {
	const every, share = 32, 0.01
	h := manyUsers(t, 140_000, 20_000, 16)
	at := 1 - every*share - 0.01
	full := h.end(at, never)
	rows := full.Rows // in all files since the bases
	for k := int64(2); k <= every+1; k++ {
		before := h.tasks[k-2].To
		at += share
		out := h.end(at, func(r int) bool { return (int64(r)+k)%every == 0 })
		fresh := int64(0)
		for p, next := range h.tasks[k-1].To {
			fresh += next - before[p]
		}
		if out.Scanned == 0 || out.Scanned > fresh || float64(out.Scanned) > 0.03*float64(full.Scanned) {
			t.Fatalf("run %d scanned %d rows of %d offsets, after %d", k, out.Scanned, fresh, full.Scanned)
		}
		if most := 1.5 / every * float64(rows); out.Merged == 0 || float64(out.Merged) > most {
			t.Fatalf("run %d merged %d rows of %d, at most %.0f are due", k, out.Merged, rows, most)
		}
		if changes := out.Rows - out.Bases; changes > out.Events {
			t.Fatalf("run %d: %d deltas of %d events", k, changes, out.Events)
		}
		rows += out.Rows
	}
	for r, base := range h.bases {
		if base < 2 {
			t.Fatalf("range %d has no fresh base in %d runs", r, every)
		}
	}
}

// TestMergingIsStreamed shows that merging ten times the rows allocates next to no more memory, counting what is freed:
// rows pass by, a block of each file at a time.
func TestMergingIsStreamed(t *testing.T) {
	const few, many = 15_000, 150_000
	allocated := func(users int) (bytes, tiles int64) {
		h := manyUsers(t, 250_000, users, 1)
		h.end(0.95, never)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out := h.end(0.9501, always)
		runtime.ReadMemStats(&after)
		if out.Merged < int64(users)/2 {
			t.Fatalf("%d rows of %d users merged", out.Merged, users)
		}
		return int64(after.TotalAlloc - before.TotalAlloc), out.Tiles
	}
	a, small := allocated(few)
	b, large := allocated(many)
	if more := large - small; more < 1_500_000 || b-a > more/10 {
		t.Errorf("%d bytes of tiles took %d, %d took %d", small, a, large, b)
	}
}

// TestOpenFiles counts the run files that are open whenever one more is opened: with one worker never more than there are
// runs to merge, of one lane.
func TestOpenFiles(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip("this system does not list a process's open files in /proc/self/fd")
	}
	const runs, lanes = 9, 8
	h := manyUsers(t, 20_000, 2_000, lanes)
	for k := range runs {
		h.end(float64(k+1)/(runs+2), never)
	}
	most, opened := 0, 0
	counted := func(run int64, n int) (*runfile.Reader, error) {
		file, err := h.opener(run, n)
		opened++
		most = max(most, h.openFiles())
		return file, err
	}
	e := &recompute.Engine{Archive: h.archive, Workers: 1}
	task := h.next(h.cut(float64(runs+1)/(runs+2)), always)
	task.Open = counted
	h.run(e, task)
	if most != runs || opened != runs*lanes {
		t.Errorf("compaction of %d runs: %d files open at once, %d opened", runs, most, opened)
	}
	check := *h.tasks[runs-1]
	check.From, check.Bases, check.Open = position.Cut{}, h.bases, counted
	most, opened = 0, 0
	c, err := e.Compare(t.Context(), &check)
	must(t, err)
	if c.Wrong != 0 || most != runs || opened != runs*lanes {
		t.Errorf("full check of %d runs: %d files open at once, %d opened, %d rows wrong", runs, most, opened, c.Wrong)
	}
	if left := h.openFiles(); left > 0 {
		t.Errorf("%d files are left open", left)
	}
}

// openFiles counts the open files of runs that are no drafts.
func (h *history) openFiles() (n int) {
	h.t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	must(h.t, err)
	for _, fd := range all {
		path, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name()))
		if err == nil && strings.HasPrefix(path, h.state) && strings.HasSuffix(path, ".run") && !strings.HasPrefix(filepath.Base(filepath.Dir(path)), ".") {
			n++
		}
	}
	return n
}

// BenchmarkMerge merges all rows of nine runs, of which the first has most, into fresh bases.
func BenchmarkMerge(b *testing.B) {
	h := manyUsers(b, 300_000, 50_000, 16)
	h.end(0.9, never)
	for k := range 8 {
		h.end(0.9+0.01*float64(k+1), never)
	}
	task := h.next(h.cut(0.981), always)
	var merged, tiles int64
	b.ReportAllocs()
	for b.Loop() {
		outs, err := (&recompute.Engine{Archive: h.archive, Workers: 1}).Run(b.Context(), []*recompute.Task{task})
		must(b, err)
		must(b, outs[0].Draft.Discard())
		merged, tiles = merged+outs[0].Merged, tiles+outs[0].Tiles
	}
	b.ReportMetric(float64(merged)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(tiles)/b.Elapsed().Seconds()/1e6, "MB/s")
}
