package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/operatortest"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
)

// beside runs a role with a judge until do returns, and returns what the role ended with.
func (w *world) beside(t *testing.T, judge func(*view.Plan) (recompute.Judge, error), do func(*testing.T, *service.Service)) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, done := w.service(), make(chan error, 1)
		s.SetJudge(judge)
		go func() { done <- s.Run(ctx) }()
		do(t, s)
		cancel()
		err = <-done
	})
	return err
}

// TestDropWhileItsRunIsMade: a generation is dropped, and its files are removed, while its run is being made. That is the
// end of this run and of nothing else: those of the others, which shared the scan, are made all the same.
func TestDropWhileItsRunIsMade(t *testing.T) {
	w := newWorld(t, 50)
	w.grow(0.5)
	w.once()
	_, err := w.service().Rebuild(t.Context(), "visitor")
	must(t, err)
	w.grow(0.8)
	layout := journal.Layout{State: w.state, Job: "shop", View: "visitor"}
	files := layout.Runs(w.manifest("visitor").Generations[1].Identity)
	var dropped atomic.Bool // judges are made by several workers
	err = w.beside(t, func(p *view.Plan) (recompute.Judge, error) {
		if dropped.CompareAndSwap(false, true) {
			must(t, w.service().Drop(t.Context(), "visitor", 2))
			for _, err := os.Lstat(files); err == nil; _, err = os.Lstat(files) {
				time.Sleep(time.Second)
			}
		}
		return oracle.New(p)
	}, func(*testing.T, *service.Service) { time.Sleep(10 * time.Second) })
	if must(t, err); !dropped.Load() {
		t.Fatal("no run was made")
	}
	w.verifyAll(manifest.Served, manifest.Dropped)
	for _, name := range []string{"visitor", "item"} {
		if g := w.manifest(name).Served(); g.Run != 2 {
			t.Errorf("view %s is at run %d", name, g.Run)
		}
	}
}

// TestDropOfWhatFailed: runs stop because that of a generation which is being built fails its check. Once that is dropped
// there is nothing to repeat, and the others get their runs again.
func TestDropOfWhatFailed(t *testing.T) {
	w := newWorld(t, 51)
	w.grow(0.3)
	w.once()
	w.edit(onlyFavs)
	edited := w.plans[0].Revision()
	judge := func(p *view.Plan) (recompute.Judge, error) {
		if p.Revision() == edited {
			return lie(p)
		}
		return oracle.New(p)
	}
	must(t, w.beside(t, judge, func(t *testing.T, s *service.Service) {
		time.Sleep(time.Minute)
		if err := s.Failure(); !errors.Is(err, service.ErrCheck) {
			t.Errorf("failure %v", err)
		}
		must(t, w.service().Drop(t.Context(), "visitor", 2))
		w.grow(1)
		time.Sleep(time.Minute)
		if err := s.Failure(); err != nil {
			t.Errorf("it does not go on: %v", err)
		}
	}))
	for _, name := range []string{"visitor", "item"} {
		if g := w.manifest(name).Served(); g.Run != 2 {
			t.Errorf("view %s is at run %d", name, g.Run)
		}
	}
}

// TestRebuildBesideDamage: the file of an earlier run is damaged and there is no backup. A generation that is rebuilt beside
// it gets its runs, and so do other views; the damaged one is dropped in the end.
func TestRebuildBesideDamage(t *testing.T) {
	w := first(t, 1)
	g, l := w.journalOf("visitor")
	path := l.RunFile(g.Identity, 1, 1)
	must(t, os.Truncate(path, 20))
	w.grow(0.5)
	must(t, w.beside(t, nil, func(t *testing.T, s *service.Service) {
		time.Sleep(time.Minute)
		if err := s.Failure(); !errors.Is(err, recompute.ErrPast) || !strings.Contains(err.Error(), path) {
			t.Errorf("failure %v", err)
		}
		_, err := w.service().Rebuild(t.Context(), "visitor")
		must(t, err)
		time.Sleep(time.Minute)
		if err := s.Failure(); !errors.Is(err, recompute.ErrPast) {
			t.Errorf("failure %v after rebuild", err)
		}
		must(t, w.service().Promote(t.Context(), "visitor", 2))
		must(t, w.service().Drop(t.Context(), "visitor", 1))
		time.Sleep(time.Minute)
		if err := s.Failure(); err != nil {
			t.Errorf("failure %v after the drop", err)
		}
	}))
	w.verifyAll(manifest.Dropped, manifest.Served)
	if m := w.manifest("item"); m.Served().Run != 1 {
		t.Errorf("the other view is at run %d", m.Served().Run)
	}
}

