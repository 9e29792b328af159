package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/batchtest"
	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/schedule"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// world is a random log of two sources, its archive, a store, and a job of two views.
type world struct {
	t       testing.TB
	batches []*column.Batch
	archive *batchtest.Archive
	store   *memstore.Store
	plans   []*view.Plan
	state   string
	every   int64 // runs in which a hash range gets one base

	mu     sync.Mutex
	events []service.Event
}

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

func items() view.Spec {
	return view.Spec{
		Job: "shop", Name: "item", Sources: viewtest.Sources()[1:], Entity: []view.KeySpec{{Kind: "item", Fields: []string{"item"}}}, Lanes: 4,
		Features: []view.FeatureSpec{{Name: "n", Op: "count"}, {Name: "spent", Op: "sum", Value: []string{"price"}}},
	}
}

func newWorld(t testing.TB, seed uint64) *world {
	t.Helper()
	users := viewtest.Spec()
	users.Lanes = 2
	w := &world{t: t, plans: []*view.Plan{compile(t, users), compile(t, items())}, store: memstore.New(), state: filepath.Join(t.TempDir(), "state"), every: []int64{2, 32, 1, 3, 5}[seed%5]}
	log := viewtest.Log{Partitions: [2]int{2, 2}, Rows: 120, Users: 12}
	w.batches = log.Batches(rand.New(rand.NewPCG(seed, 0)), w.plans[0].Spec().Sources)
	w.archive = batchtest.NewArchive(64, w.batches)
	return w
}

// grow archives every partition up to about a part of it.
func (w *world) grow(part float64) {
	for _, p := range w.archive.Partitions() {
		w.archive.Grow(p, int64(part*float64(w.archive.End(p)+64)))
	}
}

