package service_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// journalOf opens the journal of a view's only generation.
func (w *world) journalOf(name string) (*journal.Generation, journal.Layout) {
	w.t.Helper()
	l := journal.Layout{State: w.state, Job: "shop", View: name}
	g, err := journal.OpenGeneration(l.GenerationJournal(w.manifest(name).Served().Identity))
	must(w.t, err)
	return g, l
}

// folders returns the runs of a view whose files are there.
func (w *world) folders(name string) []int64 {
	w.t.Helper()
	g, l := w.journalOf(name)
	have, err := runfile.Folders(filepath.Dir(l.RunFolder(g.Identity, 1)))
	must(w.t, err)
	return have
}

// tidied checks that, with all runs in all lanes, the files from the oldest needed bases on are there and no others, and
// that a full check finds them right.
func (w *world) tidied() {
	w.t.Helper()
	for _, p := range w.plans {
		name := p.Spec().Name
		g, _ := w.journalOf(name)
		var want []int64
		for run := g.BasesFrom(); run <= g.LastChecked(); run++ {
			want = append(want, run)
		}
		if have := w.folders(name); !slices.Equal(have, want) {
			w.t.Fatalf("view %s: files of runs %v, want %v", name, have, want)
		}
	}
	c, err := w.service().Check(w.t.Context())
	must(w.t, err)
	for i := range c.Views {
		if v := &c.Views[i]; v.Wrong != 0 || v.Files != v.Recompute {
			w.t.Fatalf("%+v", v)
		}
	}
}

// TestCompactedWorlds makes runs of random worlds with a base each 1, 2, 3, 5 or 32 runs, also another number at times,
// killed at random steps, repeated, published in part, with lanes emptied and stores restored from old dumps: whenever
// everything is published, rows are the oracle's, none has more tiles than that number, a full check finds equal digests,
// and the files of the runs that are needed are there, and no others.
func TestCompactedWorlds(t *testing.T) {
	worlds := uint64(10)
	if testing.Short() {
		worlds = 5
	}
	for seed := range worlds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			rng := rand.New(rand.NewPCG(seed, 12))
			steps := 12
			for step := range steps {
				w.grow(float64(step+1) / float64(steps))
				for range rng.IntN(3) {
					w.killedOnce(1 + rng.IntN(60))
				}
				switch rng.IntN(6) {
				case 0:
					w.store.Empty()
				case 1:
					w.store.EmptyLane(w.manifestLane(rng))
				case 2:
					w.store.LoseSuffix(rng.IntN(w.store.History() + 1))
				case 3:
					w.store.LoseLaneSuffix(w.manifestLane(rng), rng.IntN(200))
				}
				_, err := w.service().Once(t.Context())
				must(t, err)
				w.verify()
				w.tidied()
			}
			if g, _ := w.journalOf("visitor"); w.every < 5 && g.BasesFrom() == 1 {
				t.Fatalf("after %d runs with a base each %d, the oldest bases are in run 1", g.LastChecked(), w.every)
			}
		})
	}
}

// killedOnce makes and publishes runs, and is killed after so many steps of store and archive.
func (w *world) killedOnce(after int) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	step := func() {
		w.mu.Lock() // the engine's goroutines come here
		defer w.mu.Unlock()
		if after--; after == 0 {
			cancel()
		}
	}
	w.store.SetFaults(func(memstore.Op) memstore.Fate { step(); return memstore.Deliver })
	w.archive.Spoil = func(recompute.Piece, int, *column.Batch) error { step(); return nil }
	if _, err := w.service().Once(ctx); err != nil && ctx.Err() == nil {
		w.t.Fatal(err)
	}
	w.store.SetFaults(nil)
	w.archive.Spoil = nil
}

// runs makes n more runs.
func (w *world) runs(n int) {
	w.t.Helper()
	g, _ := w.journalOf("visitor")
	at := float64(g.LastChecked())
	for i := range n {
		w.grow((at + float64(i) + 1) / 12)
		_, err := w.service().Once(w.t.Context())
		must(w.t, err)
	}
}

// first makes the first run of a world with a base each so many runs.
func first(t *testing.T, every int64) *world {
	w := newWorld(t, 21)
	w.every = every
	w.grow(1.0 / 12)
	_, err := w.service().Once(t.Context())
	must(t, err)
	return w
}

