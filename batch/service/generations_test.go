package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/schedule"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/view"
)

// edit changes the first view's definition.
func (w *world) edit(change func(*view.Spec)) {
	w.t.Helper()
	spec := *w.plans[0].Spec()
	spec.Features, spec.Sources = slices.Clone(spec.Features), slices.Clone(spec.Sources)
	change(&spec)
	w.plans[0] = compile(w.t, spec)
}

// onlyFavs is an edit that changes states.
func onlyFavs(s *view.Spec) { s.Features[0].Where = "kind == 'fav'" }

// once makes a run.
func (w *world) once() service.Report {
	w.t.Helper()
	r, err := w.service().Once(w.t.Context())
	must(w.t, err)
	return r
}

// verifyAll verifies every generation of every view that is fed, and wants the first view's to be in these states.
func (w *world) verifyAll(states ...manifest.State) {
	w.t.Helper()
	for _, plan := range w.plans {
		m := w.manifest(plan.Spec().Name)
		var got []manifest.State
		for i := range m.Generations {
			if got = append(got, m.Generations[i].State); got[i] != manifest.Dropped {
				w.verifyGeneration(m, &m.Generations[i])
			}
		}
		if plan == w.plans[0] && !slices.Equal(got, states) {
			w.t.Fatalf("generations are %v, want %v", got, states)
		}
	}
}

// TestEditedView goes the whole way of an edit: built beside the served one, promoted, back, promoted, the old one dropped;
// runs go on in between, and every generation that is fed is right after each step.
func TestEditedView(t *testing.T) {
	w := newWorld(t, 20)
	w.grow(0.3)
	w.once()
	w.edit(onlyFavs)
	if r := w.once(); len(r.Runs) != 1 || r.Runs[0].Generation != 2 || r.Runs[0].Run != 1 {
		t.Fatalf("%+v", r.Runs)
	}
	w.verifyAll(manifest.Served, manifest.Building)
	w.grow(0.5)
	if r := w.once(); len(r.Runs) != 3 {
		t.Fatalf("%+v", r.Runs)
	}
	must(t, w.service().Promote(t.Context(), "visitor", 2))
	w.verifyAll(manifest.Kept, manifest.Served)
	w.grow(0.7)
	w.once()
	w.verifyAll(manifest.Kept, manifest.Served)
	n, err := w.service().Rollback(t.Context(), "visitor")
	if must(t, err); n != 1 {
		t.Fatalf("rolled back to %d", n)
	}
	w.verifyAll(manifest.Served, manifest.Kept)
	if _, err := w.service().Rollback(t.Context(), "visitor"); !errors.Is(err, service.ErrChoice) {
		t.Fatalf("a rollback of the first: %v", err)
	}
	w.grow(0.9)
	w.once()
	must(t, w.service().Promote(t.Context(), "visitor", 2))
	if err := w.service().Drop(t.Context(), "visitor", 2); !errors.Is(err, service.ErrChoice) {
		t.Fatalf("dropping what is served: %v", err)
	}
	must(t, w.service().Drop(t.Context(), "visitor", 1))
	if _, err := w.service().Rollback(t.Context(), "visitor"); !errors.Is(err, service.ErrChoice) || !strings.Contains(err.Error(), "dropped") {
		t.Fatalf("a rollback to what was dropped: %v", err)
	}
	w.grow(1)
	if r := w.once(); len(r.Runs) != 2 {
		t.Fatalf("runs after the drop: %+v", r.Runs)
	}
	w.verifyAll(manifest.Dropped, manifest.Served)
	w.wantDropped(1)
	if w.told(service.EventCreated) != 3 || w.told(service.EventDropped) != 1 {
		t.Fatal("two views begun and one edited make three generations, of which one was dropped")
	}
}

