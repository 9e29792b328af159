package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

// careEvery is how often the manifest and all marks are looked at.
const careEvery = time.Second

// settled tells whether every lane has all there is, or is at fault.
func settled(all []publish.Status) bool {
	for i := range all {
		if !all[i].Settled() {
			return false
		}
	}
	return true
}

// besides tells whether lanes were cared for beside an error: it is about some that the store refuses, or whose marks or
// files are at fault, or about files that are left. It repeats itself until somebody acts, and all others go on.
func besides(all []publish.Status, err error) bool {
	if all == nil || fatal(err) || errors.Is(err, lane.ErrUnavailable) {
		return false
	}
	return errors.Is(err, publish.ErrLane) || errors.Is(err, lane.ErrStore) || errors.Is(err, ErrLeft)
}

// care keeps manifests and lanes until ctx ends or something fatal happens.
func (s *Service) care(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.awaitSweep()
	defer cancel()
	trouble := &trouble{s: s}
	for {
		all, err := s.careOnce(ctx)
		if fatal(err) || ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		trouble.observe(err)
		if (err == nil || besides(all, err)) && !settled(all) {
			continue // a pass takes a second at most; there is more to do
		}
		if err := pause(ctx, careEvery); err != nil {
			return err
		}
	}
}

// careOnce does what is due. A lane at fault keeps no other lane, and no other generation, from anything; of its own what
// needs its marks waits: files that it may still have to take in are kept.
func (s *Service) careOnce(ctx context.Context) ([]publish.Status, error) {
	if err := s.reread(ctx); err != nil {
		return nil, err
	}
	all, err := s.tend(ctx)
	if err != nil && !besides(all, err) {
		return nil, err
	}
	swept := s.sweep(ctx, all)
	s.refuse(append(all, s.gone.seen...), swept)
	return all, errors.Join(err, swept, s.tidy(all))
}

// refusedTold bounds how many lanes at fault Refused tells of.
const refusedTold = 8

// refuse notes which lanes are left alone, and why rows are that should be swept.
func (s *Service) refuse(all []publish.Status, swept error) {
	var errs []error
	for i := range all {
		errs = append(errs, all[i].Refused...)
	}
	if n := len(errs) - refusedTold; n > 0 {
		errs = append(errs[:refusedTold], fmt.Errorf("%w: %d more lanes", publish.ErrLane, n))
	}
	if swept != nil && !errors.Is(swept, lane.ErrUnavailable) {
		errs = append(errs, swept)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = errors.Join(errs...)
}

// Refused tells of lanes that Run leaves alone until somebody acts, because the store refuses them or their marks or run
// files are at fault; nil if there are none. All others are cared for, and runs are made. It may be called at any time.
func (s *Service) Refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// tend keeps the manifests and makes a pass over the lanes. If the store knows more than the journals as last read, or a
// run's file is gone, another process may have made runs meanwhile: the journals are read again before that is an error, for
// as long as there is more.
func (s *Service) tend(ctx context.Context) ([]publish.Status, error) {
	for try := 1; ; try++ {
		_, read := s.written()
		all, err := s.tendOnce(ctx)
		gone := errors.Is(err, fs.ErrNotExist)
		if !gone && !errors.Is(err, publish.ErrNewer) && !errors.Is(err, ErrForeign) {
			return all, err
		}
		if err := s.open(ctx); err != nil {
			return nil, err
		}
		if _, now := s.written(); now == read && (!gone || try == goneTries) {
			return all, err
		}
	}
}

// goneTries bounds how often lanes are looked at again because a file is gone that was there when the runs were listed:
// another process has removed it as not needed, having brought it to the lane itself.
const goneTries = 3

func (s *Service) tendOnce(ctx context.Context) ([]publish.Status, error) {
	if err := s.keepManifests(ctx); err != nil {
		return nil, err
	}
	s.knownBy.Do(func() { close(s.known) })
	gone := s.drop(ctx)
	all, err := s.pass(ctx)
	return all, errors.Join(gone, err)
}

// targets returns all generations whose lanes are filled. One that is built beside the served one is among them when its
// first run is checked: its lanes begin at that run's cut, and speed need not fold the whole log for it.
func (s *Service) targets() ([]*publish.Target, []Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var targets []*publish.Target
	var of []Event
	for _, v := range s.views {
		for _, g := range v.gens {
			if g.made() && (g.member.State != manifest.Building || g.LastChecked() > 0 || s.bare[g.Identity]) {
				t, err := v.target(g)
				if err != nil {
					return nil, nil, err
				}
				targets = append(targets, t)
				of = append(of, Event{View: g.View, Generation: g.Number})
			}
		}
	}
	return targets, of, nil
}

// pass makes one pass over all lanes and tells what came of it.
func (s *Service) pass(ctx context.Context) ([]publish.Status, error) {
	targets, of, err := s.targets()
	if err != nil {
		return nil, err
	}
	all, err := s.publisher.Pass(ctx, targets)
	counts := s.publisher.Counts()
	if n := counts.Begun; n > s.begun {
		s.tell(Event{Kind: EventBegun, Done: n - s.begun})
		s.begun = n
	}
	s.mu.Lock()
	s.figures.Published = counts
	var published []Event
	for i := range all {
		st := &all[i]
		s.seen[st.Namespace] = *st
		if last := targets[i].Last(); st.Complete() && s.told[st.Namespace] < last {
			s.told[st.Namespace] = last
			e := of[i]
			e.Kind, e.Run = EventPublished, last
			published = append(published, e)
		}
	}
	s.mu.Unlock()
	for _, e := range published {
		s.tell(e)
	}
	return all, err
}
