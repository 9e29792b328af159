package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
)

var (
	// ErrForeign is the class of errors about a store that holds a view of another journal.
	ErrForeign = errors.New("store was filled from another state folder")
	// ErrRevision is the class of errors about a view whose definition is no longer that of its generation.
	ErrRevision = errors.New("view has another definition than its generation")
)

// viewState is one view with its journals as last read.
type viewState struct {
	plan    *view.Plan
	layout  journal.Layout
	journal *journal.View
	gens    []*generation // in order of their numbers
}

// generation is one generation that is not dropped, or was.
type generation struct {
	*journal.Generation
	plan   *view.Plan
	member *journal.Member
}

func (g *generation) live() bool { return g.member.State != manifest.Dropped }

// openView reads the journals of a view.
func openView(state string, plan *view.Plan) (*viewState, error) {
	spec := plan.Spec()
	v := &viewState{plan: plan, layout: journal.Layout{State: state, Job: spec.Job, View: spec.Name}}
	var err error
	if v.journal, err = journal.OpenView(v.layout.ViewJournal()); err != nil {
		return nil, err
	}
	for i := range v.journal.Members {
		m := &v.journal.Members[i]
		j, err := journal.OpenGeneration(v.layout.GenerationJournal(m.Identity))
		if err != nil {
			return nil, err
		}
		g := &generation{Generation: j, member: m}
		if g.plan, err = view.Compile(*v.journal.Spec(j)); err != nil {
			return nil, fmt.Errorf("compiling generation %d of view %s as its journal has it: %w", g.Number, spec.Name, err)
		}
		v.gens = append(v.gens, g)
	}
	return v, nil
}

// create begins the view's first generation, at the origins of its sources.
func (s *Service) create(ctx context.Context, v *viewState, origins func() (map[string]position.Cut, error)) error {
	spec := v.plan.Spec()
	if seq, body, err := s.cfg.Store.Manifest(ctx, manifest.Key(spec.Job, spec.Name)); err != nil {
		return fmt.Errorf("reading the manifest of view %s: %w", spec.Name, err)
	} else if seq > 0 {
		return foreign(v, seq, body)
	}
	known, err := origins()
	if err != nil {
		return err
	}
	var random [manifest.IdentityLength]byte
	s.cfg.Random(random[:])
	g := journal.Genesis{
		Identity: manifest.NewIdentity(random), Job: spec.Job, View: spec.Name, Number: v.journal.NextNumber(), Revision: v.plan.Revision(),
		Spec: *spec, Origin: position.Cut{}, Blocks: map[string]int64{}, Lanes: spec.Lanes,
	}
	if g.Lanes == 0 {
		g.Lanes = lane.DefaultLanes
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
	if err := v.journal.Create(g.Identity, g.Revision); err != nil {
		return err
	}
	s.tell(Event{Kind: EventCreated, View: spec.Name, Generation: g.Number})
	return nil
}

// adopt brings the view's journal to where a single generation is served, by a spec that is the job's.
func (v *viewState) adopt() error {
	spec := v.plan.Spec()
	g := v.gens[len(v.gens)-1]
	if g.Revision != v.plan.Revision() {
		return fmt.Errorf("%w: view %s was %.12s and is %.12s: undo the edit, or begin anew with an empty state folder and an empty store",
			ErrRevision, spec.Name, g.Revision, v.plan.Revision())
	}
	for i := range spec.Sources {
		if name, b := spec.Sources[i].Name, spec.Sources[i].Block; g.Blocks[name] != b {
			return fmt.Errorf("%w: source %s of view %s had blocks of %d and has blocks of %d: undo the edit, or begin anew with an empty state folder and an empty store",
				ErrRevision, name, spec.Name, g.Blocks[name], b)
		}
	}
	if g.member.State == manifest.Building {
		// It is the first: nothing else answers meanwhile, and its lanes say themselves what they lack.
		if err := v.journal.Turn(g.Identity, manifest.Served); err != nil {
			return err
		}
	}
	same, err := sameSpec(v.journal.Spec(g.Generation), spec)
	if err != nil || same {
		return err
	}
	g.plan = v.plan
	return v.journal.Spell(g.Identity, spec)
}

func sameSpec(a, b *view.Spec) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, fmt.Errorf("comparing specs: %w", err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		return false, fmt.Errorf("comparing specs: %w", err)
	}
	return string(x) == string(y), nil
}

// manifest returns what the store should hold.
func (v *viewState) manifest() (*manifest.Manifest, error) {
	var all []*journal.Generation
	for _, g := range v.gens {
		all = append(all, g.Generation)
	}
	return v.journal.Manifest(all)
}