func (w *world) config() service.Config {
	every, err := schedule.Parse("@every 15s")
	must(w.t, err)
	return service.Config{
		Job: "shop", Plans: w.plans, State: w.state, Archive: w.archive, Store: w.store, Schedule: every, Every: w.every,
		Limits: publish.Limits{RowsPerSecond: -1, BytesPerSecond: -1, RowsPerCall: 5},
		Logger: slog.New(slog.DiscardHandler),
		Events: func(e service.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
}

func (w *world) service() *service.Service {
	s, err := service.New(w.config())
	must(w.t, err)
	return s
}

// told returns how many events of a kind there were.
func (w *world) told(kind service.EventKind) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// manifest returns a view's manifest as a reader finds it.
func (w *world) manifest(name string) *manifest.Manifest {
	w.t.Helper()
	_, body, err := w.store.Manifest(w.t.Context(), manifest.Key("shop", name))
	must(w.t, err)
	m, err := manifest.Decode(body)
	must(w.t, err)
	return m
}

// verify reads all that a reader can, and compares it with what the oracle makes of the log below the cut.
func (w *world) verify() {
	w.t.Helper()
	for _, plan := range w.plans {
		m := w.manifest(plan.Spec().Name)
		g := m.Served()
		if g == nil || g.Revision != plan.Revision() {
			w.t.Fatalf("%+v", m)
		}
		w.verifyGeneration(m, g)
	}
}

// verifyGeneration reads all that a reader of one generation can, and compares it.
func (w *world) verifyGeneration(m *manifest.Manifest, g *manifest.Generation) {
	w.t.Helper()
	plan := compile(w.t, g.Spec)
	marks, err := w.store.Marks(w.t.Context(), m.LaneIDs(g))
	must(w.t, err)
	want := w.expect(plan, g.Cut)
	for key, body := range want {
		if got := w.body(plan, m, g, marks, key); !bytes.Equal(got, body) {
			w.t.Fatalf("view %s, generation %d, %s: got %x, want %x", m.View, g.Number, key, got, body)
		}
	}
	w.checkMarks(g, marks)
	rows := 0
	must(w.t, w.store.Scan(w.t.Context(), m.Namespace(g), func(id lane.RowID) error {
		if b, _, _ := marks[id.Lane.N].Batch(); b.Incarnation == id.Incarnation {
			rows++
		}
		return nil
	}))
	if rows != len(want) {
		w.t.Fatalf("view %s, generation %d: %d rows, want %d", m.View, g.Number, rows, len(want))
	}
}

func (w *world) checkMarks(g *manifest.Generation, marks []lane.Marks) {
	w.t.Helper()
	for n := range marks {
		b, begun, err := marks[n].Batch()
		if err != nil || !begun || b.Run != g.Run+1 {
			w.t.Fatalf("lane %d: %v after run %d", n, marks[n], g.Run)
		}
		for p, next := range g.Cut {
			if mark, ok, err := marks[n].Partition(p); err != nil || !ok || !mark.Joined() || mark.Next < next {
				w.t.Fatalf("lane %d, %s: mark %+v below cut %d, %v", n, p, mark, next, err)
			}
		}
	}
}

// body merges a row.
func (w *world) body(plan *view.Plan, m *manifest.Manifest, g *manifest.Generation, marks []lane.Marks, key string) []byte {
	w.t.Helper()
	id := lane.ID{Namespace: m.Namespace(g), N: lane.Of(view.Hash([]byte(key)), g.Lanes)}
	b, _, err := marks[id.N].Batch()
	must(w.t, err)
	rows, err := w.store.Rows(w.t.Context(), []lane.RowID{{Lane: id, Incarnation: b.Incarnation, Key: []byte(key)}})
	must(w.t, err)
	if n := int64(len(rows[0])); n > max(1, w.every) {
		w.t.Fatalf("view %s, %s: %d tiles with a base each %d runs", m.View, key, n, w.every)
	}
	merger := plan.NewMerger()
	merger.Reset()
	for _, tile := range rows[0] {
		_, err := merger.AddTile(tile)
		must(w.t, err)
	}
	must(w.t, merger.Finish())
	if !merger.Found() {
		return nil
	}
	return merger.AppendBody(nil)
}

// expect computes all bodies of a view from the log below a cut.
func (w *world) expect(plan *view.Plan, cut position.Cut) map[string][]byte {
	w.t.Helper()
	o, err := oracle.New(plan)
	must(w.t, err)
	events := map[string][]oracle.Event{}
	for _, b := range w.batches {
		rank := plan.SourceRank(b.Source.Name)
		if rank < 0 {
			continue
		}
		own := &plan.Spec().Sources[rank]
		c := column.NewBatch(own, b.Partition, false)
		all := make([]int, len(own.Fields))
		for i := range all {
			all[i] = i
		}
		for row := range b.N {
			batchtest.CopyRow(c, b, row, all)
			e := oracle.Event{Batch: c, Row: row}
			if key, ok := o.Key(e); ok && b.Offset[row] < cut[position.Partition{Source: b.Source.Name, ID: b.Partition}] {
				events[key] = append(events[key], e)
			}
		}
	}
	bodies := map[string][]byte{}
	for key, list := range events {
		bodies[key], err = o.Body(list)
		must(w.t, err)
	}
	return bodies
}

// TestOnce takes a job from nothing over three runs: what is served is the oracle's, nothing new is no run, a full check
// finds nothing wrong, and versions tell of it.
func TestOnce(t *testing.T) {
	w := newWorld(t, 1)
	for i, part := range []float64{0, 0.4, 0.4, 0.7, 1} {
		w.grow(part)
		r, err := w.service().Once(t.Context())
		must(t, err)
		if wantRuns := []int{0, 2, 0, 2, 2}[i]; len(r.Runs) != wantRuns || (r.Skipped != "") != (wantRuns == 0) {
			t.Fatalf("step %d: %+v", i, r)
		}
		for _, run := range r.Runs {
			if full := run.Kind == journal.Full; full != (i == 1) || run.Checked.Sampled == 0 || run.Digest == "" {
				t.Fatalf("step %d: %+v", i, run)
			}
		}
		w.verify()
	}
	c, err := w.service().Check(t.Context())
	must(t, err)
	if c.Wrong() != 0 || len(c.Views) != 2 || c.Views[0].Run != 3 || c.Views[0].Rows == 0 || c.Views[0].Files != c.Views[0].Recompute {
		t.Fatalf("%+v", c)
	}
	versions, err := service.Versions(t.Context(), w.state, "shop", []string{"visitor", "item", "none"}, w.store.Marks)
	must(t, err)
	if len(versions) != 2 || len(versions[0].Runs) != 3 || versions[0].State != manifest.Served || versions[0].Runs[2].Published != 2 || versions[1].Runs[0].Published != 4 {
		t.Fatalf("%+v", versions)
	}
}

// TestLanesBeforeTheFirstRun shows that lanes are begun, joined at the origin, before there is any run: speed need not
// wait.
func TestLanesBeforeTheFirstRun(t *testing.T) {
	w := newWorld(t, 2)
	w.grow(0.01) // archived, but no complete block
	r, err := w.service().Once(t.Context())
	must(t, err)
	m := w.manifest("visitor")
	marks, err := w.store.Marks(t.Context(), m.LaneIDs(m.Served()))
	must(t, err)
	if b, begun, _ := marks[0].Batch(); len(r.Runs) != 0 || !begun || b.Run != 1 || b.WholeFrom != 0 || m.Served().Run != 0 {
		t.Fatalf("%+v, %v", r, marks)
	}
	for p, origin := range m.Served().Origin {
		if mark, ok, err := marks[1].Partition(p); !ok || err != nil || !mark.Joined() || mark.Next != origin {
			t.Fatalf("%s: %+v, want joined at %d", p, mark, origin)
		}
	}
	w.grow(1)
	_, err = w.service().Once(t.Context())
	must(t, err)
	w.verify()
}

// TestKilled kills the role at every step that it takes, of store and archive, and begins anew: in the end the run files
// and what is served are those of a role that was left alone.
func TestKilled(t *testing.T) {
	var want []string
	last := 3
	for kill := 0; kill <= last; kill++ {
		w := newWorld(t, 3)
		w.grow(0.5)
		steps := 0
		ctx, cancel := context.WithCancel(t.Context())
		step := func() {
			if steps++; steps == kill {
				cancel()
			}
		}
		w.store.SetFaults(func(memstore.Op) memstore.Fate { step(); return memstore.Deliver })
		w.archive.Spoil = func(recompute.Piece, int, *column.Batch) error { step(); return nil }
		cfg := w.config()
		cfg.Workers = 1
		s, err := service.New(cfg)
		must(t, err)
		_, err = s.Once(ctx)
		if kill > 0 && err == nil && ctx.Err() == nil {
			t.Fatalf("not killed at step %d", kill)
		}
		if kill == 0 {
			// A step in three is enough, and each of the last ones, in which the store is written.
			last = steps
		} else if kill < last-30 {
			kill += 4
		}
		cancel()
		w.store.SetFaults(nil)
		w.archive.Spoil = nil
		_, err = w.service().Once(t.Context())
		must(t, err)
		w.verify()
		if got := w.digests(); want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Fatalf("killed at step %d: digests %v, want %v", kill, got, want)
		}
	}
}

// digests returns those of all runs.
func (w *world) digests() (all []string) {
	w.t.Helper()
	versions, err := service.Versions(w.t.Context(), w.state, "shop", []string{"visitor", "item"}, nil)
	must(w.t, err)
	for _, v := range versions {
		for _, r := range v.Runs {
			all = append(all, fmt.Sprintf("%s %d %s %s", v.View, r.Run, r.State, r.Digest))
		}
	}
	return all
}

// TestRun runs the role for an hour and a half in which the archive grows, the store goes away, loses its last changes, a
// lane, and everything: it ends with everything served, made by one run for each time that something was new.
func TestRun(t *testing.T) {
	for seed := range uint64(2) {
		w := newWorld(t, seed)
		synctest.Test(t, func(t *testing.T) {
			rng, fates := rand.New(rand.NewPCG(seed, 9)), rand.New(rand.NewPCG(seed, 10))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- w.service().Run(ctx) }()
			grown := 0
			for minute := range 90 {
				time.Sleep(time.Minute)
				switch rng.IntN(8) {
				case 0:
					if minute < 80 {
						w.grow(float64(minute+1) / 80)
						grown++
					}
				case 1:
					w.store.LoseSuffix(rng.IntN(min(20, w.store.History()) + 1))
				case 2:
					w.store.SetFaults(nil)
					w.store.EmptyLane(w.manifestLane(rng))
				case 3:
					if rng.IntN(3) == 0 {
						w.store.Empty()
					}
				case 4:
					w.store.SetFaults(func(memstore.Op) memstore.Fate {
						w.mu.Lock() // the role's goroutines come here
						defer w.mu.Unlock()
						return []memstore.Fate{memstore.Deliver, memstore.LoseCall, memstore.LoseReply}[fates.IntN(3)]
					})
				default:
					w.store.SetFaults(nil)
				}
			}
			w.store.SetFaults(nil)
			time.Sleep(time.Minute)
			cancel()
			if err := <-done; err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			w.verify()
			m := w.manifest("visitor")
			// A tick of the very moment in which the archive grows may find a part of it, and the next one the rest.
			if w.told(service.EventFailed) > 0 || m.Served().Run > int64(2*grown) || w.told(service.EventSkipped) < 90*4-2*grown-1 {
				t.Fatalf("seed %d: run %d after growing %d times, %d times nothing new", seed, m.Served().Run, grown, w.told(service.EventSkipped))
			}
		})
	}
}

