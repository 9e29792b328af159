package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
)

// What commands do with generations is written to the view's journal, beside whatever role runs: the role reads it within
// a second, begins, feeds or drops accordingly, and brings the manifest. The command brings the manifest too, so that an
// alias moves at once, and where no role runs.

// MaxLive bounds the generations of a view that are fed at the same time: each costs its share of speed, batch and store.
const MaxLive = 8

var (
	// ErrChoice is the class of errors about a generation that is not there, or that what was asked for cannot be done with.
	ErrChoice = errors.New("not with this generation")
	// ErrNotReady is the class of errors about a generation that cannot be served yet; the error names what is missing.
	ErrNotReady = errors.New("generation is not complete")
)

// Rebuild begins a generation of what the job's files declare, beside those that there are, from the archive: a role, or
// Once, makes its runs and fills its lanes. It begins where the served one begins, or earlier if the archive reaches
// further back. Errors are of class ErrChoice if there is nothing to rebuild, or too much is alive already.
func (s *Service) Rebuild(ctx context.Context, viewName string) (number int64, err error) {
	err = s.change(ctx, viewName, func(v *viewState) error {
		served := v.journal.Served()
		if served == nil {
			return fmt.Errorf("%w: view %s has no generation yet; up or batch --once makes the first", ErrChoice, viewName)
		}
		if err := v.room(); err != nil {
			return err
		}
		origins := map[string]position.Cut{}
		for i := range v.plan.Spec().Sources {
			src := &v.plan.Spec().Sources[i]
			archived, _, err := s.cfg.Archive.Extent(ctx, src.Name, src.Block)
			if err != nil {
				return fmt.Errorf("listing the archive of source %s: %w", src.Name, err)
			}
			origin := position.Cut{}
			for p, first := range v.generation(served.Identity).Origin {
				if p.Source == src.Name {
					origin[p] = first
				}
			}
			for p, first := range archived {
				// An archive that begins later has lost something: the run is to stop there, and say so.
				if was, known := origin[p]; !known || first < was {
					origin[p] = first
				}
			}
			origins[src.Name] = origin
		}
		number = v.journal.NextNumber()
		return s.create(v, origins)
	})
	return number, err
}

// room tells, by an error of class ErrChoice, whether one more generation would be too much.
func (v *viewState) room() error {
	if live := v.liveNumbers(); len(live) >= MaxLive {
		return fmt.Errorf("%w: generations %v of view %s are fed, %d are the most: drop one first", ErrChoice, live, v.plan.Spec().Name, MaxLive)
	}
	return nil
}

// Ready waits as Promote does, and moves nothing.
func (s *Service) Ready(ctx context.Context, viewName string, number int64) error {
	v, err := s.look(ctx, viewName)
	if err != nil {
		return err
	}
	m, err := v.promotable(number)
	if err != nil {
		return err
	}
	return s.awaitReady(ctx, v, v.generation(m.Identity))
}

// Promote makes a generation the one that answers; the one that did is kept. It waits, at most Config.Wait, until the
// generation is complete: every lane is whole and joined, and has taken in what the served one had when the call began.
// Errors are of class ErrChoice or ErrNotReady.
func (s *Service) Promote(ctx context.Context, viewName string, number int64) error {
	return s.serve(ctx, viewName, func(v *viewState) (*journal.Member, error) { return v.promotable(number) })
}

func (v *viewState) promotable(number int64) (*journal.Member, error) {
	m, name := v.journal.Number(number), v.plan.Spec().Name
	switch {
	case m == nil:
		return nil, fmt.Errorf("%w: view %s has no generation %d; versions lists them", ErrChoice, name, number)
	case m.State == manifest.Served:
		return nil, fmt.Errorf("%w: generation %d of view %s is served already", ErrChoice, number, name)
	case m.State == manifest.Dropped:
		return nil, fmt.Errorf("%w: generation %d of view %s was dropped; rebuild makes a new one", ErrChoice, number, name)
	}
	return m, nil
}

// Rollback moves the alias back to the generation in whose place the served one came, under the conditions of Promote,
// and returns its number.
func (s *Service) Rollback(ctx context.Context, viewName string) (number int64, err error) {
	err = s.serve(ctx, viewName, func(v *viewState) (*journal.Member, error) {
		m := v.journal.Before()
		switch {
		case m == nil:
			return nil, fmt.Errorf("%w: the generation of view %s that is served took no other's place; promote names one", ErrChoice, viewName)
		case m.State == manifest.Dropped:
			return nil, fmt.Errorf("%w: generation %d of view %s, which was served before, was dropped; promote names another of %v",
				ErrChoice, m.Number, viewName, v.liveNumbers())
		}
		number = m.Number
		return m, nil
	})
	return number, err
}

