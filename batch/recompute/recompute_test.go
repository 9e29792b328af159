package recompute_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/batch/batchtest"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

const identity = "aaaaaaaaaa"

var blocks = map[string]int64{"clicks": viewtest.ClicksBlock, "orders": viewtest.OrdersBlock}

func fileName(lane int) string { return fmt.Sprintf("%02x.run", lane) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func compile(t testing.TB, spec view.Spec) *view.Plan {
	t.Helper()
	p, err := view.Compile(spec)
	must(t, err)
	return p
}

// items is a small view of one of the two sources, keyed by something else.
func items() view.Spec {
	return view.Spec{
		Job: "shop", Name: "item", Sources: viewtest.Sources()[1:], Entity: []view.KeySpec{{Kind: "item", Fields: []string{"item"}}},
		Features: []view.FeatureSpec{{Name: "n", Op: "count"}, {Name: "spent", Op: "sum", Value: []string{"price"}}},
	}
}

// world is a random log, its archive, and a plan for each of two views.
type world struct {
	t       testing.TB
	batches []*column.Batch
	archive *batchtest.Archive
	plans   []*view.Plan
	state   string
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	users := compile(t, viewtest.Spec())
	log := viewtest.Log{Partitions: [2]int{3, 2}, Rows: 150, Users: 30}
	w := &world{t: t, plans: []*view.Plan{users, compile(t, items())}, state: t.TempDir()}
	w.batches = log.Batches(rand.New(rand.NewPCG(seed, 0)), users.Spec().Sources)
	w.archive = batchtest.NewArchive(64, w.batches)
	w.archive.GrowAll()
	return w
}

// cut returns the cut that lies at a part of every partition's log.
func (w *world) cut(part float64) position.Cut {
	c := position.Cut{}
	for _, p := range w.archive.Partitions() {
		c[p] = position.Block(int64(part*float64(w.archive.End(p))), blocks[p.Source])
	}
	return c
}

func (w *world) task(plan *view.Plan, run int64, lanes int, from, to position.Cut) *recompute.Task {
	kind := tile.KindDelta
	if run == 1 {
		kind = tile.KindBase
	}
	return &recompute.Task{
		Plan: plan, Identity: identity, Run: run, Kind: kind, Lanes: lanes, Blocks: blocks, From: from, To: to,
		Folder:   filepath.Join(w.state, plan.Spec().Name, strconv.FormatInt(run, 10)),
		FileName: fileName,
	}
}

// wanted is what a run should hold of an entity: what the oracle makes of its events, and the blocks they lie in.
type wanted struct {
	body  []byte
	names []string
}

// expect computes the rows of a task the dumb way.
func (w *world) expect(task *recompute.Task) map[string]wanted {
	w.t.Helper()
	o, err := oracle.New(task.Plan)
	must(w.t, err)
	events := map[string][]oracle.Event{}
	names := map[string]map[string]bool{}
	for _, b := range w.batches {
		rank := task.Plan.SourceRank(b.Source.Name)
		if rank < 0 {
			continue
		}
		own := &task.Plan.Spec().Sources[rank]
		c := column.NewBatch(own, b.Partition, false)
		all := make([]int, len(own.Fields))
		for i := range all {
			all[i] = i
		}
		p := position.Partition{Source: b.Source.Name, ID: b.Partition}
		for row := range b.N {
			batchtest.CopyRow(c, b, row, all)
			e := oracle.Event{Batch: c, Row: row}
			key, ok := o.Key(e)
			if offset := b.Offset[row]; !ok || offset < task.From[p] || offset >= task.To[p] {
				continue
			}
			events[key] = append(events[key], e)
			if names[key] == nil {
				names[key] = map[string]bool{}
			}
			block := position.Block(b.Offset[row], blocks[b.Source.Name])
			names[key][tile.Header{Kind: tile.KindBlock, Source: rank, Partition: b.Partition, Block: block}.Name()] = true
		}
	}
	rows := map[string]wanted{}
	for key, list := range events {
		body, err := o.Body(list)
		must(w.t, err)
		rows[key] = wanted{body, slices.Sorted(maps.Keys(names[key]))}
	}
	return rows
}

// check compares the files of a committed task with what is expected.
func (w *world) check(task *recompute.Task, out *recompute.Outcome) {
	w.t.Helper()
	want := w.expect(task)
	var rows int64
	for lane := range task.Lanes {
		file := w.open(task, lane)
		must(w.t, file.Verify())
		must(w.t, file.SeekRow(0))
		for {
			row, err := file.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(w.t, err)
			rows++
			w.checkRow(task, row, want[string(row.Key)])
		}
		if file.Summary().Digest != out.Lanes[lane].Digest {
			w.t.Fatalf("lane %d: another digest", lane)
		}
		must(w.t, file.Close())
	}
	if rows != int64(len(want)) || rows != out.Rows {
		w.t.Fatalf("%s: %d rows, want %d, it says %d", task, rows, len(want), out.Rows)
	}
}

func (w *world) checkRow(task *recompute.Task, row *runfile.Row, want wanted) {
	w.t.Helper()
	h, body, err := tile.ParseHeader(row.Tile)
	must(w.t, err)
	var names []string
	for _, s := range row.Superseded {
		names = append(names, s.Name())
	}
	slices.Sort(names)
	if h.Kind != task.Kind || h.Run != task.Run || row.Hash != view.Hash(row.Key) || !bytes.Equal(body, want.body) || !slices.Equal(names, want.names) {
		w.t.Fatalf("%s, row %s: tile %s %x superseding %v\nwant %x superseding %v", task, row.Key, h.Name(), body, names, want.body, want.names)
	}
}

func (w *world) open(task *recompute.Task, lane int) *runfile.Reader {
	w.t.Helper()
	r, err := runfile.Open(filepath.Join(task.Folder, fileName(lane)), runfile.Meta{Identity: identity, Run: task.Run, Lane: lane, Lanes: task.Lanes})
	must(w.t, err)
	return r
}

func (w *world) run(e *recompute.Engine, tasks ...*recompute.Task) []*recompute.Outcome {
	w.t.Helper()
	outs, err := e.Run(w.t.Context(), tasks)
	must(w.t, err)
	for i, out := range outs {
		if out.Mismatch != nil {
			w.t.Fatalf("%s: %+v", tasks[i], out.Mismatch)
		}
		must(w.t, out.Draft.Commit())
	}
	return outs
}

// TestRunsEqualOracle shows, for random logs, that full and delta runs of two views in one scan hold what the oracle
// makes of the log between their cuts, entity by entity and byte by byte, with the tiles that speed has of it.
func TestRunsEqualOracle(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(t, seed)
		// With little memory few pieces of a partition are folded at a time, and not all shards in one pass.
		e := &recompute.Engine{Archive: w.archive, Workers: 1 + int(seed%3), Memory: int64(seed%2) << 18}
		a, b := w.cut(0.4), w.cut(0.8)
		lanes := 1 << (seed % 9)
		// The second view is a run behind: tasks of one scan need not cover the same.
		first := w.task(w.plans[0], 1, lanes, nil, a)
		w.check(first, w.run(e, first)[0])
		w.archive.Reads()
		delta, full := w.task(w.plans[0], 2, lanes, a, b), w.task(w.plans[1], 1, 16, nil, b)
		outs := w.run(e, delta, full)
		w.check(delta, outs[0])
		w.check(full, outs[1])
		if outs[0].Sampled == 0 || outs[0].Events == 0 || outs[0].Scanned < outs[0].Events {
			t.Fatalf("seed %d: %+v", seed, outs[0])
		}
	}
}