// TestEveryIsHarmless changes in how many runs a range gets a base from run to run, also while a run is pending: it is
// repeated as it was registered.
func TestEveryIsHarmless(t *testing.T) {
	w := first(t, 3)
	for _, every := range []int64{3, 1, 5, 2, 4096, 4096, 2, 3} {
		w.every = every
		before, _ := w.journalOf("visitor")
		w.grow((float64(before.LastChecked()) + 1) / 12)
		w.killedOnce(8) // registered, and in the middle of the scan
		w.every = 7     // what the repetition is told
		_, err := w.service().Once(t.Context())
		must(t, err)
		g, _ := w.journalOf("visitor")
		if r := g.Run(g.LastChecked()); g.LastChecked() != before.LastChecked()+1 || (r.Kind == journal.Compact) != (every < 4096) || (r.Every != every && every < 4096) {
			t.Fatalf("base each %d: %+v", every, r)
		}
		w.tidied()
	}
}

// TestLaneBehindKeepsFiles publishes so slowly that runs are made, each with bases of everything, while lanes have still to
// take in earlier ones: what these need is kept although nothing else does, so that no lane is begun again, and goes when
// they have it.
func TestLaneBehindKeepsFiles(t *testing.T) {
	w := first(t, 1)
	begun := w.told(service.EventBegun)
	synctest.Test(t, func(t *testing.T) {
		cfg := w.config()
		cfg.Limits.RowsPerSecond, cfg.Limits.RowsPerCall = 0.5, 1
		s, err := service.New(cfg)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		kept := 0
		for i := range 5 {
			w.grow(float64(i+2) / 12)
			time.Sleep(20 * time.Second)
			kept = max(kept, len(w.folders("visitor")))
		}
		time.Sleep(time.Hour)
		cancel()
		must(t, <-done)
		if kept < 3 {
			t.Errorf("files of %d runs were kept: no lane was behind", kept)
		}
	})
	if n := w.told(service.EventBegun); n != begun {
		t.Fatalf("lanes were begun %d times, want %d", n, begun)
	}
	w.verify()
	w.tidied()
}

// TestOldDump shows that a lane that goes back behind what is kept is begun again from the bases.
func TestOldDump(t *testing.T) {
	w := first(t, 2)
	m := w.manifest("visitor")
	id, changes := m.LaneIDs(m.Served())[1], w.store.History()
	w.runs(5)
	if have := w.folders("visitor"); have[0] < 4 {
		t.Fatalf("files of runs %v", have)
	}
	begun := w.told(service.EventBegun)
	w.store.LoseSuffix(w.store.History() - changes)
	marks, err := w.store.Marks(t.Context(), []lane.ID{id})
	must(t, err)
	if b, ok, err := marks[0].Batch(); err != nil || !ok || b.Run != 2 {
		t.Fatalf("%+v, %v, %v", b, ok, err)
	}
	_, err = w.service().Once(t.Context())
	must(t, err)
	if w.told(service.EventBegun) == begun {
		t.Fatal("nothing was begun")
	}
	w.verify()
	w.tidied()
}

// TestZombie lets a process that opened its journals long ago care for the lanes, while others have made runs and removed
// the files that it believes to be needed: it begins a lane, and looks again.
func TestZombie(t *testing.T) {
	w := first(t, 2)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		asleep := make(chan struct{})
		woken := make(chan struct{})
		w.store.SetFaults(func(op memstore.Op) memstore.Fate {
			if op.Kind == memstore.Apply {
				w.store.SetFaults(nil)
				close(asleep)
				<-woken
			}
			return memstore.Deliver
		})
		w.store.EmptyLane(w.manifestLane(rand.New(rand.NewPCG(1, 1))))
		zombie := w.service()
		go func() { done <- zombie.Run(ctx) }()
		<-asleep // about to begin the lane, as its journals say
		w.runs(6)
		close(woken)
		time.Sleep(time.Minute)
		cancel()
		must(t, <-done)
	})
	_, err := w.service().Once(t.Context())
	must(t, err)
	w.verify()
	w.tidied()
}