// wantDropped wants every lane of a generation of the first view to say that it was dropped, and nothing else.
func (w *world) wantDropped(number int) {
	w.t.Helper()
	m := w.manifest("visitor")
	marks, err := w.store.Marks(w.t.Context(), m.LaneIDs(&m.Generations[number-1]))
	must(w.t, err)
	for n, lm := range marks {
		if len(lm) != 1 || lm[lane.BatchName] != lane.Dropped {
			w.t.Fatalf("lane %d of a dropped generation has the marks %v", n, lm)
		}
	}
}

// TestPromoteWaits shows what promote refuses, and that the error names what is missing.
func TestPromoteWaits(t *testing.T) {
	w := newWorld(t, 21)
	w.grow(0.3)
	w.once()
	n, err := w.service().Rebuild(t.Context(), "visitor")
	if must(t, err); n != 2 {
		t.Fatalf("rebuild made generation %d", n)
	}
	refused := func(number int64, class error, says string) {
		t.Helper()
		if err := w.service().Promote(t.Context(), "visitor", number); !errors.Is(err, class) || !strings.Contains(err.Error(), says) {
			t.Errorf("promoting %d: got %v, want it to say %q", number, err, says)
		}
	}
	refused(1, service.ErrChoice, "served already")
	refused(3, service.ErrChoice, "no generation 3")
	refused(2, service.ErrNotReady, "it has no run yet")
	w.once()
	m := w.manifest("visitor")
	id := m.LaneIDs(&m.Generations[1])[1]
	w.store.EmptyLane(id)
	refused(2, service.ErrNotReady, "lane 01 is not begun")
	w.once()
	// The served generation has taken in more than this one.
	ahead := m.LaneIDs(&m.Generations[0])[0]
	marks, err := w.store.Marks(t.Context(), []lane.ID{ahead})
	must(t, err)
	p := m.Served().Cut.Partitions()[0]
	mark, _, err := marks[0].Partition(p)
	must(t, err)
	was := mark.Wire()
	mark.Next += 7
	w.store.Apply(t.Context(), []lane.Call{{Lane: ahead, Name: p.String(), Expect: was, Set: mark.Wire()}})
	refused(2, service.ErrNotReady, "the served generation is at")
	must(t, w.service().Drop(t.Context(), "visitor", 2))
	refused(2, service.ErrChoice, "dropped")
}

// beforeManifest is a store in front of which something happens before a manifest is read the first time.
type beforeManifest struct {
	service.Store
	once sync.Once
	do   func()
}

func (s *beforeManifest) Manifest(ctx context.Context, key string) (int64, []byte, error) {
	s.once.Do(s.do)
	return s.Store.Manifest(ctx, key)
}

// TestCommandBesideARun: another process makes a run, and tells the store, between a command's reading of the journals and of
// the store, which is then ahead of what was read and not of the journals.
func TestCommandBesideARun(t *testing.T) {
	w := newWorld(t, 29)
	w.grow(0.3)
	w.once()
	cfg := w.config()
	cfg.Store = &beforeManifest{Store: w.store, do: func() {
		w.grow(0.3)
		if r := w.once(); len(r.Runs) == 0 {
			t.Error("there was no run: the test has lost its point")
		}
	}}
	s, err := service.New(cfg)
	must(t, err)
	n, err := s.Rebuild(t.Context(), "visitor")
	if must(t, err); n != 2 {
		t.Fatalf("rebuild made generation %d", n)
	}
	w.verify()
}

