package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/view"
)

var (
	// ErrForeign is the class of errors about a store that holds a view of another journal.
	ErrForeign = errors.New("store was filled from another state folder")
	// ErrRevision is the class of errors about a view whose sources have other block sizes than its generation.
	ErrRevision = errors.New("view has other blocks than its generation")
)

// viewState is one view with its journals as last read.
type viewState struct {
	plan    *view.Plan
	layout  journal.Layout
	journal *journal.View
	gens    []*generation // in order of their numbers
}

// generation is one generation, a dropped or inherited one too.
type generation struct {
	*journal.Generation
	plan   *view.Plan
	member *journal.Member
}

func (g *generation) live() bool { return g.member.State != manifest.Dropped }

// made tells whether runs are made of the generation and its lanes are begun and filled: not of one that was inherited,
// whose run files are gone.
func (g *generation) made() bool { return g.live() && g.member.Inherited == nil }

// openView reads the journals of a view.
func openView(state string, plan *view.Plan) (*viewState, error) {
	spec := plan.Spec()
	v := &viewState{plan: plan, layout: journal.Layout{State: state, Job: spec.Job, View: spec.Name}}
	var err error
	if v.journal, err = journal.OpenView(v.layout.ViewJournal()); err != nil {
		return nil, err
	}
	for i := range v.journal.Members {
		g, err := v.openGeneration(&v.journal.Members[i])
		if err != nil {
			return nil, err
		}
		v.gens = append(v.gens, g)
	}
	return v, nil
}

func (v *viewState) openGeneration(m *journal.Member) (*generation, error) {
	spec := v.plan.Spec()
	g := &generation{member: m}
	var err error
	if m.Inherited != nil {
		g.Generation = journal.InheritGeneration(spec.Job, spec.Name, m.Inherited)
	} else if g.Generation, err = journal.OpenGeneration(v.layout.GenerationJournal(m.Identity)); err != nil {
		return nil, err
	}
	if g.plan, err = view.Compile(*v.journal.Spec(g.Generation)); err != nil {
		return nil, fmt.Errorf("compiling generation %d of view %s as its journal has it: %w", g.Number, spec.Name, err)
	}
	return g, nil
}

// entries returns how many entries of the view's journals were read or written.
func (v *viewState) entries() int64 {
	n := v.journal.Entries()
	for _, g := range v.gens {
		n += g.Entries()
	}
	return n
}

// moved tells whether another process has written more to the journals than was read.
func (v *viewState) moved() bool {
	return v.journal.Moved() || slices.ContainsFunc(v.gens, func(g *generation) bool { return g.made() && g.Moved() })
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
		if why := shaped(stored, v.gens[at]); why != "" {
			return parted(v, seq, why)
		}
		if v.gens[at].member.Inherited != nil {
			continue // the journal says of it what the manifest said
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

// shaped tells how the lanes or blocks of a generation differ between the store and the journals, "" if they do not: rows
// of one namespace that lie in 16 lanes for one process and in 32 for another would be two sets of rows.
func shaped(stored *manifest.Generation, g *generation) string {
	switch {
	case stored.Lanes != g.Lanes:
		return fmt.Sprintf("namespace %s has %d lanes there and %d in the journals", g.Namespace(), stored.Lanes, g.Lanes)
	case !maps.Equal(stored.Blocks, g.Blocks):
		return fmt.Sprintf("namespace %s has blocks of %v there and of %v in the journals", g.Namespace(), stored.Blocks, g.Blocks)
	}
	return ""
}

// parted is the error about journals that were the store's once and have another history since.
func parted(v *viewState, seq int64, why string) error {
	return fmt.Errorf("%w: view %s: the store's manifest is number %d, and %s: the journals in %s were restored from an older backup and went on: "+
		"restore the state folder that the store was filled from, or begin with an empty one: what is served goes on being so, and a new generation is built beside it",
		publish.ErrNewer, v.plan.Spec().Name, seq, why, v.layout.ViewJournal())
}

// foreign is the error about a manifest in the store that is not of the view's journals.
func foreign(v *viewState, seq int64, body []byte) error {
	identity := "unknown"
	if m, err := manifest.Decode(body); err == nil && m.Served() != nil {
		identity = m.Served().Identity
		for _, g := range v.gens {
			if g.Identity == identity {
				return fmt.Errorf("%w: view %s: the store's manifest is number %d, the journals in %s make an older one: "+
					"restore the newer state folder, or begin with an empty one: what is served goes on being so, and a new generation is built beside it",
					publish.ErrNewer, v.plan.Spec().Name, seq, v.layout.ViewJournal())
			}
		}
	}
	return fmt.Errorf("%w: it serves generation %s of view %s, which has no journal in %s: use the state folder that the store was filled from last; "+
		"if that is lost, an empty one (what is served goes on being so, and a new generation is built beside it), or an empty store",
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