// manifestLane returns a lane of a view that may have been begun.
func (w *world) manifestLane(rng *rand.Rand) lane.ID {
	id := lane.ID{Namespace: "none", N: 0}
	if seq, _, err := w.store.Manifest(context.Background(), "shop.visitor"); err == nil && seq > 0 {
		m := w.manifest("visitor")
		id = lane.ID{Namespace: m.Namespace(m.Served()), N: rng.IntN(2)}
	}
	return id
}

// TestTwoRoles runs two roles over one state folder and one store: both go on, and what is served is right.
func TestTwoRoles(t *testing.T) {
	w := newWorld(t, 5)
	w.grow(0.3)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		for range 2 {
			go func() { done <- w.service().Run(ctx) }()
		}
		for part := 0.3; part < 1.05; part += 0.1 {
			time.Sleep(time.Minute)
			w.grow(part)
		}
		time.Sleep(time.Minute)
		cancel()
		must(t, errors.Join(<-done, <-done))
	})
	w.verify()
	c, err := w.service().Check(t.Context())
	must(t, err)
	if c.Wrong() != 0 {
		t.Fatalf("%+v", c)
	}
}

// liar is a judge that leaves out an event of the first of the two views.
type liar struct{ *oracle.Oracle }

func (l liar) Body(events []oracle.Event) ([]byte, error) {
	return l.Oracle.Body(events[:max(1, len(events)-1)])
}