// TestDeltaReadsNewPiecesOnly shows that a delta run opens no file below its lower cut.
func TestDeltaReadsNewPiecesOnly(t *testing.T) {
	w := newWorld(t, 1)
	e := &recompute.Engine{Archive: w.archive}
	from, to := w.cut(0.5), w.cut(1)
	out := w.run(e, w.task(w.plans[0], 2, 4, from, to))[0]
	reads, files := w.archive.Reads(), int64(0)
	for _, p := range w.archive.Partitions() {
		for at := range w.archive.End(p)/64 + 1 {
			wanted := at*64+64 > from[p] && at*64 < to[p]
			if n := reads[fmt.Sprintf("%s@%d", p, at*64)]; (n > 0) != wanted {
				t.Errorf("%s from %d was read %d times; the run lies in [%d,%d)", p, at*64, n, from[p], to[p])
			}
			if wanted {
				files++
			}
		}
	}
	if out.Files != files {
		t.Errorf("%d files counted, want %d", out.Files, files)
	}
}

// TestMemory shows that a budget that holds next to nothing changes how often the archive is read, and nothing else.
func TestMemory(t *testing.T) {
	w := newWorld(t, 3)
	roomy := w.run(&recompute.Engine{Archive: w.archive}, w.task(w.plans[0], 1, 4, nil, w.cut(1)), w.task(w.plans[1], 1, 16, nil, w.cut(1)))
	once := w.archive.Reads()
	tight := w.run(&recompute.Engine{Archive: w.archive, Memory: 1, Workers: 3}, w.task(w.plans[0], 1, 4, nil, w.cut(1)), w.task(w.plans[1], 1, 16, nil, w.cut(1)))
	often := w.archive.Reads()
	for i := range roomy {
		for lane := range roomy[i].Lanes {
			if roomy[i].Lanes[lane].Digest != tight[i].Lanes[lane].Digest {
				t.Fatalf("view %d, lane %d: another digest", i, lane)
			}
		}
		if roomy[i].Events != tight[i].Events || roomy[i].Scanned != tight[i].Scanned {
			t.Fatalf("%+v\n%+v", roomy[i], tight[i])
		}
	}
	for piece, n := range once {
		if n != 1 || often[piece] < 4 {
			t.Fatalf("%s was read %d and %d times", piece, n, often[piece])
		}
	}
}