// TestCommandsBesideARole rebuilds, promotes and drops beside a running role, which follows within seconds and has no tick
// in between; dropped rows go after the grace.
func TestCommandsBesideARole(t *testing.T) {
	w := newWorld(t, 22)
	w.grow(0.6)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		cfg := w.config()
		weekly, err := schedule.Parse("@weekly")
		must(t, err)
		cfg.Schedule = weekly
		role, err := service.New(cfg)
		must(t, err)
		go func() { done <- role.Run(ctx) }()
		time.Sleep(10 * time.Second)
		for _, number := range []int64{2, 3} {
			_, err := w.service().Rebuild(t.Context(), "visitor")
			must(t, err)
			time.Sleep(10 * time.Second)
			must(t, w.service().Promote(t.Context(), "visitor", number))
			must(t, w.service().Drop(t.Context(), "visitor", number-1))
			time.Sleep(2 * time.Second)
			w.wantDropped(int(number - 1))
		}
		w.verifyAll(manifest.Dropped, manifest.Dropped, manifest.Served)
		m := w.manifest("visitor")
		if n := w.rowsOf(m.Namespace(&m.Generations[0])); n == 0 {
			t.Error("rows went before the grace")
		}
		w.reviveLane(m.LaneIDs(&m.Generations[0])[0])
		time.Sleep(2*publish.Grace + 2*time.Minute)
		for i := range 2 {
			if n := w.rowsOf(m.Namespace(&m.Generations[i])); n != 0 {
				t.Errorf("%d rows of generation %d are left", n, i+1)
			}
			w.wantDropped(i + 1)
		}
		if files, err := filepath.Glob(filepath.Join(w.state, "shop", "visitor", m.Generations[0].Identity, "runs", "*")); err != nil || len(files) > 0 {
			t.Errorf("run files are left: %v %v", files, err)
		}
		cancel()
		must(t, <-done)
	})
	w.verifyAll(manifest.Dropped, manifest.Dropped, manifest.Served)
}

// reviveLane begins a dropped lane, as a store restored from an old dump does.
func (w *world) reviveLane(id lane.ID) {
	w.store.Apply(w.t.Context(), []lane.Call{{
		Lane: id, Name: lane.BatchName, AnyMark: true, RowsOf: "zzzzzzzzzz", Set: lane.BatchMark{Incarnation: "zzzzzzzzzz", Run: 2}.Wire(),
		Rows: []lane.RowChange{{Key: []byte("user:old"), Set: []lane.Field{{Name: "b1", Value: []byte("x")}}}},
	}})
}

func (w *world) rowsOf(namespace string) (n int) {
	w.t.Helper()
	must(w.t, w.store.Scan(w.t.Context(), namespace, func(lane.RowID) error { n++; return nil }))
	return n
}

// TestStateLost: without its state folder a role inherits what the store has, which goes on being served, and builds a new
// generation beside it. The folder that was lost is refused when it turns up again.
func TestStateLost(t *testing.T) {
	w := newWorld(t, 23)
	w.grow(0.4)
	w.once()
	w.edit(onlyFavs)
	w.once() // a generation that is being built when the folder is lost
	before := w.manifest("visitor")
	old := w.state
	w.state = filepath.Join(t.TempDir(), "state")
	w.grow(0.6)
	w.once()
	after := w.manifest("visitor")
	if after.Seq <= before.Seq || after.Served().Identity != before.Served().Identity || after.Served().Run != before.Served().Run {
		t.Fatalf("%+v", after)
	}
	w.wantDropped(2)
	w.verifyGeneration(after, after.Served())
	w.verifyGeneration(after, &after.Generations[2])
	w.state, old = old, w.state
	_, err := w.service().Once(t.Context())
	if !errors.Is(err, service.ErrForeign) && !errors.Is(err, publish.ErrNewer) || !strings.Contains(err.Error(), "state folder") {
		t.Fatalf("the folder that was lost: %v", err)
	}
	if again := w.manifest("visitor"); again.Seq != after.Seq {
		t.Fatalf("it moved the manifest from %d to %d", after.Seq, again.Seq)
	}
	w.state = old
	w.grow(0.8)
	if r := w.once(); len(r.Runs) != 2 || r.Runs[0].Generation != 3 {
		t.Fatalf("%+v", r.Runs)
	}
	must(t, w.service().Promote(t.Context(), "visitor", 3))
	must(t, w.service().Promote(t.Context(), "item", 2))
	w.verify()
	n, err := w.service().Rollback(t.Context(), "visitor")
	if !errors.Is(err, service.ErrNotReady) {
		t.Fatalf("generation %d is behind, for nobody feeds it here: %v", n, err)
	}
	must(t, w.service().Drop(t.Context(), "visitor", 1))
	w.once()
	w.wantDropped(1)
	versions, err := service.Versions(t.Context(), w.state, "shop", []string{"visitor"}, w.store.Marks)
	must(t, err)
	if len(versions) != 3 || !versions[0].Inherited || versions[0].State != manifest.Dropped || versions[2].State != manifest.Served {
		t.Fatalf("%+v", versions)
	}
}