func lie(p *view.Plan) (recompute.Judge, error) {
	o, err := oracle.New(p)
	if p.Spec().Name != "visitor" {
		return o, err
	}
	return liar{o}, err
}

// runUntilFailure runs the role with a judge that lies; its runs fail and its care of lanes goes on.
func (w *world) runUntilFailure() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg := w.config()
	failed := make(chan struct{})
	cfg.Events = func(e service.Event) {
		if e.Kind == service.EventFailed {
			close(failed)
		}
	}
	s, err := service.New(cfg)
	must(w.t, err)
	s.SetJudge(lie)
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-failed:
	case <-time.After(5 * time.Minute):
		cancel()
		w.t.Fatalf("no run has failed its check within 5 minutes; the role ends with %v", <-done)
	}
	m := w.manifest("visitor")
	w.store.EmptyLane(m.LaneIDs(m.Served())[0])
	w.awaitLane(m.LaneIDs(m.Served())[0])
	if f := s.Figures(); !errors.Is(s.Failure(), service.ErrCheck) || f.Failed != 1 || !f.Looked.IsZero() {
		w.t.Errorf("failure %v, figures %+v", s.Failure(), f)
	}
	cancel()
	if err := <-done; !errors.Is(err, service.ErrCheck) || !strings.Contains(err.Error(), "view visitor") {
		w.t.Fatalf("got %v", err)
	}
}