// Drop ends a generation that is not served: no run is made of it and nothing is fed to it any more. The role, or Once,
// sets its lanes' marks, deletes its run files, and its rows after publish.Grace. Errors are of class ErrChoice.
func (s *Service) Drop(ctx context.Context, viewName string, number int64) error {
	return s.change(ctx, viewName, func(v *viewState) error {
		m := v.journal.Number(number)
		switch {
		case m == nil:
			return fmt.Errorf("%w: view %s has no generation %d; versions lists them", ErrChoice, viewName, number)
		case m.State == manifest.Served:
			return fmt.Errorf("%w: generation %d of view %s is served; promote another first", ErrChoice, number, viewName)
		case m.State == manifest.Dropped:
			return nil
		}
		return v.journal.Turn(m.Identity, manifest.Dropped)
	})
}

// Candidate returns the newest generation that is fed and not served, for Promote. Errors are of class ErrChoice.
func (s *Service) Candidate(ctx context.Context, viewName string) (number int64, err error) {
	v, err := s.look(ctx, viewName)
	if err != nil {
		return 0, err
	}
	for _, g := range slices.Backward(v.gens) {
		if g.live() && g.member.State != manifest.Served {
			return g.Number, nil
		}
	}
	return 0, fmt.Errorf("%w: view %s has no generation beside the served one; rebuild makes one, and so does up after an edit", ErrChoice, viewName)
}

// serve moves the alias to the generation that choose returns, once that is ready.
func (s *Service) serve(ctx context.Context, viewName string, choose func(*viewState) (*journal.Member, error)) error {
	v, err := s.look(ctx, viewName)
	if err != nil {
		return err
	}
	m, err := choose(v)
	if err != nil {
		return err
	}
	if err := s.awaitReady(ctx, v, v.generation(m.Identity)); err != nil {
		return err
	}
	return s.change(ctx, viewName, func(v *viewState) error {
		again, err := choose(v)
		if err != nil {
			return err
		}
		if again.Identity != m.Identity {
			return fmt.Errorf("%w: another process moved the alias of view %s meanwhile; look at versions", ErrChoice, viewName)
		}
		return v.journal.Turn(m.Identity, manifest.Served)
	})
}

// look reads the journals of a view.
func (s *Service) look(ctx context.Context, viewName string) (*viewState, error) {
	s.cfg.readOnly = true
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s.view(viewName)
}

func (s *Service) view(viewName string) (*viewState, error) {
	for _, v := range s.views {
		if v.plan.Spec().Name == viewName {
			return v, nil
		}
	}
	return nil, fmt.Errorf("%w: job %s has no view %q", ErrConfig, s.cfg.Job, viewName)
}

// change writes one entry to the journals of a view, as they are when it is written, and brings the manifest.
func (s *Service) change(ctx context.Context, viewName string, write func(*viewState) error) error {
	for range openTries {
		v, err := s.look(ctx, viewName)
		if err != nil {
			return err
		}
		if err = write(v); errors.Is(err, journal.ErrTaken) {
			continue
		}
		if err != nil {
			return err
		}
		crash.Point(crash.AliasUntold)
		if err := s.patient(ctx, func() error { return s.tellStore(ctx, viewName) }); err != nil {
			return fmt.Errorf("it is written down, and the store is yet to be told, which up or batch --once does: %w", err)
		}
		return nil
	}
	return fmt.Errorf("writing the journal of view %s: %w", viewName, journal.ErrTaken)
}

// tellStore brings the manifests of what the journals say now. Another process may write them, and tell the store, after they
// were read: the store is ahead of what was read then, and they are read again.
func (s *Service) tellStore(ctx context.Context, viewName string) error {
	var err error
	for range openTries {
		if _, err = s.look(ctx, viewName); err != nil {
			return err
		}
		if err = s.keepManifests(ctx); !errors.Is(err, publish.ErrNewer) {
			return err
		}
	}
	return err
}

func (v *viewState) generation(identity string) *generation {
	i := slices.IndexFunc(v.gens, func(g *generation) bool { return g.Identity == identity })
	return v.gens[i]
}

func (v *viewState) liveNumbers() (all []int64) {
	for _, g := range v.gens {
		if g.live() {
			all = append(all, g.Number)
		}
	}
	return all
}

// awaitReady waits, at most Config.Wait, until a generation is complete.
func (s *Service) awaitReady(ctx context.Context, v *viewState, g *generation) error {
	deadline := time.Now().Add(s.cfg.Wait)
	var floor position.Cut
	for {
		why, err := s.lacks(ctx, v, g, &floor)
		if err != nil {
			return err
		}
		if why == "" {
			return nil
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("%w: generation %d of view %s (waited %v): %s", ErrNotReady, g.Number, g.View, s.cfg.Wait, why)
		}
		if err := pause(ctx, retryEvery); err != nil {
			return err
		}
		if v, err = s.look(ctx, g.View); err != nil {
			return err
		}
		g = v.generation(g.Identity)
	}
}

