package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tidemark-io/tidemark/batch/durable"
	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// CheckReport is what a full check found.
type CheckReport struct {
	Views []ViewCheck
}

// ViewCheck is what a full check found of one generation.
type ViewCheck struct {
	View       string
	Generation int64
	Run        int64 // the last checked run, whose cut is compared; 0: there is none, and nothing to compare
	Cut        position.Cut
	recompute.Comparison
}

// Wrong returns how many rows of all views are wrong.
func (r *CheckReport) Wrong() int64 {
	var n int64
	for i := range r.Views {
		n += r.Views[i].Wrong
	}
	return n
}

// Check computes the states of all entities at the last checked cut from the whole archive and compares them with what
// the run files make together. It changes nothing, and needs no store but to find out about a view that has no journal yet.
// Batch may make runs meanwhile; a second check of a view makes the first fail.
func (s *Service) Check(ctx context.Context) (report CheckReport, err error) {
	if err := s.patient(ctx, func() error { return s.open(ctx) }); err != nil {
		return CheckReport{}, err
	}
	gens, err := s.holdAll(ctx)
	defer func() { err = errors.Join(err, releaseAll(gens)) }()
	if err != nil {
		return CheckReport{}, err
	}
	crash.Point(crash.CheckHeld)
	for _, g := range gens {
		one, err := s.check(ctx, g)
		if err != nil {
			return report, fmt.Errorf("checking generation %d of view %s: %w", g.gen.Number, g.gen.View, err)
		}
		report.Views = append(report.Views, one)
	}
	return report, nil
}

// held is a generation whose run files are held for a full check.
type held struct {
	view *viewState
	gen  *generation
	held string // the folder

	unlock func() error // nil if it is not locked
}

// holdAll holds the run files of every generation that is fed. What it returns is to be removed after an error, too.
func (s *Service) holdAll(ctx context.Context) (gens []*held, err error) {
	for try := 1; ; try++ {
		gens, err = nil, releaseAll(gens)
		for _, v := range s.views {
			for _, g := range v.gens {
				if g.made() && err == nil {
					one := &held{view: v, gen: g, held: filepath.Join(v.layout.Runs(g.Identity), heldFolder)}
					gens, err = append(gens, one), one.hold()
				}
			}
		}
		if !errors.Is(err, fs.ErrNotExist) || try == goneTries {
			return gens, err
		}
		// Batch has made a run and removed an older one since the journals were read.
		if err := s.open(ctx); err != nil {
			return gens, err
		}
	}
}

func (s *Service) check(ctx context.Context, h *held) (ViewCheck, error) {
	g, k := h.gen, h.gen.LastChecked()
	one := ViewCheck{View: g.View, Generation: g.Number, Run: k, Cut: g.Cut(k)}
	if k == 0 {
		return one, nil
	}
	c, err := s.engine.Compare(ctx, &recompute.Task{
		Plan: g.plan, Identity: g.Identity, Run: k, Kind: tile.KindBase, Lanes: g.Lanes, Blocks: g.Blocks, From: g.Origin, To: g.Cut(k),
		Bases: g.Bases(k),
		Open: func(run int64, n int) (*runfile.Reader, error) {
			return openRun(filepath.Join(h.folder(run), journal.RunFileName(n)), metaOf(g, run, n), g.Run(run).Checked.Lanes[n].Digest)
		},
	})
	if err != nil {
		return one, err
	}
	one.Comparison = *c
	return one, nil
}

// heldFolder is where a full check has its own links to the files of runs, and a file that it locks while it is at work.
const (
	heldFolder = ".check"
	heldLock   = "lock"
	heldMode   = 0o755
)

// hold links the files of the runs that a full check reads into a folder of its own: it takes long, and batch removes the
// oldest of them with each run that it makes meanwhile. What a check that died has left there is removed; so is what one
// needs that is under way, which then says that a file is gone.
func (h *held) hold() error {
	if err := os.RemoveAll(h.held); err != nil {
		return fmt.Errorf("removing what an earlier check has left: %w", err)
	}
	if err := os.MkdirAll(h.held, heldMode); err != nil {
		return fmt.Errorf("holding runs: %w", err)
	}
	var err error
	if h.unlock, err = durable.Lock(filepath.Join(h.held, heldLock)); err != nil {
		return err
	}
	for run := h.gen.BasesFrom(); run <= h.gen.LastChecked(); run++ {
		if err := runfile.Hold(h.view.layout.RunFolder(h.gen.Identity, run), h.folder(run)); err != nil {
			return err
		}
	}
	return nil
}

// release removes the folder and unlocks it.
func (h *held) release() error {
	err := os.RemoveAll(h.held)
	if h.unlock != nil {
		err = errors.Join(err, h.unlock())
	}
	return err
}

func releaseAll(gens []*held) (err error) {
	for _, g := range gens {
		err = errors.Join(err, g.release())
	}
	return err
}

// removeHeld removes what full checks have left that died: their links keep files that nobody needs. One that is at work
// has locked its folder.
func (v *viewState) removeHeld() error {
	for _, g := range v.gens {
		folder := filepath.Join(v.layout.Runs(g.Identity), heldFolder)
		if durable.Locked(filepath.Join(folder, heldLock)) {
			continue
		}
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("removing what an earlier check has left: %w", err)
		}
	}
	return nil
}

// folder returns where the files of a run are held.
func (h *held) folder(run int64) string {
	return filepath.Join(h.held, filepath.Base(h.view.layout.RunFolder(h.gen.Identity, run)))
}