// TestOnceBesideDamage: the same by commands alone: batch --once says what is damaged, and brings what it could make.
func TestOnceBesideDamage(t *testing.T) {
	w := first(t, 1)
	g, l := w.journalOf("visitor")
	must(t, os.Truncate(l.RunFile(g.Identity, 1, 1), 20))
	w.grow(0.5)
	_, err := w.service().Rebuild(t.Context(), "visitor")
	must(t, err)
	r, err := w.service().Once(t.Context())
	if !errors.Is(err, recompute.ErrPast) || len(r.Runs) != 2 {
		t.Fatalf("%+v, %v", r.Runs, err)
	}
	must(t, w.service().Promote(t.Context(), "visitor", 2))
	must(t, w.service().Drop(t.Context(), "visitor", 1))
	w.once()
	w.verifyAll(manifest.Dropped, manifest.Served)
}

// TestFailureBesideAnother: two processes make the same runs. One of them finishes that of a view while the other finds its
// run of the next view wrong: it says so.
func TestFailureBesideAnother(t *testing.T) {
	w := newWorld(t, 52)
	w.grow(0.5)
	s := w.service()
	var other atomic.Bool // judges are made by several workers
	s.SetJudge(func(p *view.Plan) (recompute.Judge, error) {
		if other.CompareAndSwap(false, true) {
			_, err := w.service().Once(t.Context())
			must(t, err)
		}
		return lie(p)
	})
	if _, err := s.Once(t.Context()); !errors.Is(err, service.ErrCheck) {
		t.Fatalf("got %v", err)
	}
}

// TestPromoteBeforeAnyIsServed: a process died between the two entries that begin a view. A command beside says what is so.
func TestPromoteBeforeAnyIsServed(t *testing.T) {
	w := newWorld(t, 53)
	w.once()
	l := journal.Layout{State: w.state, Job: "shop", View: "visitor"}
	must(t, os.Remove(l.ViewJournal()+"/00000002.json"))
	if err := w.service().Ready(t.Context(), "visitor", 1); err != nil && !errors.Is(err, service.ErrNotReady) {
		t.Fatalf("got %v", err)
	}
}

// beheaded is an archive that has lost the first file of each partition.
type beheaded struct{ recompute.Archive }

func (b beheaded) Extent(ctx context.Context, source string, block int64) (origin, cut position.Cut, err error) {
	origin, cut, err = b.Archive.Extent(ctx, source, block)
	for p := range origin {
		origin[p] += 64
	}
	return origin, cut, err
}

// TestRebuildFromWhatIsLeft: an archive that has lost its head makes no generation that silently begins later.
func TestRebuildFromWhatIsLeft(t *testing.T) {
	w := newWorld(t, 55)
	w.grow(0.5)
	w.once()
	cfg := w.config()
	cfg.Archive = beheaded{cfg.Archive}
	s, err := service.New(cfg)
	must(t, err)
	_, err = s.Rebuild(t.Context(), "visitor")
	must(t, err)
	m := w.manifest("visitor")
	if was, is := m.Generations[0].Origin, m.Generations[1].Origin; !was.Equal(is) {
		t.Fatalf("the origin was %s and is %s", was, is)
	}
}

// TestTooManyEdits: an edit begins no generation beyond the bound on those that are fed.
func TestTooManyEdits(t *testing.T) {
	w := newWorld(t, 54)
	w.once()
	for n := 2; n <= service.MaxLive; n++ {
		w.edit(func(s *view.Spec) { s.Features[0].Where = fmt.Sprintf("price > %d", n) })
		w.once()
	}
	w.edit(onlyFavs)
	if _, err := w.service().Once(t.Context()); !errors.Is(err, service.ErrChoice) || !strings.Contains(err.Error(), "drop one") {
		t.Fatalf("got %v", err)
	}
	must(t, w.service().Drop(t.Context(), "visitor", 2))
	w.once()
}

// TestPanickingOperator: an edit brings an operator that panics. What is served, and other views, get their runs as before;
// the role lives, cares for lanes and says in a line why it makes no more runs; dropping the generation lets it go on. The
// log has the place.
func TestPanickingOperator(t *testing.T) {
	must(t, operator.Register(operatortest.Explosive(operatortest.SeveralRows, nil)))
	w := first(t, 1)
	before := w.plans[0]
	w.edit(func(s *view.Spec) {
		s.Features = append(s.Features, view.FeatureSpec{Name: "bomb", Op: "explosive", Value: []string{"secs"}})
	})
	w.grow(0.5)
	must(t, w.beside(t, nil, func(t *testing.T, s *service.Service) {
		time.Sleep(time.Minute)
		if err := s.Failure(); !errors.Is(err, recompute.ErrPanic) || !strings.Contains(err.Error(), "boom") || strings.Contains(err.Error(), "\n") {
			t.Errorf("failure %v", err)
		}
		for name, run := range map[string]int64{"visitor": 2, "item": 1} { // so few records filled no block of item's before
			if g := w.manifest(name).Served(); g.Run != run {
				t.Errorf("view %s is at run %d, want %d", name, g.Run, run)
			}
		}
		must(t, w.service().Drop(t.Context(), "visitor", 2))
		time.Sleep(time.Minute)
		if err := s.Failure(); err != nil {
			t.Errorf("failure %v after the drop", err)
		}
	}))
	w.plans[0] = before
	w.verifyAll(manifest.Served, manifest.Dropped)
}