// TestFileGoneMeanwhile lets another process bring two runs to all lanes, and remove the files of the first, between the
// moment in which a process has looked at the lanes and the one in which it opens a file of a lane.
func TestFileGoneMeanwhile(t *testing.T) {
	w := first(t, 1)
	w.store.SetFaults(func(op memstore.Op) memstore.Fate {
		if op.Kind == memstore.Apply {
			return memstore.LoseCall
		}
		return memstore.Deliver
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.service().Run(ctx) }()
		for i := range 2 {
			time.Sleep(time.Minute)
			w.grow(float64(i+2) / 12)
		}
		time.Sleep(time.Minute)
		cancel()
		must(t, <-done)
	})
	if have := w.folders("visitor"); !slices.Equal(have, []int64{1, 2, 3}) {
		t.Fatalf("files of runs %v", have)
	}
	w.store.SetFaults(func(op memstore.Op) memstore.Fate {
		if op.Kind == memstore.Apply {
			w.store.SetFaults(nil)
			_, err := w.service().Once(t.Context())
			must(t, err)
		}
		return memstore.Deliver
	})
	_, err := w.service().Once(t.Context())
	must(t, err)
	w.verify()
	w.tidied()
}

// TestTidyingDies shows that a process may die in the middle of removing: what is left has no gap, and goes the next time.
func TestTidyingDies(t *testing.T) {
	w := first(t, 32)
	w.runs(4)
	g, l := w.journalOf("visitor")
	gone := l.RunFolder(g.Identity, 1)
	aside := filepath.Join(filepath.Dir(gone), ".00000001-gone-1")
	must(t, os.MkdirAll(aside, 0o755))
	must(t, os.CopyFS(filepath.Join(aside, "run"), os.DirFS(gone)))
	w.every = 1
	w.runs(1)
	if left, err := os.ReadDir(filepath.Dir(gone)); err != nil || len(left) != 1 {
		t.Fatalf("left: %v, %v", left, err)
	}
	w.tidied()
}

// TestCheckBesideRuns makes runs, which remove what a full check is reading, while it is under way.
func TestCheckBesideRuns(t *testing.T) {
	w := first(t, 2)
	w.runs(4)
	g, _ := w.journalOf("visitor")
	last := g.LastChecked()
	w.archive.Spoil = func(recompute.Piece, int, *column.Batch) error {
		w.archive.Spoil = nil
		w.runs(4)
		return nil
	}
	cfg := w.config()
	cfg.Workers = 1
	s, err := service.New(cfg)
	must(t, err)
	c, err := s.Check(t.Context())
	must(t, err)
	if v := c.Views[0]; c.Wrong() != 0 || v.Run != last || v.Files != v.Recompute || w.folders("visitor")[0] <= last {
		t.Fatalf("%+v, files of runs %v", v, w.folders("visitor"))
	}
	w.tidied()
}

// TestCheckThatDied shows that what a full check has left is removed by the next role that begins. (That one at work keeps
// what it holds, TestCheckBesideRuns shows: its runs are made by roles that begin.)
func TestCheckThatDied(t *testing.T) {
	w := first(t, 2)
	g, l := w.journalOf("visitor")
	left := filepath.Join(l.Runs(g.Identity), ".check")
	must(t, runfile.Hold(l.RunFolder(g.Identity, 1), filepath.Join(left, "00000001")))
	must(t, os.WriteFile(filepath.Join(left, "lock"), nil, 0o600))
	w.once()
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("it is still there: %v", err)
	}
	w.tidied()
}

// TestRunFileFault shows that a damaged file of an earlier run ends the making of runs that merge it, and not the care of
// lanes, that the error names it, and that the run is made when the file is back.
func TestRunFileFault(t *testing.T) {
	w := first(t, 1)
	g, l := w.journalOf("visitor")
	path := l.RunFile(g.Identity, 1, 1)
	good, err := os.ReadFile(path)
	must(t, err)
	bad := slices.Clone(good)
	bad[len(bad)/3] ^= 1
	must(t, os.WriteFile(path, bad, 0o600))
	w.grow(2.0 / 12)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, done := w.service(), make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(time.Minute)
		id := lane.ID{Namespace: g.Namespace(), N: 0}
		w.store.EmptyLane(id)
		w.awaitLane(id)
		if err := s.Failure(); !errors.Is(err, recompute.ErrPast) || !errors.Is(err, runfile.ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("failure %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, recompute.ErrPast) {
			t.Errorf("Run: got %v", err)
		}
	})
	must(t, os.WriteFile(path, good, 0o600))
	_, err = w.service().Once(t.Context())
	must(t, err)
	w.verify()
	w.tidied()
}