// TestStateTakenAway: a role whose state folder is taken away or emptied while it runs ends, and writes no new history.
func TestStateTakenAway(t *testing.T) {
	w := newWorld(t, 24)
	w.grow(0.4)
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error)
		go func() { done <- w.service().Run(t.Context()) }()
		time.Sleep(10 * time.Second)
		must(t, os.Rename(w.state, w.state+"-away"))
		w.grow(1)
		if err := <-done; err == nil {
			t.Error("the role went on")
		}
	})
	if _, err := os.Stat(filepath.Join(w.state, "shop", "visitor", "journal")); err == nil {
		t.Error("a new history was begun")
	}
}

// TestSpelledEverywhere: documentation, owner and default reach every generation of the revision, and make none.
func TestSpelledEverywhere(t *testing.T) {
	w := newWorld(t, 25)
	w.grow(0.4)
	w.once()
	_, err := w.service().Rebuild(t.Context(), "visitor")
	must(t, err)
	w.once()
	w.edit(func(s *view.Spec) {
		s.Features[0].Doc, s.Features[0].Owner, s.Features[0].Default = "other words", "others", []byte("7")
	})
	w.once()
	m := w.manifest("visitor")
	for i := range m.Generations {
		if f := m.Generations[i].Spec.Features[0]; f.Doc != "other words" || f.Owner != "others" || string(f.Default) != "7" {
			t.Errorf("generation %d: %+v", i+1, f)
		}
	}
	w.verifyAll(manifest.Served, manifest.Building)
}

// TestOtherBlocks: a generation may have other blocks than the one before, where rebuild says so.
func TestOtherBlocks(t *testing.T) {
	w := newWorld(t, 26)
	w.grow(0.5)
	w.once()
	w.edit(func(s *view.Spec) { s.Sources[0].Block = 16 })
	_, err := w.service().Rebuild(t.Context(), "visitor")
	must(t, err)
	w.grow(0.8)
	w.once()
	w.verifyAll(manifest.Served, manifest.Building)
	m := w.manifest("visitor")
	if m.Generations[0].Blocks["clicks"] != 8 || m.Generations[1].Blocks["clicks"] != 16 {
		t.Fatalf("blocks %v and %v", m.Generations[0].Blocks, m.Generations[1].Blocks)
	}
	// Readers place block tiles by what the generation's spec says.
	for i := range m.Generations {
		g := &m.Generations[i]
		for _, src := range g.Spec.Sources {
			if src.Block != g.Blocks[src.Name] {
				t.Errorf("generation %d has blocks of %d of source %s, and its spec says %d", g.Number, g.Blocks[src.Name], src.Name, src.Block)
			}
		}
	}
}

