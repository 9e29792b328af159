package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
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
// the run files make together. It reads only, and needs no store but to find out about a view that has no journal yet.
func (s *Service) Check(ctx context.Context) (CheckReport, error) {
	if err := s.patient(ctx, func() error { return s.open(ctx) }); err != nil {
		return CheckReport{}, err
	}
	var report CheckReport
	for _, v := range s.views {
		for _, g := range v.gens {
			if !g.live() {
				continue
			}
			one, err := s.check(ctx, v, g)
			if err != nil {
				return report, fmt.Errorf("checking generation %d of view %s: %w", g.Number, g.View, err)
			}
			report.Views = append(report.Views, one)
		}
	}
	return report, nil
}

func (s *Service) check(ctx context.Context, v *viewState, g *generation) (ViewCheck, error) {
	k := g.LastChecked()
	one := ViewCheck{View: g.View, Generation: g.Number, Run: k, Cut: g.Cut(k)}
	if k == 0 {
		return one, nil
	}
	task := &recompute.Task{
		Plan: g.plan, Identity: g.Identity, Run: k, Kind: tile.KindBase, Lanes: g.Lanes, Blocks: g.Blocks, From: g.Origin, To: g.Cut(k),
	}
	c, err := s.engine.Compare(ctx, task, func(n int) (files []*runfile.Reader, err error) {
		for run := g.BasesFrom(); run <= k; run++ {
			meta := runfile.Meta{Identity: g.Identity, Run: run, Lane: n, Lanes: g.Lanes}
			file, err := openRun(v.layout, meta, g.Run(run).Checked.Lanes[n].Digest)
			if err != nil {
				return nil, errors.Join(err, closeFiles(files))
			}
			files = append(files, file)
		}
		return files, nil
	})
	if err != nil {
		return one, err
	}
	one.Comparison = *c
	return one, nil
}

func closeFiles(files []*runfile.Reader) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
