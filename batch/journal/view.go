package journal

import (
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Member is one generation in the journal of its view.
type Member struct {
	Identity string         `json:"identity"`
	Number   int64          `json:"number"`
	Revision string         `json:"revision"`
	State    manifest.State `json:"state"`

	// Spec replaces that of the generation's genesis, nil if it does not: the same states, answered otherwise.
	Spec *view.Spec `json:"-"`
}

// Spelled is a change of what does not decide states: names, defaults, limits, a source's topic.
type Spelled struct {
	Identity string    `json:"identity"`
	Spec     view.Spec `json:"spec"`
}

// Turn is a change of what is done with a generation.
type Turn struct {
	Identity string         `json:"identity"`
	State    manifest.State `json:"state"`
}

// The kinds of entries of a view's journal.
const (
	entryCreated = "generation created"
	entryTurned  = "generation turned"
	entrySpelled = "generation spelled"
)

// View is the journal of a view. Not safe for concurrent use.
type View struct {
	Members []Member // in order of their numbers

	log *log
}

// OpenView reads the journal of a view; one without entries has no generations. Errors are of class ErrDamaged or
// ErrCodec, or the file system's.
func OpenView(dir string) (*View, error) {
	l, entries, err := openLog(dir, "view")
	if err != nil {
		return nil, err
	}
	v := &View{log: l}
	for i := range entries {
		if err := v.replay(&entries[i]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *View) replay(e *entry) error {
	switch e.kind {
	case entryCreated:
		var m Member
		if err := e.parse(&m); err != nil {
			return err
		}
		return placed(e, v.created(m))
	case entryTurned:
		var t Turn
		if err := e.parse(&t); err != nil {
			return err
		}
		return placed(e, v.turned(t))
	case entrySpelled:
		var sp Spelled
		if err := e.parse(&sp); err != nil {
			return err
		}
		return placed(e, v.spelled(sp))
	}
	return e.unknown()
}

func (v *View) created(m Member) error {
	if want := int64(len(v.Members)) + 1; m.Number != want || !manifest.ValidIdentity(m.Identity) || v.find(m.Identity) != nil {
		return fmt.Errorf("%w: generation %d (%s), want number %d and an identity of its own", ErrOrder, m.Number, m.Identity, want)
	}
	if m.State != manifest.Building {
		return fmt.Errorf("%w: generation %d is created as %q: it begins as %q", ErrOrder, m.Number, m.State, manifest.Building)
	}
	v.Members = append(v.Members, m)
	return nil
}

func (v *View) turned(t Turn) error {
	m := v.find(t.Identity)
	if m == nil {
		return fmt.Errorf("%w: generation %q is unknown", ErrOrder, t.Identity)
	}
	if !t.State.Known() || t.State == manifest.Building || m.State == manifest.Dropped || (m.State == manifest.Served && t.State != manifest.Served) {
		return fmt.Errorf("%w: generation %d turns from %q to %q", ErrOrder, m.Number, m.State, t.State)
	}
	if t.State == manifest.Served {
		// One entry moves the alias, so that there is never a moment with two served generations, or none.
		for i := range v.Members {
			if v.Members[i].State == manifest.Served {
				v.Members[i].State = manifest.Kept
			}
		}
	}
	m.State = t.State
	return nil
}

func (v *View) spelled(s Spelled) error {
	m := v.find(s.Identity)
	if m == nil || m.State == manifest.Dropped {
		return fmt.Errorf("%w: generation %q is unknown or dropped", ErrOrder, s.Identity)
	}
	m.Spec = &s.Spec
	return nil
}

// Spell writes down a spec that makes the same states of the same log as the generation's, so that it answers by it from
// now on. Whether it does so is for the caller to know.
func (v *View) Spell(identity string, spec *view.Spec) error {
	s := Spelled{Identity: identity, Spec: *spec}
	if m := v.find(identity); m == nil || m.State == manifest.Dropped {
		return fmt.Errorf("%w: generation %q is unknown or dropped", ErrOrder, identity)
	}
	if err := v.log.append(entrySpelled, s); err != nil {
		return err
	}
	return v.spelled(s)
}

// Spec returns the spec that a generation answers by.
func (v *View) Spec(g *Generation) *view.Spec {
	if m := v.find(g.Identity); m != nil && m.Spec != nil {
		return m.Spec
	}
	return &g.Spec
}

func (v *View) find(identity string) *Member {
	for i := range v.Members {
		if v.Members[i].Identity == identity {
			return &v.Members[i]
		}
	}
	return nil
}

// Create writes down a new generation, which begins as building. Its own journal must have been created before: whoever
// reads of a generation here finds it there.
func (v *View) Create(identity, revision string) error {
	m := Member{Identity: identity, Number: v.NextNumber(), Revision: revision, State: manifest.Building}
	before := len(v.Members)
	if err := v.created(m); err != nil {
		return err
	}
	if err := v.log.append(entryCreated, m); err != nil {
		v.Members = v.Members[:before]
		return err
	}
	return nil
}

// Turn writes down what is done with a generation from now on. Turning one to served keeps the one that was.
func (v *View) Turn(identity string, state manifest.State) error {
	trial := &View{Members: append([]Member(nil), v.Members...)}
	t := Turn{Identity: identity, State: state}
	if err := trial.turned(t); err != nil {
		return err
	}
	if err := v.log.append(entryTurned, t); err != nil {
		return err
	}
	return v.turned(t)
}

// NextNumber returns the number of the next generation.
func (v *View) NextNumber() int64 { return int64(len(v.Members)) + 1 }

// Entries returns how many entries the journal has. It only grows.
func (v *View) Entries() int64 { return v.log.last }

// ErrNoGeneration says that a view has no generation yet.
var ErrNoGeneration = errors.New("view has no generation yet")

// Manifest returns what the other layers need to know, made of the view's journal and those of its generations, in the
// order of v.Members. Its Seq is the number of all their entries, so that it grows with each of them and is the same
// for every process that reads the same journals.
func (v *View) Manifest(generations []*Generation) (*manifest.Manifest, error) {
	if len(generations) == 0 {
		return nil, ErrNoGeneration
	}
	m := &manifest.Manifest{Seq: v.Entries(), Job: generations[0].Job, View: generations[0].View}
	for i, g := range generations {
		if i >= len(v.Members) || v.Members[i].Identity != g.Identity || len(generations) != len(v.Members) {
			return nil, fmt.Errorf("%w: generation %s is not number %d of its view", ErrOrder, g.Identity, i+1)
		}
		m.Seq += g.Entries()
		k := g.LastChecked()
		m.Generations = append(m.Generations, manifest.Generation{
			Identity: g.Identity, Number: g.Number, Revision: g.Revision, State: v.Members[i].State,
			Spec: *v.Spec(g), Lanes: g.Lanes, Blocks: g.Blocks, Origin: g.Origin, Run: k, Cut: g.Cut(k),
		})
	}
	return m, nil
}