// lacks tells what a generation lacks to be served, empty if nothing. floor is where the served one was at the first call.
func (s *Service) lacks(ctx context.Context, v *viewState, g *generation, floor *position.Cut) (string, error) {
	if p := g.Pending(); p != nil && p.Failed != nil {
		return fmt.Sprintf("run %d failed its check at %s: %s", p.Number, p.Failed.Entity, p.Failed.Reason), nil
	}
	if served := v.journal.Served(); *floor == nil && served != nil {
		marks, err := s.marks(ctx, v.generation(served.Identity))
		if err != nil {
			return "", err
		}
		*floor = reached(marks)
	}
	marks, err := s.marks(ctx, g)
	if err != nil {
		return "", err
	}
	return shortOf(g, marks, *floor), nil
}

func (s *Service) marks(ctx context.Context, g *generation) ([]lane.Marks, error) {
	ids := make([]lane.ID, g.Lanes)
	for n := range ids {
		ids[n] = lane.ID{Namespace: g.Namespace(), N: n}
	}
	var marks []lane.Marks
	err := s.patient(ctx, func() (err error) {
		marks, err = s.cfg.Store.Marks(ctx, ids)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the marks of generation %d of view %s: %w", g.Number, g.View, err)
	}
	return marks, nil
}

// reached returns how far the furthest lane is in each partition: what a reader may have been told. Marks that do not read
// or are not joined told nobody anything.
func reached(marks []lane.Marks) position.Cut {
	cut := position.Cut{}
	for _, lm := range marks {
		for name, wire := range lm {
			p, perr := position.ParsePartition(name)
			if m, err := lane.ParseMark(wire); name != lane.BatchName && err == nil && perr == nil && m.Joined() {
				cut[p] = max(cut[p], m.Next)
			}
		}
	}
	return cut
}

// shortOf tells what the lanes of a generation lack: each must be whole and joined, and as far as the floor in the
// partitions that the generation reads.
func shortOf(g *generation, marks []lane.Marks, floor position.Cut) string {
	for n, lm := range marks {
		name := fmt.Sprintf("lane %02x", n)
		batch, begun, err := lm.Batch()
		switch {
		case err != nil:
			return name + " is damaged: " + err.Error()
		case lm[lane.BatchName] == lane.Dropped:
			return name + " was dropped"
		case !begun && g.made() && g.LastChecked() == 0:
			return "it has no run yet, which up or batch --once makes"
		case !begun:
			return name + " is not begun, which up or batch --once does"
		case !batch.Whole():
			return fmt.Sprintf("%s has taken in the runs below %d and is whole past run %d", name, batch.Run, batch.WholeFrom)
		}
		for _, p := range floor.Partitions() {
			if g.plan.SourceRank(p.Source) < 0 {
				continue
			}
			if why := behind(lm, p, floor[p]); why != "" {
				return name + " " + why
			}
		}
	}
	return ""
}

func behind(marks lane.Marks, p position.Partition, floor int64) string {
	m, ok, err := marks.Partition(p)
	switch {
	case err != nil:
		return "is damaged: " + err.Error()
	case !ok && floor == 0:
		return ""
	case !ok:
		return fmt.Sprintf("has taken in nothing of %s, which speed brings: see that speed, or up, runs and that /readyz is fine", p)
	case !m.Joined():
		return fmt.Sprintf("lacks what lies below offset %d of %s, which batch brings: see that batch, or up, runs and that /readyz is fine", m.Low, p)
	case m.Next < floor:
		return fmt.Sprintf("is at %d of %s, the served generation is at %d: see that speed, or up, runs and that /readyz is fine", m.Next, p, floor)
	}
	return ""
}

// Repeat makes run k again where it is registered and not checked, as it is after it failed its check, and then does what
// Once does. Errors are of class ErrChoice if no generation has such a run.
func (s *Service) Repeat(ctx context.Context, k int64) (Report, error) {
	if err := s.patient(ctx, func() error { return s.open(ctx) }); err != nil {
		return Report{}, err
	}
	var pending []string
	for _, v := range s.views {
		for _, g := range v.gens {
			p := g.Pending()
			if g.made() && p != nil && p.Number == k {
				return s.Once(ctx)
			}
			if g.made() && p != nil {
				pending = append(pending, fmt.Sprintf("run %d of generation %d of view %s", p.Number, g.Number, g.View))
			}
		}
	}
	what := "no run is"
	if len(pending) > 0 {
		what = strings.Join(pending, ", ") + " is"
	}
	return Report{}, fmt.Errorf("%w: run %d is not to be repeated: %s registered and not checked", ErrChoice, k, what)
}
