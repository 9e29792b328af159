package recompute_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// history is the runs of one generation over a world, and the rows that a store has when it has taken all of them in.
type history struct {
	*world
	tasks []*recompute.Task
	bases recompute.Bases              // by hash range: the newest run with its bases
	rows  map[string]map[string][]byte // by key: tiles by name
	lanes int

	mu     sync.Mutex
	opened map[int64]int // by run: how many of its files were opened
}

func newHistory(w *world, lanes int) *history {
	return &history{world: w, lanes: lanes, rows: map[string]map[string][]byte{}, opened: map[int64]int{}}
}

// next returns the task of the next run, in which it is the turn of these hash ranges.
func (h *history) next(to position.Cut, turn func(hashRange int) bool) *recompute.Task {
	k := int64(len(h.tasks)) + 1
	var from position.Cut
	if k > 1 {
		from = h.tasks[k-2].To
	}
	t := h.task(h.plans[0], k, h.lanes, from, to)
	for r := range t.Bases {
		if k > 1 && turn(r) {
			t.Bases[r] = h.bases[r]
		}
	}
	t.Open = h.opener
	h.tasks = append(h.tasks, t)
	return t
}

func (h *history) opener(run int64, n int) (*runfile.Reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened[run]++
	t := h.tasks[run-1]
	return runfile.Open(filepath.Join(t.Folder, fileName(n)), runfile.Meta{Identity: identity, Run: run, Lane: n, Lanes: h.lanes})
}

// take brings the files of a run to the rows, as publishing does, and holds every row of change against the oracle.
func (h *history) take(task *recompute.Task) (freshBases int64) {
	h.t.Helper()
	changes := h.expect(task)
	whole := *task
	whole.From = nil
	all := h.expect(&whole)
	seen := 0
	for n := range task.Lanes {
		file := h.open(task, n)
		must(h.t, file.Verify())
		must(h.t, file.SeekRow(0))
		for {
			row, err := file.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(h.t, err)
			seen++
			change := changes[string(row.Key)]
			if task.Bases[lane.Range(row.Hash)] > 0 {
				freshBases++
				change.body = all[string(row.Key)].body
			}
			h.takeRow(task, row, change)
		}
		must(h.t, file.Close())
	}
	want := len(changes)
	for key := range all {
		if _, ok := changes[key]; !ok && task.Bases[lane.Range(view.Hash([]byte(key)))] > 0 {
			want++
		}
	}
	if seen != want {
		h.t.Fatalf("%s has %d rows, want %d", task, seen, want)
	}
	for r := range h.bases {
		if task.Kind == tile.KindBase || task.Bases[r] > 0 {
			h.bases[r] = task.Run
		}
	}
	return freshBases
}

// takeRow checks one row of change: its tile, and that it supersedes what the row has and no longer needs, all of it.
func (h *history) takeRow(task *recompute.Task, row *runfile.Row, want wanted) {
	h.t.Helper()
	head, body, err := tile.ParseHeader(row.Tile)
	must(h.t, err)
	kind := task.Kind
	var names []string
	if task.Bases[lane.Range(row.Hash)] > 0 {
		kind, names = tile.KindBase, slices.Collect(maps.Keys(h.rows[string(row.Key)]))
	}
	names = append(names, want.names...)
	slices.Sort(names)
	var got []string
	for _, s := range row.Superseded {
		got = append(got, s.Name())
		delete(h.rows[string(row.Key)], s.Name())
	}
	slices.Sort(got)
	if head.Kind != kind || head.Run != task.Run || !bytes.Equal(body, want.body) || !slices.Equal(got, names) {
		h.t.Fatalf("%s, row %s: tile %s %x superseding %v\nwant %x superseding %v", task, row.Key, head.Name(), body, got, want.body, names)
	}
	if h.rows[string(row.Key)] == nil {
		h.rows[string(row.Key)] = map[string][]byte{}
	}
	h.rows[string(row.Key)][head.Name()] = bytes.Clone(row.Tile)
}

// compare makes a full check at the last run.
func (h *history) compare(e *recompute.Engine) *recompute.Comparison {
	h.t.Helper()
	last := *h.tasks[len(h.tasks)-1]
	last.From, last.Bases, last.Kind = nil, h.bases, tile.KindBase
	h.opened = map[int64]int{}
	c, err := e.Compare(h.t.Context(), &last)
	must(h.t, err)
	return c
}

// TestCompaction shows, for random logs, runs, ranges and budgets, that a run's file has what the oracle makes of its
// blocks, or of the whole log where it is a range's turn, also of entities without a change; that it supersedes exactly
// what the row has; and that a full check at each cut finds equal digests, from no file before the oldest bases.
func TestCompaction(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 3))
		h := newHistory(newWorld(t, seed), 1<<rng.IntN(9))
		e := &recompute.Engine{Archive: h.archive, Workers: 1 + rng.IntN(3), Memory: rng.Int64N(2)}
		every := []int{1, 2, 3, 5, 32}[rng.IntN(5)]
		turn := func(r int) bool { return (r+len(h.tasks)+1)%every == 0 }
		if seed%2 == 1 { // any ranges will do: their number may change from run to run
			turn = func(int) bool { return rng.IntN(every) == 0 }
		}
		fresh := int64(0)
		runs := 5
		for k := range runs {
			task := h.next(h.cut(float64(k+1)/float64(runs)), turn)
			out := h.run(e, task)[0]
			n := h.take(task)
			if out.Bases != n || out.Sampled == 0 {
				t.Fatalf("seed %d, run %d: %d fresh bases, want %d; %d sampled", seed, k+1, out.Bases, n, out.Sampled)
			}
			fresh += out.Merged
			again := *task
			again.Folder += "-again"
			if twin := h.run(&recompute.Engine{Archive: h.archive}, &again)[0]; !sameFiles(t, task.Folder, again.Folder) || twin.Rows != out.Rows {
				t.Fatalf("seed %d, run %d: repeated, it has other bytes", seed, k+1)
			}
			c := h.compare(e)
			if c.Wrong != 0 || c.Rows != int64(len(h.rows)) || c.Files != c.Recompute {
				t.Fatalf("seed %d, run %d: %+v, want %d rows", seed, k+1, c, len(h.rows))
			}
			oldest := slices.Min(h.bases[:])
			for run, n := range h.opened {
				if run < oldest || n > h.lanes {
					t.Fatalf("seed %d, run %d: %d files of run %d opened, of which the oldest bases are in %d", seed, k+1, n, run, oldest)
				}
			}
		}
		if every < 32 && fresh == 0 {
			t.Fatalf("seed %d: nothing was merged in %d runs", seed, runs)
		}
	}
}

func sameFiles(t *testing.T, a, b string) bool {
	t.Helper()
	files, err := os.ReadDir(a)
	must(t, err)
	for _, f := range files {
		x, err := os.ReadFile(filepath.Join(a, f.Name()))
		must(t, err)
		y, err := os.ReadFile(filepath.Join(b, f.Name()))
		must(t, err)
		if !bytes.Equal(x, y) {
			return false
		}
	}
	return len(files) > 0
}
