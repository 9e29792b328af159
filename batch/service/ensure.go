package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
)

// openTries bounds how often the journals of a view are read because another process wrote them meanwhile, or because one
// more entry was due. A view is begun by a few entries, and whoever finds one taken finds it written the next time: more
// tries are more writers.
const openTries = 16

// ErrGone is the class of errors about journals that are shorter than they were: somebody took the state folder away.
var ErrGone = errors.New("state folder was taken away or exchanged")

// open reads the journals of all views. The first time it also brings each to where the view as the job declares it has a
// generation, and a generation is served: an edit takes effect when a role begins, and two roles of different job files
// do not undo each other's. If other processes do so at the same time, each entry is written by one of them, and the
// others read it.
func (s *Service) open(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var views []*viewState
	origins := sync.OnceValues(func() (map[string]position.Cut, error) { return s.origins(ctx) })
	for i, p := range s.cfg.Plans {
		v, err := s.openView(ctx, p, origins)
		if err == nil && s.views == nil && !s.cfg.readOnly {
			err = errors.Join(v.layout.RemoveAbandoned(time.Now()), v.removeHeld())
		}
		if err == nil && s.views != nil && v.entries() < s.views[i].entries() {
			err = fmt.Errorf("%w: %s has fewer entries than before: bring it back and start batch again", ErrGone, v.layout.ViewJournal())
		}
		if err != nil {
			return fmt.Errorf("opening the state of view %s: %w", p.Spec().Name, err)
		}
		views = append(views, v)
	}
	s.views = views
	return nil
}

// openView reads the journals of a view and, the first time, writes what is due, an entry at a time.
func (s *Service) openView(ctx context.Context, p *view.Plan, origins func() (map[string]position.Cut, error)) (*viewState, error) {
	var last error
	for range openTries {
		v, err := openView(s.cfg.State, p)
		if err == nil {
			err = s.checkTopics(v)
		}
		if err != nil || s.views != nil || s.cfg.readOnly {
			return v, err
		}
		changed, err := s.ensure(ctx, v, origins)
		if !changed && err == nil {
			return v, nil
		}
		if last = err; err != nil && !errors.Is(err, journal.ErrTaken) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("other processes write the journals all the time: %w", last)
}

// ensure writes the one entry that is due first, and tells whether there was one.
func (s *Service) ensure(ctx context.Context, v *viewState, origins func() (map[string]position.Cut, error)) (changed bool, err error) {
	if len(v.gens) == 0 {
		inherited, err := s.inherit(ctx, v)
		if inherited || err != nil {
			return inherited, err
		}
	}
	g, err := v.declared()
	switch {
	case err != nil:
		return false, err
	case g == nil:
		if err := v.room(); err != nil {
			return false, err
		}
		known, err := origins()
		if err != nil {
			return false, err
		}
		return true, s.create(v, known)
	case v.journal.Served() == nil:
		// Nothing else answers meanwhile, and its lanes say themselves what they lack.
		return true, v.journal.Turn(g.Identity, manifest.Served)
	}
	return v.spell()
}

// inherit begins the journal of a view that the store knows and the state folder does not: the folder was lost. What is
// served goes on being served, and a new generation is built beside it.
func (s *Service) inherit(ctx context.Context, v *viewState) (bool, error) {
	spec := v.plan.Spec()
	seq, body, err := s.cfg.Store.Manifest(ctx, manifest.Key(spec.Job, spec.Name))
	if err != nil {
		return false, fmt.Errorf("reading the manifest of view %s: %w", spec.Name, err)
	}
	if seq == 0 {
		return false, nil
	}
	m, err := manifest.Decode(body)
	if err != nil {
		return false, fmt.Errorf("inheriting view %s from the store: %w: restore the state folder that it was filled from, or empty the store", spec.Name, err)
	}
	if err := v.journal.Inherit(m); err != nil {
		return false, err
	}
	s.tell(Event{Kind: EventInherited, View: spec.Name})
	return true, nil
}

// declared returns the newest generation that is what the job's files declare, nil if there is none. Errors are of class
// ErrRevision: blocks alone differ, and nobody meant to build a view anew by a flag.
func (v *viewState) declared() (*generation, error) {
	var other error
	for _, g := range slices.Backward(v.gens) {
		if !g.made() || g.Revision != v.plan.Revision() {
			continue
		}
		err := v.sameBlocks(g)
		if err == nil {
			return g, nil
		}
		if other == nil {
			other = err
		}
	}
	return nil, other
}

func (v *viewState) sameBlocks(g *generation) error {
	spec := v.plan.Spec()
	for i := range spec.Sources {
		if name, b := spec.Sources[i].Name, spec.Sources[i].Block; g.Blocks[name] != b {
			return fmt.Errorf("%w: source %s of view %s has blocks of %d in generation %d and would have blocks of %d: "+
				"leave --block out, or build a generation with the new blocks: rebuild JOB %s --block %d",
				ErrRevision, name, spec.Name, g.Blocks[name], g.Number, b, spec.Name, b)
		}
	}
	return nil
}

// create begins a generation of what the job's files declare. known are the origins by source.
func (s *Service) create(v *viewState, known map[string]position.Cut) error {
	spec := v.plan.Spec()
	var random [manifest.IdentityLength]byte
	s.cfg.Random(random[:])
	g := journal.Genesis{
		Identity: manifest.NewIdentity(random), Job: spec.Job, View: spec.Name, Number: v.journal.NextNumber(), Revision: v.plan.Revision(),
		Spec: *spec, Origin: position.Cut{}, Blocks: map[string]int64{}, Lanes: spec.Lanes,
	}
	if g.Lanes == 0 {
		g.Lanes = lane.DefaultLanes
	}
	var err error
	if g.Topics, err = s.topics(spec.Sources); err != nil {
		return err
	}
	for i := range spec.Sources {
		src := &spec.Sources[i]
		g.Blocks[src.Name] = src.Block
		maps.Copy(g.Origin, known[src.Name])
	}
	// The generation's own journal comes first: whoever reads of it in the view's finds it.
	if _, err := journal.CreateGeneration(v.layout.GenerationJournal(g.Identity), g); err != nil {
		return err
	}
	crash.Point(crash.GenerationUnlisted)
	if err := v.journal.Create(g.Identity, g.Revision); err != nil {
		return err
	}
	s.tell(Event{Kind: EventCreated, View: spec.Name, Generation: g.Number})
	return nil
}

// spell makes every generation of the declared revision answer as the job's files say: names, documentation, owners,
// defaults and limits change no state. The blocks of each stay as they are.
func (v *viewState) spell() (changed bool, err error) {
	for _, g := range v.gens {
		if !g.live() || g.Revision != v.plan.Revision() {
			continue
		}
		spec := g.WithBlocks(v.plan.Spec())
		same, err := sameSpec(v.journal.Spec(g.Generation), spec)
		if err != nil {
			return false, err
		}
		if !same {
			return true, v.journal.Spell(g.Identity, spec)
		}
	}
	return false, nil
}