// awaitLane waits until a lane is begun.
func (w *world) awaitLane(id lane.ID) {
	for range 1000 {
		marks, err := w.store.Marks(w.t.Context(), []lane.ID{id})
		must(w.t, err)
		if _, begun, _ := marks[0].Batch(); begun {
			return
		}
		time.Sleep(time.Second)
	}
	w.t.Fatalf("lane %s is not begun", id)
}

// TestFailedCheck shows that a run whose sampled rows are wrong is written down as failed and not published, that no more
// runs are made while lanes are cared for, and that it is repeated, with the cut that it was registered with, when the
// cause is gone.
func TestFailedCheck(t *testing.T) {
	w := newWorld(t, 6)
	w.grow(0.5)
	for range 2 {
		synctest.Test(t, func(*testing.T) { w.runUntilFailure() })
	}
	versions, err := service.Versions(t.Context(), w.state, "shop", []string{"visitor", "item"}, nil)
	must(t, err)
	// The other view's run is right, and is kept.
	if versions[0].Runs[0].State != service.RunFailed || versions[1].Runs[0].State != service.RunChecked {
		t.Fatalf("%+v", versions)
	}
	if m := w.manifest("visitor"); m.Served().Run != 0 {
		t.Fatalf("%+v", m)
	}
	w.grow(1)
	r, err := w.service().Once(t.Context())
	must(t, err)
	if len(r.Runs) != 2 || !r.Runs[0].Cut.Equal(versions[0].Runs[0].Cut) {
		t.Fatalf("%+v", r)
	}
	_, err = w.service().Once(t.Context())
	must(t, err)
	w.verify()
}

// TestRefusals shows what a role does not go on with, and that it says what to do.
func TestRefusals(t *testing.T) {
	prepare := func(t *testing.T) *world {
		w := newWorld(t, 7)
		w.grow(0.5)
		_, err := w.service().Once(t.Context())
		must(t, err)
		return w
	}
	tests := map[string]struct {
		spoil func(w *world)
		class error
		says  string
	}{
		"another state folder":  {func(w *world) { w.foreign() }, service.ErrForeign, "use the state folder that the store was filled from"},
		"an older state folder": {func(w *world) { w.older() }, publish.ErrNewer, "restore the newer state folder"},
		"other blocks":          {func(w *world) { w.edit(func(s *view.Spec) { s.Sources[0].Block = 16 }) }, service.ErrRevision, "rebuild JOB visitor --block 16"},
		"a damaged journal": {func(w *world) {
			must(w.t, os.WriteFile(filepath.Join(w.state, "shop", "visitor", "journal", "00000001.json"), nil, 0o600))
		}, journal.ErrDamaged, "00000001.json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := prepare(t)
			test.spoil(w)
			_, err := w.service().Once(t.Context())
			if !errors.Is(err, test.class) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Once: got %v", err)
			}
			if err := w.service().Run(t.Context()); !errors.Is(err, test.class) {
				t.Errorf("Run: got %v", err)
			}
		})
	}
}

// foreign exchanges the state folder for that of another store.
func (w *world) foreign() {
	own := w.store
	w.state, w.store = w.t.TempDir(), memstore.New()
	_, err := w.service().Once(w.t.Context())
	must(w.t, err)
	w.store = own
}

// older takes the last entry off the journal of the first view, as a restored backup lacks it.
func (w *world) older() {
	dirs, err := filepath.Glob(filepath.Join(w.state, "shop", "visitor", "*", "journal"))
	must(w.t, err)
	files, err := filepath.Glob(filepath.Join(dirs[0], "*.json"))
	must(w.t, err)
	must(w.t, os.Remove(slices.Max(files)))
}