// liar is a judge that computes one entity otherwise.
type liar struct {
	*oracle.Oracle
	about string
}

func (l liar) Body(events []oracle.Event) ([]byte, error) {
	if key, _ := l.Key(events[0]); key == l.about {
		events = events[1:]
	}
	return l.Oracle.Body(events)
}

// TestCheckFindsAWrongRow shows that a row that is not what its events make is found, and named.
func TestCheckFindsAWrongRow(t *testing.T) {
	w := newWorld(t, 4)
	task := w.task(w.plans[0], 1, 4, nil, w.cut(1))
	for key, row := range w.expect(task) {
		var body tile.Body
		must(t, body.ParseBody(row.body))
		if body.Events < 2 {
			continue
		}
		e := &recompute.Engine{Archive: w.archive, Judge: func(p *view.Plan) (recompute.Judge, error) {
			o, err := oracle.New(p)
			return liar{o, key}, err
		}}
		outs, err := e.Run(t.Context(), []*recompute.Task{task})
		must(t, err)
		if m := outs[0].Mismatch; m == nil || !strings.Contains(m.Reason, "the file holds") || m.Key != key {
			t.Fatalf("%s: %+v", key, outs[0].Mismatch)
		}
		must(t, outs[0].Draft.Discard())
		noFolders(t, task)
	}
}

// TestSamples shows that with more entities than are sampled the bound sinks, the samples still have all of their events,
// and entities with too many are left out.
func TestSamples(t *testing.T) {
	users := compile(t, viewtest.Spec())
	w := &world{t: t, plans: []*view.Plan{users}, state: t.TempDir()}
	w.batches = viewtest.Log{Partitions: [2]int{2, 1}, Rows: 4000, Users: 6000}.Batches(rand.New(rand.NewPCG(7, 0)), users.Spec().Sources)
	w.archive = batchtest.NewArchive(512, w.batches)
	w.archive.GrowAll()
	out := w.run(&recompute.Engine{Archive: w.archive, Workers: 3}, w.task(users, 1, 4, nil, w.cut(1)))[0]
	if out.Rows < 3*recompute.Samples || out.Sampled != recompute.Samples {
		t.Fatalf("%d of %d rows were sampled", out.Sampled, out.Rows)
	}
	few := viewtest.Log{Partitions: [2]int{1, 1}, Rows: 4000, Users: 2}.Batches(rand.New(rand.NewPCG(7, 0)), users.Spec().Sources)
	w.archive = batchtest.NewArchive(512, few)
	w.archive.GrowAll()
	out = w.run(&recompute.Engine{Archive: w.archive}, w.task(users, 1, 4, nil, w.cut(1)))[0]
	if out.Rows == 0 || out.Sampled >= out.Rows || out.Events < out.Rows*recompute.MaxSampleEvents {
		t.Fatalf("%d of %d rows with %d events were sampled", out.Sampled, out.Rows, out.Events)
	}
}

// TestLargeSamples shows that entities whose events have long strings are left out of what is computed a second time.
func TestLargeSamples(t *testing.T) {
	sources := viewtest.Sources()[:1]
	notes := compile(t, view.Spec{
		Job: "shop", Name: "noted", Sources: sources, Entity: []view.KeySpec{{Kind: "user", Fields: []string{"user"}}},
		Features: []view.FeatureSpec{{Name: "note", Op: "last", Value: []string{"note"}}},
	})
	for _, test := range []struct {
		length int
		all    bool
	}{{1, true}, {recompute.MaxSampleBytes / 16, false}} {
		w := &world{t: t, plans: []*view.Plan{notes}, state: t.TempDir()}
		w.batches = viewtest.Log{Partitions: [2]int{1, 1}, Rows: 1000, Users: 20}.Batches(rand.New(rand.NewPCG(7, 0)), viewtest.Sources())
		for _, b := range w.batches {
			if b.Source.Name != "clicks" {
				continue
			}
			note := &b.Cols[viewtest.Note]
			note.Reset()
			for i := range b.N {
				if b.Reject[i] == 0 {
					note.AppendBytes(bytes.Repeat([]byte{'n'}, test.length))
				} else {
					note.AppendNull()
				}
			}
		}
		w.archive = batchtest.NewArchive(512, w.batches)
		w.archive.GrowAll()
		out := w.run(&recompute.Engine{Archive: w.archive}, w.task(notes, 1, 4, nil, w.cut(1)))[0]
		if out.Rows == 0 || (out.Sampled == out.Rows) != test.all {
			t.Errorf("notes of %d bytes: %d of %d rows were sampled", test.length, out.Sampled, out.Rows)
		}
	}
}