// known tells whether a manifest in the store is one that the journals made: theirs now, which is number own, or an older
// one that every entry since then follows. Numbers alone do not say so: journals that were restored from a backup and went
// on reach the number that the store has, with other runs.
func (v *viewState) known(own int64, want []byte, seq int64, body []byte) error {
	m, err := manifest.Decode(body)
	if err != nil || seq > own {
		return foreign(v, seq, body)
	}
	for i := range m.Generations {
		stored := &m.Generations[i]
		at := slices.IndexFunc(v.gens, func(g *generation) bool { return g.Identity == stored.Identity })
		if at < 0 {
			return foreign(v, seq, body)
		}
		if g := v.gens[at]; stored.Run > g.LastChecked() || !stored.Cut.Equal(g.Cut(stored.Run)) || !stored.Origin.Equal(g.Origin) {
			return parted(v, seq, fmt.Sprintf("it has run %d of generation %d at cut %s, which the journals do not", stored.Run, stored.Number, stored.Cut))
		}
	}
	if seq < own {
		return nil
	}
	if got, err := m.Encode(); err != nil || !bytes.Equal(got, want) {
		return parted(v, seq, "the journals make another of that number")
	}
	return nil
}

// parted is the error about journals that were the store's once and have another history since.
func parted(v *viewState, seq int64, why string) error {
	return fmt.Errorf("%w: view %s: the store's manifest is number %d, and %s: the journals in %s were restored from an older backup and went on: "+
		"restore the state folder that the store was filled from, or empty the store, and it is filled from this one",
		publish.ErrNewer, v.plan.Spec().Name, seq, why, v.layout.ViewJournal())
}

// foreign is the error about a manifest in the store that is not of the view's journals.
func foreign(v *viewState, seq int64, body []byte) error {
	identity := "unknown"
	if m, err := manifest.Decode(body); err == nil && m.Served() != nil {
		identity = m.Served().Identity
		for _, g := range v.gens {
			if g.Identity == identity {
				return fmt.Errorf("%w: view %s: the store's manifest is number %d, the journals in %s make an older one: restore the newer state folder",
					publish.ErrNewer, v.plan.Spec().Name, seq, v.layout.ViewJournal())
			}
		}
	}
	return fmt.Errorf("%w: it serves generation %s of view %s, which has no journal in %s: use the state folder that it was filled from, or an empty store",
		ErrForeign, identity, v.plan.Spec().Name, v.layout.ViewJournal())
}

// target returns what publishing needs to know of a generation. It shares nothing that a run changes.
func (v *viewState) target(g *generation) (*publish.Target, error) {
	t := &publish.Target{Generation: publish.Generation{
		Namespace: g.Namespace(), Lanes: g.Lanes, Origin: g.Origin, BasesFrom: g.BasesFrom(),
	}, Open: v.opener(g)}
	var err error
	if t.Lowest, err = v.lowest(g); err != nil {
		return nil, err
	}
	for k := range g.LastChecked() {
		run := g.Run(k + 1)
		r := publish.Run{Cut: run.Cut, Rows: make([]int64, g.Lanes)}
		for n := range r.Rows {
			r.Rows[n] = run.Checked.Lanes[n].Rows
		}
		t.Runs = append(t.Runs, r)
	}
	return t, nil
}

// opener returns what opens the files of a generation's checked runs. Of what a run changes it has its own.
func (v *viewState) opener(g *generation) func(run int64, n int) (*runfile.Reader, error) {
	files := make([][]journal.LaneFile, g.LastChecked())
	for k := range files {
		files[k] = g.Runs[k].Checked.Lanes
	}
	return func(run int64, n int) (*runfile.Reader, error) {
		return openRun(v.layout.RunFile(g.Identity, run, n), metaOf(g, run, n), files[run-1][n].Digest)
	}
}

func metaOf(g *generation, run int64, n int) runfile.Meta {
	return runfile.Meta{Identity: g.Identity, Run: run, Lane: n, Lanes: g.Lanes}
}

// openRun opens a run file and holds what it says of itself against the journal.
func openRun(path string, m runfile.Meta, digest string) (*runfile.Reader, error) {
	file, err := runfile.Open(path, m)
	if err != nil {
		return nil, err
	}
	if got := file.Summary().Digest; got != digest {
		err := fmt.Errorf("%w: %s has digest %s, the journal says %s: restore it from a backup of the state folder", runfile.ErrDamaged, path, got, digest)
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
