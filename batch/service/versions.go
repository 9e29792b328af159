package service

import (
	"context"
	"fmt"
	"sync"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
)

// Version is one generation of a view with its runs.
type Version struct {
	View     string
	Number   int64
	Identity string
	Revision string
	State    manifest.State
	Lanes    int
	Blocks   map[string]int64 // block size by source
	Runs     []RunVersion
	// Inherited says that the generation's journal was lost: it is served as the store has it, and gets no runs.
	Inherited bool
}

// RunVersion is one run of a generation.
type RunVersion struct {
	Run   int64
	Kind  journal.Kind
	Cut   position.Cut
	State string // "registered", "failed" or "checked"
	// Of a checked run: the digest of its files, their rows, and in how many lanes all of them are.
	Digest    string
	Rows      int64
	Published int
}

// The states of runs.
const (
	RunRegistered = "registered"
	RunFailed     = "failed"
	RunChecked    = "checked"
)

// Versions reads the journals under a state folder and tells of each view's generations, in order; none of a view that
// has no journal yet. marks reads the store's marks; with nil, or of a lane without one that reads, nothing counts as published. It
// writes nothing, and may run beside a batch role.
func Versions(ctx context.Context, state, job string, views []string, marks func(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)) ([]Version, error) {
	return NewJournals(state, job).Versions(ctx, views, marks)
}

// Journals reads the journals of a job for whoever asks again and again: each anew only when it has moved, because that of
// a year of runs has 70,000 entries. Safe for concurrent use.
type Journals struct {
	layout journal.Layout // of no view yet

	mu    sync.Mutex
	views map[string]*journal.View
	gens  map[string]*journal.Generation // by identity
}

// NewJournals returns the journals of a job under a state folder, none read yet.
func NewJournals(state, job string) *Journals {
	return &Journals{layout: journal.Layout{State: state, Job: job}, views: map[string]*journal.View{}, gens: map[string]*journal.Generation{}}
}

// view returns a view's journal as it is now.
func (j *Journals) view(l journal.Layout) (*journal.View, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if v := j.views[l.View]; v != nil && !v.Moved() {
		return v, nil
	}
	v, err := journal.OpenView(l.ViewJournal())
	if err == nil {
		j.views[l.View] = v
	}
	return v, err
}

// generation returns a generation's journal as it is now.
func (j *Journals) generation(l journal.Layout, identity string) (*journal.Generation, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if g := j.gens[identity]; g != nil && !g.Moved() {
		return g, nil
	}
	g, err := journal.OpenGeneration(l.GenerationJournal(identity))
	if err == nil {
		j.gens[identity] = g
	}
	return g, err
}

// Versions is as the function of this name.
func (j *Journals) Versions(ctx context.Context, views []string, marks func(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)) ([]Version, error) {
	var all []Version
	for _, name := range views {
		l := j.layout
		l.View = name
		v, err := j.view(l)
		if err != nil {
			return nil, err
		}
		for i := range v.Members {
			m := &v.Members[i]
			if m.Inherited != nil {
				g := journal.InheritGeneration(l.Job, name, m.Inherited)
				one := versionOf(g, m.State)
				one.Inherited = true
				all = append(all, one)
				continue
			}
			g, err := j.generation(l, m.Identity)
			if err != nil {
				return nil, err
			}
			one := versionOf(g, m.State)
			if marks != nil {
				if err := one.count(ctx, g, marks); err != nil {
					return nil, err
				}
			}
			all = append(all, one)
		}
	}
	return all, nil
}

func versionOf(g *journal.Generation, state manifest.State) Version {
	v := Version{View: g.View, Number: g.Number, Identity: g.Identity, Revision: g.Revision, State: state, Lanes: g.Lanes, Blocks: g.Blocks}
	for i := range g.Runs {
		r := &g.Runs[i]
		one := RunVersion{Run: r.Number, Kind: r.Kind, Cut: r.Cut, State: RunRegistered}
		switch {
		case r.Checked != nil:
			one.State, one.Digest, one.Rows = RunChecked, r.Checked.Digest(), r.Checked.Rows
		case r.Failed != nil:
			one.State = RunFailed
		}
		v.Runs = append(v.Runs, one)
	}
	return v
}

// count counts the lanes that have taken in each run. One whose mark does not read has none: that it is damaged its claims
// say, and whoever publishes to it.
func (v *Version) count(ctx context.Context, g *journal.Generation, read func(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)) error {
	ids := make([]lane.ID, g.Lanes)
	for n := range ids {
		ids[n] = lane.ID{Namespace: g.Namespace(), N: n}
	}
	all, err := read(ctx, ids)
	if err != nil {
		return fmt.Errorf("reading the marks of view %s: %w", v.View, err)
	}
	for i := range all {
		mark, begun, err := all[i].Batch()
		for k := range v.Runs {
			if r := &v.Runs[k]; err == nil && begun && r.State == RunChecked && mark.Run > r.Run {
				r.Published++
			}
		}
	}
	return nil
}

// ViewStatus is how far batch is with one generation.
type ViewStatus struct {
	View       string
	Generation int64
	State      manifest.State
	Run        int64        // last checked; 0 for none
	Kind       journal.Kind // of that run; empty for none
	Rows       int64        // of that run's files
	Cut        position.Cut
	Pending    int64          // registered and not checked; 0 for none
	Lanes      publish.Status // as of the last pass; zero before the first
}

// Status tells how far batch is with each generation that is fed, without asking the store or the disk.
func (s *Service) Status() []ViewStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []ViewStatus
	for _, v := range s.views {
		for _, g := range v.gens {
			if !g.made() {
				continue
			}
			st := ViewStatus{View: g.View, Generation: g.Number, State: g.member.State, Run: g.LastChecked(), Cut: g.Cut(g.LastChecked()), Lanes: s.seen[g.Namespace()]}
			if st.Run > 0 {
				last := &g.Runs[st.Run-1]
				st.Kind, st.Rows = last.Kind, last.Checked.Rows
			}
			if p := g.Pending(); p != nil {
				st.Pending = p.Number
			}
			all = append(all, st)
		}
	}
	return all
}