// TestSpelledAnew shows that an edit that decides answers only reaches the manifest without a rebuild.
func TestSpelledAnew(t *testing.T) {
	w := newWorld(t, 8)
	w.grow(0.5)
	_, err := w.service().Once(t.Context())
	must(t, err)
	before := w.manifest("visitor")
	spec := *w.plans[0].Spec()
	spec.Features = slices.Clone(spec.Features)
	spec.Features[0].Name, spec.Features[0].Default = "renamed", []byte("7")
	w.plans[0] = compile(t, spec)
	for range 2 {
		_, err = w.service().Once(t.Context())
		must(t, err)
	}
	after := w.manifest("visitor")
	if after.Seq != before.Seq+1 || after.Served().Identity != before.Served().Identity || after.Served().Spec.Features[0].Name != "renamed" {
		t.Fatalf("%d %d %+v", before.Seq, after.Seq, after.Served().Spec.Features[0])
	}
	w.verify()
}

// TestTroubleOfOneLane shows that the role goes on while one lane needs somebody, tells of it once, and fills it when its
// marks are deleted, as the message says.
func TestTroubleOfOneLane(t *testing.T) {
	w := newWorld(t, 9)
	w.grow(0.5)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.service().Run(ctx) }()
		time.Sleep(10 * time.Second)
		m := w.manifest("visitor")
		id := m.LaneIDs(m.Served())[1]
		w.store.Apply(ctx, []lane.Call{{Lane: id, Name: lane.BatchName, AnyMark: true, Set: "nonsense"}})
		time.Sleep(10 * time.Second)
		w.grow(1)
		time.Sleep(time.Minute)
		if n := w.told(service.EventTrouble); n != 1 || w.told(service.EventRecovered) != 0 {
			t.Errorf("told of trouble %d times", n)
		}
		w.store.Apply(ctx, []lane.Call{{Lane: id, Name: "none", AnyMark: true, Replace: map[string]string{}}})
		time.Sleep(10 * time.Second)
		if w.told(service.EventRecovered) != 1 {
			t.Error("the trouble is not over")
		}
		cancel()
		must(t, <-done)
	})
	w.verify()
}

func TestStoreAway(t *testing.T) {
	w := newWorld(t, 10)
	w.grow(0.5)
	w.store.SetFaults(func(memstore.Op) memstore.Fate { return memstore.LoseCall })
	synctest.Test(t, func(t *testing.T) {
		cfg := w.config()
		cfg.Wait = time.Minute
		s, err := service.New(cfg)
		must(t, err)
		start := time.Now()
		if _, err := s.Once(t.Context()); !errors.Is(err, lane.ErrUnavailable) || time.Since(start) < time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
	w.store.SetFaults(nil)
	_, err := w.service().Once(t.Context())
	must(t, err)
	w.verify()
}

func TestStatus(t *testing.T) {
	w := newWorld(t, 11)
	w.grow(1)
	s := w.service()
	if len(s.Status()) != 0 {
		t.Fatal("a status before anything")
	}
	_, err := s.Once(t.Context())
	must(t, err)
	f := s.Figures()
	if f.Runs[journal.Full] != 2 || len(f.Runs) != 1 || f.Failed != 0 || f.Events == 0 || f.Took == 0 || f.Made.IsZero() || f.Looked.Before(f.Made) {
		t.Fatalf("%+v", f)
	}
	all := s.Status()
	if f.Published.Begun != 6 || all[0].Rows == 0 || f.Published.Rows != all[0].Rows+all[1].Rows || f.Published.Bytes == 0 {
		t.Fatalf("%+v of %+v", f.Published, all)
	}
	if len(all) != 2 || all[0].Run != 1 || all[0].Kind != journal.Full || all[0].Pending != 0 || !all[0].Lanes.Complete() || all[0].Lanes.Lanes != 2 {
		t.Fatalf("%+v", all)
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t, 12)
	for name, spoil := range map[string]func(*service.Config){
		"no job":      func(c *service.Config) { c.Job = "" },
		"another job": func(c *service.Config) { c.Job = "other" },
		"no view":     func(c *service.Config) { c.Plans = nil },
		"twice":       func(c *service.Config) { c.Plans = append(slices.Clone(c.Plans), c.Plans[0]) },
		"no state":    func(c *service.Config) { c.State = "" },
		"no store":    func(c *service.Config) { c.Store = nil },
	} {
		cfg := w.config()
		spoil(&cfg)
		if _, err := service.New(cfg); !errors.Is(err, service.ErrConfig) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