// TestRepeat: the role that stopped at a failed check goes on by itself when another process has repeated the run.
func TestRepeat(t *testing.T) {
	w := newWorld(t, 27)
	w.grow(0.5)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		s := w.service()
		s.SetJudge(lie)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(time.Minute)
		if err := s.Failure(); !errors.Is(err, service.ErrCheck) || !strings.Contains(err.Error(), "batch --repeat 1") {
			t.Errorf("failure %v", err)
		}
		if f := w.manifest("visitor").Served().Failed; f == nil || f.Run != 1 || f.Entity == "" {
			t.Errorf("the manifest says %+v", f)
		}
		if _, err := w.service().Repeat(t.Context(), 2); !errors.Is(err, service.ErrChoice) || !strings.Contains(err.Error(), "run 1 of generation 1") {
			t.Errorf("repeating another run: %v", err)
		}
		s.SetJudge(nil) // the cause is mended
		r, err := w.service().Repeat(t.Context(), 1)
		must(t, err)
		if len(r.Runs) != 1 || r.Runs[0].Run != 1 {
			t.Errorf("%+v", r.Runs)
		}
		time.Sleep(2 * time.Second)
		if s.Failure() != nil || w.told(service.EventResumed) != 1 || w.manifest("visitor").Served().Failed != nil {
			t.Errorf("it does not go on: %v", s.Failure())
		}
		w.grow(1)
		time.Sleep(time.Minute)
		cancel()
		must(t, <-done)
	})
	w.verify()
	if m := w.manifest("visitor"); m.Served().Run < 2 {
		t.Fatalf("run %d", m.Served().Run)
	}
}

// TestTwoRolesAndCommands lets two roles of one state folder and store, and commands of three processes at once, do what
// they want while lanes are emptied: each command does its work or says why not, and what is served is right.
func TestTwoRolesAndCommands(t *testing.T) {
	for seed := range uint64(2) {
		w := newWorld(t, 30+seed)
		w.grow(0.3)
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			for range 2 {
				go func() { done <- w.service().Run(ctx) }()
			}
			time.Sleep(20 * time.Second)
			for round := range 5 {
				w.grow(0.3 + 0.1*float64(round))
				w.commandsAtOnce(t)
				m := w.manifest("visitor")
				for i := range m.Generations {
					w.store.EmptyLane(m.LaneIDs(&m.Generations[i])[round%2])
				}
				time.Sleep(40 * time.Second)
			}
			time.Sleep(2 * time.Minute)
			cancel()
			must(t, errors.Join(<-done, <-done))
		})
		w.verify()
		m := w.manifest("visitor")
		for i := range m.Generations {
			if g := &m.Generations[i]; g.State == manifest.Dropped {
				w.wantDropped(i + 1)
			} else {
				w.verifyGeneration(m, g)
			}
		}
		if len(m.Generations) < 3 {
			t.Fatalf("seed %d: %d generations: the test has lost its point", seed, len(m.Generations))
		}
	}
}

// commandsAtOnce is three operators who do not know of each other.
func (w *world) commandsAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() {
			s := w.service()
			n, err := s.Candidate(t.Context(), "visitor")
			switch {
			case errors.Is(err, service.ErrChoice):
				_, err = s.Rebuild(t.Context(), "visitor")
			case err == nil && i == 0:
				err = s.Drop(t.Context(), "visitor", n)
			case err == nil && i == 1:
				_, err = s.Rollback(t.Context(), "visitor")
			case err == nil:
				err = s.Promote(t.Context(), "visitor", n)
			}
			if !errors.Is(err, service.ErrChoice) && !errors.Is(err, service.ErrNotReady) && err != nil {
				errs[i] = fmt.Errorf("operator %d: %w", i, err)
			}
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
}

// TestLateBegin: a zombie's call that begins a lane of a generation that was dropped meanwhile changes nothing.
func TestLateBegin(t *testing.T) {
	store := memstore.New()
	g := &publish.Generation{Namespace: "j:v:aaaaaaaaaa", Lanes: 1, BasesFrom: 1, Lowest: 1}
	id := g.LaneID(0)
	late := publish.BeginCall(g, 0, lane.Marks{}, "iiiiiiiiii")
	apply := func(c lane.Call) lane.Outcome { return store.Apply(t.Context(), []lane.Call{c})[0] }
	if o := apply(publish.DropCall(id)); !o.Applied {
		t.Fatalf("%+v", o)
	}
	if o := apply(late); o.Applied || o.Marks[lane.BatchName] != lane.Dropped {
		t.Fatalf("a dropped lane was begun: %+v", o)
	}
	if o := apply(publish.DropCall(id)); !o.Applied {
		t.Fatalf("dropping twice: %+v", o)
	}
}