// TestNothingIsLeft shows that a run that fails leaves no folder: of an archive that errs, of a worker that panics, of a
// context that ends.
func TestNothingIsLeft(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		spoil func(cancel func(), before int, b *column.Batch) error
		class error
	}{
		"error":          {func(func(), int, *column.Batch) error { return broken }, broken},
		"panic":          {func(func(), int, *column.Batch) error { panic("at the disco") }, recompute.ErrPanic},
		"another source": {func(_ func(), _ int, b *column.Batch) error { b.Source = &schema.Source{Name: "orders"}; return nil }, recompute.ErrPanic},
		"cancel":         {func(cancel func(), _ int, _ *column.Batch) error { cancel(); return nil }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := newWorld(t, 5)
			w.archive.Spoil = func(_ recompute.Piece, before int, b *column.Batch) error { return test.spoil(cancel, before, b) }
			task := w.task(w.plans[0], 1, 4, nil, w.cut(1))
			if _, err := (&recompute.Engine{Archive: w.archive, Workers: 2}).Run(ctx, []*recompute.Task{task}); !errors.Is(err, test.class) {
				t.Errorf("got %v", err)
			}
			noFolders(t, task)
		})
	}
}

// TestCoverage shows that a run does not begin on an archive that does not reach its cut.
func TestCoverage(t *testing.T) {
	w := newWorld(t, 5)
	beyond := w.cut(1)
	beyond[position.Partition{Source: "clicks"}] += 1 << 20
	if _, err := (&recompute.Engine{Archive: w.archive}).Run(t.Context(), []*recompute.Task{w.task(w.plans[0], 1, 4, nil, beyond)}); !errors.Is(err, recompute.ErrArchive) {
		t.Errorf("got %v", err)
	}
}

func noFolders(t *testing.T, task *recompute.Task) {
	t.Helper()
	left, err := os.ReadDir(filepath.Dir(task.Folder))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestFullCheck shows that run files, merged, make the states of the whole archive, and that a run that is missing or
// wrong is found.
func TestFullCheck(t *testing.T) {
	w := newWorld(t, 6)
	e := &recompute.Engine{Archive: w.archive, Workers: 2}
	cuts := []position.Cut{nil, w.cut(0.3), w.cut(0.6), w.cut(0.9)}
	var tasks []*recompute.Task
	for k := 1; k < len(cuts); k++ {
		tasks = append(tasks, w.task(w.plans[0], int64(k), 4, cuts[k-1], cuts[k]))
		w.run(e, tasks[k-1])
	}
	compare := func(runs []*recompute.Task, to position.Cut) *recompute.Comparison {
		t.Helper()
		task := w.task(w.plans[0], 1, 4, nil, to)
		task.Run = int64(len(runs))
		for r := range task.Bases {
			task.Bases[r] = 1
		}
		task.Open = func(run int64, lane int) (*runfile.Reader, error) { return w.open(runs[run-1], lane), nil }
		c, err := e.Compare(t.Context(), task)
		must(t, err)
		return c
	}
	for k := 1; k < len(cuts); k++ {
		if c := compare(tasks[:k], cuts[k]); c.Wrong != 0 || c.Rows == 0 || c.Files != c.Recompute || c.Files == "" {
			t.Fatalf("after run %d: %+v", k, c)
		}
	}
	for name, c := range map[string]*recompute.Comparison{
		"a run is missing":  compare([]*recompute.Task{tasks[0], tasks[2]}, cuts[3]),
		"a run too many":    compare(tasks, cuts[2]),
		"the archive grew":  compare(tasks[:1], cuts[3]),
		"there is no file":  compare(nil, cuts[1]),
		"nothing is in cut": compare(tasks[:1], nil),
	} {
		if c.Wrong == 0 || len(c.First) == 0 || c.Files == c.Recompute {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestHeapsOfOtherTypes scans two sources by one worker, of which one has a number where the other one has a text: a heap of
// the second must hold nothing of the first. Views are keyed by these fields.
func TestHeapsOfOtherTypes(t *testing.T) {
	w := newWorld(t, 9)
	spec := items()
	spec.Entity = []view.KeySpec{{Kind: "secs", Fields: []string{"secs"}}}
	w.plans[1] = compile(t, spec)
	users, secs := w.task(w.plans[0], 1, 4, nil, w.cut(1)), w.task(w.plans[1], 1, 4, nil, w.cut(1))
	outs := w.run(&recompute.Engine{Archive: w.archive, Workers: 1}, users, secs)
	w.check(users, outs[0])
	w.check(secs, outs[1])
}
